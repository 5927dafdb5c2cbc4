"""A vector table of a test's own, with chunks that hold nothing but their vectors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quire_engine.index.database import connect
from quire_engine.index.shards import ShardCache
from quire_engine.index.vectors import VectorTable

Floats = NDArray[np.float32]


def clustered(count: int, dimensions: int, seed: int) -> Floats:
    """Unit vectors around forty centres, the same for every seed; some lie anywhere."""
    centres = np.random.default_rng(0).standard_normal((40, dimensions))
    random = np.random.default_rng(seed)
    around = centres[random.integers(40, size=count)] + 0.5 * random.standard_normal((count, dimensions))
    around[::10] = random.standard_normal(around[::10].shape)
    unit: Floats = (around / np.linalg.norm(around, axis=1, keepdims=True)).astype(np.float32)
    return unit


class _UndoneError(Exception):
    pass


class ShardBox:
    """Knows what the table must hold."""

    def __init__(self, folder: Path, dimensions: int, fingerprint: str = "model") -> None:
        self.folder = folder
        self.db = connect(folder, writable=True)
        self.table = VectorTable(self.db, fingerprint, dimensions)
        self.content: dict[int, Floats] = {}
        self._random = np.random.default_rng(0)
        self.db.execute(
            "INSERT OR IGNORE INTO notes VALUES (1, 'a.md', 'a', 't', '[]', '{}', 0, 0, 0, 0, x'00', '[]', 0)"
        )

    def close(self) -> None:
        self.db.close()

    def put(self, vectors: Floats, *, shard: int | None = None) -> list[int]:
        """Store vectors as a slab that was embedded, or all in one ``shard``; returns their chunk ids."""
        ids: list[int] = self._random.integers(1, 2**62, size=len(vectors)).tolist()
        hashes = [chunk.to_bytes(8, "big") for chunk in ids]
        with self.db:
            self.db.executemany(
                "INSERT INTO chunks (id, note_id, ordinal, kind, start, end, start_line, end_line, text, "
                "headings, sentences, tokens, embed_hash) "
                "VALUES (?, 1, 0, 'text', 0, 1, 1, 1, 'x', '[]', '[]', 1, ?)",
                zip(ids, hashes, strict=True),
            )
            self.db.executemany("INSERT INTO embedding_queue VALUES (?, 1)", ((chunk,) for chunk in ids))
            self.table.store(hashes, vectors, ids)
            rounded = vectors.astype(np.float16).astype(np.float32)
            if shard is not None:
                sources = [self.shard_of(chunk) for chunk in ids]
                for row, (chunk, source) in enumerate(zip(ids, sources, strict=True)):
                    self.table.move([chunk], rounded[row : row + 1], source, np.array([shard]))
        self.content.update(zip(ids, rounded, strict=True))
        return ids

    def remove(self, ids: list[int]) -> None:
        with self.db:
            self.table.remove(ids)
            self.db.executemany("DELETE FROM chunks WHERE id = ?", ((chunk,) for chunk in ids))
        for chunk in ids:
            del self.content[chunk]

    def rebalance(self, most: int | None = None, *, split: int = 16, whole: int = 10**9) -> int:
        return self.table.rebalance(most, split=split, whole=whole)

    def shard_of(self, chunk: int) -> int:
        found: int = self.db.execute("SELECT shard FROM vectors WHERE chunk_id = ?", (chunk,)).get
        return found

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Nothing that is written inside stays."""
        content = dict(self.content)
        try:
            with self.db:
                yield
                raise _UndoneError
        except _UndoneError:
            self.content = content

    def check(self) -> None:
        """Every vector is there once, and the shards say what they hold."""
        rows = self.db.execute("SELECT chunk_id, shard, embedding FROM vectors").fetchall()
        assert {chunk: blob for chunk, _, blob in rows} == {c: v.tobytes() for c, v in self.content.items()}
        assert len(rows) == len(self.content)
        lies = sorted((shard, chunk) for chunk, shard, _ in rows)
        assert lies == self.db.execute("SELECT shard, chunk_id FROM shard_members ORDER BY 1, 2").fetchall()
        totals: dict[int, NDArray[np.float64]] = {}
        counts: dict[int, int] = {}
        for chunk, shard, _ in rows:
            totals[shard] = totals.get(shard, 0.0) + self.content[chunk].astype(np.float64)
            counts[shard] = counts.get(shard, 0) + 1
        told = self.db.execute("SELECT id, count, total FROM shards ORDER BY id").fetchall()
        assert {shard: count for shard, count, _ in told} == counts
        assert all(total == totals[shard].tobytes() for shard, _, total in told)
        self._check_cache()

    def _check_cache(self) -> None:
        """What the writer remembers of the shards is what stands in the file."""
        kept, read = self.table.shards.at(self.db), ShardCache().at(self.db)
        assert kept.ids.tolist() == read.ids.tolist()
        assert kept.counts.tolist() == read.counts.tolist()
        assert kept.retiring.tolist() == read.retiring.tolist()
        np.testing.assert_array_equal(kept.means, read.means)
        np.testing.assert_array_equal(kept.spreads, read.spreads)
