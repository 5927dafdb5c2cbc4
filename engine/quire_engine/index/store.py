"""Writing notes into SQLite, which is the truth; vectors and keywords follow from what is written here."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import apsw

from quire_engine.analysis import fold
from quire_engine.index import integrity, meta, references, vectors
from quire_engine.index.database import translated
from quire_engine.index.keyword_fields import MANY_PASSAGES
from quire_engine.index.outbox import KeywordOutbox
from quire_engine.index.relations import RelationTables
from quire_engine.index.write_ahead_log import WriteAheadLog
from quire_engine.records import Chunk, FileStat, Note, SkippedNote

_RACE = 2.0
"""A file written this many seconds before it was read may have changed again under the same time stamp."""


@dataclass(frozen=True, slots=True)
class KnownNote:
    """What the index knows about a note's file."""

    stat: FileStat
    content_hash: bytes
    topic: str
    indexed_at: float
    """When its file was last read, Unix seconds."""

    def may_differ(self, stat: FileStat) -> bool:
        """Whether the file, whose state is ``stat`` now, may hold something else than when it was read."""
        return self.stat != stat or stat.mtime_ns > (self.indexed_at - _RACE) * 1e9


def known_files(db: apsw.Connection, paths: Sequence[str] | None = None) -> dict[str, KnownNote]:
    """The indexed notes by path: all of them, or those among ``paths``."""
    sql = "SELECT path, size, mtime_ns, inode, content_hash, topic, indexed_at FROM notes"
    bindings: tuple[str, ...] = ()
    if paths is not None:
        sql += " WHERE path IN (SELECT value FROM json_each(?))"
        bindings = (json.dumps(paths),)
    return {
        path: KnownNote(FileStat(size, mtime, inode), digest, topic, indexed_at)
        for path, size, mtime, inode, digest, topic, indexed_at in db.execute(sql, bindings)
    }


_json = json.JSONEncoder(ensure_ascii=False, sort_keys=True).encode
"""json.dumps makes such an encoder at every call."""


_headings = lru_cache(maxsize=256)(_json)
"""The passages of a section share their headings."""


def _pairs(pairs: Sequence[tuple[int, int]]) -> str:
    return "[" + ",".join([f"[{start},{end}]" for start, end in pairs]) + "]"


class _Names(NamedTuple):
    """What the keyword index holds of a note besides its passages."""

    title: str
    aliases: str
    properties: str
    tags: str | None

    @classmethod
    def of(cls, note: Note) -> _Names:
        tags = "\n".join(sorted(note.tags)) or None
        return cls(note.title, _json(note.aliases), _json(note.properties), tags)


def note_id(path: str) -> int:
    """63 bits, the same for the same path on every machine."""
    digest = hashlib.blake2b(path.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


_FROM_NOTES = (
    *("notes", "tags", "chunks", "entities", "links", "blocks", "skipped", "matched_names"),
    *("embedding_queue", "entity_queue", "keyword_outbox"),
)


def clear(connection: apsw.Connection) -> None:
    """Forget every note and its vectors; embeddings stay, so that indexing again embeds nothing."""
    with translated("clearing the index"):
        connection.execute("PRAGMA foreign_keys = OFF")  # they may be damaged; every table is emptied anyway
        with connection:
            vectors.drop(connection)
            now = time.time()
            connection.execute("UPDATE embeddings SET released_at = ? WHERE released_at IS NULL", (now,))
            for table in _FROM_NOTES:
                connection.execute(f"DELETE FROM {table}")
            gone = "('last_sync', 'keywords_applied', 'fingerprint')"
            connection.execute(f"DELETE FROM meta WHERE key IN {gone}")
        connection.execute("PRAGMA foreign_keys = ON")


class IndexWriter:
    """All changes to a vault's database. To be used by one thread of the one process with the write lock."""

    def __init__(self, connection: apsw.Connection, fingerprint: str, dimensions: int) -> None:
        self._db = connection
        self._log = WriteAheadLog(connection)
        self.outbox = KeywordOutbox(connection)
        self.relations = RelationTables(connection)
        with translated("preparing the vector table"):
            self._vectors = vectors.VectorTable(connection, fingerprint, dimensions)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside happens, or nothing does."""
        with translated("writing the index"):
            with self._db:
                yield
            self._log.shorten()

    # ------------------------------------------------------------------------------------------- notes

    def known_files(self, paths: Sequence[str] | None = None) -> dict[str, KnownNote]:
        """The indexed notes by path: all of them, or those among ``paths``."""
        return known_files(self._db, paths)

    def count_notes(self) -> int:
        count: int = self._db.execute("SELECT count(*) FROM notes").get
        return count

    def paths(self) -> dict[str, str]:
        """The topic of every note, by path."""
        return dict(self._all("SELECT path, topic FROM notes"))

    def put_note(self, note: Note, chunks: Sequence[Chunk], topic: str, read_at: float) -> list[int]:
        """Insert or update a note; returns the chunks that wait for a vector (see `fill_vectors`).

        ``read_at`` is a moment before its file was read, Unix seconds. Only what differs costs anything: a
        passage that stands elsewhere in the note now keeps its row.
        """
        db, identity = self._db, note_id(note.path)
        names = _Names.of(note)
        known = db.execute(
            "SELECT title, aliases, properties, (SELECT group_concat(tag, char(10)) FROM "
            "(SELECT tag FROM tags WHERE note_id = id ORDER BY tag)) FROM notes WHERE id = ?",
            (identity,),
        ).fetchone()
        before: dict[int, bytes | None] = {}
        if known is not None:
            before = dict(self._all("SELECT id, embed_hash FROM chunks WHERE note_id = ?", (identity,)))
            for table in ("tags", "blocks", "links"):
                db.execute(f"DELETE FROM {table} WHERE note_id = ?", (identity,))
        # Without text of its own a note's names are indexed with its properties (see `chunk_fields`).
        had_text = any(digest is not None for digest in before.values())
        has_text = any(chunk.embed_hash is not None for chunk in chunks)
        had_many, has_many = len(before) > MANY_PASSAGES, len(chunks) > MANY_PASSAGES
        otherwise = bool(before) and (had_text, had_many) != (has_text, has_many)
        renamed = known is None or _Names(*known) != names or otherwise
        self._put_note_row(identity, note, topic, names, read_at)
        self._put_parts(identity, note)
        kept = {chunk.id for chunk in chunks}
        self._remove_chunks([(chunk, digest) for chunk, digest in before.items() if chunk not in kept])
        fresh = [chunk for chunk in chunks if chunk.id not in before]
        self._put_chunks(identity, chunks)
        self._many(
            "INSERT OR IGNORE INTO entity_queue VALUES (?)", [(c.id,) for c in fresh if c.kind == "text"]
        )
        self.outbox.put("add", [chunk.id for chunk in chunks if chunk.id not in before or renamed])
        waiting = [chunk.id for chunk in fresh if chunk.embed_hash is not None]
        self._many(
            "INSERT OR REPLACE INTO embedding_queue VALUES (?, ?)", [(c, note.modified) for c in waiting]
        )
        self.set_meta("unfinished", 1)
        return waiting

    def fill_vectors(self, waiting: Sequence[int]) -> int:
        """Give chunks the vectors that are known for their text; returns how many need none any more."""
        return self._vectors.fill(waiting)

    def _put_note_row(self, identity: int, note: Note, topic: str, names: _Names, read_at: float) -> None:
        self._db.execute(
            "INSERT INTO notes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
            "title = excluded.title, topic = excluded.topic, aliases = excluded.aliases, "
            "properties = excluded.properties, modified = excluded.modified, size = excluded.size, "
            "mtime_ns = excluded.mtime_ns, inode = excluded.inode, content_hash = excluded.content_hash, "
            "warnings = excluded.warnings, indexed_at = excluded.indexed_at",
            (
                identity,
                note.path,
                note.title,
                topic,
                names.aliases,
                names.properties,
                note.modified,
                note.stat.size,
                note.stat.mtime_ns,
                note.stat.inode,
                note.content_hash,
                _json(note.warnings),
                read_at,
            ),
        )

    def _put_parts(self, identity: int, note: Note) -> None:
        self._many(
            "INSERT OR IGNORE INTO tags VALUES (?, ?, ?)", [(identity, tag, fold(tag)) for tag in note.tags]
        )
        self._many(
            "INSERT OR IGNORE INTO blocks VALUES (?, ?, ?, ?)",
            [
                (identity, block.block_id, block.span.start_line, block.span.end_line)
                for block in note.blocks
                if block.block_id
            ],
        )
        self._many(
            "INSERT INTO links VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
            [
                (identity, n, link.kind, link.target, link.subpath, link.text, link.span.start_line)
                for n, link in enumerate(note.links)
            ],
        )

    def _put_chunks(self, identity: int, chunks: Sequence[Chunk]) -> None:
        self._many(
            "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL) "
            "ON CONFLICT (id) DO UPDATE SET ordinal = excluded.ordinal, start = excluded.start, "
            "end = excluded.end, "
            "start_line = excluded.start_line, end_line = excluded.end_line, text = excluded.text, "
            "headings = excluded.headings, sentences = excluded.sentences, tokens = excluded.tokens",
            [
                (
                    chunk.id,
                    identity,
                    chunk.ordinal,
                    chunk.kind,
                    chunk.span.start,
                    chunk.span.end,
                    chunk.span.start_line,
                    chunk.span.end_line,
                    chunk.text,
                    _headings(chunk.headings),
                    _pairs(chunk.sentences),
                    chunk.tokens,
                    chunk.embed_hash,
                )
                for chunk in chunks
            ],
        )

    def _remove_chunks(self, chunks: Sequence[tuple[int, bytes | None]]) -> None:
        if not chunks:
            return
        ids = [chunk for chunk, _ in chunks]
        self._vectors.remove(ids)
        self._db.executemany("DELETE FROM chunks WHERE id = ?", ((i,) for i in ids))
        self.outbox.put("delete", ids)
        vectors.release(self._db, [digest for _, digest in chunks if digest is not None])

    def touch_note(self, path: str, stat: FileStat, modified: float, read_at: float) -> None:
        """Note a new stat of a file whose content had not changed when it was read at ``read_at``.

        ``modified`` is `Note.modified`, which may follow from the stat.
        """
        self._db.execute(
            "UPDATE notes SET size = ?, mtime_ns = ?, inode = ?, modified = ?, indexed_at = ? WHERE path = ?",
            (stat.size, stat.mtime_ns, stat.inode, modified, read_at, path),
        )

    def remove_notes(self, paths: Iterable[str]) -> int:
        """Delete notes with all that hangs on them; returns how many there were."""
        removed = 0
        for path in paths:
            identity = note_id(path)
            chunks = self._all("SELECT id, embed_hash FROM chunks WHERE note_id = ?", (identity,))
            self._remove_chunks(chunks)
            self._db.execute("DELETE FROM notes WHERE id = ?", (identity,))
            removed += self._db.changes()
        if removed:
            self.set_meta("unfinished", 1)
        return removed

    def notes_in(self, place: str) -> list[str]:
        """Paths of the note, or of the notes of the folder or topic, that ``place`` names."""
        rows = self._all(
            "SELECT path FROM notes WHERE path = ? OR (path >= ? AND path < ?) OR topic = ? ORDER BY path",
            (place, f"{place}/", f"{place}0", place),
        )
        return [row[0] for row in rows]

    def move_topics(self, topics: Mapping[str, str]) -> None:
        """Give notes (by path) another topic."""
        self._db.executemany(
            "UPDATE notes SET topic = ? WHERE id = ?",
            ((topic, note_id(path)) for path, topic in topics.items()),
        )

    def set_skipped(self, skipped: Iterable[SkippedNote], among: Sequence[str] | None = None) -> None:
        """Replace the list of files that could not be indexed, or the part of it that is ``among`` paths."""
        if among is None:
            self._db.execute("DELETE FROM skipped")
        else:
            self._db.executemany("DELETE FROM skipped WHERE path = ?", ((path,) for path in among))
        self._db.executemany(
            "INSERT OR REPLACE INTO skipped VALUES (?, ?)", ((s.path, s.reason) for s in skipped)
        )

    # ----------------------------------------------------------------------------------- embedding queue

    def queue(self, most: int) -> list[tuple[int, bytes, list[str], str]]:
        """(chunk id, embed hash, headings, text) of waiting chunks, newest notes first."""
        rows = self._all(
            "SELECT c.id, c.embed_hash, c.headings, c.text FROM embedding_queue q "
            "JOIN chunks c ON c.id = q.chunk_id ORDER BY q.priority DESC LIMIT ?",
            (most,),
        )
        return [(chunk, digest, json.loads(headings), text) for chunk, digest, headings, text in rows]

    def waiting(self, chunk_ids: Sequence[int]) -> list[tuple[int, bytes]]:
        """(chunk id, embed hash) of those among the chunks that wait for their vector."""
        return self._all(
            "SELECT c.id, c.embed_hash FROM json_each(?) j JOIN embedding_queue q ON q.chunk_id = j.value "
            "JOIN chunks c ON c.id = q.chunk_id",
            (json.dumps(chunk_ids),),
        )

    def queued(self) -> int:
        count: int = self._db.execute("SELECT count(*) FROM embedding_queue").get
        return count

    def store_vectors(self, hashes: Sequence[bytes], rows: Any, chunk_ids: Sequence[int]) -> None:
        """Keep vectors, float32 of shape (len(hashes), dimensions), and take the chunks off the queue."""
        self._vectors.store(hashes, rows, chunk_ids)

    def rebalance_shards(self, most: int | None = None) -> int:
        """Split and merge shards that are due, each in a short transaction; returns how many steps it took.

        ``most`` limits the steps; what is left is done by the next call.
        """
        with translated("rebalancing shards"):
            return self._vectors.rebalance(most)

    def rebuild_vectors(self) -> None:
        """Make the vector table anew, from the embeddings that are known; only what has none is queued."""
        with self.transaction():
            self._vectors.rebuild()

    def keep_known_vectors(self) -> int:
        """Keep as embeddings what stands in the vector table alone; returns how many."""
        with self.transaction():
            return self._vectors.keep_unknown()

    def forget_embeddings(self, hashes: Sequence[bytes]) -> None:
        """Forget the vectors of these texts, and queue every chunk that has none."""
        with self.transaction():
            self._vectors.forget(hashes)

    def reindex(self) -> None:
        """Make SQLite's indices anew from their tables."""
        with self.transaction():
            self._db.execute("REINDEX")

    def remove_dangling(self) -> dict[str, int]:
        """Put right what `references.dangling_rows` finds, which it returns."""
        with self.transaction():
            found = references.dangling_rows(self._db)
            lost = self._all("SELECT id, embed_hash FROM chunks WHERE note_id NOT IN (SELECT id FROM notes)")
            self._remove_chunks(lost)
            references.put_right(self._db)
            if found:
                self.set_meta("unfinished", 1)  # links are resolved again
        return found

    def vectors_agree(self) -> bool:
        """Whether the vector table holds as many rows as it should; see `quire_engine.index.integrity`."""
        with translated("checking vectors"):
            return integrity.vectors_agree(self._db)

    def forget_released_vectors(self, days: float = vectors.KEPT_DAYS) -> None:
        """Drop the vectors of text that has been gone for ``days``."""
        vectors.forget_released(self._db, days)

    # ---------------------------------------------------------------------------------------------- meta

    def _many(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            self._db.executemany(sql, rows)

    def _all(self, sql: str, bindings: tuple[Any, ...] = ()) -> list[Any]:
        rows: list[Any] = self._db.execute(sql, bindings).fetchall()
        return rows

    def meta(self, key: str) -> Any:
        return meta.get(self._db, key)

    def set_meta(self, key: str, value: Any) -> None:
        meta.put(self._db, key, value)

    def next_generation(self) -> int:
        """Count a change of the index's content."""
        generation = int(self.meta("generation") or 0) + 1
        self.set_meta("generation", generation)
        return generation
