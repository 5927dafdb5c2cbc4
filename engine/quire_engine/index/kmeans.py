"""k-means over a few thousand vectors: how a shard is cut into smaller ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quire_engine.interfaces import FloatArray

_ROUNDS = 8
"""Lloyd's iterations; more change little for routing."""


def nearest_mean(vectors: FloatArray, means: FloatArray) -> NDArray[np.intp]:
    """For each vector the row of the mean with the least Euclidean distance."""
    closeness = vectors @ means.T
    closeness -= 0.5 * np.einsum("ij,ij->i", means, means)
    found: NDArray[np.intp] = closeness.argmax(axis=1)
    return found


def cells(vectors: FloatArray, count: int, least: int, seed: int = 0) -> NDArray[np.intp]:
    """Cut ``vectors`` into at most ``count`` cells; returns each one's cell, numbered from 0.

    No cell holds fewer than ``least``, which may be half of the vectors at most, and there are always two
    at least: where no cells show, the vectors are halved across the direction in which they vary most.
    The same vectors give the same cells (Lloyd's algorithm from ``seed``).
    """
    random = np.random.default_rng(seed)
    means = vectors[random.choice(len(vectors), size=min(count, len(vectors)), replace=False)]
    for _ in range(_ROUNDS):
        labels = nearest_mean(vectors, means)
        members = np.zeros((len(means), len(vectors)), dtype=np.float32)
        members[labels, np.arange(len(vectors))] = 1.0
        sizes = members.sum(axis=1, keepdims=True)
        means = np.where(sizes > 0, members @ vectors / np.maximum(sizes, 1), means)
    while len(means) > 1:
        labels = nearest_mean(vectors, means)
        counts = np.bincount(labels, minlength=len(means))
        if counts.min() >= least:
            return labels
        means = np.delete(means, counts.argmin(), axis=0)
    return _halves(vectors, random)


def _halves(vectors: FloatArray, random: np.random.Generator) -> NDArray[np.intp]:
    centred = vectors - vectors.mean(axis=0)
    axis = random.standard_normal(vectors.shape[1], dtype=np.float32)
    for _ in range(_ROUNDS):
        axis = centred.T @ (centred @ axis)
        axis /= max(float(np.linalg.norm(axis)), 1e-12)
    labels = np.zeros(len(vectors), dtype=np.intp)
    labels[np.argsort(centred @ axis, kind="stable")[len(vectors) // 2 :]] = 1
    return labels
