"""The only writer of stdout: results, for people or as JSON, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import Any, TextIO

import click

from quire.cli.terminal import Flow, Palette, inert_json, inert_lines, is_terminal, wants_colour

_MEASURE = 100
"""Prose wider than this is hard to read, however wide the terminal is."""


class ReaderGone(Exception):
    """Whoever read stdout has closed it; there is nothing left to do, and nothing to complain about."""


class Output:
    """Where a command's results go. Every write is flushed: a reader sees a result when it exists."""

    def __init__(self, colour: bool | None = None, stream: TextIO | None = None) -> None:
        """``stream`` is stdout when not given. Raises `click.ClickException` when that is closed."""
        open_stream: TextIO | None = stream or sys.stdout
        if open_stream is None:
            raise click.ClickException("stdout is closed: there is nowhere to write results to")
        self._stream = open_stream
        self.terminal = is_terminal(self._stream)
        self.palette = Palette(wants_colour(self._stream, colour))
        self.plain = (getattr(self._stream, "encoding", None) or "utf-8").lower() not in ("utf-8", "utf8")
        """Whether what is written should keep to ASCII, as far as it is Quire's to choose."""
        self._flow = Flow(self.width)

    @property
    def width(self) -> int:
        """Columns for prose: those of the terminal within reason, or a fixed measure when there is none."""
        columns = shutil.get_terminal_size((_MEASURE, 24)).columns if self.terminal else _MEASURE
        return max(20, min(columns, _MEASURE))

    def line(self, text: str = "") -> None:
        """One line for people. What comes from notes must be inert by now; colours may be in it."""
        self._write(text + "\n")

    def piece(self, text: str) -> None:
        """The next piece of a text that arrives bit by bit; made inert, and wrapped on a terminal."""
        text = inert_lines(text)
        self._write(self._flow.feed(text) if self.terminal else text)

    def end(self) -> None:
        """End a text that came in pieces."""
        self._write(self._flow.finish() + "\n")

    def json(self, value: Any) -> None:
        """One JSON document on one line."""
        document = json.dumps(value, ensure_ascii=self.plain)
        self._write(inert_json(document) + "\n")

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except BrokenPipeError as error:
            _abandon()
            raise ReaderGone from error
        except OSError as error:
            _abandon()
            raise click.ClickException(f"cannot write the results: {error.strerror}") from error


def prepare() -> None:
    """Make stdout take any text: what its encoding lacks is escaped instead of raising."""
    for_people = getattr(sys.stdout, "reconfigure", None)
    if for_people is not None:
        for_people(errors="backslashreplace")


def _abandon() -> None:
    """Nothing can be written to stdout any more: drop what is still buffered, so that leaving stays quiet."""
    try:
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, sys.stdout.fileno())
        os.close(descriptor)
    except (OSError, ValueError):
        return
