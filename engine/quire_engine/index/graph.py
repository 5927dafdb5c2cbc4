"""Links between notes as retrieval follows them: from passages to notes, and on to the passages of those."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import apsw

_MOST_LINKS = 5_000
"""All the links of a line belong to each chunk that holds a part of it; hostile notes are one long line."""


def outgoing(db: apsw.Connection, chunks: Sequence[int]) -> list[tuple[int, int, int]]:
    """(chunk id, line, note id) of links that stand on the lines of chunks and lead to other notes.

    In the order of ``chunks``, each link of a line to a note once, and no more than 5,000. The line counts
    from the chunk's first, which is 0.
    """
    # Each note's links are gone through once, however many of its chunks are asked for.
    asked = json.dumps(list(chunks))
    leads: dict[int, list[tuple[int, int]]] = {}
    for note, line, target in db.execute(
        "WITH spans AS MATERIALIZED (SELECT c.note_id, min(c.start_line) AS first, max(c.end_line) AS last "
        "                            FROM json_each(?) j JOIN chunks c ON c.id = j.value GROUP BY c.note_id) "
        "SELECT DISTINCT l.note_id, l.line, l.resolved FROM spans s CROSS JOIN links l "
        "ON l.note_id = s.note_id AND l.line BETWEEN s.first AND s.last WHERE l.resolved != l.note_id "
        "ORDER BY l.note_id, l.line, l.resolved",
        (asked,),
    ):
        leads.setdefault(note, []).append((line, target))
    rows: list[tuple[int, int, int]] = []
    for chunk, note, start, end in db.execute(
        "SELECT c.id, c.note_id, c.start_line, c.end_line FROM json_each(?) j "
        "JOIN chunks c ON c.id = j.value ORDER BY j.key",
        (asked,),
    ):
        of_note = leads.get(note, [])
        first, after = bisect_left(of_note, (start,)), bisect_left(of_note, (end + 1,))
        after = min(after, first + _MOST_LINKS - len(rows))
        rows += [(chunk, line - start, target) for line, target in of_note[first:after]]
        if len(rows) == _MOST_LINKS:
            break
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
