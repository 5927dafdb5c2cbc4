"""``quire models``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from quire import contract
from quire.cli.diagnostics import ExitCode
from quire.cli.options import colour_option, json_option, offline_option, wrong_usage
from quire.cli.progress import Progress
from quire.cli.quantities import size
from quire.cli.session import Session
from quire.cli.terminal import Palette, cells, inert
from quire_engine import offline
from quire_engine.errors import ModelError
from quire_engine.records import InstalledModel

if TYPE_CHECKING:
    from quire_engine import Settings

EXTRACTIVE = "extractive"
_OVERRIDE = "QUIRE_ANSWER__MODEL"


@click.group("models", short_help="List, fetch, choose and check models.", invoke_without_command=True)
@colour_option
@click.pass_context
def command(ctx: click.Context, colour: bool | None) -> ExitCode:
    """List, fetch, choose and check models. Without a command, list them."""
    if ctx.obj and ctx.invoked_subcommand != "pull":
        offline.enforce()
    return show(colour, as_json=False) if ctx.invoked_subcommand is None else ExitCode.DONE


@command.command("list", short_help="List the models of this machine and of the catalogue.")
@json_option
@colour_option
def list_models(as_json: bool, colour: bool | None) -> ExitCode:
    """List the models of this machine and of the catalogue."""
    return show(colour, as_json)


def show(colour: bool | None, as_json: bool) -> ExitCode:
    """Print the list of models."""
    from quire_engine import installed_models

    session = Session(colour=colour)
    models = installed_models(session.settings)
    if as_json:
        session.output.json(contract.models(models, answering(models)))
        return ExitCode.DONE
    for line in table(models, session.output.palette):
        session.output.line(line)
    if answering(models) == EXTRACTIVE:
        session.diagnostics.note("answers are extractive: sentences of the notes, no language model")
    return ExitCode.DONE


@command.command("pull", short_help="Fetch a model of the catalogue and check it.")
@click.argument("name")
@offline_option
@colour_option
def pull(name: str, colour: bool | None) -> ExitCode:
    """Fetch the model NAME of the catalogue and check it against its checksum.

    An interrupted download goes on where it stopped.
    """
    from quire_engine import pull_model

    session = Session(colour=colour)
    _known(name, session.settings, installed=False)
    with Progress(session.diagnostics) as progress:
        model = pull_model(
            name, lambda done, total: progress.transfer(name, done, total), settings=session.settings
        )
    session.output.line(f"{inert(model.name)}  {size(model.bytes)}  {inert(model.path or '')}")
    return ExitCode.DONE


@command.command("use", short_help="Choose what writes answers, or another model.")
@click.argument("name")
@colour_option
def use(name: str, colour: bool | None) -> ExitCode:
    """Choose the installed model NAME, or 'extractive' for answers without a language model.

    NAME may also be a GGUF file, or an embedding model or a reranker, which orders what was found. The choice
    is kept in the settings file.
    """
    from quire_engine.settings import save

    session = Session(colour=colour)
    key, value = _choice(name, session.settings)
    place = save(key, value)
    session.output.line(f"{key} = {inert(value)}  ({inert(str(place))})")
    if key == "answer.model" and os.environ.get(_OVERRIDE):
        session.diagnostics.warning(f"{_OVERRIDE} is set and wins over the settings file")
    return ExitCode.DONE


@command.command("verify", short_help="Check installed models against their checksums.")
@click.argument("name", required=False)
@colour_option
def verify(name: str | None, colour: bool | None) -> ExitCode:
    """Check the model NAME, or every installed one, against its checksum.

    Exits with 1 when one is damaged.
    """
    from quire_engine import installed_models, verify_model

    session = Session(colour=colour)
    if name is not None:
        names = [_known(name, session.settings, installed=True).name]
    else:
        names = [model.name for model in installed_models(session.settings) if model.path is not None]
    palette, outcome = session.output.palette, ExitCode.DONE
    for each in names:
        try:
            model = verify_model(each, session.settings)
        except ModelError as error:
            session.diagnostics.error(str(error))
            outcome = ExitCode.FAILED
        else:
            session.output.line(f"{palette.good('intact')}  {inert(model.name)}")
    if not names:
        session.diagnostics.note("no model is installed")
    return outcome


def answering(models: Sequence[InstalledModel]) -> str:
    """The name of what writes answers."""
    return next((model.name for model in models if model.kind == "language" and model.in_use), EXTRACTIVE)


def table(models: Sequence[InstalledModel], palette: Palette) -> Iterator[str]:
    """Models for people, one a line, under a line of headings."""
    rows = [("name", "kind", "size", "state", "licence")]
    for model in models:
        state = "in use" if model.in_use else "installed" if model.path is not None else "available"
        licence = model.description.licence if model.description else "unknown"
        rows.append((inert(model.name), model.kind, size(model.bytes), state, inert(licence)))
    widths = [max(cells(row[column]) for row in rows) for column in range(len(rows[0]))]
    for number, row in enumerate(rows):
        padded = [text + " " * (width - cells(text)) for text, width in zip(row, widths, strict=True)]
        line = "  ".join(padded).rstrip()
        if number == 0:
            yield palette.faint(line)
        else:
            yield palette.strong(line) if row[3] == "in use" else line


def _known(name: str, settings: Settings, *, installed: bool) -> InstalledModel:
    """The model called ``name``.

    A usage error when there is none; `ModelError` when it must be ``installed`` and is not.
    """
    from quire_engine import installed_models

    models = installed_models(settings)
    model = next((model for model in models if model.name == name), None)
    if model is None:
        names = ", ".join(model.name for model in models)
        raise wrong_usage(f"no model is called {name!r}; there are {names}")
    if installed and model.path is None:
        raise ModelError(f"{name} is not installed; get it with 'quire models pull {name}'")
    return model


def _choice(name: str, settings: Settings) -> tuple[str, str]:
    """The setting and the value that choosing ``name`` means."""
    if name == EXTRACTIVE:
        return "answer.model", name
    if name.endswith(".gguf") and (file := Path(name).expanduser()).is_file():
        return "answer.model", str(file.resolve())
    model = _known(name, settings, installed=True)
    match model.kind:
        case "language":
            return "answer.model", name
        case "embedding":
            return "embedding.model", name
        case "reranker":
            return "retrieval.reranker", name
