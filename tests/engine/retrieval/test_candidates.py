"""What the two searches bring, laid out for ranking."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from quire_engine.retrieval.candidates import Candidates, Lists, every, joined, judged

VECTORS = {
    1: np.array([1.0, 0.0], np.float32),
    2: np.array([0.6, 0.8], np.float32),
    3: np.array([0.0, 1.0], np.float32),
}
QUESTION = np.array([1.0, 0.0], np.float32)
LISTS = Lists([(1, 1.0), (2, 0.6)], [(4, 9.0), (2, 3.0)])


def words(ids: Sequence[int]) -> list[tuple[int, float]]:
    return [(chunk, 1.5) for chunk in ids if chunk == 3]


def judged_here(ids: Sequence[int], question: np.ndarray | None = QUESTION) -> Candidates:
    def known(ids: Sequence[int]) -> dict[int, np.ndarray]:
        return {chunk: VECTORS[chunk] for chunk in ids if chunk in VECTORS}

    return judged(ids, LISTS, question, known, words)


def test_every_chunk_of_all_lists_once() -> None:
    part = Lists([(3, 0.9), (1, 0.2)], [(5, 2.0)])
    assert every([LISTS, part]) == (1, 2, 4, 3, 5)


class TestJudged:
    def test_both_scores_whatever_brought_a_passage(self) -> None:
        found = judged_here([1, 2, 4, 3])
        assert found.cosines.tolist() == pytest.approx([1.0, 0.6, np.nan, 0.0], nan_ok=True)
        assert found.words.tolist() == [0.0, 3.0, 9.0, 1.5]
        assert found.vectors[2].tolist() == [0.0, 0.0]
        assert found.ranks() == ({1: 1, 2: 2}, {4: 1, 2: 2})

    def test_without_a_vector_of_the_question_nothing_is_near(self) -> None:
        found = judged_here([1, 4], None)
        assert np.isnan(found.cosines).all()
        assert not found.vectors.any()
        assert found.words.tolist() == [0.0, 9.0]

    def test_words_are_asked_for_only_where_the_list_does_not_tell(self) -> None:
        asked: list[list[int]] = []

        def counting(ids: Sequence[int]) -> list[tuple[int, float]]:
            asked.append(list(ids))
            return []

        judged([4, 2], LISTS, None, lambda _: {}, counting)
        judged([4, 1, 3], LISTS, None, lambda _: {}, counting)
        assert asked == [[1, 3]]


class TestRows:
    def test_some_of_them(self) -> None:
        found = judged_here([1, 2, 4, 3]).only({3, 1})
        assert found.ids == (1, 3)
        assert found.cosines.tolist() == pytest.approx([1.0, 0.0])
        assert found.words.tolist() == [0.0, 1.5]
        assert found.vectors.tolist() == [[1.0, 0.0], [0.0, 1.0]]
        assert found.lists is LISTS

    def test_more_of_them_behind(self) -> None:
        both = joined(judged_here([1, 2]), judged_here([3, 4]))
        whole = judged_here([1, 2, 3, 4])
        assert both.ids == whole.ids
        assert both.cosines.tolist() == pytest.approx(whole.cosines.tolist(), nan_ok=True)
        assert both.words.tolist() == whole.words.tolist()
        assert both.vectors.tolist() == whole.vectors.tolist()
