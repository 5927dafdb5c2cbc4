"""Which language a text is in: by its script, then by the commonest words and letters of each language."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from functools import lru_cache
from struct import Struct

from quire_engine.language_tables import COMMON_WORDS, LETTERS, SCRIPTS

_MOST_CHARACTERS = 1000
"""What a text's language is judged by."""
_LEAST_SHARE = 0.08
"""Common words among all words, from which a language is believed."""
_LEAST_IN_ASCII = 2
"""Common words of another language than English in a text of plain letters: "kitchen door lock" has one of
Dutch, and without "door" finds nothing."""
_KANA_SHARE = 0.1
"""Syllabic signs among Chinese characters, from which a text is Japanese."""
_MARKS = "\u0300-\u036f\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0903\u093a-\u094f\u0955-\u0957\u0962\u0963"
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
)
_ASCII_WORD = re.compile("[a-z]+")
_WORD = re.compile(rf"[{_UNSPACED}]+|(?:[^\W\d_{_UNSPACED}]|[{_MARKS}])+")
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_KANA = re.compile("[\u3041-\u30ff]")
_STARTS = [start for start, _ in SCRIPTS]
LATIN = tuple(code for code in COMMON_WORDS if not any(code in (codes or ()) for _, codes in SCRIPTS))
"""The languages in Latin letters that are told apart, the likeliest first."""
LANGUAGES = frozenset(LATIN).union(*(codes or () for _, codes in SCRIPTS))
"""All that `detect_language` can tell."""
_PLACES = {code: place for place, code in enumerate(COMMON_WORDS)}
_COUNTS = Struct(f"<{len(_PLACES)}H")
"""A number for each language in 16 bits: all are counted by adding integers. A text has fewer characters."""


def detect_language(text: str) -> str:
    """The ISO 639-1 code of the language that most of ``text`` is in; "" when it cannot be told.

    Judged by the first thousand characters. Some scripts tell the language by themselves. Where several
    languages share one, common words are counted, and letters that a language does not have count against
    it; without either it is the likeliest of the script, and of Latin none.
    """
    text = text[:_MOST_CHARACTERS].lower()
    plain = text.isascii()
    words: list[str] = (_ASCII_WORD if plain else _WORD).findall(text)
    codes = LATIN if plain else _of_script(words, text)
    if not words or len(codes) < 2:
        return codes[0] if words and codes else ""
    for_each = _unpacked(sum(filter(None, map(_known_words().get, words))))
    against = _unpacked(0 if plain else _foreign(text, codes))
    scores = [for_each[_PLACES[code]] - against[_PLACES[code]] for code in codes]
    best = max(scores)
    code = codes[scores.index(best)]
    least = _LEAST_IN_ASCII if plain and code != "en" else 1
    if best >= max(least, _LEAST_SHARE * len(words)):
        return code
    return "" if codes is LATIN else code


def languages_of_script(letter: str) -> tuple[str, ...]:
    """The languages that are told apart among those written with ``letter``, the likeliest first."""
    place = bisect_right(_STARTS, ord(letter)) - 1
    codes = SCRIPTS[place][1] if place >= 0 else ()
    return LATIN if codes is None else codes


def _of_script(words: list[str], text: str) -> tuple[str, ...]:
    """The languages of the script that most of ``words`` are in."""
    found: Counter[tuple[str, ...]] = Counter()
    for word in words:
        # A run of a script without spaces is many words.
        found[languages_of_script(word[0])] += len(word) if _IS_UNSPACED.match(word) else 1
    found.pop((), None)
    if not found:
        return ()
    best = max(found, key=lambda codes: found[codes])
    if best == ("zh",) and len(_KANA.findall(text)) >= _KANA_SHARE * found[best]:
        return ("ja",)
    return best


@lru_cache(maxsize=1)
def _known_words() -> dict[str, int]:
    """For each common word, one for the languages that it belongs to; an initial belongs to none."""
    known: dict[str, int] = {}
    for code, words in COMMON_WORDS.items():
        for word in dict.fromkeys(words.split()):
            if len(word) > 1 or not word.isascii():
                known[word] = known.get(word, 0) + _one(code)
    return known


def _foreign(text: str, codes: tuple[str, ...]) -> int:
    """For each of ``codes`` how many letters of ``text`` it does not have."""
    counts = Counter(text).items()
    return sum(times * _not_writing(char, codes) for char, times in counts if char.isalpha() and char > "z")


@lru_cache(maxsize=4096)
def _not_writing(letter: str, codes: tuple[str, ...]) -> int:
    """One for those of ``codes`` that have no such letter."""
    beyond = "" if codes is LATIN else letter  # where a language's letters are not listed
    return sum(_one(code) for code in codes if letter not in LETTERS.get(code, beyond))


def _one(code: str) -> int:
    return 1 << 16 * _PLACES[code]


def _unpacked(counts: int) -> tuple[int, ...]:
    return _COUNTS.unpack(counts.to_bytes(_COUNTS.size, "little"))
