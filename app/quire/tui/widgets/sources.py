"""The passages beside an answer: its citations, or what comes nearest when there is no answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from quire.tui import actions
from quire.tui.inert import inert, squeezed
from quire.tui.places import Place, cited, found
from quire_engine.records import Citation, Hit

_QUOTE = 240
"""The most characters of a quote in the list; the note shows all of it."""


class SourceList(OptionList):
    """Citations or passages, each with its place and its words."""

    BINDINGS = actions.bindings(actions.Owner.SOURCES)

    def __init__(self) -> None:
        super().__init__(id="sources", markup=False)
        self._numbers: tuple[int, ...] = ()
        self.places: tuple[Place, ...] = ()
        """In the order of the list."""

    def show_citations(self, citations: Sequence[Citation]) -> None:
        """List an answer's citations; what is listed already stays as it is."""
        shown = len(self.places)
        if shown > len(citations) or self.border_title != "Citations":
            self.empty()
            shown = 0
        self.border_title = "Citations"
        self.border_subtitle = "✓ word for word in the note"
        self.places = tuple(map(cited, citations))
        self._numbers = tuple(citation.n for citation in citations)
        self.add_options(Option(_citation(citation)) for citation in citations[shown:])
        self._shown()

    def show_hits(self, hits: Sequence[Hit]) -> None:
        """List passages that are no evidence but come nearest."""
        self.empty()
        self.border_title = "Nearest passages"
        self.places = tuple(map(found, hits))
        self._numbers = tuple(range(1, len(hits) + 1))
        self.add_options(Option(_hit(number, hit)) for number, hit in enumerate(hits, 1))
        self._shown()

    def empty(self) -> None:
        """List nothing, and take no room."""
        self.clear_options()
        self.border_title = self.border_subtitle = ""
        self.places, self._numbers = (), ()
        self.display = False

    def place(self, number: int) -> Place | None:
        """The place with that number, as the list and the answer's marks show it."""
        return self.places[self._numbers.index(number)] if number in self._numbers else None

    def _shown(self) -> None:
        self.display = bool(self.places)
        if self.highlighted is None and self.places:
            self.highlighted = 0


def _citation(citation: Citation) -> Content:
    mark = ("✓ ", "$success") if citation.verified else ("✗ not verified ", "$error")
    return _entry(citation.n, cited(citation), citation.quote, mark)


def _hit(number: int, hit: Hit) -> Content:
    return _entry(number, found(hit), hit.text, None)


def _entry(number: int, place: Place, quote: str, mark: tuple[str, str] | None) -> Content:
    head = Content.assemble((f"[{number}] ", "bold $accent"), mark or "", (place_words(place), "bold"))
    if headings := heading_words(place):
        head += Content.styled(f" › {headings}", "$foreground 70%")
    return Content("\n").join([head, Content.styled(f"“{squeezed(quote, _QUOTE)}”", "$foreground 85%")])


def place_words(place: Place) -> str:
    """``path:start-end``, inert."""
    path = inert(place.path)
    if not place.start_line:
        return path
    lines = f"{place.start_line}"
    if place.end_line > place.start_line:
        lines += f"-{place.end_line}"
    return f"{path}:{lines}"


def heading_words(place: Place) -> str:
    """``heading › heading``, inert, without a first heading that only repeats the note's name."""
    headings = place.headings
    if headings and headings[0] == PurePosixPath(place.path).stem:
        headings = headings[1:]
    return " › ".join(squeezed(heading, 80) for heading in headings)
