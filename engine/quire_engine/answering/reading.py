"""What has been read for a question so far, and whether it is enough to answer from.

Four measures, after each wave of passages: *coverage*, the share of the question's concepts that were met;
*confidence*, how likely the best sentence answers it; *clarity*, how far the two best sentences stand out
from the rest, which tells best whether reading on would change the answer; *completeness*, the share of the
question's parts that have support.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from tomllib import loads
from typing import Any

import numpy as np

from quire_engine.answering.answer_types import MEASURES, holds
from quire_engine.answering.remembering import Remembering
from quire_engine.answering.sentences import Candidate, SentenceRanker
from quire_engine.interfaces import Embedder
from quire_engine.records import Hit

_MET = 0.6
"""The cosine from which a word of the question is met by another word in a passage."""
_NEAR = 0.1
"""Below the best late interaction."""
_DENIAL = re.compile(
    r"\b(?:not|no|never|without|neither|nor|none|nothing|nobody|cannot|unable|fail(?:ed|s)?|except|\w+n['’]t|"
    r"nicht|kein\w*|nie|ohne|jamais|sans|aucune?|nunca|sin|ningun[ao]?|нет|никогда|без)\b",
    re.IGNORECASE,
)
_NOUNS_ARE_CAPITAL = ("de", "lb")
"""Languages whose capitals say nothing about names."""
_MOSTLY = 0.5
"""The coverage below which too much of the question was met nowhere."""
READABLE = 0.6
"""The reading trust from which the embedding model's signals count."""
_BEARING_WORDS = 4.05, 9.82, -5.7
"""Where the embedding model cannot read the question: a logistic function of the best coverage by a sentence
(headings count half) and by a passage. Fitted on 1,306 questions in seven languages and on the same questions
without the articles that answer them: 90 % of these are told apart, at 16 % of those."""


@dataclass(frozen=True, slots=True)
class Sufficiency:
    """How much is enough, or how much there is: each measure from 0 to 1."""

    coverage: float
    confidence: float
    clarity: float
    completeness: float

    def of(self, enough: Sufficiency) -> float:
        """How far the measure that lacks most is towards what is ``enough``; 1 when nothing lacks."""
        return min(
            1.0,
            self.coverage / enough.coverage,
            self.confidence / enough.confidence,
            self.clarity / enough.clarity,
            self.completeness / enough.completeness,
        )

    def lacks(self, enough: Sufficiency) -> str:
        """What is not enough yet, in words; empty when nothing is."""
        lacking = [
            f"{name} {there:.2f} of {wanted:.2f}"
            for name, there, wanted in (
                ("coverage", self.coverage, enough.coverage),
                ("confidence", self.confidence, enough.confidence),
                ("clarity", self.clarity, enough.clarity),
                ("completeness", self.completeness, enough.completeness),
            )
            if there < wanted
        ]
        return ", ".join(lacking)


class Reading:
    """The passages loaded for a question, sentence by sentence, for it and for each of its parts."""

    def __init__(
        self,
        question: str,
        parts: Sequence[str],
        embedder: Embedder,
        rarity: Callable[[Sequence[str]], Mapping[str, float]],
        best_score: float,
    ) -> None:
        remembering = Remembering(embedder)
        self.whole = SentenceRanker(question, remembering, rarity, best_score)
        self.parts = [SentenceRanker(part, remembering, rarity, best_score) for part in parts]

    def add(self, hits: Sequence[Hit]) -> None:
        """Read further passages."""
        for ranker in (self.whole, *self.parts):
            ranker.add(hits)

    @property
    def sufficiency(self) -> Sufficiency:
        parts = self.parts or [self.whole]
        return Sufficiency(
            coverage=_coverage(self.whole),
            confidence=min(map(confidence, parts)),
            clarity=min(map(_clarity, parts)),
            completeness=sum(bearing(part) >= 0.5 for part in parts) / len(parts),
        )

    @property
    def bearing(self) -> float:
        """How likely the notes have anything to say on the question, or on one of its parts, 0 to 1."""
        return max(map(bearing, (self.whole, *self.parts)))

    @property
    def confidence(self) -> float:
        """How likely the best sentence answers the question, 0 to 1; of parts, the average."""
        parts = self.parts or [self.whole]
        return sum(map(confidence, parts)) / len(parts)

    def keep(self, chunks: Collection[int]) -> None:
        """Forget all passages but these, by chunk id."""
        for ranker in (self.whole, *self.parts):
            ranker.keep(chunks)

    def doubts(self, shown: Sequence[Candidate]) -> bool:
        """Whether what is shown lacks what the question names, or what kind of thing it asks for.

        What is named may stand anywhere in the passages of the sentences, their titles and headings.
        """
        if self.parts:
            return False
        ranker = self.whole
        kind = ranker.kind
        if (kind in MEASURES or kind in ("person", "reason")) and not any(
            c.signals["defines"] or holds(kind, c.text, ranker.question) for c in shown
        ):
            return True
        if _coverage(ranker) < _MOSTLY:
            return True
        known = set().union(*(ranker.passage_terms[c.hit.chunk_id] for c in shown))
        named = () if ranker.language in _NOUNS_ARE_CAPITAL else ranker.words
        return any((word.is_name or word.is_number) and word.term not in known for word in named)

    def relevance(self, hit: Hit) -> list[float]:
        """How far each of the hit's sentences bears on the question or a part of it, 0 to 1."""
        support: dict[int, float] = {}
        for ranker in (self.whole, *self.parts):
            for candidate in ranker.ranked:
                if candidate.hit.chunk_id == hit.chunk_id:
                    share = max(support.get(candidate.start, 0.0), candidate.evidence.support)
                    support[candidate.start] = share
        return [support.get(start, 0.0) for start, _ in hit.sentences]


def bearing(ranker: SentenceRanker) -> float:
    """How likely the question is about what the notes are about at all, 0 to 1.

    A logistic function, fitted on questions that a vault of encyclopaedia articles answers and on questions
    of another field (``scripts/bench answer-weights`` fits it anew). Where the embedding model cannot read
    the question, the coverage of its words decides.
    """
    if not ranker.ranked:
        return 0.0
    if ranker.trust < READABLE:
        of_sentence, of_passage, offset = _BEARING_WORDS
        covered = max(c.signals["coverage"] + 0.5 * c.signals["around"] for c in ranker.ranked)
        passage = max(c.signals["passage"] for c in ranker.ranked)
        return _logistic(of_sentence * covered + of_passage * passage + offset)
    return _weighed("bearing", features(ranker))


def confidence(ranker: SentenceRanker) -> float:
    """How likely the best sentence answers the question, 0 to 1.

    A logistic function, fitted on the same questions and on others that were written about the same articles
    so that these do not answer them.
    """
    if not ranker.ranked:
        return 0.0
    if ranker.trust < READABLE:
        return bearing(ranker)
    return min(bearing(ranker), _weighed("confidence", features(ranker)))


def features(ranker: SentenceRanker) -> dict[str, float]:
    """What tells an answer from something that is only near the question, of the best sentence and others."""
    best = ranker.ranked[0]
    odds = np.exp(np.array([c.score for c in ranker.ranked]) - best.score)
    passage = np.array(ranker.passage_words.get(best.hit.chunk_id, ()) or (1.0,), dtype=np.float64)
    words = np.array(best.words or (1.0,), dtype=np.float64)
    weight = np.array([word.weight for word in ranker.words] or [1.0], dtype=np.float64)
    weight /= weight.sum() or 1.0
    named = [value for word, value in zip(ranker.words, passage, strict=False) if word.is_name]
    counted = [value for word, value in zip(ranker.words, passage, strict=False) if word.is_number]
    most_late = max(c.signals["late"] for c in ranker.ranked)
    return {
        **{name: best.signals[name] for name in _OF_THE_BEST},
        "share": float(1.0 / odds.sum()),
        "weakest": float(words.min()),
        "log_words": float(np.log(np.maximum(words, 0.05)).mean()),
        "squared": float((weight * passage**2).sum()) if len(weight) == len(passage) else 1.0,
        "weakest_name": min(named, default=0.8),
        "weakest_number": min(counted, default=0.8),
        "words": math.log1p(len(ranker.words)),
        "most_late_passage": max(c.signals["late_passage"] for c in ranker.ranked),
        "denied": float(_denies(ranker.question) and not _denies(best.text)),
        "near_best": sum(c.signals["late"] >= most_late - _NEAR for c in ranker.ranked) / len(ranker.ranked),
        "most_late": most_late,
        "most_coverage": max(c.signals["coverage"] for c in ranker.ranked),
        "most_cosine": max(c.signals["cosine"] for c in ranker.ranked),
    }


_OF_THE_BEST = (
    "late",
    "late_mean",
    "late_whole",
    "late_passage",
    "cosine",
    "coverage",
    "passage",
    "around",
    "numbers_missing",
)


def _clarity(ranker: SentenceRanker) -> float:
    """The share of the odds, among all sentences, that the two best have, 0 to 1."""
    if not ranker.ranked:
        return 0.0
    odds = np.exp(np.array([candidate.score for candidate in ranker.ranked]) - ranker.ranked[0].score)
    return float(odds[:2].sum() / odds.sum())


def _coverage(ranker: SentenceRanker) -> float:
    """The share of the question's concepts, by rarity, that some passage holds, literally or nearly."""
    if ranker.words:
        met = [
            max((words[place] for words in ranker.passage_words.values()), default=0.0)
            for place in range(len(ranker.words))
        ]
        total = sum(word.weight for word in ranker.words) or 1.0
        return (
            sum(
                word.weight
                for word, nearest in zip(ranker.words, met, strict=True)
                if nearest >= _MET or any(word.term in held for held in ranker.passage_terms.values())
            )
            / total
        )
    total = sum(ranker.weights.values())
    held = set().union(*ranker.passage_terms.values())
    return sum(weight for term, weight in ranker.weights.items() if term in held) / total if total else 0.0


def _denies(text: str) -> bool:
    return bool(_DENIAL.search(text))


def _weighed(name: str, values: Mapping[str, float]) -> float:
    weights = fitted()[name]
    return _logistic(weights["bias"] + sum(weight * values.get(n, 0.0) for n, weight in weights.items()))


def _logistic(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-min(60.0, max(-60.0, value))))


@cache
def fitted() -> dict[str, Any]:
    """The sections of answering.toml."""
    return loads(files("quire_engine.answering").joinpath("answering.toml").read_text("utf-8"))
