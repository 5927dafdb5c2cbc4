"""Cuts a note's text into blocks: what is a heading, an item, a table, and where exactly it stands."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from markdown_it.token import Token

from quire_engine.records import Block, BlockKind, Span
from quire_engine.vault.block_state import BlockState, take_block
from quire_engine.vault.inline import plain_text

_LONGEST_LINE = 1_000_000
_MOST_LINES = 100_000
_MOST_PLAIN_BLOCKS = 100_000
_PLAIN_PIECE = 65_536

_CALLOUT = re.compile(r"[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*>[ \t]*\[![^\]\n]+\]")
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]|$)")
_ATX_END = re.compile(r"(?:^|[ \t])#+[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}+(?![^\n]*`)|~{3,})")
_COMMENT = re.compile(r"[ \t]*(%%(?!%)|<!--)")
_HEADING_ID = re.compile(r"(?:^|[ \t])\^[A-Za-z0-9-]+[ \t]*$")
_ITEM_MARKERS = " \t-*+.)0123456789"
_LEAVES = {
    "fence": BlockKind.CODE,
    "code_block": BlockKind.CODE,
    "math_block": BlockKind.MATH,
    "html_block": BlockKind.HTML,
    "table": BlockKind.TABLE,
}
_READ_WITHIN = {
    "paragraph": BlockKind.PARAGRAPH,
    "inline": BlockKind.HEADING,
    "table": BlockKind.TABLE,
    "html_block": BlockKind.HTML,
}


class LineIndex:
    """Which line an offset of a text stands on; line numbers are 0-based here."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts = array("q", [0])
        self.starts.extend(match.end() for match in re.finditer("\n", text))

    def __len__(self) -> int:
        """Lines, of which an empty one after the last newline is not one."""
        return len(self.starts) - (self.starts[-1] == len(self.text))

    def line_of(self, offset: int) -> int:
        return bisect_right(self.starts, offset) - 1

    def end_of(self, line: int) -> int:
        """The offset after the line's last character, its newline not counted."""
        if line + 1 < len(self.starts):
            return self.starts[line + 1] - 1
        return len(self.text)

    def is_blank(self, line: int) -> bool:
        start, end = self.starts[line], self.end_of(line)
        if start == end:
            return True
        return self.text[start].isspace() and self.text[start:end].isspace()

    def longest(self) -> int:
        """Characters of the longest line."""
        ends = [*self.starts[1:], len(self.text) + 1]
        return max(end - start - 1 for start, end in zip(self.starts, ends, strict=True))

    def span(self, start: int, end: int) -> Span:
        return Span(start, end, self.line_of(start) + 1, self.line_of(max(start, end - 1)) + 1)


class Content(Enum):
    """What a range of a block holds, which decides how it is searched for links, tags and comments."""

    INLINE = auto()
    HTML = auto()
    COMMENT = auto()
    UNCLOSED_COMMENT = auto()


class Range(NamedTuple):
    """``text[start:end]``, within one block."""

    content: Content
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A block, or a comment that stands where a block could (``block`` is ``None``)."""

    block: Block | None
    ranges: tuple[Range, ...] = ()
    """What of it is to be read further; code and mathematics are in no range."""


class BlockSplitter:
    """Yields the pieces of one text, in reading order, without overlap."""

    def __init__(self, text: str, lines: LineIndex) -> None:
        self._text = text
        self._lines = lines
        too_nasty = len(lines) > _MOST_LINES or (
            len(text) > _LONGEST_LINE and lines.longest() > _LONGEST_LINE
        )
        self._state = None if too_nasty else BlockState(text, lines.starts)
        self._path: tuple[tuple[int, str], ...] = ()
        self._plain_blocks = 0

    def split(self, first: int, end: int) -> Iterator[Piece]:
        """The pieces of the lines ``first`` … ``end - 1``, a document of its own."""
        self._path = ()
        if self._state is None:
            yield from self._plain(first, end)
            return
        state = self._state
        # The parser keeps no line for white space after the last newline.
        state.lineMax = min(end, len(state.bMarks) - 1)
        line = first
        while (line := state.skipEmptyLines(line)) < state.lineMax:
            try:
                tokens = self._next_tokens(state, line)
            except Exception:
                # Whatever a parser does with hostile text, the note is still indexed.
                self._state = None
                yield from self._plain(line, end)
                return
            covered = line
            for piece, after in self._pieces(tokens):
                covered = max(covered, after)
                if piece is not None:
                    yield piece
            line = state.line
            while covered < line and state.isEmpty(covered):
                covered += 1
            if covered < line:
                # The parser drops what is nested too deep, to the end of the document.
                line = self._outdented(state, covered + 1, line)
                yield from self._plain(covered, line)

    def _next_tokens(self, state: BlockState, line: int) -> list[Token]:
        """Run the rules for the block that begins at ``line``.

        Stepping here keeps the tokens of one block in memory, not those of the whole note.
        """
        state.level, state.blkIndent, state.tokens = 0, 0, []
        take_block(state, line, state.lineMax)
        return state.tokens

    def _outdented(self, state: BlockState, line: int, end: int) -> int:
        while line < end and (state.isEmpty(line) or state.sCount[line] > 3):
            line += 1
        return line

    # ------------------------------------------------------------------------------ from tokens to pieces

    def _pieces(self, tokens: list[Token]) -> Iterator[tuple[Piece | None, int]]:
        """The pieces of one top-level block, each with the line after it; ``None`` for what has no text."""
        depth = -1
        paths: list[tuple[tuple[int, str], ...]] = []
        marker: int | None = None
        waiting: tuple[int, int, int] | None = None
        position = 0
        while position < len(tokens):
            token = tokens[position]
            first, end = token.map or (0, 0)
            kind = token.type
            if waiting and kind != "paragraph":
                yield self._item(*waiting)
                waiting = None
            if kind in ("bullet_list_open", "ordered_list_open"):
                depth += 1
                paths.append(self._path)
            elif kind in ("bullet_list_close", "ordered_list_close"):
                depth -= 1
                # Headings within a list's items end with the list.
                self._path = paths.pop()
            elif kind == "list_item_open":
                marker = first
            elif kind == "list_item_close":
                if marker is not None and self._is_empty_item(marker):
                    yield None, marker + 1
                marker = None
            elif kind == "paragraph":
                if waiting:
                    waiting = (waiting[0], end, depth)
                elif marker is not None:
                    waiting = (marker, end, depth)
                    marker = None
                else:
                    yield self._piece(BlockKind.PARAGRAPH, first, end), end
            elif kind in ("blockquote_open", "footnote_reference_open"):
                close = _closing(tokens, position)
                start = first if marker is None else marker
                yield self._compound(kind, start, end, tokens[position:close]), end
                marker, position = None, close
            elif kind == "heading_open":
                start = first if marker is None else marker
                yield self._heading(int(token.tag[1]), start, end, tokens[position + 1].content), end
                marker = None
            elif kind == "comment":
                for piece in self._comment(token):
                    yield piece, end
            elif kind in _LEAVES:
                start = first if marker is None else marker
                yield self._piece(_LEAVES[kind], start, end), end
                marker = None
            elif kind == "hr":
                yield None, end
            position += 1
        if waiting:
            yield self._item(*waiting)

    def _is_empty_item(self, line: int) -> bool:
        # Not so when the parser has dropped what it holds.
        written = self._text[self._lines.starts[line] : self._lines.end_of(line)]
        return not written.strip(_ITEM_MARKERS)

    def _item(self, first: int, end: int, depth: int) -> tuple[Piece | None, int]:
        return self._piece(BlockKind.LIST_ITEM, first, end, level=depth), end

    def _piece(self, kind: BlockKind, first: int, end: int, *, level: int = 0) -> Piece | None:
        span = self._span(first, end)
        if span is None:
            return None
        return Piece(Block(kind, span, self._headings(), level=level), self._ranges(kind, span))

    def _ranges(self, kind: BlockKind, span: Span) -> tuple[Range, ...]:
        if kind in (BlockKind.CODE, BlockKind.MATH):
            return ()
        if kind is BlockKind.TABLE:
            # Line by line, so that a lone backtick in a cell does not reach into the next row.
            starts, end_of = self._lines.starts, self._lines.end_of
            rows = range(span.start_line - 1, span.end_line)
            return tuple(Range(Content.INLINE, starts[row], end_of(row)) for row in rows)
        content = Content.HTML if kind is BlockKind.HTML else Content.INLINE
        return (Range(content, span.start, span.end),)

    def _span(self, first: int, end: int) -> Span | None:
        last = end - 1
        while last >= first and self._lines.is_blank(last):
            last -= 1
        if last < first:
            return None
        while self._lines.is_blank(first):
            first += 1
        return Span(self._lines.starts[first], self._lines.end_of(last), first + 1, last + 1)

    def _headings(self) -> tuple[str, ...]:
        return tuple(text for _, text in self._path if text)

    def _heading(self, level: int, first: int, end: int, source: str) -> Piece | None:
        text = plain_text(_HEADING_ID.sub("", source))
        self._path = (*(above for above in self._path if above[0] < level), (level, text))
        return self._piece(BlockKind.HEADING, first, end, level=level)

    def _compound(self, opening: str, first: int, end: int, tokens: list[Token]) -> Piece | None:
        """A quote, callout or footnote: one block, whose code and mathematics hold no links."""
        kind = BlockKind.FOOTNOTE
        if opening == "blockquote_open":
            start = self._lines.starts[first]
            is_callout = _CALLOUT.match(self._text, start, self._lines.end_of(first))
            kind = BlockKind.CALLOUT if is_callout else BlockKind.QUOTE
        span = self._span(first, end)
        if span is None:
            return None
        ranges: list[Range] = []
        for token in tokens:
            if token.type == "comment":
                ranges.append(_comment_range(token))
            elif token.type in _READ_WITHIN and token.map and (found := self._span(*token.map)):
                ranges.extend(self._ranges(_READ_WITHIN[token.type], found))
        return Piece(Block(kind, span, self._headings()), tuple(ranges))

    def _comment(self, token: Token) -> Iterator[Piece]:
        comment = _comment_range(token)
        yield Piece(None, (comment,))
        yield from self._rest_of_line(comment.end)

    def _rest_of_line(self, start: int) -> Iterator[Piece]:
        """What follows a comment on the line that closes it."""
        stop = self._lines.end_of(self._lines.line_of(start - 1))
        rest = self._text[start:stop]
        if rest.strip():
            begin = start + len(rest) - len(rest.lstrip())
            block = Block(BlockKind.PARAGRAPH, self._lines.span(begin, stop), self._headings())
            yield Piece(block, (Range(Content.INLINE, begin, stop),))

    # ---------------------------------------------------------------------- without the Markdown parser

    def _plain(self, first: int, end: int) -> Iterator[Piece]:
        """Paragraphs, headings, fences and comments, told by their first characters.

        Linear for any input, in time and in memory.
        """
        end = min(end, len(self._lines))
        line = first
        while line < end:
            if self._lines.is_blank(line):
                line += 1
                continue
            self._plain_blocks += 1
            begin, stop = self._lines.starts[line], self._lines.end_of(line)
            if comment := self._plain_comment(begin, stop, self._lines.end_of(end - 1)):
                yield Piece(None, (comment,))
                yield from self._rest_of_line(comment.end)
                line = self._lines.line_of(comment.end - 1) + 1
                continue
            piece: Piece | None
            if self._plain_blocks > _MOST_PLAIN_BLOCKS:
                # A file of millions of tiny blocks is cut coarsely once it has had its share.
                close = min(max(self._lines.line_of(begin + _PLAIN_PIECE), line + 1), end)
                piece = self._piece(BlockKind.PARAGRAPH, line, close)
            elif fence := _FENCE.match(self._text, begin, stop):
                close = self._fence_end(fence[1], line + 1, end)
                piece = self._piece(BlockKind.CODE, line, close)
            elif (heading := _ATX.match(self._text, begin, stop)) and stop - begin < _PLAIN_PIECE:
                close = line + 1
                source = _ATX_END.sub("", self._text[heading.end() : stop].strip())
                piece = self._heading(len(heading[1]), line, close, source)
            else:
                close = self._paragraph_end(line + 1, end)
                piece = self._piece(BlockKind.PARAGRAPH, line, close)
            if piece is not None:
                yield piece
            line = close

    def _plain_comment(self, begin: int, stop: int, end: int) -> Range | None:
        opening = _COMMENT.match(self._text, begin, stop)
        if opening is None:
            return None
        closer = "-->" if opening[1] == "<!--" else "%%"
        if self._text.find(closer, opening.end(), stop) >= 0:
            return None
        close = self._text.find(closer, stop, end)
        if close < 0:
            return Range(Content.UNCLOSED_COMMENT, opening.start(1), end)
        return Range(Content.COMMENT, opening.start(1), close + len(closer))

    def _paragraph_end(self, line: int, end: int) -> int:
        while line < end and not self._lines.is_blank(line):
            begin, stop = self._lines.starts[line], self._lines.end_of(line)
            if any(mark.match(self._text, begin, stop) for mark in (_FENCE, _ATX, _COMMENT)):
                break
            line += 1
        return line

    def _fence_end(self, marker: str, line: int, end: int) -> int:
        while line < end:
            written = self._text[self._lines.starts[line] : self._lines.end_of(line)].strip()
            if len(written) >= len(marker) and not written.strip(marker[0]):
                return line + 1
            line += 1
        return end


def _comment_range(token: Token) -> Range:
    content = Content.COMMENT if token.meta["closed"] else Content.UNCLOSED_COMMENT
    return Range(content, token.meta["start"], token.meta["end"])


def _closing(tokens: list[Token], position: int) -> int:
    """The index of the token that closes the one at ``position``, which opens."""
    kind = tokens[position].type
    closer = kind.replace("_open", "_close")
    depth = 0
    for index in range(position, len(tokens)):
        depth += (tokens[index].type == kind) - (tokens[index].type == closer)
        if depth == 0:
            return index
    return len(tokens) - 1
