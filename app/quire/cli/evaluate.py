"""``quire eval``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from quire import contract
from quire.cli.diagnostics import ExitCode
from quire.cli.options import Folder, colour_option, json_option, wrong_usage
from quire.cli.progress import Progress
from quire.cli.session import Session
from quire.cli.terminal import Palette
from quire_engine.quantities import counted

_FILES = ("vault", "queries.jsonl", "qrels.tsv")


@click.command("eval", short_help="Measure retrieval against judged questions.")
@click.argument("folder", metavar="DIR", type=Folder())
@click.option(
    "--limit", type=click.IntRange(1), help="Ask only so many of the questions, evenly spread over the file."
)
@json_option
@colour_option
def command(folder: Path, limit: int | None, as_json: bool, colour: bool | None) -> ExitCode:
    """Measure how well the judged passages of DIR are found.

    DIR holds vault/ (the notes), queries.jsonl ({"id", "text"} a line) and qrels.tsv (query, document,
    grade).
    """
    missing = [name for name in _FILES if not (folder / name).exists()]
    if missing:
        raise wrong_usage(f"{folder} holds no {', '.join(missing)}")
    session = Session(colour=colour)
    with session.open(folder / "vault") as engine:
        from quire_engine import evaluate

        current = session.freshen(engine, follow=True)
        with Progress(session.diagnostics) as progress:
            report = evaluate(
                engine,
                folder,
                limit=limit,
                progress=lambda done, total: progress.count("asking", done, total),
            )
    record = contract.evaluation(report)
    if as_json:
        session.output.json(record)
    else:
        for line in table(record, session.output.palette):
            session.output.line(line)
    return ExitCode.DONE if current else ExitCode.INCOMPLETE


def table(record: dict[str, Any], palette: Palette) -> Iterator[str]:
    """Measures for people, one a line."""
    yield palette.faint(f"{counted(record['queries'], 'question')}, judged by {record['unit']}")
    measures = record["retrieval"]
    width = max(map(len, measures), default=0)
    for name, value in measures.items():
        shown = "-" if value is None else f"{value:.1f}" if name.endswith("_ms") else f"{value:.4f}"
        yield f"{name:<{width}}  {palette.strong(shown.rjust(8))}"
