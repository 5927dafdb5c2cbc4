from __future__ import annotations

from pathlib import Path

import apsw
import numpy as np
import sqlite_vec

from quire_engine.index.database import FILE_NAME, connect
from quire_engine.index.migrations import MIGRATIONS
from quire_engine.index.nearest import nearest
from quire_engine.index.shards import ShardCache
from quire_engine.index.vectors import VectorTable

from .shard_box import clustered


class TestSchema:
    def test_steps_have_names_of_their_own(self) -> None:
        names = [name for name, _ in MIGRATIONS]
        assert names
        assert len(set(names)) == len(names)

    def test_every_reference_has_its_target(self, tmp_path: Path) -> None:
        connection = connect(tmp_path, writable=True)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("PRAGMA integrity_check").get == "ok"
        connection.close()

    def test_removing_a_note_removes_what_hangs_on_it(self, tmp_path: Path) -> None:
        connection = connect(tmp_path, writable=True)
        connection.execute(
            "INSERT INTO notes VALUES (1, 'a.md', 'a', 't', '[]', '{}', 0, 0, 0, 0, x'00', '[]', 0);"
            "INSERT INTO chunks VALUES (2, 1, 0, 'text', 0, 1, 1, 1, 'x', '[]', '[]', 1, x'01', NULL);"
            "INSERT INTO tags VALUES (1, 'tag', 'tag'); INSERT INTO blocks VALUES (1, 'b', 1, 1);"
            "INSERT INTO links VALUES (1, 0, 'wikilink', 'b', '', 'b', 1, NULL);"
            "INSERT INTO entities VALUES (2, 'b', 'NOTE'); INSERT INTO embedding_queue VALUES (2, 0);"
            "INSERT INTO entity_queue VALUES (2); DELETE FROM notes"
        )
        for table in ("chunks", "tags", "blocks", "links", "entities", "embedding_queue", "entity_queue"):
            assert connection.execute(f"SELECT count(*) FROM {table}").get == 0, table
        connection.close()

    def test_what_is_looked_up_often_has_an_index(self, tmp_path: Path) -> None:
        connection = connect(tmp_path, writable=True)
        for sql in (
            "SELECT id FROM chunks WHERE note_id = 1",
            "SELECT id FROM chunks WHERE embed_hash = x'00'",
            "SELECT note_id FROM tags WHERE folded >= 'a' AND folded < 'b'",
            "SELECT note_id FROM links WHERE resolved = 1",
            "SELECT chunk_id FROM embedding_queue ORDER BY priority DESC LIMIT 9",
            "SELECT vector FROM embeddings WHERE fingerprint = 'f' AND hash = x'00'",
            "SELECT id FROM notes WHERE path = 'a'",
        ):
            plan = " ".join(str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}"))
            assert "USING" in plan, (sql, plan)
            assert "TEMP B-TREE" not in plan, (sql, plan)
        connection.close()


def old_index(folder: Path) -> dict[int, bytes]:
    """An index as the first schema held it, with vectors by topic; returns them by chunk."""
    connection = apsw.Connection(str(folder / FILE_NAME))
    connection.enable_load_extension(True)
    connection.load_extension(sqlite_vec.loadable_path())
    connection.execute("PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON")
    connection.execute(MIGRATIONS[0][1])
    connection.execute(
        "CREATE TABLE migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at REAL NOT NULL);"
        "INSERT INTO migrations VALUES (1, 'first schema', 0);"
        "INSERT INTO meta VALUES ('fingerprint', 'model');"
        "INSERT INTO notes VALUES (1, 'a.md', 'a', 't', '[]', '{}', 0, 0, 0, 0, x'00', '[]', 0);"
        "CREATE VIRTUAL TABLE vectors USING vec0(chunk_id INTEGER PRIMARY KEY, topic TEXT PARTITION KEY, "
        "embedding FLOAT[8] distance_metric=cosine, chunk_size=256)"
    )
    made = {}
    halves = clustered(30, 8, seed=1).astype(np.float16)
    for chunk, half in enumerate(halves, start=100):
        digest, made[chunk] = bytes([chunk]), half.astype(np.float32).tobytes()
        connection.execute(
            "INSERT INTO chunks VALUES (?, 1, ?, 'text', 0, 1, 1, 1, 'x', '[]', '[]', 1, ?)",
            (chunk, chunk, digest),
        )
        connection.execute("INSERT INTO embeddings VALUES (?, 'model', ?, NULL)", (digest, half.tobytes()))
        connection.execute("INSERT INTO vectors VALUES (?, 't', ?)", (chunk, made[chunk]))
    connection.execute("INSERT INTO embeddings VALUES (x'ff', 'other', x'0000', 5.0)")
    connection.execute(
        "INSERT INTO chunks VALUES (1, 1, 1, 'text', 0, 1, 1, 1, 'waits', '[]', '[]', 1, x'01');"
        "INSERT INTO embedding_queue VALUES (1, 0)"
    )
    connection.close()
    return made


class TestOldIndex:
    def test_its_vectors_come_into_shards_and_nothing_is_embedded_again(self, tmp_path: Path) -> None:
        made = old_index(tmp_path)
        connection = connect(tmp_path, writable=True)
        VectorTable(connection, "model", 8)
        rows = connection.execute(
            "SELECT v.chunk_id, v.embedding FROM shard_members m JOIN shards s ON s.id = m.shard "
            "JOIN vectors v ON v.chunk_id = m.chunk_id"
        ).fetchall()
        assert dict(rows) == made
        assert connection.execute("SELECT sum(count) FROM shards").get == len(made)
        assert connection.execute("SELECT chunk_id FROM embedding_queue").fetchall() == [(1,)]
        assert connection.execute("SELECT count(*), count(released_at) FROM embeddings").fetchall() == [
            (len(made) + 1, 1)
        ]
        connection.close()

    def test_can_be_searched_before_anything_is_written(self, tmp_path: Path) -> None:
        made = old_index(tmp_path)
        connection = connect(tmp_path, writable=False)
        query = np.frombuffer(made[100], dtype=np.float32)
        assert nearest(connection, ShardCache(), query, 3)[0][0] == 100
        connection.close()
