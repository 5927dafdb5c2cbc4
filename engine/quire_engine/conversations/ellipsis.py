"""Questions that leave words out ("And in Germany?", "How long?"): completed from the question before."""

from __future__ import annotations

import re
from collections.abc import Sequence

from quire_engine.analysis import fold
from quire_engine.conversations.syntax import unended
from quire_engine.conversations.topics import (
    Token,
    asked_noun,
    is_year,
    names,
    noun_phrases,
    tokens,
    topic_of,
)
from quire_engine.conversations.turns import asks_for_person, base_of, told_names, told_parts
from quire_engine.conversations.words import (
    AUXILIARIES,
    DETERMINERS,
    FOREIGN_PREPOSITIONS,
    MONTHS,
    PREPOSITIONS,
    QUESTION_WORDS,
    WHY,
)
from quire_engine.records import AnswerStatus, Turn

_YEAR = re.compile(r"\b(?:1[0-9]{3}|20[0-9]{2})\b")
_MONTH = re.compile(rf"\b(?:{'|'.join(sorted(MONTHS))})\b", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_STATEMENT = 25
"""Words of the former answer that "Why?" is asked of."""


def continued(core: str, base: str, turn: Turn, language: str) -> str:
    """A question of nothing but a question word, asked of the question or the answer before."""
    asking = re.sub(
        r"^(?:and|but|so|und|aber|y|pero|et|mais)\s+", "", core.lstrip("¿¡ "), flags=re.IGNORECASE
    )
    asking = asking[:1].upper() + asking[1:]
    if re.match(WHY, fold(asking)):
        return f"{asking}: {_statement(turn, base)}?"
    if language != "en" or re.match(r"(?:which|what else|who else|how$|how so|how exactly)", fold(asking)):
        return f"{asking}: {base}?"
    return f"{asking} {_without_question_phrase(base)}?"


def _statement(turn: Turn, base: str) -> str:
    """What the former answer said, if it says what it is about; else the question before.

    Beside that, the name that it asked for.
    """
    if turn.status is AnswerStatus.ABSTAINED:
        return base
    text = next(told_parts(turn.text), "")
    first = unended(" ".join(_SENTENCE.split(text)[0].split()[:_STATEMENT]))
    topic = topic_of(base)
    telling = {token.word for token in tokens(topic.text) if token.tells} if topic else set()
    said = {token.word for token in tokens(first) if token.tells}
    if telling & said and said - telling:
        return first
    named = unended(base_of(turn)) == base and (asked_noun(base) or asks_for_person(turn))
    return f"{base} ({told[0]})" if named and (told := told_names(turn)) else base


def _without_question_phrase(base: str) -> str:
    """``base`` from its verb on: "At what temperature is the loaf ready" becomes "is the loaf ready"."""
    words = tokens(base)
    place = next((n for n, token in enumerate(words[:4]) if token.word in QUESTION_WORDS), None)
    if place is None:
        return base[:1].lower() + base[1:] if words and words[0].word in AUXILIARIES else base
    verb = next(
        (n for n in range(place + 1, min(len(words), place + 8)) if words[n].word in AUXILIARIES), place + 1
    )
    return base[words[verb].start :] if verb < len(words) else base


def substituted(base: str, fragment: str, language: str) -> str:
    """``base`` with ``fragment`` in the place of what is of its kind there; at the end when there is none."""
    prepositions = PREPOSITIONS if language == "en" else PREPOSITIONS | FOREIGN_PREPOSITIONS
    words = tokens(fragment)
    for token in words[1:] if words[0].word in prepositions else ():
        # "from Venice to Munich": each gives way to its own
        if token.word in prepositions and _object_of(tokens(base), token.word):
            first = substituted(base, fragment[: token.start].strip(), language)
            return substituted(first, fragment[token.start :], language)
    leading = words[0].word if words and words[0].word in prepositions else ""
    thing = fragment[words[0].end :].strip() if leading and len(words) > 1 else fragment
    if is_year(thing) and (old := (_YEAR if _YEAR.search(thing) else _MONTH).search(base)):
        return base[: old.start()] + thing + base[old.end() :]
    if is_year(thing):
        return f"{base} {fragment if leading else f'in {thing}'}"
    named = bool(names(f"x {thing}"))
    if leading and (span := _object_of(tokens(base), leading)):
        return base[: span[0]] + thing + base[span[1] :]
    candidates = [p for p in names(base) if not is_year(p.text)]
    if named and candidates and _is_place_of(leading, candidates[-1].start, base):
        old_name, rest = candidates[-1], base[candidates[-1].end :]
        thing = re.sub(r"['’]s$", "", thing) if re.match(r"['’]s\b", rest) else thing
        return base[: old_name.start] + thing + rest
    if leading or named:
        return f"{base}, {fragment}" if not leading else f"{base} {fragment}"
    determined = fold(thing).split(" ")[0] in DETERMINERS
    of = None if determined else _object_of(tokens(base), "of")
    if of and fold(base[of[0] : of[1]]).split(" ")[0] not in DETERMINERS:
        return base[: of[0]] + thing + base[of[1] :]
    for phrase in noun_phrases(base) if language == "en" else ():
        if (fold(phrase.text).split(" ")[0] in DETERMINERS) == determined and (
            determined or not phrase.named
        ):
            return base[: phrase.start] + thing + base[phrase.end :]
    return f"{base}, {thing}"


def _is_place_of(leading: str, start: int, base: str) -> bool:
    """Whether a name of ``base`` can give way to another.

    To a bare one always, to one behind "in" only where it follows a preposition, too ("capital of France").
    """
    if not leading:
        return True
    before = fold(base[:start]).split()
    return bool(before) and before[-1] in PREPOSITIONS | FOREIGN_PREPOSITIONS


def _object_of(words: Sequence[Token], preposition: str) -> tuple[int, int] | None:
    """Where in a question that stands which follows the last ``preposition``."""
    for place in reversed(range(len(words) - 1)):
        if words[place].word == preposition:
            end = place + 1
            while end < len(words) and (
                words[end].tells or (end == place + 1 and words[end].word in DETERMINERS)
            ):
                end += 1
            if end > place + 1:
                return words[place + 1].start, words[end - 1].end
    return None
