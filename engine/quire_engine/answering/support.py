"""How well a quote supports a sentence, judged by its words alone."""

from __future__ import annotations

import re
import unicodedata

from quire_engine.analysis import STOP_WORDS, fold, terms

MIN_SUPPORT = 0.5
"""Evidence below this is no evidence: half of what the sentence says must stand in the quote."""

_MISSING_NUMBER = 0.2
_MISSING_NAME = 0.3
_TURNED_ROUND = 0.4
_CONTEXT_WEIGHT = 0.5

_LIST_MARK = re.compile(r"^\s*(?:[-*+•]|\d{1,2}[.)])\s+")
_NUMBER = re.compile(r"\d+(?:[.,'’\u00a0\u202f]\d+)*")
_GROUPED = re.compile(r"\d{1,3}(?:[.,'’\u00a0\u202f]\d{3})+")
_NUMBER_WORDS = {
    word: str(value)
    for value, word in enumerate(
        "one two three four five six seven eight nine ten eleven twelve".split(), start=1
    )
}
_WORD = re.compile(r"[^\W\d_][\w'’]*")
_NEGATION = frozenset(
    "no not never neither nor without cannot nicht kein keine nie jamais nunca cant wont".split()
    + [f"{verb}nt" for verb in "is are was were do does did has have had could would should must".split()]
)
_NEGATED_REACH = 3
# In German every noun is capitalised, so a capital says nothing about names there.
_GERMAN = frozenset("der das und ist nicht eine einen dem wird sind auf für".split())


def support(sentence: str, quote: str, context: str = "") -> float:
    """0 to 1: the share of the content words of ``sentence`` that stand in ``quote``.

    Scripts without spaces are compared by pairs of characters. A number or a capitalised name that the quote
    lacks, or a word that one of the two denies and the other asserts, pulls the support far below
    `MIN_SUPPORT`. ``context`` is what a reader knows besides the quote (the note's title, its headings): its
    words count half, and names may stand there.
    """
    sentence = _LIST_MARK.sub("", sentence)
    said = dict.fromkeys(term for term in terms(sentence) if term not in _NEGATION)
    said = said or dict.fromkeys(terms(sentence, keep_stop_words=True))
    quoted, known = set(terms(quote, keep_stop_words=True)), set(terms(context))
    numbers = _numbers(quote) | set(_spelled_numbers(quote).values())
    spelled = {
        term for word, value in _spelled_numbers(sentence).items() if value in numbers for term in terms(word)
    }
    standing = {term for term in said if term in spelled or _stands(term, quoted)}
    if not standing:
        return 0.0
    implied = sum(term not in standing and _stands(term, known) for term in said)
    score = (len(standing) + _CONTEXT_WEIGHT * implied) / len(said)
    if not _claimed_numbers(sentence) <= numbers:
        score *= _MISSING_NUMBER
    if not all(_stands(term, quoted | known) for name in _names(sentence) for term in terms(name)):
        score *= _MISSING_NAME
    if _turned_round(sentence, quote):
        score *= _TURNED_ROUND
    return score


def _stands(term: str, among: set[str]) -> bool:
    if term in among:
        return True
    # Inflections that the English stemmer does not know.
    return len(term) >= 4 and any(
        len(other) >= 4
        and abs(len(other) - len(term)) <= 3
        and (other.startswith(term) or term.startswith(other))
        for other in among
    )


def _numbers(text: str) -> set[str]:
    found: set[str] = set()
    for match in _NUMBER.finditer(text):
        digits = "".join(str(unicodedata.digit(char)) if char.isdigit() else char for char in match.group())
        if _GROUPED.fullmatch(digits):
            found.add(re.sub(r"\D", "", digits).lstrip("0") or "0")
            continue
        whole, *rest = re.split(r"\D", digits)
        fraction = ".".join(rest).rstrip("0") if len(rest) == 1 else ".".join(rest)
        found.add((whole.lstrip("0") or "0") + (f".{fraction}" if fraction else ""))
    return found


def _spelled_numbers(text: str) -> dict[str, str]:
    words = (fold(word) for word in _WORD.findall(text))
    return {word: _NUMBER_WORDS[word] for word in words if word in _NUMBER_WORDS}


def _claimed_numbers(sentence: str) -> set[str]:
    # "one" is a pronoun more often than a number.
    spelled = {value for word, value in _spelled_numbers(sentence).items() if word != "one"}
    return _numbers(sentence) | spelled


def _names(sentence: str) -> list[str]:
    """Capitalised words; the first word of the sentence only when it has a further capital."""
    words = _WORD.findall(sentence)
    if _GERMAN.intersection(word.lower() for word in words):
        return []
    return [
        word
        for place, word in enumerate(words)
        if word[0].isupper()
        and fold(word) not in STOP_WORDS
        and (place > 0 or any(char.isupper() for char in word[1:]))
    ]


def _turned_round(sentence: str, quote: str) -> bool:
    said_denied, said_plain = _polarities(sentence)
    quoted_denied, quoted_plain = _polarities(quote)
    return bool((said_denied & quoted_plain - quoted_denied) | (said_plain & quoted_denied - quoted_plain))


def _polarities(text: str) -> tuple[set[str], set[str]]:
    """The content words that ``text`` denies (the first one after a negation), and those it asserts."""
    denied: set[str] = set()
    plain: set[str] = set()
    reach = 0
    for match in _WORD.finditer(text):
        word = fold(match.group()).replace("'", "")
        if word in _NEGATION:
            reach = _NEGATED_REACH
            continue
        content = terms(word)
        (denied if reach else plain).update(content)
        reach = 0 if content else max(0, reach - 1)
    return denied, plain
