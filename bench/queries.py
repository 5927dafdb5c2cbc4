"""Query latency by size of the index, and what routing to shards costs in recall."""

from __future__ import annotations

import time
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from bench.report import Figure, latency, quantile
from bench.vaults import questions
from bench.workshop import Indexed, Workshop, with_keywords
from quire_engine import Engine, locations
from quire_engine.index.reader import IndexReader
from quire_engine.records import Filters

if TYPE_CHECKING:
    from quire_engine.interfaces import FloatArray

_TARGETS = ((25_000, 60.0), (125_000, 150.0), (1_250_000, 250.0))
"""(most chunks, milliseconds at p95)."""
_TOP = 10
_SLAB = 8192


def measure(workshop: Workshop) -> list[Figure]:
    """p50 and p95 of dense, keyword and the whole by size and keyword backend; recall@10 of routing."""
    figures = []
    for chunks in workshop.sizes:
        indexed = workshop.indexed_at(chunks)
        figures += _recall(workshop, indexed)
        for backend in ("whoosh", "tantivy"):
            figures += _latencies(indexed, workshop.questions, backend)
    return figures


@cache
def search_seconds(indexed: Indexed, count: int, backend: str) -> dict[str, list[float]]:
    """Seconds of ``count`` searches by stage, ``total`` among them, with everything loaded before."""
    asked = questions(indexed.vault, count, seed=3)
    stages: dict[str, list[float]] = {}
    with Engine.open(indexed.vault, with_keywords(backend)) as engine:
        engine.sync(embed=False)  # another backend's index is made from the database now
        for question in questions(indexed.vault, 3):
            engine.search(question)
        for question in asked:
            begun = time.perf_counter()
            timings = engine.search(question).timings
            stages.setdefault("total", []).append(time.perf_counter() - begun)
            for stage in ("embed", "dense", "keyword"):
                stages.setdefault(stage, []).append(timings.get(stage, 0.0) / 1000)
    return stages


def _latencies(indexed: Indexed, count: int, backend: str) -> list[Figure]:
    size = f"{indexed.chunks:,} chunks, {backend}"
    if find_spec(backend) is None:
        return [Figure(size, None, note=f"not installed: pip install {backend}")]
    if backend == "whoosh" and indexed.backend != backend:
        return []  # too many for it
    target = next((ms for most, ms in _TARGETS if indexed.chunks <= most), None)
    return [
        latency(f"{size}: {stage}", seconds, at_most=target if stage == "total" else None)
        for stage, seconds in search_seconds(indexed, count, backend).items()
    ]


def _recall(workshop: Workshop, indexed: Indexed) -> list[Figure]:
    """How many of the ten nearest of an exact scan the routed search finds, and how long each takes."""
    reader = IndexReader(locations.index_dir(indexed.vault))
    ids, matrix = _vectors(reader)
    row_of = {chunk: row for row, chunk in enumerate(ids)}
    found, routed, exact = [], [], []
    for question in questions(indexed.vault, workshop.questions, seed=3):
        query = workshop.embedder.embed_query(question)
        begun = time.perf_counter()
        near = [row_of[chunk] for chunk, _ in reader.nearest(query, _TOP)]
        routed.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        cosines = matrix @ query
        best = np.argpartition(-cosines, _TOP)[:_TOP]
        exact.append(time.perf_counter() - begun)
        least = cosines[best].min() - 1e-5  # passages with equal vectors stand for each other
        found.append(float((cosines[near] >= least).sum()) / _TOP)
    reader.close()
    size = f"{indexed.chunks:,} chunks"
    return [
        Figure(f"{size}: recall@10 of routing", float(np.mean(found)), at_least=0.98),
        Figure(f"{size}: nearest / exact scan in numpy", quantile(routed, 0.5) / quantile(exact, 0.5), "×"),
    ]


def _vectors(reader: IndexReader) -> tuple[list[int], FloatArray]:
    """The ids of the passages that have a vector, and these vectors, one a row."""
    every = reader.chunk_ids(Filters(since=0.0)) or []
    ids: list[int] = []
    slabs = []
    for start in range(0, len(every), _SLAB):
        known = reader.vectors(every[start : start + _SLAB])
        ids += known
        slabs.append(np.stack(list(known.values())))
    return ids, np.concatenate(slabs)
