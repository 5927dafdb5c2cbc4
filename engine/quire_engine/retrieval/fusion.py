"""Merging ranked lists: pure functions over plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quire_engine.records import ScoreTrace, Signal


@dataclass(frozen=True, slots=True)
class Ranking:
    """One retriever's list, best first."""

    name: str
    items: Sequence[tuple[int, float]]
    """(chunk id, score)."""
    weight: float = 1.0
    """Used by reciprocal rank fusion."""


Fused = list[tuple[int, float, ScoreTrace]]
"""(chunk id, score, trace), best first; the score is the sum of the trace's contributions."""


_NEAR = 0.8
"""The cosine of a passage that says what the question says."""


def reciprocal_rank_fusion(rankings: Sequence[Ranking], k: int = 60) -> Fused:
    """Each list adds weight / (k + rank).

    Cormack, Clarke, Büttcher: Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning
    Methods, SIGIR 2009; there every weight is 1.
    """
    signals: dict[int, list[Signal]] = {}
    for ranking in rankings:
        for rank, (item, score) in enumerate(ranking.items, start=1):
            contribution = ranking.weight / (k + rank)
            if contribution > 0:
                signal = Signal(ranking.name, rank, score, ranking.weight, contribution)
                signals.setdefault(item, []).append(signal)
    return _sorted(signals)


def convex_combination(
    dense: Ranking, keyword: Ranking, cosines: Mapping[int, float], weight: float
) -> Fused:
    """Adds weight x cosine and (1 - weight) x BM25, each brought to 0..1 over this question's candidates.

    BM25 is scaled from 0 to the highest candidate. Cosines are scaled from the lowest candidate to
    `_NEAR` (or the highest, where that is more): when nothing is near, the nearest is no match, and an
    exact word must not lose against it. ``cosines`` holds those of keyword candidates that the dense list
    lacks; a dense candidate that the keyword list lacks counts 0 there.

    Bruch, Gai, Ingber: An Analysis of Fusion Functions for Hybrid Retrieval, TOIS 2023.
    """
    near = {**cosines, **dict(dense.items)}
    words = dict(keyword.items)
    lowest, highest = min(near.values(), default=0.0), max(near.values(), default=0.0)
    spread = max(highest, _NEAR) - lowest or 1.0
    most = max(words.values(), default=0.0) or 1.0
    signals: dict[int, list[Signal]] = {}
    ranks = {item: rank for rank, (item, _) in enumerate(dense.items, start=1)}
    if weight > 0:
        for item, cosine in near.items():
            part = weight * (cosine - lowest) / spread
            signals.setdefault(item, []).append(Signal(dense.name, ranks.get(item, 0), cosine, weight, part))
    for rank, (item, score) in enumerate(keyword.items, start=1):
        part = (1 - weight) * score / most
        signals.setdefault(item, []).append(Signal(keyword.name, rank, score, 1 - weight, part))
    return _sorted(signals)


def _sorted(signals: Mapping[int, Sequence[Signal]]) -> Fused:
    """Ties go to the smaller id, so that the order is stable."""
    fused = [
        (item, sum(signal.contribution for signal in parts), ScoreTrace(tuple(parts)))
        for item, parts in signals.items()
    ]
    fused.sort(key=lambda entry: (-entry[1], entry[0]))
    return fused


def collapse(ids: Sequence[int], alike: Sequence[tuple[int, int]]) -> dict[int, list[int]]:
    """Each kept id with the later ones that are nearly the same, in order.

    ``alike`` holds (earlier, later) pairs of near-duplicates.
    """
    earlier: dict[int, list[int]] = {}
    for first, second in alike:
        earlier.setdefault(second, []).append(first)
    groups: dict[int, list[int]] = {}
    for item in ids:
        kept = next((other for other in earlier.get(item, ()) if other in groups), None)
        if kept is None:
            groups[item] = []
        else:
            groups[kept].append(item)
    return groups
