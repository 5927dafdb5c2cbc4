"""The schema, as the numbered steps that made it. A step that was released is never edited; append a new one.

A migration never discards vectors. The ``vectors`` table is not here: its width depends on the embedding
model (see `quire_engine.index.vectors`).
"""

from __future__ import annotations

_FIRST = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;

CREATE TABLE notes (
    id INTEGER PRIMARY KEY,            -- 63 bits, from the path
    path TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    topic TEXT NOT NULL,
    aliases TEXT NOT NULL,             -- JSON array
    properties TEXT NOT NULL,          -- JSON object
    modified REAL NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    content_hash BLOB NOT NULL,
    warnings TEXT NOT NULL,            -- JSON array
    indexed_at REAL NOT NULL
);
CREATE INDEX notes_topic ON notes (topic);
CREATE INDEX notes_modified ON notes (modified);

CREATE TABLE tags (
    note_id INTEGER NOT NULL REFERENCES notes ON DELETE CASCADE,
    tag TEXT NOT NULL,
    folded TEXT NOT NULL,
    PRIMARY KEY (note_id, tag)
) WITHOUT ROWID;
CREATE INDEX tags_folded ON tags (folded, note_id);

CREATE TABLE chunks (
    id INTEGER PRIMARY KEY,
    note_id INTEGER NOT NULL REFERENCES notes ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    kind TEXT NOT NULL,
    start INTEGER NOT NULL,
    end INTEGER NOT NULL,
    start_line INTEGER NOT NULL,
    end_line INTEGER NOT NULL,
    text TEXT NOT NULL,
    headings TEXT NOT NULL,            -- JSON array
    sentences TEXT NOT NULL,           -- JSON array of [start, end]
    tokens INTEGER NOT NULL,
    embed_hash BLOB                    -- NULL: no vector
);
CREATE INDEX chunks_note ON chunks (note_id, ordinal);
CREATE INDEX chunks_embed_hash ON chunks (embed_hash);

CREATE TABLE entities (
    chunk_id INTEGER NOT NULL REFERENCES chunks ON DELETE CASCADE,
    text TEXT NOT NULL,
    label TEXT NOT NULL,
    PRIMARY KEY (chunk_id, label, text)
) WITHOUT ROWID;
CREATE INDEX entities_text ON entities (text);

CREATE TABLE links (
    note_id INTEGER NOT NULL REFERENCES notes ON DELETE CASCADE,
    position INTEGER NOT NULL,
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    subpath TEXT NOT NULL,
    text TEXT NOT NULL,
    line INTEGER NOT NULL,
    resolved INTEGER,                  -- a note's id; NULL: leads nowhere
    PRIMARY KEY (note_id, position)
) WITHOUT ROWID;
CREATE INDEX links_resolved ON links (resolved);

CREATE TABLE blocks (
    note_id INTEGER NOT NULL REFERENCES notes ON DELETE CASCADE,
    block_id TEXT NOT NULL,
    start_line INTEGER NOT NULL,
    end_line INTEGER NOT NULL,
    PRIMARY KEY (note_id, block_id)
) WITHOUT ROWID;

CREATE TABLE skipped (path TEXT PRIMARY KEY, reason TEXT NOT NULL) WITHOUT ROWID;

-- Vectors outlive their chunks for a while, so that a rename, a move or an undo embeds nothing.
CREATE TABLE embeddings (
    hash BLOB NOT NULL,
    fingerprint TEXT NOT NULL,
    vector BLOB NOT NULL,              -- float16
    released_at REAL,                  -- when the last chunk with this hash went away
    PRIMARY KEY (fingerprint, hash)
) WITHOUT ROWID;
CREATE INDEX embeddings_hash ON embeddings (hash);
CREATE INDEX embeddings_released ON embeddings (released_at) WHERE released_at IS NOT NULL;

CREATE TABLE embedding_queue (
    chunk_id INTEGER PRIMARY KEY REFERENCES chunks ON DELETE CASCADE,
    priority REAL NOT NULL             -- the note's modification time; newest first
);
CREATE INDEX embedding_queue_priority ON embedding_queue (priority DESC);

-- Chunks in which the vault's names have not been looked for yet, and the names that the others reflect.
CREATE TABLE entity_queue (chunk_id INTEGER PRIMARY KEY REFERENCES chunks ON DELETE CASCADE);
CREATE TABLE matched_names (text TEXT NOT NULL, label TEXT NOT NULL, PRIMARY KEY (text, label)) WITHOUT ROWID;

CREATE TABLE keyword_outbox (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    operation TEXT NOT NULL CHECK (operation IN ('add', 'replace', 'delete')),
    chunk_id INTEGER NOT NULL
);

CREATE TABLE topics (topic TEXT PRIMARY KEY, notes INTEGER NOT NULL, chunks INTEGER NOT NULL) WITHOUT ROWID;
"""

_SHARDS = """
-- Where the vectors lie: in which partition of the vec0 table, and what each partition holds.
CREATE TABLE shards (
    id INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    retiring INTEGER NOT NULL,         -- 1: being emptied into others
    total BLOB NOT NULL                -- sum of its vectors, float64: the centroid times count
);
CREATE TABLE shard_members (
    shard INTEGER NOT NULL,
    chunk_id INTEGER NOT NULL,
    PRIMARY KEY (shard, chunk_id)
) WITHOUT ROWID;
"""

_EMBEDDINGS = """
-- Hashes come in any order: rows that lie in their order would touch a page for each new vector.
CREATE TABLE embeddings_by_arrival (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL,
    fingerprint TEXT NOT NULL,
    vector BLOB NOT NULL,              -- float16
    released_at REAL,                  -- when the last chunk with this hash went away
    UNIQUE (hash, fingerprint)
);
INSERT INTO embeddings_by_arrival (hash, fingerprint, vector, released_at)
    SELECT hash, fingerprint, vector, released_at FROM embeddings ORDER BY hash;
DROP TABLE embeddings;
ALTER TABLE embeddings_by_arrival RENAME TO embeddings;
CREATE INDEX embeddings_released ON embeddings (released_at) WHERE released_at IS NOT NULL;
"""

_CHUNKS = """
-- Ids come in any order, too. What refers to a chunk refers to its id, which is no longer the row's place.
CREATE TABLE chunks_by_arrival (
    id INTEGER NOT NULL UNIQUE,
    note_id INTEGER NOT NULL REFERENCES notes ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    kind TEXT NOT NULL,
    start INTEGER NOT NULL,
    end INTEGER NOT NULL,
    start_line INTEGER NOT NULL,
    end_line INTEGER NOT NULL,
    text TEXT NOT NULL,
    headings TEXT NOT NULL,            -- JSON array
    sentences TEXT NOT NULL,           -- JSON array of [start, end]
    tokens INTEGER NOT NULL,
    embed_hash BLOB,                   -- NULL: no vector
    place INTEGER PRIMARY KEY
);
INSERT INTO chunks_by_arrival SELECT *, NULL FROM chunks ORDER BY note_id, ordinal;
CREATE TABLE entities_of_chunks (
    chunk_id INTEGER NOT NULL REFERENCES chunks (id) ON DELETE CASCADE,
    text TEXT NOT NULL,
    label TEXT NOT NULL,
    PRIMARY KEY (chunk_id, label, text)
) WITHOUT ROWID;
INSERT INTO entities_of_chunks SELECT chunk_id, text, label FROM entities;
CREATE TABLE embedding_queue_of_chunks (
    chunk_id INTEGER PRIMARY KEY REFERENCES chunks (id) ON DELETE CASCADE,
    priority REAL NOT NULL             -- the note's modification time; newest first
);
INSERT INTO embedding_queue_of_chunks SELECT chunk_id, priority FROM embedding_queue;
CREATE TABLE entity_queue_of_chunks (chunk_id INTEGER PRIMARY KEY REFERENCES chunks (id) ON DELETE CASCADE);
INSERT INTO entity_queue_of_chunks SELECT chunk_id FROM entity_queue;
DROP TABLE entities;
DROP TABLE embedding_queue;
DROP TABLE entity_queue;
DROP TABLE chunks;
ALTER TABLE chunks_by_arrival RENAME TO chunks;
ALTER TABLE entities_of_chunks RENAME TO entities;
ALTER TABLE embedding_queue_of_chunks RENAME TO embedding_queue;
ALTER TABLE entity_queue_of_chunks RENAME TO entity_queue;
CREATE INDEX chunks_note ON chunks (note_id, ordinal);
CREATE INDEX chunks_embed_hash ON chunks (embed_hash);
CREATE INDEX entities_text ON entities (text);
CREATE INDEX embedding_queue_priority ON embedding_queue (priority DESC);
DROP TABLE topics;                     -- counted when somebody asks
"""

MIGRATIONS: tuple[tuple[str, str], ...] = (
    ("first schema", _FIRST),
    ("shards", _SHARDS),
    ("embeddings by arrival", _EMBEDDINGS),
    ("chunks by arrival", _CHUNKS),
)
