"""What is asked through the background engine is answered as it is without one."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest

from .conftest import Background, eventually

QUESTION = "when to prune roses"
COMMANDS = [
    ["search", QUESTION],
    ["search", QUESTION, "--explain", "-n", "2", "--color"],
    ["search", QUESTION, "--in", "Nowhere"],
    ["search", QUESTION, "--tag", "plants", "--since", "2023-01-01", "--where", "status=done"],
    ["search", QUESTION, "--vault", "gone"],
    ["search", QUESTION, "--vault", ""],
    ["search", "zebra"],
    ["ask", QUESTION],
    ["ask", QUESTION, "--explain"],
    ["ask", "Who won the match in Oslo?"],
    ["ask", QUESTION, "--in", "Nowhere"],
    ["ask", QUESTION, "--model", "no-such-model"],
    ["ask", QUESTION, "--model", "./none.gguf"],
]


class TestSameOutcome:
    def test_of_commands(self, running: Background) -> None:
        assert running.run("search", QUESTION).returncode == 0
        for arguments in COMMANDS:
            through = running.run(*arguments)
            within = running.run(*arguments, "--no-daemon")
            assert through.stdout == within.stdout, arguments
            assert (through.returncode, through.stderr) == (within.returncode, within.stderr), arguments

    def test_of_circumstances(self, background: Background, tmp_path: Path) -> None:
        """Settings and vault come from the process that asks, each time anew."""
        config = Path(background.environment["QUIRE_CONFIG"])
        around = tmp_path / "around" / "deep"
        around.mkdir(parents=True)
        (around.parent / ".obsidian").mkdir()
        (around.parent / "Tide.md").write_text("# Tide\n\nThe ferry sails at high tide.\n")
        several: list[dict[str, str]] = [
            {"QUIRE_VAULT": ""},
            {"QUIRE_ANSWER__SENTENCES": "many"},
            {"QUIRE_RETRIEVAL__FUSION": "rrf"},
            {"QUIRE_FALLBACK_VAULT": str(background.vault)},
            {"QUIRE_VAULT": str(around.parent)},
        ]
        files = ("", "colour = true\n", "[retrieval]\ncandidates = 10\n")
        cases = [(files[0], each) for each in several] + [(text, {}) for text in files]
        for text, variables in cases:
            config.write_text(text)
            through = background.run("search", "ferry", "--explain", **variables)
            within = background.run("search", "ferry", "--explain", "--no-daemon", **variables)
            assert through.stdout == within.stdout, (text, variables)
            assert (through.returncode, through.stderr) == (within.returncode, within.stderr), (
                text,
                variables,
            )

    def test_of_a_folder_with_an_odd_name(self, running: Background, tmp_path: Path) -> None:
        odd = tmp_path / "b\udce4r [1]"
        try:
            odd.mkdir()
        except (OSError, UnicodeEncodeError):
            pytest.skip("this file system takes only UTF-8")
        (odd / "Tide.md").write_text("# Tide\n\nThe ferry sails at high tide.\n")
        outcome = running.run("search", "ferry", "--vault", str(odd))
        assert (outcome.returncode, outcome.stderr) == (0, "")
        assert outcome.stdout.startswith("Tide.md")


class TestMissingModel:
    def test_a_search_needs_no_language_model(self, running: Background) -> None:
        outcome = running.run("search", QUESTION, QUIRE_ANSWER__MODEL="/nonexistent.gguf")
        assert (outcome.returncode, outcome.stderr) == (0, "")
        assert "Garden/Roses.md" in outcome.stdout


class TestFreshness:
    def test_what_was_just_saved_is_found(self, background: Background) -> None:
        background.run("search", QUESTION)
        for number in range(5):
            note = background.vault / f"Tide {number % 2}.md"
            note.write_text(f"# Tide\n\nFerry number{number} sails at high tide.\n")
            hits = background.json("search", f"ferry number{number}")["hits"]
            assert (hits[0]["path"], f"number{number}" in hits[0]["text"]) == (note.name, True)
        note.unlink()
        found = background.json("search", "ferry")["hits"]
        assert note.name not in {hit["path"] for hit in found}

    def test_an_index_that_was_removed_is_made_anew(self, background: Background) -> None:
        background.run("search", QUESTION)
        shutil.rmtree(Path(background.environment["QUIRE_DATA_DIR"]) / "vaults")
        again = background.run("search", QUESTION)
        assert (again.returncode, again.stderr) == (0, "")
        assert "Garden/Roses.md" in again.stdout

    def test_no_sync_answers_from_what_is_there(self, running: Background) -> None:
        assert running.run("search", QUESTION, "--no-sync").returncode in (0, 3, 5)


class TestBatch:
    def test_each_question_gets_its_line(self, running: Background) -> None:
        given = '{"id": "a", "text": "prune roses"}\n\nkiln temperature\n{"id": 7, "text": "compost"}\n'
        outcome = running.run("search", "--batch", "-", given=given)
        lines = [json.loads(line) for line in outcome.stdout.splitlines()]
        assert outcome.returncode == 0
        assert [line["id"] for line in lines] == ["a", 3, 7]
        assert [line["hits"][0]["path"] for line in lines] == [
            "Garden/Roses.md", "Workshop/Kiln.md", "Garden/Compost.md",
        ]  # fmt: skip
        assert running.pid is not None


class TestLanguageModel:
    """A real llama.cpp with a model that says one thing."""

    @pytest.fixture
    def model(self, tmp_path: Path) -> str:
        pytest.importorskip("llama_cpp")
        from tiny_gguf import build

        text = "Prune the roses in early March [1]. Cut each stem above a bud that faces outwards [1]. " * 30
        return str(build(tmp_path / "talker.gguf", says=text, context=8192))

    def test_the_text_comes_in_pieces(self, background: Background, model: str) -> None:
        outcome = background.run("ask", QUESTION, "--model", model, "--jsonl")
        types = [json.loads(line)["type"] for line in outcome.stdout.splitlines()]
        assert types.count("text") > 1
        assert types[-1] == "answer"

    def test_a_model_is_named_from_where_one_stands(
        self, background: Background, model: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(Path(model).parent)
        outcome = background.run("ask", QUESTION, "--model", "talker.gguf", "--json")
        assert json.loads(outcome.stdout)["model"] == "talker"

    def test_ctrl_c_ends_the_answer_and_nothing_else(self, background: Background, model: str) -> None:
        background.run("search", QUESTION)
        pid = background.pid
        limits = {"QUIRE_ANSWER__MAX_TOKENS": "5000", "QUIRE_ANSWER__CONTEXT_TOKENS": "8192"}
        asking = background.popen("ask", QUESTION, "--model", model, "--jsonl", **limits)
        assert asking.stdout is not None
        assert json.loads(asking.stdout.readline())["type"] == "hits"
        assert background.json("engine", "status")["questions"] == 1
        asking.send_signal(signal.SIGINT)
        _, err = asking.communicate(timeout=60)
        assert (asking.returncode, err.strip()) == (130, "")
        eventually(lambda: background.json("engine", "status")["questions"] == 0, "the end of the answer")
        assert background.run("search", QUESTION).returncode == 0
        assert background.pid == pid
