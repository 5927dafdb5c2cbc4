"""``quire conversations``, and the conversations that ``quire ask`` begins and continues."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from quire.cli.diagnostics import Diagnostics
from quire_engine import ConversationStore
from quire_engine.records import AnswerStatus, Citation, Turn

Quire = Callable[..., Any]
PROOF = Citation(1, "Garden/Roses.md", ("Roses", "Pruning"), 9, 9, "Prune in \x1b[31mMarch.", True, 0.9)


@pytest.fixture
def own(
    own_vault: Path, tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A vault with a history of its own."""
    for name, value in (
        ("QUIRE_VAULT", str(own_vault)),
        ("QUIRE_DATA_DIR", str(tmp_path / "own data")),
        ("QUIRE_ANSWER__MODEL", "extractive"),
    ):
        monkeypatch.setenv(name, value)
        environment[name] = value
    return own_vault


def keep(vault: Path, *questions: str, conversation: str | None = None) -> str:
    store = ConversationStore(vault)
    for number, question in enumerate(questions):
        turn = Turn(
            0,
            1_000.0 + number,
            question,
            "",
            "In March\x1b[31m. [1]",
            AnswerStatus.SUPPORTED,
            (PROOF,),
            "m",
            1,
        )
        conversation = store.append(conversation, turn).id
    assert conversation is not None
    return conversation


class TestAsking:
    def test_a_follow_up_goes_on_with_the_last_conversation(self, quire: Quire, own: Path) -> None:
        first = quire("ask", "When should I prune the roses?", "--json").json
        then = quire("ask", "-c", "Where do they grow?", "--json").json
        assert then["standalone"] == "Where do the roses grow?"
        assert then["question"] == "Where do they grow?"
        assert "south wall" in then["answer"]
        assert then["conversation"] == first["conversation"] != ""

    def test_a_question_begins_a_conversation_unless_told_otherwise(self, quire: Quire, own: Path) -> None:
        first = quire("ask", "When should I prune the roses?", "--json").json["conversation"]
        other = quire("ask", "How hot is the kiln?", "--new", "--json").json["conversation"]
        assert first != other
        resumed = quire("ask", "--resume", first[:7], "Where do they grow?", "--json").json
        assert resumed["conversation"] == first
        assert "roses" in resumed["standalone"]

    def test_how_it_was_understood_is_shown_on_a_terminal(
        self, quire: Quire, own: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keep(own, "When should I prune the roses?")
        assert "understood as" not in quire("ask", "-c", "Where do they grow?").err
        monkeypatch.setattr("quire.cli.diagnostics.is_terminal", lambda stream: True)
        monkeypatch.setattr(sys, "stderr", sys.stdout)  # as on a terminal, in the order of writing
        shown = quire("ask", "-c", "Where do they grow?").out
        assert shown.count("understood as: Where do the roses grow?") == 1
        assert shown.index("understood as") < shown.index("south wall") < shown.index("[1] Garden")

    @pytest.mark.parametrize("how", [("-c", "--new"), ("-c", "--resume", "1"), ("--resume", "1", "--new")])
    def test_only_one_conversation_can_be_meant(self, quire: Quire, own: Path, how: tuple[str, ...]) -> None:
        outcome = quire("ask", "Where do they grow?", *how)
        assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
        assert "exclude each other" in outcome.err

    @pytest.mark.parametrize("how", [("--no-history",), ("--batch", "-")])
    def test_some_questions_are_not_kept(self, quire_process: Quire, own: Path, how: tuple[str, ...]) -> None:
        question = () if "--batch" in how else ("When should I prune the roses?",)
        quire_process("ask", *question, *how, given=b"When should I prune the roses?\n")
        assert not ConversationStore(own).path.exists()

    def test_the_settings_may_say_so(self, quire: Quire, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("QUIRE_ANSWER__HISTORY", "false")
        assert quire("ask", "When should I prune the roses?", "--json").json["conversation"] == ""
        outcome = quire("ask", "-c", "Where do they grow?")
        assert outcome.code == 2
        assert "answer.history" in outcome.err

    @pytest.mark.parametrize("how", [("-c",), ("--resume", "abcd")])
    def test_without_one_before_it_says_so_in_a_line(
        self, quire: Quire, own: Path, how: tuple[str, ...]
    ) -> None:
        outcome = quire("ask", *how, "Where do they grow?")
        assert outcome.code == 2
        assert outcome.err.count("\n") == 1
        assert "there is no conversation" in outcome.err

    @pytest.mark.parametrize("how", [("-c", "--no-history"), ("--resume", " ")])
    def test_what_contradicts_itself_is_refused(self, quire: Quire, own: Path, how: tuple[str, ...]) -> None:
        assert quire("ask", *how, "Where do they grow?").code == 2

    def test_a_batch_is_no_conversation(self, quire_process: Quire, own: Path) -> None:
        assert quire_process("ask", "-c", "--batch", "-", given=b"Where?\n").code == 2

    def test_one_that_cannot_be_kept_is_answered(self, quire: Quire, own: Path) -> None:
        place = ConversationStore(own).path.parent
        place.parent.mkdir(parents=True)
        place.write_text("a file where the folder belongs")
        outcome = quire("ask", "When should I prune the roses?")
        assert "March" in outcome.out
        assert outcome.err.count("this conversation is not kept") == 1


class TestListing:
    def test_the_newest_comes_first(self, quire: Quire, own: Path) -> None:
        old, new = keep(own, "\x1b[31mOld?"), keep(own, "New?", "And?")
        outcome = quire("conversations")
        assert [line[:8] for line in outcome.out.splitlines()] == [new, old]
        assert "2 questions" in outcome.out.splitlines()[0]
        assert "\x1b" not in outcome.out
        assert outcome.err == ""
        for cut in (("list",), ("search", "march")):
            outcome = quire("conversations", *cut, "-n", "1")
            assert new in outcome.out
            assert old not in outcome.out
            assert "there are more; --limit shows them" in outcome.err

    def test_scripts_read_json(self, quire: Quire, own: Path) -> None:
        identity = keep(own, "New?", "And?")
        record = quire("conversations", "list", "--json").json
        assert record["schema"] == "quire.conversations/1"
        assert [(c["id"], c["title"], c["questions"]) for c in record["conversations"]] == [
            (identity, "New?", 2)
        ]

    def test_none_is_no_failure(self, quire: Quire, own: Path) -> None:
        outcome = quire("conversations")
        assert (outcome.code, outcome.out) == (0, "")
        assert "no conversation is kept" in outcome.err

    def test_a_damaged_history_is_said(self, quire: Quire, own: Path) -> None:
        keep(own, "New?")
        ConversationStore(own).path.write_bytes(b"damaged" * 1000)
        outcome = quire("conversations")
        assert outcome.code == 0
        assert "set aside" in outcome.err


class TestShowing:
    def test_questions_come_with_their_answers_and_proof(self, quire: Quire, own: Path) -> None:
        identity = keep(own, "When?", "And?")
        for name in (identity, identity[:7], "last"):
            out = quire("conversations", "show", name).out
            assert out.index("1. When?") < out.index("2. And?")
            assert "Garden/Roses.md:9" in out
            assert "\x1b" not in out

    def test_scripts_read_json(self, quire: Quire, own: Path) -> None:
        identity = keep(own, "When?")
        record = quire("conversations", "show", identity, "--json").json
        assert (record["id"], record["questions"]) == (identity, 1)
        assert record["turns"][0]["citations"][0]["path"] == "Garden/Roses.md"

    def test_an_unknown_one_is_wrong_usage(self, quire: Quire, own: Path) -> None:
        assert quire("conversations", "show", "zz").code == 2


class TestSearching:
    def test_all_words_must_stand_there(self, quire: Quire, own: Path) -> None:
        identity = keep(own, "When are roses pruned?", "And the kiln?")
        found = quire("conversations", "search", "kilns", "march")
        assert found.code == 0
        assert found.out.startswith(identity)
        assert "2. And the kiln?" in found.out
        assert "When are" not in found.out.split("\n", 1)[1]
        assert quire("conversations", "search", "kiln", "roses").code == 3
        record = quire("conversations", "search", "kiln", "--json").json
        assert [turn["number"] for turn in record["conversations"][0]["turns"]] == [2]


class TestExporting:
    def test_it_is_written_once(self, quire: Quire, own: Path, tmp_path: Path) -> None:
        identity, file = keep(own, "When?"), tmp_path / "Export.md"
        assert quire("conversations", "export", identity, "-o", str(file)).code == 0
        text = file.read_text()
        assert "[[Garden/Roses#Pruning|1]]" in text
        outcome = quire("conversations", "export", identity, "-o", str(file))
        assert outcome.code == 2
        assert "--force" in outcome.err
        file.write_text("older and longer" * 1000)
        assert quire("conversations", "export", identity, "-o", str(file), "--force").code == 0
        assert file.read_text() == text
        assert quire("conversations", "export", "last").out == text

    def test_a_place_that_cannot_be_written_is_a_failure(
        self, quire: Quire, own: Path, tmp_path: Path
    ) -> None:
        keep(own, "When?")
        outcome = quire("conversations", "export", "last", "-o", str(tmp_path / "no" / "Export.md"))
        assert outcome.code == 1
        assert outcome.err.count("\n") == 1


class TestDeleting:
    def test_nobody_is_asked_without_a_terminal(self, quire: Quire, own: Path) -> None:
        identity = keep(own, "When?")
        assert quire("conversations", "delete", identity).code == 2
        assert quire("conversations", "delete", identity, "--yes").code == 0
        assert ConversationStore(own).entries() == ()

    def test_all_are_deleted(self, quire: Quire, own: Path) -> None:
        keep(own, "When?")
        keep(own, "Where?")
        outcome = quire("conversations", "delete", "--all", "-y")
        assert "2 conversations deleted" in outcome.out
        assert ConversationStore(own).entries() == ()

    @pytest.mark.parametrize("what", [(), ("last", "--all")])
    def test_one_or_all_must_be_named(self, quire: Quire, own: Path, what: tuple[str, ...]) -> None:
        keep(own, "When?")
        assert quire("conversations", "delete", *what, "-y").code == 2
        assert len(ConversationStore(own).entries()) == 1

    @pytest.mark.parametrize(("meant", "left"), [(True, 0), (False, 1)])
    def test_on_a_terminal_it_is_asked(
        self, quire: Quire, own: Path, monkeypatch: pytest.MonkeyPatch, meant: bool, left: int
    ) -> None:
        keep(own, "When?")
        asked = []

        def confirm(text: str, *, abort: bool, err: bool) -> None:
            asked.append(text)
            if not meant:
                raise click.Abort

        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr(Diagnostics, "terminal", True, raising=False)
        monkeypatch.setattr("quire.cli.diagnostics.is_terminal", lambda stream: True)
        monkeypatch.setattr(click, "confirm", confirm)
        assert quire("conversations", "delete", "--all").code == (0 if meant else 130)
        assert asked == ["Delete all conversations of this vault?"]
        assert len(ConversationStore(own).entries()) == left

    def test_the_history_of_a_vault_that_is_gone_can_be_deleted(self, quire: Quire, own: Path) -> None:
        keep(own, "When?")
        shutil.rmtree(own)
        assert quire("conversations").code == 0
        assert quire("conversations", "delete", "--all", "-y").code == 0
        assert ConversationStore(own).entries() == ()
