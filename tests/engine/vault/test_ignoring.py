"""Patterns of an ignore file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from quire_engine.vault.ignoring import IgnoreRules, is_pattern, usable_lines

PARTS = st.sampled_from(["a", "b", ".", "*", "?", "/", "**/", "[ab]", "a*", "*b", "x", "\\*", "*.md", "**"])
PATTERNS = st.tuples(st.sampled_from(["", "", "", "!"]), st.lists(PARTS, min_size=1, max_size=9)).map(
    lambda drawn: drawn[0] + "".join(drawn[1])
)
NAMES = st.text("aabbx*.", min_size=1, max_size=6).filter(lambda name: name.strip("."))
PATHS = st.tuples(st.lists(NAMES, min_size=1, max_size=4), st.sampled_from(["", "/"])).map(
    lambda drawn: "/".join(drawn[0]) + drawn[1]
)


@given(st.lists(PATTERNS.filter(is_pattern), max_size=4), PATHS)
def test_paths_are_left_out_that_a_gitignore_leaves_out(patterns: list[str], path: str) -> None:
    assert IgnoreRules(patterns).leaves_out(path) is bool(GitIgnoreSpec.from_lines(patterns).match_file(path))


def test_none_of_several_characters_is_no_slash() -> None:
    assert IgnoreRules(["a*[!x]*b"]).leaves_out("a-b")
    assert not IgnoreRules(["c/a*[!x]*b"]).leaves_out("c/a/b")


@pytest.mark.parametrize("pattern", ["a*" * 400 + "b", "*a" * 400, "*a?" * 300 + "b", "*[a-z]" * 150 + "#"])
def test_many_stars_take_no_time(pattern: str) -> None:
    # Each star tried at each letter, this would not end.
    assert not IgnoreRules([pattern]).leaves_out("a" * 255 + "c")


def test_lines_that_are_too_long_too_many_or_no_pattern_are_told() -> None:
    usable, wrong = usable_lines(["ok/", "*" * 5000, "**/a/**/b/**/c", "!", *["x"] * 1000])
    assert usable[0] == "ok/"
    assert len(usable) == 1 + 1000 - 4
    assert [reason.split(" is ")[0] for reason in wrong[:3]] == ["line 2", "line 3", "line 4"]
    assert "1,000" in wrong[3]
