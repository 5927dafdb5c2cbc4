"""What the topics hold, by a sample of each one's passages: notes, and a few mean vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from quire_engine.index import meta
from quire_engine.index.kmeans import cells
from quire_engine.index.vector_schema import width

if TYPE_CHECKING:
    import apsw
    from numpy.typing import NDArray

    from quire_engine.interfaces import FloatArray

SAMPLE = 1024
"""Passages looked at, over all topics, unless `_LEAST` of each are more; more of them route hardly better."""
_LEAST, _MOST = 8, 256
"""Passages of one topic."""
_A_NOTES = 32
"""Passages of one note: a long one does not speak for its topic alone."""
_MEANS = 4
_A_MEAN = 24
"""Passages that a mean stands for, at least."""


@dataclass(frozen=True, slots=True)
class TopicStatistics:
    """All topics at one moment; arrays are aligned and never changed."""

    names: tuple[str, ...]
    """In alphabetical order."""
    notes: NDArray[np.int64]
    """How many notes each topic has."""
    means: FloatArray
    """Mean vectors of shape (means, dimensions), a topic's beside each other; not unit vectors."""
    owners: NDArray[np.intp]
    """The topic of each mean, as its row in ``names``; a topic without vectors has none."""


class TopicCache:
    """Keeps the statistics that were read last; safe to share between threads."""

    def __init__(self) -> None:
        self._last: tuple[object, TopicStatistics] | None = None

    def at(self, db: apsw.Connection) -> TopicStatistics:
        """The topics as the connection's present transaction sees them."""
        # Structure has a generation, vectors a version of their shards; the third tells databases apart.
        version = tuple(meta.get(db, key) for key in ("generation", "shards_version", "identity"))
        last = self._last
        if last is None or last[0] != version:
            last = self._last = version, read(db)
        return last[1]


def read(db: apsw.Connection, sample: int = SAMPLE) -> TopicStatistics:
    """The statistics of every topic, the same for the same notes and vectors.

    Ids of notes are hashes of their paths: the first ones of a topic are a sample as good as any.
    """
    notes: list[Any] = db.execute(
        "SELECT topic, count(*) FROM notes GROUP BY topic ORDER BY topic"
    ).fetchall()
    each = max(_LEAST, min(_MOST, sample // max(1, len(notes))))
    means: list[FloatArray] = []
    owners: list[int] = []
    for row, (topic, _) in enumerate(notes):
        vectors = _sample(db, topic, each)
        if len(vectors):
            found = _means(vectors)
            means.append(found)
            owners += [row] * len(found)
    return TopicStatistics(
        names=tuple(topic for topic, _ in notes),
        notes=np.array([count for _, count in notes], dtype=np.int64),
        means=np.concatenate(means) if means else np.zeros((0, width(db)), dtype=np.float32),
        owners=np.array(owners, dtype=np.intp),
    )


def _sample(db: apsw.Connection, topic: str, most: int) -> FloatArray:
    rows = db.execute(
        "SELECT e.vector FROM (SELECT id FROM notes WHERE topic = ? ORDER BY id LIMIT ?) n "
        "JOIN chunks c ON c.note_id = n.id AND c.ordinal < ? "
        f"JOIN embeddings e ON e.hash = c.embed_hash AND e.{meta.OWN} "
        "AND typeof(e.vector) = 'blob' AND length(e.vector) = ? "
        "ORDER BY n.id, c.ordinal LIMIT ?",
        (topic, most, _A_NOTES, 2 * width(db), most),
    )
    halves = np.frombuffer(b"".join(vector for (vector,) in rows), dtype=np.float16)
    return halves.astype(np.float32).reshape(-1, width(db) or 1)


def _means(vectors: FloatArray) -> FloatArray:
    """One mean of a few vectors; of many, those of up to `_MEANS` cells."""
    count = min(_MEANS, len(vectors) // _A_MEAN)
    if count < 2:
        mean: FloatArray = vectors.mean(axis=0, keepdims=True)
        return mean
    cell_of = cells(vectors, count, _A_MEAN // 2)
    present = np.unique(cell_of)
    means: FloatArray = np.stack([vectors[cell_of == cell].mean(axis=0) for cell in present])
    return means
