"""What keeping up with a vault costs: checking that nothing changed, and finding a saved edit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.report import Figure, latency
from bench.vaults import questions
from bench.workshop import Workshop
from quire_engine import Engine

_POLL_SECONDS = 0.02
_PATIENCE = 120.0
_BETWEEN_EDITS = 0.4


def measure(workshop: Workshop) -> list[Figure]:
    """Times of a sync that finds nothing to do, then of edits until keywords and meaning find them."""
    indexed = workshop.indexed
    unchanged = _unchanged(indexed.vault, indexed.notes, workshop.rounds)
    edits = 8 if workshop.options.quick else 30
    asked = questions(indexed.vault, 2 * edits, seed=7)
    keyword: list[float] = []
    semantic: list[float] = []
    # Notes of its own: what is appended to others may end up in a comment or a code fence.
    files = [indexed.vault / f"Edited {number}.md" for number in range(edits)]
    for number, file in enumerate(files):
        file.write_text(f"# Edited {number}\n\nNothing is here yet.\n", encoding="utf-8")
    with Engine.open(indexed.vault) as engine, _watched(engine) as changed:
        for number, file in enumerate(files):
            first, second = (" ".join(words.split())[:80] for words in asked[2 * number : 2 * number + 2])
            text = f"{first} and {second}, edit {number}."  # short: one passage holds it
            keyword_seconds, semantic_seconds = _edit(engine, file, text)
            keyword.append(keyword_seconds)
            semantic.append(semantic_seconds)
            time.sleep(_BETWEEN_EDITS)
        if changed:
            raise RuntimeError(changed[0])
    return [
        unchanged,
        latency("edit found by keyword", keyword, at_most=300),
        latency("edit found by meaning", semantic, at_most=300),
    ]


def _unchanged(vault: Path, notes: int, repeats: int) -> Figure:
    seconds = []
    for _ in range(repeats):
        with Engine.open(vault) as engine:
            begun = time.perf_counter()
            engine.sync(embed=False)
            seconds.append(time.perf_counter() - begun)
    name = f"check of {notes:,} unchanged notes"
    return latency(name, seconds, at_most=500 if notes <= 10_000 else None)


@contextmanager
def _watched(engine: Engine) -> Iterator[list[str]]:
    """The engine watches its vault in a thread meanwhile; what goes wrong there is added to the list."""
    stop, ready = threading.Event(), threading.Event()
    problems: list[str] = []

    def work() -> None:
        try:
            engine.watch(stop, lambda _: ready.set(), on_trouble=lambda e: problems.append(str(e)))
        finally:
            ready.set()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        ready.wait(_PATIENCE)
        time.sleep(_BETWEEN_EDITS)
        yield problems
    finally:
        stop.set()
        thread.join()


def _edit(engine: Engine, file: Path, text: str) -> tuple[float, float]:
    """Seconds from a save until ``text`` is found by its words, and until its vector is what finds it."""
    content = file.read_text(encoding="utf-8")
    begun = time.perf_counter()
    file.write_text(f"{content}\n\n## Added later\n\n{text}\n", encoding="utf-8")

    def signals() -> set[str]:
        hits = [hit for hit in engine.search(text, limit=3).hits if text in hit.text]
        return {s.name for hit in hits for s in hit.trace.signals if s.name != "dense" or s.score > 0.5}

    keyword = _until(lambda: "keyword" in signals(), begun)
    return keyword, _until(lambda: "dense" in signals(), begun)


def _until(condition: Callable[[], bool], begun: float) -> float:
    while not condition():
        if time.perf_counter() - begun > _PATIENCE:
            raise RuntimeError(f"an edit was not found within {_PATIENCE:.0f} s")
        time.sleep(_POLL_SECONDS)
    return time.perf_counter() - begun
