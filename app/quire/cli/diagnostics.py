"""The only writer of stderr, and the owner of exit codes: everything that is not a result.

Every failure ends here as one line that says what is wrong and what to do, and as a code.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from enum import IntEnum
from typing import TextIO

import click

from quire.cli.terminal import Palette, inert, is_terminal, shorten, wants_colour
from quire_engine.errors import ConfigError, QuireError


class ExitCode(IntEnum):
    """How a command ended. Scripts rely on these numbers."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    """A flag, argument, setting or input line is wrong."""
    NO_EVIDENCE = 3
    """A search without a hit, or an answer that abstained."""
    PARTIAL = 4
    """An answer that is only partly supported."""
    INCOMPLETE = 5
    """Results were printed, but from an index that is incomplete or behind the vault."""
    INTERRUPTED = 130


_FROM_MILDEST = (
    ExitCode.DONE,
    ExitCode.PARTIAL,
    ExitCode.NO_EVIDENCE,
    ExitCode.INCOMPLETE,
    ExitCode.FAILED,
    ExitCode.USAGE,
    ExitCode.INTERRUPTED,
)


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """The gravest of several outcomes: 130, 2, 1, 5, 3, 4, 0 in this order.

    An incomplete index outweighs missing evidence, because it puts "nothing found" in doubt.
    """
    return max(codes, key=_FROM_MILDEST.index, default=ExitCode.DONE)


class Diagnostics:
    """What a person needs to know beside the results."""

    def __init__(self, colour: bool | None = None, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self.terminal = is_terminal(self._stream)
        self.palette = Palette(wants_colour(self._stream, colour))
        self._transient = False

    def note(self, text: str) -> None:
        """A remark."""
        self._line(self.palette.faint(inert(text)))

    def warning(self, text: str) -> None:
        """Something that may matter for how the results are to be read."""
        self._line(f"{self.palette.doubtful('warning:')} {inert(text)}")

    def error(self, text: str) -> None:
        """Why a command, or one item of a batch, failed."""
        self._line(f"{self.palette.bad('error:')} {inert(text)}")

    def transient(self, text: str) -> None:
        """A line on the terminal that the next write replaces; not shown anywhere else."""
        if not self.terminal:
            return
        columns = shutil.get_terminal_size((80, 24)).columns
        self._write(f"\r\x1b[2K{shorten(inert(text), columns - 1)}")
        self._transient = True

    def clear(self) -> None:
        """Remove the transient line; call it before anything is written to stdout."""
        if self._transient:
            self._write("\r\x1b[2K")
            self._transient = False

    def _line(self, text: str) -> None:
        self.clear()
        self._write(text + "\n")

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (AttributeError, OSError, ValueError):
            # Nobody can be told that nobody listens.
            return

    def report(self, error: BaseException) -> ExitCode:
        """Say in one line what ended the command, and return the code to leave with."""
        line, code = explain(error)
        if line:
            self.error(line)
        if line and os.environ.get("QUIRE_DEBUG"):
            import traceback

            self._write("".join(traceback.format_exception(error)))
        return code


def explain(error: BaseException) -> tuple[str, ExitCode]:
    """One line about ``error`` (empty when there is nothing to say) and the exit code it means."""
    match error:
        case click.UsageError():
            command = f"; see '{error.ctx.command_path} --help'" if error.ctx is not None else ""
            return _one_line(error.format_message()).rstrip(".") + command, ExitCode.USAGE
        case click.Abort() | KeyboardInterrupt():
            return "", ExitCode.INTERRUPTED
        case click.ClickException():
            return _one_line(error.format_message()), ExitCode.FAILED
        case ConfigError():
            return _one_line(str(error)), ExitCode.USAGE
        case QuireError():
            return _one_line(str(error)), ExitCode.FAILED
        case _:
            what = _one_line(f"{type(error).__name__}: {error}").rstrip(": ")
            hint = "" if os.environ.get("QUIRE_DEBUG") else "; set QUIRE_DEBUG=1 to see where"
            return f"unexpected {what}{hint}", ExitCode.FAILED


def _one_line(text: str) -> str:
    return " ".join(text.split())
