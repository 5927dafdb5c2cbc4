"""The log is emptied between transactions, and a reader that stays in its moment is not waited for long."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from quire_engine.index import write_ahead_log
from quire_engine.index.database import connect
from quire_engine.index.reader import IndexReader
from quire_engine.index.store import IndexWriter


@pytest.fixture
def db(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[apsw.Connection]:
    monkeypatch.setattr(write_ahead_log, "LONG", 1 << 20)
    monkeypatch.setattr(write_ahead_log, "_PATIENCE", 50)
    connection = connect(tmp_path, writable=True)
    yield connection
    connection.close()


class FullDisk:
    """A connection that finds no room for what the log holds."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db

    def __getattr__(self, name: str) -> object:
        return getattr(self._db, name)

    def wal_checkpoint(self, **_: object) -> None:
        raise apsw.FullError("database or disk is full")


def write(writer: IndexWriter, megabytes: int) -> None:
    for _ in range(megabytes):
        with writer.transaction():
            writer.set_meta("much", bytes(1 << 20))


def length(db: apsw.Connection) -> int:
    return Path(db.filename_wal).stat().st_size


def test_a_long_log_is_emptied(db: apsw.Connection) -> None:
    writer = IndexWriter(db, "model", 4)
    write(writer, 5)
    assert length(db) < 2 << 20


def test_a_reader_that_stays_is_not_waited_for_again_and_again(db: apsw.Connection, tmp_path: Path) -> None:
    writer = IndexWriter(db, "model", 4)
    reader = IndexReader(tmp_path)
    with reader.snapshot():
        generation = reader.generation
        write(writer, 9)
        assert length(db) > 8 << 20
        assert db.pragma("busy_timeout") == 10_000
        assert reader.generation == generation
    write(writer, 20)
    assert length(db) < 4 << 20
    reader.close()


def test_a_reader_that_stayed_once_does_not_make_it_long_for_good(
    db: apsw.Connection, tmp_path: Path
) -> None:
    writer = IndexWriter(db, "model", 4)
    reader = IndexReader(tmp_path)
    with reader.snapshot():
        assert reader.generation == 0
        write(writer, 9)
    reader.close()
    other = connect(tmp_path, writable=True)
    other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    other.close()
    with writer.transaction():
        writer.set_meta("little", 1)
    write(writer, 5)
    assert length(db) < 2 << 20


def test_what_was_written_stays_written_when_it_cannot_be_emptied(
    db: apsw.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = IndexWriter(db, "model", 4)
    monkeypatch.setattr(writer, "_log", write_ahead_log.WriteAheadLog(FullDisk(db)))  # type: ignore[arg-type]
    write(writer, 3)
    assert writer.meta("much") == bytes(1 << 20)
    assert length(db) > 2 << 20
    assert db.pragma("busy_timeout") == 10_000


def test_within_a_transaction_nothing_is_done(db: apsw.Connection) -> None:
    writer = IndexWriter(db, "model", 4)
    with writer.transaction():
        write(writer, 3)
        assert writer.meta("much") == bytes(1 << 20)
    write(writer, 1)
    assert length(db) < 2 << 20
