from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from quire_engine.retrieval.diversity import alike, collapse, spread


class TestAlike:
    VECTORS = {
        1: np.array([1.0, 0.0], np.float32),
        2: np.array([0.0, 1.0], np.float32),
        3: np.array([0.96, 0.28], np.float32),
    }

    def test_pairs_above_the_threshold_the_earlier_first(self) -> None:
        assert alike([3, 2, 1], self.VECTORS, 0.95) == [(3, 1)]
        assert alike([1, 2, 3], self.VECTORS, 0.95) == [(1, 3)]
        assert alike([1, 2, 3], self.VECTORS, 0.97) == []

    def test_what_has_no_vector_is_like_nothing(self) -> None:
        assert alike([1, 4, 3, 5], self.VECTORS, 0.95) == [(1, 3)]
        assert alike([4, 5, 1], self.VECTORS, -2.0) == []
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


NOTE_OF = {**dict.fromkeys(range(10), "long.md"), 10: "a.md", 11: "b.md"}


class TestSpread:
    def test_a_note_makes_room_for_others(self) -> None:
        assert spread([0, 1, 2, 3, 10, 11], NOTE_OF, 4, 2) == [0, 1, 10, 11]

    def test_what_was_passed_over_fills_the_places_that_are_left(self) -> None:
        assert spread([0, 1, 2, 3, 10], NOTE_OF, 5, 2) == [0, 1, 10, 2, 3]
        assert spread([0, 1, 2, 3], NOTE_OF, 3, 2) == [0, 1, 2]

    def test_of_nothing_is_nothing(self) -> None:
        assert spread([], {}, 5, 2) == []
        assert spread([0, 10], NOTE_OF, 0, 2) == []

    @given(
        st.lists(st.integers(0, 30), unique=True),
        st.integers(1, 6),
        st.integers(0, 40),
        st.integers(1, 10),
    )
    def test_nothing_is_lost_and_no_note_floods(
        self, ids: list[int], notes: int, limit: int, most: int
    ) -> None:
        note_of = {item: f"{item % notes}.md" for item in ids}
        shown = spread(ids, note_of, limit, most)
        assert len(shown) == min(limit, len(ids))
        assert len(set(shown)) == len(shown)
        assert set(shown) <= set(ids)
        if limit >= len(ids):
            assert sorted(shown) == sorted(ids)
        counts: dict[str, int] = {}
        for item in shown:
            counts[note_of[item]] = counts.get(note_of[item], 0) + 1
        for item in set(ids) - set(shown):
            # Who is left out is of a note that has its share, or all who are shown are within theirs.
            full = counts.get(note_of[item], 0) >= most
            assert full or all(count <= most for count in counts.values())
        within = [item for number, item in enumerate(shown) if _place(shown, note_of, number) <= most]
        assert within == [item for item in ids if item in within]
        assert shown[: len(within)] == within


def _place(shown: list[int], note_of: dict[int, str], number: int) -> int:
    """Which of its note's hits this is, from 1."""
    note = note_of[shown[number]]
    return sum(note_of[item] == note for item in shown[: number + 1])
