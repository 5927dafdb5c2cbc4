"""Emptying an index, also one that is damaged; embeddings are kept as far as they can be read."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import apsw
import numpy as np

from quire_engine.errors import DamagedIndexError
from quire_engine.index.database import FILE_NAME, connect, translated
from quire_engine.index.store import clear

_SCRATCH = "salvage"
_SLICE = 1024
"""Rows that are read at a time."""
_MOST_FAILURES = 50_000
"""Reads that may fail before the rest is given up."""
_LEAST_ROW = 128
"""Bytes: no row of a vector is smaller."""


def discard(folder: Path) -> None:
    """Empty the index in ``folder``, whose write lock is held; embeddings that can be read are kept.

    Safe to be killed in: the next call goes on. Raises `StoreError` when the folder cannot be written, and
    `IndexTooNewError`.
    """
    for keywords in folder.glob("keywords-*"):
        shutil.rmtree(keywords, ignore_errors=True)
    if not (folder / FILE_NAME).exists():
        return
    try:
        connection = connect(folder, writable=True)
        try:
            with translated("checking the index"):
                sound = connection.execute("PRAGMA integrity_check(1)").get == "ok"
            if sound:
                clear(connection)
        finally:
            connection.close()
    except DamagedIndexError:
        sound = False
    if not sound:
        aside = replace_damaged(folder)
        for name in (aside.name, f"{aside.name}-wal", f"{aside.name}-shm"):
            _remove(folder / name)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def replace_damaged(folder: Path) -> Path:
    """Put a new database in the place of a damaged one, with the embeddings that it still gives.

    The write lock of ``folder`` is held. Returns where the damaged one is now: nobody but a person throws it
    away. Safe to be killed in. Raises `StoreError` when the folder cannot be written.
    """
    path, scratch = folder / FILE_NAME, folder / _SCRATCH
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(mode=0o700)
    fresh = connect(scratch, writable=True)
    try:
        with translated("saving embeddings"), fresh:
            fresh.executemany(
                "INSERT OR IGNORE INTO embeddings (hash, fingerprint, vector, released_at) "
                "VALUES (?, ?, ?, ?)",
                ((*row, time.time()) for row in _embeddings(path) if _is_sound(row)),
            )
    finally:
        fresh.close()
    aside = _put_aside(path)
    (scratch / FILE_NAME).replace(path)
    shutil.rmtree(scratch, ignore_errors=True)
    return aside


def _put_aside(path: Path) -> Path:
    """Give the database at ``path`` another name, and its log, which would be taken for the next one's."""
    aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
    try:
        aside.hardlink_to(path)  # until another takes its place, there is one
    except OSError:  # no links on this file system, or it is a folder
        path.replace(aside)
    for suffix in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).replace(f"{aside}{suffix}")
    return aside


def _embeddings(path: Path) -> Iterator[tuple[Any, ...]]:
    """(hash, fingerprint, vector) of every row that can be read, going around the damage."""
    with suppress(apsw.Error):
        damaged = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            # Else SQLite refuses a file that is shorter than its header says.
            damaged.execute("PRAGMA writable_schema = ON")
            yield from _readable(damaged, path.stat().st_size // _LEAST_ROW)
        finally:
            damaged.close()


def _readable(damaged: apsw.Connection, most: int) -> Iterator[tuple[Any, ...]]:
    sql = "SELECT hash, fingerprint, vector FROM embeddings WHERE id >= ? AND id < ?"
    damaged.execute(sql, (0, 0)).fetchall()  # fails at once when there is no such table
    try:
        last = int(damaged.execute("SELECT max(id) FROM embeddings").get or 0)
    except apsw.Error:
        last = most
    failures = 0
    ranges = [(start, min(start + _SLICE, last + 1)) for start in range(1, last + 1, _SLICE)][::-1]
    while ranges and failures < _MOST_FAILURES:
        start, end = ranges.pop()
        try:
            rows = damaged.execute(sql, (start, end)).fetchall()
        except apsw.Error:
            failures += 1
            middle = (start + end) // 2
            if start < middle:
                ranges += [(middle, end), (start, middle)]
            continue
        yield from rows


def _is_sound(row: tuple[Any, ...]) -> bool:
    """Whether a row is what was written, as far as it shows: embeddings are unit vectors."""
    digest, fingerprint, vector = row
    if not (isinstance(digest, bytes) and isinstance(fingerprint, str) and isinstance(vector, bytes)):
        return False
    if not vector or len(vector) % 2:
        return False
    length = float(np.linalg.norm(np.frombuffer(vector, np.float16).astype(np.float32)))
    return abs(length - 1.0) < 0.01
