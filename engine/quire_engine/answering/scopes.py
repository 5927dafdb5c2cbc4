"""What of a text a word in it is said of; texts are lists of terms, clauses and sentences places in them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence

AROUND = 2
"""Content words on either side that tell what a word is said of."""
_CONDITION = 0
"""The kind of hedge that the whole sentence depends on."""
_HEDGED = 2
"""Content words that another hedge takes something back of."""
_HEDGED_PAIRS = 4
"""Pairs of characters on either side, in scripts without spaces, that it does so of."""

Hedge = tuple[int, slice, bool]
"""(kind, its own terms, whether they are pairs of characters)."""


def clause(cuts: Sequence[int], place: int, length: int) -> tuple[int, int]:
    """(start, end) of what lies between two of the ascending ``cuts`` and holds ``place``."""
    after = bisect_right(cuts, place)
    return cuts[after - 1] if after else 0, cuts[after] if after < len(cuts) else length


def shifted(span: tuple[int, int], by: int) -> slice:
    """``span``, moved by ``by``."""
    return slice(span[0] + by, span[1] + by)


def hedged(
    terms: Sequence[str], hedges: Iterable[Hedge], cuts: Sequence[int], stops: Sequence[int]
) -> Iterator[tuple[int, frozenset[str]]]:
    """(kind, the terms it is said of) for each hedge: its sentence for a condition, else what follows it."""
    for kind, own, pairs in hedges:
        start, end = clause(stops if kind == _CONDITION else cuts, own.start, len(terms))
        if kind == _CONDITION:
            yield kind, frozenset(terms[start:end])
        elif pairs:
            before = terms[max(start, own.start - _HEDGED_PAIRS) : own.start]
            yield kind, frozenset((*before, *terms[own.stop : min(end, own.stop + _HEDGED_PAIRS)]))
        else:
            # What ends its clause is said of what stands before it.
            following = terms[own.stop : min(end, own.stop + _HEDGED)]
            yield kind, frozenset(following or terms[max(0, own.start - _HEDGED) : own.start])


def numbered(
    terms: Sequence[str], words_before: Mapping[int, str], cuts: Sequence[int]
) -> Iterator[tuple[str, str, frozenset[str]]]:
    """(number, the word before it, the terms around) for each number, whose place ``words_before`` has.

    The terms around it are those of its clause, up to the next number.
    """
    places = list(words_before)
    for previous, place, following in zip([-1, *places], places, [*places[1:], len(terms)], strict=False):
        start, end = clause(cuts, place, len(terms))
        before = terms[max(start, previous + 1, place - AROUND) : place]
        after = terms[place + 1 : min(end, following, place + 1 + AROUND)]
        yield terms[place], words_before[place], frozenset((*before, *after))
