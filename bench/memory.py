"""Resident memory of processes that index and that search; each is a process of its own.

What processes share counts once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import processes
from bench.report import Figure
from bench.vaults import questions
from bench.workshop import Workshop

_EMBEDDED_NOTES = 150
_MOST_INDEXING, _MOST_SEARCHING = 1.2e9 / 2**20, 700e6 / 2**20
"""Of 10,000 notes, model and worker processes included."""


def measure(workshop: Workshop) -> list[Figure]:
    """The peak while it works (workers included), and what it holds when it is done."""
    indexed = workshop.indexed
    workshop.embedder.load()  # conversion is not what is measured
    few = workshop.synthetic_vault(_EMBEDDED_NOTES)
    asked = questions(indexed.vault, workshop.questions, seed=5)
    size = f"{indexed.chunks:,} chunks"
    return [
        _figure("opening the index", size, "search", indexed.vault),
        _figure("searching", f"{size}, {len(asked)} questions", "search", indexed.vault, *asked),
        Figure(
            "indexing without embedding, peak",
            indexed.peak_bytes / 2**20,
            "MiB",
            at_most=_MOST_INDEXING,
            note=size,
        ),
        _figure("indexing with embedding", f"{_EMBEDDED_NOTES} notes", "index-embed", few),
        _engine(workshop.synthetic_vault(_EMBEDDED_NOTES + 1), indexed.vault, asked),
        Figure("index on disk", indexed.disk_bytes / 2**20, "MiB", details={"MB of text": indexed.megabytes}),
    ]


def _figure(name: str, note: str, action: str, vault: Path, *asked: str) -> Figure:
    outcome = processes.run(processes.program("children", action, vault, "whoosh", *asked), sampled=True)
    steady = json.loads(outcome.output)["resident_bytes"] / 2**20
    return Figure(
        f"{name}, peak",
        outcome.peak_bytes / 2**20,
        "MiB",
        at_most=_MOST_SEARCHING if action == "search" else _MOST_INDEXING,
        note=note,
        details={"when done": steady},
    )


def _engine(fresh: Path, indexed: Path, asked: Sequence[str]) -> Figure:
    """The background engine, which indexes one vault and answers questions about another."""
    peak = 0

    def ask(vault: Path, question: str) -> None:
        processes.run(processes.quire("search", "--vault", vault, question), codes=processes.ANSWERED)

    try:
        ask(fresh, asked[0])
        for question in asked:
            ask(indexed, question)
            status = _status()
            peak = max(peak, processes.resident_bytes(status["pid"]))
        while any(vault["pending"] or vault["indexing"] for vault in status["vaults"]):
            status = _status()
            peak = max(peak, processes.resident_bytes(status["pid"]))
        steady = processes.resident_bytes(status["pid"]) / 2**20
    finally:
        processes.stop_engine()
    note = f"{_EMBEDDED_NOTES + 1} notes indexed, {len(asked)} questions to another vault"
    return Figure(
        "background engine, peak",
        peak / 2**20,
        "MiB",
        at_most=_MOST_INDEXING,
        note=note,
        details={"when done": steady},
    )


def _status() -> dict[str, Any]:
    status: dict[str, Any] = json.loads(processes.run(processes.quire("engine", "status", "--json")).output)
    return status
