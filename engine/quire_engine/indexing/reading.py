"""From a file to what the index stores of it; runs in this process or in worker processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import Any, Self

from quire_engine.chunking.chunker import Chunker
from quire_engine.chunking.sentences import LanguageTools
from quire_engine.errors import ConfigError, ModelError, StoreError, VaultError
from quire_engine.index.keyword_fields import note_fields
from quire_engine.index.keywords import weighted_terms
from quire_engine.interfaces import TokenCounter
from quire_engine.records import Chunk, FileStat, Note, Span
from quire_engine.vault.links import is_attachment
from quire_engine.vault.parser import parse
from quire_engine.vault.scanner import read_file

NOT_THE_NOTE = (StoreError, ModelError, ConfigError, MemoryError)
"""What goes wrong whichever note is read or written."""


@dataclass(frozen=True, slots=True)
class ReadTask:
    """A file to read; ``known`` is the content hash that makes reading further unnecessary."""

    path: str
    known: bytes | None
    size: int = 0
    """Bytes, as far as is known."""


@dataclass(frozen=True, slots=True)
class ReadNote:
    """What is stored of a note. Its text and the blocks that nobody refers to are left behind."""

    note: Note
    chunks: tuple[Chunk, ...]
    terms: tuple[Mapping[str, float], ...]
    """Weighted index terms of each chunk."""
    read_at: float
    """A moment before the file was read, Unix seconds: what is written to it later is not in here."""


@dataclass(frozen=True, slots=True)
class SameNote:
    """A file whose content is the known one."""

    path: str
    stat: FileStat
    modified: float
    """See `Note.modified`; it may follow from the stat."""
    read_at: float


@dataclass(frozen=True, slots=True)
class UnreadNote:
    """A file that cannot be indexed, and why."""

    path: str
    reason: str

    @classmethod
    def because(cls, path: str, error: Exception) -> Self:
        """One that brought about an ``error`` that no note should: the others are indexed nevertheless."""
        return cls(path, f"it cannot be indexed ({type(error).__name__}); please report it with the note")


Reading = ReadNote | SameNote | UnreadNote

_SPAN = attrgetter("start", "end", "start_line", "end_line")
_CHUNK = attrgetter("id", "ordinal", "kind", "text", "headings", "tokens", "embed_hash", "sentences")


def packed(reading: Reading) -> Any:
    """``reading`` in a form that is pickled and read several times as fast: chunks as plain tuples."""
    if not isinstance(reading, ReadNote):
        return reading
    chunks = [(_SPAN(chunk.span), _CHUNK(chunk)) for chunk in reading.chunks]
    return reading.note, chunks, reading.terms, reading.read_at


def unpacked(data: Any) -> Reading:
    """What was `packed`."""
    if isinstance(data, SameNote | UnreadNote):
        return data
    note, rows, terms, read_at = data
    chunks = tuple(
        Chunk(identity, note.path, ordinal, kind, Span(*span), text, headings, tokens, digest, sentences)
        for span, (identity, ordinal, kind, text, headings, tokens, digest, sentences) in rows
    )
    return ReadNote(note, chunks, terms, read_at)


class NoteReader:
    """Reads, parses, cuts and analyses notes of one vault."""

    def __init__(
        self,
        vault: Path,
        max_note_bytes: int,
        counter: TokenCounter,
        tools: Callable[[], LanguageTools],
        chunk_budget: int,
    ) -> None:
        """``tools`` is called when the first note is read; a chunk has ``chunk_budget`` tokens at most."""
        self._vault = vault
        self._max_note_bytes = max_note_bytes
        self._counter = counter
        self._tools = tools
        self._budget = chunk_budget
        self._chunker: Chunker | None = None

    def read_all(self, tasks: Sequence[ReadTask]) -> list[Reading]:
        """One reading for each task. Raises what is not a note's fault: `ConfigError`, `ModelError`."""
        return [self._read_if_memory_allows(task) for task in tasks]

    def read(self, task: ReadTask) -> Reading:
        """What became of ``task``. Raises as `read_all` does, and `MemoryError`."""
        if self._chunker is None:
            self._chunker = Chunker(self._counter, self._tools(), self._budget)
        read_at = time.time()
        try:
            data, stat = read_file(self._vault, task.path, self._max_note_bytes)
            note = parse(task.path, data, stat)
            if note.content_hash == task.known:
                return SameNote(task.path, stat, note.modified, read_at)
            chunks = self._chunker.chunk(note)
            terms = tuple(weighted_terms(fields) for fields in note_fields(note, chunks))
            return ReadNote(_stored(note), tuple(chunks), terms, read_at)
        except VaultError as error:
            return UnreadNote(task.path, str(error))
        except NOT_THE_NOTE:
            raise
        except Exception as error:
            return UnreadNote.because(task.path, error)

    def _read_if_memory_allows(self, task: ReadTask) -> Reading:
        try:
            return self.read(task)
        except MemoryError:
            return UnreadNote(task.path, "not enough memory to read it")


def _stored(note: Note) -> Note:
    return replace(
        note,
        text="",
        comments=(),
        blocks=tuple(block for block in note.blocks if block.block_id),
        links=tuple(link for link in note.links if not is_attachment(link.target)),
    )
