"""Rows that refer to what is not there, or say of something what is not so, and how they are put right."""

from __future__ import annotations

from typing import Any

import apsw

from quire_engine.index.database import translated
from quire_engine.index.meta import OWN

_USED = "EXISTS (SELECT 1 FROM chunks WHERE embed_hash = embeddings.hash)"
_LOOSE = (
    # Tables in which nothing but this code sees to it.
    (
        "links",
        "resolved IS NOT NULL AND resolved NOT IN (SELECT id FROM notes)",
        "UPDATE links SET resolved = NULL",
    ),
    (
        "embedding_queue",
        "chunk_id IN (SELECT id FROM chunks WHERE embed_hash IS NULL)",
        "DELETE FROM embedding_queue",
    ),
    # One in use would be forgotten after a month, one out of use never.
    (
        "embeddings",
        f"{OWN} AND released_at IS NOT NULL AND {_USED}",
        "UPDATE embeddings SET released_at = NULL",
    ),
    (
        "embeddings",
        f"{OWN} AND released_at IS NULL AND NOT {_USED}",
        "UPDATE embeddings SET released_at = unixepoch()",
    ),
)
"""Table, which rows of it are wrong, and what puts them right."""


def dangling_rows(db: apsw.Connection) -> dict[str, int]:
    """How many rows of which table refer to something that is not there; empty for a sound index."""
    found: dict[str, int] = {}
    with translated("checking references"):
        for table, condition, _ in _rules(db):
            if count := db.execute(f"SELECT count(*) FROM {table} WHERE {condition}").get:
                found[table] = found.get(table, 0) + count
    return found


def put_right(db: apsw.Connection) -> None:
    """Remove dangling rows, or what is wrong in them; chunks must have been removed by the store."""
    for _, condition, remedy in _rules(db):
        db.execute(f"{remedy} WHERE {condition}")


def _rules(db: apsw.Connection) -> list[tuple[str, str, str]]:
    """The references that the schema declares, and those that it does not."""
    rules = []
    tables: list[Any] = db.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%REFERENCES%' ORDER BY name"
    ).fetchall()
    for (table,) in tables:
        for _, _, parent, column, key, *_ in db.execute(f"PRAGMA foreign_key_list({table})").fetchall():
            condition = f"{column} NOT IN (SELECT {key or 'id'} FROM {parent})"
            rules.append((table, condition, f"DELETE FROM {table}"))
    return [*rules, *_LOOSE]
