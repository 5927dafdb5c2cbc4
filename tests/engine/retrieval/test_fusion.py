from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_engine.retrieval.fusion import (
    Fused,
    Ranking,
    collapse,
    convex_combination,
    reciprocal_rank_fusion,
)


def ranked(scores: dict[int, float]) -> list[tuple[int, float]]:
    return sorted(scores.items(), key=lambda item: -item[1])


LISTS = st.dictionaries(st.integers(0, 50), st.floats(0, 30), max_size=20).map(ranked)
COSINES = st.dictionaries(st.integers(0, 50), st.floats(-1, 1), max_size=20).map(ranked)


def assert_explained(fused: Fused) -> None:
    """Every score is the sum of its contributions; best first, ties by id, each once."""
    assert [(-score, item) for item, score, _ in fused] == sorted((-score, item) for item, score, _ in fused)
    assert len({item for item, _, _ in fused}) == len(fused)
    for _, score, trace in fused:
        assert score == pytest.approx(sum(signal.contribution for signal in trace.signals))
        assert trace.signals


class TestReciprocalRankFusion:
    def test_adds_what_each_list_says(self) -> None:
        fused = reciprocal_rank_fusion(
            [Ranking("dense", [(1, 0.9), (2, 0.8)]), Ranking("keyword", [(2, 7.0), (3, 5.0)], 0.5)], k=10
        )
        assert [(item, score) for item, score, _ in fused] == [
            (2, pytest.approx(1 / 12 + 0.5 / 11)),
            (1, pytest.approx(1 / 11)),
            (3, pytest.approx(0.5 / 12)),
        ]
        signals = fused[0][2].signals
        assert [(s.name, s.rank, s.score, s.weight) for s in signals] == [
            ("dense", 2, 0.8, 1.0),
            ("keyword", 1, 7.0, 0.5),
        ]

    def test_a_list_without_weight_says_nothing(self) -> None:
        fused = reciprocal_rank_fusion([Ranking("dense", [(1, 0.9)], 0.0), Ranking("keyword", [(2, 1.0)])])
        assert [item for item, _, _ in fused] == [2]

    def test_ties_go_to_the_smaller_id(self) -> None:
        fused = reciprocal_rank_fusion([Ranking("dense", [(9, 1.0)]), Ranking("keyword", [(3, 1.0)])])
        assert [item for item, _, _ in fused] == [3, 9]

    def test_of_nothing_is_nothing(self) -> None:
        assert reciprocal_rank_fusion([]) == []
        assert reciprocal_rank_fusion([Ranking("dense", [])]) == []

    @given(LISTS, LISTS, st.floats(0, 2), st.integers(1, 100))
    def test_every_score_is_explained(
        self, dense: list[tuple[int, float]], words: list[tuple[int, float]], weight: float, k: int
    ) -> None:
        assert_explained(
            reciprocal_rank_fusion([Ranking("dense", dense, weight), Ranking("keyword", words)], k)
        )


class TestConvexCombination:
    def test_the_best_of_both_lists_is_first(self) -> None:
        dense = Ranking("dense", [(1, 0.9), (2, 0.7), (3, 0.1)])
        fused = convex_combination(dense, Ranking("keyword", [(1, 8.0), (4, 4.0)]), {4: 0.1}, 0.5)
        scores = {item: score for item, score, _ in fused}
        assert next(iter(scores)) == 1
        assert scores[1] == pytest.approx(1.0)
        assert scores[4] == pytest.approx(0.25)
        assert scores[3] == pytest.approx(0.0)

    def test_when_nothing_is_near_an_exact_word_wins(self) -> None:
        dense = Ranking("dense", [(1, 0.2), (2, 0.15), (3, 0.1)])
        fused = convex_combination(dense, Ranking("keyword", [(3, 2.0)]), {}, 0.5)
        assert fused[0][0] == 3

    def test_keyword_candidates_have_their_cosine_too(self) -> None:
        fused = convex_combination(
            Ranking("dense", [(1, 0.9), (2, 0.1)]),
            Ranking("keyword", [(3, 5.0), (4, 5.0)]),
            {3: 0.8, 4: 0.2},
            0.5,
        )
        scores = {item: score for item, score, _ in fused}
        assert scores[3] > scores[4]
        (trace,) = [trace for item, _, trace in fused if item == 3]
        assert [(signal.name, signal.rank) for signal in trace.signals] == [("dense", 0), ("keyword", 1)]

    def test_without_dense_weight_only_words_count(self) -> None:
        fused = convex_combination(Ranking("dense", [(1, 0.9)]), Ranking("keyword", [(2, 3.0)]), {}, 0.0)
        assert [(item, score) for item, score, _ in fused] == [(2, 1.0)]

    def test_of_nothing_is_nothing(self) -> None:
        assert convex_combination(Ranking("dense", []), Ranking("keyword", []), {}, 0.5) == []

    @given(COSINES, LISTS, st.dictionaries(st.integers(0, 50), st.floats(-1, 1)), st.floats(0, 1))
    def test_every_score_is_explained_and_a_share(
        self,
        dense: list[tuple[int, float]],
        words: list[tuple[int, float]],
        cosines: dict[int, float],
        weight: float,
    ) -> None:
        fused = convex_combination(Ranking("dense", dense), Ranking("keyword", words), cosines, weight)
        assert_explained(fused)
        assert all(-1e-9 <= score <= 1 + 1e-9 for _, score, _ in fused)


class TestCollapse:
    def test_the_earlier_of_a_pair_stands_for_both(self) -> None:
        assert collapse([5, 3, 8], [(5, 8)]) == {5: [8], 3: []}

    def test_what_is_like_a_collapsed_one_stays(self) -> None:
        assert collapse([1, 2, 3], [(1, 2), (2, 3)]) == {1: [2], 3: []}

    def test_several_stand_behind_one(self) -> None:
        assert collapse([1, 2, 3], [(1, 2), (1, 3), (2, 3)]) == {1: [2, 3]}

    @given(st.lists(st.integers(0, 20), unique=True), st.data())
    def test_nothing_is_lost_and_order_stays(self, ids: list[int], data: st.DataObject) -> None:
        pairs = [(a, b) for n, a in enumerate(ids) for b in ids[n + 1 :]]
        alike = data.draw(st.lists(st.sampled_from(pairs))) if pairs else []
        groups = collapse(ids, alike)
        assert sorted([*groups, *(item for group in groups.values() for item in group)]) == sorted(ids)
        assert list(groups) == [item for item in ids if item in groups]
        for kept, group in groups.items():
            assert all((kept, other) in alike for other in group)
