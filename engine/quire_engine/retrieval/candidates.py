"""The passages that compete for a question: what the two searches bring, with both scores of each."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quire_engine.interfaces import FloatArray

    Scores = NDArray[np.float64]

Found = list[tuple[int, float]]
"""(chunk id, score), best first."""


@dataclass(frozen=True, slots=True)
class Lists:
    """What the two searches bring for a question, or for a part of one."""

    near: Found
    """By cosine."""
    words: Found
    """By BM25F."""

    def only(self, kept: Container[int]) -> Lists:
        """What they have of some chunks."""
        near, words = ([pair for pair in found if pair[0] in kept] for found in (self.near, self.words))
        return Lists(near, words)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Passages, a row each, with what both searches say about them."""

    ids: tuple[int, ...]
    cosines: Scores
    """To the question, shape (rows,); NaN for a passage without a vector."""
    words: Scores
    """BM25F, shape (rows,); 0 for a passage that holds no word of the question."""
    vectors: FloatArray
    """Unit vectors, shape (rows, dimensions); zeros for a passage without one."""
    lists: Lists

    def ranks(self) -> tuple[dict[int, int], dict[int, int]]:
        """The place of each chunk in the dense and in the keyword list, from 1."""
        near, words = (
            {chunk: rank for rank, (chunk, _) in enumerate(found, start=1)}
            for found in (self.lists.near, self.lists.words)
        )
        return near, words

    def only(self, kept: Container[int]) -> Candidates:
        """The rows of some chunks."""
        rows = [row for row, chunk in enumerate(self.ids) if chunk in kept]
        ids = tuple(self.ids[row] for row in rows)
        return Candidates(ids, self.cosines[rows], self.words[rows], self.vectors[rows], self.lists)


def every(found: Sequence[Lists]) -> tuple[int, ...]:
    """The chunks of several pairs of lists, each once, in order."""
    return tuple(dict.fromkeys(chunk for lists in found for chunk, _ in (*lists.near, *lists.words)))


def judged(
    ids: Sequence[int],
    lists: Lists,
    question: FloatArray | None,
    vectors: Callable[[Sequence[int]], Mapping[int, FloatArray]],
    words: Callable[[Sequence[int]], Sequence[tuple[int, float]]],
) -> Candidates:
    """Candidates ``ids`` with both scores, whatever brought them.

    ``lists`` are those of the whole question and ``question`` is its unit vector; ``vectors`` gives those of
    chunks, and ``words`` the BM25F score of the question for chunks that are not in the list.
    """
    cosines, table = _compared(ids, question, vectors)
    row = {chunk: number for number, chunk in enumerate(ids)}
    listed = {chunk for chunk, _ in lists.words}
    others = [chunk for chunk in ids if chunk not in listed]
    scores = np.zeros(len(ids))
    for chunk, score in (*lists.words, *(words(others) if others else ())):
        if chunk in row:
            scores[row[chunk]] = score
    return Candidates(tuple(ids), cosines, scores, table, lists)


def joined(first: Candidates, more: Candidates) -> Candidates:
    """The rows of both; those of ``more`` are others, and come behind."""
    return Candidates(
        (*first.ids, *more.ids),
        np.concatenate([first.cosines, more.cosines]),
        np.concatenate([first.words, more.words]),
        np.concatenate([first.vectors, more.vectors]),
        first.lists,
    )


def _compared(
    ids: Sequence[int],
    question: FloatArray | None,
    vectors: Callable[[Sequence[int]], Mapping[int, FloatArray]],
) -> tuple[Scores, FloatArray]:
    cosines = np.full(len(ids), np.nan)
    if question is None:
        return cosines, np.zeros((len(ids), 1), np.float32)
    table = np.zeros((len(ids), len(question)), np.float32)
    known = vectors(ids)
    rows = [number for number, chunk in enumerate(ids) if chunk in known]
    if rows:
        table[rows] = np.stack([known[ids[number]] for number in rows])
        cosines[rows] = table[rows] @ question
    return cosines, table
