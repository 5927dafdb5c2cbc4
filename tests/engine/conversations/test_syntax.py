"""What is an operator of a question, and what only looks like one."""

from __future__ import annotations

import pytest

from quire_engine.conversations.syntax import as_words, without_operators
from quire_engine.retrieval.operators import parse


def test_operators_are_taken_apart_from_words() -> None:
    assert without_operators("a tag:b well-known -c 3 - 4") == ("a well-known 3 - 4", ["tag:b", "-c"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It failed. [1][2] Then it burnt [13].", "It failed. Then it burnt."),
        ("tag:rust -because in:zzz", "tag rust because in zzz"),
        ("-tag:-path:-x", "tag path x"),
        ("ta[1]g:rust **tag:x** [[y|tag:z]]", "tag rust **tag x** [[y|tag z]]"),
        ("a well-known -5 - 3 at 12:30, see https://example.org", None),
        ("- one\n- two\n\n    - three", None),
        ("see [[2024]] and note: this", None),
    ],
)
def test_what_looks_like_an_operator_is_words(text: str, words: str | None) -> None:
    assert as_words(text) == (text if words is None else words)


@pytest.mark.parametrize("quotes", ['""', "“”", "«»", "「」"])
def test_quotes_require_nothing(quotes: str) -> None:
    text = f"{quotes[0]}old mill{quotes[1]} -{quotes[0]}new mill{quotes[1]}"
    assert parse(text).phrases
    assert as_words(text).split() == ["old", "mill", "-", "new", "mill"]
