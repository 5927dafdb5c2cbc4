"""The block parser: CommonMark by markdown-it, footnotes, and the blocks that only Obsidian has.

A markdown-it block rule takes (state, first line, line after the last, silent) and either refuses, or, unless
silent (asked only whether it would end a paragraph), pushes its tokens and moves ``state.line`` on.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, blockquote
from mdit_py_plugins.footnote.index import footnote_def

MAX_NESTING = 64
"""Lists, items and quotes within each other; what lies deeper is read without structure."""
_MAX_QUOTES = 8
_DELIMITER_ROW = re.compile(r"[ \t]*(?=[^\n]*-)(?::?-|\|)[-:| \t]*")
_DELIMITER_CELL = re.compile(r"[ \t]*:?-+:?[ \t]*")
_PIPE = re.compile(r"(?<!\\)(?:\\\\)*\|")

Rule = Callable[[StateBlock, int, int, bool], bool]


@cache
def block_parser() -> MarkdownIt:
    """The one parser; it holds no state between notes."""
    # Link references cost markdown-it quadratic time, and notes hardly use them: they stay paragraphs.
    markdown = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING}).disable("reference")
    ruler = markdown.block.ruler
    ends = ["paragraph", "reference", "blockquote", "list"]
    ruler.before("table", "comment", _comment, {"alt": ends})
    ruler.at("table", _table, {"alt": ["paragraph", "reference"]})
    ruler.enable("table")
    ruler.before("fence", "math_block", _math, {"alt": ends})
    ruler.at("blockquote", _quote, {"alt": ends})
    ruler.before("reference", "footnote_def", footnote_def, {"alt": ["paragraph", "reference"]})
    return markdown


def _first(state: StateBlock, line: int) -> int:
    return state.bMarks[line] + state.tShift[line]


def _comment(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """``%%`` at the start of a line that does not close it, up to the next ``%%``, else to the end."""
    begin = _first(state, start)
    source = state.src
    if not source.startswith("%%", begin) or source.startswith("%%%", begin) or state.is_code_block(start):
        return False
    if source.find("%%", begin + 2, state.eMarks[start]) >= 0:
        return False
    if silent:
        return True
    line, stop = end - 1, state.eMarks[end - 1]
    closed = False
    for candidate in range(start + 1, end):
        close = source.find("%%", state.bMarks[candidate], state.eMarks[candidate])
        if close >= 0:
            line, stop, closed = candidate, close + 2, True
            break
    token = state.push("comment", "", 0)
    token.map = [start, line + 1]
    token.meta = {"start": begin, "end": stop, "closed": closed}
    state.line = line + 1
    return True


def _math(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """``$$`` … ``$$`` from the start of a line, without an empty line between."""
    begin = _first(state, start)
    source = state.src
    if not source.startswith("$$", begin) or state.is_code_block(start):
        return False
    close = source.find("$$", begin + 2, state.eMarks[start])
    line = start
    if close >= 0:
        if source[close + 2 : state.eMarks[start]].strip():
            return False
    else:
        for line in range(start + 1, end):
            if state.isEmpty(line):
                return False
            if source.find("$$", state.bMarks[line], state.eMarks[line]) >= 0:
                break
        else:
            return False
    if not silent:
        token = state.push("math_block", "", 0)
        token.map = [start, line + 1]
        state.line = line + 1
    return True


def _table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A table as one token: markdown-it's own rule makes three for every cell."""
    delimiters = start + 1
    if delimiters >= end or state.sCount[delimiters] < state.blkIndent or state.is_code_block(delimiters):
        return False
    begin, stop = _first(state, delimiters), state.eMarks[delimiters]
    if not _DELIMITER_ROW.fullmatch(state.src, begin, stop) or state.src.startswith(("- ", "-\t"), begin):
        return False
    header = state.src[_first(state, start) : state.eMarks[start]].strip()
    if "|" not in header or state.is_code_block(start):
        return False
    row = state.src[begin:stop].strip().removeprefix("|").removesuffix("|").split("|")
    if not all(_DELIMITER_CELL.fullmatch(cell) for cell in row) or _cells(header) != len(row):
        return False
    if silent:
        return True
    enders = state.md.block.ruler.getRules("blockquote")
    line = start + 2
    while line < end and state.sCount[line] >= state.blkIndent and not state.isEmpty(line):
        if state.is_code_block(line) or any(rule(state, line, end, True) for rule in enders):
            break
        line += 1
    token = state.push("table", "", 0)
    token.map = [start, line]
    state.line = line
    return True


def _cells(row: str) -> int:
    pipes = len(_PIPE.findall(row))
    pipes -= row.startswith("|")
    pipes -= len(row) > 1 and row.endswith("|") and not row.endswith("\\|")
    return pipes + 1


def _quote(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A block quote, whose nesting is bounded because each level reads all of its lines again."""
    if silent:
        return blockquote(state, start, end, True)
    depth = state.env.get("quotes", 0)
    if depth >= _MAX_QUOTES:
        return False
    state.env["quotes"] = depth + 1
    try:
        return blockquote(state, start, end, False)
    finally:
        state.env["quotes"] = depth
