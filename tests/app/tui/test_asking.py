"""From a question to an answer with its proof."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from textual.app import App
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

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def ask(self, question: str) -> Iterator[AnswerEvent]:
        try:
            for event in self._engine.ask(question):
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


async def submit(pilot: Pilot[None], question: str) -> None:
    """Ask without waiting for the answer."""
    pilot.app.screen.query_one(QuestionBox).value = question
    await pilot.press("enter")


def state(app: App[None]) -> str:
    return str(app.screen.query_one("#state", Static).content)


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
            for _ in range(3000):
                if app.screen.query_one(SourceList).places:
                    break
                await pilot.pause(0.01)
            assert app.screen.query_one(SourceList).places[0].path == "Orchard.md"
            assert "[1]" in markdown.source
            assert isinstance(app.screen, AskScreen)
            assert app.screen.answering
            engine.permits.release(1000)

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
            for _ in range(3000):
                await pilot.pause(0.01)
                if not screen.answering:
                    break
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
            for _ in range(3000):
                if engine.closed.is_set():
                    break
                await pilot.pause(0.01)
            assert engine.closed.is_set()
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
