from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_engine.retrieval.expansion import (
    NEW_NOTES,
    Lift,
    Support,
    best_of_each,
    lifts,
    newcomers,
    supports,
)

RARITY = {"roof": 3.0, "leak": 1.0}
TEXT = "The roof may leak, see [[Slate]].\nAsk [[Ada]] about lunch.\nA roof by [[Ada]]."


class TestSupports:
    def test_a_link_counts_by_the_share_of_the_question_on_its_line(self) -> None:
        found = supports({1: 0.8}, {1: TEXT}, [(1, 0, 10), (1, 2, 20)], RARITY)
        assert found == {10: Support(pytest.approx(0.8), 0.8), 20: Support(pytest.approx(0.8 * 3 / 4), 0.8)}

    def test_a_link_with_nothing_of_the_question_around_it_is_none(self) -> None:
        assert supports({1: 0.8}, {1: TEXT}, [(1, 1, 20)], RARITY) == {}

    def test_of_several_links_to_a_note_the_best_counts(self) -> None:
        once = supports({1: 0.8}, {1: TEXT}, [(1, 0, 10)], RARITY)
        assert supports({1: 0.8}, {1: TEXT}, [(1, 2, 10), (1, 0, 10), (1, 1, 10)], RARITY) == once

    def test_passages_add_up(self) -> None:
        found = supports({1: 0.8, 2: 0.5}, {1: TEXT, 2: "roof leak"}, [(1, 0, 10), (2, 0, 10)], RARITY)
        assert found == {10: Support(pytest.approx(1.3), 0.8)}

    def test_words_are_compared_as_terms(self) -> None:
        found = supports({1: 1.0}, {1: "ROOFS, leaking"}, [(1, 0, 10)], RARITY)
        assert found[10].strength == pytest.approx(1.0)

    def test_a_line_beyond_the_text_is_its_last(self) -> None:
        assert supports({1: 1.0}, {1: "x\nroof"}, [(1, 7, 10)], RARITY)[10].strength == pytest.approx(3 / 4)

    @pytest.mark.parametrize("scores", [{}, {1: 0.0}])
    def test_passages_that_score_nothing_say_nothing(self, scores: dict[int, float]) -> None:
        assert supports(scores, {1: TEXT}, [(1, 0, 10)], RARITY) == {}

    @pytest.mark.parametrize("rarity", [{}, {"roof": 0.0}])
    def test_a_question_without_words(self, rarity: dict[str, float]) -> None:
        assert supports({1: 1.0}, {1: TEXT}, [(1, 0, 10)], rarity) == {}


class TestNewcomers:
    def test_the_most_vouched_for_that_are_not_known(self) -> None:
        supported = {10: Support(0.2, 0.2), 20: Support(0.9, 0.5), 30: Support(0.4, 0.4)}
        assert newcomers(supported, [30]) == [20, 10]

    def test_they_are_few(self) -> None:
        supported = {note: Support(1.0, 1.0) for note in range(NEW_NOTES * 2)}
        assert newcomers(supported, []) == list(range(NEW_NOTES))


def test_best_of_each_note() -> None:
    assert best_of_each({1: 0.2, 2: 0.5, 3: 0.5, 4: 0.1}, {1: 10, 2: 10, 3: 10, 4: 20}) == {10: 2, 20: 4}


NOTES = {1: 10, 2: 20, 3: 20}


WEIGHT = 0.3


class TestLifts:
    def test_the_best_passage_of_a_note_is_lifted(self) -> None:
        found = lifts({1: 0.9, 2: 0.1, 3: 0.2}, NOTES, {20: Support(0.4, 0.9)}, WEIGHT)
        assert found == {3: Lift(0.4, pytest.approx(WEIGHT * 0.4))}

    def test_a_heavier_weight_lifts_more_but_never_past_the_voucher(self) -> None:
        (light,) = lifts({1: 0.9, 2: 0.1}, NOTES, {20: Support(0.4, 0.9)}, 0.1).values()
        (heavy,) = lifts({1: 0.9, 2: 0.1}, NOTES, {20: Support(0.4, 0.9)}, 100.0).values()
        assert light.added == pytest.approx(0.04)
        assert light.added < heavy.added < 0.9 - 0.1

    def test_without_weight_nothing_is_lifted(self) -> None:
        assert lifts({1: 0.9, 2: 0.1}, NOTES, {20: Support(0.4, 0.9)}, 0.0) == {}

    def test_what_stands_as_high_as_its_vouchers_is_left_where_it_is(self) -> None:
        assert lifts({1: 0.9, 2: 0.8}, NOTES, {20: Support(3.0, 0.9)}, WEIGHT) == {}

    def test_a_note_that_no_candidate_is_of(self) -> None:
        assert lifts({1: 0.9}, NOTES, {20: Support(1.0, 0.9)}, WEIGHT) == {}

    scored = st.dictionaries(st.integers(1, 12), st.floats(0.0, 1.0), min_size=1)
    linked = st.lists(st.tuples(st.integers(1, 12), st.just(0), st.integers(0, 4)))

    @given(scores=scored, links=linked, weight=st.floats(0.0, 100.0))
    def test_nothing_passes_all_that_vouch_for_it(
        self, scores: dict[int, float], links: list[tuple[int, int, int]], weight: float
    ) -> None:
        notes = {chunk: chunk % 5 for chunk in range(1, 13)}
        texts = {chunk: ("roof", "leak", "roof leak")[chunk % 3] for chunk in notes}
        links = [link for link in links if notes[link[0]] != link[2]]
        for chunk, lift in lifts(scores, notes, supports(scores, texts, links, RARITY), weight).items():
            vouching = [scores.get(source, 0.0) for source, _, note in links if note == notes[chunk]]
            assert 0 < scores[chunk] + lift.added < max(vouching)

    @given(scores=scored, links=linked, factor=st.sampled_from([0.25, 2.0, 64.0]))
    def test_the_size_of_scores_does_not_matter(
        self, scores: dict[int, float], links: list[tuple[int, int, int]], factor: float
    ) -> None:
        notes = {chunk: chunk % 5 for chunk in range(1, 13)}
        texts = dict.fromkeys(notes, "roof")
        once = lifts(scores, notes, supports(scores, texts, links, RARITY), WEIGHT)
        scaled = {chunk: score * factor for chunk, score in scores.items()}
        more = lifts(scaled, notes, supports(scaled, texts, links, RARITY), WEIGHT)
        assert {chunk: lift.added * factor for chunk, lift in once.items()} == pytest.approx(
            {chunk: lift.added for chunk, lift in more.items()}
        )
