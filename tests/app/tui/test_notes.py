"""Notes as they are now, with what was cited standing out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Static

from quire.tui.app import QuireApp
from quire.tui.messages import OpenPlace
from quire.tui.places import Passage, Place
from quire.tui.screens.ask import AskScreen
from quire.tui.screens.note import NoteScreen
from quire.tui.widgets.link_list import LinkList
from quire.tui.widgets.note_text import NoteText

Ask = Callable[[Pilot[None], str], Awaitable[None]]
Settle = Callable[[Pilot[None]], Awaitable[None]]
Read = Callable[[App[None]], str]

PLUMS = "When are plum trees pruned, and why?"


def marked(shown: str) -> list[str]:
    """The rows that are marked as cited."""
    return [row.strip() for row in shown.splitlines() if "▌" in row]


async def open_place(app: QuireApp, pilot: Pilot[None], settle: Settle, place: Place) -> None:
    await settle(pilot)
    app.post_message(OpenPlace(place))
    await settle(pilot)


class TestCitation:
    @pytest.mark.parametrize("keys", [("enter",), ("1", "enter")])
    async def test_cited_line_stands_out(
        self, garden: QuireApp, ask: Ask, settle: Settle, screen_text: Read, keys: tuple[str, ...]
    ) -> None:
        async with garden.run_test(size=(120, 30)) as pilot:
            await ask(pilot, PLUMS)
            await pilot.press(*keys)
            await settle(pilot)
            shown = screen_text(garden)
            assert "Orchard.md:11" in shown.splitlines()[0]
            assert marked(shown)
            assert marked(shown)[0].lstrip().startswith("11 ▌Plum trees are pruned in August")
            passage = garden.screen.query_one(NoteText).passage
            assert passage is not None
            assert (passage.start_line, passage.end_line) == (11, 11)
            await pilot.press("escape")
            assert isinstance(garden.screen, AskScreen)

    async def test_click_in_the_list_opens(self, garden: QuireApp, ask: Ask, settle: Settle) -> None:
        async with garden.run_test() as pilot:
            await ask(pilot, PLUMS)
            await pilot.click("#sources", offset=(6, 1))
            await settle(pilot)
            assert isinstance(garden.screen, NoteScreen)

    async def test_long_note_is_scrolled_to_the_lines(
        self, garden: QuireApp, settle: Settle, screen_text: Read
    ) -> None:
        place = Place("Barn/Ledger.md", 101, 101, "Entry 50: the miller delivered 50 sacks of barley.")
        async with garden.run_test(size=(80, 24)) as pilot:
            await open_place(garden, pilot, settle, place)
            assert marked(screen_text(garden)) == ["101 ▌Entry 50: the miller delivered 50 sacks of barley."]
            await pilot.press("home")
            await pilot.wait_for_scheduled_animations()
            assert marked(screen_text(garden)) == []
            await pilot.press("c")
            await pilot.pause()
            assert len(marked(screen_text(garden))) == 1

    async def test_lines_stay_in_view_when_the_window_changes(
        self, garden: QuireApp, settle: Settle, screen_text: Read
    ) -> None:
        async with garden.run_test(size=(120, 40)) as pilot:
            await open_place(garden, pilot, settle, Place("Barn/Ledger.md", 61, 61))
            await pilot.resize_terminal(30, 24)
            await settle(pilot)
            assert marked(screen_text(garden))[0].startswith("61 ▌Entry 30")

    async def test_moved_quote_is_found_where_it_is_now(
        self, on_vault: Callable[..., QuireApp], tmp_path: Path, ask: Ask, settle: Settle, screen_text: Read
    ) -> None:
        app = on_vault(("Plums.md", "Plums ripen in August.\n"))
        async with app.run_test() as pilot:
            await ask(pilot, "When do plums ripen?")
            (tmp_path / "vault/Plums.md").write_text("# New\n\nMore.\n\nPlums ripen in August.\n")
            await pilot.press("1", "enter")
            await settle(pilot)
            assert marked(screen_text(app)) == ["5 ▌Plums ripen in August."]

    async def test_changed_passage_is_owned_up_to(
        self, on_vault: Callable[..., QuireApp], tmp_path: Path, ask: Ask, settle: Settle, screen_text: Read
    ) -> None:
        app = on_vault(("Plums.md", "Plums ripen in August.\n"))
        async with app.run_test() as pilot:
            await ask(pilot, "When do plums ripen?")
            (tmp_path / "vault/Plums.md").write_text("Plums ripen in July.\n")
            await pilot.press("1", "enter")
            await settle(pilot)
            shown = screen_text(app)
            assert "no longer in this note" in shown
            assert "Plums ripen in July." in shown
            assert marked(shown) == []

    async def test_missing_note_is_a_line_not_a_crash(
        self, garden: QuireApp, settle: Settle, screen_text: Read
    ) -> None:
        async with garden.run_test() as pilot:
            await open_place(garden, pilot, settle, Place("Gone.md", 1, 1))
            assert "Gone.md" in str(garden.screen.query_one("#notice", Static).content)
            await pilot.press("escape")
            assert isinstance(garden.screen, AskScreen)


class TestLinks:
    async def test_link_leads_to_its_heading(
        self, garden: QuireApp, settle: Settle, screen_text: Read
    ) -> None:
        async with garden.run_test(size=(100, 30)) as pilot:
            await open_place(garden, pilot, settle, Place("Orchard.md"))
            shown = screen_text(garden)
            assert "Tools#Saw" in shown
            assert "no such note" in shown
            await pilot.press("l")
            assert garden.focused is garden.screen.query_one(LinkList)
            await pilot.press("enter")
            await settle(pilot)
            shown = screen_text(garden)
            assert shown.splitlines()[0].strip() == "Tools.md:7-9"
            assert marked(shown)[0] == "7 ▌## Saw"
            assert len(marked(shown)) == 3
            assert "← Orchard.md" in shown
            await pilot.press("escape")
            assert "Orchard.md" in screen_text(garden).splitlines()[0]


class TestEditing:
    async def test_edit_is_offered_only_with_an_editor(
        self, garden: QuireApp, settle: Settle, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with garden.run_test() as pilot:
            await open_place(garden, pilot, settle, Place("Orchard.md"))
            assert garden.screen.check_action("edit", ()) is False
            monkeypatch.setenv("EDITOR", "vi")
            assert garden.screen.check_action("edit", ()) is True

    async def test_terminal_that_cannot_be_lent_is_reported(
        self, garden: QuireApp, settle: Settle, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("EDITOR", "vi")
        async with garden.run_test() as pilot:
            await open_place(garden, pilot, settle, Place("Orchard.md", 5, 5))
            await pilot.press("e")
            notice = str(garden.screen.query_one("#notice", Static).content)
            assert notice == "an editor cannot be opened from this terminal"


class TestQuotes:
    async def test_only_the_quoted_words_are_strong(self, garden: QuireApp, settle: Settle) -> None:
        quote = "Quinces need almost no pruning."
        async with garden.run_test(size=(100, 30)) as pilot:
            await open_place(garden, pilot, settle, Place("Orchard.md", 12, 12, quote))
            text = garden.screen.query_one(NoteText)
            assert isinstance(text.passage, Passage)
            row = 11 - text.scroll_offset.y
            strip = text.render_line(row)
            strong = "".join(s.text for s in strip if s.style is not None and s.style.bold)
            assert strong == "▌" + quote
