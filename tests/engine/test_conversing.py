"""Conversations through the engine: what is understood, answered and kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from quire_engine import AskOptions, Engine
from quire_engine.errors import ConfigError
from quire_engine.records import Answer, AnswerFinished, AnswerStatus, Filters
from quire_engine.settings import AnswerSettings, Settings

NOTES = {
    "Roses.md": "# Roses\n\nPrune the roses in early March.\n\nThe roses grow along the south wall.\n",
    "Pump.md": "# Pump\n\nThe pump failed tag:rust -because folder:zzz of a seal.\n",
    "Kiln.md": "# Kiln\n\nThe kiln reaches 1240 degrees Celsius. The kiln stands in the old barn.\n",
}


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QUIRE_DATA_DIR", str(tmp_path / "data"))
    for name, text in NOTES.items():
        (tmp_path / "vault").mkdir(exist_ok=True)
        (tmp_path / "vault" / name).write_text(text)
    return tmp_path / "vault"


@pytest.fixture
def engine(vault: Path) -> Iterator[Engine]:
    with Engine.open(vault) as opened:
        opened.sync()
        yield opened


def ask(engine: Engine, question: str, conversation: str | None) -> Answer:
    *_, last = engine.ask(question, options=AskOptions("extractive", conversation=conversation))
    assert isinstance(last, AnswerFinished)
    return last.answer


def test_a_follow_up_is_searched_as_it_is_meant(engine: Engine) -> None:
    first = ask(engine, "How hot is the kiln?", "new")
    then = ask(engine, "Where does it stand?", "last")
    assert (then.question, then.standalone) == ("Where does it stand?", "Where does the kiln stand?")
    assert then.plan is not None
    assert then.plan.query.text == "Where does the kiln stand?"
    assert "old barn" in then.text
    assert then.conversation == first.conversation != ""
    assert first.standalone == ""
    kept = engine.conversations.get(first.conversation)
    assert [(turn.question, turn.standalone) for turn in kept.turns] == [
        ("How hot is the kiln?", ""),
        ("Where does it stand?", "Where does the kiln stand?"),
    ]
    assert kept.turns[1].citations == then.citations != ()


def test_a_note_sets_no_filters(engine: Engine) -> None:
    ask(engine, "What happened to the pump?", "new")
    then = ask(engine, "Why?", "last")
    assert then.standalone.startswith("Why: The pump failed tag rust because")
    assert then.plan is not None
    assert then.plan.query.filters == Filters()
    assert "pump failed" in then.text
    assert ask(engine, "Who replaced it?", "last").standalone == "Who replaced the pump?"


def test_a_conversation_is_resumed_by_its_id(engine: Engine) -> None:
    first = ask(engine, "How hot is the kiln?", "new")
    ask(engine, "When are the roses pruned?", "new")
    then = ask(engine, "Where does it stand?", first.conversation[:7])
    assert then.conversation == first.conversation
    assert "kiln" in then.standalone


def test_an_abstention_is_kept(engine: Engine) -> None:
    answer = ask(engine, "What is the capital of Mongolia?", "new")
    assert answer.status is AnswerStatus.ABSTAINED
    assert engine.conversations.get(answer.conversation).turns[0].status is AnswerStatus.ABSTAINED


def test_a_cancelled_answer_is_not_kept(engine: Engine) -> None:
    events = engine.ask("How hot is the kiln?", options=AskOptions("extractive", conversation="new"))
    next(events)
    events.close()  # type: ignore[attr-defined]
    assert engine.conversations.entries() == ()


def test_nothing_is_kept_unless_it_is_asked_for(engine: Engine) -> None:
    assert ask(engine, "How hot is the kiln?", None).conversation == ""
    assert not engine.conversations.path.exists()


def test_without_a_conversation_none_is_continued(engine: Engine) -> None:
    with pytest.raises(ConfigError, match="there is no conversation yet"):
        ask(engine, "Where does it stand?", "last")
    with pytest.raises(ConfigError, match="there is no conversation"):
        ask(engine, "Where does it stand?", "0123abcd")


def test_a_damaged_history_costs_no_answer(engine: Engine) -> None:
    ask(engine, "How hot is the kiln?", "new")
    engine.conversations.path.write_bytes(b"damaged" * 1000)
    answer = ask(engine, "When are the roses pruned?", "new")
    assert answer.status is not AnswerStatus.ABSTAINED
    assert answer.conversation
    assert any("set aside" in note for note in answer.notes)


def test_a_history_that_cannot_be_written_costs_no_answer(engine: Engine) -> None:
    engine.conversations.path.parent.write_text("a file where the folder belongs")
    answer = ask(engine, "How hot is the kiln?", "new")
    assert "1240" in answer.text
    assert answer.conversation == ""
    (note,) = answer.notes
    assert note.startswith("this conversation is not kept: ")
    assert "\n" not in note


class TestWithoutHistory:
    @pytest.fixture
    def silent(self, engine: Engine, vault: Path) -> Iterator[Engine]:
        with Engine.open(vault, Settings(answer=AnswerSettings(history=False))) as opened:
            yield opened

    def test_nothing_is_kept(self, silent: Engine) -> None:
        assert ask(silent, "How hot is the kiln?", "new").conversation == ""
        assert not silent.conversations.path.exists()

    def test_nothing_is_continued(self, silent: Engine) -> None:
        with pytest.raises(ConfigError, match=r"answer\.history"):
            ask(silent, "Where does it stand?", "last")
