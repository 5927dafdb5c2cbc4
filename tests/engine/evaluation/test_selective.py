"""Confidence against right and wrong, by hand and by definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_engine.evaluation.selective import risk_coverage_area, risk_coverage_curve, roc_area

CONFIDENCE = np.array([0.9, 0.8, 0.8, 0.1])
POSITIVE = np.array([True, True, False, False])
ONCE = np.ones((1, 4), dtype=np.int64)


class TestRocArea:
    def test_by_hand(self) -> None:
        # Of four pairs three are in order; in one both stand alike.
        assert roc_area(CONFIDENCE, POSITIVE, ONCE) == pytest.approx([3.5 / 4])

    def test_items_count_as_often_as_drawn(self) -> None:
        times = np.array([[0, 2, 1, 0], [1, 0, 0, 3], [1, 1, 0, 0]])
        assert roc_area(CONFIDENCE, POSITIVE, times) == pytest.approx([0.5, 1.0, np.nan], nan_ok=True)

    @given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=12))
    def test_is_the_share_of_pairs_in_order(self, items: list[tuple[int, bool]]) -> None:
        pairs = [(a > b) + (a == b) / 2 for a, yes in items if yes for b, no in items if not no]
        expected = sum(pairs) / len(pairs) if pairs else np.nan
        found = roc_area(
            np.array([a for a, _ in items], dtype=np.float64),
            np.array([yes for _, yes in items]),
            np.ones((1, len(items)), dtype=np.int64),
        )
        assert found == pytest.approx([expected], nan_ok=True)


class TestRiskCoverage:
    WRONG = np.array([False, True, False, True])

    def test_area_by_hand(self) -> None:
        # After one item no error; of the two alike half an error each; after four two errors.
        expected = (0 + 0.5 / 2 + 1 / 3 + 2 / 4) / 4
        assert risk_coverage_area(CONFIDENCE, self.WRONG, ONCE) == pytest.approx([expected])

    def test_is_the_mean_over_all_orders_of_what_is_alike(self) -> None:
        alike = np.full(4, 0.5)
        assert risk_coverage_area(alike, self.WRONG, ONCE) == pytest.approx([0.5])

    def test_items_that_are_not_drawn_do_not_count(self) -> None:
        times = np.array([[1, 0, 1, 0], [0, 0, 0, 2], [0, 0, 0, 0]])
        assert risk_coverage_area(CONFIDENCE, self.WRONG, times) == pytest.approx([0, 1, np.nan], nan_ok=True)

    def test_the_curve_is_of_all_questions(self) -> None:
        points = risk_coverage_curve(CONFIDENCE, self.WRONG, 8)
        assert points == [(1 / 8, 0.0, 0.9), (3 / 8, 1 / 3, 0.8), (4 / 8, 0.5, 0.1)]
        assert risk_coverage_curve(np.array([]), np.array([], dtype=bool), 8) == []

    def test_a_long_curve_has_few_points(self) -> None:
        confidence = np.linspace(1, 0, 1000)
        points = risk_coverage_curve(confidence, np.zeros(1000, dtype=bool), 1000)
        assert len(points) == 20
        assert [point[0] for point in points] == pytest.approx([n / 20 for n in range(1, 21)])
