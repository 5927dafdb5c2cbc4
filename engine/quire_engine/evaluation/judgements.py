"""Judged queries: what is asked, and what should be found."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from quire_engine.errors import ConfigError

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Query:
    id: str
    text: str
    grades: Mapping[str, float]
    """By note path, or by ``path#^block``; only grades above 0 are relevant."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """What else its line says (``lang``, ``group``), by which measures can be told apart."""

    @property
    def relevant(self) -> dict[str, float]:
        """The grades above 0."""
        return {document: grade for document, grade in self.grades.items() if grade > 0}


def spread(items: Sequence[_Item], limit: int | None) -> list[_Item]:
    """``limit`` of ``items`` at even distances, in order; all of them when there are no more."""
    if limit is None or limit >= len(items):
        return list(items)
    return [items[n * len(items) // limit] for n in range(limit)]


def read_queries(folder: Path) -> list[Query]:
    """The judged queries of ``folder`` (queries.jsonl, qrels.tsv), in the order of queries.jsonl.

    Queries without a relevant judgement are left out. Raises `ConfigError` for files that cannot be read, and
    for ids that stand there twice.
    """
    grades: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for number, line in _lines(folder / "qrels.tsv"):
        fields = line.split("\t")
        if number == 1 and fields[0] == "query_id":
            continue
        try:
            identity, document, grade = fields
            grades[identity][document] = float(grade)
        except ValueError as error:
            raise ConfigError(
                f"{folder / 'qrels.tsv'}, line {number}: expected query, document and grade between tabs"
            ) from error
    queries: dict[str, Query] = {}
    expected = '{"id": …, "text": …}'
    for number, entry in json_lines(folder / "queries.jsonl", expected):
        try:
            identity, text = str(entry.pop("id")), str(entry.pop("text"))
        except KeyError as error:
            raise ConfigError(f"{folder / 'queries.jsonl'}, line {number}: expected {expected}") from error
        if identity in queries:
            raise ConfigError(
                f"{folder / 'queries.jsonl'}, line {number}: the id {identity!r} is taken already"
            )
        others = {name: str(value) for name, value in entry.items() if isinstance(value, str | int | float)}
        queries[identity] = Query(identity, text, grades.get(identity, {}), others)
    judged = [query for query in queries.values() if query.relevant]
    if not judged:
        raise ConfigError(f"{folder} holds no query with a relevant judgement")
    return judged


def json_lines(path: Path, expected: str) -> Iterable[tuple[int, dict[str, Any]]]:
    """(line number, object) of the lines of ``path``; raises `ConfigError` for one that is no object."""
    for number, line in _lines(path):
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            entry = None
        if not isinstance(entry, dict):
            raise ConfigError(f"{path}, line {number}: expected {expected}")
        yield number, entry


def _lines(path: Path) -> Iterable[tuple[int, str]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    return [(n, line) for n, line in enumerate(text.split("\n"), start=1) if line.strip()]
