"""Opening the index's SQLite file through APSW, and its numbered migrations."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import apsw
import sqlite_vec

from quire_engine.errors import DamagedIndexError, IndexTooNewError, StoreError
from quire_engine.index.migrations import MIGRATIONS

FILE_NAME = "index.sqlite3"
_BUSY_MILLISECONDS = 10_000


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
        damaged = isinstance(cause, apsw.CorruptError | apsw.NotADBError)
        kind = DamagedIndexError if damaged else StoreError
        raise kind(f"{what}: {_explained(cause)}") from cause


def _explained(error: apsw.Error) -> str:
    match error:
        case apsw.FullError():
            return "the disk is full; free some space and run the command again"
        case apsw.ReadOnlyError():
            return "the index is read-only; check the folder's permissions"
        case apsw.CorruptError() | apsw.NotADBError():
            return "the index is damaged; run `quire index --rebuild`"
        case apsw.CantOpenError():
            return "the index cannot be opened; check the folder's permissions"
        case apsw.IOError():
            return f"reading or writing the disk failed ({error})"
        case apsw.BusyError() | apsw.LockedError():
            return "another process keeps the index locked"
        case _:
            return str(error)


def connect(folder: Path, *, writable: bool) -> apsw.Connection:
    """Open the database in ``folder``; only a writer creates it or changes its schema.

    A reader performs no DDL and never waits for the writer (WAL). Raises `StoreError`, and
    `IndexTooNewError` when a newer Quire wrote the index.
    """
    path = folder / FILE_NAME
    with translated(f"opening {path}"):
        flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if writable else 0)
        try:
            connection = apsw.Connection(str(path), flags=flags)
        except apsw.CantOpenError:
            if writable:
                raise
            connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        connection.set_busy_timeout(_BUSY_MILLISECONDS)
        connection.enable_load_extension(True)
        connection.load_extension(sqlite_vec.loadable_path())
        connection.enable_load_extension(False)
        if writable:
            with suppress(OSError):  # another's file, or a disk that cannot be written: SQLite will say so
                path.chmod(0o600)
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


def is_made(folder: Path) -> bool:
    """Whether ``folder`` holds a database whose schema is there; one that was cut short has none."""
    if not (folder / FILE_NAME).exists():
        return False
    connection = connect(folder, writable=False)
    try:
        return connection.table_exists("main", "meta")
    finally:
        connection.close()


def has_schema(connection: apsw.Connection) -> bool:
    """Whether the database holds any table yet."""
    return bool(connection.execute("SELECT count(*) FROM sqlite_schema").get)


def _check_version(connection: apsw.Connection, path: Path) -> None:
    if not connection.table_exists("main", "migrations"):
        return
    newest = connection.execute("SELECT max(number) FROM migrations").get or 0
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
