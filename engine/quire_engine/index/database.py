"""Opening the index's SQLite file through APSW, and its numbered migrations."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import apsw
import sqlite_vec

from quire_engine.errors import DamagedIndexError, IndexReadOnlyError, IndexTooNewError, StoreError
from quire_engine.index.migrations import MIGRATIONS

FILE_NAME = "index.sqlite3"
_BUSY_MILLISECONDS = 10_000


class FrozenConnection(apsw.Connection):
    """A connection to a database in a folder that cannot be written, on the word that nobody writes it."""

    stamp: tuple[int, int, int] | None = None
    """The state of the file when it was opened."""


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn APSW's errors into `StoreError`: one line that says ``what`` failed and what to do."""
    try:
        yield
    except apsw.Error as error:
        cause: apsw.Error = error
        # A full disk makes SQLite undo the transaction itself; that undoing it again fails says nothing.
        while isinstance(cause.__context__, apsw.Error):
            cause = cause.__context__
        kind, words = _explained(cause)
        raise kind(f"{what}: {words}") from cause


def _explained(error: apsw.Error) -> tuple[type[StoreError], str]:
    match error:
        case apsw.FullError():
            return StoreError, "the disk is full; free some space and run the command again"
        case apsw.ReadOnlyError():
            return IndexReadOnlyError, "the index is read-only; check the folder's permissions"
        case apsw.CorruptError() | apsw.NotADBError():
            return DamagedIndexError, "the index is damaged; run `quire doctor --fix`"
        case apsw.CantOpenError():
            return StoreError, "the index cannot be opened; check the folder's permissions"
        case apsw.IOError():
            remedy = "check the disk, its quota and its free space"
            return StoreError, f"reading or writing the disk failed ({error}); {remedy}"
        case apsw.BusyError() | apsw.LockedError():
            return StoreError, "another process keeps the index locked"
        case _:
            return StoreError, str(error)


def connect(folder: Path, *, writable: bool) -> apsw.Connection:
    """Open the database in ``folder``; only a writer creates it or changes its schema.

    A reader performs no DDL and never waits for the writer (WAL). Raises `StoreError`, and
    `IndexTooNewError` when a newer Quire wrote the index.
    """
    path = folder / FILE_NAME
    if path.is_dir():
        raise StoreError(f"{path} is a folder, where the index's database belongs; remove it")
    with translated(f"opening {path}"):
        connection = _connected_for_writing(path) if writable else _connected_for_reading(path)
        connection.enable_load_extension(True)
        connection.load_extension(sqlite_vec.loadable_path())
        connection.enable_load_extension(False)
        if writable:
            if not has_schema(connection):
                connection.execute("PRAGMA page_size = 16384")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            # Journals of savepoints and statements would otherwise go through files.
            connection.execute("PRAGMA temp_store = MEMORY")
            # A page that many notes touch is then copied into the database once in 64 MB, not in 16.
            connection.execute("PRAGMA wal_autocheckpoint = 4096")
            connection.execute("PRAGMA journal_size_limit = 67108864")
        connection.execute("PRAGMA cache_size = -65536")
        _check_version(connection, path)
        if writable:
            _migrate(connection)  # before references are enforced: a table that is replaced has children
        connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _connected(path: Path, flags: int = 0) -> apsw.Connection:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE | flags)
    connection.set_busy_timeout(_BUSY_MILLISECONDS)
    return connection


def _connected_for_writing(path: Path) -> apsw.Connection:
    with suppress(OSError):  # a disk that cannot be written: SQLite will say so
        path.touch(0o600)
    for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        with suppress(OSError):  # another's, or not there
            file.chmod(0o600)
    return _connected(path, apsw.SQLITE_OPEN_CREATE)


def _connected_for_reading(path: Path) -> apsw.Connection:
    """Readers of a WAL database share a file beside it; where none can be made, nobody can write either."""
    connection = None
    try:
        connection = _connected(path)
        has_schema(connection)  # SQLite opens files when they are needed
        return connection
    except (apsw.CantOpenError, apsw.ReadOnlyError):
        if connection is not None:
            connection.close()
        stamp = _stamp(path)
        if stamp is None or os.access(path.parent, os.W_OK):
            raise
    if _size(path.with_name(f"{FILE_NAME}-wal")):
        raise IndexReadOnlyError(
            f"{path.parent} cannot be written, and the index in it was left in the middle of its work; make "
            "the folder writable and run `quire index`"
        )
    uri = f"file:{quote(os.fsencode(path))}?immutable=1"
    frozen = FrozenConnection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    frozen.stamp = stamp
    return frozen


def is_outdated(connection: apsw.Connection, folder: Path) -> bool:
    """Whether a database was written, though it was opened as one that nobody writes."""
    return isinstance(connection, FrozenConnection) and connection.stamp != _stamp(folder / FILE_NAME)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """What changes when a database, or its write-ahead log, is written."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, _size(path.with_name(f"{path.name}-wal"))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def is_made(folder: Path) -> bool:
    """Whether ``folder`` holds a database with all of the schema; one that is being made has not yet."""
    if not (folder / FILE_NAME).exists():
        return False
    connection = connect(folder, writable=False)
    try:
        with translated("reading the index"):
            return newest_migration(connection) == len(MIGRATIONS)
    finally:
        connection.close()


def has_schema(connection: apsw.Connection) -> bool:
    """Whether the database holds any table yet."""
    return bool(connection.execute("SELECT count(*) FROM sqlite_schema").get)


def newest_migration(connection: apsw.Connection) -> int:
    """The number of the last migration that was applied; 0 before the first."""
    if not connection.table_exists("main", "migrations"):
        return 0
    return int(connection.execute("SELECT max(number) FROM migrations").get or 0)


def _check_version(connection: apsw.Connection, path: Path) -> None:
    if not connection.table_exists("main", "migrations"):
        if has_schema(connection):
            raise DamagedIndexError(f"{path} is not an index of Quire; run `quire doctor --fix`")
        return
    newest = newest_migration(connection)
    if newest > len(MIGRATIONS):
        raise IndexTooNewError(
            f"the index {path.parent} was written by a newer Quire (schema {newest}, this one knows "
            f"{len(MIGRATIONS)}); upgrade Quire, or remove that folder to index again"
        )


def _migrate(connection: apsw.Connection) -> None:
    """Apply what is missing, each migration in a transaction of its own."""
    with connection:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, "
            "applied_at REAL NOT NULL)"
        )
    done = {row[0] for row in connection.execute("SELECT number FROM migrations")}
    for number, (name, sql) in enumerate(MIGRATIONS, start=1):
        if number not in done:
            with connection:
                connection.execute(sql)
                connection.execute("INSERT INTO migrations VALUES (?, ?, ?)", (number, name, time.time()))
