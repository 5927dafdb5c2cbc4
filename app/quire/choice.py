"""Which vault and which settings a command means, wherever it is answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from quire_engine.errors import ConfigError, vault_gone

if TYPE_CHECKING:
    from quire_engine import Settings


@dataclass(frozen=True)
class Choice:
    """What a person's process says about the vault; everything is looked up when it is first needed."""

    flag: Path | None
    """``--vault``, as given."""
    environment: Mapping[str, str]
    folder: Path
    """Where the person stands; relative paths start there."""

    @cached_property
    def settings(self) -> Settings:
        """Raises `ConfigError`."""
        from quire_engine.settings import load

        flags = {} if self.flag is None else {"vault": self.flag}
        return load(self.environment, **flags)

    @cached_property
    def vault(self) -> Path:
        """The chosen vault, which is there; else `ConfigError`, or `VaultError` for one that was."""
        chosen = self.vault_if_any
        if chosen is None:
            raise ConfigError(
                "no vault: give --vault FOLDER, set QUIRE_VAULT, or run this inside an Obsidian vault"
            )
        if not chosen.is_dir():
            from quire_engine import locations

            if not chosen.exists() and locations.index_dir(chosen).is_dir():
                raise vault_gone(chosen)
            problem = "is not a folder" if chosen.exists() else "does not exist"
            raise ConfigError(f"the vault {chosen} {problem}; check --vault, QUIRE_VAULT and the settings")
        return chosen

    @property
    def vault_if_any(self) -> Path | None:
        """The chosen vault, whether it exists or not; ``None`` when nothing names one."""
        return self._chosen[0]

    @property
    def remark(self) -> str:
        """What to say about the choice; empty when it is what was asked for."""
        return self._chosen[1]

    @cached_property
    def _chosen(self) -> tuple[Path | None, str]:
        """Flag, then environment and settings, then the vault around the folder, then the fallback."""
        if self.flag is None and self.environment.get("QUIRE_VAULT") == "":
            raise ConfigError("QUIRE_VAULT is empty; set it to the folder of your notes, or unset it")
        if self.settings.vault is not None:
            return self.folder / self.settings.vault.expanduser(), ""
        if enclosing := enclosing_vault(self.folder):
            return enclosing, ""
        if fallback := self.environment.get("QUIRE_FALLBACK_VAULT"):
            remark = f"using the vault {fallback}; choose another with --vault or QUIRE_VAULT"
            return self.folder / fallback, remark
        return None, ""


def enclosing_vault(folder: Path) -> Path | None:
    """The innermost Obsidian vault that ``folder`` lies in: a folder with ``.obsidian`` in it."""
    return next((place for place in (folder, *folder.parents) if (place / ".obsidian").is_dir()), None)
