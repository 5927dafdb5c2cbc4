"""Operators of a question, taken apart from its words, and what only looks like one in what was said before.

A question's operators are its user's own. Text of answers, notes and language models has none: what looks
like one there is words, and must never become a filter of the next question.
"""

from __future__ import annotations

import re
from dataclasses import replace

from quire_engine.records import Turn

_KEYS = "tags?|path|in|folder|file|since|after|before"
_OPERATOR = re.compile(
    rf'(?<!\S)(?:(?:{_KEYS}):(?:"[^"]{{1,300}}"|[^\s"]+)|-"[^"]{{1,300}}"|-[^\W\d]\S*)(?!\S)', re.IGNORECASE
)
_MARK = re.compile(r"\s?(?<!\[)\[\d{1,4}\](?!\])")
"""A citation; not a link to a note that is called by a number."""
_QUOTES = dict.fromkeys(map(ord, '"“”„«»「」『』'), " ")
# Also behind marks of Markdown, which may be taken off later; not before a space or a negative number.
_ACTIVE = re.compile(rf"(?<![^\W_])(?:-+(?=[^\s\d-])|(?:{_KEYS}):(?=\S))+", re.IGNORECASE)
_ENDING = " \t\n?.!¿¡"


def without_operators(question: str) -> tuple[str, list[str]]:
    """The words of ``question``, and its operators as they were written."""
    operators = [match[0] for match in _OPERATOR.finditer(question)]
    return " ".join(_OPERATOR.sub(" ", question).split()), operators


def as_words(text: str) -> str:
    """``text`` without marks of citations, and with nothing in it that a search would take for an operator.

    Its lines, and the words of what looked like an operator, stay.
    """
    return _ACTIVE.sub(_words_of, _MARK.sub("", text).translate(_QUOTES))


def _words_of(active: re.Match[str]) -> str:
    return active[0].replace("-", "").replace(":", " ")


def said(turn: Turn) -> Turn:
    """``turn`` as the rules read it: its own operators gone, and everything else `as_words`."""
    return replace(
        turn,
        question=_one_line(turn.question),
        standalone=_one_line(turn.standalone),
        text=as_words(turn.text),
        citations=tuple(
            replace(citation, headings=tuple(map(as_words, citation.headings)))
            for citation in turn.citations[:1]
        ),
    )


def _one_line(question: str) -> str:
    return " ".join(as_words(without_operators(question)[0]).split())


def unended(text: str) -> str:
    """``text`` without the marks that end a sentence."""
    return text.rstrip(_ENDING)
