"""The properties at the top of a note: YAML, read at a bounded price into JSON-safe values.

Plain scalars follow YAML 1.2, as in Obsidian (``no`` and ``12:30`` are text, ``01234`` keeps its zero), and
dates become ISO strings. Tags such as ``!!python/object`` are never acted on.
"""

from __future__ import annotations

import datetime
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import yaml

from quire_engine.vault.inline import MAX_FINDINGS

_MAX_CHARACTERS = 64 * 1024
_MAX_DEPTH = 40
_MAX_NODES = 20_000

_OPENING = re.compile(r"---[ \t]*(?:\n|$)")
_CLOSING = re.compile(r"^(?:---|\.\.\.)[ \t]*$", re.MULTILINE)
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_ZERO_FIRST = re.compile(r"[-+]?0[0-9]")
_DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}")
_TIME = re.compile(
    r"(\d{4}-\d{1,2}-\d{1,2})(?:[Tt]|[ \t]+)(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?"
    r"[ \t]*(Z|[-+]\d{1,2}(?::?\d{2})?)?",
)
_WORDS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULLS = ("", "~", "null", "Null", "NULL")
_MODIFIED = (
    "modified", "updated", "date modified", "last modified", "last_modified", "lastmod",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """What stands between the first line ``---`` of a text and the next ``---`` or ``...``."""

    end: int
    """The offset after the closing line, without its newline."""
    properties: Mapping[str, object]
    warnings: tuple[str, ...] = ()


class _BadPropertiesError(Exception):
    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.line = line


def read(text: str) -> FrontMatter | None:
    """The front matter of a note's text, or ``None`` when it has none.

    What cannot be read gives no properties and a warning that names the line.
    """
    opening = _OPENING.match(text)
    if opening is None:
        return None
    closing = _CLOSING.search(text, opening.end())
    if closing is None:
        return None
    source = text[opening.end() : closing.start()]
    try:
        if len(source) > _MAX_CHARACTERS:
            raise _BadPropertiesError(f"larger than {_MAX_CHARACTERS // 1024} KiB")
        return FrontMatter(closing.end(), _Reader(source).properties())
    except _BadPropertiesError as error:
        where = "line 1" if error.line is None else f"line {error.line + 2}"
        return FrontMatter(closing.end(), {}, (f"{where}: the properties cannot be read: {error}",))


def title(properties: Mapping[str, object]) -> str | None:
    """The ``title`` property on one line, when it is text."""
    value = _get(properties, "title")
    return (" ".join(value.split()) or None) if isinstance(value, str) else None


def tags(properties: Mapping[str, object]) -> list[str]:
    """The tags among the properties, without ``#``; a string holds several, split at commas and spaces."""
    found: list[str] = []
    for value in (_get(properties, "tags"), _get(properties, "tag")):
        for text in _texts(value):
            found.extend(part.strip("#/") for part in re.split(r"[,\s]+", text))
    return [tag for tag in found if tag][:MAX_FINDINGS]


def aliases(properties: Mapping[str, object]) -> tuple[str, ...]:
    """The other names of the note; a string holds several, split at commas."""
    found: dict[str, None] = {}
    for value in (_get(properties, "aliases"), _get(properties, "alias")):
        texts = value.split(",") if isinstance(value, str) else _texts(value)
        found.update(dict.fromkeys(" ".join(text.split()) for text in texts))
    return tuple(alias for alias in found if alias)


def modified(properties: Mapping[str, object]) -> float | None:
    """Unix seconds of the first modification (else creation) date among the properties; UTC without zone."""
    for name in _MODIFIED:
        value = _get(properties, name)
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, str) and (moment := _moment(value.strip().strip("[]"))):
            return moment.timestamp()
    return None


def _get(properties: Mapping[str, object], name: str) -> object:
    if name in properties:
        return properties[name]
    return next((value for key, value in properties.items() if key.lower() == name), None)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            if not isinstance(item, (list, dict)):
                yield from _texts(item)
    elif isinstance(value, str):
        yield value
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield str(value)


class _Reader:
    """Builds values from YAML events, so that depth, size and the cost of aliases are in its hands."""

    def __init__(self, source: str) -> None:
        loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
        # A character that YAML forbids is no reason to lose the other properties.
        self._events = yaml.parse(_FORBIDDEN.sub("\ufffd", source), Loader=loader)
        self._nodes = 0
        self._anchors: dict[str, tuple[object, int]] = {}

    def properties(self) -> dict[str, object]:
        try:
            return self._document()
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            reason = getattr(error, "problem", None) or "it is not YAML"
            raise _BadPropertiesError(str(reason), getattr(mark, "line", None)) from error
        except (ValueError, RecursionError) as error:
            raise _BadPropertiesError("it is not YAML") from error

    def _document(self) -> dict[str, object]:
        for event in self._events:
            if isinstance(event, yaml.NodeEvent):
                value = self._value(event, 0)
                # An error further down must show, too.
                for _ in self._events:
                    pass
                if value is None:
                    return {}
                if not isinstance(value, dict):
                    raise _BadPropertiesError("it is not a list of names and values")
                return value
        return {}

    def _value(self, event: yaml.Event, depth: int) -> object:
        line = event.start_mark.line if event.start_mark else None
        if depth > _MAX_DEPTH:
            raise _BadPropertiesError("nested too deeply", line)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise _BadPropertiesError(f"the alias *{event.anchor} has no value yet", line)
            value, size = self._anchors[event.anchor]
            self._count(size, line)
            return value
        before = self._nodes
        self._count(1, line)
        built: object = None
        if isinstance(event, yaml.ScalarEvent):
            built = _scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            items: list[object] = []
            while not isinstance(item := next(self._events), yaml.SequenceEndEvent):
                items.append(self._value(item, depth + 1))
            built = items
        elif isinstance(event, yaml.MappingStartEvent):
            built = self._mapping(depth)
        if anchor := getattr(event, "anchor", None):
            self._anchors[anchor] = (built, self._nodes - before)
        return built

    def _mapping(self, depth: int) -> dict[str, object]:
        found: dict[str, object] = {}
        merged: list[object] = []
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if isinstance(event, yaml.ScalarEvent):
                self._value(event, depth + 1)
                key = _clean(event.value)
                is_merge = key == "<<" and event.implicit[0]
            else:
                written = self._value(event, depth + 1)
                key = written if isinstance(written, str) else json.dumps(written, ensure_ascii=False)
                is_merge = False
            value = self._value(next(self._events), depth + 1)
            if is_merge:
                merged.extend(value if isinstance(value, list) else [value])
            else:
                found[key] = value
        for base in merged:
            if isinstance(base, dict):
                found = {**base, **found}
        return found

    def _count(self, nodes: int, line: int | None) -> None:
        self._nodes += nodes
        if self._nodes > _MAX_NODES:
            raise _BadPropertiesError(f"more than {_MAX_NODES:,} values", line)


def _clean(value: str) -> str:
    if value.isascii() and "\0" not in value:
        return value
    return value.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")


def _scalar(event: yaml.ScalarEvent) -> object:
    value = _clean(event.value)
    if not event.implicit[0]:
        return value
    if value in _NULLS:
        return None
    if value in _WORDS:
        return _WORDS[value]
    if value[0] not in "+-.0123456789":
        return value
    if _INTEGER.fullmatch(value):
        return int(value)
    if _FLOAT.fullmatch(value) and not _ZERO_FIRST.match(value) and not value.lstrip("+-").isdigit():
        number = float(value)
        return number if math.isfinite(number) else value
    if moment := _moment(value):
        is_day = _DATE.fullmatch(value) is not None
        return moment.date().isoformat() if is_day else _iso(moment, value)
    return value


def _iso(moment: datetime.datetime, written: str) -> str:
    match = _TIME.fullmatch(written)
    return (moment if match and match[6] else moment.replace(tzinfo=None)).isoformat()


def _moment(written: str) -> datetime.datetime | None:
    """The date or time of a YAML timestamp or an ISO string, in UTC when it names no zone."""
    try:
        if _DATE.fullmatch(written):
            year, month, day = map(int, written.split("-"))
            return datetime.datetime(year, month, day, tzinfo=datetime.UTC)
        if match := _TIME.fullmatch(written):
            year, month, day = map(int, match[1].split("-"))
            hour, minute, second = (int(part or 0) for part in match.group(2, 3, 4))
            micro = int((match[5] or "").ljust(6, "0")[:6])
            return datetime.datetime(year, month, day, hour, minute, second, micro, tzinfo=_zone(match[6]))
    except (ValueError, OverflowError):
        pass
    return None


def _zone(written: str | None) -> datetime.timezone:
    if written in (None, "Z"):
        return datetime.UTC
    digits = written[1:].replace(":", "")
    hours, minutes = (int(digits), 0) if len(digits) <= 2 else (int(digits[:-2]), int(digits[-2:]))
    offset = datetime.timedelta(hours=hours, minutes=minutes)
    return datetime.timezone(-offset if written[0] == "-" else offset)
