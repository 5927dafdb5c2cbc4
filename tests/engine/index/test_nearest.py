"""The nearest vectors: exact where all are compared, nearly so where shards are chosen."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from quire_engine.index.nearest import nearest
from quire_engine.index.shards import ShardCache

from .conftest import Index, vector
from .shard_box import ShardBox, clustered
from .test_vectors import fill

Floats = NDArray[np.float32]


def by_cosine(index: Index, query: NDArray[np.float32]) -> list[tuple[int, float]]:
    rows = index.db.execute("SELECT id, embed_hash FROM chunks").fetchall()
    return sorted(((chunk, float(vector(digest) @ query)) for chunk, digest in rows), key=lambda r: -r[1])


class TestNearest:
    def test_are_the_nearest_by_cosine(self, index: Index) -> None:
        fill(index, 40)
        query = vector(b"query")
        expected = by_cosine(index, query)[:10]
        found = nearest(index.db, ShardCache(), query, 10)
        assert [chunk for chunk, _ in found] == [chunk for chunk, _ in expected]
        assert [score for _, score in found] == pytest.approx([score for _, score in expected], abs=2e-3)

    def test_length_of_the_query_does_not_matter(self, index: Index) -> None:
        fill(index, 5)
        query = vector(b"query")
        scores = [score for _, score in nearest(index.db, ShardCache(), query, 5)]
        assert [score for _, score in nearest(index.db, ShardCache(), query * 7, 5)] == pytest.approx(
            scores, abs=1e-5
        )

    def test_can_be_restricted(self, index: Index) -> None:
        fill(index, 40)
        query = vector(b"query")
        ranked = [chunk for chunk, _ in by_cosine(index, query)]
        among = [*ranked[30:35], 123456789]
        assert [chunk for chunk, _ in nearest(index.db, ShardCache(), query, 10, among)] == ranked[30:35]
        assert [chunk for chunk, _ in nearest(index.db, ShardCache(), query, 2, among)] == ranked[30:32]
        assert nearest(index.db, ShardCache(), query, 10, []) == []

    @pytest.mark.parametrize("every", [1, 2, 3])
    def test_restricted_to_many_none_of_them_is_lost(self, index: Index, every: int) -> None:
        """Ids take 63 bits: what compares them as 32 loses some."""
        fill(index, 300)
        query = vector(b"query")
        ranked = [chunk for chunk, _ in nearest(index.db, ShardCache(), query, 300)]
        among = sorted(ranked)[::every]
        wanted = [chunk for chunk in ranked if chunk in set(among)]
        assert min(ranked).bit_length() > 32
        found = nearest(index.db, ShardCache(), query, 300, among)
        assert [chunk for chunk, _ in found] == wanted
        assert [chunk for chunk, _ in nearest(index.db, ShardCache(), query, 10, among)] == wanted[:10]

    def test_of_nothing_are_none(self, index: Index) -> None:
        assert nearest(index.db, ShardCache(), vector(b"query"), 10) == []
        fill(index, 2)
        assert nearest(index.db, ShardCache(), vector(b"query"), 0) == []
        assert len(nearest(index.db, ShardCache(), vector(b"query"), 1_000_000)) == 2

    def test_without_a_table_there_are_none(self, index: Index) -> None:
        index.db.execute("DROP TABLE vectors")
        assert nearest(index.db, ShardCache(), vector(b"query"), 10) == []


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShardBox]:
    """Clustered vectors in shards that are small enough to choose among."""
    box = ShardBox(tmp_path_factory.mktemp("large"), 32)
    for slab in np.split(clustered(6_000, 32, seed=1), 2):
        box.put(slab)
        box.rebalance(split=64, whole=1000)
    yield box
    box.close()


def recall(found: list[tuple[int, float]], exact: list[tuple[int, float]]) -> float:
    return len({chunk for chunk, _ in found} & {chunk for chunk, _ in exact}) / len(exact)


class TestRouting:
    def test_finds_what_an_exact_scan_finds(self, large: ShardBox) -> None:
        cache = ShardCache()
        recalls = []
        for query in clustered(60, 32, seed=2):
            exact = nearest(large.db, cache, query, 10, whole=10**9)
            recalls.append(recall(nearest(large.db, cache, query, 10, whole=1000), exact))
        assert np.mean(recalls) >= 0.98

    def test_scores_are_those_of_an_exact_scan_best_first(self, large: ShardBox) -> None:
        query = clustered(1, 32, seed=3)[0]
        exact = dict(nearest(large.db, ShardCache(), query, 300, whole=10**9))
        found = nearest(large.db, ShardCache(), query, 200, whole=1000)
        assert len({chunk for chunk, _ in found}) == 200
        assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
        assert all(score == pytest.approx(exact[chunk]) for chunk, score in found if chunk in exact)

    def test_looks_into_few_shards_only(self, large: ShardBox) -> None:
        """Vectors that lie in a shard far from their like are not found: shards were left out."""
        query = clustered(1, 32, seed=4)[0]
        shards = ShardCache().at(large.db)
        farthest = int(shards.ids[(shards.means @ query).argmin()])
        with large.undone():
            (hidden,) = large.put(query[None], shard=farthest)
            exact = nearest(large.db, ShardCache(), query, 10, whole=10**9)
            routed = nearest(large.db, ShardCache(), query, 10, whole=1000)
        assert exact[0][0] == hidden
        assert hidden not in dict(routed)

    @pytest.mark.parametrize("share", [0.01, 0.2, 0.7])
    def test_filters_are_kept_and_leave_the_nearest(self, large: ShardBox, share: float) -> None:
        random = np.random.default_rng(5)
        recalls = []
        for query in clustered(12, 32, seed=6):
            among = [chunk for chunk in large.content if random.random() < share]
            exact = nearest(large.db, ShardCache(), query, 10, among, whole=10**9)
            found = nearest(large.db, ShardCache(), query, 10, among, whole=1000)
            assert {chunk for chunk, _ in found} <= set(among)
            recalls.append(recall(found, exact))
        assert np.mean(recalls) >= 0.98

    def test_a_filter_may_lie_in_one_place(self, large: ShardBox) -> None:
        """All that passes is far from the query, in shards that it would not look into."""
        query = clustered(1, 32, seed=7)[0]
        ranked = sorted(large.content, key=lambda chunk: float(large.content[chunk] @ query))
        among = ranked[:1500]
        exact = nearest(large.db, ShardCache(), query, 10, among, whole=10**9)
        found = nearest(large.db, ShardCache(), query, 10, among, whole=1000)
        assert recall(found, exact) >= 0.9

    def test_without_a_calibration_all_are_compared(self, large: ShardBox) -> None:
        query = clustered(1, 32, seed=8)[0]
        exact = nearest(large.db, ShardCache(), query, 50, whole=10**9)
        with large.undone():
            large.db.execute("DELETE FROM meta WHERE key = 'shards_calibration'")
            assert nearest(large.db, ShardCache(), query, 50, whole=1000) == exact
