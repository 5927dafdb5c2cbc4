"""The vault: whether it can be read, and whether the index says what its notes say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from quire_engine.doctor.findings import Finding, ProgressReport, Remedy
from quire_engine.errors import VaultError, vault_gone
from quire_engine.settings import Settings

if TYPE_CHECKING:
    import apsw

_EVERY = 500
"""Notes between two reports of progress."""


@dataclass(frozen=True, slots=True)
class NotesCompared:
    """How the notes in the vault differ from those in the index, by what they hold."""

    notes: int
    """Notes in the vault that can be read."""
    indexed: int
    changed: int
    """New ones, and those that were saved since they were read."""
    gone: int
    """Those that a sync takes out of the index."""
    unreadable: int
    hidden: tuple[str, ...]
    """Paths of notes that hold something else than was indexed, by whose size and time that does not show."""


def examine_vault(vault: Path) -> Finding:
    """Whether the folder is there and can be listed."""
    if not vault.is_dir():
        problem = "is not a folder" if vault.exists() else "does not exist"
        return Finding("vault", False, f"{vault} {problem}", "check --vault, QUIRE_VAULT and the settings")
    try:
        entries = sum(1 for _ in vault.iterdir())
    except OSError as error:
        return Finding("vault", False, f"{vault}: {error.strerror}", "check the folder's permissions")
    return Finding("vault", True, f"{vault}, {entries:,} files and folders at its top")


def examine_notes(vault: Path, db: apsw.Connection, settings: Settings, report: ProgressReport) -> Finding:
    """Compare the notes with the index, and say so.

    Notes that were saved since the last sync are no fault; one whose file looks untouched and yet holds
    something else would never be read again.
    """
    found = compare(vault, db, settings, report)
    if found.hidden:
        more = f" and {len(found.hidden) - 1:,} more" if len(found.hidden) > 1 else ""
        detail = f"{found.hidden[0]}{more} changed, though size and time of the file did not"
        return Finding("notes", False, detail, "", Remedy.NOTES)
    if found.gone and found.gone == found.indexed and not found.notes:
        return Finding("notes", False, str(vault_gone(vault)))
    detail = f"{found.notes:,} in the vault, {found.indexed:,} in the index"
    advice = []
    if found.changed or found.gone:
        detail += f"; {found.changed:,} new or changed, {found.gone:,} gone"
        advice.append("the next search takes that in, or 'quire index' now")
    if found.unreadable:
        detail += f"; {found.unreadable:,} cannot be indexed"
        advice.append("'quire status' lists what cannot be indexed")
    return Finding("notes", True, detail, "; ".join(advice))


def compare(vault: Path, db: apsw.Connection, settings: Settings, report: ProgressReport) -> NotesCompared:
    """Read every note of ``vault``, and compare what it holds with what was indexed."""
    from quire_engine.index.database import translated
    from quire_engine.index.store import known_files
    from quire_engine.indexing.comparing import differing
    from quire_engine.vault.decoding import content_hash
    from quire_engine.vault.scanner import read_file, scan

    found = scan(vault, settings.scan.ignore, settings.scan.max_note_bytes)
    with translated("reading the index"):
        known = known_files(db)
    suspects, gone = differing(known, found)
    suspected = {file.path for file in suspects}
    changed, unreadable, hidden = 0, len(found.skipped), []
    for number, file in enumerate(found.files):
        if number % _EVERY == 0:
            report("comparing notes", number, len(found.files))
        before = known.get(file.path)
        if before is None:
            changed += 1
            continue
        try:
            data, stat = read_file(vault, file.path, settings.scan.max_note_bytes)
        except VaultError:
            unreadable += 1
            continue
        if content_hash(data) != before.content_hash:
            if file.path in suspected or before.may_differ(stat):
                changed += 1
            else:
                hidden.append(file.path)
    return NotesCompared(len(found.files), len(known), changed, len(gone), unreadable, tuple(hidden))
