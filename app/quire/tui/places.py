"""Places in notes: where a passage stands, and whether it still stands there."""

from __future__ import annotations

from dataclasses import dataclass

from quire_engine.records import Citation, Hit


@dataclass(frozen=True, slots=True)
class Place:
    """A note, and perhaps what to show in it."""

    path: str
    start_line: int = 0
    """1-based; 0 when there is nothing to highlight."""
    end_line: int = 0
    quote: str = ""
    """The words that are expected there, verbatim; empty when any will do."""
    subpath: str = ""
    """A heading path, or ``^block``, that says where, in place of lines."""
    headings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a note's text."""

    start_line: int
    """1-based, inclusive, as is ``end_line``."""
    end_line: int
    start: int = 0
    """Offsets of the quote in the note's text; both 0 when there is no quote."""
    end: int = 0


def cited(citation: Citation) -> Place:
    """Where a citation's quote stands."""
    return Place(
        citation.path, citation.start_line, citation.end_line, citation.quote, headings=citation.headings
    )


def found(hit: Hit) -> Place:
    """Where a found passage stands."""
    return Place(hit.path, hit.start_line, hit.end_line, hit.text, headings=hit.headings)


def locate(text: str, place: Place) -> Passage | None:
    """Where ``place`` is in ``text``, the note's text as it is now.

    The quote decides: the occurrence nearest to the lines. ``None`` when the quote is gone, when there is
    nothing to highlight, and when the note has no such line.
    """
    if not place.start_line:
        return None
    if not place.quote.strip():
        last = text.count("\n") + 1
        return Passage(place.start_line, min(place.end_line, last)) if place.start_line <= last else None
    nearest: Passage | None = None
    line, counted = 1, 0
    position = text.find(place.quote)
    while position >= 0:
        line += text.count("\n", counted, position)
        counted = position
        if nearest is None or abs(line - place.start_line) < abs(nearest.start_line - place.start_line):
            # A passage may end with the line feed of its last line.
            height = place.quote.rstrip("\n").count("\n")
            nearest = Passage(line, line + height, position, position + len(place.quote))
        elif line > place.start_line:
            break
        position = text.find(place.quote, position + 1)
    return nearest
