"""The bootstrap against distributions that can be worked out."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire_engine.evaluation.resampling import RESAMPLES, intervals, p_values, resampled_means

if TYPE_CHECKING:
    from quire_engine.evaluation.resampling import Doubles


def column(*values: float) -> Doubles:
    return np.array(values, dtype=np.float64)[:, None]


def p_value(*differences: float) -> float:
    change = column(*differences)
    return p_values(resampled_means(change), change.mean(axis=0))[0]


class TestMeans:
    def test_are_distributed_as_the_binomial_distribution_says(self) -> None:
        means = resampled_means(column(0, 1))[:, 0]
        assert len(means) == RESAMPLES
        assert [np.mean(means == value) for value in (0.0, 0.5, 1.0)] == pytest.approx(
            [0.25, 0.5, 0.25], abs=0.015
        )

    def test_spread_as_the_standard_error_says(self) -> None:
        values = np.random.default_rng(7).random((400, 1))
        means = resampled_means(values)[:, 0]
        assert means.mean() == pytest.approx(values.mean(), abs=0.001)
        assert means.std() == pytest.approx(values.std() / sqrt(400), rel=0.03)

    def test_of_several_measures_stay_paired(self) -> None:
        values = np.random.default_rng(7).random((20, 1))
        means = resampled_means(np.hstack([values, 1 - values]))
        assert means.sum(axis=1) == pytest.approx(1.0)

    def test_are_the_same_every_time(self) -> None:
        values = np.random.default_rng(7).random((3000, 2))  # more than fit into one draw
        assert len(resampled_means(values)) == RESAMPLES
        assert np.array_equal(resampled_means(values), resampled_means(values))


class TestIntervals:
    def test_of_six_successes_in_ten_are_the_quantiles_of_the_binomial_distribution(self) -> None:
        # For n = 10 and p = 0.6: P(X ≤ 2) = 0.012, P(X ≤ 3) = 0.055; P(X ≤ 8) = 0.954, P(X ≤ 9) = 0.994.
        means = resampled_means(column(*[1] * 6, *[0] * 4))
        assert intervals(means) == [pytest.approx((0.3, 0.9))]

    def test_of_many_values_are_those_of_the_normal_distribution(self) -> None:
        values = np.random.default_rng(7).random((500, 1))
        reach = 1.96 * values.std() / sqrt(500)
        ((low, high),) = intervals(resampled_means(values))
        assert (low, high) == pytest.approx((values.mean() - reach, values.mean() + reach), abs=0.1 * reach)

    def test_of_one_value_is_that_value(self) -> None:
        assert intervals(resampled_means(column(0.25))) == [(0.25, 0.25)]

    @settings(max_examples=20)
    @given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
    def test_lie_around_the_mean_and_within_the_values(self, values: list[float]) -> None:
        ((low, high),) = intervals(resampled_means(column(*values)))
        assert min(values) - 1e-9 <= low <= np.mean(values) + 1e-9
        assert np.mean(values) - 1e-9 <= high <= max(values) + 1e-9


class TestPValues:
    def test_a_gain_for_every_query_is_as_unlikely_as_can_be_told(self) -> None:
        assert p_value(0.1, 0.1, 0.1) == pytest.approx(1 / (RESAMPLES + 1))

    def test_no_difference_is_certain_to_be_chance(self) -> None:
        assert p_value(0, 0, 0) == p_value(0.5, -0.5) == 1.0

    def test_by_hand(self) -> None:
        # The mean is 1; of two draws from {3, -1} the mean lies at least 1 from it in half of the cases.
        assert p_value(3, -1) == pytest.approx(0.5, abs=0.015)

    def test_agrees_with_the_normal_distribution_where_that_holds(self) -> None:
        values = np.random.default_rng(7).normal(size=400)
        values += 2 * values.std() / sqrt(400) - values.mean()  # two standard errors from none
        assert p_value(*values) == pytest.approx(0.0455, abs=0.01)
        assert p_value(*values) == pytest.approx(p_value(*-values), abs=1e-9)
