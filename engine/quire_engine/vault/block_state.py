"""What markdown-it's block rules work on, at a fraction of its own price.

Of the dozen rules, only those are asked that the first character of a line leaves possible, and no text is
copied: tokens tell which lines a block has, the rest is read from the note.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal, cast

from markdown_it import MarkdownIt
from markdown_it.parser_block import ParserBlock
from markdown_it.ruler import Ruler
from markdown_it.rules_block import StateBlock
from markdown_it.token import Token

from quire_engine.vault.block_rules import ENDING_RULES, Rule, starting_rules

MAX_NESTING = 64
"""Lists, items and quotes within each other; what lies deeper is read without structure."""
_INDENTED = re.compile(r"\n([ \t]+)")


class BlockState(StateBlock):
    """The state of one text's parsing."""

    def __init__(self, text: str, line_starts: Sequence[int]) -> None:
        """``line_starts`` holds 0 and the offset after every newline of ``text``."""
        super().__init__("", _parser(), {}, [])
        self.src = text
        starts = list(line_starts)
        ends = [start - 1 for start in starts[1:]]
        ends.append(len(text))
        if not text[starts[-1] :].strip(" \t"):
            # The rules know no line for white space after the last newline.
            starts.pop()
            ends.pop()
        shifts = [0] * len(starts)
        indents = shifts.copy()
        for match in _INDENTED.finditer("\n" + text):
            line = bisect_left(starts, match.start())
            if line < len(starts):
                shifts[line] = len(match[1])
                indents[line] = len(match[1].expandtabs(4))
        self.lineMax = len(starts)
        # One line more, so that the rules may look at the next.
        self.bMarks = [*starts, len(text)]
        self.eMarks = [*ends, len(text)]
        self.tShift = [*shifts, 0]
        self.sCount = [*indents, 0]
        self.bsCount = [0] * len(self.bMarks)

    def push(self, ttype: str, tag: str, nesting: Literal[-1, 0, 1]) -> Token:
        if nesting < 0:
            self.level -= 1
        token = cast(Token, _Token(ttype, tag, self.level))
        if nesting > 0:
            self.level += 1
        self.tokens.append(token)
        return token

    def getLines(self, begin: int, end: int, indent: int, keepLastLF: bool) -> str:
        """Nothing: what a rule copies of the text is not read."""
        return ""


class _Token:
    """As much of a `Token` as block rules set."""

    map: list[int] | None = None
    content = markup = info = ""
    attrs: dict[str, Any]
    meta: dict[Any, Any]
    hidden = False

    def __init__(self, type: str, tag: str, level: int) -> None:
        self.type = type
        self.tag = tag
        self.level = level


class _Chains(Ruler[Rule]):
    def get_active_rules(self) -> list[str]:
        return ["code"]  # the only one that a state looks for

    def getRules(self, chainName: str = "") -> list[Rule]:
        return ENDING_RULES[chainName]


class _Blocks(ParserBlock):
    def __init__(self) -> None:
        self.ruler = _Chains()

    def tokenize(self, state: StateBlock, startLine: int, endLine: int) -> None:
        """As markdown-it's own, for what lies within a list item, quote or footnote."""
        line = startLine
        after_empty = False
        while line < endLine:
            state.line = line = state.skipEmptyLines(line)
            if line >= endLine or state.sCount[line] < state.blkIndent:
                return
            if state.level >= MAX_NESTING:
                state.line = endLine
                return
            take_block(state, line, endLine)
            state.tight = not after_empty
            line = state.line
            if line - 1 < endLine and state.isEmpty(line - 1):
                after_empty = True
            if line < endLine and state.isEmpty(line):
                after_empty = True
                line += 1
                state.line = line


def take_block(state: StateBlock, line: int, end: int) -> None:
    """Push the tokens of the block at ``line``, not an empty one; ``state.line`` is the one after it then."""
    state.line = line
    for rule in starting_rules(state, line):
        if rule(state, line, end, False):
            break
    if state.line <= line:
        raise RuntimeError("no block rule moved on")


@cache
def _parser() -> MarkdownIt:
    """Options and chains of rules; it holds no state between notes."""
    markdown = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING})
    markdown.block = _Blocks()
    return markdown
