"""What a command works with: the chosen vault, the settings, an open engine, and where to write."""

from __future__ import annotations

import math
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from quire.choice import Choice
from quire.cli.diagnostics import Diagnostics
from quire.cli.options import is_offline
from quire.cli.output import Output
from quire.cli.progress import Progress
from quire.contract import Json
from quire_engine.errors import IndexLockedError, IndexReadOnlyError

if TYPE_CHECKING:
    from quire_engine import Engine, Settings

QUIET_SECONDS = 0.5
"""Looking for changes is not worth a word when it takes less."""
_FEW = 256
"""Passages whose vectors are worth waiting for before a question: some seconds."""
_SYNC_WAIT = 0.5
"""Seconds for another process to finish a sync that finds nothing, as searches side by side do."""


class Session:
    """One run of a command. Settings and vault are looked up when they are first needed."""

    def __init__(self, vault: Path | None = None, colour: bool | None = None) -> None:
        """Flags given before the command's name count when the command has none of its own."""
        context = click.get_current_context()
        group = context.find_root().params
        self._flag = vault if vault is not None else group.get("vault")
        colour = colour if colour is not None else group.get("colour")
        self._environment = {**os.environ, "QUIRE_OFFLINE": "1"} if is_offline(context) else os.environ
        self.output = Output(colour)
        self.diagnostics = Diagnostics(colour)

    @cached_property
    def choice(self) -> Choice:
        """Which vault and settings are meant. A folder that is gone is no place to look for a vault."""
        try:
            here = Path.cwd()
        except FileNotFoundError:
            here = Path("/")
        return Choice(self._flag, self._environment, here)

    @property
    def circumstances(self) -> Json:
        """What an inquiry says about this process: the vault's flag, the folder, and the environment."""
        return {
            "vault": None if self._flag is None else str(self._flag),
            "folder": str(self.choice.folder),
            "environment": {k: v for k, v in self._environment.items() if k.startswith("QUIRE_")},
        }

    @property
    def settings(self) -> Settings:
        """Raises `ConfigError`."""
        return self.choice.settings

    @cached_property
    def vault(self) -> Path:
        """The chosen vault, a folder that exists; `ConfigError` otherwise."""
        vault = self.choice.vault
        if self.choice.remark:
            self.diagnostics.note(self.choice.remark)
        return vault

    def open(self, vault: Path | None = None, *, discard: bool = False) -> Engine:
        """The engine of ``vault``, or of the chosen one; ``discard`` empties its index first.

        A context manager.
        """
        chosen = vault or self.vault
        from quire_engine import Engine

        return Engine.open(chosen, self.settings, discard=discard)

    def freshen(self, engine: Engine, *, follow: bool = False) -> bool:
        """Bring the index up to date before a question; False when another process writes it, or nobody can.

        With ``follow`` that process is waited for, and so are many vectors that are missing.
        """
        try:
            with Progress(self.diagnostics, delay=QUIET_SECONDS) as progress:
                engine.sync(progress.sync, wait=_SYNC_WAIT, few=None if follow else _FEW)
        except (IndexLockedError, IndexReadOnlyError) as error:
            if not follow or isinstance(error, IndexReadOnlyError):
                self.diagnostics.note(f"going on with the index as it is: {error}")
                return False
            self.diagnostics.note(f"waiting: {error}")
            with Progress(self.diagnostics, delay=QUIET_SECONDS) as progress:
                engine.sync(progress.sync, wait=math.inf)
        return True
