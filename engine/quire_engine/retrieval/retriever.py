"""Finding passages: dense and keyword search side by side, fused, near-duplicates collapsed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from quire_engine.analysis import reading_trust
from quire_engine.errors import StoreError
from quire_engine.interfaces import ChunkReader, Embedder, KeywordSearcher, VectorSearcher
from quire_engine.records import Filters, Hit, SearchResult
from quire_engine.retrieval.fusion import (
    Fused,
    Ranking,
    collapse,
    convex_combination,
    reciprocal_rank_fusion,
)
from quire_engine.settings import RetrievalSettings

if TYPE_CHECKING:
    from quire_engine.interfaces import FloatArray

_LONGEST_QUERY = 4000
"""Characters of a question that are read; the embedding model sees no more than that anyway."""
_SPARE = 2
"""Collapsing needs more candidates than are shown."""


class Retriever:
    """Searches one vault's index."""

    def __init__(
        self,
        chunks: ChunkReader,
        vectors: VectorSearcher,
        keywords: KeywordSearcher,
        embedder: Callable[[], Embedder],
        early: Callable[[Sequence[int]], Mapping[int, FloatArray]],
        check: Callable[[], Callable[[Mapping[int, Hit]], Mapping[int, Hit]]],
        settings: RetrievalSettings,
    ) -> None:
        """``embedder`` is called when the first question is embedded.

        ``early`` makes vectors of chunks, best first, that wait for theirs: of as many as is quickly done.
        ``check`` gives for each search what returns those of some hits that still stand in their notes, as
        they stand there now.
        """
        self._chunks = chunks
        self._vectors = vectors
        self._keywords = keywords
        self._embedder = embedder
        self._early = early
        self._check = check
        self._settings = settings
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="quire-keywords")

    def close(self) -> None:
        self._threads.shutdown()

    def search(
        self,
        query: str,
        *,
        limit: int,
        filters: Filters,
        generation: int,
        incomplete: bool,
        dense: bool = True,
    ) -> SearchResult:
        """The best passages for ``query``, at most ``limit``; by keywords alone unless ``dense``.

        ``generation`` and ``incomplete`` describe the index and are handed through to the result.
        """
        clock = _Clock()
        question = " ".join(query.split())[:_LONGEST_QUERY]
        among = self._chunks.chunk_ids(filters)
        clock.lap("filter")
        if not question or among == []:
            return SearchResult(query, (), generation, incomplete, clock.timings())
        depth = max(self._settings.candidates, limit)
        keyword = self._threads.submit(_timed, lambda: self._keywords.search(question, depth, among=among))
        embedder = self._embedder()
        weight = dense_weight(embedder.readability(question), self._settings.dense_share) if dense else 0.0
        near: list[tuple[int, float]] = []
        words: list[tuple[int, float]] = []
        vector: FloatArray | None = None
        damaged: list[StoreError] = []
        if weight > 0:
            vector = embedder.embed_query(question)
            clock.lap("embed")
            try:
                near = self._vectors.nearest(vector, depth, among=among)
            except StoreError as error:
                damaged.append(error)
            clock.lap("dense")
        try:
            words, keyword_seconds = keyword.result()
            clock.put("keyword", keyword_seconds)
        except StoreError as error:
            damaged.append(error)
        if len(damaged) == 1 + (weight > 0):
            raise damaged[0]
        incomplete = incomplete or bool(damaged)  # one list is still an answer; the next sync mends the other
        clock.lap("wait")
        fused = self._fuse(near, words, vector, weight)
        hits, left_out = self._hits(fused, limit)
        clock.lap("fuse")
        behind = left_out > 0 or any(hit.stale for hit in hits)
        return SearchResult(query, hits, generation, incomplete or behind, clock.timings(), left_out)

    def _fuse(
        self,
        near: Sequence[tuple[int, float]],
        words: Sequence[tuple[int, float]],
        vector: FloatArray | None,
        weight: float,
    ) -> Fused:
        if self._settings.fusion == "rrf":
            # The same balance as the shares of a convex combination.
            lists = [Ranking("dense", near, weight), Ranking("keyword", words, 1 - weight)]
            return reciprocal_rank_fusion(lists, self._settings.rrf_k)
        cosines: dict[int, float] = {}
        if vector is not None:
            known = {item for item, _ in near}
            missing = [item for item, _ in words if item not in known]
            others = dict(self._chunks.vectors(missing))
            if len(others) < len(missing):
                others |= self._early([item for item in missing if item not in others])
            cosines = {item: float(other @ vector) for item, other in others.items()}
        return convex_combination(Ranking("dense", near), Ranking("keyword", words), cosines, weight)

    def _hits(self, fused: Fused, limit: int) -> tuple[tuple[Hit, ...], int]:
        """The hits to show, and how many better ones were left out: their text is gone from their notes."""
        check = self._check()
        hits, left_out = self._shown(fused[: limit * _SPARE], limit, check)
        if len(hits) == limit or len(fused) <= limit * _SPARE:
            return hits, left_out
        # Near-duplicates crowd the top: what stands further down makes up for them.
        return self._shown(fused, limit, check)

    def _shown(
        self, candidates: Fused, limit: int, check: Callable[[Mapping[int, Hit]], Mapping[int, Hit]]
    ) -> tuple[tuple[Hit, ...], int]:
        ids = [item for item, _, _ in candidates]
        indexed = self._chunks.hits(ids)
        found = check(indexed)
        present = [i for i in ids if i in found]
        alike = _alike(present, self._chunks.vectors(ids), self._settings.duplicate_cosine)
        groups = collapse(present, alike)
        shown = [entry for entry in candidates if entry[0] in groups][:limit]
        links = self._chunks.links([item for item, _, _ in shown])
        entities = self._chunks.entities([item for item, _, _ in shown])
        hits: list[Hit] = []
        for item, score, trace in shown:
            same = tuple(
                f"{found[other].path}:{found[other].start_line}-{found[other].end_line}"
                for other in groups[item]
            )
            hits.append(
                replace(
                    found[item],
                    rank=len(hits) + 1,
                    score=score,
                    trace=replace(trace, duplicates=same),
                    links=links.get(item, ()),
                    entities=entities.get(item, ()),
                )
            )
        considered = ids[: ids.index(shown[-1][0])] if 0 < limit == len(shown) else ids
        return tuple(hits), sum(item in indexed and item not in found for item in considered)


def dense_weight(readability: float, share: float) -> float:
    """The share of dense retrieval, by what the embedding model can read of the question.

    A question that the vocabulary must spell (another language) is represented by noise; its keywords are
    as good as ever. The weight grows with `reading_trust` from a seventh of ``share`` to ``share``; fitted
    on questions in eight languages.
    """
    return share * (1 / 7 + 6 / 7 * reading_trust(readability))


def _alike(ids: Sequence[int], vectors: Mapping[int, FloatArray], threshold: float) -> list[tuple[int, int]]:
    """(earlier, later) pairs whose cosine is at least ``threshold``."""
    known = [i for i in ids if i in vectors]
    if len(known) < 2:
        return []
    matrix = np.stack([vectors[i] for i in known])
    rows, columns = np.nonzero(np.triu(matrix @ matrix.T, k=1) >= threshold)
    return [(known[a], known[b]) for a, b in zip(rows.tolist(), columns.tolist(), strict=True)]


def _timed(work: Callable[[], list[tuple[int, float]]]) -> tuple[list[tuple[int, float]], float]:
    begun = time.perf_counter()
    return work(), time.perf_counter() - begun


class _Clock:
    """Collects milliseconds by stage."""

    def __init__(self) -> None:
        self._begun = self._last = time.perf_counter()
        self._stages: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.put(stage, now - self._last)
        self._last = now

    def put(self, stage: str, seconds: float) -> None:
        self._stages[stage] = round(seconds * 1000, 3)

    def timings(self) -> dict[str, float]:
        return {**self._stages, "total": round((time.perf_counter() - self._begun) * 1000, 3)}
