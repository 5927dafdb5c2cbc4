"""Turning evidence into citations that are checked against the note as it is now."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence

from quire_engine.answering.drafts import Evidence
from quire_engine.records import Citation, Note

ReadNote = Callable[[str], Note | None]
"""The note (by path) as its file is now; ``None`` when it is gone or cannot be read."""

_MOST_OCCURRENCES = 1000
_TERMINAL = frozenset(".!?…。．！？।॥؟۔:;\"'”’»)]}`*_")
_REST_OF_LINE = re.compile(r"[ \t]*(?:\^[A-Za-z0-9-]+[ \t]*)?(?:\n|\Z)")


class CitationLedger:
    """Numbers an answer's citations in order of appearance; the same quote keeps its number."""

    def __init__(self, read: ReadNote) -> None:
        self._read = read
        self._notes: dict[str, Note | None] = {}
        self._cited: dict[tuple[str, int, str], Citation] = {}

    @property
    def citations(self) -> tuple[Citation, ...]:
        return tuple(self._cited.values())

    def cite(self, evidence: Evidence) -> tuple[Citation, bool] | None:
        """The citation for ``evidence`` and whether it is new; ``None`` when its quote is not in the file."""
        hit = evidence.hit
        note = self._note(hit.path)
        found = self._place(evidence)
        if note is None or found is None:
            return None
        offset, line = found
        quote = hit.text[evidence.start : evidence.end]
        key = (hit.path, offset, quote)
        if key in self._cited:
            return self._cited[key], False
        citation = Citation(
            n=len(self._cited) + 1,
            path=hit.path,
            headings=_headings_at(note, offset, hit.headings),
            start_line=line,
            end_line=line + quote.count("\n"),
            quote=quote,
            verified=True,
            support=evidence.support,
        )
        self._cited[key] = citation
        return citation, True

    def stands(self, evidence: Evidence) -> bool:
        """Whether the quote of ``evidence`` is in its file now."""
        return self._place(evidence) is not None

    def holds_lines(self, path: str, lines: Sequence[str]) -> bool:
        """Whether every one of ``lines`` is, white space at its ends aside, a line of the file now."""
        note = self._note(path)
        return note is not None and set(lines) <= {line.strip() for line in note.text.split("\n")}

    def _note(self, path: str) -> Note | None:
        if path not in self._notes:
            self._notes[path] = self._read(path)
        return self._notes[path]

    def _place(self, evidence: Evidence) -> tuple[int, int] | None:
        """(offset, line) of the quote now: where it was expected, else its nearest occurrence."""
        hit = evidence.hit
        note = self._note(hit.path)
        quote = hit.text[evidence.start : evidence.end]
        if note is None or not quote.strip():
            return None
        expected = hit.start_line + hit.text.count("\n", 0, evidence.start)
        # What stood at the end of its line without a full stop says something else when it goes on.
        to_line_end = quote[-1] not in _TERMINAL and hit.text[evidence.end : evidence.end + 1] in ("", "\n")
        places = [
            (offset, line)
            for offset, line in _occurrences(note.text, quote)
            if _is_whole(note.text, offset, offset + len(quote))
            and not any(c.start < offset + len(quote) and offset < c.end for c in note.comments)
            and (not to_line_end or _REST_OF_LINE.match(note.text, offset + len(quote)))
        ]
        return min(places, key=lambda place: abs(place[1] - expected)) if places else None


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


def _headings_at(note: Note, offset: int, otherwise: tuple[str, ...]) -> tuple[str, ...]:
    index = bisect_right([block.span.start for block in note.blocks], offset) - 1
    if index >= 0 and note.blocks[index].span.start <= offset < note.blocks[index].span.end:
        return note.blocks[index].headings
    return otherwise
