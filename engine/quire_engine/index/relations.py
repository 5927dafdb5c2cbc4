"""What notes have to do with each other, as the database holds it: links, and names in passages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from quire_engine.records import Entity

if TYPE_CHECKING:
    import apsw


class RelationTables:
    """Reads and writes them. Methods that change something are to be called inside a transaction."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db

    def names(self) -> list[tuple[str, str, list[str]]]:
        """(path, title, aliases) of every note."""
        rows = self._db.execute("SELECT path, title, aliases FROM notes")
        return [(path, title, json.loads(aliases)) for path, title, aliases in rows]

    def vault_names(self) -> set[Entity]:
        """Every title and alias (``NOTE``) and tag (``TAG``)."""
        names = {Entity(name, "NOTE") for _, title, aliases in self.names() for name in (title, *aliases)}
        return names | {Entity(tag, "TAG") for tag in self._tags()}

    def _tags(self) -> list[str]:
        return [row[0] for row in self._db.execute("SELECT DISTINCT tag FROM tags")]

    def links(self, sources: Sequence[str] | None = None) -> list[tuple[int, int, str, str, int | None]]:
        """(note id, position, source path, target, resolved note id) of the links in all, or some, notes."""
        sql = (
            "SELECT l.note_id, l.position, n.path, l.target, l.resolved FROM links l "
            "JOIN notes n ON n.id = l.note_id"
        )
        if sources is None:
            return self._all(sql)
        return self._all(f"{sql} WHERE n.path IN (SELECT value FROM json_each(?))", (json.dumps(sources),))

    def resolve_links(self, resolved: Iterable[tuple[int, int, int | None]]) -> None:
        """Set where links lead: (note id, position, resolved note id)."""
        self._db.executemany(
            "UPDATE links SET resolved = ? WHERE note_id = ? AND position = ?",
            ((target, note, position) for note, position, target in resolved),
        )

    def texts(self, chunk_ids: Sequence[int]) -> list[tuple[int, str]]:
        """(chunk id, text) of those chunks that exist and hold text."""
        return self._all(
            "SELECT c.id, c.text FROM json_each(?) j JOIN chunks c ON c.id = j.value WHERE c.kind = 'text'",
            (json.dumps(chunk_ids),),
        )

    def text_chunks(self) -> list[int]:
        """Ids of all chunks that hold text."""
        return [row[0] for row in self._db.execute("SELECT id FROM chunks WHERE kind = 'text'")]

    def entity_queue(self) -> list[int]:
        """Chunks in which names have not been looked for."""
        return [row[0] for row in self._db.execute("SELECT chunk_id FROM entity_queue")]

    def put_entities(self, chunk: int, entities: Sequence[Entity]) -> None:
        """Replace the entities of a chunk, and take it off the queue."""
        self._db.execute("DELETE FROM entities WHERE chunk_id = ?", (chunk,))
        self._db.executemany(
            "INSERT OR IGNORE INTO entities VALUES (?, ?, ?)", ((chunk, e.text, e.label) for e in entities)
        )
        self._db.execute("DELETE FROM entity_queue WHERE chunk_id = ?", (chunk,))

    def matched_names(self) -> set[Entity]:
        """The names that the entities of all chunks off the queue reflect."""
        return {Entity(*row) for row in self._all("SELECT text, label FROM matched_names")}

    def set_matched_names(
        self, added: Iterable[Entity], lost: Iterable[Entity], holding: Iterable[int]
    ) -> None:
        """Change those names; chunks that hold a lost one, or may hold an added one, come onto the queue.

        ``holding`` are the latter. A shorter name may show where a lost one stood.
        """
        gone = [(e.text, e.label) for e in lost]
        many = self._db.executemany
        many(
            "INSERT OR IGNORE INTO entity_queue SELECT chunk_id FROM entities WHERE (text, label) = (?, ?)",
            gone,
        )
        many("INSERT OR IGNORE INTO entity_queue SELECT id FROM chunks WHERE id = ?", [(c,) for c in holding])
        many("DELETE FROM matched_names WHERE (text, label) = (?, ?)", gone)
        many("INSERT OR IGNORE INTO matched_names VALUES (?, ?)", [(e.text, e.label) for e in added])

    def _all(self, sql: str, bindings: tuple[Any, ...] = ()) -> list[Any]:
        rows: list[Any] = self._db.execute(sql, bindings).fetchall()
        return rows
