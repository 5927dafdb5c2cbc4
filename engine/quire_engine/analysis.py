"""From text to the terms that are indexed and compared; pure functions, any script.

Words are stemmed by the rules of their script or of the text's language and folded (case, width, accents,
digits, Arabic letter variants); scripts written without spaces (and Korean, whose words carry particles)
become overlapping pairs of characters, or of the clusters in which vowels and tones belong to a consonant.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import chain, islice, product
from operator import add

from quire_engine.language_tables import ASKING, COMMON_WORDS
from quire_engine.languages import LATIN, detect_language
from quire_engine.stemming import ALGORITHMS, stem, stemmed_as

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
_CLUSTER = re.compile(
    # Thai and Lao: a vowel before, a consonant, marks, a vowel after; Burmese and Khmer: stacked consonants
    "[\u0e40-\u0e44]?[\u0e01-\u0e2e][\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]*[\u0e30\u0e32\u0e45]?"
    "|[\u0ec0-\u0ec4]?[\u0e81-\u0eae\u0edc-\u0edf][\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd]*[\u0eb0\u0eb2\u0ebd]?"
    "|[\u1000-\u102a\u103f](?:\u1039[\u1000-\u1021]|[\u102b-\u1038\u103a-\u103e])*"
    "|[\u1780-\u17b3](?:\u17d2[\u1780-\u17b3]|[\u17b4-\u17d1\u17d3])*"
    "|.",
    re.DOTALL,
)
_HAS_CLUSTERS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
_STRIP = re.compile(f"[{_MARKS}\u0640'’]")
_APOSTROPHE = re.compile(
    # an article or preposition that leans on its word (l'école, dell'arte), a possessive, or any other
    r"^(?:[cdjlmnst]|(?:jus|lors|puis|quoi)?qu|d?all|dell|nell|sull|un)['’](?=\w\w)|['’]s$|['’]",
    re.IGNORECASE,
)
_ZEROS = "٠۰߀०০੦૦୦௦౦೦൦෦๐໐༠၀០᠐"
_DIGITS = {ord(zero) + value: str(value) for zero in _ZEROS for value in range(10)}
_SPELLINGS = str.maketrans("أإآٱىةؤئکی", "اااايهويكي") | _DIGITS
_SPELLED = re.compile(f"[{''.join(map(chr, _SPELLINGS))}]")
_LETTERS_FOR = {"ar": str.maketrans("کی", "كي"), "fa": str.maketrans("كي", "کی")}
"""Letters as the rules of a language expect them."""
_LONGEST = 48
"""Longer words are cut: nobody types them, and hostile notes are full of them."""
Alternatives = Mapping[str, tuple[str, ...]]
"""The terms for a word of a question, each with the languages in whose chunks it stands for the word; "" for
all chunks whose language has no stems of its own."""
_MOST_WORDS = 200_000
"""Words whose terms are remembered, in all languages."""

STOP_WORDS = frozenset(
    "a about all also am an and any are as at be been but by can could did do does doing for from had "
    "has have having he her here him his how i if in into is it its just many me more most much my no "
    "nor not of on or our out own she should so some such than that the their them then there these "
    "they this those to too us very was we were what when where which while who whom why will with "
    "would you your".split()
)


def fold(text: str) -> str:
    """``text`` without the differences of case, width, accent, digits and spelling that searchers ignore."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    folded = unicodedata.normalize("NFC", _STRIP.sub("", decomposed))
    return folded.translate(_SPELLINGS) if _SPELLED.search(folded) else folded


def terms(text: str, language: str = "", *, keep_stop_words: bool = False) -> list[str]:
    """The index terms of ``text``, which is in ``language`` (ISO 639-1), in order, with repetitions.

    An unknown language is taken for English. What is compared must be analysed as one language.
    """
    if text.isascii() and "_'" not in text and "'_" not in text:
        words = _ASCII_WORD.findall(text.lower())
    else:
        words = _WORD.findall(text)
    known = _terms_of_words(_analysed_as(language))[keep_stop_words]
    return list(chain.from_iterable(map(known.__getitem__, words)))


def single_terms(text: str) -> set[str]:
    """The characters (clusters) of ``text`` in scripts without spaces, which `terms` has in pairs."""
    if text.isascii():
        return set()
    if _HAS_CLUSTERS.search(text):
        return set(chain.from_iterable(map(_clusters, _UNSPACED.findall(fold(text)))))
    # Each character once: folding all of a long text takes a while.
    return set(_UNSPACED.findall(fold(" ".join(set(unicodedata.normalize("NFKC", text))))))


def query_terms(text: str, language: str = "") -> list[str]:
    """The distinct terms of a question, in order; stop words only when there is nothing else.

    Question words of scripts without spaces are left out likewise, before pairs are made: no text has those.
    """
    for asked, keep in product((_without_asking(text), text), (False, True)):
        if found := terms(asked, language, keep_stop_words=keep):
            return list(dict.fromkeys(found))
    return []


def query_alternatives(text: str, held: Sequence[str] = ()) -> list[Alternatives]:
    """What a question is searched by: for each of its words the terms that stand for it in the index.

    ``held`` are the languages, of those in `OWN_STEMS`, that chunks of the index are analysed as: a word is
    looked for in each chunk by the rules of the chunk's language, since names have none and that of a short
    question is easily mistaken. Stop words of the question's language, and what `query_terms` leaves out,
    count only when there is nothing else.
    """
    language = detect_language(text)
    own = _terms_of_words(_analysed_as(language))
    codes = sorted(("", *held), key=lambda code: code != language)
    analysed = [_terms_of_words(_analysed_as(code))[True] for code in codes]
    for asked, keep in product((_without_asking(text), text), (False, True)):
        found: dict[str, dict[str, tuple[str, ...]]] = {}
        for word in _WORD.findall(asked):
            if own[keep][word]:
                for terms_of_part in zip(*(known[word] for known in analysed), strict=True):
                    group = found.setdefault(terms_of_part[0], {})
                    for code, term in zip(codes, terms_of_part, strict=True):
                        if code not in group.get(term, ()):
                            group[term] = (*group.get(term, ()), code)
        if found:
            return list(found.values())
    return []


def _without_asking(text: str) -> str:
    """``text`` with spaces for the words that make a question of it, where they stand anywhere."""
    if text.isascii() or not _UNSPACED.search(text):
        return text
    words = _asking().get(detect_language(text))
    return words.sub(" ", text) if words else text


@cache
def _asking() -> Mapping[str, re.Pattern[str]]:
    return {language: re.compile(pattern) for language, pattern in ASKING.items()}


def reading_trust(readability: float) -> float:
    """How far an embedding model's view of a text can be trusted, 0 to 1, by its readability.

    None up to a readability of 0.3 (Hindi, Arabic), all from 0.8 (English), in proportion between.
    """
    return min(1.0, max(0.0, (readability - 0.3) / 0.5))


def _analysed_as(language: str) -> str:
    """The languages that are analysed alike are one: those without stems or stop words of their own."""
    return language if language in COMMON_WORDS or language in ALGORITHMS else "en"


@cache
def _stop_words(language: str) -> frozenset[str]:
    own = frozenset(map(fold, COMMON_WORDS.get(language, "").split()))
    if language == "en":
        return STOP_WORDS
    # English words stand in texts of other scripts, too; in Latin letters "die" may be a German article.
    return own if language in LATIN else own | STOP_WORDS


class _TermsOfWords(dict[str, tuple[str, ...]]):
    """The terms of each word met in texts of a language, with or without stop words.

    Those of a new word are worked out and entered here and in the other.
    """

    def __init__(self, language: str, keep: bool) -> None:
        super().__init__()
        self._language, self._keep = language, keep

    def __missing__(self, word: str) -> tuple[str, ...]:
        found = list(_word_terms(word, self._language, _stop_words(self._language)))
        everything = tuple(term for term, _ in found)
        kept = tuple(term for term, is_stop_word in found if not is_stop_word)
        if len(word) <= _LONGEST:  # longer ones are hostile, or sentences of scripts without spaces
            if sum(map(len, _REMEMBERED)) >= _MOST_WORDS:
                for words in _REMEMBERED:
                    words.clear()
            for words, its_terms in zip(_terms_of_words(self._language), (kept, everything), strict=True):
                words[word] = its_terms
        return everything if self._keep else kept


_REMEMBERED: list[_TermsOfWords] = []


@cache
def _terms_of_words(language: str) -> tuple[_TermsOfWords, _TermsOfWords]:
    """Without and with the stop words."""
    both = _TermsOfWords(language, False), _TermsOfWords(language, True)
    _REMEMBERED.extend(both)
    return both


def _word_terms(word: str, language: str, stop_words: frozenset[str]) -> Iterator[tuple[str, bool]]:
    """Each term of a word, and whether it is a stop word's."""
    if "'" in word or "’" in word:
        word = _APOSTROPHE.sub("", word)
    if word.isascii():
        word = word.lower()
        yield stem(word[:_LONGEST], stemmed_as("a", language)), word in stop_words
        return
    # Not folded yet: the rules for other scripts tell letters apart that fold alike.
    word = unicodedata.normalize("NFC", unicodedata.normalize("NFKC", word).casefold())
    word = _STRIP.sub("", word)
    if _SPELLED.search(word):  # to look is faster than to translate
        word = word.translate(_DIGITS)
    position = 0
    for run in _UNSPACED.finditer(word):
        yield from _spaced_terms(word[position : run.start()], language, stop_words)
        clusters = _clusters(fold(run.group()))
        found = map(add, clusters, islice(clusters, 1, None)) if len(clusters) > 1 else clusters
        yield from ((term, False) for term in found)
        position = run.end()
    yield from _spaced_terms(word[position:], language, stop_words)


def _clusters(run: str) -> Sequence[str]:
    """What a folded run without spaces is made of, in order."""
    return _CLUSTER.findall(run) if _HAS_CLUSTERS.search(run) else run


def _spaced_terms(word: str, language: str, stop_words: frozenset[str]) -> Iterator[tuple[str, bool]]:
    folded = fold(word)
    if not folded:
        return
    code = stemmed_as(folded[0] if not folded.isascii() else "a", language)
    if code in LATIN:  # by their rules, a word without its accents has nearly the same stem
        found = stem(folded[:_LONGEST], code)
    elif code:
        found = stem(word[:_LONGEST].translate(_LETTERS_FOR.get(code, {})), code)
    else:
        found = folded
    yield (fold(found) or folded)[:_LONGEST], folded in stop_words
