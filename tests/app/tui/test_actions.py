"""One list of actions: what it names exists, and footer, help and palette agree with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from textual.app import App
from textual.command import CommandPalette
from textual.dom import DOMNode
from textual.pilot import Pilot
from textual.widgets import Input, Static

from quire.tui import actions
from quire.tui.actions import ACTIONS, Owner
from quire.tui.app import QuireApp
from quire.tui.modals.explanation import ExplanationModal
from quire.tui.modals.help import HelpModal
from quire.tui.screens.ask import AskScreen
from quire.tui.screens.note import NoteScreen
from quire.tui.widgets.link_list import LinkList
from quire.tui.widgets.question import QuestionBox
from quire.tui.widgets.sources import SourceList

Ask = Callable[[Pilot[None], str], Awaitable[None]]
Settle = Callable[[Pilot[None]], Awaitable[None]]
Read = Callable[[App[None]], str]

OWNERS: dict[Owner, type[DOMNode]] = {
    Owner.APP: QuireApp,
    Owner.QUESTION: QuestionBox,
    Owner.ASK: AskScreen,
    Owner.SOURCES: SourceList,
    Owner.NOTE: NoteScreen,
    Owner.LINKS: LinkList,
    Owner.EXPLANATION: ExplanationModal,
    Owner.HELP: HelpModal,
}
PALETTE_OWNERS = {Owner.APP, Owner.ASK, Owner.NOTE}


class TestRegistry:
    @pytest.mark.parametrize("action", ACTIONS, ids=lambda action: f"{action.owner.name}.{action.name}")
    def test_action_exists_where_it_is_said_to(self, action: actions.Action) -> None:
        owner = OWNERS[action.owner]
        assert callable(getattr(owner, f"action_{action.name}", None))
        bound = {
            binding.key
            for binding in owner._merge_bindings().key_to_bindings.values()
            for binding in binding
            if binding.action.partition("(")[0] == action.name
        }
        assert set(action.keys) <= bound

    def test_keys_are_told_apart(self) -> None:
        used = Counter((action.owner, key) for action in ACTIONS for key in action.keys)
        assert [pair for pair, times in used.items() if times > 1] == [(Owner.ASK, "escape")]
        # Escape cancels while an answer is being made, and goes back to the question box otherwise.

    def test_every_action_can_be_reached(self) -> None:
        assert all(action.keys or action.palette for action in ACTIONS)

    def test_palette_offers_only_what_it_can_run(self) -> None:
        assert {action.owner for action in ACTIONS if action.palette} <= PALETTE_OWNERS


class TestHelp:
    @pytest.mark.parametrize("key", ["f1", "question_mark"])
    async def test_help_lists_every_action_and_closes(
        self, garden: QuireApp, settle: Settle, key: str
    ) -> None:
        async with garden.run_test() as pilot:
            await settle(pilot)
            garden.screen.set_focus(None)
            await pilot.press(key)
            await pilot.pause()
            assert isinstance(garden.screen, HelpModal)
            rows = [
                tuple(str(cell.content) for cell in row.query(Static))
                for row in garden.screen.query(".action")
            ]
            listed = [(a.shown or "–", a.title, a.help) for owner in Owner for a in actions.of(owner)]
            assert rows == listed
            assert len(rows) == len(ACTIONS)
            await pilot.press("escape")
            await pilot.pause()
            assert isinstance(garden.screen, AskScreen)

    async def test_question_mark_can_be_typed(self, garden: QuireApp, settle: Settle) -> None:
        async with garden.run_test() as pilot:
            await settle(pilot)
            await pilot.press("question_mark")
            assert garden.screen.query_one(QuestionBox).value == "?"


class TestPalette:
    async def palette(self, app: QuireApp, pilot: Pilot[None], settle: Settle, query: str) -> None:
        await settle(pilot)
        await pilot.press("ctrl+p")
        await settle(pilot)
        assert isinstance(app.screen, CommandPalette)
        app.screen.query_one(Input).value = query
        await settle(pilot)

    async def test_note_is_found_by_its_letters(
        self, garden: QuireApp, settle: Settle, screen_text: Read
    ) -> None:
        async with garden.run_test() as pilot:
            await self.palette(garden, pilot, settle, "brnldg")
            assert "Barn/Ledger" in screen_text(garden)
            await pilot.press("enter")
            await settle(pilot)
            assert isinstance(garden.screen, NoteScreen)
            assert screen_text(garden).splitlines()[0].strip() == "Barn/Ledger.md"

    async def test_note_is_found_by_its_alias(
        self, on_vault: Callable[..., QuireApp], settle: Settle, screen_text: Read
    ) -> None:
        app = on_vault(("Malus domestica.md", "---\naliases: [Apple]\n---\nA tree.\n"))
        async with app.run_test() as pilot:
            await self.palette(app, pilot, settle, "apple")
            assert "Apple  Malus domestica.md" in screen_text(app)

    async def test_action_runs(self, garden: QuireApp, settle: Settle) -> None:
        async with garden.run_test() as pilot:
            await self.palette(garden, pilot, settle, "help")
            await pilot.press("enter")
            await settle(pilot)
            assert isinstance(garden.screen, HelpModal)

    async def test_a_new_conversation_is_found_by_its_name(
        self, garden: QuireApp, ask: Ask, settle: Settle, screen_text: Read
    ) -> None:
        async with garden.run_test() as pilot:
            await self.palette(garden, pilot, settle, "conv")
            assert "Begin a new conversation" in screen_text(garden)
            await pilot.press("escape")
            await ask(pilot, "When are plum trees pruned?")
            assert "Ask a follow-up" in screen_text(garden)
            await self.palette(garden, pilot, settle, "conv")
            await pilot.press("enter")
            await settle(pilot)
            assert "Ask your notes" in screen_text(garden)

    async def test_only_what_works_here_is_offered(
        self, garden: QuireApp, settle: Settle, screen_text: Read
    ) -> None:
        async with garden.run_test() as pilot:
            await self.palette(garden, pilot, settle, "")
            shown = screen_text(garden)
            assert "Change the theme" in shown
            assert "Leave the note" not in shown

    async def test_leaving_works_from_the_palette(self, garden: QuireApp, settle: Settle) -> None:
        async with garden.run_test() as pilot:
            await self.palette(garden, pilot, settle, "")
            await pilot.press("ctrl+q")
        assert not garden.is_running
