"""Nothing is cut off, whatever the size of the window."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Footer
from textual.widgets._footer import FooterKey

from quire.tui.app import QuireApp
from quire.tui.messages import OpenPlace
from quire.tui.places import Place
from quire.tui.widgets.answer import AnswerView
from quire.tui.widgets.link_list import LinkList
from quire.tui.widgets.note_text import NoteText
from quire.tui.widgets.question import QuestionBox
from quire.tui.widgets.sources import SourceList
from quire.tui.widgets.status_bar import StatusBar

Ask = Callable[[Pilot[None], str], Awaitable[None]]
Settle = Callable[[Pilot[None]], Awaitable[None]]
Read = Callable[[App[None]], str]

PLUMS = "When are plum trees pruned, and why?"
SIZES = [(80, 24), (100, 30), (160, 48)]


def whole(app: App[None], *parts: Widget) -> None:
    """The parts lie within the screen, have room, and do not overlap."""
    for part in parts:
        assert part.region.area > 0, part
        assert app.screen.region.contains_region(part.region), part
    for index, part in enumerate(parts):
        for other in parts[index + 1 :]:
            assert not part.region.overlaps(other.region), (part, other)
    keys = list(app.screen.query(FooterKey))
    assert keys
    for key in keys:
        assert key.region.right <= app.size.width, key


@pytest.mark.parametrize("size", SIZES)
class TestSizes:
    async def test_answer_and_citations(
        self, garden: QuireApp, ask: Ask, screen_text: Read, size: tuple[int, int]
    ) -> None:
        async with garden.run_test(size=size) as pilot:
            await ask(pilot, PLUMS)
            query = garden.screen.query_one
            answer, sources, box = query(AnswerView), query(SourceList), query(QuestionBox)
            whole(garden, answer, sources, box, query(StatusBar), query(Footer))
            assert answer.max_scroll_y == 0, "a short answer needs no scrolling"
            assert answer.size.height >= 8
            shown = screen_text(garden)
            assert "garden" in shown
            assert "3 notes" in shown
            assert "extractive" in shown
            if size[0] >= 120:
                assert sources.region.x >= answer.region.right
                assert sources.region.y == answer.region.y
            else:
                assert sources.region.y >= answer.region.bottom

    async def test_many_passages_leave_room_for_the_answer(
        self, garden: QuireApp, ask: Ask, size: tuple[int, int]
    ) -> None:
        async with garden.run_test(size=size) as pilot:
            await ask(pilot, "Who won the football world cup in 1998?")
            query = garden.screen.query_one
            answer, sources = query(AnswerView), query(SourceList)
            assert len(sources.places) > 3
            whole(garden, answer, sources, query(QuestionBox), query(StatusBar), query(Footer))
            assert answer.size.height >= 8

    async def test_note_and_links(
        self, garden: QuireApp, settle: Settle, screen_text: Read, size: tuple[int, int]
    ) -> None:
        async with garden.run_test(size=size) as pilot:
            await settle(pilot)
            garden.post_message(OpenPlace(Place("Orchard.md", 11, 11)))
            await settle(pilot)
            query = garden.screen.query_one
            text, links = query(NoteText), query(LinkList)
            whole(garden, query("#title"), text, links, query(StatusBar), query(Footer))
            assert text.size.height >= 8
            assert "11 ▌Plum trees are pruned in August" in screen_text(garden)

    async def test_help_and_footer_before_any_question(
        self, garden: QuireApp, settle: Settle, screen_text: Read, size: tuple[int, int]
    ) -> None:
        async with garden.run_test(size=size) as pilot:
            await settle(pilot)
            query = garden.screen.query_one
            whole(garden, query(AnswerView), query(QuestionBox), query(StatusBar), query(Footer))
            footer = screen_text(garden).splitlines()[-1]
            for words in ("Enter Ask", "^p Palette", "F1 Help", "^q Quit"):
                assert words in footer
            await pilot.press("f1")
            await pilot.pause()
            panel = garden.screen.query_one("#help")
            assert garden.screen.region.contains_region(panel.region)


class TestChangingSize:
    async def test_layout_follows_the_window(self, garden: QuireApp, ask: Ask, settle: Settle) -> None:
        async with garden.run_test(size=(80, 24)) as pilot:
            await ask(pilot, PLUMS)
            answer = garden.screen.query_one(AnswerView)
            sources = garden.screen.query_one(SourceList)
            assert sources.region.y >= answer.region.bottom
            await pilot.resize_terminal(160, 48)
            await settle(pilot)
            assert sources.region.x >= answer.region.right

    async def test_tiny_window_does_not_crash(self, garden: QuireApp, ask: Ask) -> None:
        async with garden.run_test(size=(20, 6)) as pilot:
            await ask(pilot, PLUMS)
            assert garden.is_running


class TestColours:
    async def test_without_colour_the_passage_is_still_marked(
        self, garden: QuireApp, settle: Settle, screen_text: Read, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("NO_COLOR", "1")
        app = QuireApp(garden.engine, garden.vault)
        async with app.run_test() as pilot:
            await settle(pilot)
            app.post_message(OpenPlace(Place("Orchard.md", 11, 11)))
            await settle(pilot)
            assert "11 ▌Plum trees" in screen_text(app)
            assert app.no_color
