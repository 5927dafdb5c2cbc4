"""What a list of hits leaves out: passages that say the same again, and too many of one note."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from quire_engine.interfaces import FloatArray

COMPARABLE = 0.7
"""The share of a passage's score that another must have to stand before it for the sake of variety."""


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


def interleaved(ids: Sequence[int], part_of: Mapping[int, int]) -> list[int]:
    """``ids``, best first, so that the parts of a question take turns, each in its order.

    ``part_of`` holds the part that each answers best; those that answer none come last.
    """
    queues: dict[int, list[int]] = {}
    for item in ids:
        if item in part_of:
            queues.setdefault(part_of[item], []).append(item)
    turns = [item for turn in zip_longest(*queues.values()) for item in turn if item is not None]
    return [*turns, *(item for item in ids if item not in part_of)]


def spread(
    ids: Sequence[int], scores: Mapping[int, float], note_of: Mapping[int, int], limit: int, most: int
) -> list[int]:
    """``ids``, best first, so that the first ``limit`` hold at most ``most`` of a note while others compare.

    Others compare as long as they score at least `COMPARABLE` of the best that is passed over; what is
    passed over fills the places that are left. All other ids follow, in their order.
    """
    shown: list[int] = []
    passed: list[int] = []
    counts: dict[int | None, int] = {}
    for item in ids:
        while passed and len(shown) < limit and scores[item] < COMPARABLE * scores[passed[0]]:
            shown.append(passed.pop(0))
        if len(shown) == limit:
            break
        note = note_of.get(item)
        counts[note] = counts.get(note, 0) + 1
        (shown if counts[note] <= most else passed).append(item)
    first = [*shown, *passed[: limit - len(shown)]]
    taken = set(first)
    return [*first, *(item for item in ids if item not in taken)]
