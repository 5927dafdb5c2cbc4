"""``quire ask --save-run`` and ``quire replay``."""

from __future__ import annotations

import json
import re
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_gguf import build

Quire = Callable[..., Any]
QUESTION = "When should I prune the roses?"


@pytest.fixture(autouse=True)
def chosen_vault(environment: dict[str, str], own_vault: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIRE_VAULT", str(own_vault))
    monkeypatch.setenv("QUIRE_ANSWER__MODEL", "extractive")


@pytest.fixture
def saved(quire: Quire, tmp_path: Path) -> Path:
    file = tmp_path / "run.json"
    assert quire("ask", QUESTION, "--save-run", str(file)).code == 0
    return file


class TestSaving:
    @pytest.mark.parametrize("how", [(), ("--json",), ("--jsonl",)])
    def test_prints_what_ask_prints_without_it(
        self, quire: Quire, tmp_path: Path, how: tuple[str, ...]
    ) -> None:
        file = tmp_path / "run.json"
        plain = quire("ask", QUESTION, *how)
        saving = quire("ask", QUESTION, *how, "--save-run", str(file))
        assert (saving.code, saving.err) == (plain.code, plain.err)
        if not how:
            assert saving.out == plain.out
        else:
            then, now = (json.loads(each.out.splitlines()[-1]) for each in (plain, saving))
            assert now.keys() == then.keys()
            assert now["answer"] == then["answer"]
        assert json.loads(file.read_text())["schema"] == "quire.answer-run/1"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    def test_replaces_no_other_file(self, quire: Quire, own_vault: Path) -> None:
        note = own_vault / "Garden" / "Roses.md"
        before = note.read_bytes()
        outcome = quire("ask", QUESTION, "--save-run", str(note))
        assert (outcome.code, outcome.out) == (2, "")
        assert "--force" in outcome.err
        assert note.read_bytes() == before

    @pytest.mark.parametrize(
        "arguments",
        [
            ("ask", "--batch", "-", "--save-run", "run.json"),
            ("ask", QUESTION, "--force"),
            ("replay", "run.json", "--no-sync"),
            ("replay", "missing.json"),
        ],
    )
    def test_wrong_usage_is_one_line(self, quire: Quire, arguments: tuple[str, ...]) -> None:
        outcome = quire(*arguments)
        assert outcome.code == 2
        assert outcome.err.count("\n") == 1


class TestReplay:
    def test_reproduces_the_answer_without_the_vault(
        self, quire: Quire, saved: Path, own_vault: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shutil.rmtree(own_vault)
        monkeypatch.delenv("QUIRE_VAULT")
        outcome = quire("replay", str(saved))
        assert (outcome.code, outcome.err) == (0, "")
        assert re.match(rf"{re.escape(QUESTION)}\nasked \d{{4}}-\d\d-\d\d \d\d:\d\d\n\n", outcome.out)
        assert "early March" in outcome.out
        assert "[1] Garden/Roses.md:" in outcome.out
        assert outcome.out.endswith("Reproduced exactly: text, citations and status.\n")

    def test_shows_what_differs(self, quire: Quire, saved: Path) -> None:
        document = json.loads(saved.read_text())
        document["answer"].update(text="In May.\x1b[31m", status="partial")
        saved.write_text(json.dumps(document))
        outcome = quire("replay", str(saved))
        assert outcome.code == 1
        assert "Not reproduced: the text differs; the status was partial and is supported." in outcome.out
        assert "-In May.\\x1b[31m" in outcome.out
        assert "\x1b" not in outcome.out + outcome.err
        record = quire("replay", str(saved), "--json").json
        assert (record["schema"], record["identical"], record["against"]) == ("quire.replay/1", False, None)
        assert record["then"]["answer"] == "In May.\x1b[31m"
        assert "March" in record["again"]["answer"]

    def test_an_answer_to_another_question_is_damaged(self, quire: Quire, saved: Path) -> None:
        document = json.loads(saved.read_text())
        document["question"] = "When should I plant the roses?"
        saved.write_text(json.dumps(document))
        outcome = quire("replay", str(saved))
        assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
        assert "its question is not the one that was answered" in outcome.err

    def test_names_the_model_that_is_missing(self, quire: Quire, tmp_path: Path) -> None:
        file, model = tmp_path / "run.json", tmp_path / "tiny.gguf"
        build(model, says="Prune the roses in early March [1].", context=4096)
        assert quire("ask", QUESTION, "--model", str(model), "--save-run", str(file)).code == 0
        assert quire("replay", str(file), "--model", str(model)).code == 0
        outcome = quire("replay", str(file))
        assert (outcome.code, outcome.out, outcome.err.count("\n")) == (1, "", 1)
        assert "tiny, which wrote this answer, is not installed" in outcome.err
        build(model, says="No.", context=4096)
        outcome = quire("replay", str(file), "--model", str(model))
        assert (outcome.code, outcome.err.count("\n")) == (1, 1)
        assert "is not the model that wrote this answer" in outcome.err

    def test_a_file_that_is_none_commands_no_terminal(self, quire: Quire, saved: Path) -> None:
        document = json.loads(saved.read_text())
        document["result"]["hits"][0]["\x1b]0;owned\x07"] = document["result"]["hits"][0].pop("path")
        saved.write_text(json.dumps(document))
        outcome = quire("replay", str(saved))
        assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
        assert "is a damaged saved answer" in outcome.err
        assert "\x1b" not in outcome.err

    def test_hostile_notes_stay_text(self, quire: Quire, tmp_path: Path, own_vault: Path) -> None:
        file = str(tmp_path / "run.json")
        quire("ask", "What does the zebra note hide in its text?", "--save-run", file)
        note = own_vault / "Hostile.md"
        note.write_text(note.read_text().replace("commands", "orders \x1b[2J"))
        for arguments in (("replay", file), ("replay", file, "--diff")):
            outcome = quire(*arguments)
            assert "zebra" in outcome.out
            assert not set("\x07\x1b\x9b\u202e\u202c") & set(outcome.out + outcome.err)


class TestDiff:
    def test_another_vault_is_noticed(self, quire: Quire, saved: Path, tmp_path: Path) -> None:
        other = tmp_path / "other"
        other.mkdir()
        (other / "Tide.md").write_text("The ferry sails at high tide.\n")
        outcome = quire("replay", str(saved), "--diff", "--vault", str(other))
        assert outcome.code == 1
        assert "is it another vault's?" in outcome.err

    def test_nothing_has_changed(self, quire: Quire, saved: Path, own_vault: Path) -> None:
        outcome = quire("replay", str(saved), "--diff")
        assert (outcome.code, outcome.err) == (0, "")
        asked, result = outcome.out.split("\n\n", 1)
        assert asked.endswith(f"; compared with {own_vault}")
        assert result.startswith("No passage of this answer has changed.\n\nThe answer is the same:\n")

    def test_tells_which_notes_edits_matter(self, quire: Quire, saved: Path, own_vault: Path) -> None:
        for path, old, new in (("Garden/Roses.md", "March", "April"), ("Garden/Compost.md", "two", "three")):
            note = own_vault / path
            note.write_text(note.read_text().replace(old, new))
        outcome = quire("replay", str(saved), "--diff")
        assert outcome.code == 1
        assert "Garden/Roses.md: 1 passage edited → changes the answer\n" in outcome.out
        assert "Garden/Compost.md: 1 passage edited → does not change the answer\n" in outcome.out
        assert "    +Prune the roses in early April" in outcome.out
        assert "The answer changes: supported then, supported now." in outcome.out
        before = quire("replay", str(saved), "--diff", "--no-sync", "--json")
        record = before.json["against"]
        effects = {note["path"]: note["changes_answer"] for note in record["notes"]}
        assert effects == {"Garden/Roses.md": True, "Garden/Compost.md": False}
        assert (before.code, record["same"]) == (1, False)

    def test_without_a_sync_the_index_is_asked_as_it_is(
        self, quire: Quire, saved: Path, own_vault: Path
    ) -> None:
        new = own_vault / "Pruning.md"
        new.write_text("# Pruning\n\nYou should prune the roses when I say so.\n")
        assert quire("replay", str(saved), "--diff", "--no-sync").code == 0
        outcome = quire("replay", str(saved), "--diff", "--json")
        assert "Pruning.md" in {note["path"] for note in outcome.json["against"]["notes"]}
