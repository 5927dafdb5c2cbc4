"""Resident memory of processes that index and that search; each is a process of its own."""

from __future__ import annotations

import json
from pathlib import Path

from bench import processes
from bench.report import Figure
from bench.vaults import questions
from bench.workshop import Workshop

_EMBEDDED_NOTES = 150


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
        Figure("indexing without embedding, peak", indexed.peak_bytes / 2**20, "MiB", note=size),
        _figure("indexing with embedding", f"{_EMBEDDED_NOTES} notes", "index-embed", few),
        Figure("index on disk", indexed.disk_bytes / 2**20, "MiB", details={"MB of text": indexed.megabytes}),
    ]


def _figure(name: str, note: str, action: str, vault: Path, *asked: str) -> Figure:
    outcome = processes.run(processes.program("children", action, vault, "whoosh", *asked), sampled=True)
    steady = json.loads(outcome.output)["resident_bytes"] / 2**20
    return Figure(
        f"{name}, peak", outcome.peak_bytes / 2**20, "MiB", note=note, details={"when done": steady}
    )
