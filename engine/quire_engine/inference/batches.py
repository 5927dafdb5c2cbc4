"""Token sequences as rectangles for a network: rows of similar length, little padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Batch = tuple[NDArray[np.int64], ...]
    """Token ids; 1 where there is one and 0 where there is padding; for models that tell the two texts of a
    pair apart, the number of the text of each token. All of shape (rows, length)."""

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
"""What networks call the parts of a batch."""

_STEP = 8
"""Lengths are padded to multiples of it: a runtime keeps code and memory for each shape that it has met. With
any length they took 550 MB more after 17,000 passages, and rising; so 90 MB, and the time is the same."""

_LEAST = 128
"""Tokens; few texts are shared out to all streams, but not in batches that hardly pay."""


def by_length(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Row numbers in batches of similar length, longest first, each at most ``budget`` tokens as `padded`.

    A single row may exceed the budget.
    """
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        if batch and (len(batch) + 1) * _padded(lengths[batch[0]]) > budget:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def shared_out(lengths: Sequence[int], budget: int, parallel: int) -> Iterator[list[int]]:
    """`by_length`, in batches small enough that few rows, too, are computed ``parallel`` at a time."""
    return by_length(lengths, min(budget, max(_LEAST, -(-sum(lengths) // parallel))))


def padded(tokens: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None = None) -> Batch:
    """``tokens``, at least one row, as a batch of int64, whose length is a multiple of 8.

    ``types``, where the model wants them, hold the type of each token.
    """
    lengths = np.fromiter(map(len, tokens), dtype=np.int64, count=len(tokens))
    real = np.arange(_padded(int(lengths.max()))) < lengths[:, None]

    def filled(rows: Sequence[Sequence[int]]) -> NDArray[np.int64]:
        values = np.zeros(real.shape, dtype=np.int64)
        values[real] = np.fromiter(chain.from_iterable(rows), dtype=np.int64, count=lengths.sum())
        return values

    batch = (filled(tokens), real.astype(np.int64))
    return batch if types is None else (*batch, filled(types))


def _padded(length: int) -> int:
    return max(1, -(-length // _STEP)) * _STEP
