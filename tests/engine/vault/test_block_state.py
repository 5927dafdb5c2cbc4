"""Blocks are those of markdown-it, which is asked less."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from quire_engine.vault.block_state import MAX_NESTING, BlockState, take_block

LINES = st.tuples(
    st.lists(st.sampled_from(["", " ", "  ", "    ", "\t", "> ", ">", "- ", "2. "]), max_size=3).map("".join),
    st.sampled_from(
        ["", "text", "京都", "# A", "## B ##", "#no", "===", "---", "- - -", "***", "___", "=", "-", "* x",
         "+ x", "1. one", "7) x", "9999999999. x", "> quote", "```", "```py", "``` a`b", "~~~~", "<div>",
         "</div>", "<b>x</b>", "<!--", "-->", "<pre>", "<?php", "?>", "code", "\u2028x", "\x0c", "[x]: y.md"]
    ),
).map("".join)  # fmt: skip
TEXTS = st.tuples(
    st.lists(LINES, max_size=14).map("\n".join), st.sampled_from(["", "\n", "\n  ", "\n\n\t"])
).map("".join)
Found = list[tuple[str, str, list[int] | None]]


def ours(text: str) -> Found:
    state = BlockState(text, [0, *(match.end() for match in re.finditer("\n", text))])
    line = 0
    while (line := state.skipEmptyLines(line)) < state.lineMax:
        take_block(state, line, state.lineMax)
        line = state.line
    return [(token.type, token.tag, token.map) for token in state.tokens]


def theirs(text: str) -> Found:
    markdown = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING}).disable("reference")
    found: Found = []
    tokens = [t for t in markdown.parse(text) if t.type != "paragraph_close"]
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.type == "paragraph_open":
            found.append(("paragraph", "p", token.map))
        elif not (token.type == "inline" and before and before.type == "paragraph_open"):
            found.append((token.type, token.tag, token.map))
    return found


@given(TEXTS)
@settings(max_examples=400)
def test_the_same_blocks_on_the_same_lines(text: str) -> None:
    assert ours(text) == theirs(text)


@pytest.mark.parametrize(
    "text", ["", " ", "\n", "\n \n", "  a\n\tb", "\t\n- \n\n  x", "-\n\n\nfoo", "> \n\n>"]
)
def test_white_space_at_the_edges(text: str) -> None:
    assert ours(text) == theirs(text)
