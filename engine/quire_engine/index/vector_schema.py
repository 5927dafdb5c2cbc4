"""How the vec0 table is made, and whether what there is of it can be used."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from quire_engine.errors import DamagedIndexError

if TYPE_CHECKING:
    import apsw

TABLE = "vectors"
PARTS = tuple(f"{TABLE}_{part}" for part in ("info", "chunks", "rowids", "vector_chunks00"))
"""The tables in which vec0 keeps it."""


def statement(dimensions: int) -> str:
    """The SQL that makes the table for vectors of that many dimensions."""
    # chunk_size: the default of 1024 wastes most of the space in shards of some hundred vectors.
    return (
        f"CREATE VIRTUAL TABLE {TABLE} USING vec0(chunk_id INTEGER PRIMARY KEY, "
        f"shard INTEGER PARTITION KEY, embedding FLOAT[{dimensions}] distance_metric=cosine, "
        "chunk_size=128)"
    )


def made_by(db: apsw.Connection) -> str | None:
    """The SQL by which the table was made; ``None`` where there is none."""
    sql: str | None = db.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (TABLE,)).get
    return sql


def width(db: apsw.Connection) -> int:
    """Dimensions of the table's vectors; 0 without a table."""
    found = re.search(r"FLOAT\[(\d+)\]", made_by(db) or "")
    return int(found[1]) if found else 0


def is_there(db: apsw.Connection) -> bool:
    """Whether there is a vector table. Raises `DamagedIndexError` when a part of it is gone.

    To be asked before rows are looked up: without its part of row ids vec0 crashes the process.
    """
    if not db.table_exists("main", TABLE):
        return False
    if any(not db.table_exists("main", part) for part in PARTS):
        raise damaged()
    return True


def damaged() -> DamagedIndexError:
    return DamagedIndexError("the vector table is damaged; `quire index` makes it anew")
