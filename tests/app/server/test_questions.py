"""What is asked through the background engine is answered as it is without one."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quire.contract import Json

from .conftest import Background, eventually

QUESTION = "when to prune roses"
BROAD = "What is said of roses, the kiln, compost and the zebra?"
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
    ["ask", QUESTION, "--resume", "none"],
]


def told(outcome: subprocess.CompletedProcess[str]) -> str:
    """What was printed, but for the generation: vectors may have come between two questions."""
    return re.sub(r"generation \d+", "generation", outcome.stdout)


class TestSameOutcome:
    def test_of_commands(
        self, running: Background, quire: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("QUIRE_NO_DAEMON")
        for name in (name for name in running.environment if name.startswith("QUIRE_")):
            monkeypatch.setenv(name, running.environment[name])
        assert quire("search", QUESTION).code == 0
        for arguments in COMMANDS:
            assert quire(*arguments) == quire(*arguments, "--no-daemon"), arguments

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
            assert told(through) == told(within), (text, variables)
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


class TestSavedAnswer:
    def test_is_saved_by_whoever_asks(self, running: Background, tmp_path: Path) -> None:
        files = tmp_path / "through.json", tmp_path / "within.json"
        ask = ("ask", QUESTION, "--save-run")
        assert running.run(*ask, str(files[0])).returncode == 0
        assert running.run(*ask, str(files[1]), "--no-daemon").returncode == 0
        through, within = (json.loads(file.read_text()) for file in files)
        for run in (through, within):
            run.pop("asked")
            run["answer"].pop("conversation")
            run["answer"].pop("timings")
            run["result"].pop("timings")
        assert through == within
        assert running.run("replay", str(files[0])).returncode == 0


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

    def test_ctrl_c_ends_the_answer_in_this_process_too(self, running: Background, model: str) -> None:
        limits = {"QUIRE_ANSWER__MAX_TOKENS": "5000", "QUIRE_ANSWER__CONTEXT_TOKENS": "8192"}
        ask = ("ask", QUESTION, "--no-daemon", "--model", model, "--jsonl")
        with running.popen(*ask, **limits) as asking:
            assert asking.stdout is not None
            while json.loads(asking.stdout.readline())["type"] != "reading":
                pass
            asking.send_signal(signal.SIGINT)
            out, err = asking.communicate(timeout=60)
        assert (asking.returncode, err.strip()) == (130, "")
        assert "answer" not in {json.loads(line)["type"] for line in out.splitlines()}

    def test_the_queue_is_shown_to_who_waits(self, background: Background, model: str) -> None:
        limits = {"QUIRE_ANSWER__MAX_TOKENS": "5000", "QUIRE_ANSWER__CONTEXT_TOKENS": "8192"}
        ask = ("ask", QUESTION, "--model", model, "--jsonl")
        with background.popen(*ask, **limits) as first:
            assert first.stdout is not None
            while json.loads(first.stdout.readline())["type"] != "reading":
                pass
            with background.popen(*ask, **limits) as second:
                assert second.stdout is not None
                while (event := json.loads(second.stdout.readline()))["type"] != "queued":
                    assert event["type"] in ("hits", "wave")
                first.send_signal(signal.SIGINT)
                rest = [json.loads(line) for line in second.communicate(timeout=60)[0].splitlines()]
        assert event["position"] == 1
        assert rest[0]["position"] == 0
        assert rest[-1]["type"] == "answer"


class TestBudgets:
    def test_reach_the_engine_that_answers(self, running: Background) -> None:
        def waves(**budget: float) -> list[Json]:
            inquiry = {"text": BROAD, "vault": str(running.vault), "model": "extractive", **budget}
            *_, answer = running.client.stream("/v1/ask", inquiry)
            found: list[Json] = answer["waves"]
            return found

        all_of_it = waves()
        assert len(all_of_it) > 1
        for budget in ({"max_waves": 1}, {"budget_tokens": 1}, {"budget_seconds": 0.000001}):
            (read,) = waves(**budget)
            assert read["stop_reason"] != all_of_it[0]["stop_reason"]


class TestConversations:
    def test_one_goes_on_whoever_answers(self, running: Background) -> None:
        first = running.json("ask", "When should I prune the roses?")
        through = running.json("ask", "-c", "Where do they grow?")
        within = running.json("ask", "-c", "Where do they grow?", "--no-daemon")
        assert first["conversation"] == through["conversation"] == within["conversation"] != ""
        assert through["standalone"] == within["standalone"] == "Where do the roses grow?"
