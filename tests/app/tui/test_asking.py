"""From a question to an answer with its proof."""

from __future__ import annotations

import re
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import Static

from quire.tui import background
from quire.tui.app import QuireApp
from quire.tui.screens.ask import AskScreen
from quire.tui.screens.note import NoteScreen
from quire.tui.widgets.answer import AnswerView, verdict
from quire.tui.widgets.answer_markdown import AnswerMarkdown
from quire.tui.widgets.question import QuestionBox
from quire.tui.widgets.sources import SourceList
from quire_engine import Engine, Settings
from quire_engine.records import Answer, AnswerEvent, AnswerStatus

Ask = Callable[[Pilot[None], str], Awaitable[None]]
Settle = Callable[[Pilot[None]], Awaitable[None]]
Read = Callable[[App[None]], str]

PLUMS = "When are plum trees pruned, and why?"
NOTHING = "Who won the football world cup in 1998?"


class PacedEngine:
    """A real engine whose answers wait, event by event, for the test's permission."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.permits = threading.Semaphore(0)
        self.shown = 0
        self.closed = threading.Event()
        self.cancelled: Callable[[], bool] = lambda: False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def ask(self, question: str, **circumstances: Any) -> Iterator[AnswerEvent]:
        self.cancelled = circumstances["cancelled"]
        try:
            for event in self._engine.ask(question, **circumstances):
                self.permits.acquire(timeout=30)
                self.shown += 1
                yield event
        finally:
            self.closed.set()


@pytest.fixture
def paced(garden: QuireApp) -> Iterator[tuple[QuireApp, PacedEngine]]:
    engine = PacedEngine(garden.engine)
    garden.engine = engine  # type: ignore[assignment]
    yield garden, engine
    engine.permits.release(1000)


def talker(folder: Path) -> Path:
    """A language model that says one thing about plums."""
    pytest.importorskip("llama_cpp")
    from tiny_gguf import build

    return build(folder / "talker.gguf", says="Plums ripen in August [1].", context=4096)


async def until(pilot: Pilot[None], what: Callable[[], object]) -> None:
    """Wait until something is so."""
    for _ in range(3000):
        if what():
            return
        await pilot.pause(0.01)
    raise AssertionError("it did not come about")


async def submit(pilot: Pilot[None], question: str) -> None:
    """Ask without waiting for the answer."""
    pilot.app.screen.query_one(QuestionBox).value = question
    await pilot.press("enter")


def state(app: App[None]) -> str:
    return line(app, "state")


def line(app: App[None], part: str) -> str:
    """A line above the answer; empty where it is not shown."""
    shown = app.screen.query_one(f"#{part}", Static)
    return str(shown.content) if shown.display else ""


class TestAnswer:
    async def test_answer_stands_with_its_citation(
        self, garden: QuireApp, ask: Ask, screen_text: Read
    ) -> None:
        async with garden.run_test(size=(100, 30)) as pilot:
            await ask(pilot, PLUMS)
            shown = screen_text(garden)
        assert "Plum trees are pruned in August" in shown
        assert "through winter cuts. [1]" in " ".join(shown.split())
        assert "[1] ✓ Orchard.md:11 › Pruning" in shown
        assert "“Plum trees are pruned in August, because" in shown
        assert "Supported: every sentence has a verified citation." in shown
        assert "extractive" in shown

    async def test_answer_grows_while_it_is_made(self, paced: tuple[QuireApp, PacedEngine]) -> None:
        app, engine = paced
        async with app.run_test() as pilot:
            await submit(pilot, PLUMS)
            engine.permits.release(3)  # hits, wave, first piece of text
            markdown = app.screen.query_one(AnswerMarkdown)
            await until(pilot, lambda: app.screen.query_one(SourceList).places)
            assert app.screen.query_one(SourceList).places[0].path == "Orchard.md"
            assert "[1]" in markdown.source
            assert isinstance(app.screen, AskScreen)
            assert app.screen.answering
            engine.permits.release(1000)

    async def test_what_is_read_is_said_as_it_happens(self, paced: tuple[QuireApp, PacedEngine]) -> None:
        app, engine = paced
        async with app.run_test() as pilot:
            await submit(pilot, PLUMS)
            engine.permits.release(1)
            await until(pilot, lambda: state(app).startswith("Found"))
            assert line(app, "reading") == ""
            engine.permits.release(1)
            await until(pilot, lambda: line(app, "reading"))
            assert re.fullmatch(r"read \d critical: \d+ tokens, sufficiency [01]\.\d\d", line(app, "reading"))
            assert re.fullmatch(r"Reading \d critical passages?…", state(app))
            engine.permits.release(1000)

    async def test_the_reading_of_a_language_model_is_shown_and_can_be_stopped(
        self, on_vault: Callable[..., QuireApp], tmp_path: Path
    ) -> None:
        settings = Settings(answer={"model": str(talker(tmp_path))})
        app = on_vault(("Plums.md", "Plums ripen in August, on the south wall."), settings=settings)
        app.engine.sync()
        engine = PacedEngine(app.engine)
        app.engine = engine  # type: ignore[assignment]
        async with app.run_test() as pilot:
            await submit(pilot, "When do plums ripen?")
            engine.permits.release(3)
            await until(pilot, lambda: state(app).startswith("The language model reads: "))
            assert re.search(r"\d+ of \d+ tokens…$", state(app))
            assert not engine.cancelled()
            await pilot.press("escape")
            assert engine.cancelled(), "which the model asks while it computes"
            engine.permits.release(1000)
            await until(pilot, engine.closed.is_set)
            assert state(app) == "Cancelled."

    async def test_second_answer_replaces_the_first(
        self, garden: QuireApp, ask: Ask, screen_text: Read
    ) -> None:
        async with garden.run_test(size=(100, 30)) as pilot:
            await ask(pilot, PLUMS)
            await ask(pilot, "On which stroke does the Japanese saw cut?")
            shown = screen_text(garden)
        assert "pull stroke" in shown
        assert "August" not in shown
        assert "Tools.md:9" in shown
        assert "Orchard.md" not in shown

    async def test_empty_question_asks_nothing(self, garden: QuireApp, settle: Settle) -> None:
        async with garden.run_test() as pilot:
            await settle(pilot)
            before = state(garden)
            await pilot.press("space", "enter")
            await settle(pilot)
            assert state(garden) == before

    async def test_failing_model_is_named(
        self, on_vault: Callable[..., QuireApp], ask: Ask, screen_text: Read
    ) -> None:
        settings = Settings(answer={"model": "no-such-model.gguf"})
        app = on_vault(("Plums.md", "Plums ripen in August."), settings=settings)
        async with app.run_test(size=(100, 30)) as pilot:
            await submit(pilot, "When do plums ripen?")
            screen = app.screen
            assert isinstance(screen, AskScreen)
            await until(pilot, lambda: not screen.answering)
            assert "no-such-model.gguf" in state(app)
            assert app.is_running


class TestAbstention:
    async def test_nearest_passages_are_listed_and_open(
        self, garden: QuireApp, ask: Ask, settle: Settle, screen_text: Read
    ) -> None:
        async with garden.run_test(size=(100, 30)) as pilot:
            await ask(pilot, NOTHING)
            shown = screen_text(garden)
            assert "No evidence." in shown
            assert "Nearest passages" in shown
            assert "✓" not in shown
            first = garden.screen.query_one(SourceList).places[0]
            await pilot.press("enter")
            await settle(pilot)
            assert isinstance(garden.screen, NoteScreen)
            assert first.path in screen_text(garden)

    async def test_empty_vault_lists_nothing(self, on_vault: Callable[..., QuireApp], ask: Ask) -> None:
        app = on_vault((".obsidian/app.json", "{}"))
        async with app.run_test() as pilot:
            await ask(pilot, NOTHING)
            assert state(app) != background.SEARCHING
            assert not app.screen.query_one(SourceList).display
            assert app.is_running


class TestVerdict:
    @pytest.mark.parametrize(
        ("status", "words"),
        [
            (AnswerStatus.SUPPORTED, "Supported"),
            (AnswerStatus.PARTIAL, "Only partly supported"),
            (AnswerStatus.ABSTAINED, "No evidence"),
        ],
    )
    def test_every_status_is_said_plainly(self, status: AnswerStatus, words: str) -> None:
        answer = Answer("q", status, "text", (), (), "extractive", 1, incomplete=False)
        assert verdict(answer).startswith(words)
        assert "incomplete" not in verdict(answer)

    def test_incomplete_index_is_mentioned(self) -> None:
        answer = Answer("q", AnswerStatus.SUPPORTED, "text", (), (), "extractive", 1, incomplete=True)
        assert "incomplete" in verdict(answer)

    def test_a_partial_answer_says_what_it_lacks(self) -> None:
        extracted = Answer("q", AnswerStatus.PARTIAL, "text", (), (), "extractive", 1, incomplete=False)
        assert "may not answer the question" in verdict(extracted)
        assert "was left out" in verdict(replace(extracted, model="talker"))


class TestConversation:
    async def test_a_follow_up_is_understood_until_a_new_conversation_begins(
        self, garden: QuireApp, ask: Ask, screen_text: Read
    ) -> None:
        async with garden.run_test(size=(100, 30)) as pilot:
            await ask(pilot, "When are plum trees pruned?")
            assert line(garden, "understood") == ""
            assert "Ask a follow-up" in screen_text(garden)
            assert "^n New" in screen_text(garden).splitlines()[-1]
            await ask(pilot, "Why are they pruned then?")
            assert line(garden, "understood") == "understood as: Why are plum trees pruned then?"
            await pilot.press("ctrl+n")
            await pilot.pause()
            assert line(garden, "understood") == ""
            assert "Ask your notes" in screen_text(garden)
            assert garden.screen.query_one(AnswerMarkdown).source == ""
            assert garden.focused is garden.screen.query_one(QuestionBox)
            await ask(pilot, "Why are they pruned then?")
            assert line(garden, "understood") == ""
        latest, before = garden.engine.conversations.entries(limit=2)
        assert (latest.turns, before.turns) == (1, 2)

    async def test_nothing_is_kept_where_the_settings_say_so(
        self, on_vault: Callable[..., QuireApp], ask: Ask, screen_text: Read
    ) -> None:
        settings = Settings(answer={"model": "extractive", "history": False})
        app = on_vault(("Plums.md", "Plums ripen in August."), settings=settings)
        async with app.run_test(size=(100, 30)) as pilot:
            await ask(pilot, "When do plums ripen?")
            assert "Ask your notes" in screen_text(app)
            await ask(pilot, "When do plums ripen?")
            assert state(app).startswith("Supported")
        assert not app.engine.conversations.entries(limit=2)


class TestCancelling:
    async def test_escape_closes_the_answer(self, paced: tuple[QuireApp, PacedEngine]) -> None:
        app, engine = paced
        async with app.run_test() as pilot:
            screen = app.screen
            assert isinstance(screen, AskScreen)
            await submit(pilot, PLUMS)
            engine.permits.release(1)
            await pilot.pause(0.1)
            await pilot.press("escape")
            assert state(app) == "Cancelled."
            assert not screen.answering
            engine.permits.release(1000)
            await until(pilot, engine.closed.is_set)
            assert engine.shown <= 2  # the one that was on its way, no more
            await pilot.pause()
            assert screen.query_one(AnswerMarkdown).source == ""
            assert state(app) == "Cancelled."

    async def test_next_question_is_answered_after_a_cancelled_one(
        self, paced: tuple[QuireApp, PacedEngine], settle: Settle
    ) -> None:
        app, engine = paced
        async with app.run_test() as pilot:
            await submit(pilot, NOTHING)
            await pilot.press("escape")
            engine.permits.release(1000)
            await submit(pilot, PLUMS)
            await settle(pilot)
            assert "August" in app.screen.query_one(AnswerMarkdown).source
            assert state(app).startswith("Supported")

    async def test_leaving_does_not_wait_for_the_answer(self, paced: tuple[QuireApp, PacedEngine]) -> None:
        app, engine = paced
        async with app.run_test() as pilot:
            await submit(pilot, PLUMS)
            await pilot.press("ctrl+q")
            engine.permits.release(1)
        assert not app.is_running
        assert engine.shown <= 1


class TestQuestionBox:
    async def test_history_goes_back_and_returns_to_the_draft(self, garden: QuireApp, ask: Ask) -> None:
        async with garden.run_test() as pilot:
            await ask(pilot, "First question about plums?")
            await pilot.press("escape")
            await ask(pilot, "Second question about plums?")
            box = garden.screen.query_one(QuestionBox)
            box.focus()
            await pilot.press(*"draft", "up")
            assert box.value == "Second question about plums?"
            await pilot.press("up", "up")
            assert box.value == "First question about plums?"
            await pilot.press("down", "down")
            assert box.value == "draft"

    async def test_typing_in_the_list_begins_the_next_question(self, garden: QuireApp, ask: Ask) -> None:
        async with garden.run_test() as pilot:
            await ask(pilot, PLUMS)
            assert garden.focused is garden.screen.query_one(SourceList)
            await pilot.press(*"How")
            box = garden.screen.query_one(QuestionBox)
            assert garden.focused is box
            assert box.value == "How"

    async def test_keys_that_come_at_once_keep_their_order(self, garden: QuireApp, ask: Ask) -> None:
        question = "2024: compare 1 and 2, and 3 of them in round 2 with round 1"
        async with garden.run_test() as pilot:
            await ask(pilot, PLUMS)
            assert garden.focused is garden.screen.query_one(SourceList)
            for character in question:  # as pasted into a terminal, or typed over a slow line
                garden.post_message(Key(character, character))
            box = garden.screen.query_one(QuestionBox)
            await until(pilot, lambda: len(box.value) == len(question))
            assert box.value == question
            assert isinstance(garden.screen, AskScreen)

    async def test_the_number_of_a_passage_opens_it(
        self, garden: QuireApp, ask: Ask, settle: Settle, screen_text: Read
    ) -> None:
        async with garden.run_test() as pilot:
            await ask(pilot, PLUMS)
            await pilot.press("1", "enter")
            await settle(pilot)
            assert isinstance(garden.screen, NoteScreen)
            assert "Orchard.md" in screen_text(garden)
            await pilot.press("escape")
            assert garden.screen.query_one(QuestionBox).value == ""
            assert state(garden).startswith("Supported"), "the answer is still there"

    async def test_typing_is_not_interrupted_by_the_answer(
        self, paced: tuple[QuireApp, PacedEngine], settle: Settle
    ) -> None:
        app, engine = paced
        async with app.run_test() as pilot:
            await submit(pilot, PLUMS)
            await pilot.press(*"And")
            engine.permits.release(1000)
            await settle(pilot)
            await pilot.press(*" 1")
            assert app.screen.query_one(QuestionBox).value == "And 1"


class TestMarks:
    async def test_click_on_a_mark_opens_its_citation(
        self, garden: QuireApp, ask: Ask, settle: Settle, screen_text: Read
    ) -> None:
        async with garden.run_test(size=(100, 30)) as pilot:
            await ask(pilot, PLUMS)
            lines = screen_text(garden).splitlines()
            y = next(i for i, line in enumerate(lines) if "[1]" in line and "✓" not in line)
            top = garden.screen.query_one(AnswerView).region.y
            assert y >= top
            await pilot.click(offset=(lines[y].index("[1]") + 1, y))
            await settle(pilot)
            assert isinstance(garden.screen, NoteScreen)
