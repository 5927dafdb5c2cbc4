"""The vec0 table: what is written to it, and what it is made from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quire_engine.index import vectors

from .conftest import DIMENSIONS, Index, OpenIndex, vector


def fill(index: Index, count: int) -> NDArray[np.float32]:
    """``count`` one-passage notes with their vectors; returns the vectors by number."""
    for n in range(count):
        index.put(f"{n}.md", f"Word number {n}.", topic=f"topic {n % 3}")
    index.embed()
    hashes = index.db.execute("SELECT embed_hash FROM chunks c JOIN notes n ON n.id = c.note_id").fetchall()
    return np.stack([vector(digest) for (digest,) in hashes])


class TestFingerprint:
    def test_another_model_queues_everything(self, index: Index, open_index: OpenIndex) -> None:
        fill(index, 5)
        other = open_index("model-b")
        assert other.writer.queued() == 5
        assert other.vectors() == {}
        assert vectors.load(other.db, list(index.vectors())) == {}

    def test_the_former_model_embeds_nothing_again(self, index: Index, open_index: OpenIndex) -> None:
        fill(index, 5)
        before = index.vectors()
        open_index("model-b").put("new.md", "One more.")
        back = open_index("model-a")
        assert back.writer.queued() == 1
        assert back.vectors() == before

    def test_the_same_model_changes_nothing(self, index: Index, open_index: OpenIndex) -> None:
        fill(index, 5)
        before = index.vectors()
        version = index.writer.meta("shards_version")
        again = open_index("model-a")
        assert again.vectors() == before
        assert again.writer.meta("shards_version") == version

    def test_another_width_fits_too(self, index: Index) -> None:
        fill(index, 2)
        table = vectors.VectorTable(index.db, "wide", 16)
        assert index.writer.queued() == 2
        slab = index.writer.queue(2)
        with index.writer.transaction():
            table.store([row[1] for row in slab], np.eye(2, 16, dtype=np.float32), [row[0] for row in slab])
        assert index.vectors().keys() == {row[0] for row in slab}


class TestStorage:
    def test_both_tables_hold_the_same_rounded_vector(self, index: Index) -> None:
        fill(index, 3)
        chunks = list(index.vectors())
        loaded = vectors.load(index.db, [*chunks, 42])
        assert set(loaded) == set(chunks)
        for chunk, row in index.db.execute("SELECT chunk_id, embedding FROM vectors"):
            assert np.frombuffer(row, np.float32).tolist() == loaded[chunk].tolist()
            assert loaded[chunk].dtype == np.float32

    def test_filling_without_a_queue_does_nothing(self, index: Index) -> None:
        fill(index, 3)
        table = vectors.VectorTable(index.db, "model-a", DIMENSIONS)
        assert table.fill(list(index.vectors())) == 0
        assert table.fill([]) == 0

    def test_a_known_vector_is_given_to_what_waits_beside_new_ones(self, index: Index) -> None:
        index.put("a.md", "Known words.")
        index.embed()
        index.put("b.md", "New words.")
        index.db.execute("INSERT INTO embedding_queue SELECT id, 1 FROM chunks WHERE text LIKE 'Known%'")
        index.db.execute("DELETE FROM vectors")
        index.db.execute("DELETE FROM shard_members")
        waiting = index.writer.queue(10)
        digests = [row[1] for row in waiting if row[3] == "New words."]
        with index.writer.transaction():
            index.writer.store_vectors(digests, np.stack([vector(digests[0])]), [row[0] for row in waiting])
        assert len(index.vectors()) == 2
        assert index.writer.queued() == 0

    def test_what_is_removed_is_gone_and_what_is_unknown_does_not_matter(self, index: Index) -> None:
        fill(index, 3)
        first, *others = index.vectors()
        vectors.VectorTable(index.db, "model-a", DIMENSIONS).remove([first, 42])
        assert set(index.vectors()) == set(others)

    def test_without_a_table_nothing_is_loaded_or_removed(self, index: Index) -> None:
        fill(index, 1)
        (chunk,) = index.vectors()
        vectors.drop(index.db)
        assert vectors.load(index.db, [chunk]) == {}
        with index.writer.transaction():
            index.writer.remove_notes(["0.md"])
        assert index.rows("SELECT count(*) FROM chunks") == [(0,)]
