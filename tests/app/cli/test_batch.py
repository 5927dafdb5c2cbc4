"""Questions read from lines."""

from __future__ import annotations

import json

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire.cli.batch import BadLine, Question, one_question, parse


class TestParse:
    def test_takes_json_and_plain_lines_and_skips_blank_ones(self) -> None:
        lines = [
            b'{"id": "q1", "text": "what is this?"}\n',
            b"\n",
            b"  plain question \r\n",
            b'{"text": "x"}',
        ]
        assert list(parse(lines)) == [
            Question("q1", "what is this?"),
            Question(3, "plain question"),
            Question(4, "x"),
        ]

    def test_keeps_any_kind_of_id(self) -> None:
        ids = [0, "", 1.5, False, ["a"], {"b": 1}]
        lines = [json.dumps({"id": identity, "text": "x"}).encode() for identity in ids]
        assert [item.id for item in parse(lines) if isinstance(item, Question)] == ids

    @pytest.mark.parametrize(
        "line",
        [
            b'{"id": 1, "text": ',
            b'{"id": 1}',
            b'{"id": 1, "text": ""}',
            b'{"id": 1, "text": "  "}',
            b'{"id": 1, "text": 7}',
            b'{"text": null}',
            b"\xff\xfe question",
            b'{"a":' * 100_000,
        ],
    )
    def test_a_bad_line_is_named_and_the_next_goes_on(self, line: bytes) -> None:
        bad, good = parse([line, b"next"])
        assert isinstance(bad, BadLine)
        assert bad.number == 1
        assert good == Question(2, "next")

    def test_a_byte_order_mark_is_no_text(self) -> None:
        assert list(parse([b"\xef\xbb\xbf" + b'{"id": 1, "text": "x"}'])) == [Question(1, "x")]

    def test_halves_of_characters_are_replaced(self) -> None:
        assert list(parse([b'{"id": 1, "text": "\\ud800 x \\ud83c\\udf31"}'])) == [Question(1, "\ufffd x 🌱")]

    @given(st.lists(st.binary()))
    def test_takes_any_bytes(self, lines: list[bytes]) -> None:
        assert all(isinstance(item, (Question, BadLine)) for item in parse(lines))


class TestOneQuestion:
    def test_bytes_that_are_no_text_are_replaced(self) -> None:
        assert one_question(("ro\udcffses",), None, False, False) == "ro\ufffdses"

    def test_joins_words(self) -> None:
        assert one_question(("when", "to prune"), None, False, False) == "when to prune"

    def test_a_batch_has_no_single_question(self) -> None:
        assert one_question((), "-", False, True) is None

    @pytest.mark.parametrize(
        ("words", "batch", "as_json", "as_lines"),
        [
            ((), None, False, False),
            (("",), None, False, False),
            ((" \t",), None, False, False),
            (("x",), "-", False, False),
            (("x",), None, True, True),
        ],
    )
    def test_rejects_a_wrong_call(
        self, words: tuple[str, ...], batch: str | None, as_json: bool, as_lines: bool
    ) -> None:
        with pytest.raises(click.UsageError):
            one_question(words, batch, as_json, as_lines)
