from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from quire_engine.retrieval.diversity import COMPARABLE, alike, collapse, interleaved, spread

VECTORS = {
    1: np.array([1.0, 0.0], np.float32),
    2: np.array([0.0, 1.0], np.float32),
    3: np.array([0.96, 0.28], np.float32),
}


class TestAlike:
    def test_pairs_above_the_threshold_the_earlier_first(self) -> None:
        assert alike([3, 2, 1], VECTORS, 0.95) == [(3, 1)]
        assert alike([1, 2, 3], VECTORS, 0.95) == [(1, 3)]
        assert alike([1, 2, 3], VECTORS, 0.97) == []

    def test_what_has_no_vector_is_like_nothing(self) -> None:
        assert alike([1, 4, 3, 5], VECTORS, 0.95) == [(1, 3)]
        assert alike([4, 5, 1], VECTORS, -2.0) == []
        assert alike([], {}, 0.95) == []


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


class TestInterleaved:
    def test_parts_take_turns_each_in_its_order(self) -> None:
        assert interleaved([1, 2, 3, 4, 5], {1: 0, 2: 0, 3: 0, 4: 1, 5: 1}) == [1, 4, 2, 5, 3]

    def test_the_part_of_the_best_begins_and_what_answers_none_comes_last(self) -> None:
        assert interleaved([9, 1, 2, 3], {1: 1, 2: 1, 3: 0}) == [1, 3, 2, 9]

    def test_without_parts_nothing_changes(self) -> None:
        assert interleaved([3, 1, 2], {}) == [3, 1, 2]
        assert interleaved([3, 1, 2], {1: 0, 2: 0, 3: 0}) == [3, 1, 2]

    @given(st.lists(st.integers(0, 30), unique=True), st.dictionaries(st.integers(0, 30), st.integers(0, 3)))
    def test_nothing_is_lost(self, ids: list[int], part_of: dict[int, int]) -> None:
        order = interleaved(ids, part_of)
        assert sorted(order) == sorted(ids)
        for part in {None, *part_of.values()}:
            members = [item for item in ids if part_of.get(item) == part]
            assert [item for item in order if part_of.get(item) == part] == members


NOTE_OF = {**dict.fromkeys(range(10), 100), 10: 200, 11: 300}
ALIKE = dict.fromkeys(range(12), 1.0)


class TestSpread:
    def test_a_note_makes_room_for_others(self) -> None:
        assert spread([0, 1, 2, 3, 10, 11], ALIKE, NOTE_OF, 4, 2) == [0, 1, 10, 11, 2, 3]

    def test_what_was_passed_over_fills_the_places_that_are_left(self) -> None:
        assert spread([0, 1, 2, 3, 10], ALIKE, NOTE_OF, 5, 2) == [0, 1, 10, 2, 3]
        assert spread([0, 1, 2, 3], ALIKE, NOTE_OF, 3, 2) == [0, 1, 2, 3]

    def test_others_that_score_much_less_do_not_take_its_place(self) -> None:
        scores = {0: 1.0, 1: 0.9, 2: 0.8, 3: 0.8, 10: 0.6, 11: 0.5}
        assert spread([0, 1, 2, 3, 10, 11], scores, NOTE_OF, 5, 2) == [0, 1, 10, 2, 3, 11]

    def test_of_nothing_is_nothing(self) -> None:
        assert spread([], {}, {}, 5, 2) == []
        assert spread([0, 10], ALIKE, NOTE_OF, 0, 2) == [0, 10]

    ranked = st.dictionaries(st.integers(0, 30), st.floats(0, 3)).map(
        lambda scores: dict(sorted(scores.items(), key=lambda item: (-item[1], item[0])))
    )

    @given(ranked, st.integers(1, 6), st.integers(0, 40), st.integers(1, 10))
    def test_nothing_is_lost_and_no_note_floods(
        self, scores: dict[int, float], notes: int, limit: int, most: int
    ) -> None:
        ids = list(scores)
        note_of = {item: item % notes for item in ids}
        order = spread(ids, scores, note_of, limit, most)
        assert sorted(order) == sorted(ids)
        shown, rest = order[:limit], order[limit:]
        assert rest == [item for item in ids if item in rest]
        counts = Counter(note_of[item] for item in shown)
        for note in {note_of[item] for item in ids}:
            assert [item for item in shown if note_of[item] == note] == [
                item for item in ids if note_of[item] == note
            ][: counts[note]]
        for note, count in counts.items():
            if count > most:
                # Nobody is left out who compares with what the note has beyond its share.
                beyond = [item for item in shown if note_of[item] == note][most]
                for item in rest:
                    within = counts[note_of[item]] < most
                    assert not within or scores[item] < COMPARABLE * scores[beyond]
