"""A note's text with line numbers, and a passage in it that stands out."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.events import Resize
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from quire.tui.places import Passage
from quire.tui.widgets.wrapping import rows, shown
from quire_engine.records import BlockKind, Note

_ABOVE = 3
"""Rows that stay in view above a passage that is scrolled to."""
_KINDS = {BlockKind.HEADING: "heading", BlockKind.CODE: "code", BlockKind.PROPERTIES: "faint"}


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    """0-based."""
    start: int
    end: int


class NoteText(ScrollView, can_focus=True):
    """Shows a note verbatim, wrapped; only what is in view is rendered."""

    DEFAULT_CSS = """
    NoteText {
        overflow-x: hidden;
        overflow-y: scroll;
        background: $background;
        & > .note-text--number { color: $foreground 40%; }
        & > .note-text--heading { color: $primary; text-style: bold; }
        & > .note-text--code { color: $secondary; }
        & > .note-text--faint { color: $foreground 60%; }
        & > .note-text--cited { background: $accent 18%; }
        & > .note-text--quote { text-style: bold; background: $accent 30%; }
        & > .note-text--mark { color: $accent; text-style: bold; background: $accent 18%; }
    }
    """
    COMPONENT_CLASSES: ClassVar = {
        f"note-text--{part}" for part in "number heading code faint cited quote mark".split()
    }
    ALLOW_SELECT = False

    def __init__(self) -> None:
        super().__init__(id="note-text")
        self._lines: list[str] = []
        self._styles: dict[int, str] = {}
        self._passage: Passage | None = None
        self._quotes: dict[int, tuple[int, int]] = {}
        """The quoted stretch of a line as shown, by 0-based line."""
        self._rows: list[_Row] = []
        self._wrapped_at = 0

    @property
    def passage(self) -> Passage | None:
        """What stands out."""
        return self._passage

    @property
    def top_line(self) -> int:
        """The 1-based line at the top of the view."""
        return self._rows[min(self.scroll_offset.y, len(self._rows) - 1)].line + 1 if self._rows else 1

    def show(self, note: Note, passage: Passage | None) -> None:
        """Show ``note``, with ``passage`` standing out, and scroll there."""
        self._lines = [shown(line) for line in note.text.split("\n")]
        self._styles = {
            line: _KINDS[block.kind]
            for block in note.blocks
            if block.kind in _KINDS
            for line in range(block.span.start_line - 1, block.span.end_line)
        }
        self._passage = passage
        self._quotes = _quoted(note.text, passage)
        self._wrap()
        self.scroll_to_passage()

    def scroll_to_passage(self) -> None:
        """Bring the passage into view, with a little of what stands above it."""
        if self._passage is None:
            return
        line = self._passage.start_line - 1
        column = self._quotes.get(line, (0, 0))[0]
        row = bisect_left(self._rows, (line, column), key=lambda row: (row.line, row.end - 1))
        self.scroll_to(y=max(0, row - _ABOVE), animate=False, force=True)

    def on_resize(self, event: Resize) -> None:
        if self._wrapped_at != self._text_width and self._lines:
            top = self.top_line
            self._wrap()
            row = bisect_left(self._rows, top - 1, key=lambda row: row.line)
            self.scroll_to(y=row, animate=False, force=True)

    @property
    def _gutter(self) -> int:
        return len(str(len(self._lines))) + 2

    @property
    def _text_width(self) -> int:
        return self.scrollable_content_region.width - self._gutter - 1

    def _wrap(self) -> None:
        width = self._wrapped_at = self._text_width
        self._rows = [
            _Row(number, start, end)
            for number, line in enumerate(self._lines)
            for start, end in rows(line, width)
        ]
        self.virtual_size = Size(self.scrollable_content_region.width, len(self._rows))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        index = self.scroll_offset.y + y
        if index >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        row = self._rows[index]
        is_cited = (
            self._passage is not None and self._passage.start_line <= row.line + 1 <= self._passage.end_line
        )
        number = str(row.line + 1) if row.start == 0 else ""
        gutter = self._gutter
        segments = [
            Segment(f"{number:>{gutter - 2}} ", self._style("number")),
            Segment("▌" if is_cited else " ", self._style("mark") if is_cited else self.rich_style),
            *self._segments(row, is_cited),
        ]
        style = self._style("cited") if is_cited else self.rich_style
        return Strip(segments).adjust_cell_length(width, style)

    def _segments(self, row: _Row, is_cited: bool) -> list[Segment]:
        text = self._lines[row.line]
        base = self._style(self._styles.get(row.line, ""))
        if not is_cited:
            return [Segment(text[row.start : row.end], base)]
        base += Style(bgcolor=self._style("cited").bgcolor)
        strong = base + Style(bold=True, bgcolor=self._style("quote").bgcolor)
        start, end = self._quotes.get(row.line, (0, 0))
        start, end = (min(max(edge, row.start), row.end) for edge in (start, end))
        pieces = [(row.start, start, base), (start, end, strong), (end, row.end, base)]
        return [Segment(text[a:b], style) for a, b, style in pieces if a < b]

    def _style(self, part: str) -> Style:
        return self.get_component_rich_style(f"note-text--{part}") if part else self.rich_style


def _quoted(text: str, passage: Passage | None) -> dict[int, tuple[int, int]]:
    """The stretch of each line that belongs to the passage's quote, in characters of the line as shown."""
    if passage is None or passage.start == passage.end:
        return {}
    stretches: dict[int, tuple[int, int]] = {}
    offset = text.rfind("\n", 0, passage.start) + 1
    for number in range(passage.start_line - 1, passage.end_line):
        end = text.find("\n", offset)
        end = len(text) if end < 0 else end
        first = len(shown(text[offset : max(offset, passage.start)]))
        last = len(shown(text[offset : min(end, passage.end)]))
        stretches[number] = (first, last)
        offset = end + 1
    return stretches
