"""What a question asks for: operators, language, intent, complexity, time, names and parts.

By rules and word lists alone, with the standard library: spaCy would be good for some of this, but takes over
a second to import, which is more than the whole of a search; it reads notes, while they are indexed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from quire_engine.analysis import fold, terms
from quire_engine.languages import detect_language
from quire_engine.records import Intent, NamedNote, Query
from quire_engine.retrieval.decomposition import asked, decompose
from quire_engine.retrieval.names import NoteNames, without_links
from quire_engine.retrieval.operators import parse
from quire_engine.retrieval.question_words import (
    ANALYTICAL,
    CHANGE,
    CONVERSATIONAL,
    CREATIVE,
    SYNTHESIS,
    any_of,
)
from quire_engine.retrieval.timespans import time_of
from quire_engine.retrieval.wording import folded_words, telling_words

LONGEST = 4000
"""Characters of a question that are read; the embedding model sees no more than that anyway."""
WEIGHTS: Mapping[str, float] = {
    "multi-part": 0.3,
    "comparative": 0.25,
    "temporal": 0.2,
    "synthesis": 0.4,
    "cross-domain": 0.35,
}
"""What each reason adds to a question's complexity."""
_COMPARES = any_of(
    r"compare|comparison|versus\b|vs\b|contrast\b|differences?\b|differs?\b|vergleich|unterschied|diferencia",
    r"differenz|diferenca|confronta\b|сравн|разниц|отлича|قارن|الفرق|तुलना|अंतर\s",
    "区别|區別|比较|比較|違い|비교|차이",
)


def analyse(text: str, *, topics: Sequence[str], now: float) -> Query:
    """What ``text`` asks for in a vault with these ``topics``, asked at ``now`` (Unix seconds).

    The notes that it names are for `named_notes` to tell. Takes under a millisecond. Never raises, whatever
    the text.
    """
    parsed = parse(text[:LONGEST], now)
    words = without_links(parsed.text)
    said = folded_words(words)
    parts, compares = decompose(words)
    (since, before), recency = time_of(words, now)
    domains = _domains(words, topics)
    folded = fold(words)
    applies = {
        "multi-part": bool(parts and not compares) or len(asked(words)) > 1,
        "comparative": compares or _COMPARES.search(folded) is not None,
        # A year by itself ("in 2014") makes a question no harder.
        "temporal": recency > 0 or (since is None) != (before is None) or CHANGE.search(folded) is not None,
        "synthesis": SYNTHESIS.search(folded) is not None,
        "cross-domain": len(domains) > 1,
    }
    reasons = tuple(reason for reason, applied in applies.items() if applied)
    return Query(
        text=words,
        language=detect_language(words),
        intent=_intent(folded, said),
        complexity=round(min(1.0, sum(WEIGHTS[reason] for reason in reasons)), 3),
        reasons=reasons,
        recency=recency,
        since=since,
        before=before,
        domains=domains,
        phrases=parsed.phrases,
        named=(),
        parts=parts,
        filters=parsed.filters,
        notes=parsed.notes,
    )


def named_notes(text: str, names: NoteNames) -> tuple[NamedNote, ...]:
    """The notes among those with ``names`` that the question ``text`` links to or names, the former first."""
    text = text[:LONGEST]
    linked = names.linked(text)
    known = {note.name for note in linked}
    return (*linked, *(note for note in names.among(without_links(text)) if note.name not in known))


def _intent(folded: str, said: str) -> Intent:
    if CREATIVE.search(folded):
        return "creative"
    if CONVERSATIONAL.fullmatch(said):
        return "conversational"
    if ANALYTICAL.search(folded) or SYNTHESIS.search(folded):
        return "analytical"
    return "factual"


def _domains(text: str, topics: Sequence[str]) -> tuple[str, ...]:
    """Topics all of whose last folder's words stand in ``text``, by their stems."""
    present = set(terms(text))
    return tuple(topic for topic in topics if (words := _topic_terms(topic)) and words <= present)


@lru_cache(maxsize=4096)
def _topic_terms(topic: str) -> frozenset[str]:
    """A folder named ``de`` or ``it`` is named by too many questions."""
    return frozenset(terms(telling_words(topic.rpartition("/")[2])))
