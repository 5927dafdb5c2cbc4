"""How a vault differs from its index: which files to read again, and which notes are gone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from quire_engine.errors import vault_gone
from quire_engine.index.store import IndexWriter, KnownNote
from quire_engine.records import FoundFile, SkippedNote
from quire_engine.settings import ScanSettings
from quire_engine.vault.scanner import ScanResult, look, scan


@dataclass(frozen=True, slots=True)
class Plan:
    """How the vault differs from the index."""

    known: Mapping[str, KnownNote]
    """What is indexed, by path; for a look at some files only, of those."""
    changed: tuple[FoundFile, ...]
    """Files to read, newest first."""
    removed: tuple[str, ...]
    skipped: tuple[SkippedNote, ...]
    anew: bool
    """Whether every note must be cut anew, changed or not."""
    unchanged: int
    looked_at: tuple[str, ...] | None
    """The files that were looked at; ``None`` for the whole vault."""

    @property
    def renames(self) -> bool:
        """Whether paths come or go, on which topics depend."""
        return bool(self.removed) or any(file.path not in self.known for file in self.changed)


class Comparison:
    """Looks at one vault, and takes care that it is the vault that is looked at."""

    def __init__(self, vault: Path, settings: ScanSettings) -> None:
        self._vault = vault
        self._settings = settings
        self._links: frozenset[str] | None = None
        """Paths of the symbolic links in the vault; ``None`` before it was looked at."""
        self._place: tuple[int, int] | None = None
        """Device and inode of the vault's folder when all of it was looked at last."""

    @property
    def linked(self) -> frozenset[str]:
        """Paths of the symbolic links that stood in the vault when all of it was looked at."""
        return self._links or frozenset()

    def look_around(self) -> ScanResult:
        """What the vault holds now. Raises as `scan` does."""
        return scan(self._vault, self._settings.ignore, self._settings.max_note_bytes)

    def plan(self, store: IndexWriter, paths: Sequence[str] | None, *, anew: bool) -> Plan:
        """What is to be done about the whole vault, or the files at ``paths``; ``anew``: about every note.

        Raises `VaultError` when the vault is gone, or replaced meanwhile, or empty while its index is not.
        """
        place = self.require_vault()
        found: ScanResult | None = None
        if paths is not None and not anew and self._links == frozenset() and place == self._place:
            found = look(self._vault, paths, self._settings.ignore, self._settings.max_note_bytes)
        if found is None:
            paths = None
            found = self.look_around()
            self._links = frozenset(found.linked)
        self._require_place(place)  # or it went while it was looked at
        known = store.known_files(paths)
        if paths is None:
            self._place = place
            if known and not found.files and known.keys().isdisjoint(note.path for note in found.skipped):
                raise vault_gone(self._vault)
        changed, removed = differing(known, found)
        if anew:
            changed = list(found.files)
        if paths is not None and removed and len(removed) == store.count_notes():
            return self.plan(store, None, anew=anew)  # is it the vault itself that went?
        changed.sort(key=lambda file: file.stat.mtime_ns, reverse=True)
        return Plan(
            known,
            tuple(changed),
            tuple(removed),
            tuple(found.skipped),
            anew,
            len(found.files) - len(changed),
            None if paths is None else tuple(paths),
        )

    def require_vault(self) -> tuple[int, int]:
        """Device and inode of the vault's folder; raises `VaultError` when it is not there."""
        try:
            status = self._vault.stat()
        except OSError as error:
            raise vault_gone(self._vault) from error
        return status.st_dev, status.st_ino

    def require_same_vault(self) -> None:
        """Raise `VaultError` unless the vault's folder is the one that was looked at last."""
        if self._place is not None:
            self._require_place(self._place)

    def _require_place(self, place: tuple[int, int]) -> None:
        if self.require_vault() != place:
            raise vault_gone(self._vault)


def differing(known: Mapping[str, KnownNote], found: ScanResult) -> tuple[list[FoundFile], list[str]]:
    """The files that may hold something else than is indexed, and the paths of the notes that are gone."""
    changed = [file for file in found.files if _may_differ(file, known.get(file.path))]
    present = {file.path for file in found.files} | found.unknown
    # What lies in a folder that cannot be read now is not gone; a file that cannot be read is of no use.
    unreadable = {note.path for note in found.skipped}
    removed = sorted(
        path for path in known if path not in present and unreadable.isdisjoint(_folders_above(path))
    )
    return changed, removed


def _may_differ(file: FoundFile, known: KnownNote | None) -> bool:
    return known is None or known.may_differ(file.stat)


def _folders_above(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
