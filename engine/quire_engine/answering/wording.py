"""A text taken apart for comparison: content words in order, numbers, names, denials, opposites."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import accumulate

from quire_engine.analysis import fold, terms
from quire_engine.answering.scopes import AROUND, Hedge, clause, hedged, numbered, shifted
from quire_engine.answering.structure import without_struck
from quire_engine.answering.wording_tables import (
    BOTH_WAYS,
    CONTRASTS,
    HEDGES,
    JOINING,
    NEGATORS,
    NO_DENIAL,
    NUMBER_WORDS,
    OPPOSITES,
    PASSIVE,
    UNITS,
    UNSPACED_HEDGES,
    UNSPACED_NEGATORS,
    UNSPACED_OPPOSITES,
)
from quire_engine.markup import plain

_GROUP = "[.,'’\u00a0\u202f]"
_PIECE = re.compile(
    rf"(?P<number>\d+(?:{_GROUP}\d+)*)"
    r"|(?P<word>[^\W\d_](?:\w|['’](?=\w)|[\u0300-\u036f\u0610-\u065f\u0900-\u0dff\u0e31-\u0e4e])*)"
    r"|(?P<symbol>[%$€£¥])|(?P<clause>[.,;:!?()–—。，、；：？！،؛؟।])"
)
_GROUPED = re.compile(rf"\d{{1,3}}(?:{_GROUP}\d{{3}})+")
_ORDINAL_ENDS = frozenset("st nd rd th".split())
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3]"
)
_UNSPACED_NEGATOR = re.compile("|".join(UNSPACED_NEGATORS.split()))
_UNSPACED_SIDES = {
    word: (str(group), side)
    for group, pair in enumerate(UNSPACED_OPPOSITES.split(";"))
    for side, words in enumerate(pair.split("/"))
    for word in words.split()
}
_UNSPACED_OPPOSITE = re.compile("|".join(sorted(_UNSPACED_SIDES, key=len, reverse=True)))
_NO_HEDGE = (-1, False)
_UNSPACED_KINDS = {
    word: kind for kind, words in enumerate(UNSPACED_HEDGES.split(";")) for word in words.split()
}
_UNSPACED_HEDGE = re.compile("|".join(_UNSPACED_KINDS))
# What is quoted at the end of a sentence ("He asked: Why?") makes no question of it.
_QUESTION = re.compile(
    r"[?？؟]\s*+\Z|\A\s*+[\"“„«「『].*[?？؟][\"”“»」』]\s*+\Z|(?:吗|嗎|ですか|ますか|หรือไม่|ไหม)[。\s]*+\Z",
    re.DOTALL,
)
_EMPTY = frozenset("one ones".split())
"""A pronoun oftener than a number."""
_STOPS = frozenset(".!?。！？؟।:")
_REACH = 4
"""Words after a negation among which the denied ones are."""
_DENIED = 2
"""Content words that a negation denies."""
_CONTRASTS = frozenset(CONTRASTS.split())
_JOINING = frozenset(JOINING.split())
_NO_DENIAL = frozenset(NO_DENIAL.split())
_PASSIVE = frozenset(map(fold, PASSIVE.split()))
UNIT_OF = {
    fold(word): words.split()[0] for words in UNITS.split(";") for word in words.split()
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Token:
    """A content word, a number, or a pair of characters of a script without spaces."""

    term: str
    """What is compared; a number is written ``#5``."""
    raw: str
    """As it is written."""
    denied: bool = False
    name: bool = False
    """Capitalised where only names are."""
    first: bool = False
    """Begins its sentence, where everything is capitalised."""
    unit: str = ""
    """The first spelling of the unit, month or scale that it is."""

    @property
    def number(self) -> bool:
        return self.term.startswith("#")


@dataclass(frozen=True, slots=True)
class Wording:
    """A text, taken apart."""

    text: str
    tokens: tuple[Token, ...]
    opposites: tuple[tuple[str, int, frozenset[str]], ...]
    """(pair, side, the content words around) for each word that has an opposite."""
    hedges: tuple[tuple[int, frozenset[str]], ...]
    """(kind, the content words it is said of) for each word that takes something back: "may", "almost"."""
    numbers: tuple[tuple[str, str, frozenset[str]], ...]
    """(number, the word before it, the content words around) for each number."""
    passive: tuple[int, ...]
    """How many tokens precede each word like "by"."""
    cuts: tuple[int, ...]
    """How many tokens precede each end of a clause."""
    terms: frozenset[str] = field(default=frozenset())
    stems: frozenset[str] = field(default=frozenset())
    """The first four characters of its longer terms."""
    denied: frozenset[str] = field(default=frozenset())
    plain: frozenset[str] = field(default=frozenset())
    initials: str = ""
    """Of its capitalised words, in order."""
    question: bool = False
    """Whether it asks, and so says nothing."""
    excused: frozenset[int] = field(default=frozenset())
    """The kinds of hedges that it has itself, or words for."""


def wording(text: str, language: str = "") -> Wording:
    """Take ``text`` apart, which is in ``language`` (ISO 639-1); any text will do."""
    negators, sides, numbers, hedging = _tables(language or "en")
    tokens: list[Token] = []
    hedges: list[Hedge] = []
    excused: set[int] = set()
    before: dict[int, str] = {}
    """By the place of a number, the word before it."""
    stops = [0]
    last_word = ""
    marks: list[tuple[str, int, int, int]] = []
    passive: list[int] = []
    cuts: list[int] = []
    denying = reach = 0
    number_end = -2
    """Where the last number ended."""
    begun = False
    waiting = False
    """Whether a negation has met nothing to deny yet."""
    last_clause = 0
    for piece in _PIECE.finditer(text):
        raw, start, end = piece.group(), piece.start(), piece.end()
        if piece["clause"]:
            if waiting and len(tokens) > last_clause:
                tokens[-1] = _denied(tokens[-1])
            if waiting and raw not in "()" and len(tokens) > last_clause:
                tokens[-1] = _denied(tokens[-1])
                waiting = False
            if not waiting or raw in _STOPS:
                denying, waiting, last_clause = 0, False, len(tokens)
            cuts.append(len(tokens))
            if raw in _STOPS:
                stops.append(len(tokens))
            begun, last_word = begun and raw not in _STOPS, ""
            continue
        first, begun = not begun, True
        if piece["symbol"]:
            tokens.append(Token(UNIT_OF[raw], raw, unit=UNIT_OF[raw]))
            continue
        if piece["number"]:
            denied = denying > 0
            before[len(tokens)] = last_word
            tokens.append(Token("#" + _number(raw), raw, denied))
            number_end, last_word = end, ""
            denying, waiting = denying - denied, False
            continue
        word = fold(raw).replace("'", "").replace("’", "")
        if _UNSPACED.match(raw):
            hedges.extend(
                (_UNSPACED_KINDS[hedge.group()], shifted(hedge.span(), len(tokens)), True)
                for hedge in _UNSPACED_HEDGE.finditer(raw)
            )
            known = len(tokens)
            _unspaced(raw, tokens, marks, language)
            for place in range(known, len(tokens)):
                if tokens[place].term.isdigit():
                    before[place] = last_word
                last_word = tokens[place].term
            continue
        previous, last_word = last_word, "" if word in _JOINING else word
        kind, takes_back = hedging.get(raw.lower(), _NO_HEDGE)
        if kind >= 0:
            excused.add(kind)
        # "Not only" limits nothing, and "May" is a month.
        takes_back &= (first or not raw[0].isupper()) and not (waiting and word in _NO_DENIAL)
        if word in negators:
            denying, reach, waiting = _DENIED, _REACH, True
            continue
        if word in _EMPTY:
            continue
        if word in _NO_DENIAL and waiting:
            denying, waiting = 0, False
        if word in _CONTRASTS:
            denying, waiting = 0, False
            cuts.append(len(tokens))
            continue
        if word in _JOINING:
            cuts.append(len(tokens))
        if word in _PASSIVE:
            passive.append(len(tokens))
        if word in numbers:
            found, number_end = [f"#{numbers[word]}"], end
            before[len(tokens)] = previous
        elif word in _ORDINAL_ENDS and number_end == start:
            continue
        else:
            found = terms(raw, language)
        if side := sides.get(word):
            marks.append((*side, len(tokens), len(found)))
        if takes_back:
            hedges.append((kind, shifted((0, len(found)), len(tokens)), False))
        reach -= 1
        name = raw[0].isupper() and language != "de"
        unit = UNIT_OF.get(word, "")
        if unit and number_end >= start - 1:
            found = [unit]
        for term in found:
            denied = denying > 0 and reach >= 0
            tokens.append(Token(term, raw, denied, name and not first, name and first, unit))
            denying, waiting = denying - denied, waiting and not denied
    if waiting and len(tokens) > last_clause:
        tokens[-1] = _denied(tokens[-1])
    every = [token.term for token in tokens]
    return replace(
        _finished(text, tokens, marks, passive, cuts),
        hedges=tuple(hedged(every, hedges, cuts, stops)),
        numbers=tuple(numbered(every, before, cuts)),
        question=bool(_QUESTION.search(text)),
        excused=frozenset(excused.union(kind for kind, *_ in hedges)),
    )


def wording_of_note(text: str, language: str = "") -> Wording:
    """Take a piece of a note apart: the words that a reader sees, without what is struck out."""
    return wording(plain(without_struck(text)), language)


def joined(parts: Sequence[Wording], text: str) -> Wording:
    """The wording of neighbouring sentences that stand together as ``text``."""
    tokens: list[Token] = []
    opposites: list[tuple[str, int, frozenset[str]]] = []
    passive: list[int] = []
    cuts: list[int] = []
    for part in parts:
        passive += [len(tokens) + place for place in part.passive]
        cuts += [len(tokens) + place for place in part.cuts]
        opposites += part.opposites
        tokens += part.tokens
        cuts.append(len(tokens))
    return replace(
        _with_sets(text, tokens, opposites, passive, cuts),
        hedges=tuple(hedge for part in parts for hedge in part.hedges),
        numbers=tuple(number for part in parts for number in part.numbers),
        excused=frozenset().union(*(part.excused for part in parts)),
        question=all(part.question for part in parts),
    )


def _finished(
    text: str,
    tokens: list[Token],
    marks: Iterable[tuple[str, int, int, int]],
    passive: Sequence[int],
    cuts: Sequence[int],
) -> Wording:
    opposites = []
    for group, side, place, own in marks:
        # What it is said of stands in its own claim.
        start, end = clause(cuts, place, len(tokens))
        around = (
            tokens[max(start, place - AROUND) : place] + tokens[place + own : min(end, place + own + AROUND)]
        )
        opposites.append((group, side, frozenset(token.term for token in around)))
    return _with_sets(text, tokens, opposites, passive, cuts)


def _with_sets(
    text: str,
    tokens: Sequence[Token],
    opposites: Sequence[tuple[str, int, frozenset[str]]],
    passive: Sequence[int],
    cuts: Sequence[int],
) -> Wording:
    every = frozenset(token.term for token in tokens)
    return Wording(
        text=text,
        tokens=tuple(tokens),
        opposites=tuple(opposites),
        hedges=(),
        numbers=(),
        passive=tuple(passive),
        cuts=tuple(cuts),
        terms=every,
        stems=frozenset(term[:4] for term in every if len(term) >= 4),
        denied=frozenset(token.term for token in tokens if token.denied),
        plain=frozenset(token.term for token in tokens if not token.denied),
        initials="".join(token.raw[0] for token in tokens if token.raw[0].isupper()),
    )


def _unspaced(raw: str, tokens: list[Token], marks: list[tuple[str, int, int, int]], language: str) -> None:
    """Pairs of characters, those around a negation (which is left out) denied."""
    before = len(tokens)
    *pieces, run_end = _UNSPACED_NEGATOR.split(raw)
    seams = list(accumulate(map(len, pieces)))
    run = "".join([*pieces, run_end])
    marks.extend(
        (*_UNSPACED_SIDES[opposite.group()], before + opposite.start(), 1)
        for opposite in _UNSPACED_OPPOSITE.finditer(run)
    )
    place = 0
    for term in terms(run, language):
        at = run.find(term[:1], place)
        place = at if at >= 0 else place
        denied = any(place <= seam <= place + len(term) for seam in seams)
        tokens.append(Token(term, term, denied))
        place += 1


def _denied(token: Token) -> Token:
    return replace(token, denied=True)


def _number(raw: str) -> str:
    digits = "".join(str(unicodedata.digit(char)) if char.isdigit() else char for char in raw)
    if _GROUPED.fullmatch(digits):
        return re.sub(r"\D", "", digits).lstrip("0") or "0"
    whole, *rest = re.split(r"\D", digits)
    fraction = ".".join(rest).rstrip("0") if len(rest) == 1 else ".".join(rest)
    return (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")


@cache
def _tables(
    language: str,
) -> tuple[frozenset[str], dict[str, tuple[str, int]], dict[str, str], dict[str, tuple[int, bool]]]:
    """Negators, the sides of opposites by word and by stem, and number words, all folded; and hedges as they
    are written: (kind, whether it takes something back)."""
    sides: dict[str, tuple[str, int]] = {}
    for group, pair in enumerate(OPPOSITES.get(language, "").split(";")):
        for side, words in enumerate(pair.split("/")):
            for word in words.split():
                sides.setdefault(fold(word), (f"{language}{group}", side))
    negators = frozenset(map(fold, NEGATORS.get(language, NEGATORS["en"]).split()))
    numbers = {
        fold(word): str(value)
        for value, word in enumerate(NUMBER_WORDS.get(language, NUMBER_WORDS["en"]).split(), start=2)
    }
    hedges = {
        word: (kind, not side)
        for kind, words in enumerate(HEDGES.get(language, "").split(";"))
        for side, group in enumerate(words.split("/"))
        for word in group.split()
    }
    return negators, sides, numbers, hedges


@cache
def both_ways(language: str) -> frozenset[str]:
    """Terms for what is said of two in either order."""
    return frozenset(terms(BOTH_WAYS, language))
