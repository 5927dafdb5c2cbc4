"""How well a quote supports a sentence: what of it stands there, and what speaks against it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from quire_engine.analysis import fold
from quire_engine.answering.wording import Token, Wording, both_ways, wording
from quire_engine.markup import plain

MIN_SUPPORT = 0.5
"""Evidence below this is no evidence: half of what the sentence says must stand in the quote. Sentences with
one thing changed end far below; anything from 0.45 to 0.6 decides nearly the same."""
FIRM_SUPPORT = 0.8
"""From here on, a quote says what the sentence says; below, only part of it. Of English sentences with one
thing changed, 1.5 % reach it (1.3 % at 0.85), of true ones 78 %, of those with a claim that the quote lacks
2 %."""

_MOST_PARTIAL = FIRM_SUPPORT - 0.01
_REFUTED = 0.4
"""What is left of the share when the quote says something else."""
_CONTEXT_WEIGHT = 0.5
_LONGEST_REPLACED = 4
"""Words at the beginning or end of a sentence that stand for others; more are a claim of their own. Between
words of the quote they may be twice as many."""
_PAIRS_OF_WORD = 4
"""Pairs of characters, in scripts without spaces, that a word is taken for."""
_CLAIM = 3
"""Content words of a claim, at least."""
_CLAIM_STANDS = 0.8
_CLAIM_MEANT = 0.5
"""A claim of which so much stands in the quote is about what the quote says; less is another claim."""
_BEFORE_NUMBER = 2
"""What the word before a number counts ("from", "to"), in words around it."""
_NEAR = 6
"""Content words between two names that one verb connects."""
_SIMILAR_FROM, _SIMILAR_GAIN = 0.7, 0.5
"""The cosine from which likeness raises the share, and how much of what lacks it makes up for at most. With
four tenths of the words, a cosine of 0.8 is then partial support; on questions of encyclopaedia articles made
into statements, a logistic function of share and cosine is at even odds near there."""
_Number = tuple[str, str, frozenset[str]]
_WORD = re.compile(r"\w+")
_LIST_MARK = re.compile(r"^\s*(?:[-*+•]|\d{1,2}[.)])\s+")
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3]"
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the words of a quote say about a sentence."""

    share: float
    """0 to 1: how much of the sentence's content stands in the quote."""
    refuted: bool
    """Whether the quote says something else: another number, name, direction, the contrary."""
    replaced: tuple[tuple[str, str], ...] = ()
    """(words of the sentence, words of the quote in their place): the same thing, or another?"""
    hedged: bool = False
    """Whether the quote takes something back that the sentence does not: "may", "almost", "if"."""


def claimed(sentence: str) -> str:
    """The words of ``sentence``, without markup and the mark of a list, whose number is no claim."""
    return plain(_LIST_MARK.sub("", sentence))


def score(judgement: Judgement, similarity: float = 0.0, *, same_meaning: bool = False) -> float:
    """0 to 1, from the words and, where a model could read them, from the meaning.

    ``similarity`` is the cosine of sentence and quote, ``same_meaning`` whether the words that were
    replaced mean the same. Likeness of meaning alone makes no firm support.
    """
    if judgement.refuted or (judgement.replaced and not same_meaning):
        return _REFUTED * judgement.share
    lift = max(0.0, similarity - _SIMILAR_FROM) / (1 - _SIMILAR_FROM) * _SIMILAR_GAIN
    raised = min(judgement.share + (1 - judgement.share) * lift, _MOST_PARTIAL)
    return raised if judgement.replaced or judgement.hedged else max(judgement.share, raised)


def judge(said: Wording, quoted: Wording, known: Wording, language: str) -> Judgement:
    """Compare a sentence with a quote, all in ``language``.

    Quotes refute what they say otherwise: a number or name that they lack, a word that one of the two denies,
    an opposite, another unit, roles or numbers exchanged, and what they only ask. ``known`` is
    what a reader knows besides (the note's title, its headings): its words count half, and names may stand
    there.
    """
    if not said.tokens:
        bare, there = (" ".join(["", *_WORD.findall(fold(text)), ""]) for text in (said.text, quoted.text))
        found = bool(bare.strip()) and bare in there
        return Judgement(float(found), refuted=False)
    stands = [_stands(token.term, quoted) for token in said.tokens]
    if not any(stands):
        return Judgement(0.0, refuted=False)
    implied = [
        not found and _stands(token.term, known) for token, found in zip(said.tokens, stands, strict=True)
    ]
    worth = {
        token.term: 1.0 if stand else _CONTEXT_WEIGHT * hint
        for token, stand, hint in zip(said.tokens, stands, implied, strict=True)
    }
    share = sum(worth.values()) / len(worth)
    if said.text == quoted.text:
        return Judgement(1.0, refuted=False)
    refuted = (
        (quoted.question and not said.question)
        or _turned_round(said, quoted)
        or _opposed(said, quoted)
        or _roles_exchanged(said, quoted, language)
        or _numbers_exchanged(said, quoted)
    )
    hedged = any(kind not in said.excused and words & said.terms for kind, words in quoted.hedges)
    if refuted or share == 1.0:
        return Judgement(share, refuted, hedged=hedged)
    lacking = {
        place
        for place, token in enumerate(said.tokens)
        if not stands[place]
        and (
            token.number
            or ((token.name or token.first) and not implied[place] and not _is_acronym(said, place, quoted))
        )
    }
    runs = [(first, last, words) for first, last, words in _replaced(said, quoted, stands, implied)]
    beside = set(lacking)
    for first, last, _ in runs:
        beside.update(range(first, last))
    if beside and _only_another_claim(said, stands, beside):
        return Judgement(min(share, _MOST_PARTIAL), refuted=False, hedged=hedged)
    if lacking or any(_other_unit(said, first, last, words) for first, last, words in runs):
        return Judgement(share, refuted=True)
    replaced = tuple((_written(said, first, last), words) for first, last, words in runs)
    return Judgement(share, False, replaced, hedged)


def _stands(term: str, among: Wording) -> bool:
    return term in among.terms or (
        term[:4] in among.stems and any(_inflected(term, other) for other in among.terms)
    )


def _is_acronym(said: Wording, place: int, quoted: Wording) -> bool:
    letters = said.tokens[place].raw
    return 2 <= len(letters) <= 6 and letters.isupper() and letters in quoted.initials


def _turned_round(said: Wording, quoted: Wording) -> bool:
    return bool(
        (said.denied & (quoted.plain - quoted.denied)) | (said.plain & (quoted.denied - quoted.plain))
    )


def _opposed(said: Wording, quoted: Wording) -> bool:
    """Whether a word stands for its opposite; where the quote has both, what they are said of decides."""
    for group, side, around in said.opposites:
        there = [(other_side, words) for other, other_side, words in quoted.opposites if other == group]
        same = max((len(around & words) for other, words in there if other == side), default=-1)
        opposite = max((len(around & words) for other, words in there if other != side), default=-1)
        if opposite > same and opposite > 0:
            return True
    return False


def _roles_exchanged(said: Wording, quoted: Wording, language: str) -> bool:
    """Whether two names change places around the same verb."""
    names = [p for p, t in enumerate(said.tokens) if (t.name or t.first) and t.term in quoted.terms]
    for one, other in pairwise(names):
        x, y = said.tokens[one].term, said.tokens[other].term
        verbs = {t.term for t in said.tokens[one + 1 : other] if not t.number} - both_ways(language)
        if x == y or not verbs or other - one > _NEAR:
            continue
        passive = any(one < place <= other for place in said.passive)
        straight, turned = _around(quoted, x, verbs, y, passive), _around(quoted, y, verbs, x, passive)
        if turned and not straight:
            return True
    return False


def _numbers_exchanged(said: Wording, quoted: Wording) -> bool:
    """Whether two numbers change places: each stands among the words of the other.

    Where they stand the other way round, the word before each tells whether they mean the same.
    """
    order = [number[0] for number in quoted.numbers]
    for one, other in pairwise(said.numbers):
        ones = [number for number in quoted.numbers if number[0] == one[0]]
        others = [number for number in quoted.numbers if number[0] == other[0]]
        if one[0] == other[0] or not ones or not others:
            continue
        reversed_there = other[0] not in order[order.index(one[0]) :]
        before = _BEFORE_NUMBER if reversed_there else 0
        own = _nearness(one, ones, before) + _nearness(other, others, before)
        if _nearness(one, others, before) + _nearness(other, ones, before) > own:
            return True
    return False


def _nearness(number: _Number, places: Sequence[_Number], same_before: int) -> int:
    """How many words around ``number`` are around another, in the likest of its ``places``.

    The same word directly before both counts ``same_before``.
    """
    _, before, around = number
    return max(
        len(around & words) + (same_before if before and before == word else 0) for _, word, words in places
    )


def _around(quoted: Wording, x: str, verbs: set[str], y: str, passive: bool) -> bool:
    """Whether the quote has x, one of ``verbs`` and y in this order and voice, or both the other way."""
    places = {term: [p for p, t in enumerate(quoted.tokens) if t.term == term] for term in (x, y)}
    for first, then, same_order in ((x, y, True), (y, x, False)):
        for p in places[first]:
            for q in places[then]:
                between = quoted.tokens[p + 1 : q]
                if any(token.term in (x, y) for token in between) or any(p < cut <= q for cut in quoted.cuts):
                    continue
                if p < q <= p + _NEAR and _share_one(verbs, between):
                    is_passive = any(p < place <= q for place in quoted.passive)
                    if (is_passive == passive) == same_order:
                        return True
    return False


def _share_one(verbs: set[str], tokens: Sequence[Token]) -> bool:
    return any(_inflected(verb, token.term) for verb in verbs for token in tokens)


def _inflected(one: str, other: str) -> bool:
    """Whether two terms are one word, as far as the stemmer may have missed it."""
    return one == other or (
        min(len(one), len(other)) >= 4
        and abs(len(other) - len(one)) <= 3
        and (other.startswith(one) or one.startswith(other))
    )


def _replaced(
    said: Wording, quoted: Wording, stands: list[bool], implied: list[bool]
) -> Iterator[tuple[int, int, str]]:
    """(first, last, words of the quote) for words of the sentence that took the place of others."""
    where: dict[str, list[int]] = {}
    for place, token in enumerate(quoted.tokens):
        where.setdefault(token.term, []).append(place)
    beside = {(one.term, other.term) for one, other in pairwise(quoted.tokens)}
    place = 0
    while place < len(said.tokens):
        if _is_anchor(said, stands, beside, place):
            place += 1
            continue
        first = place
        while place < len(said.tokens) and not _is_anchor(said, stands, beside, place):
            place += 1
        if place - first == 1 and _is_seam(said, first):
            continue
        longest = _LONGEST_REPLACED * (_PAIRS_OF_WORD if _is_pair(said.tokens[first]) else 1)
        found = _in_place_of(said, quoted, where, first, place, longest)
        if found and all(implied[at] or stands[at] for at in range(first, place)):
            # The note's subject may stand for "she", but not for another's name.
            found = found if any(token.name for token in quoted.tokens[slice(*found)]) else None
        if found:
            yield first, place, _written(quoted, *found)


def _written(text: Wording, first: int, last: int) -> str:
    return " ".join(dict.fromkeys(token.raw for token in text.tokens[first:last]))


def _is_pair(token: Token) -> bool:
    return bool(_UNSPACED.match(token.term))


def _is_seam(said: Wording, place: int) -> bool:
    """Whether a pair of characters is where two words meet that may stand apart in the quote."""
    if not 0 < place < len(said.tokens) - 1:
        return False
    before, pair, after = (token.term for token in said.tokens[place - 1 : place + 2])
    return _is_pair(said.tokens[place]) and any(
        before.endswith(pair[:cut]) and after.startswith(pair[cut:]) for cut in range(1, len(pair))
    )


def _is_anchor(said: Wording, stands: list[bool], beside: set[tuple[str, str]], place: int) -> bool:
    """Whether the token stands in the quote; a pair of characters, which may by chance, beside another."""
    token = said.tokens[place]
    if not stands[place] or not _is_pair(token) or place in (0, len(said.tokens) - 1):
        return stands[place]
    near = said.tokens[max(0, place - 1) : place + 2]
    return any(pair in beside for pair in pairwise(t.term for t in near))


def _in_place_of(
    said: Wording, quoted: Wording, where: dict[str, list[int]], first: int, last: int, longest: int
) -> tuple[int, int] | None:
    """The tokens of the quote between the words that surround ``first:last`` of the sentence."""
    before = where.get(said.tokens[first - 1].term, []) if first else None
    after = where.get(said.tokens[last].term, []) if last < len(said.tokens) else None
    spans: list[tuple[int, int]] = []
    if before is not None and after is not None:
        if last - first <= 2 * longest:
            most = last - first + longest // 2
            spans = [(p + 1, q) for p in before for q in after if 1 < q - p <= most + 1]
        return min(spans, key=lambda span: span[1] - span[0], default=None)
    if last - first > longest:
        return None
    if after is not None:
        second = where.get(said.tokens[last + 1].term) if last + 1 < len(said.tokens) else None
        spans = [
            (max(0, q - (last - first)), q) for q in after if q > 0 and (second is None or q + 1 in second)
        ]
    elif before is not None:
        second = where.get(said.tokens[first - 2].term) if first > 1 else None
        spans = [
            (p + 1, min(len(quoted.tokens), p + 1 + last - first))
            for p in before
            if p + 1 < len(quoted.tokens) and (second is None or p - 1 in second)
        ]
    for p, q in spans:
        elsewhere = [token for token in quoted.tokens[p:q] if token.term in said.terms]
        if all(map(_is_pair, elsewhere)) and 2 * len(elsewhere) < q - p:  # pairs recur by chance
            return p, q
    return None


def _other_unit(said: Wording, first: int, last: int, words: str) -> bool:
    """Whether what was replaced is the unit of a number, or its month."""
    around = (*said.tokens[max(0, first - 1) : first], *said.tokens[last : last + 1])
    if not any(token.number for token in around):
        return False
    units = {token.unit for token in said.tokens[first:last] if token.unit}
    return units != {token.unit for token in wording(words).tokens if token.unit}


def _only_another_claim(said: Wording, stands: list[bool], beside: set[int]) -> bool:
    """Whether what the quote lacks is a claim of its own, while another of the sentence's claims stands."""
    cuts = [0, *said.cuts, len(said.tokens)]
    claims: list[range] = []
    for start, end in pairwise(cuts):
        if claims and (end - start < _CLAIM or len(claims[-1]) < _CLAIM):
            claims[-1] = range(claims[-1].start, end)
        elif end > start:
            claims.append(range(start, end))
    firm = False
    for claim in claims:
        wrong = [p for p in claim if p in beside]
        rest = [p for p in claim if p not in beside]
        share = sum(stands[p] for p in rest) / max(1, len(rest))
        if not wrong:
            firm = firm or (share >= _CLAIM_STANDS and len(claim) >= _CLAIM)
        elif not rest or share >= _CLAIM_MEANT:
            return False
    return firm
