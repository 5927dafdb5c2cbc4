"""Where a section that is too long for one passage is cut: where its neighbours have least in common."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, pairwise
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
_MANY = 2_000
"""Units between two hard edges from which small ones are taken together."""
_SHARES = 16


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
    edges = _edges(units, limit)
    pieces = list(pairwise([*edges, len(units)]))
    cohesion = _cohesion(terms(text[units[a].start : units[b - 1].end]) for a, b in pieces)
    cut = [
        _CUT_COST + likeness + (_INSIDE_BLOCK_COST if i and units[i].block == units[i - 1].block else 0.0)
        for i, likeness in zip(edges, cohesion, strict=True)
    ]
    cut[0] = 0.0
    sizes = [sum(unit.tokens for unit in units[a:b]) for a, b in pieces]
    overlaps = [_overlap_tokens(units, start, limit) for start in edges]
    best = [0.0] + [float("inf")] * len(edges)
    origin = [0] * (len(edges) + 1)
    for end in range(1, len(edges) + 1):
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
    end = len(edges)
    while end:
        ranges.append((edges[origin[end]], pieces[end - 1][1]))
        end = origin[end]
    return ranges[::-1]


def _edges(units: Sequence[Unit], limit: int) -> list[int]:
    """Where passages may begin: at every unit; of very many, not at those that are next to nothing.

    Whatever follows one of ``limit / _SHARES`` tokens or less counts with it, which bounds how many edges
    there are in a passage, and so the price of finding the best cuts.
    """
    if len(units) <= _MANY:
        return list(range(len(units)))
    edges = [0]
    tokens = 0
    for index, unit in enumerate(units):
        if index and tokens + unit.tokens > limit // _SHARES:
            edges.append(index)
            tokens = 0
        tokens += unit.tokens
    return edges


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


def _cohesion(sentences: Iterable[Sequence[str]]) -> list[float]:
    """Before each sentence: the cosine, 0 to 1, of the terms on its two sides (Hearst, TextTiling, 1997)."""
    following = iter(sentences)
    ahead = deque(islice(following, _WINDOW))
    windows: deque[Counter[str]] = deque(Counter(chain(*islice(ahead, i))) for i in range(_WINDOW))
    """What stands before the sentence and the next ones: at the very beginning, less than a window."""
    squares = deque(map(_square, windows))
    found: list[float] = []
    while ahead:
        windows.append(after := Counter(chain(*ahead)))
        squares.append(_square(after))
        before = windows.popleft()
        norm = sqrt(squares.popleft() * squares[-1])
        shared = before.keys() & after.keys()
        found.append(sum(before[term] * after[term] for term in shared) / norm if norm else 0.0)
        ahead.popleft()
        ahead.extend(islice(following, 1))
    return found


def _square(window: Counter[str]) -> int:
    return sum(count * count for count in window.values())
