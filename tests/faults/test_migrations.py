"""Migrations that are cut off: the next opening finishes them, and no vector is lost."""

from __future__ import annotations

import os
import shutil
import signal
import warnings
from pathlib import Path
from typing import Any

import apsw
import pytest
import sqlite_vec

from quire_engine.errors import StoreError
from quire_engine.index.database import FILE_NAME, connect
from quire_engine.index.migrations import MIGRATIONS
from quire_engine.index.store import IndexWriter

from .telling_notes import HashedWords

_NOTES = 40


def old_index(folder: Path, version: int) -> None:
    """An index as the schema of ``version`` held it, with a vector for each of its chunks but one."""
    folder.mkdir()
    db = apsw.Connection(str(folder / FILE_NAME))
    db.enable_load_extension(True)
    db.load_extension(sqlite_vec.loadable_path())
    db.execute("PRAGMA journal_mode = WAL").fetchall()
    db.execute(
        "CREATE TABLE migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at REAL NOT NULL)"
    )
    for number, (name, sql) in enumerate(MIGRATIONS[:version], start=1):
        db.execute(sql).fetchall()
        db.execute("INSERT INTO migrations VALUES (?, ?, 0)", (number, name))
    db.execute("INSERT INTO meta VALUES ('fingerprint', ?)", (HashedWords.fingerprint,))
    partition = "topic TEXT" if version == 1 else "shard INTEGER"
    db.execute(
        f"CREATE VIRTUAL TABLE vectors USING vec0(chunk_id INTEGER PRIMARY KEY, {partition} PARTITION KEY, "
        "embedding FLOAT[64] distance_metric=cosine, chunk_size=128)"
    )
    rows = HashedWords().embed_passages([f"text {n}" for n in range(_NOTES)])
    for n, row in enumerate(rows):
        half = row.astype("float16")
        db.execute(
            "INSERT INTO notes VALUES (?, ?, 'n', 't', '[]', '{}', 0, 0, 0, 0, x'00', '[]', 0)",
            (n, f"{n}.md"),
        )
        place = () if version < 4 else (None,)
        chunk = (1000 - n, n, 0, "text", 0, 1, 1, 1, f"text {n}", "[]", "[]", 1, bytes([n]), *place)
        db.execute(f"INSERT INTO chunks VALUES ({', '.join('?' * len(chunk))})", chunk)
        db.execute("INSERT INTO entities VALUES (?, 'n', 'NOTE')", (1000 - n,))
        if n == 0:
            db.execute("INSERT INTO embedding_queue VALUES (1000, 0)")
            continue
        db.execute(
            "INSERT INTO embeddings (hash, fingerprint, vector) VALUES (?, ?, ?)",
            (bytes([n]), HashedWords.fingerprint, half.tobytes()),
        )
        shard: Any = "t" if version == 1 else 1
        db.execute(
            "INSERT INTO vectors VALUES (?, ?, ?)", (1000 - n, shard, half.astype("float32").tobytes())
        )
        if version > 1:
            db.execute("INSERT INTO shard_members VALUES (1, ?)", (1000 - n,))
    if version > 1:
        total = rows[1:].astype("float16").astype("float64").sum(axis=0)
        db.execute("INSERT INTO shards VALUES (1, ?, 0, ?)", (_NOTES - 1, total.tobytes()))
    db.close()


def opened(folder: Path) -> apsw.Connection:
    """The index as a sync opens it."""
    db = connect(folder, writable=True)
    IndexWriter(db, HashedWords.fingerprint, HashedWords.dimensions)
    return db


def content(folder: Path) -> dict[str, Any]:
    """What is in the index once it is open."""
    db = opened(folder)
    try:
        return {
            "schema": sorted(
                row[0] for row in db.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")
            ),
            "migrations": db.execute("SELECT number, name FROM migrations ORDER BY 1").fetchall(),
            **{
                name: sorted(db.execute(sql).fetchall(), key=repr)
                for name, sql in {
                    "notes": "SELECT * FROM notes",
                    "chunks": "SELECT id, note_id, ordinal, text, embed_hash FROM chunks",
                    "entities": "SELECT * FROM entities",
                    "queue": "SELECT * FROM embedding_queue",
                    "embeddings": "SELECT hash, fingerprint, vector, released_at FROM embeddings",
                    "vectors": "SELECT chunk_id, embedding FROM vectors",
                    "members": "SELECT chunk_id FROM shard_members",
                    "shards": "SELECT count, retiring, total FROM shards",
                }.items()
            },
        }
    finally:
        db.close()


def killed_at(folder: Path, statement: int, *, error: bool) -> bool:
    """Open the index in a process that is killed, or fails, at its n-th statement; False when it gets by."""
    with warnings.catch_warnings():  # threads of other tests hold nothing that the child needs
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        passed = 0

        def trace(_: object, sql: str, __: object) -> bool:
            nonlocal passed
            passed += not sql.startswith("PRAGMA")
            if passed == statement:
                if not error:
                    os.kill(os.getpid(), signal.SIGKILL)
                raise apsw.IOError("the disk is on fire")
            return True

        apsw.connection_hooks.append(lambda connection: setattr(connection, "exec_trace", trace))
        try:
            opened(folder).close()
            os._exit(0)
        except StoreError:
            os._exit(1)
        finally:
            os._exit(2)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, 1 if error else -signal.SIGKILL)
    return code != 0


@pytest.mark.parametrize("error", [False, True], ids=["killed", "failing"])
@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_each_is_finished_by_the_next_opening(tmp_path: Path, version: int, error: bool) -> None:
    old_index(tmp_path / "old", version)
    shutil.copytree(tmp_path / "old", tmp_path / "undisturbed")
    expected = content(tmp_path / "undisturbed")
    assert [number for number, _ in expected["migrations"]] == list(range(1, len(MIGRATIONS) + 1))
    assert len(expected["embeddings"]) == len(expected["vectors"]) == len(expected["members"]) == _NOTES - 1
    assert expected["queue"] == [(1000, 0.0)]
    statement = 0
    while True:
        statement += 1
        shutil.rmtree(tmp_path / "cut", ignore_errors=True)
        shutil.copytree(tmp_path / "old", tmp_path / "cut")
        if not killed_at(tmp_path / "cut", statement, error=error):
            break
        assert content(tmp_path / "cut") == expected, statement
    assert statement > 10
