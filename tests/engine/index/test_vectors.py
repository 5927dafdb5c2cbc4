"""The vec0 table itself."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from quire_engine.index import vectors

from .conftest import DIMENSIONS, Index, OpenIndex, vector


def fill(index: Index, count: int) -> NDArray[np.float32]:
    """``count`` one-passage notes with their vectors; returns the vectors by number."""
    for n in range(count):
        index.put(f"{n}.md", f"Word number {n}.", topic=f"topic {n % 3}")
    index.embed()
    hashes = index.db.execute("SELECT embed_hash FROM chunks c JOIN notes n ON n.id = c.note_id").fetchall()
    return np.stack([vector(digest) for (digest,) in hashes])


def by_cosine(index: Index, query: NDArray[np.float32]) -> list[tuple[int, float]]:
    rows = index.db.execute("SELECT id, embed_hash FROM chunks").fetchall()
    return sorted(((chunk, float(vector(digest) @ query)) for chunk, digest in rows), key=lambda r: -r[1])


class TestNearest:
    def test_are_the_nearest_by_cosine(self, index: Index) -> None:
        fill(index, 40)
        query = vector(b"query")
        expected = by_cosine(index, query)[:10]
        found = vectors.nearest(index.db, query, 10)
        assert [chunk for chunk, _ in found] == [chunk for chunk, _ in expected]
        assert [score for _, score in found] == pytest.approx([score for _, score in expected], abs=2e-3)

    def test_length_of_the_query_does_not_matter(self, index: Index) -> None:
        fill(index, 5)
        query = vector(b"query")
        scores = [score for _, score in vectors.nearest(index.db, query, 5)]
        assert [score for _, score in vectors.nearest(index.db, query * 7, 5)] == pytest.approx(
            scores, abs=1e-5
        )

    def test_can_be_restricted(self, index: Index) -> None:
        fill(index, 40)
        query = vector(b"query")
        ranked = [chunk for chunk, _ in by_cosine(index, query)]
        among = [*ranked[30:35], 123456789]
        assert [chunk for chunk, _ in vectors.nearest(index.db, query, 10, among)] == ranked[30:35]
        assert [chunk for chunk, _ in vectors.nearest(index.db, query, 2, among)] == ranked[30:32]
        assert vectors.nearest(index.db, query, 10, []) == []

    def test_of_nothing_are_none(self, index: Index) -> None:
        assert vectors.nearest(index.db, vector(b"query"), 10) == []
        fill(index, 2)
        assert vectors.nearest(index.db, vector(b"query"), 0) == []
        assert len(vectors.nearest(index.db, vector(b"query"), 1_000_000)) == 2

    def test_without_a_table_there_are_none(self, index: Index) -> None:
        index.db.execute("DROP TABLE vectors")
        assert vectors.nearest(index.db, vector(b"query"), 10) == []
        assert vectors.load(index.db, [1]) == {}
        vectors.remove(index.db, [1])


class TestFingerprint:
    def test_another_model_queues_everything(self, index: Index, open_index: OpenIndex) -> None:
        fill(index, 5)
        other = open_index("model-b")
        assert other.writer.queued() == 5
        assert other.vectors() == {}
        assert vectors.load(other.db, list(index.vectors())) == {}

    def test_the_former_model_embeds_nothing_again(self, index: Index, open_index: OpenIndex) -> None:
        fill(index, 5)
        before = index.vectors()
        open_index("model-b").put("new.md", "One more.")
        back = open_index("model-a")
        assert back.writer.queued() == 1
        assert back.vectors() == before

    def test_the_same_model_changes_nothing(self, index: Index, open_index: OpenIndex) -> None:
        fill(index, 5)
        before = index.vectors()
        assert not vectors.ensure_table(index.db, "model-a", DIMENSIONS)
        assert open_index("model-a").vectors() == before

    def test_another_width_fits_too(self, index: Index) -> None:
        fill(index, 2)
        assert vectors.ensure_table(index.db, "wide", 16)
        assert vectors.nearest(index.db, np.ones(16, dtype=np.float32), 5) == []


class TestStorage:
    def test_both_tables_hold_the_same_rounded_vector(self, index: Index) -> None:
        fill(index, 3)
        chunks = list(index.vectors())
        loaded = vectors.load(index.db, [*chunks, 42])
        assert set(loaded) == set(chunks)
        for chunk, row in index.db.execute("SELECT chunk_id, embedding FROM vectors"):
            assert np.frombuffer(row, np.float32).tolist() == loaded[chunk].tolist()
            assert loaded[chunk].dtype == np.float32

    def test_filling_without_a_queue_does_nothing(self, index: Index) -> None:
        fill(index, 3)
        assert vectors.fill_from_known(index.db, "model-a", list(index.vectors())) == 0
        assert vectors.fill_from_known(index.db, "model-a", []) == 0

    def test_removed_chunks_are_found_no_more(self, index: Index) -> None:
        fill(index, 3)
        first, *others = index.vectors()
        vectors.remove(index.db, [first, 42])
        assert set(index.vectors()) == set(others)
        assert {chunk for chunk, _ in vectors.nearest(index.db, vector(b"q"), 10)} == set(others)
