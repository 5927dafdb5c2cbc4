"""The help: every action with its keys."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from quire.tui import actions


class HelpModal(ModalScreen[None]):
    """Lists what `quire.tui.actions` lists, grouped by where it works."""

    BINDINGS = actions.bindings(actions.Owner.HELP)
    CSS_PATH = "help.tcss"

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help") as panel:
            panel.border_title = "Help"
            panel.border_subtitle = "Esc closes"
            for owner in actions.Owner:
                yield Static(owner.value, classes="group", markup=False)
                for action in actions.of(owner):
                    with Horizontal(classes="action"):
                        yield Static(action.shown or "–", classes="keys", markup=False)
                        yield Static(action.title, classes="title", markup=False)
                        yield Static(action.help, classes="words", markup=False)

    def action_close(self) -> None:
        """Close the help."""
        self.dismiss()
