"""Two runs over the same queries: what changed, by how much, and whether it is more than chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from quire_engine.errors import ConfigError
from quire_engine.evaluation.latency import latencies
from quire_engine.evaluation.resampling import intervals, p_values, resampled_means
from quire_engine.records import Comparison, Difference, DocumentMove, QueryChange, QueryResult

MAIN_MEASURE = "ndcg@10"
"""By which queries are said to have gained or lost."""
_TOP = 10
_SAME = 1e-9


class Judged(Protocol):
    """A query, asked or not yet."""

    @property
    def id(self) -> str: ...

    @property
    def text(self) -> str: ...

    @property
    def relevant(self) -> Mapping[str, float]: ...


def common_ids(then: Sequence[QueryResult], now: Sequence[Judged]) -> list[str]:
    """Ids of the queries that both have with the same text and judgements, in the order of ``now``.

    Raises `ConfigError` when there is none.
    """
    known = {result.id: result for result in then}
    same = [
        query.id
        for query in now
        if query.id in known
        and query.text == known[query.id].text
        and query.relevant == known[query.id].relevant
    ]
    if not same:
        raise ConfigError(
            "the saved run is one of other queries (none has the same id, text and judgements); "
            "compare with a run of this folder, made by `quire eval DIR --save FILE`"
        )
    return same


def compare(then: Sequence[QueryResult], now: Sequence[QueryResult]) -> Comparison:
    """What changed from ``then`` to ``now``, over the queries that both have.

    Each query is compared with itself: most of the variance of a measure is that between easy and hard
    queries, and drops out. Raises `ConfigError` when no query is common.
    """
    common = common_ids(then, now)
    before, after = ({result.id: result for result in run} for run in (then, now))
    pairs = [(before[identity], after[identity]) for identity in common]
    changes = [_change(*pair) for pair in pairs]
    changes.sort(key=lambda change: (change.now - change.then, change.id))
    return Comparison(
        len(common),
        len(now) - len(common),
        len(then) - len(common),
        differences([(then.measures, now.measures) for then, now in pairs], list(pairs[0][1].measures)),
        _latencies(pairs),
        tuple(changes),
    )


def differences(
    pairs: Sequence[tuple[Mapping[str, float], Mapping[str, float]]], names: Sequence[str]
) -> dict[str, Difference]:
    """What changed in each measure of ``names``, over the pairs (then, now) of which both have it."""
    alike: dict[tuple[int, ...], list[str]] = {}  # measures of the same pairs are resampled together
    for name in names:
        rows = tuple(row for row, (then, now) in enumerate(pairs) if name in then and name in now)
        if rows:
            alike.setdefault(rows, []).append(name)
    found: dict[str, Difference] = {}
    for rows, columns in alike.items():
        found |= _differences([pairs[row] for row in rows], columns)
    return {name: found[name] for name in names if name in found}


def _differences(
    pairs: Sequence[tuple[Mapping[str, float], Mapping[str, float]]], names: Sequence[str]
) -> dict[str, Difference]:
    old, new = (np.array([[pair[side][name] for name in names] for pair in pairs]) for side in (0, 1))
    change = new - old
    observed = change.mean(axis=0)
    means = resampled_means(change)
    columns = zip(names, intervals(means), p_values(means, observed), strict=True)
    return {
        name: Difference(
            then=float(old[:, column].mean()),
            now=float(new[:, column].mean()),
            difference=float(observed[column]),
            interval=interval,
            p=p,
            wins=int((change[:, column] > _SAME).sum()),
            ties=int((np.abs(change[:, column]) <= _SAME).sum()),
            losses=int((change[:, column] < -_SAME).sum()),
        )
        for column, (name, interval, p) in enumerate(columns)
    }


def _latencies(pairs: Sequence[tuple[QueryResult, QueryResult]]) -> dict[str, tuple[float, float]]:
    old, new = (latencies([pair[side].timings for pair in pairs]) for side in (0, 1))
    return {name: (old[name], new[name]) for name in new}


def _change(then: QueryResult, now: QueryResult) -> QueryChange:
    old, new = _ranks(then), _ranks(now)

    def move(document: str) -> DocumentMove:
        return DocumentMove(document, now.relevant.get(document, 0.0), old.get(document), new.get(document))

    first_then, first_now = list(old)[:_TOP], list(new)[:_TOP]
    return QueryChange(
        now.id,
        now.text,
        then.measures[MAIN_MEASURE],
        now.measures[MAIN_MEASURE],
        relevant=tuple(map(move, sorted(now.relevant, key=lambda document: -now.relevant[document]))),
        entered=tuple(move(document) for document in first_now if document not in first_then),
        left=tuple(move(document) for document in first_then if document not in first_now),
    )


def _ranks(result: QueryResult) -> dict[str, int]:
    return {document: rank for rank, (document, _) in enumerate(result.ranking, start=1)}
