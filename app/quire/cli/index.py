"""``quire index``."""

from __future__ import annotations

from pathlib import Path

import click

from quire import contract
from quire.cli.diagnostics import ExitCode
from quire.cli.options import Folder, colour_option, json_option, vault_option, wrong_usage
from quire.cli.progress import Progress
from quire.cli.quantities import duration
from quire.cli.session import Session
from quire_engine.quantities import counted
from quire_engine.records import SyncReport

_MOST_SKIPPED = 10


@click.command("index", short_help="Bring a vault's index up to date.")
@click.argument("folder", metavar="[VAULT]", type=Folder(), required=False)
@click.option("--rebuild", is_flag=True, help="Throw the index away first and make it anew.")
@click.option(
    "--forget",
    metavar="PLACE",
    help="Take a note, folder or topic out of the index instead, vectors included. Unless it is ignored "
    "(.quireignore) or gone, the next command brings it back.",
)
@json_option
@vault_option
@colour_option
def command(
    folder: Path | None,
    rebuild: bool,
    forget: str | None,
    as_json: bool,
    vault: Path | None,
    colour: bool | None,
) -> ExitCode:
    """Bring the index of VAULT up to date with its notes.

    Only what changed is read and embedded. It is safe to interrupt: the next run goes on from there. The
    vault itself is never written to. Exits with 5 when passages still wait for their vectors.
    """
    if folder is not None and vault is not None:
        raise wrong_usage("give the vault once: as an argument or with --vault")
    session = Session(folder if folder is not None else vault, colour)
    if forget is not None and rebuild:
        raise wrong_usage("--rebuild forgets everything; give either that or --forget")
    if forget is not None:
        with session.open() as engine:
            forgotten = engine.forget(forget)
        if as_json:
            session.output.json({"schema": contract.INDEX, "forgotten": forgotten})
        else:
            session.output.line(f"{counted(forgotten, 'note')} forgotten")
        return ExitCode.DONE if forgotten else ExitCode.NO_EVIDENCE
    with session.open(discard=rebuild) as engine:
        with Progress(session.diagnostics, delay=0.3) as progress:
            report = engine.sync(progress.sync)
        if as_json:
            session.output.json(contract.index(report))
        else:
            session.output.line(summary(report))
    show_skipped(session, report)
    return ExitCode.INCOMPLETE if report.pending else ExitCode.DONE


def summary(report: SyncReport) -> str:
    """A sync in one line."""
    counts = (
        ("added", report.added),
        ("changed", report.changed),
        ("renamed", report.renamed),
        ("removed", report.removed),
    )
    notes = ", ".join(f"{count:,} {what}" for what, count in counts if count) or "nothing changed"
    parts = [notes]
    if report.unchanged:
        parts.append(f"{counted(report.unchanged, 'note')} as before")
    if report.chunks:
        vectors = f"{report.embedded:,} embedded, {report.reused:,} reused"
        parts.append(f"{counted(report.chunks, 'passage')} written ({vectors})")
    if report.pending:
        parts.append(f"{counted(report.pending, 'passage')} without a vector yet")
    return "; ".join(parts) + f"; {duration(report.seconds)}"


def show_skipped(session: Session, report: SyncReport) -> None:
    """Name the notes that could not be indexed."""
    for note in report.skipped[:_MOST_SKIPPED]:
        session.diagnostics.warning(f"skipped {note.path}: {note.reason}")
    if len(report.skipped) > _MOST_SKIPPED:
        more = len(report.skipped) - _MOST_SKIPPED
        session.diagnostics.warning(f"skipped {more} more notes; 'quire status' lists them")
