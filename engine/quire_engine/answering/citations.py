"""Turning evidence into citations that are checked against the note as it is now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from quire_engine.answering.drafts import Evidence
from quire_engine.answering.structure import table_row
from quire_engine.quotes import headings_at, places
from quire_engine.records import BlockKind, Citation, Note

ReadNote = Callable[[str], Note | None]
"""The note (by path) as its file is now; ``None`` when it is gone or cannot be read."""


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
        """The citation for ``evidence`` and whether it is new; ``None`` when its quote is not in the file.

        The citation's support is that of ``evidence``; in `citations` it is the lowest of those that cited
        the quote.
        """
        hit = evidence.hit
        note = self._note(hit.path)
        found = self._place(evidence)
        if note is None or found is None:
            return None
        offset, line = found
        quote = hit.text[evidence.start : evidence.end]
        key = (hit.path, offset, quote)
        if known := self._cited.get(key):
            # One quote may support several sentences, and is worth what it is to the least supported.
            self._cited[key] = replace(known, support=min(known.support, evidence.support))
            return replace(known, support=evidence.support), False
        citation = Citation(
            n=len(self._cited) + 1,
            path=hit.path,
            headings=headings_at(note, offset, hit.headings),
            start_line=line,
            end_line=line + quote.count("\n"),
            quote=quote,
            verified=True,
            support=evidence.support,
        )
        self._cited[key] = citation
        return citation, True

    def holds_lines(self, path: str, lines: Sequence[str]) -> bool:
        """Whether every one of ``lines``, as `table_row` gives them, is a line of the file now."""
        note = self._note(path)
        return note is not None and set(lines) <= {table_row(line) for line in note.text.split("\n")}

    def _note(self, path: str) -> Note | None:
        if path not in self._notes:
            self._notes[path] = self._read(path)
        return self._notes[path]

    def _place(self, evidence: Evidence) -> tuple[int, int] | None:
        """(offset, line) of the quote now: where its passage stands, else its nearest occurrence.

        None inside of comments, nor, unless it was read there, among the properties.
        """
        hit = evidence.hit
        note = self._note(hit.path)
        quote = hit.text[evidence.start : evidence.end]
        if note is None or not quote.strip():
            return None
        hidden = [(span.start, span.end) for span in note.comments]
        if hit.kind != "properties":
            hidden += [(b.span.start, b.span.end) for b in note.blocks if b.kind is BlockKind.PROPERTIES]
        to_line_end = hit.text[evidence.end : evidence.end + 1] in ("", "\n")
        found = [
            (offset, line)
            for offset, line in places(note.text, quote, to_line_end=to_line_end)
            if not any(start < offset + len(quote) and offset < end for start, end in hidden)
        ]
        passages = {offset + evidence.start for offset, _ in places(note.text, hit.text, to_line_end=True)}
        expected = hit.start_line + hit.text.count("\n", 0, evidence.start)
        return min(
            found, key=lambda place: (place[0] not in passages, abs(place[1] - expected)), default=None
        )
