"""Words as they are compared with what somebody typed: folded, whole, without stemming."""

from __future__ import annotations

import re
from functools import cache

from quire_engine.analysis import STOP_WORDS, fold
from quire_engine.language_tables import COMMON_WORDS

_BETWEEN = re.compile(
    # not the vowel signs that \w leaves out
    r"(?:[^\w\u0900-\u0963\u0966-\u0dff\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd"
    r"\u0f71-\u0f87\u102b-\u103e\u17b4-\u17d3\u3099\u309a]|_)+"
)
_POSSESSIVE = re.compile(r"['’]s\b")
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003134f]"
)
_UNITS = re.compile(f"{_UNSPACED.pattern}|(?:(?!{_UNSPACED.pattern})\\S)+")


def folded_words(text: str) -> str:
    """The words of ``text``, folded, with single spaces between them; possessives lose their ending."""
    folded = fold(_POSSESSIVE.sub("", text)).replace("'", "").replace("’", "")
    return " ".join(_BETWEEN.sub(" ", folded).split())


def units(words: str) -> list[str]:
    """What of `folded_words` can be compared: words, and single characters of scripts without spaces."""
    return words.split(" ") if words.isascii() and words else _UNITS.findall(words)


def telling_words(text: str) -> str:
    """The words of ``text`` that are stop words in no language: those that every index of it holds.

    A phrase is too short to tell its language by, and each passage was indexed without its own stop words.
    """
    return " ".join(word for word in folded_words(text).split(" ") if word not in _stop_words())


@cache
def _stop_words() -> frozenset[str]:
    return STOP_WORDS.union(*(folded_words(words).split(" ") for words in COMMON_WORDS.values()))


def is_unspaced(char: str) -> bool:
    """Whether words of the script of ``char`` are written without spaces, or carry particles (Korean)."""
    return _UNSPACED.match(char) is not None


def spaced_words(text: str) -> list[str]:
    """``text`` between spaces, and between characters of scripts without spaces, which are left out."""
    return (text if text.isascii() else _UNSPACED.sub(" ", text)).split()


def stands_in(phrase: str, words: str) -> bool:
    """Whether ``phrase`` stands in ``words`` as whole words, both as `folded_words` gives them."""
    if not phrase:
        return False
    begin = "" if is_unspaced(phrase[0]) else " "
    end = "" if is_unspaced(phrase[-1]) else " "
    return f"{begin}{phrase}{end}" in f" {words} "
