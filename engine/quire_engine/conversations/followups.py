"""Follow-up questions, rewritten so that they can be searched and answered by themselves.

By rules: what points back (pronouns, "the project", "the second one") is replaced by what it means, and what
leaves words out ("And in Germany?", "Why?") gets them from the question before. A question that stands by
itself is left alone, whatever was said before: the topic may have changed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from quire_engine.analysis import fold
from quire_engine.conversations.ellipsis import continued, substituted
from quire_engine.conversations.references import references, with_references
from quire_engine.conversations.syntax import said, unended, without_operators
from quire_engine.conversations.topics import names
from quire_engine.conversations.turns import base_of, topical
from quire_engine.conversations.words import (
    AUXILIARIES,
    BARE,
    FOREIGN_EXPLETIVES,
    FOREIGN_PREPOSITIONS,
    FOREIGN_QUESTION_WORDS,
    FOREIGN_REFERENCES,
    LEADING,
    PREPOSITIONS,
    QUESTION_WORDS,
)
from quire_engine.language_tables import COMMON_WORDS
from quire_engine.languages import detect_language
from quire_engine.records import Turn

_LONGEST = 1000
"""Characters of a follow-up question; a longer one says what it means."""
_FRAGMENT = 7
"""Words of a question that has no verb."""
_WORD = re.compile(r"\w+(?:['’]\w+)?")


def standalone(question: str, turns: Sequence[Turn]) -> str:
    """``question`` as it stands by itself after ``turns``, the oldest first; the same when it does already.

    Operators of the question (``tag:``, ``since:``, ``-word``) are kept, behind it; nothing that comes from
    ``turns`` is one. Never raises, and never leaves a word of the question out but those that point back.
    """
    if not turns or len(question) > _LONGEST:
        return question
    text, operators = without_operators(question)
    before = [said(turn) for turn in turns]
    base = unended(base_of(topical(before)[-1]))
    if not _WORD.search(text) or not base:
        return question
    language = _language(text, base)
    if language not in LEADING:
        return question
    rewritten = _rewritten(text, base, before, language)
    return question if rewritten == text else " ".join([rewritten, *operators])


def is_readable(question: str, turns: Sequence[Turn]) -> bool:
    """Whether the rules can tell if ``question`` stands by itself: in the languages that they are for."""
    text, _ = without_operators(question)
    return _language(text, base_of(turns[-1])) in LEADING


def _language(text: str, base: str) -> str:
    """That of a question, or where its few words do not tell, of it and the one before."""
    own = detect_language(text)
    both = detect_language(f"{text} {base}")
    return own if own in LEADING and len(_WORD.findall(text)) > 3 else both or own or "en"


def _rewritten(text: str, base: str, turns: Sequence[Turn], language: str) -> str:
    core = unended(text)
    spoken = _plain(core)
    if re.fullmatch(BARE[language], spoken):
        return continued(core, base, turns[-1], language)
    leading = re.match(LEADING[language], f"{spoken} ")
    if core.lstrip(" ¿").lower().startswith("où"):  # "where", and not "or"
        leading = None
    fragment = _after(core, leading.end()) if leading else core
    pointing = _points_back(core, language)
    if not pointing and _is_fragment(fragment, text, led=leading is not None):
        return f"{substituted(base, fragment, language)}?"
    if leading and not _is_question(leading[0]) and not (pointing and not _asks(fragment)):
        text = text[core.rindex(fragment) :]
        text = text[:1].upper() + text[1:]
    if language == "en":
        return with_references(text, turns)
    if pointing or _lacks_subject(core, language):
        return _beside(text, _telling(base, language))
    return text


def _plain(core: str) -> str:
    """Folded, with marks left out that stand around words, position by position as far as a prefix goes."""
    return fold(core.lstrip("¿¡ ")).replace("’", "'")


def _after(core: str, end: int) -> str:
    lead = len(core) - len(core.lstrip("¿¡ "))
    return core[lead + end :].strip(" ,") if end <= len(core) - lead else core


def _is_question(leading: str) -> bool:
    """Whether the beginning of an elliptic question asks by itself ("what about …")."""
    return len(leading.split()) > 1 and leading.split()[-1] not in ("and", "but", "so", "or")


def _asks(fragment: str) -> bool:
    """Whether ``fragment`` begins as a question does."""
    first = _WORD.search(fold(fragment))
    return first is not None and first[0] in QUESTION_WORDS | AUXILIARIES | FOREIGN_QUESTION_WORDS


def _is_fragment(fragment: str, text: str, *, led: bool) -> bool:
    """Whether ``fragment`` is no sentence of its own: few words, none of which asks or is a verb."""
    words = _WORD.findall(fold(fragment))
    first = words[0] if words else ""
    asks = _asks(fragment) or any(word in AUXILIARIES - {"may"} for word in words)
    if not words or asks or len(words) > _FRAGMENT:
        return False
    if led:
        return True
    begins = first in PREPOSITIONS | FOREIGN_PREPOSITIONS
    return text.rstrip().endswith("?") and len(words) <= (4 if begins else 3)


def _points_back(core: str, language: str) -> bool:
    if language == "en":
        return (
            bool(references(core)) or re.search(r"\b(?:ones?|others?|former|latter)$", fold(core)) is not None
        )
    if re.search(FOREIGN_EXPLETIVES[language], fold(core)):
        return False
    words = _WORD.findall(core.replace("-", " "))
    for place, word in enumerate(words):
        after = fold(words[place + 1]) if place + 1 < len(words) else ""
        alone = not after or after in FOREIGN_PREPOSITIONS
        if word.lower() == "das" and language == "de" and place and alone:
            return True
        if word.lower() in FOREIGN_REFERENCES[language] and not (place and word[0].isupper()):
            return not _named_before(words[:place], language)
    return False


def _named_before(words: Sequence[str], language: str) -> bool:
    """Whether something that a pronoun may mean stands before it in its question."""
    if any(word[0].isupper() or word[0].isdigit() for word in words[1:]):
        return True
    if language == "de":
        return False
    articles = frozenset("el la los las un una le les une des l".split())
    return any(one.lower() in articles for one in words[:-1])


def _lacks_subject(core: str, language: str) -> bool:
    """Whether a question is but a question word and a verb, whose subject Spanish leaves out."""
    words = _WORD.findall(core)
    asks = bool(words) and fold(words[0]) in FOREIGN_QUESTION_WORDS | {"desde", "hasta", "a", "de"}
    return language == "es" and asks and len(words) <= 3 and not names(f"x {' '.join(words[1:])}")


def _telling(base: str, language: str) -> str:
    """The words of ``base`` that tell what it is about, in a language whose grammar is not known here."""
    common = {fold(word) for word in COMMON_WORDS[language].split()} | FOREIGN_QUESTION_WORDS
    return " ".join(word for word in _WORD.findall(base) if fold(word) not in common and len(word) > 1)


def _beside(text: str, topic: str) -> str:
    if not topic:
        return text
    core = unended(text)
    return f"{core} ({topic}){text[len(core) :].strip()}"
