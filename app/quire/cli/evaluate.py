"""``quire eval``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from quire import contract
from quire.cli.diagnostics import ExitCode
from quire.cli.measures import difference_table, group_table, query_changes, table
from quire.cli.options import Folder, colour_option, json_option, wrong_usage
from quire.cli.progress import Progress
from quire.cli.session import Session
from quire_engine.quantities import counted

_FILES = ("vault", "queries.jsonl", "qrels.tsv")
_SOME = 5
"""Losses and wins that ``--diff`` shows without a number."""
_File = click.Path(dir_okay=False, path_type=Path)


@click.command("eval", short_help="Measure retrieval against judged questions.")
@click.argument("folder", metavar="DIR", type=Folder())
@click.option(
    "--limit", type=click.IntRange(1), help="Ask only so many of the questions, evenly spread over the file."
)
@click.option(
    "--by", metavar="FIELD", help="Also measure by the values of a field of queries.jsonl, as in --by lang."
)
@click.option("--save", type=_File, metavar="FILE", help="Keep the run, query by query; FILE is replaced.")
@click.option("--against", type=_File, metavar="FILE", help="Compare with a run that was kept by --save.")
@click.option(
    "--diff",
    type=click.IntRange(1),
    is_flag=False,
    flag_value=_SOME,
    metavar="[N]",
    help=f"Show the N ({_SOME}) largest losses and wins since the run of --against; all with --json.",
)
@json_option
@colour_option
def command(
    folder: Path,
    limit: int | None,
    by: str | None,
    save: Path | None,
    against: Path | None,
    diff: int | None,
    as_json: bool,
    colour: bool | None,
) -> ExitCode:
    """Measure how well the judged passages of DIR are found.

    DIR holds vault/ (the notes), queries.jsonl ({"id", "text"} a line) and qrels.tsv (query, document,
    grade).
    """
    missing = [name for name in _FILES if not (folder / name).exists()]
    if missing:
        raise wrong_usage(f"{folder} holds no {', '.join(missing)}")
    if diff and not against:
        raise wrong_usage("--diff shows what changed since a saved run; name it with --against FILE")
    if save and not os.access(save.absolute().parent, os.W_OK):
        raise wrong_usage(f"cannot write {save}: {save.absolute().parent} is no folder that can be written")
    from quire_engine import by_field, compare, evaluate, load_run, read_queries, run_of, save_run

    if by and not any(by in query.fields for query in read_queries(folder)):
        raise wrong_usage(f"no question in {folder / 'queries.jsonl'} has a field {by!r}")
    session = Session(colour=colour)
    then = load_run(against) if against else None
    with session.open(folder / "vault") as engine:
        current = session.freshen(engine, follow=True)
        with Progress(session.diagnostics) as progress:
            report = evaluate(
                engine,
                folder,
                limit=limit,
                against=then,
                progress=lambda done, total: progress.count("asking", done, total),
            )
        run = run_of(report, engine.fingerprint, session.settings)
    if save:
        save_run(run, save)
    record = contract.evaluation(report)
    if by:
        groups = by_field(report, by)
        record["by"] = {
            "field": by,
            "groups": {value: contract.measured(group) for value, group in groups.items()},
        }
    if then:
        compared = compare(then.results, run.results)
        record["against"] = contract.comparison(compared, then, run, diff=diff is not None)
        if compared.only_now or compared.only_then:
            session.diagnostics.note(
                f"compared over the {counted(compared.queries, 'question')} that both have; "
                f"{compared.only_now:,} only here, {compared.only_then:,} only in {against}"
            )
    if as_json:
        session.output.json(record)
    else:
        palette = session.output.palette
        lines = list(table(record, palette))
        if by:
            lines += ["", *group_table(record["by"], palette)]
        if then:
            lines += ["", *difference_table(record["against"], palette)]
        if diff:
            lines += query_changes(record["against"]["diff"], diff, palette, session.output.width)
        for line in lines:
            session.output.line(line)
    return ExitCode.DONE if current else ExitCode.INCOMPLETE
