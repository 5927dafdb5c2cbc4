"""Emptying an index, also one that is damaged; embeddings are kept as far as they can be read."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import apsw
import numpy as np

from quire_engine.errors import DamagedIndexError, IndexTooNewError, StoreError
from quire_engine.index.database import FILE_NAME, connect, translated
from quire_engine.index.disk import explained
from quire_engine.index.store import clear
from quire_engine.index.vectors import are_units

_SCRATCH = "salvage"
_LAST_ROW = 2**63 - 1
_MOST_FAILURES = 50_000
"""Reads that may fail before the rest is given up."""
_PATIENCE = 10_000
"""Milliseconds to wait for readers."""


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
        _replace(folder, _saved(folder))


def replace_damaged(folder: Path) -> Path:
    """Put a new database in the place of a damaged one, with the embeddings that it still gives.

    The write lock of ``folder`` is held. Returns where the damaged one is now, its log beside it: nobody but
    a person throws it away. Safe to be killed in. Raises `StoreError` when the folder cannot be written.
    """
    fresh = _saved(folder)
    with _writing(folder):
        aside = _put_aside(folder / FILE_NAME)
    _replace(folder, fresh)
    return aside


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"cannot write to {folder}: {error.strerror}; {explained(error)}") from error


def _saved(folder: Path) -> Path:
    """A new database with the embeddings of the damaged one, and of a call that was killed before.

    When that was, the damaged one may have lost its log, which is why what was saved then is kept.
    """
    scratch = folder / _SCRATCH
    try:
        _save(folder / FILE_NAME, scratch)
    except (DamagedIndexError, IndexTooNewError):  # what was saved then
        with _writing(folder):
            shutil.rmtree(scratch)
        _save(folder / FILE_NAME, scratch)
    return scratch / FILE_NAME


def _save(damaged: Path, scratch: Path) -> None:
    with _writing(scratch.parent):
        scratch.mkdir(mode=0o700, exist_ok=True)
    fresh = connect(scratch, writable=True)
    try:
        with translated("saving embeddings"):
            with fresh:
                fresh.executemany(
                    "INSERT OR IGNORE INTO embeddings (hash, fingerprint, vector, released_at) "
                    "VALUES (?, ?, ?, ?)",
                    ((*row, time.time()) for row in _embeddings(damaged)),
                )
            fresh.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    finally:
        fresh.close()


def _replace(folder: Path, fresh: Path) -> None:
    """Have ``fresh`` take the place of the database, whose log would be taken for its own."""
    path = folder / FILE_NAME
    with _writing(folder):
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        fresh.replace(path)
    shutil.rmtree(fresh.parent, ignore_errors=True)


def _put_aside(path: Path) -> Path:
    """Give the database at ``path``, and its log, another name, too, until another takes its place."""
    named = (other for other in path.parent.glob(f"{path.name}.damaged-*") if other.samefile(path))
    aside = next(named, None)  # by a call that was killed
    if aside is None:
        moment = time.strftime("%Y%m%d-%H%M%S")
        aside = path.with_name(f"{path.name}.damaged-{moment}-{secrets.token_hex(2)}")
    log, log_aside = Path(f"{path}-wal"), Path(f"{aside}-wal")
    if log.exists():
        log_aside.unlink(missing_ok=True)
        _link(log, log_aside)
    if not aside.exists():
        _link(path, aside)
    return aside


def _link(path: Path, other: Path) -> None:
    try:
        other.hardlink_to(path)
    except OSError:  # there are none on this file system
        shutil.copy2(path, other)


def _embeddings(path: Path) -> Iterator[tuple[Any, ...]]:
    """(hash, fingerprint, vector) of every row that can be read, going around the damage."""
    with suppress(apsw.Error):
        damaged = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            damaged.set_busy_timeout(_PATIENCE)
            # Else SQLite refuses a file that is shorter than its header says.
            damaged.execute("PRAGMA writable_schema = ON")
            yield from _readable(damaged)
        finally:
            damaged.close()


def _readable(damaged: apsw.Connection) -> Iterator[tuple[Any, ...]]:
    """All rows in one go; where reading fails, the rest in halves, and so on.

    What the highest id is said to be does not matter: it may be the damage.
    """
    sql = "SELECT id, hash, fingerprint, vector FROM embeddings WHERE id >= ? AND id < ? ORDER BY id"
    damaged.execute(sql, (0, 0)).fetchall()  # fails at once when there is no such table
    ranges, failures = [(-_LAST_ROW, _LAST_ROW)], 0
    while ranges and failures < _MOST_FAILURES:
        start, end = ranges.pop()
        try:
            for number, *row in damaged.execute(sql, (start, end)):
                if _is_sound(*row):
                    start = number + 1
                    yield tuple(row)
        except (apsw.Error, ValueError):  # text that is none, for one
            failures += 1
            middle = (start + end) // 2
            if start < middle:
                ranges += [(middle, end), (start, middle)]


def _is_sound(digest: object, fingerprint: object, vector: object) -> bool:
    """Whether a row is what was written, as far as it shows: embeddings are unit vectors."""
    if not (isinstance(digest, bytes) and isinstance(fingerprint, str) and isinstance(vector, bytes)):
        return False
    return len(vector) % 2 == 0 and bool(are_units(np.frombuffer(vector, np.float16)[np.newaxis]).all())
