"""The vec0 table: one row per chunk, partitioned by topic, addressed through reusable embeddings."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import apsw

    from quire_engine.interfaces import FloatArray

TABLE = "vectors"
_MOST = 4096
"""The most neighbours that vec0 returns."""
KEPT_DAYS = 30
"""How long the vector of text that is gone is kept, for the day it comes back."""


def ensure_table(db: apsw.Connection, fingerprint: str, dimensions: int) -> bool:
    """Make the table fit the embedding model; True when it was made anew and every chunk is queued.

    Vectors that are known from earlier (same model) are put back without embedding.
    """
    known = db.execute("SELECT value FROM meta WHERE key = 'fingerprint'").get
    if known == fingerprint and db.table_exists("main", TABLE):
        return False
    with db:
        db.execute(f"DROP TABLE IF EXISTS {TABLE}")
        # chunk_size: the default of 1024 wastes eight times the space in vaults of many small topics.
        db.execute(
            f"CREATE VIRTUAL TABLE {TABLE} USING vec0(chunk_id INTEGER PRIMARY KEY, "
            f"topic TEXT PARTITION KEY, embedding FLOAT[{dimensions}] distance_metric=cosine, chunk_size=256)"
        )
        db.execute("INSERT OR REPLACE INTO meta VALUES ('fingerprint', ?)", (fingerprint,))
        db.execute("DELETE FROM embedding_queue")
        db.execute(
            "INSERT INTO embedding_queue SELECT c.id, n.modified FROM chunks c "
            "JOIN notes n ON n.id = c.note_id WHERE c.embed_hash IS NOT NULL"
        )
        fill_from_known(
            db, fingerprint, [row[0] for row in db.execute("SELECT chunk_id FROM embedding_queue")]
        )
    return True


def fill_from_known(db: apsw.Connection, fingerprint: str, chunk_ids: Sequence[int]) -> int:
    """Give queued chunks the vectors that are known for their text; returns how many."""
    if not chunk_ids:
        return 0
    rows: list[Any] = db.execute(
        "SELECT c.id, n.topic, e.vector, e.hash FROM json_each(?) j "
        "JOIN embedding_queue q ON q.chunk_id = j.value JOIN chunks c ON c.id = q.chunk_id "
        "JOIN notes n ON n.id = c.note_id "
        "JOIN embeddings e ON e.fingerprint = ? AND e.hash = c.embed_hash",
        (json.dumps(chunk_ids), fingerprint),
    ).fetchall()
    db.executemany(
        f"INSERT INTO {TABLE} (chunk_id, topic, embedding) VALUES (?, ?, ?)",
        ((chunk, topic, _widened(vector)) for chunk, topic, vector, _ in rows),
    )
    db.executemany("DELETE FROM embedding_queue WHERE chunk_id = ?", ((row[0],) for row in rows))
    db.executemany(
        "UPDATE embeddings SET released_at = NULL "
        "WHERE fingerprint = ? AND hash = ? AND released_at IS NOT NULL",
        ((fingerprint, row[3]) for row in rows),
    )
    return len(rows)


def store(
    db: apsw.Connection,
    fingerprint: str,
    hashes: Sequence[bytes],
    vectors: FloatArray,
    chunk_ids: Sequence[int],
) -> None:
    """Keep freshly embedded ``vectors`` and give them to the queued chunks that wait for them."""
    db.executemany(
        "INSERT OR REPLACE INTO embeddings VALUES (?, ?, ?, NULL)",
        (
            (digest, fingerprint, row.astype(np.float16).tobytes())
            for digest, row in zip(hashes, vectors, strict=True)
        ),
    )
    fill_from_known(db, fingerprint, chunk_ids)


def remove(db: apsw.Connection, chunk_ids: Sequence[int]) -> None:
    """Take chunks out of the table; their embeddings stay known."""
    if db.table_exists("main", TABLE):
        db.executemany(f"DELETE FROM {TABLE} WHERE chunk_id = ?", ((i,) for i in chunk_ids))


def release(db: apsw.Connection, hashes: Sequence[bytes]) -> None:
    """Note the moment from which embeddings that no chunk uses any more may be forgotten."""
    db.executemany(
        "UPDATE embeddings SET released_at = ? WHERE hash = ? "
        "AND NOT EXISTS (SELECT 1 FROM chunks WHERE embed_hash = embeddings.hash)",
        ((time.time(), digest) for digest in hashes),
    )


def forget_released(db: apsw.Connection, days: float = KEPT_DAYS) -> None:
    """Drop embeddings that nothing has used for ``days``."""
    db.execute("DELETE FROM embeddings WHERE released_at <= ?", (time.time() - days * 86_400,))


def nearest(
    db: apsw.Connection, query: FloatArray, limit: int, among: Sequence[int] | None = None
) -> list[tuple[int, float]]:
    """(chunk id, cosine similarity) of the nearest chunks, best first."""
    if limit < 1 or not db.table_exists("main", TABLE):
        return []
    # A JOIN with MATCH would make vec0 scan once a row, so ids alone are asked for.
    sql = f"SELECT chunk_id, distance FROM {TABLE} WHERE embedding MATCH ? AND k = ?"
    bindings: tuple[object, ...] = (query.astype(np.float32).tobytes(), min(limit, _MOST))
    if among is not None:
        sql += " AND chunk_id IN (SELECT value FROM json_each(?))"
        bindings = (*bindings, json.dumps(among))
    return [(chunk, 1.0 - distance) for chunk, distance in db.execute(sql, bindings)]


def load(db: apsw.Connection, chunk_ids: Sequence[int]) -> dict[int, FloatArray]:
    """The vectors of those chunks that have one, float32."""
    if not chunk_ids or not db.table_exists("main", TABLE):
        return {}
    rows = db.execute(
        "SELECT c.id, e.vector FROM json_each(?) j JOIN chunks c ON c.id = j.value JOIN embeddings e ON "
        "e.hash = c.embed_hash AND e.fingerprint = (SELECT value FROM meta WHERE key = 'fingerprint')",
        (json.dumps(chunk_ids),),
    )
    return {chunk: np.frombuffer(vector, np.float16).astype(np.float32) for chunk, vector in rows}


def _widened(vector: bytes) -> bytes:
    """float16 to float32. Stored vectors are always rounded first, so that both tables hold the same ones."""
    return np.frombuffer(vector, np.float16).astype(np.float32).tobytes()
