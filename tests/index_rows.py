"""Everything an index holds that follows from the notes: equal for two indexes of the same vault."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from quire_engine.index.database import connect
from quire_engine.index.whoosh_keywords import WhooshKeywords

_ROWS = {
    "notes": "SELECT id, path, title, topic, aliases, properties, modified, size, mtime_ns, inode, "
    "content_hash, warnings FROM notes",
    "tags": "SELECT note_id, tag, folded FROM tags",
    "blocks": "SELECT note_id, block_id, start_line, end_line FROM blocks",
    "links": "SELECT note_id, position, kind, target, subpath, text, line, resolved FROM links",
    "skipped": "SELECT path, reason FROM skipped",
    "chunks": "SELECT id, note_id, ordinal, kind, start, end, start_line, end_line, text, headings, "
    "sentences, tokens, embed_hash FROM chunks",
    "entities": "SELECT chunk_id, text, label FROM entities",
    "matched_names": "SELECT text, label FROM matched_names",
    "embedding_queue": "SELECT chunk_id, priority FROM embedding_queue",
    "entity_queue": "SELECT chunk_id FROM entity_queue",
    "keyword_outbox": "SELECT operation, chunk_id FROM keyword_outbox",
    # Of the embeddings, those in use: what is kept of text that is gone tells the index's history.
    "embeddings": "SELECT hash, fingerprint, vector FROM embeddings WHERE hash IN "
    "(SELECT embed_hash FROM chunks)",
    "vectors": "SELECT chunk_id, embedding FROM vectors",
    "shard_members": "SELECT chunk_id FROM shard_members",
    "meta": "SELECT key, value FROM meta WHERE key IN ('recipe', 'fingerprint') "
    "OR (key = 'unfinished' AND value)",
}
"""What is left out: when something happened, the generation, random names, the order of arrival, and to
which shard a vector came."""


def rows(folder: Path) -> dict[str, list[Any]]:
    """The rows of the index in ``folder`` (of `locations.index_dir`), by table, each sorted.

    Also under ``keywords`` those of the Whoosh index, (chunk id, term, weight), and under ``stray`` the
    model's embeddings that are marked as released and used, or as neither: always none.
    """
    database = connect(folder, writable=False)
    try:
        found = {table: sorted(database.execute(sql).fetchall(), key=repr) for table, sql in _ROWS.items()}
        found["stray"] = database.execute(
            "SELECT hash FROM embeddings JOIN meta ON key = 'fingerprint' AND value = fingerprint WHERE "
            "(released_at IS NULL) != EXISTS (SELECT 1 FROM chunks WHERE embed_hash = embeddings.hash)"
        ).fetchall()
    finally:
        database.close()
    return found | {"keywords": keyword_rows(folder)}


def keyword_rows(folder: Path) -> list[tuple[int, str, float]]:
    """(chunk id, term, weight) of all that the Whoosh index in ``folder`` finds, sorted.

    A chunk without any term is there as (chunk id, "", 0.0).
    """
    keywords = WhooshKeywords(folder, writable=False)
    try:
        with keywords._lock:
            keywords._refreshed()
            segments = keywords._live_segments()
        found: list[tuple[int, str, float]] = []
        for part in segments:
            found += [(int(chunk), "", 0.0) for chunk in part.file.ids[part.mask]]
            terms, info = part.file.all_terms()
            documents, weights = part.file.all_postings(info)
            names = np.repeat(np.arange(len(terms)), info["count"].astype(np.int64))
            for name, document, weight in zip(names, documents, weights, strict=True):
                if part.mask[document]:
                    chunk = int(part.file.ids[document])
                    found.append((chunk, terms[name].decode("utf-8", "surrogatepass"), float(weight)))
        return sorted(found)
    finally:
        keywords.close()


def differences(one: dict[str, Sequence[Any]], other: dict[str, Sequence[Any]]) -> str:
    """What only one of two indexes holds, a few rows a table; empty when they are equal."""
    lines = []
    for table in one.keys() | other.keys():
        left, right = list(map(repr, one.get(table, ()))), list(map(repr, other.get(table, ())))
        if left != right:
            missing, added = sorted(set(right) - set(left))[:5], sorted(set(left) - set(right))[:5]
            lines.append(f"{table}: {len(left)} and {len(right)} rows; only in the first {added}, ")
            lines.append(f"  only in the second {missing}")
    return "\n".join(lines)
