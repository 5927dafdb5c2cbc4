"""The vec0 table: one row per chunk, partitioned by shard, addressed through reusable embeddings."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import apsw
import numpy as np

from quire_engine.errors import DamagedIndexError
from quire_engine.index import meta, shards
from quire_engine.index.kmeans import nearest_mean
from quire_engine.index.rebalance import SPLIT, WHOLE, rebalance
from quire_engine.index.vector_schema import PARTS, TABLE, damaged, is_there, made_by, statement, width

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quire_engine.interfaces import FloatArray

EMBEDDED = "FROM chunks WHERE embed_hash IS NOT NULL AND id NOT IN (SELECT chunk_id FROM embedding_queue)"
"""Selects the chunks that have their vector, or ought to."""
KEPT_DAYS = 30
"""How long the vector of text that is gone is kept, for the day it comes back."""
_FILL_PAGE = 8192


class VectorTable:
    """The writer's side: rows come, move and go together with what the shards say of them.

    Every method is to be called inside a transaction.
    """

    def __init__(self, db: apsw.Connection, fingerprint: str, dimensions: int) -> None:
        """Make the table fit the embedding model and this version's layout.

        A table that does not fit is made anew: vectors that are known are put back without embedding, and
        all other chunks are queued.
        """
        self._db = db
        self._fingerprint = fingerprint
        self._dimensions = dimensions
        self.shards = shards.ShardCache()
        if not self._is_ours() or made_by(db) != statement(dimensions):
            with db:
                self.rebuild()

    def _is_ours(self) -> bool:
        """Whether what the table holds was made by this model."""
        return bool(meta.get(self._db, "fingerprint") == self._fingerprint)

    def rebuild(self) -> None:
        """Make the table anew; only chunks whose vector is nowhere to be found are queued."""
        if self._is_ours():
            self.keep_unknown()
        drop(self._db)
        self._db.execute(statement(self._dimensions))
        # vec0 looks for a shard's rows in this table of its own, which has no index.
        self._db.execute(f"CREATE INDEX {TABLE}_by_shard ON {TABLE}_chunks (partition00)")
        meta.put(self._db, "fingerprint", self._fingerprint)
        self._db.execute("DELETE FROM embedding_queue")
        self._db.execute(
            "INSERT INTO embedding_queue SELECT c.id, n.modified FROM chunks c "
            "JOIN notes n ON n.id = c.note_id WHERE c.embed_hash IS NOT NULL"
        )
        queued = [row[0] for row in self._db.execute("SELECT chunk_id FROM embedding_queue")]
        for start in range(0, len(queued), _FILL_PAGE):
            self.fill(queued[start : start + _FILL_PAGE])
            self.rebalance(None)

    def keep_unknown(self) -> int:
        """Keep the vectors that, after some damage, stand in the table alone; returns how many.

        What is none is left: it is embedded again.
        """
        kept = 0
        for chunk, digest in self._unknown():
            with suppress(apsw.SQLError, DamagedIndexError):  # when parts of the table are missing
                for _, blob in embeddings(self._db, [chunk]):
                    rows = _matrix([blob])
                    if are_units(rows).all():
                        self._keep([digest], rows.astype(np.float16))
                        kept += 1
        return kept

    def forget(self, hashes: Sequence[bytes]) -> None:
        """Forget the vectors of these texts, and queue every chunk that has none."""
        own = [(self._fingerprint, digest) for digest in hashes]
        self._db.executemany("DELETE FROM embeddings WHERE fingerprint = ? AND hash = ?", own)
        chunks = [chunk for chunk, _ in self._unknown()]
        with suppress(apsw.SQLError, DamagedIndexError):  # a table that cannot be read is made anew
            self.remove(chunks)
        self._db.executemany(
            "INSERT INTO embedding_queue SELECT c.id, n.modified FROM chunks c "
            "JOIN notes n ON n.id = c.note_id WHERE c.id = ?",
            ((chunk,) for chunk in chunks),
        )

    def _unknown(self) -> list[tuple[int, bytes]]:
        """(chunk id, hash) of the chunks that do not wait for a vector and have none."""
        rows: list[Any] = self._db.execute(
            f"SELECT id, embed_hash {EMBEDDED} AND NOT EXISTS "
            "(SELECT 1 FROM embeddings WHERE hash = chunks.embed_hash AND fingerprint = ?)",
            (self._fingerprint,),
        ).fetchall()
        return rows

    # ------------------------------------------------------------------------------------- come and go

    def fill(self, chunk_ids: Sequence[int]) -> int:
        """Give queued chunks the vectors that are known for their text; returns how many."""
        if not chunk_ids:
            return 0
        rows: list[Any] = self._db.execute(
            "SELECT c.id, e.hash, e.vector FROM json_each(?) j "
            "JOIN embedding_queue q ON q.chunk_id = j.value JOIN chunks c ON c.id = q.chunk_id "
            "JOIN embeddings e ON e.fingerprint = ? AND e.hash = c.embed_hash AND typeof(e.vector) = 'blob' "
            "AND length(e.vector) = ?",
            (json.dumps(chunk_ids), self._fingerprint, 2 * self._dimensions),
        ).fetchall()
        if rows:
            self._insert([row[0] for row in rows], _widened([row[2] for row in rows]))
            self._db.executemany(
                "UPDATE embeddings SET released_at = NULL "
                "WHERE fingerprint = ? AND hash = ? AND released_at IS NOT NULL",
                ((self._fingerprint, row[1]) for row in rows),
            )
        return len(rows)

    def store(self, hashes: Sequence[bytes], vectors: FloatArray, chunk_ids: Sequence[int]) -> None:
        """Keep freshly embedded ``vectors`` and give them to the queued chunks that wait for them."""
        # Rounded first, so that both tables hold the same vectors.
        halves = vectors.astype(np.float16)
        self._keep(hashes, halves)
        waiting: list[Any] = self._db.execute(
            "SELECT c.id, c.embed_hash FROM json_each(?) j "
            "JOIN embedding_queue q ON q.chunk_id = j.value JOIN chunks c ON c.id = q.chunk_id",
            (json.dumps(chunk_ids),),
        ).fetchall()
        row_of = {digest: row for row, digest in enumerate(hashes)}
        rows = [row_of.get(digest) for _, digest in waiting]
        fresh = [(chunk, row) for (chunk, _), row in zip(waiting, rows, strict=True) if row is not None]
        if fresh:
            chunks, rows_of_fresh = zip(*fresh, strict=True)
            self._insert(chunks, halves[list(rows_of_fresh)].astype(np.float32))
        self.fill([chunk for (chunk, _), row in zip(waiting, rows, strict=True) if row is None])

    def _keep(self, hashes: Sequence[bytes], halves: NDArray[np.float16]) -> None:
        self._db.executemany(
            "INSERT INTO embeddings (hash, fingerprint, vector) VALUES (?, ?, ?) "
            "ON CONFLICT DO UPDATE SET vector = excluded.vector, released_at = NULL",
            (
                (digest, self._fingerprint, half.tobytes())
                for digest, half in zip(hashes, halves, strict=True)
            ),
        )

    def _insert(self, chunk_ids: Sequence[int], vectors: FloatArray) -> None:
        """Put chunks with their vectors into the nearest shards, and off the queue."""
        present = self.shards.at(self._db)
        if len(present.taking):
            shard_of = present.ids[present.taking][nearest_mean(vectors, present.means[present.taking])]
        else:
            shard_of = np.full(len(chunk_ids), self.add_shard(), dtype=np.int64)
        self._put_rows(chunk_ids, shard_of, vectors)
        shards.account(self._db, self.shards, shards.by_shard(shard_of, vectors))
        self._db.executemany("DELETE FROM embedding_queue WHERE chunk_id = ?", ((c,) for c in chunk_ids))

    def _put_rows(self, chunk_ids: Sequence[int], shard_of: NDArray[np.int64], vectors: FloatArray) -> None:
        numbers = shard_of.tolist()
        # By shard, because vec0 keeps shards in pages of their own.
        order = np.argsort(shard_of, kind="stable").tolist()
        self._db.executemany(
            f"INSERT INTO {TABLE} (chunk_id, shard, embedding) VALUES (?, ?, ?)",
            ((chunk_ids[row], numbers[row], vectors[row].tobytes()) for row in order),
        )
        self._db.executemany(
            "INSERT INTO shard_members VALUES (?, ?)",
            sorted(zip(numbers, chunk_ids, strict=True)),
        )

    def _delete_rows(self, chunk_ids: Sequence[int], shard_of: Sequence[int]) -> None:
        self._db.executemany(f"DELETE FROM {TABLE} WHERE chunk_id = ?", ((c,) for c in chunk_ids))
        self._db.executemany(
            "DELETE FROM shard_members WHERE shard = ? AND chunk_id = ?",
            zip(shard_of, chunk_ids, strict=True),
        )

    def remove(self, chunk_ids: Sequence[int]) -> None:
        """Take chunks out of the table; their embeddings stay known.

        Raises `DamagedIndexError` when the table is not whole.
        """
        if not chunk_ids or not is_there(self._db):
            return
        rows = list(
            self._db.executemany(
                f"SELECT chunk_id, shard, embedding FROM {TABLE} WHERE chunk_id = ?",
                ((c,) for c in chunk_ids),
            )
        )
        if rows:
            ids, shard_of, blobs = zip(*rows, strict=True)
            self._delete_rows(ids, shard_of)
            self._account_less(shard_of, _matrix(blobs))

    def _account_less(self, shard_of: Sequence[int], vectors: FloatArray) -> None:
        gone = shards.by_shard(shard_of, vectors)
        shards.account(self._db, self.shards, {s: (-count, -total) for s, (count, total) in gone.items()})

    # ------------------------------------------------------------------------------------- rebalancing

    def rebalance(self, most: int | None, *, split: int = SPLIT, whole: int = WHOLE) -> int:
        """Split, merge and calibrate what is due, at most ``most`` steps; returns how many were done.

        Each step is a transaction of its own when none is open.
        """
        return rebalance(self, self._db, self.shards, most, split=split, whole=whole)

    def vectors_of(self, chunk_ids: Sequence[int]) -> FloatArray:
        """The rows' vectors, float32, in the order of ``chunk_ids``.

        Raises `DamagedIndexError` unless all of them are there.
        """
        rows = embeddings(self._db, chunk_ids)
        if len(rows) != len(chunk_ids):
            raise damaged()
        return _matrix([blob for _, blob in rows])

    def move(
        self, chunk_ids: Sequence[int], vectors: FloatArray, source: int, targets: NDArray[np.int64]
    ) -> None:
        """Take rows from the shard ``source`` to one of ``targets`` each."""
        self._delete_rows(chunk_ids, [source] * len(chunk_ids))
        self._put_rows(chunk_ids, targets, vectors)
        changes = shards.by_shard(targets, vectors)
        changes[source] = (-len(chunk_ids), -vectors.sum(axis=0, dtype=np.float64))
        shards.account(self._db, self.shards, changes)

    def add_shard(self) -> int:
        """A shard that holds nothing yet, to be filled in the same transaction; returns its id."""
        return shards.add_shard(self._db, self._dimensions)


def drop(db: apsw.Connection) -> None:
    """Forget the table and its shards; embeddings stay."""
    if db.table_exists("main", TABLE):
        for part in PARTS:  # vec0 cannot drop a table of which one is missing
            db.execute(f"CREATE TABLE IF NOT EXISTS {part} (damaged)")
        db.execute(f"DROP TABLE {TABLE}")
    for part in PARTS:
        db.execute(f"DROP TABLE IF EXISTS {part}")
    shards.forget_all(db)


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


def load(db: apsw.Connection, chunk_ids: Sequence[int]) -> dict[int, FloatArray]:
    """The vectors of those chunks that have a sound one, float32; damage to one does not show in others."""
    if not chunk_ids or not (dimensions := width(db)):
        return {}
    rows: list[Any] = db.execute(
        "SELECT c.id, e.vector FROM json_each(?) j JOIN chunks c ON c.id = j.value JOIN embeddings e ON "
        f"e.hash = c.embed_hash AND e.{meta.OWN} AND typeof(e.vector) = 'blob' AND length(e.vector) = ?",
        (json.dumps(chunk_ids), 2 * dimensions),
    ).fetchall()
    if not rows:
        return {}
    table = _widened([vector for _, vector in rows])
    sound = are_units(table).tolist()
    return {chunk: row for (chunk, _), row, is_sound in zip(rows, table, sound, strict=True) if is_sound}


def embeddings(db: apsw.Connection, chunk_ids: Sequence[int]) -> list[tuple[int, bytes]]:
    """(chunk id, float32 vector) of those chunks that are in the table. Raises `DamagedIndexError`."""
    if not is_there(db):
        return []
    # Row by row: vec0 is looked up faster so than by a list.
    sql = f"SELECT chunk_id, embedding FROM {TABLE} WHERE chunk_id = ?"
    return list(db.executemany(sql, ((chunk,) for chunk in chunk_ids)))


def are_units(vectors: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """Of each row, whether it is what an embedder gives, as far as it shows; damage mostly does."""
    with np.errstate(all="ignore"):
        lengths = np.linalg.norm(vectors.astype(np.float32), axis=1)
    units: NDArray[np.bool_] = np.abs(lengths - 1.0) < 0.01
    return units


def _matrix(blobs: Sequence[bytes]) -> FloatArray:
    return np.frombuffer(b"".join(blobs), dtype=np.float32).reshape(len(blobs), -1)


def _widened(blobs: Sequence[bytes]) -> FloatArray:
    return np.frombuffer(b"".join(blobs), dtype=np.float16).reshape(len(blobs), -1).astype(np.float32)
