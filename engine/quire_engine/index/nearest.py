"""The nearest vectors to a query: small indexes are scanned whole, large ones shard by shard."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from quire_engine.index import routing
from quire_engine.index.rebalance import WHOLE
from quire_engine.index.vector_schema import TABLE, is_there
from quire_engine.index.vectors import embeddings

if TYPE_CHECKING:
    import apsw
    from numpy.typing import NDArray

    from quire_engine.index.shards import ShardCache, ShardMap
    from quire_engine.interfaces import FloatArray

_MOST = 4096
"""The most neighbours that vec0 returns."""
_DEPTH = 100
"""Neighbours that decide how far a query goes, even when fewer are asked for: a few alone say little."""
_FEW = 20_000
"""The most vectors that are compared one by one when a filter leaves no more."""
_FEW_SHARE = 0.03
"""Reading one row by its id costs as much as scanning past thirty."""
_MOST_SHARE = 0.8

Found = list[tuple[int, float]]


def nearest(
    db: apsw.Connection,
    cache: ShardCache,
    query: FloatArray,
    limit: int,
    among: Sequence[int] | None = None,
    *,
    whole: int = WHOLE,
) -> Found:
    """(chunk id, cosine similarity) of the nearest chunks, best first; those ``among`` some, if given.

    Exact up to ``whole`` vectors; beyond, of the neighbours that an exact scan finds at least 98 % on
    average (see `quire_engine.index.routing`). To be called inside a transaction: rows move between shards.
    """
    if limit < 1:
        return []
    shards = cache.at(db)
    if not is_there(db):
        return []
    unit = (query / max(float(np.linalg.norm(query)), 1e-12)).astype(np.float32)
    limit = min(limit, _MOST)
    if among is None:
        return _nearest(db, shards, unit, limit, whole)
    if len(among) <= min(_FEW, _FEW_SHARE * shards.total):
        return _compared(db, unit, limit, among)
    # vec0 can filter by rowid itself, but loses rows whose ids take more than 32 bits (sqlite-vec 0.1.9).
    allowed = set(among)
    for depth in (2 * limit * shards.total // len(allowed) + limit, _MOST):
        depth = min(depth, _MOST)
        everywhere = _nearest(db, shards, unit, depth, whole)
        found = [row for row in everywhere if row[0] in allowed]
        if len(found) >= limit or len(everywhere) < depth:
            return found[:limit]
    return _compared(db, unit, limit, among)


def _nearest(db: apsw.Connection, shards: ShardMap, query: FloatArray, limit: int, whole: int) -> Found:
    if shards.total <= whole or shards.calibration is None:
        return _scan(db, query, limit)
    return _routed(db, shards, shards.calibration, query, limit)


def _compared(db: apsw.Connection, query: FloatArray, limit: int, among: Sequence[int]) -> Found:
    rows = embeddings(db, list(dict.fromkeys(among)))
    if not rows:
        return []
    vectors = np.frombuffer(b"".join(blob for _, blob in rows), dtype=np.float32).reshape(len(rows), -1)
    scores = vectors @ query / np.maximum(np.linalg.norm(vectors, axis=1), 1e-12)
    return [(rows[row][0], float(scores[row])) for row in np.argsort(-scores, kind="stable")[:limit]]


def _routed(
    db: apsw.Connection,
    shards: ShardMap,
    calibration: routing.Calibration,
    query: FloatArray,
    limit: int,
) -> Found:
    depth = max(limit, _DEPTH)
    similarities = shards.means @ query
    counts = shards.counts
    first = routing.first_shards(similarities, counts, depth)
    found = _scan(db, query, depth, shards.ids[first])
    threshold = found[depth - 1][1] if len(found) >= depth else -1.0
    further = routing.further_shards(
        similarities, shards.spreads, counts, calibration, threshold, first, depth
    )
    if shards.counts[further].sum() > _MOST_SHARE * shards.total:
        return _scan(db, query, limit)  # one pass over everything costs less than most of it in parts
    found += _scan(db, query, depth, shards.ids[further], threshold)
    found.sort(key=lambda row: -row[1])
    return found[:limit]


def _scan(
    db: apsw.Connection,
    query: FloatArray,
    limit: int,
    shards: NDArray[np.int64] | None = None,
    threshold: float | None = None,
) -> Found:
    # A JOIN with MATCH would make vec0 scan once a row, so ids alone are asked for.
    sql = f"SELECT chunk_id, distance FROM {TABLE} WHERE embedding MATCH ? AND k = ?"
    bindings: list[object] = [query.tobytes(), limit]
    if threshold is not None:
        sql += " AND distance <= ?"
        bindings.append(1.0 - threshold)
    if shards is not None:
        sql += " AND shard IN (SELECT value FROM json_each(?))"
        bindings.append(json.dumps(shards.tolist()))
    found = [(chunk, 1.0 - distance) for chunk, distance in db.execute(sql, bindings)]
    found.sort(key=lambda row: -row[1])  # each shard's come by themselves
    return found[:limit]
