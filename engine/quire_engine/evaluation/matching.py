"""Whether a text holds an answer, and how much of one: as SQuAD compares texts, for any script.

Rajpurkar et al.: SQuAD: 100,000+ Questions for Machine Comprehension of Text, EMNLP 2016. Case, punctuation,
English articles and white space do not count. Beyond it: markup is taken off first; where a script sets no
spaces between words, every character counts as one.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from quire_engine.markup import plain

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
)
_TOKEN = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")
_MARK = re.compile(r"\s?\[(\d+)\]")


def normalise(text: str, punctuation: str = "") -> str:
    """``text`` folded for comparison, with ``punctuation`` in the place of each punctuation mark."""
    folded = unicodedata.normalize("NFKC", plain(text)).casefold()
    kept = "".join(
        punctuation if unicodedata.category(c)[0] in "PS" else c
        for c in folded
        if unicodedata.category(c) != "Cf"
    )
    return " ".join(_ARTICLES.sub(" ", kept).split())


def holds(text: str, answers: Sequence[str]) -> bool:
    """Whether one of ``answers`` stands in ``text``.

    Whole words are asked for where a script tells them apart ("9" does not stand in "1998"); Arabic, Hindi,
    Korean and others write particles onto words. "well-known" is found as one word and as two.
    """
    for punctuation in ("", " "):
        inside = normalise(text, punctuation)
        if any(_stands_in(normalise(answer, punctuation), inside) for answer in answers):
            return True
    return False


def token_f1(text: str, answers: Sequence[str]) -> float:
    """The harmonic mean of the shares that ``text`` and the nearest answer have in common of their words."""
    said = Counter(_TOKEN.findall(normalise(text)))
    best = 0.0
    for answer in answers:
        wanted = Counter(_TOKEN.findall(normalise(answer)))
        if common := (said & wanted).total():
            best = max(best, 2 * common / (said.total() + wanted.total()))
    return best


def sentences(text: str, marks: int) -> list[str]:
    """The sentences of an answer, without the marks (``[1]`` to ``[marks]``) that each ends with."""
    found, begin, gone = [], 0, ""
    for mark in _MARK.finditer(text):
        if 1 <= int(mark[1]) <= marks:
            gone += text[begin : mark.start()]
            begin = mark.end()
            if not _MARK.match(text, begin):  # several marks end one sentence
                found.append(gone)
                gone = ""
    return [sentence.strip() for sentence in [*found, gone + text[begin:]] if sentence.strip()]


def words(text: str) -> int:
    """Words of ``text`` as a reader counts them; in scripts without spaces, characters."""
    return len(_TOKEN.findall(plain(text)))


def _stands_in(answer: str, text: str) -> bool:
    if not answer:
        return False
    begin = text.find(answer)
    while begin >= 0:
        end = begin + len(answer)
        if not (
            (begin and _joined(text[begin - 1], answer[0]))
            or (end < len(text) and _joined(answer[-1], text[end]))
        ):
            return True
        begin = text.find(answer, begin + 1)
    return False


def _joined(one: str, other: str) -> bool:
    return _is_bounded(one) and _is_bounded(other)


def _is_bounded(letter: str) -> bool:
    """Whether ``letter`` is of a script that shows where words end, or a digit."""
    return letter.isdigit() or unicodedata.name(letter, "").startswith(("LATIN", "GREEK", "CYRILLIC"))
