"""Where a section that is too long for one passage is cut: where its neighbours have least in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from math import sqrt

from quire_engine.analysis import terms

_OVERLAP_SHARE = 4
"""A sentence longer than one part in four of the budget is not repeated."""
_CUT_COST = 0.3
"""What any cut costs, on the scale of cohesion (0 to 1); keeps passages from falling to pieces."""
_INSIDE_BLOCK_COST = 0.5
"""What a cut inside a paragraph or list item costs besides."""
_WINDOW = 3
"""Sentences on either side of a cut whose words are compared."""


@dataclass(slots=True)
class Unit:
    """The smallest piece that is not cut: a sentence, or a whole code fence, table or list item."""

    start: int
    end: int
    sentences: list[tuple[int, int]]
    block: int = 0
    prose: bool = True
    tokens: int = 0
    hard: bool = False
    """True when the passage must not reach across the unit's start."""


def partition(text: str, units: Sequence[Unit], limit: int) -> Iterator[tuple[int, int]]:
    """Index ranges of the passages: the cheapest cuts under ``limit``, by dynamic programming."""
    begin = 0
    for index in range(1, len(units) + 1):
        if index == len(units) or units[index].hard:
            for first, last in _cheapest(text, units[begin:index], limit):
                yield begin + first, begin + last
            begin = index


def _cheapest(text: str, units: Sequence[Unit], limit: int) -> list[tuple[int, int]]:
    if sum(u.tokens for u in units) <= limit:
        return [(0, len(units))]
    cohesion = _cohesion([terms(text[unit.start : unit.end]) for unit in units])
    cut = [0.0] + [
        _CUT_COST + cohesion[i] + (_INSIDE_BLOCK_COST if units[i].block == units[i - 1].block else 0.0)
        for i in range(1, len(units))
    ]
    sizes = [unit.tokens for unit in units]
    overlaps = [_overlap_tokens(units, start, limit) for start in range(len(units))]
    best = [0.0] + [float("inf")] * len(units)
    origin = [0] * (len(units) + 1)
    for end in range(1, len(units) + 1):
        tokens = 0
        for start in range(end - 1, -1, -1):
            tokens += sizes[start]
            if tokens + overlaps[start] > limit and start < end - 1:
                if tokens > limit:
                    break
                continue
            # Slightly favours even passages over a full one and a remnant.
            cost = best[start] + cut[start] + 0.1 * (1 - tokens / limit) ** 2
            if cost < best[end]:
                best[end], origin[end] = cost, start
    ranges: list[tuple[int, int]] = []
    end = len(units)
    while end:
        ranges.append((origin[end], end))
        end = origin[end]
    return ranges[::-1]


def _overlap_tokens(units: Sequence[Unit], start: int, limit: int) -> int:
    if start == 0 or units[start].hard or not (units[start].prose and units[start - 1].prose):
        return 0
    tokens = units[start - 1].tokens
    return tokens if tokens <= limit // _OVERLAP_SHARE else 0


def overlap(units: Sequence[Unit], first: int, members: Sequence[Unit], limit: int) -> Unit | None:
    """The sentence before, when it is to be repeated at the start of the passage."""
    tokens = _overlap_tokens(units, first, limit)
    if tokens and tokens + sum(u.tokens for u in members) <= limit:
        return units[first - 1]
    return None


def _cohesion(sentences: Sequence[Sequence[str]]) -> list[float]:
    """Before each sentence: the cosine, 0 to 1, of the terms on its two sides (Hearst, TextTiling, 1997)."""
    windows = [Counter(chain(*sentences[i : i + _WINDOW])) for i in range(len(sentences))]
    squares = [sum(count * count for count in window.values()) for window in windows]
    found = [0.0] * len(sentences)
    for i in range(1, len(sentences)):
        if i >= _WINDOW:
            before, square = windows[i - _WINDOW], squares[i - _WINDOW]
        else:
            before = Counter(chain(*sentences[:i]))
            square = sum(count * count for count in before.values())
        after = windows[i]
        if norm := sqrt(square * squares[i]):
            found[i] = sum(before[term] * after[term] for term in before.keys() & after.keys()) / norm
    return found
