"""Many vectors that are spread like a few real ones, for benchmarks of size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_CLUSTER = 64
"""Real vectors to a cluster, about: noise is taken from differences inside one."""


def unit(vectors: Floats) -> Floats:
    """The same directions at length 1."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Floats = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
    return scaled


class VectorSource:
    """Draws any number of vectors around real ones.

    A drawn vector is a real one, plus a difference between two others of its cluster, plus a little noise in
    every direction: so the drawn ones vary where the real ones do, instead of equally in all dimensions,
    which no embedding model produces.
    """

    def __init__(self, real: Floats, seed: int = 0, spread: float = 0.6, noise: float = 0.2) -> None:
        """``real`` has shape (count, dimensions); ``spread`` scales the difference, ``noise`` is a length."""
        self._real = unit(real.astype(np.float32))
        self._random = np.random.default_rng(seed)
        self._spread = spread
        self._noise = noise
        centres = self._real[self._random.permutation(len(real))[: max(1, len(real) // _CLUSTER)]]
        for _ in range(5):
            nearest = np.argmax(self._real @ centres.T, axis=1)
            for n in np.unique(nearest):
                centres[n] = unit(self._real[nearest == n].mean(axis=0))
        order = np.argsort(nearest, kind="stable")
        self._members = np.split(order, np.cumsum(np.bincount(nearest, minlength=len(centres)))[:-1])
        self._nearest = nearest

    @property
    def dimensions(self) -> int:
        return int(self._real.shape[1])

    def draw(self, count: int) -> Floats:
        """Unit vectors of shape (count, dimensions), each rounded to float16 as the index stores them."""
        random = self._random
        drawn = np.empty((count, self._real.shape[1]), dtype=np.float32)
        base = random.integers(len(self._real), size=count)
        cluster = self._nearest[base]
        for n in np.unique(cluster):
            rows, members = np.flatnonzero(cluster == n), self._members[n]
            one, other = members[random.integers(len(members), size=(2, len(rows)))]
            scale = self._spread * random.random((len(rows), 1), dtype=np.float32)
            drawn[rows] = self._real[base[rows]] + scale * (self._real[one] - self._real[other])
        noise = random.standard_normal(drawn.shape, dtype=np.float32)
        drawn += noise * (self._noise / np.sqrt(drawn.shape[1]))
        return unit(drawn).astype(np.float16).astype(np.float32)
