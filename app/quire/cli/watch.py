"""``quire watch``."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import click

from quire.cli.diagnostics import ExitCode
from quire.cli.index import show_skipped, summary
from quire.cli.options import colour_option, vault_option
from quire.cli.progress import Progress
from quire.cli.session import Session
from quire_engine.errors import QuireError
from quire_engine.records import SkippedNote, SyncReport


@click.command("watch", short_help="Keep the index up to date while notes change.")
@vault_option
@colour_option
def command(vault: Path | None, colour: bool | None) -> ExitCode:
    """Keep the index up to date while notes change, until interrupted with ctrl+c (exit code 130).

    Writes a line to stderr for every sync that changed something.
    """
    session = Session(vault, colour)
    stop = threading.Event()
    with session.open() as engine, Progress(session.diagnostics, delay=0.5) as progress:
        session.diagnostics.note(f"watching {session.vault}; ctrl+c to stop")

        shown: set[SkippedNote] | None = None
        in_trouble = False

        def synced(report: SyncReport) -> None:
            nonlocal shown, in_trouble
            work = report.added + report.changed + report.removed + report.renamed + report.embedded
            if in_trouble:
                session.diagnostics.note("the trouble is over")
                in_trouble = False
            if shown is None or work or not shown.issuperset(report.skipped):
                session.diagnostics.note(f"{time.strftime('%H:%M:%S')} {summary(report)}")
                show_skipped(session, report)
            shown = {*(shown or ()), *report.skipped}

        def troubled(error: QuireError) -> None:
            nonlocal in_trouble
            in_trouble = True
            session.diagnostics.warning(f"{error}; trying again")

        try:
            engine.watch(stop, synced, progress.sync, troubled)
        finally:
            stop.set()
    return ExitCode.DONE
