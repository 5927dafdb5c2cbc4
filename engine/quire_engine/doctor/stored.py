"""Whether what is stored of passages is right: their text, their vectors, their keywords."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from quire_engine.chunking.chunker import embed_text, embed_text_hash
from quire_engine.index.database import translated
from quire_engine.index.integrity import Differences, keyword_differences, vector_differences
from quire_engine.index.keywords import wanted_terms
from quire_engine.index.meta import OWN
from quire_engine.index.vectors import are_units
from quire_engine.markup import plain

if TYPE_CHECKING:
    import apsw

    from quire_engine.doctor.findings import ProgressReport
    from quire_engine.interfaces import Embedder, KeywordIndex

_T = TypeVar("_T")
SAMPLE = 64
"""Passages that are embedded again, and looked for by their own words."""
_ALIKE = 0.99
"""The least cosine of two embeddings of one text: runtimes and precisions differ by far less than models."""
_PAGE = 4096
_SLAB = 256
_WORDS = 200
"""Characters of a passage whose words are searched for."""
_CONTENT = "c.embed_hash, CAST(c.headings AS BLOB), CAST(c.text AS BLOB)"
"""Of a passage; as bytes, since what is damaged need not be text."""
_VECTOR = "iif(typeof(vector) = 'blob', vector, NULL)"
_PASSAGES = "FROM chunks c JOIN embeddings e ON e.hash = c.embed_hash AND e." + OWN


@dataclass(frozen=True, slots=True)
class VectorFaults:
    """What is wrong with the vectors of passages."""

    embeddings: int
    """How many the index holds of the present model."""
    missing: tuple[int, ...]
    """Chunks that have no embedding and do not wait for one."""
    wrong: tuple[bytes, ...]
    """Hashes of texts whose embedding is not what the model makes of them."""
    table: Differences
    """How the vector table differs from the embeddings that are there and right."""
    sampled: int
    lowest: float
    """The least cosine between a sampled passage's embedding and the one that was made now."""
    by_chance: bool
    """Whether wrong ones were found by the sample alone: there may be more."""


def altered_notes(db: apsw.Connection, report: ProgressReport) -> list[str]:
    """Paths of the notes whose passages are not all there, or that do not hold what was indexed."""
    with translated("checking passages"):
        lacking = (
            "SELECT n.path FROM notes n LEFT JOIN chunks c ON c.note_id = n.id GROUP BY n.id "
            "HAVING count(c.id) = 0 OR max(c.ordinal) + 1 != count(c.id) "
            "OR NOT (json_valid(n.aliases) AND json_valid(n.properties) AND json_valid(n.warnings))"
        )
        paths = {row[0] for row in db.execute(lacking)}
        total = int(db.execute("SELECT count(*) FROM chunks").get)
        rows = db.execute(
            f"SELECT n.path, {_CONTENT} FROM chunks c JOIN notes n ON n.id = c.note_id "
            "WHERE c.embed_hash IS NOT NULL"
        )
        for number, (path, *content) in enumerate(rows):
            if number % _PAGE == 0:
                report("checking passages", number, total)
            if _embedded_text(*content) is None:
                paths.add(path)
    return sorted(paths)


def _embedded_text(digest: object, headings: bytes | None, text: bytes | None) -> str | None:
    """What the model reads for a passage; ``None`` when that is not what was indexed."""
    try:
        told, words = json.loads((headings or b"").decode()), (text or b"").decode()
        return embed_text(told, words) if embed_text_hash(told, words) == digest else None
    except (ValueError, TypeError):
        return None


def vector_faults(db: apsw.Connection, embedder: Embedder, seed: int, report: ProgressReport) -> VectorFaults:
    """Compare the vector table with the embeddings, and a sample of these with what the model makes now.

    The index must have been made by ``embedder``.
    """
    report("checking vectors", 0, 0)
    table = vector_differences(db)
    with translated("checking embeddings"):
        known = int(db.execute(f"SELECT count(*) FROM embeddings WHERE {OWN}").get)
        missing = _column(
            db,
            "SELECT id FROM chunks c WHERE embed_hash IS NOT NULL AND id NOT IN "
            "(SELECT chunk_id FROM embedding_queue) AND NOT EXISTS "
            f"(SELECT 1 FROM embeddings WHERE hash = c.embed_hash AND {OWN})",
        )
        spoilt = set(_spoilt(db, embedder.dimensions))
        report("embedding a sample again", 0, 0)
        present = _column(db, f"SELECT c.id {_PASSAGES}")
        sample = _sampled(present, SAMPLE, seed)
        lows = dict(_unlike(db, embedder, sample))
        # Where the two differ, the model tells which is wrong.
        doubted = dict(_unlike(db, embedder, _sampled(table.differing, 8 * SAMPLE, seed)))
    unlike = {digest for digest, cosine in (lows | doubted).items() if cosine < _ALIKE}
    wrong = spoilt | unlike
    of_wrong = _chunks_of(db, wrong)
    explained = of_wrong | set(missing)
    return VectorFaults(
        known,
        tuple(missing),
        tuple(sorted(wrong)),
        replace(table, differing=tuple(c for c in table.differing if c not in explained)),
        len(sample),
        min(lows.values(), default=1.0),
        any(digest not in spoilt and digest not in doubted for digest in unlike),
    )


def wrong_embeddings(db: apsw.Connection, embedder: Embedder, report: ProgressReport) -> list[bytes]:
    """Hashes of all texts whose embedding is wrong; every passage goes through the model."""
    with translated("checking embeddings"):
        wrong = set(_spoilt(db, embedder.dimensions))
        one_each = _column(db, f"SELECT min(c.id) {_PASSAGES} GROUP BY c.embed_hash")
    for start in range(0, len(one_each), _SLAB):
        report("embedding again", start, len(one_each))
        slab = one_each[start : start + _SLAB]
        wrong.update(digest for digest, cosine in _unlike(db, embedder, slab) if cosine < _ALIKE)
    return sorted(wrong)


def keyword_faults(
    db: apsw.Connection, keywords: KeywordIndex, seed: int, report: ProgressReport
) -> Differences:
    """How the keyword index differs from the chunks; of a sample, each must be found by its own words."""
    report("checking keywords", 0, 0)
    found = keyword_differences(db, keywords)
    if found:
        return found
    with translated("checking keywords"):
        waiting = set(_column(db, "SELECT chunk_id FROM keyword_outbox"))
        chunks = [c for c in _column(db, "SELECT id FROM chunks WHERE kind = 'text'") if c not in waiting]
        rows = _rows(db, f"c.id, {_CONTENT} FROM chunks c", _sampled(chunks, SAMPLE, seed))
    unfound = []
    for chunk, digest, headings, text in rows:
        if digest is not None and _embedded_text(digest, headings, text) is None:
            continue  # its words are not those that were indexed
        words = plain((text or b"").decode(errors="replace"))[:_WORDS]
        if wanted_terms(words) and not keywords.search(words, 1, among=[chunk]):
            unfound.append(chunk)
    return replace(found, differing=tuple(sorted(unfound)))


def _spoilt(db: apsw.Connection, dimensions: int) -> Iterator[bytes]:
    """Hashes of embeddings that no model made: not as many numbers, or no unit vector."""
    rows = db.execute(f"SELECT hash, {_VECTOR} FROM embeddings WHERE {OWN}")
    while page := list(islice(rows, _PAGE)):
        whole = []
        for digest, vector in page:
            if _has_length(vector, dimensions):
                whole.append((digest, vector))
            else:
                yield digest
        if whole:
            matrix = np.frombuffer(b"".join(vector for _, vector in whole), np.float16)
            for row in np.flatnonzero(~are_units(matrix.reshape(len(whole), -1))).tolist():
                yield whole[row][0]


def _unlike(db: apsw.Connection, embedder: Embedder, chunks: Sequence[int]) -> Iterator[tuple[bytes, float]]:
    """(hash, cosine of the embedding that is stored and the one that the model makes now).

    Passages whose own text is damaged are left out, as are vectors that `_spoilt` tells.
    """
    texts: list[str] = []
    stored: list[tuple[bytes, bytes]] = []
    for digest, headings, text, vector in _rows(db, f"{_CONTENT}, {_VECTOR} {_PASSAGES}", chunks):
        read = _embedded_text(digest, headings, text)
        if read is not None and _has_length(vector, embedder.dimensions):
            texts.append(read)
            stored.append((digest, vector))
    if not texts:
        return
    fresh = embedder.embed_passages(texts)
    known = np.frombuffer(b"".join(vector for _, vector in stored), np.float16).reshape(fresh.shape)
    with np.errstate(all="ignore"):
        cosines = np.nan_to_num((fresh * known.astype(np.float32)).sum(axis=1), nan=-1.0)
    for (digest, _), cosine in zip(stored, cosines.tolist(), strict=True):
        yield digest, cosine


def _has_length(vector: object, dimensions: int) -> bool:
    """Whether it is a row of so many numbers in float16."""
    return isinstance(vector, bytes) and len(vector) == 2 * dimensions


def _chunks_of(db: apsw.Connection, hashes: Iterable[bytes]) -> set[int]:
    rows = db.executemany("SELECT id FROM chunks WHERE embed_hash = ?", ((digest,) for digest in hashes))
    return {row[0] for row in rows}


def _rows(db: apsw.Connection, columns: str, chunks: Sequence[int]) -> list[Any]:
    sql = f"SELECT {columns} WHERE c.id IN (SELECT value FROM json_each(?)) ORDER BY c.id"
    rows: list[Any] = db.execute(sql, (json.dumps(list(chunks)),)).fetchall()
    return rows


def _column(db: apsw.Connection, sql: str) -> list[int]:
    return [row[0] for row in db.execute(sql)]


def _sampled(items: Sequence[_T], most: int, seed: int) -> list[_T]:
    """At most so many of ``items``, the same for the same ``seed``."""
    return list(items) if len(items) <= most else Random(seed).sample(items, most)  # noqa: S311
