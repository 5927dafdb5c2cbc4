"""Options and argument types that several commands share."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

OPERATORS = (
    "Within a question, tag:NAME, path:FOLDER, since:WHEN and before:WHEN restrict the search, "
    '-word leaves out passages with that word, "words" must stand together, and [[note]] names a note. '
    "Put such a question in single quotes: the shell has a meaning for some of these, too. "
    "Put -- before one that begins with -word."
)
"""What the help of a command that takes questions ends with."""


class Moment(click.ParamType[float]):
    """A point in time as Unix seconds: an ISO date or time, or an age (``7d``, ``2w``, ``3m``, ``1y``)."""

    name = "when"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, (int, float)):
            return float(value)
        from quire_engine.moments import moment

        try:
            return moment(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Condition(click.ParamType[tuple[str, str]]):
    """A ``property=value`` pair."""

    name = "property=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        name, equals, wanted = str(value).partition("=")
        if not equals or not name.strip():
            self.fail(
                f"{str(value)[:40]!r} has no '=': write it as property=value, as in status=done", param, ctx
            )
        return name.strip(), wanted.strip()


class Seconds(click.FloatRange):
    """A span of time; not a number and infinity, which are floats too, are none."""

    def __init__(self) -> None:
        super().__init__(min=0)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds = float(super().convert(value, param, ctx))
        if not math.isfinite(seconds):
            self.fail(f"{value!r} is no number of seconds; 0 is no limit", param, ctx)
        return seconds


class Folder(click.Path):
    """A path that was really given: the empty text of an unset variable would mean the current folder."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("the name of the folder is empty", param, ctx)
        return super().convert(value, param, ctx)


def vault_option(command: Decorated) -> Decorated:
    """``--vault``."""
    return click.option(
        "--vault",
        type=Folder(),
        metavar="FOLDER",
        help="The folder of notes. Default: QUIRE_VAULT, the settings, or the Obsidian vault around you.",
    )(command)


def colour_option(command: Decorated) -> Decorated:
    """``--color/--no-color``."""
    return click.option(
        "--color/--no-color",
        "colour",
        default=None,
        help="Colours, or none. Default: on a terminal, unless NO_COLOR is set; FORCE_COLOR forces them.",
    )(command)


def offline_option(command: Decorated) -> Decorated:
    """``--offline``, which `is_offline` tells of, wherever in the call it stands."""
    return click.option(
        "--offline",
        is_flag=True,
        expose_value=False,
        callback=_note_offline,
        help="Use no network. Only 'models pull' does, and then refuses. Also: QUIRE_OFFLINE=1.",
    )(command)


_OFFLINE = "quire.offline"


def _note_offline(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        context.meta[_OFFLINE] = True


def is_offline(context: click.Context) -> bool:
    """Whether ``--offline`` was given."""
    return _OFFLINE in context.meta


def json_option(command: Decorated) -> Decorated:
    """``--json`` for commands that have no other format for scripts."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command)


def query_options(command: Decorated) -> Decorated:
    """What ``search`` and ``ask`` have in common, `filter_options` included."""
    for option in reversed(
        [
            click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
            click.option("--jsonl", "as_lines", is_flag=True, help="Print JSON lines, as results come."),
            click.option(
                "--batch",
                type=click.Path(dir_okay=False, allow_dash=True),
                metavar="FILE|-",
                help='Take questions from a file or stdin, one a line: plain text, or {"id": …, "text": …}. '
                "Prints one JSON line per question, in order, and exits with the gravest outcome "
                "(2, 1, 5, 3, 4, 0).",
            ),
            click.option(
                "-n",
                "--limit",
                type=click.IntRange(1, 1000),
                default=10,
                show_default=True,
                help="The most passages to find.",
            ),
            click.option(
                "--explain",
                is_flag=True,
                help="Show how the question was understood, how each score came about and, of an answer, "
                "what was read for it and why.",
            ),
            click.option(
                "--no-sync", is_flag=True, help="Use the index as it is; do not look for changes first."
            ),
            click.option(
                "--fresh",
                is_flag=True,
                help="Wait until every change is indexed, meaning included, however long it takes.",
            ),
            click.option(
                "--no-daemon",
                is_flag=True,
                envvar="QUIRE_NO_DAEMON",
                help="Answer in this process, without the background engine. Also: QUIRE_NO_DAEMON=1.",
            ),
        ]
    ):
        command = option(command)
    return filter_options(command)


def budget_options(command: Decorated) -> Decorated:
    """``--max-waves``, ``--budget-tokens`` and ``--budget-seconds``; ``None`` where one is not given."""
    for option in reversed(
        [
            click.option(
                "--max-waves",
                type=click.IntRange(min=0),
                metavar="N",
                help="The most times that further passages are loaded while what was read is not enough, the "
                "first time included. 0: as many as the kind of question calls for. "
                "Default: answer.max_waves of the settings.",
            ),
            click.option(
                "--budget-tokens",
                type=click.IntRange(min=0),
                metavar="N",
                help="The most tokens of passages that are read for an answer. 0: no limit. "
                "Default: answer.budget_tokens.",
            ),
            click.option(
                "--budget-seconds",
                type=Seconds(),
                metavar="S",
                help="Load no further passages after so many seconds. 0: no limit. "
                "Default: answer.budget_seconds.",
            ),
        ]
    ):
        command = option(command)
    return command


def looking_first(no_sync: bool, fresh: bool) -> dict[str, bool]:
    """What ``--no-sync`` and ``--fresh`` ask for, as part of an inquiry; `click.UsageError` for both."""
    if no_sync and fresh:
        raise wrong_usage("--fresh waits for changes and --no-sync does not look for any; give one of them")
    return {"sync": not no_sync, "fresh": fresh}


def wrong_usage(message: str) -> click.UsageError:
    """The error to raise for a wrong call of the running command."""
    return click.UsageError(message, click.get_current_context(silent=True))


def whole(text: str) -> str:
    """``text`` with what is no character (bytes that were not UTF-8, halves of surrogate pairs) as U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def filter_options(command: Decorated) -> Decorated:
    """``--topic``, ``--prefer``, ``--tag``, ``--since``, ``--before`` and ``--where``; see `filters`."""
    for option in reversed(
        [
            click.option(
                "--topic",
                "--in",
                "folders",
                multiple=True,
                metavar="FOLDER",
                help="Only notes in this folder of the vault. May be repeated: any of them.",
            ),
            click.option(
                "--prefer",
                multiple=True,
                metavar="FOLDER",
                help="Look in this folder first, and everywhere when it holds too little. May be repeated.",
            ),
            click.option(
                "--tag",
                "tags",
                multiple=True,
                metavar="TAG",
                help="Only notes with this tag (or one below it). May be repeated: all of them.",
            ),
            click.option(
                "--since",
                type=Moment(),
                metavar="WHEN",
                help="Only notes changed then or later: 2024-05-31, 7d, 2w, 3m, 1y.",
            ),
            click.option("--before", type=Moment(), metavar="WHEN", help="Only notes changed before then."),
            click.option(
                "--where",
                type=Condition(),
                multiple=True,
                metavar="PROPERTY=VALUE",
                help="Only notes with this property. May be repeated: all of them.",
            ),
        ]
    ):
        command = option(command)
    return command


def filters(
    folders: tuple[str, ...],
    tags: tuple[str, ...],
    since: float | None,
    before: float | None,
    where: tuple[tuple[str, str], ...],
    prefer: tuple[str, ...] = (),
) -> dict[str, Any]:
    """The filter that the options of `filter_options` ask for, as part of an inquiry.

    The vault as a folder restricts nothing, and prefers nothing.
    """
    return {
        "folders": _named(folders),
        "prefer": _named(prefer),
        "tags": [whole(tag).lstrip("#") for tag in tags],
        "since": since,
        "before": before,
        "where": [[whole(name), whole(value)] for name, value in where],
    }


def _named(folders: tuple[str, ...]) -> list[str]:
    names = (folder.replace("\\", "/").removeprefix("./").strip("/") for folder in folders)
    return [whole(name) for name in names if name not in ("", ".")]
