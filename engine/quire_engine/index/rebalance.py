"""Keeps shards of a size that pays: splits those that grew, merges those that shrank, fits the routing.

Each step is a short transaction after which everything is right, so it does not matter when the next one
follows, nor whether it ever does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quire_engine.index import routing, shards
from quire_engine.index.kmeans import cells, nearest_mean

if TYPE_CHECKING:
    import apsw

    from quire_engine.index.shards import ShardCache, ShardMap
    from quire_engine.index.vectors import VectorTable

SPLIT = 512
"""A shard of more vectors is split. Small shards let queries look at less; smaller ones cost more space."""
WHOLE = 10_000
"""Up to this many vectors a query compares all: choosing among shards costs as much as it saves."""
_MERGED = 4
"""A shard of less than this part of `SPLIT` is merged into others."""
_MOVED = 4096
"""The most vectors that one step moves: a third of a second."""
_CELLS = 64
"""The most parts into which one step splits."""
_CALIBRATED_PLACES = 8
_CALIBRATED_SHARDS = 8
"""The routing is fitted to this many shards around each of so many places."""
_CALIBRATED_QUERIES = 96
_CALIBRATED_DEPTH = 100


def rebalance(
    table: VectorTable,
    db: apsw.Connection,
    cache: ShardCache,
    most: int | None,
    *,
    split: int,
    whole: int,
) -> int:
    """Do up to ``most`` steps that are due; returns how many there were."""
    done = 0
    while most is None or done < most:
        with db:
            if not _step(table, db, cache, split, whole):
                break
        done += 1
    return done


def _step(table: VectorTable, db: apsw.Connection, cache: ShardCache, split: int, whole: int) -> bool:
    present = cache.at(db)
    retiring = np.flatnonzero(present.retiring)
    if len(retiring):
        _drain(table, db, present, int(retiring[0]))
        return True
    if not len(present.ids):
        return False
    largest = int(present.counts.argmax())
    if present.counts[largest] > split:
        _split(table, db, present, largest, split)
        return True
    smallest = int(present.counts.argmin())
    if present.counts[smallest] < split // _MERGED and len(present.ids) > 1:
        _drain(table, db, present, smallest)
        return True
    return _calibrate(table, db, present, whole)


def _split(table: VectorTable, db: apsw.Connection, present: ShardMap, row: int, split: int) -> None:
    """Cut a shard into cells; of one that is too large for a step, only some members move at once."""
    shard, count = int(present.ids[row]), int(present.counts[row])
    chunk_ids = shards.members(db, shard, _MOVED)
    vectors = table.vectors_of(chunk_ids)
    at_once = len(chunk_ids) == count
    least = max(1, split // _MERGED) if at_once else 1
    cell_of = cells(vectors, min(_CELLS, max(2, round(count / (0.6 * split)))), least)
    # No cell stays where it is: vec0 does not fill the holes that rows leave.
    parts = np.array([table.add_shard() for _ in range(cell_of.max() + 1)], dtype=np.int64)
    if not at_once:
        _set_retiring(db, shard, 1)
    table.move(chunk_ids, vectors, shard, parts[cell_of])


def _drain(table: VectorTable, db: apsw.Connection, present: ShardMap, row: int) -> None:
    """Move members of a shard to the nearest others."""
    shard, taking = int(present.ids[row]), present.taking[present.taking != row]
    if not len(taking):
        _set_retiring(db, shard, 0)
        return
    chunk_ids = shards.members(db, shard, _MOVED)
    vectors = table.vectors_of(chunk_ids)
    table.move(chunk_ids, vectors, shard, present.ids[taking][nearest_mean(vectors, present.means[taking])])


def _set_retiring(db: apsw.Connection, shard: int, retiring: int) -> None:
    db.execute("UPDATE shards SET retiring = ? WHERE id = ?", (retiring, shard))
    shards.touch(db)


def _calibrate(table: VectorTable, db: apsw.Connection, present: ShardMap, whole: int) -> bool:
    """Fit the routing to the index when it has become large, or twice or half as large."""
    known = 0 if present.calibration is None else present.calibration.shards
    if present.total <= whole or known / 2 < len(present.ids) < 2 * known:
        return False
    # Neighbourhoods, because what decides is how well shards that are near to a query are told apart.
    centres = np.linspace(0, len(present.ids) - 1, _CALIBRATED_PLACES).astype(np.intp)
    closeness = present.means[centres] @ present.means.T
    near = np.argsort(-closeness, axis=1, kind="stable")[:, :_CALIBRATED_SHARDS]
    chosen = present.ids[np.unique(near)].tolist()
    chunk_ids = [shards.members(db, shard, _MOVED) for shard in chosen]
    vectors = table.vectors_of([chunk for ids in chunk_ids for chunk in ids])
    shard_of = np.repeat(np.arange(len(chosen)), [len(ids) for ids in chunk_ids])
    queries = np.unique(np.linspace(0, len(vectors) - 1, _CALIBRATED_QUERIES).astype(np.intp))
    shards.keep_calibration(
        db, routing.calibrate(vectors, shard_of, queries, _CALIBRATED_DEPTH, len(present.ids))
    )
    return True
