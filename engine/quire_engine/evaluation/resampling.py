"""How far an average may be trusted: the bootstrap, over queries.

Efron, Tibshirani: An Introduction to the Bootstrap, 1993. For measures of retrieval: Sakai: Evaluating
Evaluation Metrics based on the Bootstrap, SIGIR 2006. The seed is fixed, so that the same measures always
give the same intervals.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]

RESAMPLES = 10_000
_SEED = 20_260_101
_AT_ONCE = 1 << 21
"""Numbers drawn at once: some tens of megabytes."""
_TAILS = (0.025, 0.975)
_ROUNDING = 1e-9


def resamples(items: int) -> Iterator[NDArray[np.int64]]:
    """How often each of ``items`` is drawn, for each of `RESAMPLES` samples drawn with replacement.

    In arrays of as many rows as fit: a row for each sample, a column for each item.
    """
    draw = np.random.default_rng(_SEED)
    samples = max(1, _AT_ONCE // items)
    for start in range(0, RESAMPLES, samples):
        count = min(samples, RESAMPLES - start)
        drawn = draw.integers(items, size=(count, items)) + items * np.arange(count)[:, None]
        yield np.bincount(drawn.ravel(), minlength=count * items).reshape(count, items)


def resampled_means(values: Doubles) -> Doubles:
    """Means of samples drawn with replacement from the rows of ``values``.

    ``values`` has a row for each query and a column for each measure; the result a row for each of
    `RESAMPLES` samples. A sample draws whole rows, so that measures stay paired.
    """
    return np.concatenate([times @ values / len(values) for times in resamples(len(values))])


def intervals(means: Doubles) -> list[tuple[float, float]]:
    """The 95 % percentile interval of each column of `resampled_means`.

    Samples that a measure says nothing of (NaN) are left out; there must be others.
    """
    low, high = np.nanquantile(means, _TAILS, axis=0)
    return list(zip(low.tolist(), high.tolist(), strict=True))


def p_values(means: Doubles, differences: Doubles) -> list[float]:
    """How often resampled mean differences lie as far from the observed one as that lies from none.

    ``differences`` holds the observed means, one for each column of ``means``. Two-sided; never 0, since the
    observed sample counts as one of them.
    """
    far = np.abs(means - differences) >= np.abs(differences) - _ROUNDING
    return ((1 + far.sum(axis=0)) / (1 + len(means))).tolist()  # type: ignore[no-any-return]
