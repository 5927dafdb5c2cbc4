"""Whether the parts of an index agree with what its database says of the notes.

The quick questions are asked by every sync that looks at the whole vault; the thorough ones are for those who
want to know what is wrong. Whatever does not agree is made again from the database: the vectors by
`IndexWriter.rebuild_vectors`, the keywords by the sync that follows their ``clear``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import apsw
import numpy as np

from quire_engine.errors import DamagedIndexError, StoreError
from quire_engine.index.database import translated
from quire_engine.index.meta import OWN
from quire_engine.index.shards import ShardCache
from quire_engine.index.vector_schema import TABLE, is_there
from quire_engine.index.vectors import EMBEDDED, embeddings, load

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quire_engine.interfaces import KeywordIndex

_PAGE = 2048


@dataclass(frozen=True, slots=True)
class Differences:
    """How one part of an index differs from what the database's chunks say."""

    missing: tuple[int, ...] = ()
    """Chunks that ought to be there."""
    extra: tuple[int, ...] = ()
    """Chunks that ought not to be there, or are there twice."""
    differing: tuple[int, ...] = ()
    """Chunks whose content is not what it ought to be."""
    problem: str = ""
    """Why the part cannot be read as a whole, or what else is wrong with it; empty if nothing is."""

    def __bool__(self) -> bool:
        return bool(self.missing or self.extra or self.differing or self.problem)


# ------------------------------------------------------------------------------------------------- vectors


def vectors_agree(db: apsw.Connection) -> bool:
    """Whether the vector table holds as many rows as chunks have vectors, in each of its parts.

    And whether its shards can be read, by which it is searched.
    """
    try:
        if not is_there(db):
            return False
        wanted = db.execute(f"SELECT count(*) {EMBEDDED}").get
        counts = db.execute(
            f"SELECT (SELECT count(*) FROM {TABLE}_rowids), (SELECT count(*) FROM shard_members), "
            "(SELECT coalesce(sum(count), 0) FROM shards)"
        ).fetchall()[0]
        pages = db.execute(
            f"SELECT (SELECT count(*) FROM {TABLE}_chunks), (SELECT count(*) FROM {TABLE}_vector_chunks00)"
        ).fetchall()[0]
        if {*counts, sum(len(ids) for _, ids in _stored(db))} != {wanted} or pages[0] != pages[1]:
            return False
        ShardCache().at(db)
        return True
    except (apsw.SQLError, DamagedIndexError, TypeError, ValueError):
        return False


def vector_differences(db: apsw.Connection) -> Differences:
    """Which vectors are missing, not wanted, in the wrong shard, or not what was embedded. Reads them all."""
    with translated("checking vectors"):
        wanted = {row[0] for row in db.execute(f"SELECT id {EMBEDDED}")}
        try:
            if not is_there(db):
                return Differences(problem="there is no vector table" if wanted else "")
            lies = {chunk: shard for shard, ids in _stored(db) for chunk in ids.tolist()}
            listed = dict(db.execute("SELECT chunk_id, shard FROM shard_members"))
            rows = {row[0] for row in db.execute(f"SELECT rowid FROM {TABLE}_rowids")}
            held = lies.keys() & listed.keys() & rows
            misplaced = {chunk for chunk in held if lies[chunk] != listed[chunk]}
            differing = misplaced | _unlike(db, sorted(held & wanted))
            extra = (lies.keys() | listed.keys() | rows) - wanted
            found = Differences(tuple(sorted(wanted - held)), tuple(sorted(extra)), tuple(sorted(differing)))
            if not found and not vectors_agree(db):
                return Differences(problem="the vector table's counts are wrong")
            if not found and not _means_agree(db):
                return Differences(problem="the shards' means are wrong")
            return found
        except (apsw.SQLError, DamagedIndexError, TypeError, ValueError) as error:
            return Differences(problem=f"the vector table cannot be read ({error})")


def _stored(db: apsw.Connection) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """(shard, chunk ids) of each of vec0's own pages, by which it searches."""
    for shard, validity, rowids in db.execute(f"SELECT partition00, validity, rowids FROM {TABLE}_chunks"):
        valid = np.unpackbits(np.frombuffer(validity, np.uint8), bitorder="little").astype(bool)
        ids = np.frombuffer(rowids, np.int64)
        if len(ids) != len(valid):
            raise ValueError("a page of the vector table is damaged")
        yield shard, ids[valid]


def _means_agree(db: apsw.Connection) -> bool:
    """Whether each shard knows the sum of its vectors, by which questions find it."""
    shards: list[Any] = db.execute("SELECT id, total FROM shards").fetchall()
    for shard, total in shards:
        rows: list[Any] = db.execute(
            "SELECT e.vector FROM shard_members m JOIN chunks c ON c.id = m.chunk_id "
            f"JOIN embeddings e ON e.hash = c.embed_hash AND e.{OWN} WHERE shard = ?",
            (shard,),
        ).fetchall()
        vectors = np.frombuffer(b"".join(row[0] for row in rows), np.float16).astype(np.float64)
        known = np.frombuffer(total, np.float64)
        if not np.array_equal(vectors.reshape(-1, len(known)).sum(axis=0), known):
            return False
    return True


def _unlike(db: apsw.Connection, chunk_ids: list[int]) -> set[int]:
    """Chunks whose row in the table is not the vector that was embedded for their text, or has none."""
    unlike: set[int] = set()
    for start in range(0, len(chunk_ids), _PAGE):
        page = chunk_ids[start : start + _PAGE]
        known = load(db, page)
        rows = dict(embeddings(db, page))
        unlike |= {c for c in page if c not in known or rows.get(c) != known[c].tobytes()}
    return unlike


# ------------------------------------------------------------------------------------------------ keywords


def keyword_differences(db: apsw.Connection, keywords: KeywordIndex) -> Differences:
    """Which chunks the keyword index lacks, or holds without need, but for what waits in the outbox.

    Reads its files to the end.
    """
    with translated("checking keywords"):
        wanted = {row[0] for row in db.execute("SELECT id FROM chunks")}
        waiting = {row[0] for row in db.execute("SELECT chunk_id FROM keyword_outbox")}
    try:
        keywords.verify()
        found = keywords.chunks()
    except StoreError as error:
        return Differences(problem=str(error))
    held = set(found)
    twice = {chunk for chunk, times in Counter(found).items() if times > 1}
    return Differences(
        tuple(sorted(wanted - held - waiting)), tuple(sorted((held - wanted - waiting) | twice))
    )
