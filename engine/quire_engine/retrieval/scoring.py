"""The signals of all candidates, and the ranking that they make."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from quire_engine.analysis import query_terms
from quire_engine.errors import ModelError, StoreError
from quire_engine.interfaces import ChunkReader, KeywordSearcher, Reranker
from quire_engine.quantities import counted
from quire_engine.records import Hit
from quire_engine.retrieval import expansion, topics
from quire_engine.retrieval.candidates import Candidates, joined, judged
from quire_engine.retrieval.diversity import COMPARABLE
from quire_engine.retrieval.features import Scale, Wanted, fresh, vouched
from quire_engine.retrieval.fusion import reciprocal_ranks
from quire_engine.retrieval.names import NoteNames
from quire_engine.retrieval.ranking import Ranking, weights_at
from quire_engine.retrieval.search import Search
from quire_engine.retrieval.wording import folded_words
from quire_engine.settings import RetrievalSettings

if TYPE_CHECKING:
    from quire_engine.retrieval.candidates import Scores

_READ = 60
"""The best candidates whose text is looked at."""
_COMPARED = 300
"""The best candidates that are compared with each other, which takes time by their square."""
_LEAST_RERANKED = 5


class Scorer:
    """Ranks what the two searches brought."""

    def __init__(
        self,
        chunks: ChunkReader,
        keywords: KeywordSearcher,
        reranker: Callable[[], Reranker | None],
        settings: RetrievalSettings,
    ) -> None:
        """Raises `ConfigError` when the settings weigh a signal that there is not."""
        weights_at(1.0, settings.weights)
        self._chunks = chunks
        self._keywords = keywords
        self._reranker = reranker
        self._settings = settings

    def ranked(self, search: Search) -> Ranking:
        """The candidates of ``search`` with their scores, and what they link to among them."""
        found = search.candidates
        assert found is not None
        if self._settings.fusion == "rrf":
            return _by_reciprocal_ranks(found, self._settings.rrf_k)
        work = _Work(search, found, weights_at(search.trust, self._settings.weights), self._wanted(search))
        work.begin()
        links = self._follow_links(work)
        search.clock.lap("links")
        self._read(work)
        self._add_named(work)
        self._add_parts(work)
        self._add_freshness(work)
        self._add_topics(work)
        if links:
            _lift_linked(work, links, self._chunks.notes_of(work.found.ids))
        search.clock.lap("signals")
        self._rerank(work)
        search.clock.lap("rerank")
        return work.ranking

    def _wanted(self, search: Search) -> Wanted:
        language = search.query.language
        try:
            rarity = self._keywords.rarity(query_terms(search.question, language))
        except StoreError:
            rarity = {}
        return Wanted(rarity, language)

    def _hits(self, work: _Work, ids: Sequence[int]) -> Mapping[int, Hit]:
        """The passages ``ids``, read once."""
        if missing := [chunk for chunk in ids if chunk not in work.texts]:
            work.texts |= self._chunks.hits(missing)
        return work.texts

    def _follow_links(self, work: _Work) -> list[tuple[int, int, int]]:
        """The links of the best candidates; the best passage of each note they lead to becomes one, too."""
        if not work.weights["links"]:
            return []
        ranking, search = work.ranking, work.search
        best = [ranking.ids[row] for row in ranking.order()[: expansion.VOUCHING]]
        links = self._chunks.outgoing_links(best)
        if not links:
            return []
        self._hits(work, best)
        known = self._chunks.notes_of(ranking.ids)
        newcomers = expansion.newcomers(work.supports(links), known.values())
        passages = self._chunks.passages_of(newcomers, expansion.PASSAGES)
        if search.among is not None:
            allowed = set(search.among)
            passages = {chunk: note for chunk, note in passages.items() if chunk in allowed}
        if passages and search.exclusion:
            remaining = search.exclusion.remaining(tuple(passages), self._chunks)
            passages = {chunk: note for chunk, note in passages.items() if chunk in remaining}
        if passages:
            vectors, words = self._chunks.vectors, search.words(self._keywords)
            more = judged(tuple(passages), work.found.lists, search.vector, vectors, words)
            basic = work.basic(more)
            scores = dict(zip(more.ids, basic.totals.tolist(), strict=True))
            kept = set(expansion.best_of_each(scores, passages).values())
            work.extend(more.only(kept))
            search.steps.append(f"followed links to {counted(len(kept), 'note')}")
        return links

    def _read(self, work: _Work) -> None:
        """The signals that the words of the best candidates give."""
        ranking, wanted, weights = work.ranking, work.wanted, work.weights
        rows = ranking.order()[:_COMPARED]
        values = np.zeros(len(ranking.ids))
        values[rows] = vouched(work.found.vectors[rows], work.near()[rows])
        ranking.add("vouched", weights["vouched"], values)
        proximity, rarest = np.zeros(len(ranking.ids)), np.zeros(len(ranking.ids))
        rows = ranking.order()[:_READ]
        texts = self._hits(work, [ranking.ids[row] for row in rows])
        for row in rows:
            if (hit := texts.get(ranking.ids[row])) is not None:
                words = wanted.words(hit)
                proximity[row] = wanted.proximity(words)
                rarest[row] = wanted.rarest({*words, *wanted.names(hit)})
        ranking.add("proximity", weights["proximity"], proximity)
        ranking.add("rarest", weights["rarest"], rarest)

    def _add_named(self, work: _Work) -> None:
        """Notes whose title, alias or file name stands in the question."""
        ranking = work.ranking
        path_of = self._chunks.paths_of(ranking.ids)
        named = work.search.name(NoteNames(self._chunks.called(tuple(path_of.values()))))
        if not named:
            return
        worth = {path: 1.0 if note.linked else 0.5 for note in named for path in note.paths}
        values = np.array([worth.get(path_of.get(chunk, ""), 0.0) for chunk in ranking.ids])
        ranking.add("named", work.weights["named"], values)
        # Who asks for nothing but a note's name, or links to it, wants that note.
        asked = folded_words(work.search.question)
        wanted = {path for note in named if note.linked or note.name == asked for path in note.paths}
        best: dict[str, int] = {}
        for row in ranking.order():
            if (path := path_of.get(ranking.ids[row])) in wanted and path is not None:
                best.setdefault(path, row)
        if best:
            values = np.zeros(len(ranking.ids))
            values[list(best.values())] = 1.0
            ranking.add("title", work.weights["title"], values)

    def _add_parts(self, work: _Work) -> None:
        """How well a passage answers the part of the question that it answers best."""
        if not work.search.parts:
            return
        found, weights = work.found, work.weights
        known = ~np.isnan(found.cosines)
        whole = (weights["dense"] + weights["keyword"]) or 1.0
        answers = []
        for lists, vector in work.search.parts:
            cosines = np.full(len(found.ids), np.nan)
            if vector is not None:
                cosines[known] = found.vectors[known] @ vector
            scores = dict(lists.words)
            words = np.array([scores.get(chunk, 0.0) for chunk in found.ids])
            near = weights["dense"] * Scale.of(cosines).applied(cosines)
            answers.append((near + weights["keyword"] * _share(words)) / whole)
        table = np.stack(answers)
        best, part = table.max(axis=0), table.argmax(axis=0)
        work.ranking.add("part", weights["part"], best)
        rows = np.flatnonzero(best >= COMPARABLE * best.max(initial=0.0)).tolist()
        work.search.part_of.update((found.ids[row], int(part[row])) for row in rows if best[row] > 0)

    def _add_freshness(self, work: _Work) -> None:
        query, search = work.search.query, work.search
        if not query.recency and query.since is None and query.before is None:
            return
        modified = self._chunks.modified(work.ranking.ids)
        values = [
            fresh(modified[chunk], search.now, query.recency, query.since, query.before)
            if chunk in modified
            else 0.0
            for chunk in work.ranking.ids
        ]
        work.ranking.add("freshness", work.weights["freshness"], np.array(values))

    def _add_topics(self, work: _Work) -> None:
        """The likelier a passage's topic, the better; from 0 for the least likely."""
        if not (prior := topics.prior(work.search.routing)):
            return
        least, topic_of = topics.PRIOR_FLOOR, work.search.topic_of
        values = [prior.get(topic_of.get(chunk, ""), least) - least for chunk in work.ranking.ids]
        work.ranking.add("topic", work.weights["topic"], np.array(values))

    def _rerank(self, work: _Work) -> None:
        """What a cross-encoder says of the best candidates, if one is installed and time allows."""
        search, ranking, weight = work.search, work.ranking, work.weights["reranker"]
        if not weight:
            return
        try:
            if (reranker := self._reranker()) is None:
                return
            depth = search.strategy.rerank_depth
            rows = ranking.order()[:depth]
            texts = self._hits(work, [ranking.ids[row] for row in rows])
            rows = [row for row in rows if ranking.ids[row] in texts]
            passages = [_as_read(texts[ranking.ids[row]]) for row in rows]
            least = min(_LEAST_RERANKED, len(rows))
            while rows and len(rows) >= least:
                scores = reranker.scores(search.question, passages, seconds=search.seconds_left())
                if scores is not None:
                    values = np.zeros(len(ranking.ids))
                    values[rows] = scores
                    ranking.add("reranker", weight, values)
                    search.steps.append(f"a cross-encoder read {len(rows)} passages")
                    return
                rows, passages = rows[: len(rows) // 2], passages[: len(rows) // 2]
            if least:
                search.steps.append("out of time: no cross-encoder")
        except ModelError as error:
            search.steps.append(f"no cross-encoder: {error}")


class _Work:
    """The candidates of a search while they are ranked."""

    def __init__(
        self, search: Search, found: Candidates, weights: Mapping[str, float], wanted: Wanted
    ) -> None:
        self.search = search
        self.found = found
        self.weights = weights
        self.wanted = wanted
        self.texts: dict[int, Hit] = {}
        """Passages that were read, by chunk id."""
        self._scale = Scale.of(found.cosines)
        self._most = max(found.words.max(initial=0.0), 1e-9)

    def begin(self) -> None:
        self.ranking = self.basic(self.found)

    def basic(self, found: Candidates) -> Ranking:
        """What the two searches say of ``found``, on the scales of the first candidates."""
        near, words = found.ranks()
        ranking = Ranking(found.ids)
        raw = np.nan_to_num(found.cosines)
        values = self._scale.applied(found.cosines)
        ranking.add("dense", self.weights["dense"], values, raw=raw, ranks=near)
        shares = found.words / self._most
        ranking.add("keyword", self.weights["keyword"], shares, raw=found.words, ranks=words)
        return ranking

    def near(self) -> Scores:
        """How near each candidate is, 0 to 1."""
        return self._scale.applied(self.found.cosines)

    def extend(self, more: Candidates) -> None:
        """Let ``more`` compete, too."""
        self.found = joined(self.found, more)
        self.ranking = self.basic(self.found)

    def supports(self, links: Sequence[tuple[int, int, int]]) -> dict[int, expansion.Support]:
        """What ``links`` do for notes, by the scores as they are now."""
        scores = dict(zip(self.ranking.ids, self.ranking.totals.tolist(), strict=True))
        texts = {chunk: hit.text for chunk, hit in self.texts.items()}
        return expansion.supports(scores, texts, links, self.wanted.rarity, self.wanted.language)


def _lift_linked(work: _Work, links: Sequence[tuple[int, int, int]], notes: Mapping[int, int]) -> None:
    ranking = work.ranking
    scores = {c: s for c, s in zip(ranking.ids, ranking.totals.tolist(), strict=True) if c in notes}
    lifts = expansion.lifts(scores, notes, work.supports(links), work.weights["links"])
    if lifts:
        # A lift is bounded by whoever vouches, so it is added as it is.
        raw = np.array([lifts[c].strength if c in lifts else 0.0 for c in ranking.ids])
        added = np.array([lifts[c].added if c in lifts else 0.0 for c in ranking.ids])
        ranking.add("links", work.weights["links"], added / work.weights["links"], raw=raw)


def _by_reciprocal_ranks(found: Candidates, k: int) -> Ranking:
    ranking = Ranking(found.ids)
    near, words = found.ranks()
    raw = np.nan_to_num(found.cosines)
    ranking.add("dense", 1.0, reciprocal_ranks(found.ids, near, k), raw=raw, ranks=near)
    ranking.add("keyword", 1.0, reciprocal_ranks(found.ids, words, k), raw=found.words, ranks=words)
    return ranking


def _share(scores: Scores) -> Scores:
    """Of the highest."""
    shares: Scores = scores / (scores.max(initial=0.0) or 1.0)
    return shares


def _as_read(hit: Hit) -> str:
    """A passage as a cross-encoder reads it: its headings, then its words."""
    return "\n".join([" > ".join(hit.headings) or hit.title, hit.text])
