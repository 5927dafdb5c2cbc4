"""Links between notes as retrieval follows them: from passages to notes, and on to the passages of those."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import apsw

_MOST_LINKS = 5_000
"""All the links of a line belong to each chunk that holds a part of it; hostile notes are one long line."""


def outgoing(db: apsw.Connection, chunks: Sequence[int]) -> list[tuple[int, int, int]]:
    """(chunk id, line, note id) of links that stand on the lines of chunks and lead to other notes.

    The line counts from the chunk's first, which is 0.
    """
    # Each note's links are gone through once, however many of its chunks are asked for.
    rows: list[Any] = db.execute(
        "WITH asked AS (SELECT c.id, c.note_id, c.start_line, c.end_line "
        "               FROM json_each(?1) j JOIN chunks c ON c.id = j.value), "
        "     spans AS MATERIALIZED (SELECT note_id, min(start_line) AS first, max(end_line) AS last "
        "                            FROM asked GROUP BY note_id), "
        "     found AS MATERIALIZED (SELECT l.note_id, l.line, l.resolved FROM spans s CROSS JOIN links l "
        "                            ON l.note_id = s.note_id AND l.line BETWEEN s.first AND s.last "
        "                            WHERE l.resolved != l.note_id) "
        "SELECT a.id, f.line - a.start_line, f.resolved FROM asked a JOIN found f "
        "ON f.note_id = a.note_id AND f.line BETWEEN a.start_line AND a.end_line LIMIT ?2",
        (json.dumps(list(chunks)), _MOST_LINKS),
    ).fetchall()
    return rows


def notes_of(db: apsw.Connection, chunks: Sequence[int]) -> Mapping[int, int]:
    """The note id of each chunk that exists."""
    rows: list[Any] = db.execute(
        "SELECT c.id, c.note_id FROM json_each(?) j JOIN chunks c ON c.id = j.value",
        (json.dumps(list(chunks)),),
    ).fetchall()
    return dict(rows)


def passages_of(db: apsw.Connection, notes: Sequence[int], most: int) -> Mapping[int, int]:
    """Note ids by chunk id of the first ``most`` chunks of each note."""
    rows: list[Any] = db.execute(
        "SELECT c.id, c.note_id FROM json_each(?) j JOIN chunks c ON c.note_id = j.value AND c.ordinal < ?",
        (json.dumps(list(notes)), most),
    ).fetchall()
    return dict(rows)
