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
_LEAST_STEP = 1e-6
_FEWEST = 20
"""Cases of a set from which a share is taken seriously."""


def softmax(scores: Doubles) -> Doubles:
    """Probabilities that grow with ``scores``."""
    likely: Doubles = np.exp(scores - scores.max())
    likely /= likely.sum()
    return likely


def fit(sets: Sets, *, ridge: float = _RIDGE, any_of: bool = False) -> Doubles:
    """The coefficients of the greatest likelihood (Newton's method, a little ridge).

    With ``any_of`` each alternative that holds something is as good as all of them together: one that is
    right is to be chosen, whichever.
    """
    cases = _Cases(sets)
    weights = np.zeros(cases.features.shape[1])
    loss, gradient, curvature = cases.at(weights, ridge, any_of)
    for _ in range(_ROUNDS):
        step = np.linalg.solve(curvature, gradient)
        tried = weights - step
        found = cases.at(tried, ridge, any_of)
        while found[0] > loss and np.abs(step).max() >= _LEAST_STEP:  # too far: Newton's method may overshoot
            step = step / 2
            tried = weights - step
            found = cases.at(tried, ridge, any_of)
        if found[0] <= loss:
            weights, (loss, gradient, curvature) = tried, found
        if np.abs(step).max() < _LEAST_STEP:
            break
    return weights


class _Cases:
    """All cases of all sets, one below the other."""

    def __init__(self, sets: Sets) -> None:
        every = [case for cases in sets.values() for case in cases]
        sizes = np.array([len(wanted) for _, wanted in every])
        self.features = np.concatenate([features for features, _ in every])
        self._wanted = np.concatenate([wanted for _, wanted in every])
        self._starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        self._case = np.repeat(np.arange(len(every)), sizes)
        self._counts = np.concatenate([np.full(len(cases), 1 / len(cases)) for cases in sets.values()])
        """How much each case counts."""

    def at(self, weights: Doubles, ridge: float, any_of: bool) -> tuple[float, Doubles, Doubles]:
        """What is to be as small as possible, its gradient, and a curvature that is at least its own."""
        scores = self.features @ weights
        scores -= np.maximum.reduceat(scores, self._starts)[self._case]
        logs = scores - np.log(self._sums(np.exp(scores)))[self._case]
        likely = np.exp(logs)
        wanted = self._wanted
        if any_of:
            right = np.maximum(self._sums(likely * (wanted > 0)), np.finfo(np.float64).tiny)
            loss = -float(self._counts @ np.log(right))
            wanted = likely * (wanted > 0) / right[self._case]  # how likely each is the one, if one is right
        else:
            loss = -float(self._counts @ self._sums(wanted * logs))
        counts = self._counts[self._case]
        gradient = self.features.T @ (counts * (likely - wanted)) + ridge * weights
        expected = np.add.reduceat(self.features * likely[:, None], self._starts, axis=0)
        curvature = (self.features.T * (counts * likely)) @ self.features
        curvature -= (expected.T * self._counts) @ expected
        return (
            loss + ridge / 2 * float(weights @ weights),
            gradient,
            curvature + ridge * np.eye(len(weights)),
        )

    def _sums(self, values: Doubles) -> Doubles:
        sums: Doubles = np.add.reduceat(values, self._starts)
        return sums


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
