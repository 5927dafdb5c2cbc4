"""How well each sentence of a passage answers a question: signals, and their learned weights.

The strongest signal is late interaction (Khattab and Zaharia, 2020): every word of the question looks for its
nearest word in the sentence, in its context on either side. It sees what one vector for a sentence blurs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from tomllib import loads
from typing import TYPE_CHECKING, Protocol

import numpy as np

from quire_engine.analysis import fold, query_terms, reading_trust, terms
from quire_engine.answering.answer_types import MEASURES, expected, holds, numbers
from quire_engine.answering.drafts import Evidence
from quire_engine.answering.structure import (
    is_heading,
    is_open_task,
    is_question,
    is_reference,
    is_table_head,
    is_task,
    leads_in,
    says_something,
    table_header,
    without_struck,
)
from quire_engine.interfaces import TokenVectors
from quire_engine.languages import detect_language
from quire_engine.markup import plain
from quire_engine.records import Hit

if TYPE_CHECKING:
    from quire_engine.interfaces import FloatArray

SIGNALS = (
    "late_words",  # late interaction: how near the question's content words are on average
    "late_before",  # what the sentence before adds to it
    "late_passage",  # the same with the whole passage
    "late_mean",  # and with all word pieces of the question, alike
    "late_whole",  # and of the question as a whole (its first token)
    "cosine",  # of question and sentence
    "coverage",  # the share of the question's term weight that the sentence holds
    "around",  # and that its title and headings hold beyond that
    "before",  # and that the sentence before adds
    "prior",  # the passage's score, over the best one's
    "type",  # whether it holds what kind of thing is asked for; a half where the question does not say
    "measure",  # whether it holds the number, time or amount that is asked for
    "numbers_missing",  # the share of the question's numbers that it lacks
    "refers",  # whether it begins with a word that refers to what was said before
    "first",  # whether it is the first of its passage
)
"""What a sentence is ranked by, each from 0 to 1; in late interaction words are weighed by their rarity where
it does not say otherwise."""
_MOST_SENTENCES = 40
"""Of one passage that are looked at; a few milliseconds each."""
_NO_STATEMENT = 6.0
"""Taken off the log-odds of links, headings, open tasks, questions and lead-ins: they answer when nothing
else does."""
_DEFINITION = 4.0
"""Added to the log-odds of the first sentence under the name of what is asked: it says what that is."""
_TASKS = re.compile(
    r"\b(?:open|pending|unfinished|outstanding|next|remaining) (?:\w+ )?"
    r"(?:tasks?|items?|steps?|points?|todos?|actions?)\b|"
    r"\bto-?dos?\b|\baction items?\b|\b(?:still|left|have|has|need|needs|is|are) to (?:be )?do(?:ne)?\b|"
    r"\boffene\w* (?:aufgaben|punkte)\b|\bzu (?:tun|erledigen)\b|\ba faire\b|\bpendientes?\b"
)
"""Folded words that ask for what is still to be done."""
_WHAT_IS = re.compile(
    r"\W*(?:(?:who|what)(?: is| are| was| were|['’]s)\b|define\b|(?:the )?(?:meaning|definition) of\b|"
    r"what does .+ mean\b|"
    r"(?:wer|was) (?:ist|sind|war|waren|bedeutet)\b|que (?:es|son)\b|quien(?:es)? (?:es|son|fue)\b|"
    r"qu['’]est[- ]ce que?\b|qui (?:est|sont|etait)\b|(?:cos['’]e|chi e)\b|(?:кто|что) такое?\b)"
)
_MEANING = "define definition meaning mean bedeutet"
"""Words of such questions that are no part of the name."""
_LONGEST = 1_200
"""Characters of a sentence that are looked at."""
_REFERS = re.compile(
    r"^\W*(?:it|its|he|she|they|his|her|hers|their|theirs|this|that|these|those|such|both|however|also|but|then|"
    r"er|sie|es|dies|diese[rsmn]?|sein|seine|ihr|ihre|dort|el|ella|ellos|esto|este|esta|il|elle|ils|elles|ce|cette|"
    r"он|она|оно|они|это)\b",
    re.IGNORECASE,
)


class TokenReader(Protocol):
    """What is asked of an embedder."""

    def embed_tokens(self, texts: Sequence[str]) -> list[TokenVectors]: ...

    def readability(self, text: str) -> float: ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence of a passage with what speaks for it."""

    hit: Hit
    start: int
    end: int
    signals: Mapping[str, float]
    """Those of `SIGNALS`, and ``late`` (late interaction with the sentence), ``passage`` (coverage of the
    whole passage), ``defines`` (whether it says what that is what is asked for) and ``nothing`` (whether it
    is no statement at all)."""
    score: float
    """A log-odds: what speaks for it, added; comparable among the sentences for one question."""
    vector: FloatArray
    words: tuple[float, ...]
    """For each content word of the question, how near the nearest word of the sentence is (a cosine)."""
    held: frozenset[str] = frozenset()
    """The terms of the question that it holds."""

    @property
    def text(self) -> str:
        return self.hit.text[self.start : self.end]

    @property
    def evidence(self) -> Evidence:
        """With half of what its words hold of the question, and half of what its meaning does, as support."""
        lexical = min(1.0, self.signals["coverage"] + 0.5 * self.signals["around"])
        semantic = max(self.signals["late"], self.signals["cosine"])
        share = 0.5 * semantic + 0.5 * lexical if semantic else lexical
        return Evidence(self.hit, self.start, self.end, round(min(1.0, max(0.0, share)), 3))


@dataclass(frozen=True, slots=True)
class Word:
    """A content word of the question."""

    text: str
    weight: float
    """Its rarity in the vault."""
    term: str
    is_name: bool
    is_number: bool


class SentenceRanker:
    """Ranks the sentences of passages for one question, wave by wave."""

    def __init__(
        self,
        question: str,
        embedder: TokenReader,
        rarity: Callable[[Sequence[str]], Mapping[str, float]],
        best_score: float,
    ) -> None:
        """``best_score`` is that of the best hit; ``rarity`` weighs terms as the keyword index does."""
        self.question = question
        self._embedder = embedder
        self._best_score = best_score or 1.0
        self._read: Mapping[str, float]
        self._unread: Mapping[str, float]
        self._read, self._unread = sentence_weights()
        self.language = detect_language(question)
        self.trust = reading_trust(embedder.readability(question))
        self.weights = dict(rarity(query_terms(question, self.language)))
        self._asked_terms = set(self.weights)
        asks_what_is = _WHAT_IS.match(fold(question))
        self.asks_for_tasks = bool(_TASKS.search(fold(question)))
        self._defined = self._asked_terms - set(terms(_MEANING, self.language)) if asks_what_is else set()
        """The terms of what is to be defined, if that is asked for."""
        self._total = sum(self.weights.values()) or 1.0
        self.kind = expected(question)
        self._numbers = numbers(question)
        self._asked: TokenVectors | None = None
        self.words: tuple[Word, ...] = ()
        self._pieces: list[list[int]] = []
        """Of each of `words`, which tokens it consists of."""
        self._share = np.zeros(0, dtype=np.float32)
        """How much each token of the question counts."""
        if self.trust > 0:
            self._asked = embedder.embed_tokens([question])[0]
            self._take_apart(self._asked)
        self.ranked: list[Candidate] = []
        """All sentences so far, best first."""
        self.passage_terms: dict[int, set[str]] = {}
        """The terms of each passage, its title and headings, by chunk id."""
        self.passage_words: dict[int, tuple[float, ...]] = {}
        """As `Candidate.words`, with all of a passage, by chunk id."""

    def _take_apart(self, asked: TokenVectors) -> None:
        """Find the content words of the question and their tokens."""
        ends: list[tuple[int, int, list[int]]] = []
        for token, (start, end) in enumerate(asked.spans):
            if end <= start:
                continue
            if ends and ends[-1][1] == start and self.question[start - 1 : end].isalnum():
                ends[-1] = (ends[-1][0], end, [*ends[-1][2], token])
            else:
                ends.append((start, end, [token]))
        share = np.zeros(len(asked.spans), dtype=np.float32)
        words = []
        for start, end, tokens in ends:
            text = self.question[start:end]
            found = [term for term in terms(text, self.language) if term in self.weights]
            if not found:
                continue
            weight = max(self.weights[term] for term in found)
            words.append(
                Word(text, weight, found[0], start > 0 and text[:1].isupper(), any(map(str.isdigit, text)))
            )
            self._pieces.append(tokens)
            share[tokens] = weight
        self.words = tuple(words)
        total = float(share.sum())
        self._share = share / total if total else np.full(len(share), 1 / max(1, len(share)), np.float32)

    def add(self, hits: Sequence[Hit]) -> None:
        """Rank the sentences of ``hits`` among those that are there."""
        places = [(hit, spans) for hit in hits if (spans := _places(hit))]
        if not places:
            return
        seen: list[TokenVectors] | None = None
        if self.trust > 0:
            texts = [self._in_context(hit, start, end) for hit, spans in places for start, end in spans]
            seen = self._embedder.embed_tokens(texts)
        row = 0
        for hit, spans in places:
            vectors = seen[row : row + len(spans)] if seen is not None else None
            self.ranked += self._passage(hit, spans, vectors)
            row += len(spans)
        self.ranked.sort(key=lambda candidate: -candidate.score)

    def keep(self, chunks: Collection[int]) -> None:
        """Forget the sentences of all passages but these, by chunk id."""
        self.ranked = [candidate for candidate in self.ranked if candidate.hit.chunk_id in chunks]
        self.passage_terms = {chunk: held for chunk, held in self.passage_terms.items() if chunk in chunks}
        self.passage_words = {chunk: near for chunk, near in self.passage_words.items() if chunk in chunks}

    def weigh(self, read: Mapping[str, float], unread: Mapping[str, float]) -> None:
        """Rank by these weights of `SIGNALS` instead of `sentence_weights`."""
        self._read, self._unread = read, unread
        self.ranked = [replace(candidate, score=self._score(candidate.signals)) for candidate in self.ranked]
        self.ranked.sort(key=lambda candidate: -candidate.score)

    def _passage(
        self, hit: Hit, spans: Sequence[tuple[int, int]], vectors: Sequence[TokenVectors] | None
    ) -> list[Candidate]:
        language = self.language
        said = [without_struck(hit.text[start:end]) for start, end in spans]
        texts = [
            plain("\n".join([*table_header(hit.text, start), text]))
            for (start, _), text in zip(spans, said, strict=True)
        ]
        inside = [
            set() if is_question(text) else set(terms(text, language, keep_stop_words=True)) for text in texts
        ]
        around = set(terms(" ".join([hit.title, *hit.headings]), language, keep_stop_words=True))
        everything = set().union(*inside, around)
        self.passage_terms[hit.chunk_id] = everything
        whole = self._held(everything)
        late = self._late(vectors)
        if vectors is not None and self._pieces:
            states = [place for place, text in enumerate(texts) if not is_question(text)]
            nearest = late.nearest[:, states].max(axis=1, initial=0.0)
            self.passage_words[hit.chunk_id] = tuple(float(nearest[p].mean()) for p in self._pieces)
        opening = self._definition(hit, spans)
        found = []
        for place, (start, end) in enumerate(spans):
            held, text = inside[place], texts[place]
            before = inside[place - 1] if place else set()
            has = self.kind is not None and holds(self.kind, text, self.question)
            signals = {
                **late.signals[place],
                "coverage": self._held(held),
                "around": self._held(around - held),
                "passage": whole,
                "before": self._held(before - held),
                "prior": hit.score / self._best_score,
                "type": float(has) if self.kind is not None else 0.5,
                "measure": float(has and self.kind in MEASURES),
                "numbers_missing": len(self._numbers - numbers(text)) / max(1, len(self._numbers)),
                "refers": float(bool(_REFERS.match(text))),
                "first": float(place == 0),
                "defines": float(place == opening),
                "nothing": self._nothing(said[place]),
            }
            vector = vectors[place].vector if vectors is not None else np.zeros(1, dtype=np.float32)
            words = (
                tuple(float(late.nearest[p, place].mean()) for p in self._pieces) if len(late.nearest) else ()
            )
            asked = frozenset(held & self._asked_terms)
            found.append(Candidate(hit, start, end, signals, self._score(signals), vector, words, asked))
        return found

    def _definition(self, hit: Hit, spans: Sequence[tuple[int, int]]) -> int | None:
        """Which sentence says what something is: the first one under its name, if that is asked for."""
        if not self._defined:
            return None
        called = [hit.title, *hit.headings[-1:]]
        if not any(self._defined <= set(terms(name, self.language)) for name in called):
            return None
        texts = [hit.text[start:end] for start, end in spans]
        return next((place for place, text in enumerate(texts) if not self._nothing(text)), None)

    def _nothing(self, sentence: str) -> float:
        """1 for what stands in notes and is no statement: links, headings, questions, lead-ins, open tasks.

        Where open tasks are asked for, they are what is wanted (-1), and done ones are not.
        """
        if self.asks_for_tasks and is_task(sentence):
            return -1.0 if is_open_task(sentence) else 1.0
        checks = (is_reference, is_heading, is_question, leads_in, is_open_task)
        return float(any(check(sentence) for check in checks))

    def _in_context(self, hit: Hit, start: int, end: int) -> str:
        """The sentence behind its note's title, since many say "it" of what the note is about.

        So behind its heading, where that says something of what is asked; most only divide a text.
        """
        lines = [*table_header(hit.text, start), hit.text[start : min(end, start + _LONGEST)]]
        sentence = plain(without_struck("\n".join(lines)))
        under = hit.headings[-1] if hit.headings else ""
        if under == hit.title or not self._asked_terms.intersection(terms(under, self.language)):
            return f"{hit.title}: {sentence}"
        return f"{hit.title}, {under}: {sentence}"

    def _held(self, among: set[str]) -> float:
        return sum(weight for term, weight in self.weights.items() if term in among) / self._total

    def _late(self, vectors: Sequence[TokenVectors] | None) -> _Late:
        names = ("late", "late_before", "late_passage", "late_mean", "late_whole", "cosine", "late_words")
        if vectors is None or self._asked is None:
            return _Late(np.zeros((0, 0), np.float32), [dict.fromkeys(names, 0.0)] * _MOST_SENTENCES)
        tokens = np.concatenate([each.tokens for each in vectors])
        starts = np.cumsum([0, *(len(each.tokens) for each in vectors[:-1])])
        nearest = np.maximum.reduceat(
            self._asked.tokens @ tokens.T, starts, axis=1
        )  # (of question, sentences)
        share = self._share[:, None]
        before = np.concatenate([np.zeros_like(nearest[:, :1]), nearest[:, :-1]], axis=1)
        of_passage = float((nearest.max(axis=1) * self._share).sum())
        rows = np.stack(
            [
                (nearest * share).sum(axis=0),
                (np.maximum(0, before - nearest) * share).sum(axis=0) * (np.arange(len(vectors)) > 0),
                np.full(len(vectors), of_passage),
                nearest.mean(axis=0),
                nearest[0],
                np.array([each.vector @ self._asked.vector for each in vectors]),
                np.mean([nearest[pieces].mean(axis=0) for pieces in self._pieces], axis=0)
                if self._pieces
                else np.zeros(len(vectors)),
            ],
            axis=1,
        )
        return _Late(nearest, [dict(zip(names, map(float, row), strict=True)) for row in rows])

    def _score(self, signals: Mapping[str, float]) -> float:
        return (
            _DEFINITION * signals["defines"]
            - _NO_STATEMENT * signals["nothing"]
            + sum(
                signals[name] * (self.trust * self._read[name] + (1 - self.trust) * self._unread[name])
                for name in SIGNALS
            )
        )


@dataclass(frozen=True, slots=True)
class _Late:
    nearest: FloatArray
    """For each token of the question and each sentence the largest cosine; (tokens, sentences)."""
    signals: list[dict[str, float]]


@cache
def sentence_weights() -> tuple[dict[str, float], dict[str, float]]:
    """The weight of each of `SIGNALS`, for questions that the embedding model reads, and for others."""
    table = loads(files("quire_engine.answering").joinpath("answering.toml").read_text("utf-8"))["sentences"]
    return (
        {name: float(table[name][0]) for name in SIGNALS},
        {name: float(table[name][1]) for name in SIGNALS},
    )


def _places(hit: Hit) -> list[tuple[int, int]]:
    spans = [
        (start, end)
        for start, end in hit.sentences
        if says_something(hit.text[start:end]) and not is_table_head(hit.text, end)
    ]
    return spans[:_MOST_SENTENCES]
