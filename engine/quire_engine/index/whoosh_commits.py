"""Commits of the Whoosh index: its table of contents, what it holds of the database, when to merge."""

from __future__ import annotations

import fnmatch
import json
import os
import struct
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import log
from pathlib import Path

from whoosh.codec.whoosh3 import W3Segment
from whoosh.columns import NumericColumn
from whoosh.fields import COLUMN, ID, Schema
from whoosh.filedb.filestore import RamStorage
from whoosh.index import TOC

from quire_engine.index.whoosh_segments import FIELD, IDS, LENGTHS
from quire_engine.privacy import private

INDEX = "MAIN"
_PATTERN = f"_{INDEX}_*.toc"
_TRAILER_END = struct.Struct("!II")
"""The size of what was added to Whoosh's table, and the CRC-32 of everything before this."""
_FACTOR = 8
"""As many segments of like size become one; a document is merged once a level, so O(n log n) in all."""
_LARGEST = 2**18
"""Documents from which a segment is merged no more, so that no commit takes long."""
_ATTEMPTS = 10
_MOST_DELETED = 0.3
"""The share of deleted documents from which a segment is written anew."""


@dataclass(frozen=True)
class Commit:
    """What the index holds, and up to where it has applied the database's changes."""

    generation: int
    segments: tuple[W3Segment, ...]
    sequence: int
    source: str

    def next(self, segments: Sequence[W3Segment], sequence: int, source: str) -> Commit:
        return Commit(self.generation + 1, tuple(segments), sequence, source)


def first_commit(folder: Path) -> Commit:
    """An empty one, which comes after those that could not be removed."""
    return Commit(1 + max(_generations(folder), default=-1), (), 0, "")


def read_commit(folder: Path) -> Commit | None:
    """The last commit, or ``None`` where there is no index.

    Raises `FileNotFoundError` when a writer removed it meanwhile, and much else when it is damaged.
    """
    generations = _generations(folder)
    if not generations:
        return None
    name = _name(max(generations))
    content = (folder / name).read_bytes()
    content, end = content[: -_TRAILER_END.size], content[-_TRAILER_END.size :]
    size, checksum = _TRAILER_END.unpack(end)
    if zlib.crc32(content) != checksum:
        raise ValueError("the table of contents is damaged")
    storage = RamStorage()
    storage.files[name] = content
    toc = TOC.read(storage, INDEX, schema=_schema())
    trailer = json.loads(content[-size:])
    return Commit(toc.generation, tuple(toc.segments), int(trailer["sequence"]), str(trailer["source"]))


def write_commit(folder: Path, commit: Commit) -> None:
    """Make ``commit`` the last one, at once or not at all, and remove what it no longer needs."""
    name = _name(commit.generation)
    storage = RamStorage()
    TOC(_schema(), list(commit.segments), commit.generation).write(storage, INDEX)
    # Whoosh does not read what follows the table. A commit of its own lacks it, and the index is built anew.
    trailer = json.dumps({"sequence": commit.sequence, "source": commit.source}).encode()
    content = storage.files[name] + trailer
    temporary = folder / f"{name}.new"
    with open(temporary, "wb", opener=private) as file:
        file.write(content + _TRAILER_END.pack(len(trailer), zlib.crc32(content)))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / name)
    _settle(folder)
    needed = {name, *(segment.make_filename(".seg") for segment in commit.segments)}
    for file_ in folder.iterdir():
        if file_.name not in needed:
            with suppress(OSError):  # on a network drive, that of a reader stays until it is done
                file_.unlink()


def _settle(folder: Path) -> None:
    """Have the names of new files reach the disk before the files that they replace are removed."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def seen_commits(folder: Path) -> list[tuple[str, int, int]]:
    """What changes with every commit, also when another index, counting anew, took this one's place."""
    found: list[tuple[str, int, int]] = []
    for _ in range(_ATTEMPTS):
        for name in _commits(folder):
            with suppress(FileNotFoundError):  # a writer removes the one before
                status = (folder / name).stat()
                found.append((name, status.st_mtime_ns, status.st_ino))
        if found or not folder.exists():
            break  # else the list was made while one took the other's place
    return sorted(found)


def due_for_merging(segments: Sequence[W3Segment]) -> list[W3Segment]:
    """Segments that ought to become one, smallest level first; none when all is well."""
    levels: dict[int, list[W3Segment]] = {}
    for segment in segments:
        if segment.deleted_count() > _MOST_DELETED * segment.doc_count_all():
            return [segment]
        if segment.doc_count() < _LARGEST:
            levels.setdefault(int(log(max(1, segment.doc_count()), _FACTOR)), []).append(segment)
    return next((levels[level] for level in sorted(levels) if len(levels[level]) >= _FACTOR), [])


def _schema() -> Schema:
    words = ID()
    words.scorable = True
    return Schema(**{IDS: COLUMN(NumericColumn("Q")), LENGTHS: COLUMN(NumericColumn("I")), FIELD: words})


def _name(generation: int) -> str:
    return f"_{INDEX}_{generation}.toc"


def _commits(folder: Path) -> list[str]:
    """The names of tables of contents, none in a folder that is not there."""
    try:
        names = [file.name for file in folder.iterdir()]  # `glob` may find nothing where the system fails
    except FileNotFoundError:
        return []
    return fnmatch.filter(names, _PATTERN)


def _generations(folder: Path) -> list[int]:
    return [int(name.removeprefix(f"_{INDEX}_").removesuffix(".toc")) for name in _commits(folder)]
