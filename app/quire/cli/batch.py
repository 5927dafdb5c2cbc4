"""Many questions in one run: one a line in, one JSON line each out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quire.cli.diagnostics import ExitCode, explain, worst
from quire.cli.options import whole, wrong_usage
from quire.cli.session import Session
from quire_engine.errors import QuireError


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a batch."""

    id: Any
    """As given; the line's number when there was none."""
    text: str


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that holds no question, and why."""

    number: int
    reason: str


def one_question(words: tuple[str, ...], batch: str | None, as_json: bool, as_lines: bool) -> str | None:
    """The question on the command line, or ``None`` when questions come as a batch.

    Raises `click.UsageError` for both, neither, an empty question, or two formats at once.
    """
    if as_json and as_lines:
        raise wrong_usage("--json and --jsonl exclude each other")
    question = whole(" ".join(words)).strip()
    if batch is not None:
        if words:
            raise wrong_usage("give a question or --batch, not both")
        return None
    if not question:
        what = "the question is empty" if words else "no question: write one, or give --batch FILE"
        raise wrong_usage(what)
    return question


def parse(lines: Iterable[bytes]) -> Iterator[Question | BadLine]:
    """The questions in ``lines``: JSON objects with ``text`` and perhaps ``id``, or plain text.

    Blank lines are skipped.
    """
    for number, raw in enumerate(lines, start=1):
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            if line:
                yield _question(number, line)
        except UnicodeDecodeError:
            yield BadLine(number, "not UTF-8")


def _question(number: int, line: str) -> Question | BadLine:
    if not line.startswith("{"):
        return Question(number, line)
    try:
        item = json.loads(line)
    except (ValueError, RecursionError) as error:
        return BadLine(number, f"not JSON ({str(error)[:80]})")
    text = item.get("text")
    if not isinstance(text, str) or not text.strip():
        return BadLine(number, 'no question: "text" must be a string that is not empty')
    identity = item.get("id")
    return Question(number if identity is None else identity, whole(text).strip())


def run(
    session: Session, source: str, schema: str, respond: Callable[[str], tuple[dict[str, Any], ExitCode]]
) -> ExitCode:
    """Answer every question of ``source`` (a file, or ``-`` for stdin) as it is read, and print it at once.

    A question that fails gets a line with ``error`` instead of results, and a line that is no question one on
    stderr; the others go on. The gravest outcome is returned.
    """
    outcome = ExitCode.DONE
    with nullcontext(sys.stdin.buffer) if source == "-" else _opened(source) as lines:
        for item in parse(lines):
            if isinstance(item, BadLine):
                session.diagnostics.error(f"line {item.number}: {item.reason}")
                outcome = worst((outcome, ExitCode.USAGE))
                continue
            try:
                record, code = respond(item.text)
            except QuireError as error:
                message, code = explain(error)
                session.diagnostics.error(f"question {item.id}: {message}")
                record = {"error": message}
            session.output.json({"schema": schema, "id": item.id, **record})
            outcome = worst((outcome, code))
    return outcome


def _opened(source: str) -> Any:
    try:
        return Path(source).open("rb")
    except OSError as error:
        raise wrong_usage(f"cannot read {source}: {error.strerror}") from error
