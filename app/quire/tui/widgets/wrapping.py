"""Lines of a note cut into rows that fit the screen."""

from __future__ import annotations

from rich.cells import get_character_cell_size

from quire.tui.inert import inert_lines

_TAB = "    "


def shown(text: str) -> str:
    """A line, or the beginning of one, as it is shown: inert, tabs as four spaces."""
    return inert_lines(text).replace("\t", _TAB)


def rows(line: str, width: int) -> list[tuple[int, int]]:
    """Where to cut ``line``, as shown, so that every piece fits into ``width`` columns.

    (start, end) of each piece in characters; at least one. Cuts come after spaces where there are any.
    """
    width = max(1, width)
    if len(line) <= width and line.isascii():
        return [(0, len(line))]
    pieces: list[tuple[int, int]] = []
    start = 0
    while True:
        end = start + _fitting(line[start : start + width + 1], width)
        if end >= len(line):
            return [*pieces, (start, len(line))]
        space = line.rfind(" ", start, end + 1)
        if space > start and line[start:space].strip():
            end = space + 1
        pieces.append((start, end))
        start = end
        if start == len(line):
            return pieces


def _fitting(text: str, width: int) -> int:
    """How many characters from the front fit into ``width`` columns; at least one."""
    if text.isascii():
        return min(len(text), width)
    for position, character in enumerate(text):
        width -= get_character_cell_size(character)
        if width < 0:
            return max(1, position)
    return len(text)
