"""Words of a question that point back to what was said before, in English: which, and what they stand for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from quire_engine.analysis import fold
from quire_engine.conversations.choices import chosen
from quire_engine.conversations.syntax import unended
from quire_engine.conversations.topics import (
    Phrase,
    Token,
    asked_noun,
    names,
    noun_phrases,
    tokens,
    topic_of,
)
from quire_engine.conversations.turns import (
    asks_for_person,
    base_of,
    found_under,
    may_be_person,
    quotes,
    told_names,
    told_person,
    topical,
)
from quire_engine.conversations.words import (
    AUXILIARIES,
    BE,
    CONNECTORS,
    DEMONSTRATIVES,
    DETERMINERS,
    PEOPLE,
    PREPOSITIONS,
    QUESTION_WORDS,
    THINGS,
    TIMES,
    VAGUE,
)
from quire_engine.records import Turn

_POSSESSIVES = frozenset("its their theirs his her hers".split())
_EXPLETIVE = re.compile(
    r"\b(?:is|was|be|does|did|may|will|would|could|should|can) it (?:ever )?(?:be )?(?:not )?"
    r"(?:possible|necessary|true|worth|better|safe|ok|okay|allowed|important|best|hard|easy|difficult|"
    r"likely|legal|normal|useful|permitted|enough|time|make sense|raining|snowing)\b"
    r"|\b(?:windy|cold|hot|warm|late|dark|wet|rainy|sunny|foggy|early) "
    r"(?:is|was|may|can|must|does|did|will) it\b"
    r"|\bit (?:take|takes|took|cost|costs) (?:\w+ )?to\b|\bit (?:is|was|'s|be) \w+ (?:to|that|who)\b"
    r"|\bit (?:rain|rains|rained|snow|snows|snowed)\b|\btime is it\b|\bwho is it that\b"
)
_EXISTS = frozenset("is are was were be been exist exists".split())
_OF_WHAT = re.compile(
    r"(?:and |but )?(?:how (?:many|much)|which|what)"
    r"(?: (?!is|was|are|were|do|does|did|has|have)[\w-]+){1,2} ?\?+"
    r"|(?:and |but )?(?:which|who)(?: one)? (?:is|was|are|were|has) (?:the )?[\w-]+ ?\?+"
)
"""A question that counts, chooses or compares, and says not of what."""
_JUDGES = re.compile(
    r"(?:(?:and|but|so) )?(?:is|was|are|were|isnt|wasnt|isn't|wasn't) (?:that|this|it|they|those|these) "
    r"(?:really |still |not |quite |about )*"
    r"(?:an? (?:lot|little)|(?:too )?(?:much|many|little|few)|enough|normal|usual|unusual|typical|right|"
    r"correct|true|certain|all|everything) ?\?*"
)
"""A question about an answer, and not about what that answer is about."""
_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class Reference:
    """A place in a question that points back."""

    start: int
    end: int
    kind: str
    """``person``, ``thing``, ``place`` (there), ``mention`` (this project, the train)."""
    possessive: bool = False


def with_references(text: str, turns: Sequence[Turn]) -> str:
    """``text`` with what points back replaced by what it means; as it is when nothing does, or nothing tells.

    ``turns`` are those before it, the oldest first.
    """
    if (meant := chosen(text, turns)) != text:
        return meant
    if _JUDGES.fullmatch(fold(text)):
        end = len(text.rstrip(" ?.!"))
        return f"{text[:end]} ({unended(base_of(topical(turns)[-1]))}){text[end:].strip()}"
    if _OF_WHAT.fullmatch(fold(text)) and (topic := meaning("thing", turns)):
        end = len(text.rstrip(" ?.!"))
        return f"{text[:end]} ({topic}){text[end:].strip()}"
    done: set[str] = set()
    used: set[str] = set()
    result, shift = text, 0
    for reference in references(text):
        meant = meaning(reference.kind, turns)
        if reference.kind in done or not meant or meant in used:
            continue
        done.add(reference.kind)
        used.add(meant)
        if reference.kind == "mention":
            mention = text[reference.start : reference.end]
            new = _fuller(mention, turns[-1]) or f"{mention} ({meant})"
        elif reference.kind == "place":
            new = f"at {meant}"
        else:
            new = _possessive(meant) if reference.possessive else meant
        result = result[: reference.start + shift] + new + result[reference.end + shift :]
        shift += len(new) - (reference.end - reference.start)
    return _with_full_mentions(result, turns) if result == text else result


def references(text: str) -> list[Reference]:
    """What in ``text`` points back, in order; not what means something that ``text`` names itself."""
    words = tokens(text)
    folded = fold(text)
    expletive = _EXPLETIVE.search(folded) is not None
    found = []
    for place, token in enumerate(words):
        word = token.word
        after = words[place + 1] if place + 1 < len(words) and words[place + 1].is_word else None
        before = words[place - 1] if place else None
        possessive = word in _POSSESSIVES and (word != "her" or (after is not None and after.tells))
        if word in PEOPLE or word in THINGS:
            if (word == "it" and expletive) or _is_bound(words, place, possessive):
                continue
            kind = "person" if word in PEOPLE else "thing"
            found.append(Reference(token.start, token.end, kind, possessive))
        elif word in DEMONSTRATIVES and _points(word, before, after):
            if (
                after is None
                or not after.tells
                or after.word in ("mean", "means", "work", "works", "happen", "apply")
            ):
                joins = word == "that" and after is not None and after.word in DETERMINERS | {"of"}
                asked = before is not None and before.word in BE and not any(t.tells for t in words[:place])
                if asked or not joins:  # "Is that a lot?", and not "It means that the …"
                    found.append(Reference(token.start, token.end, "thing"))
            elif after.word not in TIMES:
                end = place + 1
                while end < len(words) and words[end].tells and end - place < 3:
                    end += 1
                stop = words[end - 1] if end - place == 2 or not _verb_like(words, end) else words[end - 2]
                found.append(Reference(token.start, stop.end, "mention"))
        elif word == "there" and not any(
            near is not None and near.word in _EXISTS for near in (before, after)
        ):
            found.append(Reference(token.start, token.end, "place"))
    return found


def _verb_like(words: Sequence[Token], end: int) -> bool:
    return end == len(words) or not words[end].is_word or words[end].word in PREPOSITIONS


def _points(word: str, before: Token | None, after: Token | None) -> bool:
    """Whether a demonstrative is one: "that" is also a conjunction and a relative pronoun."""
    if word != "that" or before is None or not before.is_word or after is None:
        return True
    return before.word in AUXILIARIES | PREPOSITIONS | QUESTION_WORDS | {
        "and",
        "but",
        "or",
        "like",
        "mean",
        "all",
    }


def _is_bound(words: Sequence[Token], place: int, possessive: bool) -> bool:
    """Whether a pronoun means something that is named before it in the same question."""
    earlier = list(words[:place])
    telling = [token for token in earlier if token.tells and token.word not in VAGUE]
    text = " ".join(token.text for token in earlier)
    named = bool(names(f"x {text}"))
    determined = any(
        one.word in DETERMINERS - DEMONSTRATIVES - _POSSESSIVES and two.tells
        for one, two in pairwise(earlier)
    )
    if possessive:
        subject = any(one.word in AUXILIARIES and two.tells for one, two in pairwise(earlier))
        return named or determined or subject
    clause = any(token.word in CONNECTORS and number > 0 for number, token in enumerate(earlier))
    return clause and (named or determined or bool(telling))


def meaning(kind: str, turns: Sequence[Turn]) -> str:
    """What a reference of ``kind`` stands for, from the last of ``turns`` that tells; empty if none does."""
    # "Who else?" is about what was asked before it, but the answer names somebody new.
    telling = (
        [t for t in turns if asks_for_person(t) or not quotes(t)] if kind == "person" else topical(turns)
    )
    for turn in reversed(telling):
        if meant := _meant_by(kind, turn):
            meant = meant.strip("[]").rpartition("|")[2]
            determined = fold(meant).split(" ")[0] in DETERMINERS
            return meant[:1].lower() + meant[1:] if determined else meant
    heading = found_under(turns[-1])
    return heading if kind != "person" or may_be_person(heading) else ""


def _meant_by(kind: str, turn: Turn) -> str:
    if kind == "person":
        return _person(turn)
    base = base_of(turn)
    told = told_names(turn)
    topic = topic_of(base)
    if asks_for_person(turn):
        return topic.text if topic else (told[0] if told else "")
    noun = asked_noun(base)
    if noun and told:
        beside = names(base)
        return f"the {noun} {told[0]}" + (f" ({beside[0].text})" if beside else "")
    if kind == "place" and told and any(token.word == "where" for token in tokens(base)[:2]):
        return told[0]
    if (
        topic is not None
        and told
        and not topic.named
        and base.casefold().startswith(("what is the", "which", "where"))
    ):
        return f"{topic.text} {told[0]}" if len(told[0]) < _LONGEST_NAME else topic.text
    return topic.text if topic else (told[0] if told else "")


def _person(turn: Turn) -> str:
    """Whom a question was about or its answer named: "the captain", too, but nothing without a name."""
    told = told_person(turn)
    if asks_for_person(turn):
        return told
    base = base_of(turn)
    within = [name.text for name in names(base)]
    likely = [*(name for name in within if may_be_person(name)), *within, told]
    if likely[0]:
        return likely[0]
    topic = topic_of(base)
    return topic.text if topic and fold(topic.text).split(" ")[0] in DETERMINERS else ""


def _possessive(name: str) -> str:
    return f"{name}'" if name.endswith("s") else f"{name}'s"


def _fuller(mention: str, turn: Turn) -> str:
    """A phrase of the former turn of which ``mention`` ("that project") is the short form."""
    head = fold(mention).split()[-1]
    phrases: list[Phrase] = noun_phrases(base_of(turn))
    spoken = [phrase.text for phrase in phrases] + told_names(turn)
    return next(
        (phrase for phrase in spoken if head in fold(phrase).split() and fold(phrase) != fold(mention)), ""
    )


def _with_full_mentions(text: str, turns: Sequence[Turn]) -> str:
    """What is definite as the former turn named it ("the train": "the train from A to B"), beside no name.

    A question of nothing but a definite noun ("What is the budget?") gets the topic beside it.
    """
    if names(text):
        return text
    words = tokens(text)
    telling = [token for token in words if token.tells]
    for place, token in enumerate(words[:-1]):
        if token.word != "the" or not words[place + 1].tells:
            continue
        noun = words[place + 1]
        alone = place + 2 >= len(words) or not words[place + 2].tells or telling[-1] is words[place + 2]
        attached = place + 2 < len(words) and words[place + 2].word == "of"
        if not alone or attached:
            continue
        short = text[token.start : noun.end]
        for turn in reversed(turns[-3:]):
            if fuller := _fuller(short, turn):
                return text[: token.start] + fuller.strip("[]") + text[noun.end :]
        if len(telling) == 1 and (topic := meaning("thing", turns)):
            return f"{text[: noun.end]} ({topic}){text[noun.end :]}"
    return text
