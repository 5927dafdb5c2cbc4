"""Runs judged queries against an index and averages the measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from quire_engine.evaluation import metrics
from quire_engine.evaluation.comparison import common_ids
from quire_engine.evaluation.judgements import Query, read_queries, spread
from quire_engine.evaluation.latency import latencies
from quire_engine.evaluation.resampling import intervals, resampled_means
from quire_engine.records import EvalReport, EvalRun, Hit, QueryResult, SearchResult

_DEPTH = 100
_PASSAGES = 100
"""Several of a note count once, so that ``recall@100`` by note is that of fewer notes than a hundred. The
first ten are what a search for ten shows, but for how many of a note that one lets stand together."""
_SHOWN = 10
"""What users are shown, and what is timed: a search for more takes several times as long."""

MEASURES: Mapping[str, Callable[[Sequence[str], Mapping[str, float]], float]] = {
    "ndcg@10": metrics.ndcg,
    "recall@10": partial(metrics.recall, depth=10),
    "recall@100": partial(metrics.recall, depth=_DEPTH),
    "mrr@10": metrics.reciprocal_rank,
    "precision@5": metrics.precision,
    "success@10": metrics.success,
}


class Searcher(Protocol):
    """What is measured."""

    def search(self, query: str, *, limit: int = 10) -> SearchResult: ...

    def blocks(self, path: str) -> list[tuple[str, int, int]]: ...


def evaluate(
    engine: Searcher,
    folder: Path,
    *,
    limit: int | None = None,
    against: EvalRun | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> EvalReport:
    """Ask the judged queries of ``folder`` (queries.jsonl, qrels.tsv) and measure.

    With ``limit``, that many of them, evenly spread over the file. ``against`` is a run that the outcome is
    to be compared with: where it has no query in common, nothing is asked.

    Where the judgements name blocks, a hit stands for the block in which most of its lines lie; else for
    its note. Queries without a relevant judgement are left out. Raises `ConfigError` for files that cannot
    be read, and for a run of other queries.
    """
    queries = spread(read_queries(folder), limit)
    if against is not None:
        common_ids(against.results, queries)
    by_block = any("#^" in document for query in queries for document in query.grades)
    ranker = Ranker(engine, by_block)
    results = []
    generation = engine.search(queries[0].text).generation  # loads the models: not what is to be timed
    for number, query in enumerate(queries, start=1):
        timings = engine.search(query.text, limit=_SHOWN).timings
        found = ranker.documents(engine.search(query.text, limit=_PASSAGES).hits)
        results.append(_result(query, found, timings))
        if progress is not None:
            progress(number, len(queries))
    return summarise(results, "block" if by_block else "note", generation)


def summarise(
    results: Sequence[QueryResult], unit: Literal["note", "block"], generation: int = 0
) -> EvalReport:
    """The averages of ``results``, with their confidence intervals."""
    values = np.array([[result.measures[name] for name in MEASURES] for result in results])
    averages = dict(zip(MEASURES, values.mean(axis=0).tolist(), strict=True))
    averages |= latencies([result.timings for result in results])
    trust = dict(zip(MEASURES, intervals(resampled_means(values)), strict=True))
    return EvalReport(len(results), unit, averages, trust, generation, tuple(results))


def by_field(report: EvalReport, name: str) -> dict[str, EvalReport]:
    """A report for each value of the queries' field ``name``, by value; ``""`` for queries without it."""
    groups: dict[str, list[QueryResult]] = {}
    for result in report.results:
        groups.setdefault(result.fields.get(name, ""), []).append(result)
    return {
        value: summarise(results, report.unit, report.generation) for value, results in sorted(groups.items())
    }


def _result(query: Query, found: list[tuple[str, float]], timings: Mapping[str, float]) -> QueryResult:
    ranking = [document for document, _ in found]
    return QueryResult(
        query.id,
        query.text,
        query.fields,
        query.relevant,
        {name: measure(ranking, query.grades) for name, measure in MEASURES.items()},
        tuple((document, round(score, 6)) for document, score in found[:_DEPTH]),
        dict(timings),
    )


class Ranker:
    """Turns hits into a ranking of documents, each at its best hit's place."""

    def __init__(self, engine: Searcher, by_block: bool) -> None:
        self._engine = engine
        self._by_block = by_block
        self._blocks: dict[str, list[tuple[str, int, int]]] = {}

    def documents(self, hits: Sequence[Hit]) -> list[tuple[str, float]]:
        """(document, score), best first."""
        scores: dict[str, float] = {}
        for hit in hits:
            document = self.document(hit)
            if document is not None:
                scores.setdefault(document, hit.score)
        return list(scores.items())

    def document(self, hit: Hit) -> str | None:
        """The note of a hit, or its block; ``None`` when it lies in none."""
        return self._block(hit) if self._by_block else hit.path

    def _block(self, hit: Hit) -> str | None:
        if hit.path not in self._blocks:
            self._blocks[hit.path] = self._engine.blocks(hit.path)
        best, most = None, 0
        for block, start, end in self._blocks[hit.path]:
            shared = min(end, hit.end_line) - max(start, hit.start_line) + 1
            if shared > most:
                best, most = f"{hit.path}#^{block}", shared
        return best
