"""Finding passages: the question is analysed, both searches run, and what they bring is ranked together."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from quire_engine.analysis import reading_trust
from quire_engine.errors import StoreError
from quire_engine.interfaces import ChunkReader, Embedder, KeywordSearcher, Reranker, VectorSearcher
from quire_engine.records import Filters, Hit, Routing, ScoreTrace, SearchResult
from quire_engine.retrieval import topics
from quire_engine.retrieval.candidates import Found, Lists, every, judged
from quire_engine.retrieval.diversity import alike, collapse, interleaved, spread
from quire_engine.retrieval.query import analyse
from quire_engine.retrieval.restriction import Exclusion, both, passing, why_nothing
from quire_engine.retrieval.scoring import Scorer
from quire_engine.retrieval.search import Clock, Search
from quire_engine.retrieval.strategy import choose, simpler
from quire_engine.settings import RetrievalSettings

if TYPE_CHECKING:
    from quire_engine.interfaces import FloatArray
    from quire_engine.retrieval.ranking import Ranking

_DEEPER = 3
"""How many times more candidates a search brings whose words exclude some of them."""
_SPARE = 2
"""Collapsing needs more candidates than are shown."""
_MOST_OF_A_NOTE = 0.5
"""The share of a list that one note may take while others have something, and the fewest hits that is."""
_LEAST_OF_A_NOTE = 3
_SIDE_BY_SIDE = 4


@dataclass(frozen=True, slots=True)
class Considered:
    """What competed for a question."""

    ranking: Ranking
    trust: float
    """How far the embedding model can read the question."""
    hits: Mapping[int, Hit]
    """The passages, by chunk id."""


Check = Callable[[Mapping[int, Hit]], Mapping[int, Hit]]


class Retriever:
    """Searches one vault's index."""

    def __init__(
        self,
        chunks: ChunkReader,
        vectors: VectorSearcher,
        keywords: KeywordSearcher,
        embedder: Callable[[], Embedder],
        early: Callable[[Sequence[int]], Mapping[int, FloatArray]],
        check: Callable[[], Check],
        reranker: Callable[[], Reranker | None],
        settings: RetrievalSettings,
    ) -> None:
        """``embedder`` is called when the first question is embedded, ``reranker`` at each question.

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
        self._scorer = Scorer(chunks, keywords, reranker, settings)
        self._threads = ThreadPoolExecutor(_SIDE_BY_SIDE, thread_name_prefix="quire-keywords")

    def close(self) -> None:
        self._threads.shutdown()

    def search(
        self,
        text: str,
        *,
        limit: int,
        filters: Filters,
        generation: int,
        incomplete: bool,
        dense: bool = True,
        neighbours: bool = False,
    ) -> SearchResult:
        """The best passages for ``text``, at most ``limit``; by keywords alone unless ``dense``.

        ``generation`` and ``incomplete`` describe the index and are handed through to the result. With
        ``neighbours`` each hit has the passages before and after it.
        """
        search = self._begun(text, limit, filters, dense)
        if search.question:
            self._find(search)
        if search.candidates is None:
            plan = search.plan() if search.question else None
            behind, timings = incomplete or search.damaged, search.clock.timings()
            return SearchResult(text, (), generation, behind, timings, plan=plan)
        ranking = self._scorer.ranked(search)
        hits, left_out = self._hits(ranking, search, limit)
        if neighbours:
            hits = self._with_neighbours(hits, search.exclusion)
        search.clock.lap("hits")
        # One list is still an answer; the next sync mends the other.
        behind = search.damaged or left_out > 0 or any(hit.stale for hit in hits)
        timings = search.clock.timings()
        return SearchResult(text, hits, generation, incomplete or behind, timings, left_out, search.plan())

    def considered(self, text: str) -> Considered | None:
        """All candidates for ``text`` with all of their signals, for fitting the signals' weights.

        ``None`` when there are none.
        """
        search = self._begun(text, 1, Filters(), dense=True)
        if search.question:
            self._find(search)
        if search.candidates is None:
            return None
        ranking = self._scorer.ranked(search)
        return Considered(ranking, search.trust, self._chunks.hits(ranking.ids))

    def _begun(self, text: str, limit: int, filters: Filters, dense: bool) -> Search:
        now, clock = time.time(), Clock()
        query = analyse(text, topics=self._chunks.topic_names(), now=now)
        strategy = choose(query, candidates=self._settings.candidates)
        filters = both(filters, query.filters)
        depth = max(strategy.depth, limit) * (_DEEPER if filters.excluded else 1)
        strategy = replace(strategy, depth=depth)
        question = " ".join(query.text.split())
        clock.lap("analysis")
        return Search(text, question, now, query, strategy, filters, dense, clock)

    def _find(self, search: Search) -> None:
        """Both searches, where they are to look, and how what they bring belongs to the vault's topics."""
        everywhere = topics.without_preference(search.filters)
        first = topics.preferred(search.filters)
        among = passing(first or everywhere, self._chunks, self._keywords)
        if among == []:
            search.note(why_nothing(first or everywhere, self._chunks))
        search.clock.lap("filter")
        if first is None or among == []:
            self._gather(search, passing(everywhere, self._chunks, self._keywords) if first else among)
            good = 0
        else:
            self._gather(search, among)
            good = self._good(search)
        search.routing = self._routing(search)
        if not search.filters.prefer:
            return
        search.routing = topics.after_preference(search.filters, good, search.routing)
        if first is None or among is None or among == []:
            return
        if search.routing.mode == "widened":
            self._gather(search, passing(everywhere, self._chunks, self._keywords))
        elif further := self._linked_topics(search, first):
            # Within what the filters allow, as a preference is.
            there = topics.preferred(replace(everywhere, prefer=further))
            if there is not None and (more := passing(there, self._chunks, self._keywords)):
                self._gather(search, [*among, *more])
                search.routing = replace(search.routing, further=there.folders)
                folders = ", ".join(there.folders)
                search.steps.append(f"also searched, since hits link there: {folders}")
        search.clock.lap("widen")

    def _gather(self, search: Search, among: Sequence[int] | None) -> None:
        """Both searches for the question and its parts, ``among`` some chunks, if given."""
        search.candidates, search.among, search.steps = None, among, []
        if among is not None and not among:
            return
        embedder = self._embedder()
        search.trust = reading_trust(embedder.readability(search.question)) if search.dense else 0.0
        found = [self._searched([search.question], among, search)[0]]
        parts = list(search.query.parts)
        side_by_side = search.strategy.parallelism
        while parts and not search.damaged:
            if search.seconds_left() <= 0:
                search.strategy = simpler(search.strategy)
                search.steps.append(f"out of time: left out {len(parts)} parts of the question")
                break
            found += self._searched(parts[:side_by_side], among, search)
            del parts[:side_by_side]
        if len(found) > 1:
            search.steps.append(f"searched {len(found) - 1} parts of the question beside the whole")
        if search.exclusion:
            kept = search.exclusion.remaining(every([lists for lists, _ in found]), self._chunks)
            found = [(lists.only(kept), vector) for lists, vector in found]
            search.clock.lap("exclude")
        search.parts = found[1:]
        lists, search.vector = found[0]
        if not lists.near and not lists.words:
            return
        ids = every([lists for lists, _ in found])
        search.candidates = judged(
            ids, lists, search.vector, self._known_vectors, search.words(self._keywords)
        )
        search.clock.lap("candidates")

    def _searched(
        self, texts: Sequence[str], among: Sequence[int] | None, search: Search
    ) -> list[tuple[Lists, FloatArray | None]]:
        """The two lists of each of ``texts``, and its vector."""
        depth = search.strategy.depth
        jobs: list[Future[tuple[Found, float]]] = [
            self._threads.submit(_timed, partial(self._keywords.search, text, depth, among=among))
            for text in texts
        ]
        vectors: list[FloatArray | None] = [None] * len(texts)
        near: list[Found] = [[] for _ in texts]
        words: list[Found] = [[] for _ in texts]
        damaged: list[StoreError] = []
        if search.dense:
            vectors = [self._embedder().embed_query(text) for text in texts]
            search.clock.lap("embed")
            try:
                near = [
                    self._vectors.nearest(vector, depth, among=among)
                    for vector in vectors
                    if vector is not None
                ]
            except StoreError as error:
                damaged.append(error)
            search.clock.lap("dense")
        try:
            found = [job.result() for job in jobs]
            words = [list_ for list_, _ in found]
            search.clock.put("keyword", max(seconds for _, seconds in found))
        except StoreError as error:
            damaged.append(error)
            search.wordless = True
        if len(damaged) == 1 + search.dense:
            raise damaged[0]
        search.damaged = search.damaged or bool(damaged)
        search.clock.lap("wait")
        return [(Lists(*pair), vector) for *pair, vector in zip(near, words, vectors, strict=True)]

    def _known_vectors(self, ids: Sequence[int]) -> Mapping[int, FloatArray]:
        known = dict(self._chunks.vectors(ids))
        if len(known) < len(ids):
            known |= self._early([chunk for chunk in ids if chunk not in known])
        return known

    def _good(self, search: Search) -> int:
        """How many candidates are good hits by themselves."""
        if (found := search.candidates) is None:
            return 0
        try:
            best = self._keywords.search(search.question, 1)
        except StoreError:
            best = []
        cosines = dict(zip(found.ids, np.nan_to_num(found.cosines).tolist(), strict=True))
        words = dict(zip(found.ids, found.words.tolist(), strict=True))
        return len(topics.good_hits(cosines, words, best[0][1] if best else 0.0, search.trust))

    def _routing(self, search: Search) -> Routing:
        if (found := search.candidates) is None:
            return Routing("all")
        search.topic_of = self._chunks.topics_of(found.ids)
        return topics.route(found.lists.near, found.lists.words, search.trust, search.topic_of)

    def _linked_topics(self, search: Search, first: Filters) -> tuple[str, ...]:
        """The topics outside the preferred ones that the best candidates link to."""
        if (found := search.candidates) is None:
            return ()
        best = [chunk for chunk, _ in (found.lists.near or found.lists.words)[:10]]
        links = self._chunks.links(best)
        linked = [links.get(chunk, ()) for chunk in best]
        paths = [path for path_list in linked for path in path_list]
        return topics.further_topics(linked, self._chunks.topics_of_notes(paths), first.folders)

    def _with_neighbours(self, hits: Sequence[Hit], exclusion: Exclusion) -> tuple[Hit, ...]:
        around = self._chunks.neighbours([hit.chunk_id for hit in hits if not hit.stale])
        return tuple(
            replace(
                hit,
                neighbours=tuple(
                    beside
                    for beside in around.get(hit.chunk_id, ())
                    if not exclusion.stands_in(beside.text, beside.headings)
                ),
            )
            for hit in hits
        )

    def _hits(self, ranking: Ranking, search: Search, limit: int) -> tuple[tuple[Hit, ...], int]:
        """The hits to show, and how many better ones were left out: their text is gone from their notes."""
        standing = self._check()

        def check(hits: Mapping[int, Hit]) -> Mapping[int, Hit]:
            found = standing(hits)
            if not search.exclusion:
                return found
            # The headings above a passage may be others by now.
            gone = {c for c, hit in found.items() if hit.stale and search.exclusion.holds(hit)}
            return {chunk: hit for chunk, hit in found.items() if chunk not in gone}

        scores = dict(zip(ranking.ids, ranking.totals.tolist(), strict=True))
        ids = [ranking.ids[row] for row in ranking.order()]
        if search.part_of:
            ids = interleaved(ids, search.part_of)
        most = max(_LEAST_OF_A_NOTE, round(limit * _MOST_OF_A_NOTE))
        ids = spread(ids, scores, self._chunks.notes_of(ids), limit, most)
        hits, left_out = self._shown(ranking, ids[: limit * _SPARE], limit, check)
        if len(hits) == limit or len(ids) <= limit * _SPARE:
            return hits, left_out
        # Near-duplicates crowd the top: what stands further down makes up for them.
        return self._shown(ranking, ids, limit, check)

    def _shown(
        self, ranking: Ranking, ids: Sequence[int], limit: int, check: Check
    ) -> tuple[tuple[Hit, ...], int]:
        row_of = {chunk: row for row, chunk in enumerate(ranking.ids)}
        indexed = self._chunks.hits(ids)
        found = check(indexed)
        present = [chunk for chunk in ids if chunk in found]
        pairs = alike(present, self._chunks.vectors(present), self._settings.duplicate_cosine)
        groups = collapse(present, pairs)
        shown = list(groups)[:limit]
        links = self._chunks.links(shown)
        entities = self._chunks.entities(shown)
        hits: list[Hit] = []
        for chunk in shown:
            same = tuple(
                f"{found[other].path}:{found[other].start_line}-{found[other].end_line}"
                for other in groups[chunk]
            )
            hits.append(
                replace(
                    found[chunk],
                    rank=len(hits) + 1,
                    score=float(ranking.totals[row_of[chunk]]),
                    trace=ScoreTrace(ranking.signals(row_of[chunk]), same),
                    links=links.get(chunk, ()),
                    entities=entities.get(chunk, ()),
                )
            )
        considered = ids[: ids.index(shown[-1])] if 0 < limit == len(shown) else ids
        return tuple(hits), sum(chunk in indexed and chunk not in found for chunk in considered)


def _timed(work: Callable[[], Found]) -> tuple[Found, float]:
    begun = time.perf_counter()
    return work(), time.perf_counter() - begun
