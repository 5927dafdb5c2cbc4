"""Text on a terminal: made inert, measured in cells, wrapped, coloured."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO

# DEL and C1, line separators, bidirectional overrides and isolates, lone surrogates, tag letters. A terminal
# obeys the first two; overrides make text read as something that it is not; tag letters are ones that
# nobody sees, but whoever, or whatever, is given a copy of the text may read.
_ODD = "\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\U000e0000-\U000e007f"
_FLAG = "\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f"
"""Where they are seen: in the flags of England, Scotland and Wales."""
_UNSAFE = re.compile(f"{_FLAG}|[\x00-\x1f{_ODD}]")
_UNSAFE_LINES = re.compile(f"{_FLAG}|[\x00-\x09\x0b-\x1f{_ODD}]")
_UNSAFE_JSON = re.compile(f"[{_ODD}]")
_SPACE = re.compile("([ \n])")
_WORD_BREAK = re.compile(r"(\s+)")


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    if character in "\t\r\n":
        return " "
    if len(character) > 1:
        return character
    code = ord(character)
    if code > 0xFFFF:
        return f"\\U{code:08x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def inert(text: str) -> str:
    """``text`` as one line that no terminal obeys: control characters and bidi overrides become ``\\x1b``."""
    return _UNSAFE.sub(_escaped, text)


def inert_lines(text: str) -> str:
    """As `inert`, with line feeds kept."""
    return _UNSAFE_LINES.sub(_escaped, text)


def inert_json(document: str) -> str:
    """A JSON document in which what a terminal might obey is escaped; its meaning stays the same."""
    return _UNSAFE_JSON.sub(lambda match: json.dumps(match[0])[1:-1], document)


def cells(text: str) -> int:
    """The columns that ``text`` takes: two for wide East Asian characters, none for combining marks."""
    if text.isascii():
        return len(text)
    return sum(map(_cell, text))


def _cell(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def shorten(text: str, width: int) -> str:
    """``text`` cut to ``width`` columns, with an ellipsis when something is missing."""
    if cells(text) <= width:
        return text
    return text[: _fitting(text, max(width - 1, 0))] + "…"


def _fitting(text: str, width: int) -> int:
    """How many characters from the front fit into ``width`` columns."""
    for position, character in enumerate(text):
        width -= _cell(character)
        if width < 0:
            return position
    return len(text)


def wrap(text: str, width: int) -> Iterator[str]:
    """Lines of ``text`` of at most ``width`` columns, broken at white space where there is some."""
    width = max(width, 8)
    line = ""
    for piece in _WORD_BREAK.split(text):
        if cells(line) + cells(piece) <= width:
            line += piece
            continue
        if line.strip():
            yield line.rstrip()
        line = "" if piece.isspace() else piece
        while (cut := _fitting(line, width)) < len(line):
            yield line[:cut]
            line = line[cut:]
    if line.strip():
        yield line.rstrip()


class Flow:
    """Wraps text that arrives in pieces; the last word is held back until it is known to be whole."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._column = 0
        self._gap = 0
        self._word = ""

    def feed(self, text: str) -> str:
        """What of ``text``, and of what was held back, can be shown now."""
        parts = _SPACE.split(self._word + text)
        self._word = parts.pop()
        shown = "".join(map(self._place, parts))
        # Scripts without spaces would wait for the end of the answer otherwise.
        if cells(self._word) > self._width // 2:
            shown += self._place(self._word)
            self._word = ""
        return shown

    def finish(self) -> str:
        """What was held back; the next piece starts a new text."""
        shown = self._place(self._word)
        self._word, self._column, self._gap = "", 0, 0
        return shown

    def _place(self, part: str) -> str:
        if part == "\n":
            self._column = self._gap = 0
            return part
        if part == " ":
            self._gap += 1
            return ""
        if not part:
            return ""
        width = cells(part)
        if self._column and self._column + self._gap + width > self._width:
            before, self._column = "\n", 0
        else:
            before, self._column = " " * self._gap, self._column + self._gap
        self._gap = 0
        self._column += width
        return before + part


def wants_colour(stream: TextIO, flag: bool | None) -> bool:
    """Whether to colour: the flag, then ``NO_COLOR``, then ``FORCE_COLOR``, then whether it is a terminal."""
    if flag is not None:
        return flag
    if os.environ.get("NO_COLOR"):
        return False
    if forced := os.environ.get("FORCE_COLOR"):
        return forced != "0"
    return is_terminal(stream) and os.environ.get("TERM") != "dumb"


def is_terminal(stream: TextIO) -> bool:
    """Whether a person looks at ``stream``; a closed one is no terminal."""
    try:
        return stream.isatty()
    except (AttributeError, ValueError):
        return False


@dataclass(frozen=True, slots=True)
class Palette:
    """Marks text with colours, or leaves it alone. Takes text that is inert already."""

    enabled: bool

    def _mark(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.enabled and text else text

    def strong(self, text: str) -> str:
        return self._mark("1", text)

    def faint(self, text: str) -> str:
        return self._mark("2", text)

    def place(self, text: str) -> str:
        """A path with its lines."""
        return self._mark("36", text)

    def good(self, text: str) -> str:
        return self._mark("32", text)

    def doubtful(self, text: str) -> str:
        return self._mark("33", text)

    def bad(self, text: str) -> str:
        return self._mark("31", text)

    def match(self, text: str) -> str:
        """A word of the question within a passage."""
        return self._mark("1;33", text)
