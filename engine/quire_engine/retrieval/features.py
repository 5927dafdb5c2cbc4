"""What speaks for a passage, each signal a number from 0 to 1: pure functions over plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from quire_engine.analysis import terms
from quire_engine.markup import plain
from quire_engine.records import Hit

if TYPE_CHECKING:
    from quire_engine.interfaces import FloatArray
    from quire_engine.retrieval.candidates import Scores

_NEAR = 0.8
"""The cosine of a passage that says what the question says."""
_ALIKE = 5
"""The nearest other candidates that vouch for one."""
_TIES = 0.5
"""The sum of squared similarities that is needed for a full say: in a small vault the nearest are strangers,
and of two of them that which is less near to the question would have the other's score, and win."""
_TOGETHER = 8
"""Words within which two terms stand together."""
_AHEAD = 5
"""The next occurrences that one is paired with: text that repeats a term has very many pairs."""
_HALF_LIFE = 90 * 86_400.0
"""Seconds after which a note is half as fresh."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Brings cosines to 0..1, by the candidates that the two searches brought.

    From the lowest to `_NEAR` (or the highest, where that is more): when nothing is near, the nearest is no
    match, and an exact word must not lose against it.
    """

    lowest: float
    spread: float

    @classmethod
    def of(cls, cosines: Scores) -> Scale:
        known = cosines[~np.isnan(cosines)]
        if not len(known):
            return cls(0.0, 1.0)
        lowest = float(known.min())
        return cls(lowest, max(float(known.max()), _NEAR) - lowest or 1.0)

    def applied(self, cosines: Scores) -> Scores:
        """0 for NaN and for what lies below the lowest."""
        return np.maximum(np.nan_to_num((cosines - self.lowest) / self.spread, nan=0.0), 0.0)


def vouched(vectors: FloatArray, scores: Scores) -> Scores:
    """For each passage the mean of the five most similar others' ``scores``, by squared similarity.

    Less where they are hardly similar.

    Passages that say much the same are relevant together (the cluster hypothesis; Diaz: Regularizing ad hoc
    retrieval scores, CIKM 2005). ``vectors`` are unit vectors, or zeros where there is none: such a passage
    neither vouches nor is vouched for.
    """
    count = len(vectors)
    known = np.flatnonzero(vectors.any(axis=1))
    means = np.zeros(count)
    if len(known) < 2:
        return means
    similar = vectors[known] @ vectors[known].T
    np.fill_diagonal(similar, -1.0)
    most = min(_ALIKE, len(known) - 1)
    nearest = np.argpartition(-similar, most - 1, axis=1)[:, :most]
    weights = np.clip(np.take_along_axis(similar, nearest, axis=1), 0.0, 1.0) ** 2
    sums = weights.sum(axis=1)
    means[known] = (scores[known][nearest] * weights).sum(axis=1) / np.maximum(sums, _TIES)
    return means


class Wanted:
    """The terms of a question, with how rare they are in the vault."""

    def __init__(self, rarity: Mapping[str, float], language: str = "") -> None:
        """``rarity`` holds the inverse document frequency of each term, as analysed in ``language``."""
        self.rarity = dict(rarity)
        self.language = language
        self._rarest = max(rarity.values(), default=0.0)
        weights = sorted(rarity.values(), reverse=True)
        # The pairs of terms, by the rarer ones, of which a passage may hold as many as twice the terms.
        pairs = [low for number, low in enumerate(weights) for _ in range(number)]
        self._pairs = sum(pairs[: 2 * len(weights)])

    def proximity(self, text: Sequence[str]) -> float:
        """How many of the question's terms stand near each other, counted by the commoner of two.

        Metzler, Croft: A Markov Random Field Model for Term Dependencies, SIGIR 2005, unordered windows.
        """
        if not self._pairs:
            return 0.0
        places = [(place, term) for place, term in enumerate(text) if term in self.rarity]
        met: set[tuple[str, str]] = set()
        for number, (place, term) in enumerate(places):
            for other_place, other in places[number + 1 : number + 1 + _AHEAD]:
                if other_place - place > _TOGETHER:
                    break
                if other != term:
                    met.add((term, other) if term < other else (other, term))
        found = sum(min(self.rarity[one], self.rarity[other]) for one, other in met)
        return min(1.0, found / self._pairs)

    def rarest(self, held: set[str]) -> float:
        """How rare the rarest term is that is among ``held``, against the rarest of the question."""
        found = max((self.rarity[term] for term in held & self.rarity.keys()), default=0.0)
        return found / self._rarest if self._rarest else 0.0

    def words(self, hit: Hit) -> list[str]:
        """The terms of a passage, in order, stop words among them."""
        text = hit.text if hit.kind == "properties" else plain(hit.text)
        return terms(text, self.language, keep_stop_words=True)

    def names(self, hit: Hit) -> set[str]:
        """The terms of its note's title and of its headings."""
        return set().union(*(_name_terms(name, self.language) for name in (hit.title, *hit.headings)))


@lru_cache(maxsize=4096)
def _name_terms(name: str, language: str) -> frozenset[str]:
    return frozenset(terms(name, language, keep_stop_words=True))


def fresh(modified: float, now: float, recency: float, since: float | None, before: float | None) -> float:
    """How well a note's time fits a question that asks for what is recent, or names a time.

    ``recency`` (0 to 1) is how much what is recent is asked for; ``since`` and ``before`` are the ends of
    the time named. All in Unix seconds.
    """
    if since is not None or before is not None:
        inside = (since is None or modified >= since) and (before is None or modified < before)
        return 1.0 if inside else 0.0
    return float(recency * 0.5 ** (max(0.0, now - modified) / _HALF_LIFE))
