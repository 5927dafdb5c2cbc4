"""Sums of weighted signals, and the weights that ship."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_engine.errors import ConfigError
from quire_engine.retrieval.ranking import Ranking, Weight, learned, weights_at


class TestWeights:
    def test_follow_what_the_model_can_read(self) -> None:
        weight = Weight(read=0.8, unread=0.2)
        assert [weight.at(trust) for trust in (0.0, 0.5, 1.0)] == pytest.approx([0.2, 0.5, 0.8])

    def test_those_that_ship_lean_on_words_where_meaning_cannot_be_read(self) -> None:
        read, unread = weights_at(1.0, {}), weights_at(0.0, {})
        assert read.keys() == unread.keys() == learned().keys()
        assert read["dense"] / read["keyword"] > 2 * unread["dense"] / unread["keyword"]
        assert all(0 <= weight <= 100 for weight in (*read.values(), *unread.values()))

    def test_overrides_replace_whatever_the_trust(self) -> None:
        for trust in (0.0, 0.3, 1.0):
            found = weights_at(trust, {"dense": 0.6, "links": 0.0})
            assert (found["dense"], found["links"]) == (0.6, 0.0)
            assert found["keyword"] == weights_at(trust, {})["keyword"]

    def test_a_signal_that_there_is_not_is_named(self) -> None:
        with pytest.raises(ConfigError) as raised:
            weights_at(1.0, {"dense": 0.5, "magic\n": 1.0})
        message = str(raised.value)
        assert "'retrieval.weights'" in message
        assert r"'magic\n'" in message
        assert "\n" not in message
        assert "dense, freshness, keyword" in message


class TestRanking:
    def ranking(self) -> Ranking:
        ranking = Ranking([30, 10, 20])
        ranking.add(
            "dense",
            0.5,
            np.array([0.2, 1.0, 0.0]),
            raw=np.array([0.4, 0.9, 0.1]),
            ranks={10: 1, 30: 2, 20: 3},
        )
        ranking.add("keyword", 2.0, np.array([0.5, 0.0, 0.0]), raw=np.array([7.0, 0.0, 0.0]), ranks={30: 1})
        ranking.add("links", 0.0, np.array([1.0, 1.0, 1.0]))
        return ranking

    def test_scores_are_sums(self) -> None:
        assert self.ranking().totals.tolist() == pytest.approx([1.1, 0.5, 0.0])
        assert self.ranking().order() == [0, 1, 2]

    def test_signals_have_their_own_unit_and_place(self) -> None:
        dense, keyword = self.ranking().signals(0)
        assert (dense.name, dense.rank, dense.score, dense.weight) == ("dense", 2, 0.4, 0.5)
        assert dense.contribution == pytest.approx(0.1)
        assert (keyword.name, keyword.rank, keyword.score, keyword.weight) == ("keyword", 1, 7.0, 2.0)

    def test_what_found_a_passage_is_told_even_if_it_adds_nothing(self) -> None:
        (dense,) = self.ranking().signals(2)
        assert (dense.rank, dense.contribution) == (3, 0.0)

    def test_without_a_unit_of_its_own_a_signal_is_what_is_weighed(self) -> None:
        ranking = Ranking([1])
        ranking.add("rarest", 0.5, np.array([0.8]))
        (signal,) = ranking.signals(0)
        assert (signal.rank, signal.score, signal.contribution) == (0, 0.8, pytest.approx(0.4))

    def test_ties_go_to_the_smaller_id(self) -> None:
        ranking = Ranking([9, 2**62, 3])
        ranking.add("dense", 1.0, np.array([0.5, 0.5, 0.5]))
        assert [ranking.ids[row] for row in ranking.order()] == [3, 9, 2**62]

    def test_of_nothing_is_nothing(self) -> None:
        assert Ranking([]).order() == []

    values = st.lists(st.floats(0, 1), min_size=4, max_size=4)

    @given(st.lists(st.tuples(st.floats(0, 100), values), max_size=6))
    def test_every_score_is_the_sum_of_what_is_told(self, signals: list[tuple[float, list[float]]]) -> None:
        ranking = Ranking([4, 3, 2, 1])
        for number, (weight, values) in enumerate(signals):
            ranking.add(f"signal {number}", weight, np.array(values))
        rows = ranking.order()
        scores = [float(ranking.totals[row]) for row in rows]
        assert scores == sorted(scores, reverse=True)
        assert sorted(rows) == [0, 1, 2, 3]
        for row in rows:
            told = sum(signal.contribution for signal in ranking.signals(row))
            assert told == pytest.approx(float(ranking.totals[row]))
