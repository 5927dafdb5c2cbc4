"""Measures against values worked out by hand."""

from __future__ import annotations

from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_engine.evaluation.metrics import ndcg, percentile, precision, recall, reciprocal_rank, success

GRADES = {"a": 3.0, "b": 2.0, "c": 1.0, "d": 0.0}


class TestNdcg:
    def test_by_hand(self) -> None:
        gain = 2 / 1 + 0 + 3 / log2(4)
        ideal = 3 / 1 + 2 / log2(3) + 1 / log2(4)
        assert ndcg(["b", "x", "a"], GRADES) == pytest.approx(gain / ideal)

    def test_of_the_ideal_order_is_one(self) -> None:
        assert ndcg(["a", "b", "c", "d", "x"], GRADES) == pytest.approx(1.0)

    def test_depth_cuts_ranking_and_ideal(self) -> None:
        assert ndcg(["a", "b"], GRADES, depth=2) == pytest.approx(1.0)
        assert ndcg(["x", "x2", "a"], GRADES, depth=2) == 0.0

    def test_without_anything_relevant_is_nothing(self) -> None:
        assert ndcg(["a"], {}) == ndcg(["d"], {"d": 0.0}) == ndcg([], GRADES) == 0.0


class TestRecall:
    def test_by_hand(self) -> None:
        assert recall(["a", "x", "c", "b"], GRADES, 3) == pytest.approx(2 / 3)
        assert recall(["a", "b", "c"], GRADES, 10) == 1.0
        assert recall(["d"], GRADES, 10) == recall(["a"], {}, 10) == 0.0


class TestReciprocalRank:
    def test_by_hand(self) -> None:
        assert reciprocal_rank(["x", "d", "c", "a"], GRADES) == pytest.approx(1 / 3)
        assert reciprocal_rank(["x", "d", "c"], GRADES, depth=2) == 0.0
        assert reciprocal_rank([], GRADES) == 0.0


class TestSuccess:
    def test_by_hand(self) -> None:
        assert success(["x", "c"], GRADES) == 1.0
        assert success(["x", "d", "c"], GRADES, depth=2) == success([], GRADES) == 0.0


class TestPrecision:
    def test_by_hand(self) -> None:
        assert precision(["a", "x", "b", "d", "c", "a"], GRADES) == pytest.approx(3 / 5)
        assert precision(["a"], GRADES) == pytest.approx(1 / 5)
        assert precision([], GRADES) == 0.0


class TestPercentile:
    @pytest.mark.parametrize(
        ("share", "value"), [(0.5, 50.0), (0.95, 95.0), (0.951, 96.0), (1.0, 100.0), (0.001, 1.0), (0.0, 1.0)]
    )
    def test_of_the_first_hundred_numbers(self, share: float, value: float) -> None:
        assert percentile([float(n) for n in range(100, 0, -1)], share) == value

    def test_of_few_values(self) -> None:
        assert percentile([], 0.5) == 0.0
        assert percentile([7.0], 0.95) == 7.0
        assert percentile([1.0, 2.0], 0.5) == 1.0
        assert percentile([1.0, 2.0, 3.0], 0.5) == 2.0

    @given(st.lists(st.floats(0, 1e6), min_size=1), st.sampled_from([0.05, 0.5, 0.9, 0.95, 1.0]))
    def test_enough_values_do_not_exceed_it(self, values: list[float], share: float) -> None:
        found = percentile(values, share)
        assert found in values
        assert sum(value <= found for value in values) >= share * len(values) - 1e-9


class TestRanges:
    @given(
        st.lists(st.sampled_from("abcdefgh"), unique=True),
        st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0, 3)),
    )
    def test_every_measure_is_a_share(self, ranking: list[str], grades: dict[str, float]) -> None:
        for value in (
            ndcg(ranking, grades),
            recall(ranking, grades, 10),
            reciprocal_rank(ranking, grades),
            precision(ranking, grades),
        ):
            assert 0 <= value <= 1 + 1e-9
