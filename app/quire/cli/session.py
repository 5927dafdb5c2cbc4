"""What a command works with: the chosen vault, the settings, an open engine, and where to write."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from quire.cli.diagnostics import Diagnostics
from quire.cli.options import wrong_usage
from quire.cli.output import Output
from quire.cli.progress import Progress
from quire_engine.errors import IndexLockedError

if TYPE_CHECKING:
    from quire_engine import Engine, Settings

_QUIET_SECONDS = 0.5
"""Looking for changes is not worth a word when it takes less."""
_SYNC_WAIT = 0.5
"""Seconds for another process to finish a sync that finds nothing, as searches side by side do."""


class Session:
    """One run of a command. Settings and vault are looked up when they are first needed."""

    def __init__(self, vault: Path | None = None, colour: bool | None = None) -> None:
        """Flags given before the command's name count when the command has none of its own."""
        group = click.get_current_context().find_root().params
        self._flag = vault if vault is not None else group.get("vault")
        colour = colour if colour is not None else group.get("colour")
        self.output = Output(colour)
        self.diagnostics = Diagnostics(colour)

    @cached_property
    def settings(self) -> Settings:
        """Raises `ConfigError`."""
        from quire_engine.settings import load

        return load(vault=self._flag) if self._flag is not None else load()

    @cached_property
    def vault(self) -> Path:
        """The chosen vault, a folder that exists; a usage error otherwise."""
        chosen = self.vault_if_any
        if chosen is None:
            raise wrong_usage(
                "no vault: give --vault FOLDER, set QUIRE_VAULT, or run this inside an Obsidian vault"
            )
        if not chosen.is_dir():
            problem = "is not a folder" if chosen.exists() else "does not exist"
            raise wrong_usage(f"the vault {chosen} {problem}; check --vault, QUIRE_VAULT and the settings")
        return chosen

    @cached_property
    def vault_if_any(self) -> Path | None:
        """Flag, then environment and settings, then the vault around this folder, then the fallback."""
        if self._flag is None and os.environ.get("QUIRE_VAULT") == "":
            raise wrong_usage("QUIRE_VAULT is empty; set it to the folder of your notes, or unset it")
        if self.settings.vault is not None:
            return self.settings.vault.expanduser()
        if enclosing := enclosing_vault(Path.cwd()):
            return enclosing
        if fallback := os.environ.get("QUIRE_FALLBACK_VAULT"):
            self.diagnostics.note(f"using the vault {fallback}; choose another with --vault or QUIRE_VAULT")
            return Path(fallback)
        return None

    def open(self, vault: Path | None = None, *, discard: bool = False) -> Engine:
        """The engine of ``vault``, or of the chosen one; ``discard`` empties its index first.

        A context manager.
        """
        chosen = vault or self.vault
        from quire_engine import Engine

        return Engine.open(chosen, self.settings, discard=discard)

    def freshen(self, engine: Engine) -> bool:
        """Bring the index up to date before a question; False when another process is at it."""
        try:
            with Progress(self.diagnostics, delay=_QUIET_SECONDS) as progress:
                engine.sync(progress.sync, wait=_SYNC_WAIT)
        except IndexLockedError:
            self.diagnostics.note("another process is updating the index; going on with what is there")
            return False
        return True


def enclosing_vault(folder: Path) -> Path | None:
    """The innermost Obsidian vault that ``folder`` lies in: a folder with ``.obsidian`` in it."""
    return next((place for place in _upwards(folder) if (place / ".obsidian").is_dir()), None)


def _upwards(folder: Path) -> Iterator[Path]:
    yield folder
    yield from folder.parents
