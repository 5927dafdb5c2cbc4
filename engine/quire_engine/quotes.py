"""Where a quote stands in a text: character for character, and whole."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

from quire_engine.records import Note

_MOST_OCCURRENCES = 1000
_TERMINAL = frozenset(".!?…。．！？।॥؟۔:;\"'”’»)]}`*_")
_REST_OF_LINE = re.compile(r"[ \t]*(?:\^[A-Za-z0-9-]+[ \t]*)?(?:\n|\Z)")


def places(text: str, quote: str, *, to_line_end: bool) -> Iterator[tuple[int, int]]:
    """(offset, 1-based line) of the occurrences of ``quote`` in ``text`` that are no part of a longer word.

    ``to_line_end`` says that the quote ended its line: without a full stop it says something else when the
    line goes on.
    """
    ends_line = to_line_end and quote[-1:] not in _TERMINAL
    for offset, line in _occurrences(text, quote):
        end = offset + len(quote)
        if _is_whole(text, offset, end) and not (ends_line and not _REST_OF_LINE.match(text, end)):
            yield offset, line


def headings_at(note: Note, offset: int, otherwise: tuple[str, ...]) -> tuple[str, ...]:
    """The heading path at ``offset`` of the note's text, or ``otherwise`` where no block stands."""
    index = bisect_right([block.span.start for block in note.blocks], offset) - 1
    if index >= 0 and note.blocks[index].span.start <= offset < note.blocks[index].span.end:
        return note.blocks[index].headings
    return otherwise


def _occurrences(text: str, quote: str) -> Iterator[tuple[int, int]]:
    """(offset, line) of ``quote`` in ``text``, in order."""
    offset, line, counted = text.find(quote), 1, 0
    for _ in range(_MOST_OCCURRENCES):
        if offset < 0:
            return
        line += text.count("\n", counted, offset)
        counted = offset
        yield offset, line
        offset = text.find(quote, offset + 1)


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether text[start:end] is no part of a longer word or number, as ``12`` of ``1234`` or ``12.5``."""
    before, after = text[max(0, start - 2) : start], text[end : end + 2]
    first, last = text[start], text[end - 1]
    if _spaced_letter(first) and before and _spaced_letter(before[-1]):
        return False
    if _spaced_letter(last) and after and _spaced_letter(after[0]):
        return False
    if last.isdigit() and len(after) == 2 and after[0] in ".,:" and after[1].isdigit():
        return False
    return not (first.isdigit() and len(before) == 2 and before[1] in ".,:-" and before[0].isdigit())


def _spaced_letter(character: str) -> bool:
    """A letter or digit of a script that puts spaces between its words."""
    return character.isalnum() and not "\u0e00" <= character <= "\u109f" and character < "\u2e80"
