"""Many vectors that are spread like a few real ones, and indexes filled with them, for benchmarks of size."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from quire_engine.index.store import IndexWriter

if TYPE_CHECKING:
    import apsw

Floats = NDArray[np.float32]

FINGERPRINT = "synthetic"
"""What the filled index says of its embedding model."""
_CLUSTER = 64
"""Real vectors to a cluster, about: noise is taken from differences inside one."""


def unit(vectors: Floats) -> Floats:
    """The same directions at length 1."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Floats = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
    return scaled


class VectorSource:
    """Draws any number of vectors around real ones.

    A drawn vector is a real one, plus a difference between two others of its cluster, plus a little noise in
    every direction: so the drawn ones vary where the real ones do, instead of equally in all dimensions,
    which no embedding model produces.
    """

    def __init__(self, real: Floats, seed: int = 0, spread: float = 0.6, noise: float = 0.2) -> None:
        """``real`` has shape (count, dimensions); ``spread`` scales the difference, ``noise`` is a length."""
        self._real = unit(real.astype(np.float32))
        self._random = np.random.default_rng(seed)
        self._spread = spread
        self._noise = noise
        centres = self._real[self._random.permutation(len(real))[: max(1, len(real) // _CLUSTER)]]
        for _ in range(5):
            nearest = np.argmax(self._real @ centres.T, axis=1)
            for n in np.unique(nearest):
                centres[n] = unit(self._real[nearest == n].mean(axis=0))
        order = np.argsort(nearest, kind="stable")
        self._members = np.split(order, np.cumsum(np.bincount(nearest, minlength=len(centres)))[:-1])
        self._nearest = nearest

    @property
    def dimensions(self) -> int:
        return int(self._real.shape[1])

    def draw(self, count: int) -> Floats:
        """Unit vectors of shape (count, dimensions), each rounded to float16 as the index stores them."""
        random = self._random
        drawn = np.empty((count, self._real.shape[1]), dtype=np.float32)
        base = random.integers(len(self._real), size=count)
        cluster = self._nearest[base]
        for n in np.unique(cluster):
            rows, members = np.flatnonzero(cluster == n), self._members[n]
            one, other = members[random.integers(len(members), size=(2, len(rows)))]
            scale = self._spread * random.random((len(rows), 1), dtype=np.float32)
            drawn[rows] = self._real[base[rows]] + scale * (self._real[one] - self._real[other])
        noise = random.standard_normal(drawn.shape, dtype=np.float32)
        drawn += noise * (self._noise / np.sqrt(drawn.shape[1]))
        return unit(drawn).astype(np.float16).astype(np.float32)

    def slabs(self, count: int, size: int = 8192) -> Iterator[Floats]:
        """``count`` drawn vectors in slabs of at most ``size``."""
        for start in range(0, count, size):
            yield self.draw(min(size, count - start))


def fill(
    connection: apsw.Connection,
    source: VectorSource,
    count: int,
    *,
    topics: int = 12,
    stray_share: float = 0.1,
    slab: int = 8192,
) -> Iterator[tuple[str, int, float]]:
    """Give an empty index ``count`` chunks with drawn vectors, as the indexer would after embedding.

    The chunks hold a word of text each, sixteen to a note. A topic is the neighbourhood of a vector, but for
    the ``stray_share`` of chunks, which lie in any. Yields (stage, chunks so
    far, seconds that the stage took for this slab): ``store`` and ``rebalance``.
    """
    writer = IndexWriter(connection, FINGERPRINT, source.dimensions)
    random = np.random.default_rng(count)
    themes = source.draw(topics)
    done = 0
    for vectors in source.slabs(count, slab):
        chunk_ids = random.integers(1, 2**62, size=len(vectors)).tolist()
        hashes = [number.to_bytes(16, "big") for number in chunk_ids]
        with writer.transaction():
            topic_of = np.argmax(vectors @ themes.T, axis=1)
            stray = random.random(len(vectors)) < stray_share
            topic_of[stray] = random.integers(topics, size=int(stray.sum()))
            _put_chunks(connection, chunk_ids, hashes, topic_of)
        begun = time.perf_counter()
        with writer.transaction():
            writer.store_vectors(hashes, vectors, chunk_ids)
        done += len(vectors)
        yield "store", done, time.perf_counter() - begun
        begun = time.perf_counter()
        writer.rebalance_shards()
        yield "rebalance", done, time.perf_counter() - begun


def _put_chunks(
    connection: apsw.Connection, chunk_ids: list[int], hashes: list[bytes], topic_of: NDArray[np.int64]
) -> None:
    notes: dict[tuple[int, int], int] = {}
    for row, chunk in enumerate(chunk_ids):
        notes.setdefault((row // 16, int(topic_of[row])), chunk)
    connection.executemany(
        "INSERT INTO notes VALUES (?, ?, 'note', ?, '[]', '{}', 1.0, 1, 1, 1, x'00', '[]', 1.0)",
        ((note, f"{topic}/{note}.md", str(topic)) for (_, topic), note in notes.items()),
    )
    connection.executemany(
        "INSERT INTO chunks (id, note_id, ordinal, kind, start, end, start_line, end_line, text, headings, "
        "sentences, tokens, embed_hash) "
        "VALUES (?, ?, ?, 'text', 0, 4, 1, 1, 'word', '[]', '[[0, 4]]', 1, ?)",
        (
            (chunk, notes[row // 16, int(topic_of[row])], row, digest)
            for row, (chunk, digest) in enumerate(zip(chunk_ids, hashes, strict=True))
        ),
    )
    connection.executemany("INSERT INTO embedding_queue VALUES (?, 1.0)", ((c,) for c in chunk_ids))
