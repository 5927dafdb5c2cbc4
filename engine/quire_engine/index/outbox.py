"""What the keyword index has yet to be told: written with the notes, applied and trimmed after them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Literal

from quire_engine.index import meta
from quire_engine.index.database import translated
from quire_engine.index.keyword_fields import MANY_PASSAGES, chunk_fields, note_language, property_words

if TYPE_CHECKING:
    import apsw

    from quire_engine.interfaces import KeywordIndex

_APPLIED = "keywords_applied"
_IDENTITY = "identity"


class KeywordOutbox:
    """The database's side of keeping the keyword index in step.

    `put`, `refill` and `trim` are to be called inside a transaction.
    """

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db

    def put(self, operation: Literal["add", "delete"], chunk_ids: Iterable[int]) -> None:
        """Chunks are to be deleted from the keyword index, or added in the place of what it holds of them."""
        self._db.executemany(
            "INSERT INTO keyword_outbox (operation, chunk_id) VALUES (?, ?)",
            ((operation, chunk) for chunk in chunk_ids),
        )

    def refill(self) -> None:
        """Queue every chunk for a keyword index that starts empty."""
        self._db.execute("DELETE FROM keyword_outbox")
        self._db.execute(
            "INSERT INTO keyword_outbox (operation, chunk_id) SELECT 'add', id FROM chunks ORDER BY id"
        )

    def page(self, after: int, most: int) -> list[tuple[int, str, int]]:
        """(sequence, operation, chunk id) of the oldest changes after the sequence ``after``."""
        rows: list[Any] = self._db.execute(
            "SELECT sequence, operation, chunk_id FROM keyword_outbox WHERE sequence > ? "
            "ORDER BY sequence LIMIT ?",
            (after, most),
        ).fetchall()
        return rows

    def trim(self, applied: int) -> None:
        """Forget changes that the keyword index has committed."""
        self._db.execute("DELETE FROM keyword_outbox WHERE sequence <= ?", (applied,))
        meta.put(self._db, _APPLIED, applied)

    @property
    def trimmed(self) -> int:
        """The sequence up to which changes were forgotten."""
        return int(meta.get(self._db, _APPLIED) or 0)

    @property
    def last_sequence(self) -> int:
        """The highest sequence ever given out."""
        sql = "SELECT seq FROM sqlite_sequence WHERE name = 'keyword_outbox'"
        return int(self._db.execute(sql).get or 0)

    def identity(self) -> str:
        """A random name of this database, which a copy keeps and a new one does not have."""
        with translated("reading the index"):
            if not meta.get(self._db, _IDENTITY):
                meta.put(self._db, _IDENTITY, uuid.uuid4().hex)
            return str(meta.get(self._db, _IDENTITY))

    def agrees_with(self, keywords: KeywordIndex) -> bool:
        """Whether ``keywords`` hold as many chunks as there are. The outbox must have been applied."""
        count: int = self._db.execute("SELECT count(*) FROM chunks").get
        return keywords.count() == count

    def fields(self, chunk_ids: Sequence[int]) -> list[tuple[int, dict[str, str]]]:
        """(chunk id, field texts) of the chunks that still exist, as the keyword index takes them."""
        rows = self._db.execute(
            "SELECT c.id, c.kind, n.id, n.path, n.title, n.aliases, c.headings, c.text, n.properties, "
            "(SELECT group_concat(tag, ' ') FROM tags WHERE note_id = n.id), "
            "NOT EXISTS (SELECT 1 FROM chunks o WHERE o.note_id = n.id AND o.kind = 'text'), "
            f"EXISTS (SELECT 1 FROM chunks o WHERE o.note_id = n.id LIMIT 1 OFFSET {MANY_PASSAGES}) "
            "FROM json_each(?) j "
            "JOIN chunks c ON c.id = j.value JOIN notes n ON n.id = c.note_id",
            (json.dumps(chunk_ids),),
        )
        words = lru_cache(maxsize=16)(lambda text: property_words(json.loads(text)))
        language = lru_cache(maxsize=16)(lambda note: note_language(self._texts(note)))
        return [
            (
                chunk,
                chunk_fields(
                    kind=kind,
                    path=path,
                    title=title,
                    aliases=json.loads(aliases),
                    headings=json.loads(headings),
                    text=text,
                    properties=words(properties),
                    tags=tags or "",
                    language=partial(language, note),
                    alone=bool(alone),
                    many=bool(many),
                ),
            )
            for chunk, kind, note, path, title, aliases, headings, text, properties, tags, alone, many in rows
        ]

    def _texts(self, note: int) -> Iterator[str]:
        """The passages of a note, in order."""
        sql = "SELECT text FROM chunks WHERE note_id = ? AND kind = 'text' ORDER BY ordinal"
        return (text for (text,) in self._db.execute(sql, (note,)))
