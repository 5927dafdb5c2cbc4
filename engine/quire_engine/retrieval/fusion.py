"""Merging ranked lists: pure functions over plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quire_engine.records import ScoreTrace, Signal


@dataclass(frozen=True, slots=True)
class Ranking:
    """One retriever's list, best first."""

    name: str
    weight: float
    items: Sequence[tuple[int, float]]
    """(chunk id, score)."""


def reciprocal_rank_fusion(rankings: Sequence[Ranking], k: int = 60) -> list[tuple[int, float, ScoreTrace]]:
    """(chunk id, score, trace), best first: each list adds weight / (k + rank).

    Cormack, Clarke, Büttcher: Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning
    Methods, SIGIR 2009; there every weight is 1. Ties go to the smaller id, so that the order is stable.
    """
    signals: dict[int, list[Signal]] = {}
    for ranking in rankings:
        for rank, (item, score) in enumerate(ranking.items, start=1):
            contribution = ranking.weight / (k + rank)
            if contribution > 0:
                signal = Signal(ranking.name, rank, score, ranking.weight, contribution)
                signals.setdefault(item, []).append(signal)
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
