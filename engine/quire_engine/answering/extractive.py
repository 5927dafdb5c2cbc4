"""Answers without a language model: the sentences of the notes that answer best, verbatim."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from quire_engine.analysis import query_terms, reading_trust, terms
from quire_engine.answering.drafts import DraftSentence, Evidence
from quire_engine.interfaces import Embedder
from quire_engine.languages import detect_language
from quire_engine.markup import plain
from quire_engine.records import Hit

NAME = "extractive"
_PASSAGES = 8
_MOST_CANDIDATES = 64
"""Sentences that are embedded for one question; a few milliseconds each."""
_ALSO = 0.82
"""A further sentence must score this share of the best one."""
_REPEATED = 0.9
"""Cosine from which two sentences say the same."""
_LIST_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]")
_QUOTE_PREFIX = re.compile(r"^[ \t]*(?:>[ \t]?)+(?:\[![\w-]+\][+-]?[ \t]*)?", re.MULTILINE)
_QUESTION = re.compile(r"[?？؟:：][\s*_)\]\"'”’»]*$")
_EMPTY_PENALTY = 0.2
"""A question in the notes, or the colon before a list, resembles what is asked and answers nothing."""
_MANY_WORDS, _TIMES_EACH = 30, 3
"""So many words, each so often on average, are no sentence."""
_NO_SENTENCE = re.compile(
    r"\s*(?:[-*+>]\s*)*(?:"
    r"!\[\[[^\[\]]*\]\]|!\[[^\[\]]*\]\([^()]*\)"  # embeds and pictures
    r"|\[![\w-]+\][+-]?[^\n]*"  # a callout's first line
    r"|(?:#[^\s#]+\s*)+"  # tags
    r"|CLOCK:[^\n]*"  # an outliner's notes to itself
    r"|(?:id|collapsed|title|alias|aliases|icon|template|type|tags|url)::[^\n]*"
    r")\s*"
)
_TABLE_RULE = re.compile(r"^[ \t|:-]+$")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence of a passage with what speaks for it."""

    hit: Hit
    start: int
    end: int
    cosine: float
    """With the question; 0 when the model cannot read it at all."""
    coverage: float
    """The share of the question's term weight that the sentence and its headings hold, 0 to 1."""
    score: float
    vector: object

    @property
    def text(self) -> str:
        return self.hit.text[self.start : self.end]

    @property
    def evidence(self) -> Evidence:
        support = min(1.0, max(0.0, 0.5 * self.cosine + 0.5 * self.coverage))
        return Evidence(self.hit, self.start, self.end, round(support, 3))


def rank_sentences(
    question: str,
    hits: Sequence[Hit],
    embedder: Embedder,
    rarity: Callable[[Sequence[str]], Mapping[str, float]],
) -> list[Candidate]:
    """The sentences of the best passages, best first, by meaning, rare words and the passage's rank."""
    language = detect_language(question)
    wanted = query_terms(question, language)
    weights = rarity(wanted)
    total = sum(weights.values()) or 1.0
    trust = reading_trust(embedder.readability(question))
    places = [
        (hit, start, end)
        for hit in hits[:_PASSAGES]
        for start, end in hit.sentences
        if _says_something(hit.text[start:end])
    ][:_MOST_CANDIDATES]
    if not places:
        return []
    if trust > 0:
        texts = [question, *(_with_context(hit, start, end) for hit, start, end in places)]
        vectors = embedder.embed_passages(texts)
        cosines = vectors[1:] @ vectors[0]
    else:
        vectors = np.zeros((len(places) + 1, 1), dtype=np.float32)
        cosines = np.zeros(len(places), dtype=np.float32)
    names = {
        hit.chunk_id: set(terms(" ".join([hit.title, *hit.headings]), language, keep_stop_words=True))
        for hit in hits[:_PASSAGES]
    }
    best_score = max(hit.score for hit in hits) or 1.0
    ranked: list[Candidate] = []
    for row, (hit, start, end) in enumerate(places):
        inside = set(terms(plain(hit.text[start:end]), language, keep_stop_words=True))
        header = " ".join(_table_header(hit.text, start))
        inside.update(terms(plain(header), language))
        around = names[hit.chunk_id]
        covered = sum(
            weight if term in inside else 0.5 * weight if term in around else 0.0
            for term, weight in weights.items()
        )
        coverage = covered / total
        cosine = float(cosines[row])
        prior = hit.score / best_score
        score = 0.4 * trust * cosine + 0.3 * coverage + 0.3 * prior
        if _QUESTION.search(hit.text[start:end]):
            score -= _EMPTY_PENALTY
        ranked.append(Candidate(hit, start, end, cosine, coverage, score, vectors[row + 1]))
    ranked.sort(key=lambda c: -c.score)
    return ranked


def extract(ranked: Sequence[Candidate], most: int) -> list[DraftSentence]:
    """The best one to ``most`` sentences, those of a passage together and in reading order."""
    chosen: list[Candidate] = []
    for candidate in ranked:
        if len(chosen) == most or candidate.score < _ALSO * ranked[0].score:
            break
        if all(not _same(candidate, other) for other in chosen):
            chosen.append(candidate)
    order = {id(c.hit): position for position, c in reversed(list(enumerate(chosen)))}
    chosen.sort(key=lambda c: (order[id(c.hit)], c.start))
    return [_draft(candidate) for candidate in chosen]


def evidence_strength(ranked: Sequence[Candidate], trust: float) -> float:
    """How sure it is that the best sentences bear on the question at all, 0 to 1; evidence from 0.5 on.

    A logistic function of the best cosine and the best coverage, fitted on 400 questions that a vault of
    encyclopaedia articles answers and 150 of another field: at 0.5, 99 % of these and 2 % of those are
    taken to have no answer. Where the embedding model cannot read the question, coverage alone decides.
    """
    if not ranked:
        return 0.0
    cosine = max(c.cosine for c in ranked)
    coverage = max(c.coverage for c in ranked)
    logit = 21.7 * cosine + 14.8 * coverage - 15.8 if trust >= 0.6 else 14.8 * coverage - 5.9
    return float(1.0 / (1.0 + np.exp(-logit)))


def _with_context(hit: Hit, start: int, end: int) -> str:
    sentence = plain("\n".join([*_table_header(hit.text, start), hit.text[start:end]]))
    # A short sentence means little without the heading that it stands under.
    return f"{hit.headings[-1]}: {sentence}" if hit.headings else sentence


def _says_something(sentence: str) -> bool:
    if _TABLE_RULE.match(sentence) or _NO_SENTENCE.fullmatch(sentence):
        return False
    words = sentence.split()
    if len(words) >= _MANY_WORDS and len(words) > _TIMES_EACH * len(set(words)):
        return False  # made to be found, not to be read
    return sum(c.isalnum() for c in sentence) >= 4


def _same(one: Candidate, other: Candidate) -> bool:
    if one.text == other.text:
        return True
    return float(np.dot(one.vector, other.vector)) >= _REPEATED  # type: ignore[call-overload]


def _draft(candidate: Candidate) -> DraftSentence:
    text, separator = candidate.text, " "
    header = _table_header(candidate.hit.text, candidate.start)
    if header:
        text, separator = "\n".join([*header, text.strip()]), "\n\n"
    elif _LIST_ITEM.match(text):
        text, separator = text.strip(), "\n"
    elif "\n" in text and text.lstrip().startswith(("```", "~~~", "$$")):
        separator = "\n\n"
    else:
        text = " ".join(_QUOTE_PREFIX.sub("", text).split())
    return DraftSentence(text, (candidate.evidence,), separator, tuple(header))


def _table_header(text: str, start: int) -> list[str]:
    """The header and the rule of the table whose row begins at ``start``; empty when there is none."""
    if not text.startswith("|", start):
        return []
    lines: list[str] = []
    for line in reversed(text[:start].splitlines()):
        if not line.lstrip().startswith("|"):
            break
        lines.insert(0, line.strip())
    return lines[:2] if len(lines) >= 2 else []
