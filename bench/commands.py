"""Wall time of commands as the shell sees it, beside the least that Python takes."""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

from bench import processes
from bench.report import Figure, latency, quantile
from bench.vaults import questions
from bench.workshop import Workshop

_TARGETS = {"quire --help": 100, "quire search, engine warm": 120, "quire search --no-daemon": 1200}


def measure(workshop: Workshop) -> list[Figure]:
    """The commands take turns, so that what else the machine does falls on all of them."""
    indexed = workshop.indexed
    workshop.embedder.load()  # converting the model once is not part of a cold start
    database = workshop.folder / "commands.sqlite3"
    processes.run(processes.script("fts5.py", "index", database, indexed.vault))
    asked = iter(questions(indexed.vault, 5 * workshop.rounds + 20, seed=11))
    times: dict[str, list[float]] = defaultdict(list)

    def quire(verb: str, *flags: str) -> list[str | Path]:
        return processes.quire(verb, "--vault", indexed.vault, *flags, next(asked))

    def take(name: str, command: list[str | Path]) -> None:
        times[name].append(processes.run(command, codes=processes.ANSWERED).seconds)

    try:
        for _ in range(max(3, workshop.rounds // 4)):
            processes.stop_engine()
            take("quire search --no-daemon", quire("search", "--no-daemon"))
            take("quire search, starts the engine", quire("search"))
        # The first answer loads more than the first search.
        processes.run(quire("ask"), codes=processes.ANSWERED)
        for _ in range(workshop.rounds):
            take("python -c pass", [sys.executable, "-c", "pass"])
            take('python -c "import click"', [sys.executable, "-c", "import click"])
            take("FTS5 script, one search", processes.script("fts5.py", "search", database, next(asked)))
            take("quire --help", processes.quire("--help"))
            take("quire search, engine warm", quire("search"))
            take("quire ask, engine warm", quire("ask"))
    finally:
        processes.stop_engine()
    warm = quantile(times["quire search, engine warm"], 0.5)
    return [
        Figure("index", f"{indexed.notes:,} notes, {indexed.chunks:,} chunks"),
        *(latency(name, seconds, at_most=_TARGETS.get(name)) for name, seconds in times.items()),
        Figure("quire search / python -c pass", warm / quantile(times["python -c pass"], 0.5), "×"),
        Figure("quire search / FTS5 script", warm / quantile(times["FTS5 script, one search"], 0.5), "×"),
    ]
