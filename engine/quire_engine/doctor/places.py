"""The files that Quire keeps: who may read them, and what nothing needs any more."""

from __future__ import annotations

import json
import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from quire_engine import locations
from quire_engine.doctor.findings import Finding, Remedy
from quire_engine.doctor.ownership import refused
from quire_engine.settings import Settings

_OTHERS = 0o077
_ABANDONED = 3600.0
"""Seconds after which a temporary file is nobody's any more."""


class _Kept(NamedTuple):
    """A file or folder that holds something of notes or questions."""

    path: Path
    status: os.stat_result
    reachable: bool
    """Whether others can get at it, if it is open to them: not through a folder that is closed."""

    @property
    def is_open(self) -> bool:
        mode = self.status.st_mode
        return bool(mode & _OTHERS) and not stat.S_ISLNK(mode)


def examine_permissions() -> Finding:
    """Whether indexes, conversations and logs are the user's own and closed to others."""
    loose = []
    for kept in _kept():
        if kept.status.st_uid != os.getuid():
            return Finding("permissions", False, *refused(kept.path))
        if kept.is_open:
            loose.append(kept)
    if reachable := [kept.path for kept in loose if kept.reachable]:
        detail = f"open to other users: {_named(reachable)}"
        return Finding("permissions", False, detail, "", Remedy.PERMISSIONS)
    if loose:
        detail = f"open to other users if their folder were: {_named([kept.path for kept in loose])}"
        return Finding("permissions", True, detail, "quire doctor --fix", Remedy.PERMISSIONS)
    return Finding("permissions", True, f"indexes and logs in {locations.data_dir()} are open to you alone")


def tighten() -> int:
    """Take from others what they may do with Quire's files; returns how many were open."""
    changed = 0
    for kept in list(_kept()):
        if kept.is_open:
            with suppress(FileNotFoundError):
                kept.path.chmod(stat.S_IMODE(kept.status.st_mode) & ~_OTHERS)
                changed += 1
    return changed


def _kept() -> Iterator[_Kept]:
    """Each folder before what is in it. Raises `PermissionError` for one that cannot be looked into."""
    data = locations.data_dir()
    for place in (data / "vaults", data / "conversations", data / "logs"):
        with suppress(FileNotFoundError):
            yield from _within(place, bool(data.stat().st_mode & _OTHERS))


def _within(path: Path, reachable: bool) -> Iterator[_Kept]:
    try:
        status = path.lstat()
        yield _Kept(path, status, reachable)
        if stat.S_ISDIR(status.st_mode):
            for inner in sorted(path.iterdir()):
                yield from _within(inner, reachable and bool(status.st_mode & _OTHERS))
    except (FileNotFoundError, NotADirectoryError):
        return  # it vanished meanwhile


def _named(paths: list[Path]) -> str:
    return f"{paths[0]}" + (f" and {len(paths) - 1:,} more" if len(paths) > 1 else "")


def examine_leftovers(index: Path, settings: Settings) -> Finding:
    """What crashes and earlier versions left behind. Harmless, but for the space it takes."""
    from quire_engine.index.database import FILE_NAME

    found = leftovers(index, settings)
    aside = sorted(index.glob(f"{FILE_NAME}.damaged-*"))
    if found:
        size = sum(map(locations.bytes_in, found))
        detail = f"{_named(found)}, {size / 1e6:,.1f} MB that nothing uses"
        return Finding("leftovers", True, detail, "quire doctor --fix", Remedy.LEFTOVERS)
    if aside:
        size = sum(map(locations.bytes_in, aside))
        detail = f"a damaged database was put aside: {aside[0].name}, {size / 1e6:,.1f} MB"
        return Finding("leftovers", True, detail, f"once you are sure not to need it: rm {aside[0]}*")
    return Finding("leftovers", True, "none")


def leftovers(index: Path, settings: Settings) -> list[Path]:
    """Files and folders in ``index`` and in the caches that nothing will use any more.

    Those are keyword indexes of an earlier version's format, and what processes that ended left half done.
    Another backend's keyword index stays: whoever has chosen that one may be using it.
    """
    from quire_engine.index.keywords import open_keywords

    backend, _, version = open_keywords(
        index, settings.retrieval.keywords, writable=False
    ).folder.name.rpartition("-")
    found = []
    for folder in index.glob(f"{backend}-*"):
        number = folder.name.rpartition("-")[2]
        if number.isdecimal() and int(number) < int(version):
            found.append(folder)
    scratch = [*index.glob(".progress.json-*"), *index.glob("progress.json")]
    found += [file for file in scratch if not _has_writer(file)]
    abandoned = [*locations.cache_dir().glob(".checksums-*"), *index.glob("salvage")]
    return sorted(found + [path for path in abandoned if _is_abandoned(path)])


def remove(paths: list[Path]) -> int:
    """Remove files and folders; returns how many bytes that frees. Raises `OSError` for what stays."""
    freed = 0
    for path in paths:
        size = locations.bytes_in(path)
        with suppress(FileNotFoundError):  # another was faster
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
            freed += size
    return freed


def _has_writer(file: Path) -> bool:
    """Whether the process that a file of progress names is alive; one that is just written names none."""
    try:
        named = file.name.rpartition("-")[2] if "-" in file.name else json.loads(file.read_text())["pid"]
        os.kill(int(named), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError, ValueError, KeyError, TypeError):
        return not _is_abandoned(file)
    return True


def _is_abandoned(path: Path) -> bool:
    """Whether it is there, and nobody has written it for long."""
    try:
        return time.time() - path.stat().st_mtime > _ABANDONED
    except FileNotFoundError:
        return False
