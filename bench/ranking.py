"""``scripts/bench ranking DIR…``: fits the weights of the signals that rank candidates.

Coordinate ascent (Metzler, Croft: Linear Feature-Based Models for Information Retrieval, 2007) on nDCG@10
itself, averaged over the sets so that a large one counts no more than a small; the weights are the mean of
fits to random parts of the queries (bagging), so that no few queries decide. Beside the fit it prints what is
to be expected elsewhere: fits to some queries tried on the others, and fits to some sets tried on the one
that was left out.
"""

from __future__ import annotations

import argparse
import os
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.workshop import Options, open_workshop
from quire_engine import Engine, Settings, read_queries
from quire_engine.evaluation.judgements import spread
from quire_engine.evaluation.runner import Ranker
from quire_engine.retrieval.ranking import learned

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]

FITTED = ("dense", "keyword", "vouched", "proximity", "rarest", "named")
"""Each with a weight for questions that the embedding model can read, and one for others."""
_DEPTH = 10
_STEPS = (0.3, 0.1, 0.03)
_LEAST_GAIN = 2e-5
_BAGS = 12
_SHARE = 0.6
"""Of the queries, in each bag."""
_FOLDS = 3


@dataclass(frozen=True, slots=True)
class Judged:
    """The candidates of one query of a set."""

    values: Doubles
    """Shape (candidates, 2 * signals): read and unread share of each signal."""
    document: NDArray[np.intp]
    """The row of each candidate's document in ``grades``, ascending; candidates of none are left out."""
    grades: Doubles
    ideal: float
    """The gain of the best order of all relevant documents, found or not."""


class Sets:
    """All queries of all sets, laid out for measuring many weights."""

    def __init__(self, queries: Sequence[Sequence[Judged]]) -> None:
        flat = [query for queries_of_set in queries for query in queries_of_set]
        self.set_of = np.repeat(np.arange(len(queries)), [len(part) for part in queries])
        self.number = np.concatenate([np.arange(len(part)) for part in queries])
        """Of the query in its set."""
        self.values = np.concatenate([query.values for query in flat])
        widest = max(len(query.grades) for query in flat)
        self._gains = np.zeros((len(flat), widest))
        self._ideal = np.array([query.ideal for query in flat])
        rows, columns, starts, begin = [], [], [], 0
        for row, query in enumerate(flat):
            self._gains[row, : len(query.grades)] = query.grades
            first = np.searchsorted(query.document, np.arange(len(query.grades)))
            starts.append(begin + first)
            begin += len(query.document)
            rows.append(np.full(len(query.grades), row))
            columns.append(np.arange(len(query.grades)))
        self._starts = np.concatenate(starts)
        self._place = np.concatenate(rows), np.concatenate(columns)
        self._scores = np.full((len(flat), widest), -np.inf)
        self._discount = 1 / np.log2(np.arange(2, _DEPTH + 2))

    def ndcg(self, totals: Doubles) -> Doubles:
        """nDCG@10 of each query, when candidates have these ``totals``."""
        self._scores[self._place] = np.maximum.reduceat(totals, self._starts)
        depth = min(_DEPTH, self._scores.shape[1])
        top = np.argpartition(-self._scores, depth - 1, axis=1)[:, :depth]
        found = np.take_along_axis(self._scores, top, axis=1)
        top = np.take_along_axis(top, np.argsort(-found, axis=1, kind="stable"), axis=1)
        gains = np.take_along_axis(self._gains, top, axis=1)
        result: Doubles = gains @ self._discount[:depth] / self._ideal
        return result

    def by_set(self, values: Doubles, chosen: NDArray[np.bool_] | None = None) -> Doubles:
        """The mean of each set that any ``chosen`` query is of."""
        chosen = np.ones(len(values), bool) if chosen is None else chosen
        counts = np.bincount(self.set_of[chosen])
        return np.bincount(self.set_of[chosen], values[chosen])[counts > 0] / counts[counts > 0]

    def fit(self, start: Doubles, chosen: NDArray[np.bool_]) -> Doubles:
        """The weights that are best for the ``chosen`` queries, from ``start`` on; none is below 0."""
        weights = start.copy()
        totals = self.values @ weights
        best = self.by_set(self.ndcg(totals), chosen).mean()
        for step in _STEPS:
            moved = True
            while moved:
                moved = False
                for signal in range(len(weights)):
                    for change in (step, -step):
                        if weights[signal] + change < 0:
                            continue
                        tried = totals + change * self.values[:, signal]
                        value = self.by_set(self.ndcg(tried), chosen).mean()
                        if value > best + _LEAST_GAIN:
                            best, totals, moved = value, tried, True
                            weights[signal] += change
        return weights

    def bagged(self, start: Doubles, chosen: NDArray[np.bool_], bags: int = _BAGS) -> Doubles:
        """The mean of fits to random parts of the ``chosen`` queries, scaled so that two weights add to 1.

        Fits that have neither of the two are not scaled; without chosen queries it is ``start``.
        """
        random = np.random.default_rng(0)
        fits = []
        for _ in range(bags):
            part = chosen & (random.random(len(chosen)) < _SHARE)
            weights = self.fit(start, part if part.any() else chosen) if chosen.any() else start
            fits.append(weights / ((weights[0] + weights[2]) or 1.0))
        mean: Doubles = np.mean(fits, axis=0)
        return mean


def main(arguments: Sequence[str] | None = None) -> int:
    """Collect the signals, fit, and print."""
    chosen = _parser().parse_args(arguments)
    keep = None if chosen.keep is None else chosen.keep.absolute()
    with open_workshop(Options()):
        if keep is not None:
            os.environ["QUIRE_DATA_DIR"] = str(keep)
        queries = [collected(folder, chosen.limit) for folder in chosen.sets]
    if chosen.dump is not None:
        chosen.dump.write_bytes(pickle.dumps(queries))
    report([folder.name for folder in chosen.sets], Sets(queries))
    return 0


def collected(folder: Path, limit: int | None) -> list[Judged]:
    """What competes for each judged query of ``folder``."""
    found = []
    everything = Settings.model_validate({"retrieval": {"weights": {"links": 0.0}}})
    with Engine.open(folder / "vault", everything) as engine:
        engine.sync()
        judged = spread(read_queries(folder), limit)
        ranker = Ranker(engine, any("#^" in name for query in judged for name in query.grades))
        for query in judged:
            considered = engine.considered(query.text)
            if considered is None:
                continue
            columns = {column.name: column.values for column in considered.ranking.columns}
            empty = np.zeros(len(considered.ranking.ids))
            signals = np.stack([columns.get(name, empty) for name in FITTED], axis=1)
            trust = considered.trust
            values = np.stack([signals * trust, signals * (1 - trust)], axis=2).reshape(len(signals), -1)
            names = [ranker.document(considered.hits[chunk]) for chunk in considered.ranking.ids]
            known = {name: row for row, name in enumerate(sorted({name for name in names if name}))}
            document = np.array([known.get(name or "", -1) for name in names])
            order = np.argsort(document, kind="stable")
            order = order[document[order] >= 0]
            grades = np.array([max(0.0, query.grades.get(name, 0.0)) for name in known])
            gains = sorted((grade for grade in query.grades.values() if grade > 0), reverse=True)[:_DEPTH]
            ideal = sum(gain / np.log2(rank + 2) for rank, gain in enumerate(gains))
            found.append(Judged(values[order], document[order], grades, ideal))
    return found


def report(names: Sequence[str], sets: Sets) -> None:
    """Print the fit, what it promises elsewhere, and the weights as `ranking.toml` has them."""
    present = np.array([part for name in FITTED for part in (learned()[name].read, learned()[name].unread)])
    everything = np.ones(len(sets.set_of), bool)
    fit = sets.bagged(present, everything)

    def tried(weights: Doubles) -> Doubles:
        return sets.ndcg(sets.values @ weights)

    folds = [sets.number % _FOLDS == fold for fold in range(_FOLDS)]
    left_out = [sets.set_of == one for one in range(len(names))] if len(names) > 1 else []
    print(f"{'nDCG@10':<34}", *(f"{name[:10]:>10}" for name in [*names, "mean"]))
    line = _liner(sets)
    line("weights in use", tried(present))
    line("fitted to all", tried(fit))
    line("fitted to other queries", _crossed(sets, present, folds))
    if left_out:
        line("fitted to other sets", _crossed(sets, present, left_out))
    for place, name in enumerate(FITTED):
        without = fit.copy()
        without[2 * place : 2 * place + 2] = 0
        line(f"fitted, without {name}", tried(without))
    print("\n[weights]")
    for place, name in enumerate(FITTED):
        print(f"{name} = [{fit[2 * place]:.2f}, {fit[2 * place + 1]:.2f}]")


def _crossed(sets: Sets, start: Doubles, parts: Sequence[NDArray[np.bool_]]) -> Doubles:
    """nDCG@10 of each query with weights that were fitted to the queries of all other ``parts``."""
    found = np.zeros(len(sets.set_of))
    for part in parts:
        found[part] = sets.ndcg(sets.values @ sets.bagged(start, ~part, _BAGS // 2))[part]
    return found


def _liner(sets: Sets) -> Callable[[str, Doubles], None]:
    def line(title: str, values: Doubles) -> None:
        means = sets.by_set(values)
        print(f"{title:<34}", *(f"{value:>10.4f}" for value in [*means, means.mean()]), flush=True)

    return line


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/bench ranking",
        description="Fits the weights of the signals that rank candidates to judged sets, cross-validated.",
    )
    add = parser.add_argument
    add("sets", nargs="+", type=Path, metavar="DIR", help="holds vault/, queries.jsonl and qrels.tsv")
    add("--limit", type=int, metavar="N", help="ask only so many questions of a set, evenly spread")
    add("--keep", type=Path, metavar="DIR", help="keep the indexes here, and use those that are here already")
    add("--dump", type=Path, metavar="FILE", help="write the collected signals to FILE (a pickle)")
    return parser
