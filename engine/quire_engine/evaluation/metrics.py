"""Measures of ranked retrieval: pure functions over one query's ranking and its judgements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log2


def ndcg(ranking: Sequence[str], grades: Mapping[str, float], depth: int = 10) -> float:
    """Normalised discounted cumulative gain at ``depth``, 0 to 1, with the grade itself as gain.

    Järvelin, Kekäläinen: Cumulated gain-based evaluation of IR techniques, TOIS 2002 (as trec_eval has it).
    """
    gain = sum(grades.get(item, 0.0) / log2(rank + 1) for rank, item in enumerate(ranking[:depth], start=1))
    ideal = sorted((grade for grade in grades.values() if grade > 0), reverse=True)[:depth]
    best = sum(grade / log2(rank + 1) for rank, grade in enumerate(ideal, start=1))
    return gain / best if best else 0.0


def recall(ranking: Sequence[str], grades: Mapping[str, float], depth: int) -> float:
    """The share of relevant items among the first ``depth``."""
    relevant = {item for item, grade in grades.items() if grade > 0}
    return len(relevant.intersection(ranking[:depth])) / len(relevant) if relevant else 0.0


def reciprocal_rank(ranking: Sequence[str], grades: Mapping[str, float], depth: int = 10) -> float:
    """1 / rank of the first relevant item among the first ``depth``, else 0."""
    for rank, item in enumerate(ranking[:depth], start=1):
        if grades.get(item, 0.0) > 0:
            return 1.0 / rank
    return 0.0


def success(ranking: Sequence[str], grades: Mapping[str, float], depth: int = 10) -> float:
    """1 when a relevant item is among the first ``depth``, else 0."""
    return float(reciprocal_rank(ranking, grades, depth) > 0)


def precision(ranking: Sequence[str], grades: Mapping[str, float], depth: int = 5) -> float:
    """The share of the first ``depth`` places that a relevant item holds."""
    return sum(grades.get(item, 0.0) > 0 for item in ranking[:depth]) / depth


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` of ``values`` do not exceed; 0 for none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, -(-int(share * 1000) * len(ordered) // 1000) - 1))]
