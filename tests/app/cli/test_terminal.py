"""Text made inert, measured and wrapped."""

from __future__ import annotations

import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire.cli.terminal import (
    Flow,
    Palette,
    cells,
    inert,
    inert_json,
    inert_lines,
    shorten,
    wants_colour,
    wrap,
)

ANY_TEXT = st.text(st.characters(codec=None))
BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
OBEYED = {*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), *BIDI, "\u2028", "\u2029"}


class TestInert:
    @given(ANY_TEXT)
    def test_leaves_nothing_that_a_terminal_obeys(self, text: str) -> None:
        assert not OBEYED & set(inert(text))
        assert not (OBEYED - {"\n"}) & set(inert_lines(text))

    @given(ANY_TEXT)
    def test_can_always_be_written(self, text: str) -> None:
        inert(text).encode("utf-8")

    def test_shows_what_was_there(self) -> None:
        assert inert("a\x1b[31mred\x9b\u202e") == r"a\x1b[31mred\x9b\u202e"

    def test_shows_letters_that_nobody_sees_but_keeps_flags(self) -> None:
        assert inert("bins\U000e0041\U000e0042") == r"bins\U000e0041\U000e0042"
        assert inert("\U0001f3f4\U000e0041") == "\U0001f3f4" + r"\U000e0041"
        assert not re.search("[\U000e0000-\U000e007f]", inert_json('"bins\U000e0041"'))

    def test_keeps_ordinary_text_of_every_script(self) -> None:
        text = "naïve Ωμέγα 日本語 עברית 🌱 e\u0301"
        assert inert(text) == text
        text = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
        assert inert(text) == text

    @given(
        st.recursive(st.none() | ANY_TEXT, lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner))
    )
    def test_json_keeps_its_meaning(self, value: object) -> None:
        document = inert_json(json.dumps(value, ensure_ascii=False))
        assert json.loads(document) == value
        assert not OBEYED & set(document)


class TestMeasure:
    @pytest.mark.parametrize(
        ("text", "expected"), [("abc", 3), ("日本", 4), ("e\u0301", 1), ("", 0), ("ａ", 2)]
    )
    def test_counts_columns(self, text: str, expected: int) -> None:
        assert cells(text) == expected

    def test_shortens_by_columns(self) -> None:
        assert shorten("日本語日本語", 7) == "日本語…"
        assert shorten("short", 7) == "short"

    @given(st.text("ab 日 ", max_size=60), st.integers(8, 20))
    def test_wrapped_lines_fit_and_lose_no_character(self, text: str, width: int) -> None:
        lines = list(wrap(text, width))
        assert all(cells(line) <= width for line in lines)
        assert "".join("".join(lines).split()) == "".join(text.split())


class TestFlow:
    @given(st.lists(st.text("abcdef \n", max_size=12), max_size=12))
    def test_pieces_wrap_as_the_whole_would(self, pieces: list[str]) -> None:
        flow, whole = Flow(20), Flow(20)
        in_pieces = "".join(map(flow.feed, pieces)) + flow.finish()
        at_once = whole.feed("".join(pieces)) + whole.finish()
        # A word longer than half a line may be broken where a piece ended.
        if max((len(word) for word in "".join(pieces).split()), default=0) <= 10:
            assert in_pieces == at_once
        assert in_pieces.split() == at_once.split() or "".join(in_pieces.split()) == "".join(at_once.split())

    @given(st.lists(st.text("ab ", max_size=9), max_size=20))
    def test_lines_of_short_words_fit(self, pieces: list[str]) -> None:
        flow = Flow(20)
        text = "".join(map(flow.feed, pieces)) + flow.finish()
        if max((len(word) for word in "".join(pieces).split()), default=0) <= 10:
            assert all(len(line.strip()) <= 20 for line in text.split("\n"))

    def test_keeps_line_breaks_and_indents(self) -> None:
        flow = Flow(40)
        assert flow.feed("one\n  two three") + flow.finish() == "one\n  two three"

    def test_shows_a_word_only_when_it_is_whole(self) -> None:
        flow = Flow(40)
        assert flow.feed("water the ro") == "water the"
        assert flow.feed("ses ") == " roses"

    def test_does_not_wait_for_a_space_that_never_comes(self) -> None:
        flow = Flow(20)
        assert flow.feed("日本語日本語日本語") != ""


class TestColour:
    @pytest.fixture(autouse=True)
    def plain_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.delenv("FORCE_COLOR", raising=False)

    def test_is_off_where_nobody_looks(self) -> None:
        assert wants_colour(io.StringIO(), None) is False

    def test_can_be_forced_by_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FORCE_COLOR", "1")
        assert wants_colour(io.StringIO(), None) is True

    def test_no_color_wins_over_force_color_and_the_flag_over_both(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("NO_COLOR", "1")
        assert wants_colour(io.StringIO(), None) is False
        assert wants_colour(io.StringIO(), True) is True

    def test_a_palette_without_colours_changes_nothing(self) -> None:
        assert Palette(False).match("word") == "word"
        assert Palette(True).match("word") != "word"
