from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_engine.retrieval.fusion import reciprocal_ranks


class TestReciprocalRanks:
    def test_of_what_a_list_found_and_nothing_of_the_rest(self) -> None:
        assert reciprocal_ranks([7, 8, 9], {9: 1, 7: 3}, 60).tolist() == pytest.approx([1 / 63, 0, 1 / 61])

    def test_the_constant_decides_how_much_the_first_places_count(self) -> None:
        first, second = reciprocal_ranks([1, 2], {1: 1, 2: 2}, 1)
        assert first / second == pytest.approx(1.5)
        first, second = reciprocal_ranks([1, 2], {1: 1, 2: 2}, 1000)
        assert first / second == pytest.approx(1.001, abs=1e-4)

    def test_of_nothing_is_nothing(self) -> None:
        assert reciprocal_ranks([], {1: 1}, 60).shape == (0,)

    @given(st.lists(st.integers(0, 50), unique=True), st.integers(1, 1000))
    def test_a_better_place_is_worth_more(self, found: list[int], k: int) -> None:
        ranks = {chunk: rank for rank, chunk in enumerate(found, start=1)}
        values = reciprocal_ranks(found, ranks, k).tolist()
        assert values == sorted(values, reverse=True)
        assert all(0 < value <= 1 / (k + 1) for value in values)
