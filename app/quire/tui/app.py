"""The terminal interface."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import App
from textual.binding import Binding
from textual.command import CommandPalette
from textual.events import Event, Key
from textual.reactive import reactive

from quire.tui import actions, background, themes
from quire.tui.commands import ActionCommands, NoteCommands
from quire.tui.inert import inert
from quire.tui.messages import OpenPlace, StatusRead, SyncEnded, SyncProgressed
from quire.tui.modals.help import HelpModal
from quire.tui.screens.ask import AskScreen
from quire.tui.screens.note import NoteScreen
from quire.tui.widgets.status_bar import StatusBar
from quire_engine.errors import QuireError
from quire_engine.records import IndexStatus, SyncProgress
from quire_engine.settings import Settings

if TYPE_CHECKING:
    from quire_engine import Engine


_LOOK_SECONDS = 1.0
"""How often to look how far another process is with the index."""


class QuireApp(App[None], inherit_bindings=False):
    """Holds the screens, and keeps the index up to date in the background."""

    TITLE = "Quire"
    OWNER = actions.Owner.APP
    BINDINGS: ClassVar = [
        *actions.bindings(OWNER),
        Binding("ctrl+c", "help_quit", show=False, system=True),  # says which key quits
    ]
    COMMANDS: ClassVar = {NoteCommands, ActionCommands}

    status: reactive[IndexStatus | None] = reactive(None)
    """What the index holds; ``None`` until it was read."""
    progress: reactive[SyncProgress | None] = reactive(None)
    """How far the watch is with what it does; ``None`` while there is nothing to do."""
    problem: reactive[str] = reactive("")
    """Why the index could not be brought up to date; empty when it could."""

    def __init__(self, engine: Engine, vault: Path) -> None:
        """``engine`` stays open until the app has ended; it is the caller's to close."""
        super().__init__()
        self.register_theme(themes.DARK)
        self.register_theme(themes.LIGHT)
        self.theme = themes.DARK.name
        self.engine = engine
        self.vault = vault.resolve()

    def on_mount(self) -> None:
        self.push_screen(AskScreen(self.engine, self.vault.name, self._status_bar()))
        work = partial(background.watch, self.engine, self.vault, self.post_message)
        self.run_worker(work, thread=True, group="watch")
        self.set_interval(_LOOK_SECONDS, self._look_elsewhere)

    def _status_bar(self) -> StatusBar:
        return StatusBar(self.vault.name).data_bind(QuireApp.status, QuireApp.progress, QuireApp.problem)

    async def on_event(self, event: Event) -> None:
        if isinstance(event, Key) and not event.is_forwarded and isinstance(self.screen, AskScreen):
            self.screen.foresee(event)
        await super().on_event(event)

    # ------------------------------------------------------------------------------------- reports

    @on(SyncProgressed)
    def _sync_progressed(self, message: SyncProgressed) -> None:
        # The watch tells of a trouble once, and tries again; only work that gets done shows that it is over.
        if message.progress.done or not self.problem:
            self.problem = ""
            self.progress = message.progress

    @on(SyncEnded)
    def _sync_ended(self, message: SyncEnded) -> None:
        if message.problem not in ("", self.problem) and not message.locked:
            self.notify(inert(message.problem), title="Index", severity="error", markup=False)
        self.progress = None
        self.problem = message.problem
        self._read_status()

    def _look_elsewhere(self) -> None:
        """Another process's work shows in the status only."""
        if self.progress is None and self.status and (self.status.indexing or self.status.embedding):
            self._read_status()

    def _read_status(self) -> None:
        work = partial(background.read_status, self.engine, self.post_message)
        self.run_worker(work, thread=True, group="status")

    @on(StatusRead)
    def _status_read(self, message: StatusRead) -> None:
        self.status = message.status

    @on(OpenPlace)
    def _open_place(self, message: OpenPlace) -> None:
        self.push_screen(NoteScreen(self.engine, self.vault, message.place, self._status_bar()))

    # ------------------------------------------------------------------------------------- actions

    def action_command_palette(self) -> None:
        """Open the palette, unless it is open."""
        if not isinstance(self.screen, CommandPalette):
            self.push_screen(CommandPalette(placeholder="Open a note, or do something…"))

    def action_help(self) -> None:
        """Show every action with its keys."""
        self.push_screen(HelpModal())


def run(vault: Path, settings: Settings) -> None:
    """Open ``vault`` and run the interface until the user leaves.

    Raises `VaultError` or `StoreError` when the vault cannot be opened, and `QuireError` when there is no
    terminal to draw on, before the screen is taken over.
    """
    from quire_engine import Engine

    with Engine.open(vault, settings) as engine:
        if sys.__stderr__ is None or not sys.__stderr__.isatty():
            raise QuireError(
                "the terminal interface draws on stderr, which leads elsewhere; do not redirect it"
            )
        app = QuireApp(engine, vault)
        app.run()
    if app.return_code:
        raise QuireError("the terminal interface stopped because of the error above; please report it")
