from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from quire_engine.index.kmeans import cells, nearest_mean

from .shard_box import clustered


@given(st.integers(2, 200), st.integers(1, 8), st.integers(2, 20), st.integers(1, 40), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_no_cell_is_too_small(count: int, kinds: int, wanted: int, least: int, seed: int) -> None:
    different = clustered(min(kinds, count), 8, seed)
    vectors = different[np.random.default_rng(seed).integers(len(different), size=count)]
    least = min(least, count // 2)
    sizes = np.bincount(cells(vectors, wanted, least))
    assert sizes.sum() == count
    assert sizes.min() >= least
    assert 2 <= len(sizes) <= max(2, wanted)


def test_cells_are_the_clusters_where_there_are_some() -> None:
    vectors = np.repeat(np.eye(3, 8, dtype=np.float32), 50, axis=0)
    vectors += np.random.default_rng(0).normal(scale=0.05, size=vectors.shape).astype(np.float32)
    labels = cells(vectors, 12, 1)
    for one in range(3):
        inside = set(labels[one * 50 : one * 50 + 50].tolist())
        assert inside.isdisjoint(np.delete(labels, slice(one * 50, one * 50 + 50)).tolist())


def test_the_same_vectors_give_the_same_cells() -> None:
    vectors = clustered(500, 8, seed=1)
    assert cells(vectors, 7, 20).tolist() == cells(vectors.copy(), 7, 20).tolist()


def test_nearest_is_by_distance_not_by_direction() -> None:
    means = np.array([[1.0, 0.0], [0.4, 0.3]], dtype=np.float32)
    assert nearest_mean(np.array([[0.45, 0.1], [0.9, 0.1]], dtype=np.float32), means).tolist() == [1, 0]
