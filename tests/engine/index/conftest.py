"""An index of a test's own: a real SQLite file with vec0, real notes, small vectors."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import numpy as np
import pytest
from numpy.typing import NDArray

from quire_engine.chunking.chunker import Chunker
from quire_engine.chunking.sentences import LanguageTools
from quire_engine.index.database import connect
from quire_engine.index.reader import IndexReader
from quire_engine.index.store import IndexWriter
from quire_engine.inference.embedder import SentenceEmbedder
from quire_engine.records import Chunk, FileStat, Filters, Note
from quire_engine.vault.parser import parse

DIMENSIONS = 8
ROSES = (
    "---\nstatus: done\ntags: [plants/roses]\naliases: [Rosa]\n---\n# Roses\n\n"
    "Roses want sun and a deep, loose soil. ^soil\n\n"
    "Prune the roses in March, before the buds open. ^prune\n\n"
    "Feed the roses with [[Compost]] after pruning. ^feed\n"
)


def vector(seed: bytes) -> NDArray[np.float32]:
    """A unit vector that follows from ``seed``."""
    numbers = np.random.default_rng(list(seed)).normal(size=DIMENSIONS)
    found: NDArray[np.float32] = (numbers / np.linalg.norm(numbers)).astype(np.float32)
    return found


def every_chunk(reader: IndexReader) -> list[int]:
    return reader.chunk_ids(Filters(before=math.inf)) or []


class Index:
    """A writer with what a sync does around it, one step at a time."""

    def __init__(self, folder: Path, chunker: Chunker, fingerprint: str = "model-a") -> None:
        self.folder = folder
        self.db: apsw.Connection = connect(folder, writable=True)
        self.writer = IndexWriter(self.db, fingerprint, DIMENSIONS)
        self._chunker = chunker

    def parsed(self, path: str, text: str, modified: float = 1.0) -> tuple[Note, list[Chunk]]:
        stat = FileStat(size=len(text), mtime_ns=int(modified * 1e9), inode=1)
        note = parse(path, text.encode("utf-8"), stat)
        return note, self._chunker.chunk(note)

    def put(self, path: str, text: str, *, topic: str = "t", modified: float = 1.0) -> int:
        """Index one note; returns how many vectors were known."""
        note, chunks = self.parsed(path, text, modified)
        with self.writer.transaction():
            return self.writer.fill_vectors(self.writer.put_note(note, chunks, topic, modified))

    def embed(self) -> int:
        """Work off the queue; returns how many texts went through the model."""
        slab = self.writer.queue(10_000)
        hashes = list({digest: None for _, digest, _, _ in slab})
        if hashes:
            with self.writer.transaction():
                rows = np.stack([vector(digest) for digest in hashes])
                self.writer.store_vectors(hashes, rows, [row[0] for row in slab])
        return len(hashes)

    def outbox(self) -> list[tuple[str, int]]:
        """(operation, chunk) of what waits for the keyword index; forgotten afterwards."""
        rows = self.writer.outbox.page(0, 10_000)
        if rows:
            with self.writer.transaction():
                self.writer.outbox.trim(rows[-1][0])
        return [(operation, chunk) for _, operation, chunk in rows]

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        found: list[tuple[object, ...]] = self.db.execute(sql).fetchall()
        return found

    def vectors(self) -> dict[int, str]:
        """The note's topic by chunk, of all rows of the vector table."""
        topic_of = dict(self.rows("SELECT c.id, n.topic FROM chunks c JOIN notes n ON n.id = c.note_id"))
        return {chunk: topic_of[chunk] for (chunk,) in self.db.execute("SELECT chunk_id FROM vectors")}

    def content(self) -> dict[str, list[tuple[object, ...]]]:
        """Every row of every table, but for the moments at which they were written."""
        tables = [row[0] for row in self.db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        found = {}
        for table in sorted(t for t in tables if not str(t).startswith(("sqlite_", "vectors", "migrations"))):
            columns = [row[1] for row in self.db.execute(f"PRAGMA table_info({table})")]
            kept = ", ".join(c for c in columns if c not in ("indexed_at", "released_at"))
            found[table] = sorted(self.rows(f"SELECT {kept} FROM {table}"), key=repr)
        return {**found, "vectors": sorted(self.vectors().items())}


@pytest.fixture(scope="session")
def chunker(embedder: SentenceEmbedder, language_tools: LanguageTools) -> Chunker:
    """A budget that short notes exceed."""
    return Chunker(embedder, language_tools, 48)


OpenIndex = Callable[..., Index]


@pytest.fixture
def open_index(tmp_path: Path, chunker: Chunker) -> Iterator[OpenIndex]:
    """Opens the test's index, once or again."""
    opened: list[Index] = []

    def open_one(fingerprint: str = "model-a") -> Index:
        opened.append(Index(tmp_path, chunker, fingerprint))
        return opened[-1]

    yield open_one
    for index in opened:
        index.db.close()


@pytest.fixture
def index(open_index: OpenIndex) -> Index:
    return open_index()


@pytest.fixture
def permissions(tmp_path: Path) -> None:
    """Skips a test where permissions keep nobody out, as with root."""
    probe = tmp_path / "probe"
    probe.write_text("")
    probe.chmod(0o400)
    if os.access(probe, os.W_OK):
        pytest.skip("this user may write everywhere")
    probe.unlink()
