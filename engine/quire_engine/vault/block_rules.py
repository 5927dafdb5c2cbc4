"""The block rules: CommonMark by markdown-it, footnotes, and the blocks that only Obsidian has.

A markdown-it block rule takes (state, first line, line after the last, silent) and either refuses, or, unless
silent (asked only whether it would end a paragraph), pushes its tokens and moves ``state.line`` on.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from markdown_it.rules_block import StateBlock, blockquote, code, fence, heading, hr, html_block, list_block
from mdit_py_plugins.footnote.index import footnote_def

_MAX_QUOTES = 8
_DELIMITER_ROW = re.compile(r"[ \t]*(?=[^\n]*-)(?::?-|\|)[-:| \t]*")
_DELIMITER_CELL = re.compile(r"[ \t]*:?-+:?[ \t]*")
_PIPE = re.compile(r"(?<!\\)(?:\\\\)*\|")

_WHITE_SPACE = "\t\n\x0b\x0c\r \xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
"""As CommonMark has it; str.strip takes more."""

Rule = Callable[[StateBlock, int, int, bool], bool]


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
    if delimiters >= end or not state.src.startswith(("|", "-", ":"), _first(state, delimiters)):
        return False
    if state.sCount[delimiters] < state.blkIndent or state.is_code_block(delimiters):
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
    (ends,) = ENDING_RULES["blockquote"]
    line = start + 2
    while line < end and state.sCount[line] >= state.blkIndent and not state.isEmpty(line):
        if state.is_code_block(line) or ends(state, line, end, True):
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


def _paragraph(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """What no other rule takes: a paragraph, or a heading when a line of ``=`` or ``-`` follows it.

    markdown-it reads a paragraph twice, to see whether it is a heading, and makes three tokens of it.
    """
    parent, state.parentType = state.parentType, "paragraph"
    source, indents = state.src, state.sCount
    marker = ""
    line = start + 1
    while line < end:
        begin, stop = state.bMarks[line] + state.tShift[line], state.eMarks[line]
        if begin >= stop:
            break
        indent = indents[line] - state.blkIndent
        # Text that is indented further goes on, and a quote has already read lines of negative indentation.
        if indent <= 3:
            first = source[begin]
            if indent >= 0 and first in "=-" and not source[begin:stop].lstrip(first).strip(" \t"):
                marker = first
                break
            if indents[line] >= 0 and any(
                rule(state, line, end, True) for rule in _END_PARAGRAPH.get(first, _END_OTHERS)
            ):
                break
        line += 1
    state.parentType = parent
    state.line = line + bool(marker)
    if not marker:
        state.push("paragraph", "p", 0).map = [start, line]
        return True
    tag = "h1" if marker == "=" else "h2"
    state.push("heading_open", tag, 1).map = [start, state.line]
    inline = state.push("inline", "", 0)
    inline.map = [start, line]
    inline.content = StateBlock.getLines(state, start, line, state.blkIndent, False).strip(_WHITE_SPACE)
    state.push("heading_close", tag, -1)
    return True


def _by_first_character(*rules: tuple[Rule, str]) -> dict[str, tuple[Rule, ...]]:
    """The rules, each with the characters that a line for it can begin with (after spaces), by character."""
    found: dict[str, tuple[Rule, ...]] = {}
    for rule, characters in rules:
        for character in characters:
            found[character] = (*found.get(character, ()), rule)
    return found


_ENDS_ITEM = ((_comment, "%"), (fence, "`~"), (_math, "$"), (_quote, ">"), (hr, "*-_"))
_ENDS_QUOTE = (*_ENDS_ITEM, (list_block, "*-+0123456789"), (html_block, "<"), (heading, "#"))
_ANYWHERE = (*_ENDS_QUOTE, (footnote_def, "["))
# A table is told by its second line, a paragraph by being nothing else.
_BEGIN: dict[str, tuple[Rule, ...]] = {
    character: (_table, *rules, _paragraph) for character, rules in _by_first_character(*_ANYWHERE).items()
}
_BEGIN_OTHERS: tuple[Rule, ...] = (_table, _paragraph)
_END_PARAGRAPH: dict[str, tuple[Rule, ...]] = {
    character: (_table, *rules) for character, rules in _by_first_character(*_ANYWHERE).items()
}
_END_OTHERS: tuple[Rule, ...] = (_table,)


def starting_rules(state: StateBlock, line: int) -> tuple[Rule, ...]:
    """Those that may take the block that begins at ``line``, which is not empty; one of them does."""
    if state.is_code_block(line):
        return (code,)
    return _BEGIN.get(state.src[_first(state, line)], _BEGIN_OTHERS)


def _asking(rules: dict[str, tuple[Rule, ...]]) -> Rule:
    def ask(state: StateBlock, line: int, end: int, silent: bool) -> bool:
        """Whether a rule would take the line; those that its first character rules out are not asked."""
        begin = _first(state, line)
        return any(rule(state, line, end, silent) for rule in rules.get(state.src[begin : begin + 1], ()))

    return ask


ENDING_RULES: dict[str, list[Rule]] = {
    "blockquote": [_asking(_by_first_character(*_ENDS_QUOTE))],
    "list": [_asking(_by_first_character(*_ENDS_ITEM))],
}
"""Those that are asked, silently, whether they end what is being read, by its name."""
