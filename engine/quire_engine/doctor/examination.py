"""Goes through everything, part after part."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from quire_engine import locations
from quire_engine.doctor.findings import Finding, ProgressReport, guarded
from quire_engine.doctor.index import examine_index, snapshot
from quire_engine.doctor.machine import examine_machine
from quire_engine.doctor.models import examine_models
from quire_engine.doctor.places import examine_leftovers, examine_permissions
from quire_engine.doctor.vault import examine_notes, examine_vault
from quire_engine.doctor.watching import LIMITS, examine_watching
from quire_engine.settings import Settings


def diagnose(
    vault: Path | None, settings: Settings, report: ProgressReport = lambda what, done, total: None
) -> Iterator[Finding]:
    """Examine part after part; nothing is raised and nothing is changed. Others may write meanwhile.

    ``vault`` is ``None`` when none is chosen: what belongs to a vault is left out then.
    """
    # First, because much of what follows fails in files of another user.
    yield guarded("permissions", examine_permissions)
    yield from examine_machine(settings, locations.index_dir(vault) if vault is not None else None)
    yield from examine_models(settings, report)
    if vault is None:
        yield Finding("vault", True, "none chosen", "give --vault FOLDER to have a vault examined too")
        return
    found = guarded("vault", lambda: examine_vault(vault))
    yield found
    if found.ok and LIMITS.exists():
        yield guarded("file watching", lambda: examine_watching(vault))
    yield from _diagnose_index(vault, settings, report)


def diagnose_index(
    vault: Path | None, settings: Settings, report: ProgressReport = lambda what, done, total: None
) -> Iterator[Finding]:
    """Examine what `repair` can mend: who may read Quire's files, and the index of ``vault``, if any."""
    yield guarded("permissions", examine_permissions)
    if vault is not None:
        yield from _diagnose_index(vault, settings, report)


def _diagnose_index(vault: Path, settings: Settings, report: ProgressReport) -> Iterator[Finding]:
    index = locations.index_dir(vault)
    sound = True
    for finding in examine_index(index, settings, report):
        yield finding
        sound = sound and (finding.name != "index" or (finding.ok and not finding.advice))
    if sound and guarded("vault", lambda: examine_vault(vault)).ok:
        yield guarded("notes", lambda: _notes(vault, index, settings, report))
    if os.access(index, os.R_OK | os.X_OK):
        yield guarded("leftovers", lambda: examine_leftovers(index, settings))


def _notes(vault: Path, index: Path, settings: Settings, report: ProgressReport) -> Finding:
    with snapshot(index) as db:
        return examine_notes(vault, db, settings, report)
