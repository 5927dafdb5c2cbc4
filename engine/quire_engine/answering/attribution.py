"""Which words of the notes prove a sentence of an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from quire_engine.analysis import reading_trust
from quire_engine.answering.drafts import Evidence
from quire_engine.answering.excerpts import quotable
from quire_engine.answering.orders import paragraphs_of_orders
from quire_engine.answering.support import FIRM_SUPPORT, MIN_SUPPORT, Judgement, claimed, judge, score
from quire_engine.answering.wording import Wording, joined, wording, wording_of_note
from quire_engine.interfaces import Embedder
from quire_engine.languages import detect_language
from quire_engine.markup import plain
from quire_engine.records import Hit

if TYPE_CHECKING:
    from quire_engine.interfaces import FloatArray

_MOST_EVIDENCE = 3
"""Passages for a sentence that names none of its own."""
_MOST_SENTENCES = 3
_LONGER_GAIN = 0.15
"""By how much a further neighbouring sentence must raise the share to be quoted too."""
_MOST_READ = 4
"""Quotes that the embedding model compares with a sentence; the best by their words."""
_SAME_MEANING = 0.33
"""Cosine from which words in the place of others are taken to mean the same: 95 in 100 synonyms have it, and
five in 100 wrong answers in the place of the right ones. Words for related things have it, too."""
_REPLACED_COST = 0.1
"""What words in the place of others count against a quote while its meaning is not known."""
_TRUSTED = 0.6
"""The reading trust from which the embedding model is asked."""


@dataclass(frozen=True, slots=True)
class _Passage:
    """A hit whose sentences are taken apart."""

    language: str
    known: Wording
    spans: Sequence[tuple[int, int]]
    sentences: tuple[Wording, ...]
    gaps: tuple[bool, ...]
    """Whether words stand between each sentence and the next: some that are not to be quoted."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    hit: Hit
    start: int
    end: int
    judgement: Judgement


class Attribution:
    """Finds the quotes for the sentences of one answer; what it read of the notes is kept between them."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._passages: dict[tuple[int, tuple[tuple[int, int], ...]], _Passage] = {}
        self._said: dict[tuple[str, str], Wording] = {}
        self._vectors: dict[str, FloatArray] = {}

    def evidence(self, text: str, cited: Sequence[Hit], others: Sequence[Hit]) -> tuple[Evidence, ...]:
        """Quotes that support ``text``, best first; empty when nothing supports it by `MIN_SUPPORT`.

        Those of the ``cited`` passages; where none of them does, of the best ``others``. A quote is a
        sentence of its passage (of ``Hit.sentences``), or a few neighbouring ones where each holds a part.
        """
        found = self._supporting(text, cited)
        if not found:
            # Small models often count wrong, or cite nothing; the words of the notes decide, not the number.
            known = {hit.chunk_id for hit in cited}
            found = self._supporting(text, [hit for hit in others if hit.chunk_id not in known])
            found = found[:_MOST_EVIDENCE]
        return tuple(found)

    def _supporting(self, text: str, hits: Sequence[Hit]) -> list[Evidence]:
        candidates = [best for hit in hits if (best := self._best(text, hit)) is not None]
        found: list[Evidence] = []
        for evidence in sorted(self._scored(text, candidates), key=lambda evidence: -evidence.support):
            if evidence.support < MIN_SUPPORT:
                break
            if not any(_repeats(evidence, other) for other in found):  # passages share sentences
                found.append(evidence)
        return found

    def _best(self, text: str, hit: Hit) -> _Candidate | None:
        """The sentence of ``hit`` whose words support ``text`` best, or a few neighbours."""
        passage = self._passage(hit)
        key = (text, passage.language)
        said = self._said[key] = self._said.get(key) or wording(claimed(text), passage.language)
        best: _Candidate | None = None
        for reach in range(1, _MOST_SENTENCES + 1):
            floor = _rank(best.judgement) + _LONGER_GAIN if best else -1.0
            if floor > 1:
                break
            for first in range(len(passage.spans) - reach + 1):
                parts = passage.sentences[first : first + reach]
                if any(passage.gaps[first : first + reach - 1]):
                    continue
                if reach > 1 and _most_share(said, parts) <= floor:
                    continue
                start, end = passage.spans[first][0], passage.spans[first + reach - 1][1]
                quoted, known = parts[0], passage.known
                if reach > 1:
                    # What is asked is not said, but tells what the next sentence is about.
                    asked = [part for part in parts if part.question]
                    stated = [part for part in parts if not part.question]
                    quoted = joined(stated or parts, hit.text[start:end])
                    known = joined([known, *asked], "") if asked else known
                judgement = judge(said, quoted, known, passage.language)
                if _rank(judgement) > floor:
                    best, floor = _Candidate(hit, start, end, judgement), _rank(judgement)
        return best

    def _passage(self, hit: Hit) -> _Passage:
        key = (hit.chunk_id, hit.sentences)
        if key not in self._passages:
            language, spans = detect_language(hit.text), _spans(hit)
            self._passages[key] = _Passage(
                language,
                wording(" ".join((hit.title, *hit.headings)), language),
                spans,
                tuple(wording_of_note(hit.text[start:end], language) for start, end in spans),
                tuple(any(map(str.isalnum, hit.text[end:start])) for (_, end), (start, _) in pairwise(spans)),
            )
        return self._passages[key]

    def _scored(self, text: str, candidates: Sequence[_Candidate]) -> list[Evidence]:
        """Each candidate with its support; what the words leave open, the embedding model judges."""
        read = sorted(filter(_is_open, candidates), key=lambda c: -c.judgement.share)[:_MOST_READ]
        if read and reading_trust(self._embedder.readability(text)) < _TRUSTED:
            read = []
        if read:
            replaced = [words for c in read for pair in c.judgement.replaced for words in pair]
            self._embed([text, *map(_quote, read), *replaced])
        return [
            Evidence(
                c.hit, c.start, c.end, round(self._score(text, c) if c in read else score(c.judgement), 3)
            )
            for c in candidates
        ]

    def _score(self, text: str, candidate: _Candidate) -> float:
        same = all(self._cosine(one, other) >= _SAME_MEANING for one, other in candidate.judgement.replaced)
        return score(candidate.judgement, self._cosine(text, _quote(candidate)), same_meaning=same)

    def _cosine(self, one: str, other: str) -> float:
        return float(self._vectors[one] @ self._vectors[other])

    def _embed(self, texts: Sequence[str]) -> None:
        new = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        self._vectors.update(zip(new, self._embedder.embed_passages(new), strict=True))


def _spans(hit: Hit) -> Sequence[tuple[int, int]]:
    """What may be quoted of ``hit``: its sentences, or its properties.

    Nothing of a paragraph that gives orders to the model: one that obeys must not prove itself by them.
    """
    spans = quotable(hit).sentences
    orders = paragraphs_of_orders(hit.text)
    return [span for span in spans if not any(span[0] < end and start < span[1] for start, end in orders)]


def _most_share(said: Wording, parts: Sequence[Wording]) -> float:
    """The share of the sentence that may stand in some sentences together, at most."""
    together = frozenset().union(*(part.terms for part in parts))
    stems = frozenset().union(*(part.stems for part in parts))
    return sum(t in together or t[:4] in stems for t in said.terms) / max(1, len(said.terms))


def _is_open(candidate: _Candidate) -> bool:
    judgement = candidate.judgement
    return not judgement.refuted and (0 < judgement.share < FIRM_SUPPORT or bool(judgement.replaced))


def _quote(candidate: _Candidate) -> str:
    return plain(candidate.hit.text[candidate.start : candidate.end])


def _repeats(one: Evidence, other: Evidence) -> bool:
    """Whether one of two quotes from a note holds the other."""
    quotes = [e.hit.text[e.start : e.end] for e in (one, other)]
    return one.hit.path == other.hit.path and (quotes[0] in quotes[1] or quotes[1] in quotes[0])


def _rank(judgement: Judgement) -> float:
    """What a quote is chosen by before its meaning is known."""
    return score(judgement, same_meaning=True) - _REPLACED_COST * bool(judgement.replaced)
