"""Turning evidence into citations that are checked against the note as it is now."""

from __future__ import annotations

from collections.abc import Callable

from quire_engine.answering.drafts import Evidence
from quire_engine.records import Citation

ReadText = Callable[[str], str | None]
"""The text of a note (by path) as its file is now; ``None`` when it is gone."""


class CitationLedger:
    """Numbers an answer's citations in order of appearance; the same quote keeps its number."""

    def __init__(self, read: ReadText) -> None:
        self._read = read
        self._texts: dict[str, str | None] = {}
        self._cited: dict[tuple[str, int, str], Citation] = {}

    @property
    def citations(self) -> tuple[Citation, ...]:
        return tuple(self._cited.values())

    def cite(self, evidence: Evidence) -> tuple[Citation, bool] | None:
        """The citation for ``evidence`` and whether it is new; ``None`` when its quote is not in the file."""
        hit = evidence.hit
        quote = hit.text[evidence.start : evidence.end]
        line = hit.start_line + hit.text.count("\n", 0, evidence.start)
        found = self._locate(hit.path, quote, line)
        if found is None:
            return None
        key = (hit.path, found, quote)
        if key in self._cited:
            return self._cited[key], False
        citation = Citation(
            n=len(self._cited) + 1,
            path=hit.path,
            headings=hit.headings,
            start_line=found,
            end_line=found + quote.count("\n"),
            quote=quote,
            verified=True,
            support=evidence.support,
        )
        self._cited[key] = citation
        return citation, True

    def _locate(self, path: str, quote: str, expected: int) -> int | None:
        """The line on which ``quote`` begins now: where it was expected, else the nearest occurrence."""
        if path not in self._texts:
            self._texts[path] = self._read(path)
        text = self._texts[path]
        if text is None or not quote.strip():
            return None
        lines: list[int] = []
        position = text.find(quote)
        while position >= 0 and len(lines) < 1000:
            lines.append(text.count("\n", 0, position) + 1)
            position = text.find(quote, position + 1)
        return min(lines, key=lambda line: abs(line - expected)) if lines else None
