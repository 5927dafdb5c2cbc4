"""``scripts/bench``: runs the chosen sections, prints their tables, and writes JSON."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

from bench import ablations, answer_weights, hidden_links, ranking, topics, waves
from bench.report import Figure, table
from bench.workshop import Options, Workshop, open_workshop

SECTIONS = {
    "environment": "What it runs on",
    "embedding": "Embedding",
    "reranking": "Reranking",
    "stages": "Stages of indexing",
    "searchable": "Time to first searchable",
    "watching": "Keeping up with changes",
    "commands": "Commands from the shell",
    "queries": "Queries by size",
    "answers": "Answers",
    "memory": "Memory",
    "growth": "Growth",
}
"""Module of this folder → title. Each has a ``measure(workshop)`` that returns figures."""
TOOLS: Mapping[str, Callable[[Sequence[str]], int]] = {
    "ablations": ablations.main,
    "ranking": ranking.main,
    "topics": topics.main,
    "hidden-links": hidden_links.main,
    "waves": waves.main,
    "answer-weights": answer_weights.main,
}
"""What works on judged questions, with arguments of its own."""
SCHEMA = "quire.bench/1"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks; 1 when a section could not be measured."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments and arguments[0] in TOOLS:
        return TOOLS[arguments[0]](arguments[1:])
    chosen = _parser().parse_args(arguments)
    for name in chosen.sections:
        if name not in SECTIONS:
            _parser().error(f"there is no section {name!r}; choose from {', '.join(SECTIONS)}")
    if chosen.vault is not None and not chosen.vault.is_dir():
        _parser().error(f"the vault {chosen.vault} is not a folder")
    notes = chosen.notes or (300 if chosen.quick else 6500)
    options = Options(chosen.vault, notes, chosen.quick, chosen.million)
    people = sys.stderr if chosen.json == "-" else sys.stdout
    with open_workshop(options) as workshop:
        names = [name for name in SECTIONS if name in chosen.sections or not chosen.sections]
        results = {name: _section(name, workshop, people) for name in names}
    if chosen.json:
        text = json.dumps({"schema": SCHEMA, "sections": results}, ensure_ascii=False, indent=2) + "\n"
        sys.stdout.write(text) if chosen.json == "-" else Path(chosen.json).write_text(text, encoding="utf-8")
    return int(any("error" in result for result in results.values()))


def _section(name: str, workshop: Workshop, people: TextIO) -> dict[str, Any]:
    """One section's part of the JSON; a section that fails says so and does not stop the others."""
    begun = time.perf_counter()
    result: dict[str, Any]
    try:
        figures: list[Figure] = import_module(f"bench.{name}").measure(workshop)
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
        print(f"{SECTIONS[name]}\n  could not be measured: {problem}\n", file=people, flush=True)
        result = {"error": problem, "figures": []}
    else:
        print(table(SECTIONS[name], figures), file=people, flush=True)
        result = {"figures": [asdict(figure) for figure in figures]}
    return {"title": SECTIONS[name], "seconds": round(time.perf_counter() - begun, 3), **result}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measures Quire beside what one would use instead; asserts nothing.",
        epilog="What the parts of retrieval add, on judged questions: scripts/bench ablations --help. "
        "How the weights of signals are fitted: scripts/bench ranking --help. "
        "How topic routing is calibrated: scripts/bench topics --help. "
        "Judged questions from a vault's links: scripts/bench hidden-links --help. "
        "How much context answers need: scripts/bench waves --help. "
        "How the weights of answers are fitted: scripts/bench answer-weights --help",
    )
    add = parser.add_argument
    add("sections", nargs="*", metavar="SECTION", help=f"{', '.join(SECTIONS)}; all by default")
    add("--vault", type=Path, metavar="DIR", help="measure on a copy of the notes of this vault")
    add("--notes", type=int, metavar="N", help="notes of the synthetic vault (6500; quick: 300)")
    add("--quick", action="store_true", help="small sizes and few rounds, to see that it works")
    add("--million", action="store_true", help="also a million chunks (many minutes, 10 GB)")
    add("--json", metavar="FILE", help="write the figures as JSON; - for stdout")
    return parser


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that folders and processes are cleaned up
    sys.exit(main())
