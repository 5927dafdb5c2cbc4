"""Token sequences as rectangles for a network: rows of similar length, little padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Batch = tuple[NDArray[np.int64], NDArray[np.int64]]
    """Token ids, and 1 where there is one and 0 where there is padding; both of shape (rows, length)."""


def by_length(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Row numbers in batches of similar length, longest first, each at most ``budget`` tokens with padding.

    A single row may exceed the budget.
    """
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        if batch and (len(batch) + 1) * lengths[batch[0]] > budget:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def padded(tokens: Sequence[Sequence[int]]) -> Batch:
    """``tokens``, at least one row, as a batch of int64."""
    lengths = np.fromiter(map(len, tokens), dtype=np.int64, count=len(tokens))
    real = np.arange(max(1, lengths.max())) < lengths[:, None]
    ids = np.zeros(real.shape, dtype=np.int64)
    ids[real] = np.fromiter(chain.from_iterable(tokens), dtype=np.int64, count=lengths.sum())
    return ids, real.astype(np.int64)
