"""What one of the two searches finds alone, taken from the traces of their fusion."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from quire_engine.evaluation.runner import Searcher
from quire_engine.records import SearchResult


class BySignal:
    """A searcher that ranks hits by one signal of their traces alone, and drops those without it.

    Whatever the settings say about fusion, this is the list that the dense or the keyword search brought (as
    far as its items are among the hits that are asked for), so that a fusion can be held against its parts.
    """

    def __init__(self, engine: Searcher, signal: Literal["dense", "keyword"]) -> None:
        self._engine = engine
        self._signal = signal

    def search(self, query: str, *, limit: int = 10) -> SearchResult:
        result = self._engine.search(query, limit=limit)
        ranked = [
            (min(signal.rank for signal in signals), hit)
            for hit in result.hits
            if (signals := [s for s in hit.trace.signals if s.name == self._signal and s.rank > 0])
        ]
        ranked.sort(key=lambda entry: entry[0])
        hits = tuple(replace(hit, rank=n) for n, (_, hit) in enumerate(ranked, start=1))
        return replace(result, hits=hits)

    def blocks(self, path: str) -> list[tuple[str, int, int]]:
        return self._engine.blocks(path)
