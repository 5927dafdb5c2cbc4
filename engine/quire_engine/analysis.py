"""From text to the terms that are indexed and compared; pure functions, any script.

Words are folded (case, width, accents, Arabic letter variants) and, in Latin letters, stemmed; scripts
written without spaces (and Korean, whose words carry particles) become overlapping pairs of characters.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain
from typing import Any

_MARKS = "\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed"
_WORD = re.compile(
    # letters and digits, and the vowel signs that \w leaves out but words are written with
    rf"(?:[^\W_]+|[{_MARKS}\u0900-\u0963\u0966-\u0dff\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc"
    r"\u0ec8-\u0ecd\u0f71-\u0f87\u102b-\u103e\u17b4-\u17d3\u3099\u309a]|(?<=\w)['’](?=\w))+"
)
_ASCII_WORD = re.compile("[a-z0-9]+(?:'[a-z0-9]+)*")
"""The same for lower-case ASCII without an underscore beside an apostrophe."""
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003134f]+"
)
_STRIP = re.compile(f"[{_MARKS}\u0640'’]")
_APOSTROPHE = re.compile(
    # an article or preposition that leans on its word (l'école, dell'arte), a possessive, or any other
    r"^(?:[cdjlmnst]|(?:jus|lors|puis|quoi)?qu|d?all|dell|nell|sull|un)['’](?=\w\w)|['’]s$|['’]",
    re.IGNORECASE,
)
_ARABIC = str.maketrans("أإآٱىةؤئکی", "اااايهويكي")
_LONGEST = 48
"""Longer words are cut: nobody types them, and hostile notes are full of them."""
_MOST_WORDS = 100_000
"""Words whose terms are remembered."""
_STEMMING = threading.Lock()

STOP_WORDS = frozenset(
    "a about all also am an and any are as at be been but by can could did do does doing for from had "
    "has have having he her here him his how i if in into is it its just many me more most much my no "
    "nor not of on or our out own she should so some such than that the their them then there these "
    "they this those to too us very was we were what when where which while who whom why will with "
    "would you your".split()
)


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    import Stemmer

    return Stemmer.Stemmer("english")


def fold(text: str) -> str:
    """``text`` without the differences of case, width, accent and Arabic spelling that searchers ignore."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return unicodedata.normalize("NFC", _STRIP.sub("", decomposed)).translate(_ARABIC)


def terms(text: str, *, keep_stop_words: bool = False) -> list[str]:
    """The index terms of ``text``, in order, with repetitions."""
    if text.isascii() and "_'" not in text and "'_" not in text:
        words = _ASCII_WORD.findall(text.lower())
    else:
        words = _WORD.findall(text)
    known = _ALL_TERMS if keep_stop_words else _TERMS
    return list(chain.from_iterable(map(known.__getitem__, words)))


class _TermsOfWords(dict[str, tuple[str, ...]]):
    """The terms of each word met; those of a new one are worked out and entered here and in the other."""

    def __missing__(self, word: str) -> tuple[str, ...]:
        found = list(_word_terms(word))
        everything = tuple(term for term, _ in found)
        kept = tuple(term for term, is_stop_word in found if not is_stop_word)
        if len(word) <= _LONGEST:  # longer ones are hostile, or sentences of scripts without spaces
            for words, its_terms in (_TERMS, kept), (_ALL_TERMS, everything):
                if len(words) >= _MOST_WORDS:
                    words.clear()
                words[word] = its_terms
        return kept if self is _TERMS else everything


_TERMS, _ALL_TERMS = _TermsOfWords(), _TermsOfWords()


def _word_terms(word: str) -> Iterator[tuple[str, bool]]:
    """Each term of a word, and whether it is a stop word's."""
    if "'" in word or "’" in word:
        word = _APOSTROPHE.sub("", word)
    if word.isascii():
        word = word.lower()
        yield _stem(word[:_LONGEST]), word in STOP_WORDS
        return
    word = fold(word)
    position = 0
    for run in _UNSPACED.finditer(word):
        yield from _spaced_terms(word[position : run.start()])
        letters = run.group()
        yield from ((letters[n : n + 2], False) for n in range(max(1, len(letters) - 1)))
        position = run.end()
    yield from _spaced_terms(word[position:])


def _spaced_terms(word: str) -> Iterator[tuple[str, bool]]:
    if word:
        yield _stem(word[:_LONGEST]) if word.isascii() else word[:_LONGEST], word in STOP_WORDS


def _stem(word: str) -> str:
    with _STEMMING:  # the stemmer keeps the word that it works on
        stemmed: str = _stemmer().stemWord(word)
    return stemmed


def reading_trust(readability: float) -> float:
    """How far an embedding model's view of a text can be trusted, 0 to 1, by its readability.

    None up to a readability of 0.3 (Hindi, Arabic), all from 0.8 (English), in proportion between.
    """
    return min(1.0, max(0.0, (readability - 0.3) / 0.5))


def query_terms(text: str) -> list[str]:
    """The distinct terms of a question, in order; stop words only when there is nothing else."""
    return list(dict.fromkeys(terms(text) or terms(text, keep_stop_words=True)))
