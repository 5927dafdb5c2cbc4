"""Reading the index, for retrieval, answers, links and status; never waits for the writer."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from quire_engine.analysis import fold
from quire_engine.index import graph, meta, vectors
from quire_engine.index.database import FILE_NAME, connect, is_made, is_outdated, translated
from quire_engine.index.keyword_fields import property_words
from quire_engine.index.nearest import nearest
from quire_engine.index.paths import path_test
from quire_engine.index.shards import ShardCache
from quire_engine.index.store import KnownNote, known_files, note_id
from quire_engine.records import Entity, Filters, Hit, Neighbour, ScoreTrace, SkippedNote, TopicStatus

if TYPE_CHECKING:
    import apsw

    from quire_engine.interfaces import FloatArray

_CACHE_KILOBYTES = 16_384
_NO_TRACE = ScoreTrace(signals=())


class IndexReader:
    """Reads from any number of threads, each with a connection of its own."""

    def __init__(self, folder: Path) -> None:
        """Raises `StoreError` or `IndexTooNewError` when the index in ``folder`` cannot be read."""
        self._folder = folder
        self._local = threading.local()
        self._shards = ShardCache()
        self._connections: WeakSet[apsw.Connection] = WeakSet()
        """Those of threads that live; a thread's own goes with it."""
        self._lock = threading.Lock()
        self._connection()

    def close(self) -> None:
        with self._lock:
            for connection in self._connections:
                connection.close()
            self._connections.clear()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All that this thread reads inside is of one moment, whatever is written meanwhile; may be nested.

        To be left soon: the write-ahead log cannot begin anew while an old moment is looked at.
        """
        if self._is_held():
            yield
            return
        connection = self._connection()
        with translated("reading the index"):
            connection.execute("BEGIN")
        self._local.held = True
        try:
            yield
        finally:
            self._local.held = False
            if connection.in_transaction:  # an error may have ended it
                connection.execute("COMMIT")

    def _is_held(self) -> bool:
        return getattr(self._local, "held", False)

    def _connection(self) -> apsw.Connection:
        connection: apsw.Connection | None = getattr(self._local, "connection", None)
        if connection is not None and self._is_held():
            return connection
        place = self._place()
        if connection is None or self._has_successor(connection, place):
            fresh = connect(self._folder, writable=False)
            fresh.execute("PRAGMA query_only = ON")
            fresh.execute(f"PRAGMA cache_size = -{_CACHE_KILOBYTES}")  # for every thread that asks
            with self._lock:
                self._connections.add(fresh)
                if connection is not None:
                    self._connections.discard(connection)
                    connection.close()
            self._local.connection, self._local.place = fresh, place
            connection = fresh
        return connection

    def _has_successor(self, connection: apsw.Connection, place: tuple[int, int] | None) -> bool:
        """Whether another database took the place of the connection's; one that is being made has not yet."""
        other = place != self._local.place or is_outdated(connection, self._folder)
        return other and is_made(self._folder)

    def _place(self) -> tuple[int, int] | None:
        try:
            status = (self._folder / FILE_NAME).stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def _all(self, sql: str, bindings: tuple[Any, ...] = ()) -> list[Any]:
        with translated("reading the index"):
            return self._connection().execute(sql, bindings).fetchall()

    def _value(self, sql: str, bindings: tuple[Any, ...] = ()) -> Any:
        with translated("reading the index"):
            return self._connection().execute(sql, bindings).get

    # --------------------------------------------------------------------------------------- retrieval

    def nearest(
        self, query: FloatArray, limit: int, *, among: Sequence[int] | None = None
    ) -> list[tuple[int, float]]:
        """(chunk id, cosine similarity), best first."""
        with self.snapshot(), translated("searching vectors"):
            return nearest(self._connection(), self._shards, query, limit, among)

    def vectors(self, ids: Sequence[int]) -> Mapping[int, FloatArray]:
        """Vectors by chunk id, for those that have one."""
        with translated("reading vectors"):
            return vectors.load(self._connection(), ids)

    def waiting_texts(self, ids: Sequence[int]) -> list[tuple[int, list[str], str]]:
        """(chunk id, headings, text) of those among the chunks whose vector is still to come, in order."""
        rows = self._all(
            "SELECT c.id, c.headings, c.text FROM json_each(?) j "
            "JOIN embedding_queue q ON q.chunk_id = j.value JOIN chunks c ON c.id = q.chunk_id "
            "ORDER BY j.key",
            (json.dumps(list(ids)),),
        )
        return [(chunk, json.loads(headings), text) for chunk, headings, text in rows]

    def chunk_ids(self, filters: Filters) -> list[int] | None:
        """Chunks that pass, or ``None`` when every chunk does.

        Phrases and excluded words are not looked at.
        """
        conditions: list[str] = []
        bindings: list[object] = []

        def both(condition: str, *values: object) -> None:
            conditions.append(condition)
            # Halves of surrogate pairs stand in no name, and SQLite takes none.
            bindings.extend(
                value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
                for value in values
            )

        folders = [folder.strip("/") for folder in filters.folders]
        if folders and not any(folder in ("", ".") for folder in folders):
            # Ranges instead of LIKE: % and _ in a folder's name mean themselves.
            test = "(n.path >= ? AND n.path < ?)"
            ranges = [edge for folder in folders for edge in (f"{folder}/", f"{folder}0")]
            both("(" + " OR ".join([test] * len(folders)) + ")", *ranges)
        for tag in filters.tags:
            folded = fold(tag.lstrip("#").strip("/"))
            both(
                "EXISTS (SELECT 1 FROM tags t WHERE t.note_id = n.id AND (t.folded = ? OR "
                "(t.folded >= ? AND t.folded < ?)))",
                folded,
                f"{folded}/",
                f"{folded}0",
            )
        if filters.since is not None:
            both("n.modified >= ?", filters.since)
        if filters.before is not None:
            both("n.modified < ?", filters.before)
        if filters.paths or filters.where:
            passed = self._passing(filters, conditions, bindings)
            conditions, bindings = ["n.id IN (SELECT value FROM json_each(?))"], [json.dumps(passed)]
        if not conditions:
            return None
        rows = self._all(
            "SELECT c.id FROM notes n JOIN chunks c ON c.note_id = n.id WHERE " + " AND ".join(conditions),
            tuple(bindings),
        )
        return [chunk for (chunk,) in rows]

    def _passing(self, filters: Filters, conditions: list[str], bindings: list[object]) -> list[int]:
        """Ids of the notes that meet ``conditions`` and what of ``filters`` SQL cannot tell."""
        rows = self._all(
            f"SELECT n.id, n.path, {'n.properties' if filters.where else 'NULL'} FROM notes n"
            + (" WHERE " + " AND ".join(conditions) if conditions else ""),
            tuple(bindings),
        )
        wanted = [(fold(key), fold(value.strip())) for key, value in filters.where]
        fits = path_test(filters.paths) if filters.paths else None
        verdicts: dict[str | None, bool] = {None: True}
        passed = []
        for note, path, properties in rows:
            if fits is None or fits(path):
                if properties not in verdicts:
                    verdicts[properties] = _has_properties(json.loads(properties), wanted)
                if verdicts[properties]:
                    passed.append(note)
        return passed

    def hits(self, ids: Sequence[int]) -> Mapping[int, Hit]:
        """Hits without rank and score, by chunk id; ids that are gone are left out."""
        rows = self._all(
            "SELECT c.id, n.path, n.title, c.headings, c.start_line, c.end_line, c.text, n.topic, "
            "c.sentences, c.kind "
            "FROM json_each(?) j JOIN chunks c ON c.id = j.value JOIN notes n ON n.id = c.note_id",
            (json.dumps(list(ids)),),
        )
        return {
            chunk: Hit(
                rank=0,
                chunk_id=chunk,
                path=path,
                title=title,
                headings=tuple(json.loads(headings)),
                start_line=start_line,
                end_line=end_line,
                text=text,
                score=0.0,
                topic=topic,
                trace=_NO_TRACE,
                sentences=tuple((s, e) for s, e in json.loads(sentences)),
                kind=kind,
            )
            for chunk, path, title, headings, start_line, end_line, text, topic, sentences, kind in rows
        }

    def entities(self, ids: Sequence[int]) -> Mapping[int, tuple[Entity, ...]]:
        """The names that stand in each chunk."""
        rows = self._all(
            "SELECT e.chunk_id, e.text, e.label FROM json_each(?) j JOIN entities e ON e.chunk_id = j.value",
            (json.dumps(list(ids)),),
        )
        found: dict[int, list[Entity]] = {}
        for chunk, text, label in rows:
            found.setdefault(chunk, []).append(Entity(text, label))
        return {chunk: tuple(entities) for chunk, entities in found.items()}

    def links(self, ids: Sequence[int]) -> Mapping[int, tuple[str, ...]]:
        """Paths of the notes that each chunk links to."""
        rows = self._all(
            "SELECT c.id, n.path FROM json_each(?) j JOIN chunks c ON c.id = j.value "
            "JOIN links l ON l.note_id = c.note_id AND l.line BETWEEN c.start_line AND c.end_line "
            "JOIN notes n ON n.id = l.resolved ORDER BY l.position",
            (json.dumps(list(ids)),),
        )
        found: dict[int, dict[str, None]] = {}
        for chunk, path in rows:
            found.setdefault(chunk, {})[path] = None
        return {chunk: tuple(paths) for chunk, paths in found.items()}

    def _of_notes(self, column: str, ids: Sequence[int]) -> dict[int, Any]:
        """What a column of the notes says, by chunk id."""
        rows = self._all(
            f"SELECT c.id, n.{column} FROM json_each(?) j JOIN chunks c ON c.id = j.value "
            "JOIN notes n ON n.id = c.note_id",
            (json.dumps(list(ids)),),
        )
        return dict(rows)

    def paths_of(self, ids: Sequence[int]) -> Mapping[int, str]:
        """The path of each chunk's note."""
        return self._of_notes("path", ids)

    def called(self, paths: Sequence[str]) -> list[tuple[str, str, tuple[str, ...]]]:
        """(path, title, aliases) of some notes."""
        rows = self._all(
            "SELECT n.path, n.title, n.aliases FROM json_each(?) j JOIN notes n ON n.id = j.value",
            (json.dumps([note_id(path) for path in dict.fromkeys(paths)]),),
        )
        return [(path, title, tuple(json.loads(aliases))) for path, title, aliases in rows]

    def said_of(self, ids: Sequence[int]) -> Mapping[int, str]:
        """What the note of each chunk says of itself: its aliases, tags and properties."""
        notes = self.notes_of(ids)
        rows = self._all(
            "SELECT n.id, n.aliases, n.properties, "
            "(SELECT json_group_array(t.tag) FROM tags t WHERE t.note_id = n.id) "
            "FROM json_each(?) j JOIN notes n ON n.id = j.value",
            (json.dumps(list(dict.fromkeys(notes.values()))),),
        )
        said = {
            note: "\n".join([*json.loads(aliases), *json.loads(tags), property_words(json.loads(properties))])
            for note, aliases, properties, tags in rows
        }
        return {chunk: said[note] for chunk, note in notes.items() if note in said}

    def modified(self, ids: Sequence[int]) -> Mapping[int, float]:
        """When the note of each chunk was changed last, in Unix seconds."""
        return self._of_notes("modified", ids)

    def neighbours(self, ids: Sequence[int]) -> Mapping[int, tuple[Neighbour, ...]]:
        """The passages before and after each chunk in its note, where there are such."""
        rows = self._all(
            "SELECT c.id, o.ordinal < c.ordinal, o.start_line, o.end_line, o.headings, o.text "
            "FROM json_each(?) j JOIN chunks c ON c.id = j.value JOIN chunks o ON o.note_id = c.note_id "
            "AND o.ordinal IN (c.ordinal - 1, c.ordinal + 1) AND o.kind = 'text' ORDER BY o.ordinal",
            (json.dumps(list(ids)),),
        )
        found: dict[int, list[Neighbour]] = {}
        for chunk, before, start_line, end_line, headings, text in rows:
            found.setdefault(chunk, []).append(
                Neighbour(bool(before), start_line, end_line, tuple(json.loads(headings)), text)
            )
        return {chunk: tuple(around) for chunk, around in found.items()}

    def outgoing_links(self, ids: Sequence[int]) -> list[tuple[int, int, int]]:
        """(chunk id, line of its text, note id) of the links in each chunk that lead to other notes."""
        with self.snapshot(), translated("reading links"):
            return graph.outgoing(self._connection(), ids)

    def notes_of(self, ids: Sequence[int]) -> Mapping[int, int]:
        """The note id of each chunk."""
        with translated("reading the index"):
            return graph.notes_of(self._connection(), ids)

    def passages_of(self, notes: Sequence[int], most: int) -> Mapping[int, int]:
        """Note ids by chunk id of the first ``most`` chunks of each note."""
        with translated("reading the index"):
            return graph.passages_of(self._connection(), notes, most)

    def topic_names(self) -> tuple[str, ...]:
        """Every topic that holds a note, in alphabetical order."""
        # From one to the next by the index: DISTINCT would look at every note.
        rows = self._all(
            "WITH RECURSIVE names (topic) AS (SELECT min(topic) FROM notes UNION ALL "
            "SELECT (SELECT min(n.topic) FROM notes n WHERE n.topic > names.topic) FROM names "
            "WHERE names.topic IS NOT NULL) SELECT topic FROM names WHERE topic IS NOT NULL ORDER BY topic"
        )
        return tuple(topic for (topic,) in rows)

    def topics_of(self, ids: Sequence[int]) -> Mapping[int, str]:
        """The topic of each chunk."""
        return self._of_notes("topic", ids)

    def topics_of_notes(self, paths: Sequence[str]) -> Mapping[str, str]:
        """The topic of each note, by path; those that are not indexed are left out."""
        rows = self._all(
            "SELECT n.path, n.topic FROM json_each(?) j JOIN notes n ON n.id = j.value",
            (json.dumps([note_id(path) for path in paths]),),
        )
        return dict(rows)

    def known_files(self, paths: Sequence[str]) -> Mapping[str, KnownNote]:
        """What is indexed of the notes at ``paths``, by path; those that are not indexed are left out."""
        with translated("reading the index"):
            return known_files(self._connection(), paths)

    def blocks(self, path: str) -> list[tuple[str, int, int]]:
        """(block id, first line, last line) of the note's blocks that have an id."""
        return self._all(
            "SELECT block_id, start_line, end_line FROM blocks WHERE note_id = ? ORDER BY start_line",
            (note_id(path),),
        )

    def names(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """(path, title, aliases) of every note, by path."""
        rows = self._all("SELECT path, title, aliases FROM notes ORDER BY path")
        return [(path, title, tuple(json.loads(aliases))) for path, title, aliases in rows]

    # ------------------------------------------------------------------------------------------- links

    def backlinks(self, path: str) -> list[str]:
        """Paths of the notes that link to ``path``, sorted."""
        rows = self._all(
            "SELECT DISTINCT n.path FROM links l JOIN notes n ON n.id = l.note_id WHERE l.resolved = ? "
            "ORDER BY n.path",
            (note_id(path),),
        )
        return [row[0] for row in rows]

    def linked(self, path: str, target: str) -> str | None:
        """Where the link ``target``, written in the note ``path``, leads."""
        found: str | None = self._value(
            "SELECT n.path FROM links l JOIN notes n ON n.id = l.resolved "
            "WHERE l.note_id = ? AND l.target = ? LIMIT 1",
            (note_id(path), target),
        )
        return found

    # ------------------------------------------------------------------------------------------- status

    @property
    def generation(self) -> int:
        return int(self.meta("generation") or 0)

    def meta(self, key: str) -> Any:
        with translated("reading the index"):
            return meta.get(self._connection(), key)

    def count(self, table: str) -> int:
        """Rows of one of the index's own tables."""
        with translated("reading the index"):
            if not self._connection().table_exists("main", table):
                return 0
        return int(self._value(f"SELECT count(*) FROM {table}"))

    def vector_count(self) -> int:
        """Chunks that have their vector."""
        return int(self._value(f"SELECT count(*) {vectors.EMBEDDED}"))

    def topics(self) -> tuple[TopicStatus, ...]:
        rows = self._all(
            "SELECT n.topic, count(*), sum((SELECT count(*) FROM chunks c WHERE c.note_id = n.id)) "
            "FROM notes n GROUP BY n.topic ORDER BY 2 DESC, 1"
        )
        return tuple(TopicStatus(*row) for row in rows)

    def skipped(self) -> tuple[SkippedNote, ...]:
        return tuple(SkippedNote(*row) for row in self._all("SELECT path, reason FROM skipped ORDER BY path"))

    def warnings(self) -> tuple[SkippedNote, ...]:
        rows = self._all("SELECT path, warnings FROM notes WHERE warnings != '[]' ORDER BY path")
        return tuple(SkippedNote(path, "; ".join(json.loads(reasons))) for path, reasons in rows)

    def unresolved_links(self) -> int:
        return int(self._value("SELECT count(*) FROM links WHERE resolved IS NULL"))


def _has_properties(properties: Mapping[str, object], wanted: Sequence[tuple[str, str]]) -> bool:
    folded = {fold(str(key)): value for key, value in properties.items()}
    return all(key in folded and value in _texts(folded[key]) for key, value in wanted)


def _texts(value: object) -> list[str]:
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    text = "" if value is None else str(value)
    # A property that links to a note also matches by the note's name.
    name, _, shown = text.removeprefix("[[").removesuffix("]]").partition("|")
    return [fold(text), fold(name), fold(shown or name)]
