"""Pieces of a text by its lines, its sentences, or, where it has neither, by length; all are offsets."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from operator import itemgetter

SpanList = list[tuple[int, int]]

_LETTER_OR_DIGIT = re.compile(r"[^\W_]")
_SLICE = 1 << 16
"""Characters of a long text whose sentences are looked for at once."""
_DENSE = 32
"""Characters a sentence: a long text that has less of them is no prose."""
_JOINED = 128
"""Characters to which the sentences of such a text are joined."""


def sentences_of_long(text: str, split: Callable[[str], SpanList]) -> SpanList:
    """The sentences that ``split`` finds, for a text of any size at a bounded price in memory.

    A sentence costs a hundred times the memory of its two characters: where they are that short, neighbours
    are joined.
    """
    found: SpanList = []
    start = 0
    while start < len(text):
        stop = min(len(text), start + _SLICE)
        spans = [(start + first, start + last) for first, last in split(text[start:stop])]
        if stop < len(text) and len(spans) > 1:
            # The last one may go on beyond the slice.
            stop = spans.pop()[0]
        found += _joined(spans) if len(spans) * _DENSE > stop - start else spans
        start = stop
    return found


def _joined(spans: SpanList) -> SpanList:
    joined: SpanList = []
    for start, end in spans:
        if joined and joined[-1][1] - joined[-1][0] < _JOINED:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def merge_markers(text: str, spans: SpanList) -> SpanList:
    """Join a span without a letter or digit (a bullet, a quote mark) to its neighbour."""
    merged: SpanList = []
    held: int | None = None
    for start, end in spans:
        bare = not _LETTER_OR_DIGIT.search(text, start, end)
        if bare and merged:
            merged[-1] = (merged[-1][0], end)
        elif bare:
            held = start if held is None else held
        else:
            merged.append((start if held is None else held, end))
            held = None
    if held is not None and not merged:
        merged.append((held, spans[-1][1]))
    return merged


def row_spans(text: str) -> SpanList:
    """A table's rows without its header and the rule below it."""
    rows = line_spans(text)
    return rows[2:] if len(rows) > 2 else rows


def spans_within(spans: SpanList, start: int, end: int) -> SpanList:
    """The parts of ``spans``, which are in order, that lie between ``start`` and ``end``."""
    first = bisect_right(spans, start, key=itemgetter(1))
    last = bisect_left(spans, end, key=itemgetter(0))
    return [(max(start, s), min(end, e)) for s, e in spans[first:last]]


def line_spans(text: str) -> SpanList:
    """Lines that are not blank, without the white space at their ends."""
    spans: SpanList = []
    start = 0
    for line in text.splitlines(keepends=True):
        if line.strip():
            spans.append((start, start + len(line.rstrip())))
        start += len(line)
    return spans


def fixed_spans(text: str, start: int, end: int, length: int) -> SpanList:
    """Spans of at most ``length`` characters, cut at spaces where there are any."""
    spans: SpanList = []
    while start < end:
        stop = min(end, start + length)
        if stop < end and (space := text.rfind(" ", start + length // 2, stop)) > 0:
            stop = space + 1
        spans.append((start, stop))
        start = stop
    return spans


class Hidden:
    """What of a text is not to be seen."""

    def __init__(self, spans: Sequence[tuple[int, int]]) -> None:
        """``spans`` are sorted."""
        self._starts = [start for start, _ in spans]
        self._reach = list(accumulate((end for _, end in spans), max, initial=-1))
        """How far the first of them go."""

    def leaves(self, spans: SpanList) -> SpanList:
        """Those of ``spans`` that nothing hidden touches."""
        return [(start, end) for start, end in spans if self._reach[bisect_left(self._starts, end)] <= start]
