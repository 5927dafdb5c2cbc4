"""Which of several alternatives is the right one: fitting a conditional logit, and thresholds over it.

A case is the alternatives' features, shape (alternatives, features), and the share of what is wanted that
each holds, adding up to 1. Sets of cases weigh alike, whatever their size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Case = tuple[Doubles, Doubles]
Sets = Mapping[str, Sequence[Case]]

_RIDGE = 1e-3
_ROUNDS = 50
_FEWEST = 20
"""Cases of a set from which a share is taken seriously."""


def softmax(scores: Doubles) -> Doubles:
    """Probabilities that grow with ``scores``."""
    likely: Doubles = np.exp(scores - scores.max())
    likely /= likely.sum()
    return likely


def fit(sets: Sets) -> Doubles:
    """The coefficients of the greatest likelihood (Newton's method, a little ridge)."""
    width = next(iter(sets.values()))[0][0].shape[1]
    weights = np.zeros(width)
    for _ in range(_ROUNDS):
        gradient, curvature = _RIDGE * weights, _RIDGE * np.eye(width)
        for cases in sets.values():
            for features, wanted in cases:
                likely = softmax(features @ weights)
                expected = features.T @ likely
                gradient = gradient + (expected - features.T @ wanted) / len(cases)
                spread = (features.T * likely) @ features - np.outer(expected, expected)
                curvature = curvature + spread / len(cases)
        step = np.linalg.solve(curvature, gradient)
        weights = weights - step
        if np.abs(step).max() < 1e-6:
            break
    return weights


def lowest(
    thresholds: Sequence[float], sets: Sets, held: Callable[[float, Case], float | None], least: float
) -> float:
    """The lowest threshold at which every set has a mean of ``least`` or more; infinity without one.

    ``held`` gives what is measured of a case, ``None`` for a case that does not count at that threshold. Sets
    in which too few count are left out.
    """
    for threshold in thresholds:
        means = []
        for cases in sets.values():
            values = [value for case in cases if (value := held(threshold, case)) is not None]
            if len(values) >= _FEWEST:
                means.append(float(np.mean(values)))
        if min(means, default=0.0) >= least:
            return threshold
    return float("inf")


def without(sets: Sets, name: str) -> Sets:
    """All sets but one."""
    return {other: cases for other, cases in sets.items() if other != name}
