"""What each stage of indexing costs, one after the other in one process, and the whole as Quire runs it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bench.report import Figure
from bench.workshop import Workshop
from quire_engine import Settings
from quire_engine.chunking.chunker import Chunker, embed_text
from quire_engine.chunking.sentences import LanguageTools
from quire_engine.index import topics
from quire_engine.index.keyword_fields import note_fields
from quire_engine.index.keywords import weighted_terms
from quire_engine.indexing.desk import WriteDesk
from quire_engine.records import Chunk
from quire_engine.vault.parser import parse
from quire_engine.vault.scanner import read_file, scan

_BATCH = 64
"""Notes to a transaction."""


def measure(workshop: Workshop) -> list[Figure]:
    """Chunks a second, seconds and MB/s of every stage, then of `Engine.sync` without embedding."""
    indexed, embedder, vault = workshop.indexed, workshop.embedder, workshop.vault
    chunker = Chunker(embedder, LanguageTools({}), Settings().chunking.budget)
    stages: dict[str, float] = {}

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        stages[name] = time.perf_counter() - begun

    with stage("scan"):
        files = scan(vault).files
    read_at = time.time()
    with stage("read"):
        data = [read_file(vault, file.path) for file in files]
    with stage("parse"):
        notes = [parse(file.path, *content) for file, content in zip(files, data, strict=True)]
    with stage("chunk"):
        chunks = [chunker.chunk(note) for note in notes]
    with stage("analyse"):
        pairs = zip(notes, chunks, strict=True)
        terms = [[weighted_terms(fields) for fields in note_fields(*pair)] for pair in pairs]
    topic_of = topics.assign(note.path for note in notes)
    folder = workshop.folder / "stages"
    folder.mkdir()
    desk = WriteDesk(folder, embedder, Settings().retrieval.keywords)
    with desk.writing(1.0):
        with stage("SQLite"):
            for start in range(0, len(notes), _BATCH):
                with desk.store.transaction():
                    for n in range(start, min(start + _BATCH, len(notes))):
                        desk.store.put_note(notes[n], chunks[n], topic_of[notes[n].path], read_at)
        with stage("keyword index"):
            numbered = [
                (chunk.id, weights)
                for pieces, all_weights in zip(chunks, terms, strict=True)
                for chunk, weights in zip(pieces, all_weights, strict=True)
            ]
            desk.keywords.apply([], numbered, 1, "bench")
    desk.close()
    total, megabytes = sum(map(len, chunks)), sum(note.stat.size for note in notes) / 1e6

    def figure(name: str, seconds: float, at_least: float | None = None) -> Figure:
        details = {"seconds": seconds, "MB/s": megabytes / seconds}
        return Figure(name, total / seconds, "chunks/s", at_least=at_least, details=details)

    return [
        Figure("text", megabytes, "MB", details={"notes": len(notes), "chunks": total}),
        *(figure(name, seconds) for name, seconds in stages.items()),
        figure("all of these, one process", sum(stages.values())),
        figure("Engine.sync, worker processes", indexed.seconds, at_least=3000),
        Figure("one process / Engine.sync", sum(stages.values()) / indexed.seconds, "×"),
        _embedding(workshop, [chunk for pieces in chunks for chunk in pieces]),
    ]


def _embedding(workshop: Workshop, chunks: Sequence[Chunk]) -> Figure:
    """The rate for a sample of the passages; the section ``embedding`` looks closer."""
    most = 64 if workshop.options.quick else 512
    texts = [embed_text(c.headings, c.text) for c in chunks[:: max(1, len(chunks) // most)] if c.embed_hash]
    workshop.embedder.embed_passages(texts[:8])
    begun = time.perf_counter()
    workshop.embedder.embed_passages(texts)
    seconds = time.perf_counter() - begun
    return Figure("embedding", len(texts) / seconds, "chunks/s", note=f"a sample of {len(texts)}")
