"""The entry point: a group that loads a command's module only when that command runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pathlib import Path

import click

from quire.cli import output
from quire.cli.diagnostics import Diagnostics, ExitCode
from quire.cli.options import colour_option, offline_option, vault_option
from quire_engine import __version__, offline, privacy

_COMMANDS = {
    "index": ("quire.cli.index", "Bring a vault's index up to date."),
    "search": ("quire.cli.search", "Find passages."),
    "ask": ("quire.cli.ask", "Answer a question, with proof."),
    "replay": ("quire.cli.replay", "Make a saved answer again."),
    "conversations": ("quire.cli.conversations", "List, show, search, export and delete conversations."),
    "status": ("quire.cli.status", "Show what the index holds."),
    "models": ("quire.cli.models", "List, fetch, choose and check models."),
    "watch": ("quire.cli.watch", "Keep the index up to date while notes change."),
    "engine": ("quire.cli.engine", "Look after the background engine."),
    "eval": ("quire.cli.evaluate", "Measure searches and answers against judged questions."),
    "doctor": ("quire.cli.doctor", "Examine this installation, and mend its index."),
}
"""Name → module and one line of help, which stands here so that ``--help`` imports no command."""


class LazyGroup(click.Group):
    """Knows its commands by name; imports one when it is called, or asked for its own help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        return _command(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])


@cache
def _command(name: str) -> click.Command:
    command = import_module(_COMMANDS[name][0]).command
    assert isinstance(command, click.Command)
    return command if isinstance(command, click.Group) else offline_option(command)


@click.group(
    cls=LazyGroup,
    name="quire",
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@vault_option
@offline_option
@colour_option
@click.version_option(__version__, "-V", "--version", message="quire %(version)s", help="Show the version.")
@click.pass_context
def quire(ctx: click.Context, vault: Path | None, colour: bool | None) -> ExitCode:
    """Answers questions from a folder of Markdown notes and proves every answer.

    Without a command Quire opens its terminal interface.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no evidence, 4 only partly supported, 5 index incomplete or
    behind the vault, 130 interrupted.
    """
    if ctx.obj and ctx.invoked_subcommand not in (None, "models"):
        offline.enforce()
    if ctx.invoked_subcommand is not None:
        return ExitCode.DONE
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        output.Output(colour).line(ctx.get_help())
        return ExitCode.DONE

    from quire.cli.session import Session
    from quire.tui.app import run

    session = Session(vault, colour)
    if ctx.obj:  # the user's editor is none of our business, unless that was asked for
        offline.enforce(children=session.settings.offline)
    run(session.vault, session.settings)
    return ExitCode.DONE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; every failure is a line on stderr, and nothing is raised.

    Without ``arguments`` this is the program: it takes those of its process, and the process for its own.
    What it creates is the user's alone then, and only ``models pull`` has the network.
    """
    own = arguments is None
    if own:
        privacy.keep_private()
        sys.argv[0] = "quire"  # as others read who is writing to an index
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    output.prepare()
    try:
        code = quire.main(args=arguments, prog_name="quire", standalone_mode=False, obj=own)
    except output.ReaderGone:
        return ExitCode.DONE
    except (Exception, KeyboardInterrupt) as error:
        return Diagnostics(_colour_flag(arguments)).report(error)
    return int(code or ExitCode.DONE)


def _colour_flag(arguments: Sequence[str]) -> bool | None:
    """The colour flag as typed, for failures that come before options are understood."""
    for argument in reversed(arguments):
        if argument in ("--color", "--no-color"):
            return argument == "--color"
    return None


if __name__ == "__main__":
    sys.exit(main())
