"""``quire status``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import click

from quire import contract
from quire.cli.diagnostics import ExitCode
from quire.cli.options import colour_option, json_option, vault_option
from quire.cli.progress import step_details
from quire.cli.quantities import age, size
from quire.cli.session import Session
from quire.cli.terminal import Palette, cells, inert
from quire_engine.quantities import counted
from quire_engine.records import IndexStatus, SkippedNote

_LABEL_CELLS = 10


@click.command("status", short_help="Show what the index holds.")
@json_option
@vault_option
@colour_option
def command(as_json: bool, vault: Path | None, colour: bool | None) -> ExitCode:
    """Show what the index holds: notes, topics, what waits, and which notes were skipped and why."""
    session = Session(vault, colour)
    with session.open() as engine:
        status = engine.status()
    if as_json:
        session.output.json(contract.status(status))
        return ExitCode.DONE
    for line in status_lines(status, session.output.palette, now=time.time()):
        session.output.line(line)
    if status.problem:
        session.diagnostics.warning(status.problem)
    return ExitCode.DONE


def status_lines(status: IndexStatus, palette: Palette, *, now: float) -> Iterator[str]:
    """The state of an index for people; ``now`` in Unix seconds."""

    def row(label: str, text: str) -> str:
        return palette.faint(label.ljust(_LABEL_CELLS)) + text

    yield row("vault", inert(status.vault))
    yield row("index", inert(status.index))
    yield row("", f"{size(status.disk_bytes)}, generation {status.generation}, {_synced(status, now)}")
    yield row("notes", f"{status.notes:,}")
    waiting = palette.doubtful(f", {status.pending:,} still to come") if status.pending else ""
    yield row("passages", f"{status.chunks:,}, {counted(status.vectors, 'vector')}{waiting}")
    for label, step in (("indexing", status.indexing), ("embedding", status.embedding)):
        if step is not None:
            details = step_details(contract.progress(step)) or "looking for changes"
            yield row(label, palette.doubtful(details))
    if status.unresolved_links:
        yield row("links", f"{status.unresolved_links:,} without a note to lead to")
    yield row("search", f"{inert(status.embedding_model)} on {inert(status.embedding_runtime)}")
    yield row("answers", inert(status.answer_model or "extractive (no language model in use)"))
    if status.topics:
        yield ""
        yield palette.strong("topics")
        names = ["(top level)" if topic.topic in ("", ".") else inert(topic.topic) for topic in status.topics]
        width = max(map(cells, names))
        for name, topic in zip(names, status.topics, strict=True):
            gap = " " * (width - cells(name))
            notes, passages = counted(topic.notes, "note"), counted(topic.chunks, "passage")
            yield f"  {name}{gap}  {notes:>12}  {passages:>17}"
    yield from _notes("skipped", status.skipped, palette)
    yield from _notes("indexed with warnings", status.warnings, palette)


def _synced(status: IndexStatus, now: float) -> str:
    return "never synced" if status.last_sync is None else f"synced {age(now - status.last_sync)}"


def _notes(title: str, notes: tuple[SkippedNote, ...], palette: Palette) -> Iterator[str]:
    if notes:
        yield ""
        yield palette.doubtful(f"{title} ({len(notes)})")
        for note in notes:
            yield f"  {palette.place(inert(note.path))}: {inert(note.reason)}"
