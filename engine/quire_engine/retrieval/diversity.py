"""What a list of hits leaves out: passages that say the same again, and too many of one note."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from quire_engine.interfaces import FloatArray


def alike(ids: Sequence[int], vectors: Mapping[int, FloatArray], threshold: float) -> list[tuple[int, int]]:
    """(earlier, later) pairs of ``ids`` whose cosine is above ``threshold``."""
    known = [chunk for chunk in ids if chunk in vectors]
    if len(known) < 2:
        return []
    matrix = np.stack([vectors[chunk] for chunk in known])
    rows, columns = np.nonzero(np.triu(matrix @ matrix.T, k=1) > threshold)
    return [(known[a], known[b]) for a, b in zip(rows.tolist(), columns.tolist(), strict=True)]


def collapse(ids: Sequence[int], pairs: Sequence[tuple[int, int]]) -> dict[int, list[int]]:
    """Each kept id with the later ones that are nearly the same, in order.

    ``pairs`` holds (earlier, later) near-duplicates.
    """
    earlier: dict[int, list[int]] = {}
    for first, second in pairs:
        earlier.setdefault(second, []).append(first)
    groups: dict[int, list[int]] = {}
    for item in ids:
        kept = next((other for other in earlier.get(item, ()) if other in groups), None)
        if kept is None:
            groups[item] = []
        else:
            groups[kept].append(item)
    return groups


def spread(ids: Sequence[int], note_of: Mapping[int, str], limit: int, most: int) -> list[int]:
    """The ``limit`` ids to show of ``ids``, best first: at most ``most`` of a note while others have any.

    What is passed over fills the places that are left, in its order behind the others.
    """
    shown: list[int] = []
    passed: list[int] = []
    counts: dict[str, int] = {}
    for item in ids:
        if len(shown) == limit:
            break
        note = note_of[item]
        counts[note] = counts.get(note, 0) + 1
        (shown if counts[note] <= most else passed).append(item)
    return shown + passed[: limit - len(shown)]
