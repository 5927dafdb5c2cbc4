"""Notes in memory, cut into passages as the indexer cuts them, and found by meaning and words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from quire_engine.analysis import query_terms, terms
from quire_engine.chunking.chunker import Chunker
from quire_engine.chunking.sentences import LanguageTools
from quire_engine.index.bm25 import rarity
from quire_engine.inference.embedder import SentenceEmbedder
from quire_engine.records import (
    FileStat,
    Hit,
    Note,
    Plan,
    Query,
    Routing,
    ScoreTrace,
    SearchResult,
)
from quire_engine.retrieval.query import analyse
from quire_engine.retrieval.strategy import STRATEGIES
from quire_engine.vault.parser import parse

StrategyName = Literal["simple", "moderate", "complex", "expert"]
MakeNotes = Callable[..., "SmallNotes"]


class SmallNotes:
    """What an answer is made from, without an index: hits, rarity of words, and notes as they are now.

    ``files`` may be changed afterwards: the hits stay, as those of an index that is not up to date.
    """

    def __init__(
        self,
        files: Mapping[str, str],
        embedder: SentenceEmbedder,
        tools: LanguageTools,
        *,
        budget: int = 256,
    ) -> None:
        """``budget`` is the most tokens of a passage."""
        self.files = dict(files)
        self._embedder = embedder
        chunker = Chunker(embedder, tools, budget)
        notes = [note for path in files if (note := self.read(path)) is not None]
        self._hits = [
            Hit(
                rank=0, chunk_id=chunk.id, path=note.path, title=note.title, headings=chunk.headings,
                start_line=chunk.span.start_line, end_line=chunk.span.end_line, text=chunk.text, score=0.0,
                topic=".", trace=ScoreTrace(()), sentences=chunk.sentences, kind=chunk.kind,
            )
            for note in notes
            for chunk in chunker.chunk(note)
        ]  # fmt: skip
        self._vectors = embedder.embed_passages([f"{hit.title}: {hit.text}" for hit in self._hits])
        self._terms = [set(terms(f"{hit.title} {hit.text}", keep_stop_words=True)) for hit in self._hits]
        self._having = Counter(term for held in self._terms for term in held)

    def read(self, path: str) -> Note | None:
        if path not in self.files:
            return None
        return parse(path, self.files[path].encode("utf-8", "surrogatepass"), FileStat(0, 0, 0))

    def rarity(self, words: Sequence[str]) -> Mapping[str, float]:
        return {word: rarity(len(self._hits), self._having[word]) for word in words}

    def hits(self, question: str) -> list[Hit]:
        """Every passage, best first."""
        weights = self.rarity(query_terms(question))
        total = sum(weights.values()) or 1.0
        cosines = self._vectors @ self._embedder.embed_query(question)
        scores = [
            0.5 * max(0.0, float(cosine))
            + 0.5 * sum(weights[term] for term in weights if term in held) / total
            for cosine, held in zip(cosines, self._terms, strict=True)
        ]
        order = sorted(range(len(scores)), key=lambda row: -scores[row])
        return [replace(self._hits[row], rank=n, score=scores[row]) for n, row in enumerate(order, start=1)]

    def result(
        self, question: str, strategy: StrategyName = "expert", hits: Sequence[Hit] | None = None
    ) -> SearchResult:
        """All passages (or ``hits``), with the question taken apart as a search does it."""
        query: Query = analyse(question, topics=(), now=0.0)
        plan = Plan(query, STRATEGIES[strategy], Routing("all"))
        found = self.hits(question) if hits is None else hits
        return SearchResult(question, tuple(found), generation=1, incomplete=False, plan=plan)
