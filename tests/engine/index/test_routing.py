from __future__ import annotations

import numpy as np
import pytest

from quire_engine.index.kmeans import cells
from quire_engine.index.routing import (
    MISSED,
    Calibration,
    calibrate,
    first_shards,
    further_shards,
    spread,
)

from .shard_box import Floats, clustered

PLAIN = Calibration(base=0.1, slope=0.0, factor=1.0, shards=4)
SIMILARITIES = np.array([0.8, 0.1, 0.5, -0.2], dtype=np.float32)
SPREADS = np.ones(4, dtype=np.float32)
COUNTS = np.array([3000.0, 500.0, 500.0, 500.0])


def further(threshold: float, calibration: Calibration = PLAIN, spreads: Floats = SPREADS) -> list[int]:
    first = np.array([0])
    found: list[int] = further_shards(
        SIMILARITIES, spreads, COUNTS, calibration, threshold, first, 100
    ).tolist()
    return found


class TestFirstShards:
    def test_are_the_nearest_that_hold_enough(self) -> None:
        assert first_shards(SIMILARITIES, COUNTS, 100).tolist() == [0]
        assert first_shards(SIMILARITIES, COUNTS, 800).tolist() == [0, 2]

    def test_are_all_when_there_is_little(self) -> None:
        assert sorted(first_shards(SIMILARITIES, COUNTS / 100, 100).tolist()) == [0, 1, 2, 3]


class TestFurtherShards:
    def test_are_none_when_nothing_better_is_expected(self) -> None:
        assert further(0.95) == []

    def test_are_those_that_may_hold_better_ones_likeliest_first(self) -> None:
        assert further(0.6) == [2]
        assert further(0.3) == [2, 1]

    def test_are_all_while_nothing_is_known(self) -> None:
        assert sorted(further(-1.0)) == [1, 2, 3]

    def test_grow_with_the_spread(self) -> None:
        assert further(0.85) == []
        assert further(0.85, spreads=np.array([1, 1, 3, 1], dtype=np.float32)) == [2]
        assert further(0.85, Calibration(base=0.1, slope=0.5, factor=1.0, shards=4)) == [2]
        assert further(0.85, Calibration(base=0.1, slope=0.0, factor=2.0, shards=4)) == [2]

    def test_leave_out_as_much_as_may_be_missed(self) -> None:
        # Half of a shard at the threshold is expected above it.
        similarities = np.array([0.9, 0.5], dtype=np.float32)
        for count, wanted in ((2 * MISSED * 100 - 1, []), (2 * MISSED * 100 + 1, [1])):
            counts = np.array([5000.0, count])
            spreads = np.ones(2, dtype=np.float32)
            found = further_shards(similarities, spreads, counts, PLAIN, 0.5, np.array([0]), 100)
            assert found.tolist() == wanted


class TestCalibrate:
    @pytest.mark.parametrize("shift", [0.0, 3.0])
    def test_reaches_the_goal_without_looking_everywhere(self, shift: float) -> None:
        vectors = clustered(8_000, 32, seed=1)
        vectors[:, 0] += shift  # some models' vectors all point one way
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        shard_of = cells(vectors, 80, 10)
        fitted = calibrate(vectors, shard_of, np.arange(0, 8_000, 100), 100, 80)
        counts = np.bincount(shard_of).astype(np.float64)
        means = np.stack([vectors[shard_of == shard].mean(axis=0) for shard in range(len(counts))])
        recalls, shares = [], []
        for row in range(7, 8_000, 200):
            scores, similarities = vectors @ vectors[row], means @ vectors[row]
            first = first_shards(similarities, counts, 100)
            threshold = float(np.sort(scores[np.isin(shard_of, first)])[-100])
            more = further_shards(similarities, spread(means), counts, fitted, threshold, first, 100)
            probed = np.concatenate([first, more])
            recalls.append(np.isin(shard_of[np.argsort(-scores)[:10]], probed).mean())
            shares.append(counts[probed].sum() / counts.sum())
        assert np.mean(recalls) >= 0.98
        assert np.mean(shares) < 0.8

    def test_of_a_handful_works_too(self) -> None:
        vectors = clustered(5, 8, seed=1)
        fitted = calibrate(vectors, np.array([0, 0, 1, 1, 1]), np.arange(5), 100, 2)
        assert np.isfinite([fitted.base, fitted.slope, fitted.factor]).all()
