"""``quire engine``: the background process that answers searches and questions."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import click

from quire import contract
from quire.cli.diagnostics import ExitCode
from quire.cli.options import colour_option, json_option
from quire.cli.output import Output
from quire.cli.progress import step_details
from quire.cli.quantities import duration, size
from quire.cli.terminal import Palette, inert
from quire.client import EngineClient, Unavailable
from quire.contract import Json
from quire_engine.quantities import counted

_LABEL_CELLS = 10
_FOLLOW_SECONDS = 0.2


@click.group("engine", short_help="Look after the background engine.", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> ExitCode:
    """Look after the background engine.

    It keeps models and indexes ready and watches the vaults that are asked about. It starts with the first
    search or question, leaves when nothing is asked for a while (setting engine.idle_minutes), and is
    replaced when Quire changes. --no-daemon and QUIRE_NO_DAEMON=1 do without it.
    """
    if ctx.invoked_subcommand is None:
        Output().line(ctx.get_help())
    return ExitCode.DONE


@command.command("status", short_help="Show what the engine is doing.")
@json_option
@colour_option
def status(as_json: bool, colour: bool | None) -> ExitCode:
    """Show what the engine is doing, and for which vaults."""
    output = Output(colour)
    try:
        report = EngineClient().status()
    except Unavailable as error:
        raise click.ClickException(f"the background engine: {error}") from error
    if as_json:
        output.json(report or {"schema": contract.ENGINE, "running": False})
        return ExitCode.DONE
    for line in status_lines(report, output.palette):
        output.line(line)
    return ExitCode.DONE


@command.command("stop", short_help="Stop the engine.")
@colour_option
def stop(colour: bool | None) -> ExitCode:
    """Stop the engine. The next search or question starts it again."""
    output = Output(colour)
    pid = _stopped(EngineClient())
    output.line("not running" if pid is None else f"stopped process {pid}")
    return ExitCode.DONE


@command.command("restart", short_help="Stop the engine and start it again.")
@colour_option
def restart(colour: bool | None) -> ExitCode:
    """Stop the engine, if it runs, and start it."""
    output, client = Output(colour), EngineClient()
    _stopped(client)
    try:
        client.start()
    except Unavailable as error:
        raise click.ClickException(f"the background engine: {error}") from error
    output.line(f"started process {client.address.holder()}")
    return ExitCode.DONE


@command.command("logs", short_help="Print what the engine has logged.")
@click.option(
    "-n", "--lines", "last", type=click.IntRange(min=0), default=20, show_default=True, help="How many."
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is logged from now, until ctrl+c.")
@colour_option
def logs(last: int, follow: bool, colour: bool | None) -> ExitCode:
    """Print the last lines that the engine has logged.

    Texts of questions and notes are not in them, unless the engine was started with QUIRE_DEBUG=1.
    """
    from quire_engine import locations

    output = Output(colour)
    file = locations.engine_log(EngineClient().address.key)
    if not (file.exists() or follow):
        raise click.ClickException(f"there is no log {file}: no engine has run yet")
    for line in _lines(file, last, follow):
        output.line(inert(line.rstrip("\n")))
    return ExitCode.DONE


def status_lines(report: Json | None, palette: Palette) -> Iterator[str]:
    """What an engine says about itself, ``quire.engine/1``, for people; ``None`` when there is none."""
    if report is None:
        yield "not running; the next search or question starts it"
        return

    def row(label: str, text: str) -> str:
        return palette.faint(label.ljust(_LABEL_CELLS)) + text

    yield row("engine", f"process {report['pid']}, version {inert(report['version'])}")
    questions = counted(report["questions"], "question") + " under way"
    up = duration(report["uptime_seconds"])
    yield row("", f"up {up}, {size(report['memory_bytes'])} of memory, {questions}")
    yield row("socket", inert(report["socket"]))
    yield row("log", inert(report["log"]))
    for vault in report["vaults"]:
        yield row("vault", inert(vault["vault"]))
        if "notes" in vault:  # missing when its index cannot be read
            notes, passages = counted(vault["notes"], "note"), counted(vault["chunks"], "passage")
            yield row("", f"{notes}, {passages}, {counted(vault['vectors'], 'vector')}")
        for name in ("indexing", "embedding"):
            if vault.get(name):
                yield row("", palette.doubtful(f"{name} {step_details(vault[name])}"))
        if vault["problem"]:
            yield row("", palette.bad(inert(vault["problem"])))


def _stopped(client: EngineClient) -> int | None:
    try:
        return client.stop()
    except Unavailable as error:
        raise click.ClickException(f"the background engine: {error}") from error


def _lines(file: Path, last: int, follow: bool) -> Iterator[str]:
    """The ``last`` lines of a log; with ``follow`` also those to come, from the next file, too."""
    wanted: int | None = last
    while True:
        try:
            log = file.open(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            if not follow:
                return
            time.sleep(_FOLLOW_SECONDS)
            continue
        with log:
            yield from deque(log, wanted)
            wanted = None  # of the file after this one, everything
            while True:
                if line := log.readline():
                    yield line
                elif not follow:
                    return
                elif not file.exists() or not os.path.samestat(file.stat(), os.fstat(log.fileno())):
                    break
                else:
                    time.sleep(_FOLLOW_SECONDS)
