"""The order of candidates: a sum of weighted signals, with the weights of `ranking.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from quire_engine.errors import ConfigError
from quire_engine.records import Signal

if TYPE_CHECKING:
    from quire_engine.retrieval.candidates import Scores


@dataclass(frozen=True, slots=True)
class Weight:
    """What a signal counts, by how far the embedding model can read the question."""

    read: float
    """For a question that it can read."""
    unread: float
    """For one that it cannot."""

    def at(self, trust: float) -> float:
        """Between the two, by `quire_engine.analysis.reading_trust`."""
        return trust * self.read + (1 - trust) * self.unread


@cache
def learned() -> Mapping[str, Weight]:
    """The weights by the name of the signal."""
    values = tomllib.loads(Path(__file__).with_name("ranking.toml").read_text(encoding="utf-8"))
    return {name: Weight(float(read), float(unread)) for name, (read, unread) in values["weights"].items()}


def weights_at(trust: float, overrides: Mapping[str, float]) -> dict[str, float]:
    """The weight of each signal for a question, by its reading trust; ``overrides`` replace some of them.

    Raises `ConfigError` for an override of a signal that there is not.
    """
    known = learned()
    if unknown := overrides.keys() - known.keys():
        raise ConfigError(
            f"setting 'retrieval.weights': there is no signal {sorted(unknown)[0]!r}; "
            f"the signals are {', '.join(sorted(known))}"
        )
    return {name: overrides.get(name, weight.at(trust)) for name, weight in known.items()}


@dataclass(frozen=True, slots=True)
class Column:
    """One signal of all candidates."""

    name: str
    weight: float
    values: Scores
    """Shape (rows,), what is multiplied with the weight."""
    raw: Scores
    """The same in the signal's own unit."""
    ranks: Mapping[int, int]
    """The place in the signal's list by chunk id."""


class Ranking:
    """The scores of candidates as they come about, signal by signal."""

    def __init__(self, ids: Sequence[int]) -> None:
        self.ids = tuple(ids)
        self.totals: Scores = np.zeros(len(self.ids))
        """The sum of all that was added, shape (rows,)."""
        self.columns: list[Column] = []

    def add(
        self,
        name: str,
        weight: float,
        values: Scores,
        *,
        raw: Scores | None = None,
        ranks: Mapping[int, int] | None = None,
    ) -> None:
        """Add ``weight`` times ``values``, a row each.

        ``raw`` are the values in the signal's own unit, ``ranks`` the places of chunk ids in its list.
        """
        self.columns.append(Column(name, weight, values, values if raw is None else raw, ranks or {}))
        self.totals = self.totals + weight * values

    def signals(self, row: int) -> tuple[Signal, ...]:
        """What the score of a row is the sum of; signals that found it but added nothing are among them."""
        chunk = self.ids[row]
        return tuple(
            Signal(
                column.name,
                column.ranks.get(chunk, 0),
                float(column.raw[row]),
                column.weight,
                float(column.weight * column.values[row]),
            )
            for column in self.columns
            if column.weight and (column.values[row] or chunk in column.ranks)
        )

    def order(self) -> list[int]:
        """The rows, best first; ties go to the smaller id, so that the order is stable."""
        rows: list[int] = np.lexsort((np.array(self.ids, np.int64), -self.totals)).tolist()
        return rows
