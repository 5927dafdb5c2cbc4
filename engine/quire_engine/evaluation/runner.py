"""Runs judged queries against an index and averages the measures."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol

from quire_engine.errors import ConfigError
from quire_engine.evaluation import metrics
from quire_engine.records import EvalReport, Hit, SearchResult

_DEPTH = 100
_PASSAGES = 200
"""Several passages of a note count once, so that more passages than notes are asked for."""


class Searcher(Protocol):
    """What is measured."""

    def search(self, query: str, *, limit: int = 10) -> SearchResult: ...

    def blocks(self, path: str) -> list[tuple[str, int, int]]: ...


@dataclass(frozen=True, slots=True)
class Query:
    id: str
    text: str
    grades: Mapping[str, float]
    """By note path, or by ``path#^block``; only grades above 0 are relevant."""


def evaluate(
    engine: Searcher,
    folder: Path,
    *,
    limit: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> EvalReport:
    """Ask the judged queries of ``folder`` (queries.jsonl, qrels.tsv) and measure.

    With ``limit``, that many of them, evenly spread over the file.

    Where the judgements name blocks, a hit stands for the block in which most of its lines lie; else for
    its note. Queries without a relevant judgement are left out. Raises `ConfigError` for files that cannot
    be read.
    """
    queries = spread(read_queries(folder), limit)
    by_block = any("#^" in document for query in queries for document in query.grades)
    ranker = _Ranker(engine, by_block)
    values: defaultdict[str, list[float]] = defaultdict(list)
    times: list[float] = []
    for number, query in enumerate(queries, start=1):
        result = engine.search(query.text, limit=_PASSAGES)
        times.append(result.timings["total"])
        ranking = ranker.documents(result.hits)
        values["ndcg@10"].append(metrics.ndcg(ranking, query.grades))
        values["recall@10"].append(metrics.recall(ranking, query.grades, 10))
        values["recall@100"].append(metrics.recall(ranking, query.grades, _DEPTH))
        values["mrr@10"].append(metrics.reciprocal_rank(ranking, query.grades))
        values["precision@5"].append(metrics.precision(ranking, query.grades))
        values["success@10"].append(metrics.reciprocal_rank(ranking, query.grades) > 0)
        if progress is not None:
            progress(number, len(queries))
    averages = {name: fmean(found) for name, found in values.items()}
    averages["p50_ms"] = metrics.percentile(times, 0.5)
    averages["p95_ms"] = metrics.percentile(times, 0.95)
    return EvalReport(len(queries), "block" if by_block else "note", averages)


def spread(items: Sequence[Query], limit: int | None) -> list[Query]:
    """``limit`` of ``items`` at even distances, in order; all of them when there are no more."""
    if limit is None or limit >= len(items):
        return list(items)
    return [items[n * len(items) // limit] for n in range(limit)]


def read_queries(folder: Path) -> list[Query]:
    """The judged queries of ``folder``, in the order of queries.jsonl."""
    grades: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for number, line in _lines(folder / "qrels.tsv"):
        fields = line.split("\t")
        if number == 1 and fields[0] == "query_id":
            continue
        try:
            identity, document, grade = fields
            grades[identity][document] = float(grade)
        except ValueError as error:
            raise ConfigError(
                f"{folder / 'qrels.tsv'}, line {number}: expected query, document and grade between tabs"
            ) from error
    queries = []
    for number, line in _lines(folder / "queries.jsonl"):
        try:
            entry: dict[str, Any] = json.loads(line)
            query = Query(str(entry["id"]), str(entry["text"]), grades.get(str(entry["id"]), {}))
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f'{folder / "queries.jsonl"}, line {number}: expected {{"id": …, "text": …}}'
            ) from error
        if any(grade > 0 for grade in query.grades.values()):
            queries.append(query)
    if not queries:
        raise ConfigError(f"{folder} holds no query with a relevant judgement")
    return queries


def _lines(path: Path) -> Iterable[tuple[int, str]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    return [(n, line) for n, line in enumerate(text.split("\n"), start=1) if line.strip()]


class _Ranker:
    """Turns hits into a ranking of documents, each at its best hit's place."""

    def __init__(self, engine: Searcher, by_block: bool) -> None:
        self._engine = engine
        self._by_block = by_block
        self._blocks: dict[str, list[tuple[str, int, int]]] = {}

    def documents(self, hits: Sequence[Hit]) -> list[str]:
        if not self._by_block:
            return list(dict.fromkeys(hit.path for hit in hits))
        return list(dict.fromkeys(block for hit in hits if (block := self._block(hit)) is not None))

    def _block(self, hit: Hit) -> str | None:
        if hit.path not in self._blocks:
            self._blocks[hit.path] = self._engine.blocks(hit.path)
        best, most = None, 0
        for block, start, end in self._blocks[hit.path]:
            shared = min(end, hit.end_line) - max(start, hit.start_line) + 1
            if shared > most:
                best, most = f"{hit.path}#^{block}", shared
        return best
