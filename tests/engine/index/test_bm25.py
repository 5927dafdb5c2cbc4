from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_engine.index.bm25 import best, inverse_document_frequency, rarity


class TestBest:
    @given(st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.5]), max_size=40), st.integers(1, 10))
    def test_is_the_head_of_the_sorted_whole(self, scores: list[float], limit: int) -> None:
        ids = np.arange(len(scores), 0, -1, dtype=np.uint64)
        whole = sorted(
            ((int(chunk), score) for chunk, score in zip(ids, scores, strict=True) if score),
            key=lambda hit: (-hit[1], hit[0]),
        )
        assert best(ids, np.array(scores), limit) == whole[:limit]

    def test_keeps_the_largest_id(self) -> None:
        assert best(np.array([2**63 - 1], np.uint64), np.array([1.0]), 3) == [(2**63 - 1, 1.0)]


class TestWeights:
    @pytest.mark.parametrize("total", [1, 2, 50, 10**6])
    def test_a_term_weighs_the_less_the_more_passages_hold_it_and_never_nothing(self, total: int) -> None:
        weights = [inverse_document_frequency(total, having) for having in range(min(total, 60) + 1)]
        assert weights == sorted(weights, reverse=True)
        assert weights[-1] > 0

    def test_rarity_in_a_handful_of_passages_is_that_in_a_thousand(self) -> None:
        assert rarity(5, 2) == rarity(1000, 2) == inverse_document_frequency(1000, 2)
        assert rarity(5000, 2) == inverse_document_frequency(5000, 2)
