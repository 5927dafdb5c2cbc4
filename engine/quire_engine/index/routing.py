"""Which shards a query must look into: arithmetic over the shards' means, counts and spreads.

The members of a shard lie around its mean, so their similarities to a query lie around the mean's (about
logistically: as normal, with more far out). Their deviation grows with the mean's own similarity, because a
query varies most where its neighbours do: ``spread * (base + slope * similarity)``. Base and slope are fitted
to each index, and a factor that makes up for what the model gets wrong is raised until sampled queries find
what they should. Given the similarity of the worst neighbour found so far, this says how many better ones a
shard is expected to hold; shards are looked into until hardly any is expected to be missed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quire_engine.interfaces import FloatArray

    Rows = NDArray[np.intp]

MISSED = 0.02
"""The share of the neighbours asked for that may be expected to be missed."""
_GOAL = 0.985
"""Recall that sampled queries must reach, at the depth of the calibration."""
_FACTORS = tuple(round(0.9 + 0.05 * step, 2) for step in range(33))
"""The least is what a million vectors need; a sample of few shards would do with less."""
_LOGISTIC = 1.702
"""Makes the logistic distribution fit the normal one but for its tails, which are heavier, as shards' are."""
_FIRST = 2000
"""Vectors looked at, at least, before the rest is decided."""
_FIRST_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far members of this index's shards lie from their means, as queries see it."""

    base: float
    slope: float
    factor: float
    shards: int
    """How many shards there were."""


def first_shards(similarities: FloatArray, counts: NDArray[np.float64], depth: int) -> Rows:
    """The nearest shards, until they hold enough to tell how near the ``depth`` nearest vectors are."""
    order = np.argsort(-similarities, kind="stable")
    most = max(_FIRST, 4 * depth, _FIRST_SHARE * counts.sum())
    return order[: int(np.searchsorted(np.cumsum(counts[order]), most)) + 1]


def further_shards(
    similarities: FloatArray,
    spreads: FloatArray,
    counts: NDArray[np.float64],
    calibration: Calibration,
    threshold: float,
    first: Rows,
    depth: int,
) -> Rows:
    """What to look into beside ``first``, whose ``depth``-th best similarity is ``threshold``.

    Shards that are most likely to hold better vectors come first; the rest is expected to hold fewer than
    ``MISSED * depth`` of them.
    """
    likely = _share_above(similarities, spreads, calibration, threshold)
    expected = likely * counts
    expected[first] = 0.0
    order = np.argsort(-likely, kind="stable")
    missed = np.cumsum(expected[order][::-1])[::-1]
    wanted = order[: int((missed > MISSED * depth).sum())]
    return wanted[~np.isin(wanted, first)]


def _share_above(
    similarities: FloatArray, spreads: FloatArray, calibration: Calibration, threshold: float
) -> NDArray[np.float64]:
    """The share of each shard's members whose similarity is expected above ``threshold``."""
    deviations = spreads * (calibration.base + calibration.slope * similarities) * calibration.factor
    distances = (threshold - similarities) / np.maximum(deviations, 1e-6)
    shares: NDArray[np.float64] = 1.0 / (1.0 + np.exp(np.clip(_LOGISTIC * distances, -50, 50)))
    return shares


def calibrate(
    vectors: FloatArray, shard_of: NDArray[np.intp], queries: Rows, depth: int, shards: int
) -> Calibration:
    """Fit the model to some of an index's shards, with some of their own members as ``queries`` (rows).

    ``shard_of`` numbers the shards from 0; each holds a vector at least.
    """
    counts = np.bincount(shard_of).astype(np.float64)
    members = np.zeros((len(counts), len(vectors)), dtype=np.float32)
    members[shard_of, np.arange(len(vectors))] = 1.0
    sizes = counts.astype(np.float32)[:, None]
    means = members @ vectors / sizes
    spreads = spread(means)
    # A question resembles a passage less than another passage does: half of another one is mixed in.
    asked = vectors[queries] + 0.5 * vectors[np.roll(queries, len(queries) // 2)]
    asked /= np.maximum(np.linalg.norm(asked, axis=1, keepdims=True), 1e-12)
    scores = asked @ vectors.T
    similarities = asked @ means.T
    squares = (scores**2) @ members.T / sizes.T
    deviations = np.sqrt(np.maximum(squares - similarities**2, 0.0)) / spreads
    settled = np.broadcast_to(counts > 2, deviations.shape)
    terms = np.stack([np.ones(int(settled.sum())), similarities[settled]], axis=1)
    base, slope = np.linalg.lstsq(terms, deviations[settled], rcond=None)[0]
    scores[np.arange(len(queries)), queries] = -1.0
    depth = min(depth, len(vectors) - 1)
    best = np.argpartition(-scores, depth - 1, axis=1)[:, :depth]
    firsts = [first_shards(row, counts, depth) for row in similarities]
    thresholds = [
        _threshold(scores[query][np.isin(shard_of, first)], depth) for query, first in enumerate(firsts)
    ]
    for factor in _FACTORS:
        calibration = Calibration(float(base), float(slope), factor, shards)
        found = 0.0
        for query, (first, threshold) in enumerate(zip(firsts, thresholds, strict=True)):
            further = further_shards(
                similarities[query], spreads, counts, calibration, threshold, first, depth
            )
            probed = np.zeros(len(counts), dtype=bool)
            probed[first] = probed[further] = True
            found += float(probed[shard_of[best[query]]].mean()) / len(queries)
        if found >= _GOAL:
            break
    return calibration


def _threshold(scores: FloatArray, depth: int) -> float:
    return float(np.partition(scores, -depth)[-depth]) if len(scores) >= depth else -1.0


def spread(means: FloatArray) -> FloatArray:
    """The root mean square distance of unit vectors from their mean, for each mean."""
    spreads: FloatArray = np.sqrt(np.maximum(1.0 - np.einsum("ij,ij->i", means, means), 1e-6))
    return spreads
