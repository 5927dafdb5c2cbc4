"""Whether confidence tells right from wrong: measures of answering selectively.

El-Yaniv, Wiener: On the Foundations of Noise-free Selective Classification, JMLR 2010; Geifman, Uziel,
El-Yaniv: Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers, ICLR 2019 (the area under the
curve). Equal confidences count as if they stood in random order. ``times`` says how often each item counts, a
row for each sample of the bootstrap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quire_engine.evaluation.resampling import Doubles

_POINTS = 20


def roc_area(confidence: Doubles, positive: NDArray[np.bool_], times: NDArray[np.int64]) -> Doubles:
    """How often a positive item has more confidence than a negative one, 0 to 1, for each row of ``times``.

    The area under the receiver operating characteristic. NaN where there are not both.
    """
    order, starts = _groups(confidence)
    above, below = (
        np.add.reduceat((times * side)[:, order], starts, axis=1) for side in (~positive, positive)
    )
    higher = np.cumsum(above, axis=1) - above / 2  # negatives that stand higher than the group's positives
    pairs = above.sum(axis=1) * below.sum(axis=1)
    wrong = (below * higher).sum(axis=1)
    return np.where(pairs > 0, 1 - wrong / np.maximum(pairs, 1), np.nan)


def risk_coverage_area(confidence: Doubles, wrong: NDArray[np.bool_], times: NDArray[np.int64]) -> Doubles:
    """The share of wrong ones among the k most confident items, averaged over all k.

    For each row of ``times``. The area under the risk-coverage curve; 0 is best. NaN where there is no item.
    """
    order, starts = _groups(confidence)
    items, errors = (
        np.add.reduceat((times * side)[:, order], starts, axis=1) for side in (np.ones_like(wrong), wrong)
    )
    through, errors_through = np.cumsum(items, axis=1), np.cumsum(errors, axis=1)
    before, errors_before = through - items, errors_through - errors
    rate = errors / np.maximum(items, 1)
    total = int(times.sum(axis=1).max(initial=0))
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, total + 1))])
    # Within a group the errors are spread evenly: the sum of (errors_before + i rate) / (before + i).
    risks = errors + (errors_before - rate * before) * (harmonic[through] - harmonic[before])
    counted = through[:, -1]
    return np.where(counted > 0, risks.sum(axis=1) / np.maximum(counted, 1), np.nan)


def risk_coverage_curve(
    confidence: Doubles, wrong: NDArray[np.bool_], questions: int
) -> list[tuple[float, float, float]]:
    """(coverage, risk, least confidence) by rising coverage, at most twenty points and the last.

    ``confidence`` and ``wrong`` are of what was answered; coverage is its share of all ``questions``.
    """
    if not len(confidence):
        return []
    order, starts = _groups(confidence)
    ends = np.append(starts[1:], len(order))
    errors = np.cumsum(wrong[order])
    points: list[tuple[float, float, float]] = []
    step = 0
    for end in ends.tolist():
        if end == len(order) or end * _POINTS >= (step + 1) * questions:
            step = end * _POINTS // questions
            risk = float(errors[end - 1]) / end
            points.append((end / questions, risk, float(confidence[order[end - 1]])))
    return points


def _groups(confidence: Doubles) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The items by falling confidence, and where in that order each group of equal ones begins."""
    order = np.argsort(-confidence, kind="stable")
    ordered = confidence[order]
    return order, np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
