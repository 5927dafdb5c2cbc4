"""The shards that hold the vectors: what the ``shards`` table says, as arrays, read anew when it changed."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from quire_engine.index import meta
from quire_engine.index.routing import Calibration, spread
from quire_engine.index.vector_schema import damaged, width

if TYPE_CHECKING:
    import apsw
    from numpy.typing import NDArray

    from quire_engine.interfaces import FloatArray

_VERSION = "shards_version"
_CALIBRATION = "shards_calibration"


@dataclass(frozen=True, slots=True)
class ShardMap:
    """All shards at one moment; arrays are aligned and never changed."""

    version: int | None
    ids: NDArray[np.int64]
    counts: NDArray[np.float64]
    means: FloatArray
    """Shape (shards, dimensions); not unit vectors: the shorter, the more a shard's members differ."""
    spreads: FloatArray
    retiring: NDArray[np.bool_]
    """Shards that are being emptied and take nothing new."""
    calibration: Calibration | None

    @property
    def total(self) -> int:
        """Vectors in all shards."""
        return int(self.counts.sum())

    @property
    def taking(self) -> NDArray[np.intp]:
        """Rows of the shards that take vectors."""
        return np.flatnonzero(~self.retiring)


class ShardCache:
    """Keeps the last `ShardMap` that was read; safe to share between threads."""

    def __init__(self) -> None:
        self._last: ShardMap | None = None

    def at(self, db: apsw.Connection) -> ShardMap:
        """The shards as the connection's present transaction sees them.

        Raises `DamagedIndexError` when what stands there are none.
        """
        version = meta.get(db, _VERSION)
        last = self._last
        if last is None or last.version != version:
            try:
                last = self._last = _read(db, version)
            except (TypeError, ValueError) as error:
                raise damaged() from error
        return last

    def keep(self, shards: ShardMap | None) -> None:
        """Take ``shards`` for the last that was read."""
        self._last = shards


def _read(db: apsw.Connection, version: int | None) -> ShardMap:
    rows: list[Any] = []
    if version is not None:
        rows = db.execute(
            "SELECT id, count, retiring, total FROM shards WHERE count > 0 ORDER BY id"
        ).fetchall()
    counts = np.array([row[1] for row in rows], dtype=np.float64)
    totals = np.frombuffer(b"".join(row[3] for row in rows), dtype=np.float64).reshape(len(rows), width(db))
    means = (totals / counts[:, None]).astype(np.float32)
    fitted = meta.get(db, _CALIBRATION)
    return ShardMap(
        version=version,
        ids=np.array([row[0] for row in rows], dtype=np.int64),
        counts=counts,
        means=means,
        spreads=spread(means),
        retiring=np.array([row[2] for row in rows], dtype=bool),
        calibration=Calibration(**json.loads(fitted)) if fitted else None,
    )


def add_shard(db: apsw.Connection, dimensions: int) -> int:
    """A shard that holds nothing yet, to be filled in the same transaction; returns its id."""
    db.execute(
        "INSERT INTO shards (count, retiring, total) VALUES (0, 0, ?)", (np.zeros(dimensions).tobytes(),)
    )
    return db.last_insert_rowid()


def account(
    db: apsw.Connection, cache: ShardCache, changes: Mapping[int, tuple[int, NDArray[np.float64]]]
) -> None:
    """Change counts and sums of shards, by id; a shard that holds nothing any more goes.

    Sums stay exact: float64 adds float16 numbers of this size without rounding. Raises `DamagedIndexError`
    when a shard, or its sum, is lost.
    """
    before = cache.at(db)
    changed: dict[int, tuple[int, NDArray[np.float64]]] = {}
    for shard, (number, added) in changes.items():
        row: Any = db.execute("SELECT count, total FROM shards WHERE id = ?", (shard,)).fetchone()
        if row is None or not isinstance(row[1], bytes) or len(row[1]) != added.nbytes:
            raise damaged()
        count, total = row
        changed[shard] = count + number, np.frombuffer(total, dtype=np.float64) + added
    db.executemany(
        "UPDATE shards SET count = ?, total = ? WHERE id = ?",
        ((count, total.tobytes(), shard) for shard, (count, total) in changed.items() if count),
    )
    db.executemany(
        "DELETE FROM shards WHERE id = ?", ((shard,) for shard, (count, _) in changed.items() if not count)
    )
    cache.keep(_after(before, touch(db), changed))


def _after(
    before: ShardMap, version: int, changed: Mapping[int, tuple[int, NDArray[np.float64]]]
) -> ShardMap | None:
    """What would be read after shards changed, came (to the end) or went; ``None``: read it."""
    left = {shard: row for shard, row in changed.items() if row[0]}
    gone = np.isin(before.ids, [shard for shard in changed if shard not in left])
    present = set(before.ids.tolist())
    new = sorted(shard for shard in left if shard not in present)
    if gone.all() or (new and new[0] < before.ids[-1]):
        return None
    ids = np.concatenate([before.ids[~gone], np.array(new, dtype=np.int64)])
    fresh = len(new)
    counts = np.concatenate([before.counts[~gone], np.zeros(fresh)])
    means = np.concatenate([before.means[~gone], np.zeros((fresh, before.means.shape[1]), dtype=np.float32)])
    spreads = np.concatenate([before.spreads[~gone], np.zeros(fresh, dtype=np.float32)])
    if left:
        rows = np.searchsorted(ids, list(left))
        counts[rows] = [count for count, _ in left.values()]
        means[rows] = np.stack([total / count for count, total in left.values()])
        spreads[rows] = spread(means[rows])
    retiring = np.concatenate([before.retiring[~gone], np.zeros(fresh, dtype=bool)])
    return ShardMap(version, ids, counts, means, spreads, retiring, before.calibration)


def touch(db: apsw.Connection) -> int:
    """Give the table of shards another version: a random one, so that an undone one never comes again."""
    version = secrets.randbits(62)
    meta.put(db, _VERSION, version)
    return version


def members(db: apsw.Connection, shard: int, most: int) -> list[int]:
    """Chunk ids in a shard; being hashes, the first ones are as good as any."""
    rows = db.execute("SELECT chunk_id FROM shard_members WHERE shard = ? LIMIT ?", (shard, most))
    return [row[0] for row in rows]


def keep_calibration(db: apsw.Connection, calibration: Calibration) -> None:
    """Route by ``calibration`` from now on."""
    fitted = {name: getattr(calibration, name) for name in calibration.__slots__}
    meta.put(db, _CALIBRATION, json.dumps(fitted))
    touch(db)


def forget_all(db: apsw.Connection) -> None:
    """Forget every shard, with how to route among them."""
    db.execute("DELETE FROM shards")
    db.execute("DELETE FROM shard_members")
    db.execute("DELETE FROM meta WHERE key = ?", (_CALIBRATION,))
    touch(db)


def by_shard(
    shard_of: Sequence[int] | NDArray[np.int64], vectors: FloatArray
) -> dict[int, tuple[int, NDArray[np.float64]]]:
    """Count and sum of the vectors of each shard."""
    numbers = np.asarray(shard_of, dtype=np.int64)
    order = np.argsort(numbers, kind="stable")
    ids, starts = np.unique(numbers[order], return_index=True)
    groups = np.split(order, starts[1:])
    return {
        shard: (len(group), vectors[group].sum(axis=0, dtype=np.float64))
        for shard, group in zip(ids.tolist(), groups, strict=True)
    }
