"""``scripts/bench ablations DIR…``: what each part of retrieval adds, on which judged set, and at what cost.

Every set is indexed once; the variants below are asked the same questions on the same index, and each is
compared with the first, question by question. `BySignal` gives what one of the two searches finds alone.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TextIO

from bench.workshop import Options, open_workshop
from quire_engine import Engine, Settings, compare, evaluate
from quire_engine.evaluation.signals import BySignal
from quire_engine.records import Comparison, EvalReport

SCHEMA = "quire.ablations/1"
MEASURE = "ndcg@10"


@dataclass(frozen=True, slots=True)
class Variant:
    """A way to search."""

    name: str
    settings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """What is set otherwise than by default, by section."""
    signal: Literal["dense", "keyword"] | None = None
    """The one search whose list is measured; ``None`` for what users get."""


def _without(*names: str) -> Mapping[str, Mapping[str, object]]:
    return {"retrieval": {"weights": dict.fromkeys(names, 0.0)}}


_BEYOND = ("vouched", "proximity", "rarest", "named", "title", "topic", "links", "part", "freshness")
"""The signals beside the two searches."""

VARIANTS = (
    Variant("as it comes"),
    Variant("dense search alone", signal="dense"),
    Variant("keyword search alone", signal="keyword"),
    Variant("reciprocal rank fusion", {"retrieval": {"fusion": "rrf"}}),
    Variant("both searches, learned weights", _without(*_BEYOND)),
    Variant(
        "0.6 dense, 0.3 keyword, 0.1 freshness",
        {
            "retrieval": {
                "weights": {**dict.fromkeys(_BEYOND, 0.0), "dense": 0.6, "keyword": 0.3, "freshness": 0.1}
            }
        },
    ),
    *(Variant(f"without {name}", _without(name)) for name in _BEYOND),
    Variant("no near-duplicates collapse", {"retrieval": {"duplicate_cosine": 1.0}}),
)
"""The first is what the others are compared with."""


@dataclass(frozen=True, slots=True)
class Row:
    """One variant on one set."""

    variant: Variant
    report: EvalReport
    against_first: Comparison | None


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the variants and print a table for each set, then one of all."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    for folder in chosen.sets:
        if not (folder / "vault").is_dir():
            parser.error(f"{folder} holds no vault")
    wanted = set(chosen.only or [])
    if unknown := wanted - {variant.name for variant in VARIANTS}:
        parser.error(f"no variant {', '.join(sorted(unknown))}; there are: {_names()}")
    variants = [
        variant for n, variant in enumerate(VARIANTS) if n == 0 or not wanted or variant.name in wanted
    ]
    keep = None if chosen.keep is None else chosen.keep.absolute()
    people = sys.stderr if chosen.json == "-" else sys.stdout
    with open_workshop(Options()):
        if keep is not None:
            os.environ["QUIRE_DATA_DIR"] = str(keep)
        sets = {str(folder): _measure(folder, variants, chosen.limit, people) for folder in chosen.sets}
    _overview(sets, people)
    if chosen.json:
        found = {name: {row.variant.name: _record(row) for row in rows} for name, rows in sets.items()}
        text = json.dumps({"schema": SCHEMA, "sets": found}, ensure_ascii=False, indent=2) + "\n"
        sys.stdout.write(text) if chosen.json == "-" else Path(chosen.json).write_text(text, encoding="utf-8")
    return 0


def _measure(folder: Path, variants: Sequence[Variant], limit: int | None, people: TextIO) -> list[Row]:
    rows: list[Row] = []
    for variant in variants:
        with Engine.open(folder / "vault", Settings.model_validate(variant.settings)) as engine:
            engine.sync()  # finds nothing to do, unless it is the first or its settings change the index
            searcher = engine if variant.signal is None else BySignal(engine, variant.signal)
            report = evaluate(searcher, folder, limit=limit)
        rows.append(Row(variant, report, compare(rows[0].report.results, report.results) if rows else None))
        if len(rows) == 1:
            print(f"{folder.name}: {report.queries:,} questions, judged by {report.unit}", file=people)
            print(_line("", MEASURE, "change", "95 %", "p", "added p50", "p95 ms"), file=people)
        print(_shown(rows[-1]), file=people, flush=True)
    print(file=people)
    return rows


def _shown(row: Row) -> str:
    change = ("", "", "")
    if row.against_first is not None:
        found = row.against_first.measures[MEASURE]
        low, high = found.interval
        change = (f"{found.difference:+.4f}", f"{low:+.4f} to {high:+.4f}", f"{found.p:.4f}")
    measures = row.report.retrieval
    added = ("-", "-")  # what one list is picked from took more than that list does
    if row.variant.signal is None:
        added = (f"{measures['added_p50_ms']:.1f}", f"{measures['added_p95_ms']:.1f}")
    return _line(row.variant.name, f"{measures[MEASURE]:.4f}", *change, *added)


def _line(*cells: str) -> str:
    width = max(len(variant.name) for variant in VARIANTS)
    sides = (f"<{width}", ">8", ">8", ">18", ">7", ">10", ">7")
    return "  ".join(f"{cell:{side}}" for cell, side in zip(cells, sides, strict=True)).rstrip()


def _overview(sets: Mapping[str, Sequence[Row]], people: TextIO) -> None:
    """One line a variant, one column a set, and the mean over sets."""
    width = max(len(variant.name) for variant in VARIANTS)
    names = [Path(name).name for name in sets]
    print(f"{MEASURE:<{width}}", *(f"{name[:10]:>10}" for name in [*names, "mean"]), sep="  ", file=people)
    for rows in zip(*sets.values(), strict=True):
        values = [row.report.retrieval[MEASURE] for row in rows]
        shown = [f"{value:>10.4f}" for value in [*values, sum(values) / len(values)]]
        print(f"{rows[0].variant.name:<{width}}", *shown, sep="  ", file=people)


def _record(row: Row) -> dict[str, Any]:
    compared = None if row.against_first is None else asdict(row.against_first.measures[MEASURE])
    return {
        "settings": row.variant.settings,
        "signal": row.variant.signal,
        "queries": row.report.queries,
        "retrieval": row.report.retrieval,
        "intervals": row.report.intervals,
        "against_first": compared,
    }


def _names() -> str:
    return ", ".join(variant.name for variant in VARIANTS)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/bench ablations",
        description="Measures variants of retrieval on judged sets, each against the first.",
        epilog=f"The variants: {_names()}.",
    )
    add = parser.add_argument
    add("sets", nargs="+", type=Path, metavar="DIR", help="holds vault/, queries.jsonl and qrels.tsv")
    add("--limit", type=int, metavar="N", help="ask only so many questions of a set, evenly spread")
    add("--only", action="append", metavar="NAME", help="only this variant, and the first; may be repeated")
    add("--keep", type=Path, metavar="DIR", help="keep the indexes here, and use those that are here already")
    add("--json", metavar="FILE", help="write the figures as JSON; - for stdout")
    return parser
