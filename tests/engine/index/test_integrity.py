from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from quire_engine.index.integrity import (
    Differences,
    keyword_differences,
    vector_differences,
    vectors_agree,
)
from quire_engine.index.vector_schema import PARTS
from quire_engine.index.whoosh_keywords import WhooshKeywords

from .conftest import Index

TEXT = "# One\n\nRoses.\n\n# Two\n\nKilns.\n\n# Three\n\nHives.\n"


@pytest.fixture
def embedded(index: Index) -> Index:
    """An index of six passages, all with their vectors."""
    for path in ("a.md", "b.md"):
        index.put(path, TEXT + path)
    index.embed()
    return index


@pytest.fixture
def keywords(embedded: Index, tmp_path: Path) -> Iterator[WhooshKeywords]:
    opened = WhooshKeywords(tmp_path, writable=True)
    chunks = [chunk for _, chunk in embedded.outbox()]
    opened.apply([], [(chunk, {"word": 1.0}) for chunk in chunks], 6, "db")
    yield opened
    opened.close()


class TestVectors:
    def test_a_sound_table_agrees(self, embedded: Index) -> None:
        assert vectors_agree(embedded.db)
        assert not vector_differences(embedded.db)

    def test_what_waits_is_not_missing(self, embedded: Index) -> None:
        embedded.put("c.md", TEXT)
        assert vectors_agree(embedded.db)
        assert not vector_differences(embedded.db)

    @pytest.mark.parametrize("part", PARTS[1:])
    def test_rows_that_a_part_lost_are_missing(self, embedded: Index, part: str) -> None:
        embedded.db.execute(f"DELETE FROM {part}")
        assert not vectors_agree(embedded.db)
        found = vector_differences(embedded.db)
        assert len(found.missing) == 6 or found.problem

    def test_rows_of_chunks_that_are_gone_are_extra(self, embedded: Index) -> None:
        (chunk,) = next(iter(embedded.rows("SELECT id FROM chunks LIMIT 1")))
        embedded.db.execute("DELETE FROM chunks WHERE id = ?", (chunk,))
        assert not vectors_agree(embedded.db)
        assert vector_differences(embedded.db) == Differences(extra=(chunk,))

    def test_another_vector_than_was_embedded_differs(self, embedded: Index) -> None:
        chunk, digest = embedded.rows("SELECT id, embed_hash FROM chunks LIMIT 1")[0]
        embedded.db.execute("UPDATE embeddings SET vector = zeroblob(16) WHERE hash = ?", (digest,))
        same = embedded.rows(f"SELECT id FROM chunks WHERE embed_hash = x'{digest.hex()}'")  # type: ignore[attr-defined]
        assert vector_differences(embedded.db).differing == tuple(sorted(row[0] for row in same))
        assert chunk in vector_differences(embedded.db).differing

    def test_counts_that_are_wrong_are_a_problem(self, embedded: Index) -> None:
        embedded.db.execute("UPDATE shards SET count = count + 1")
        assert not vectors_agree(embedded.db)
        assert vector_differences(embedded.db).problem == "the vector table's counts are wrong"

    @pytest.mark.parametrize("part", PARTS)
    def test_a_part_that_is_gone_is_noticed_and_made_again(self, embedded: Index, part: str) -> None:
        before = embedded.content()
        embedded.db.execute(f"DROP TABLE {part}")
        assert not vectors_agree(embedded.db)
        embedded.writer.rebuild_vectors()
        assert not vector_differences(embedded.db)
        after = embedded.content()
        for table in ("embeddings", "embedding_queue", "vectors", "chunks"):
            assert after[table] == before[table], table


class TestKeywords:
    def test_a_sound_index_agrees(self, embedded: Index, keywords: WhooshKeywords) -> None:
        assert not keyword_differences(embedded.db, keywords)

    def test_chunks_that_it_lacks_or_has_without_need_are_named(
        self, embedded: Index, keywords: WhooshKeywords
    ) -> None:
        (lost,) = keywords.chunks()[:1]
        keywords.apply([lost], [(5, {"word": 1.0}), (7, {"word": 1.0})], 7, "db")
        assert keyword_differences(embedded.db, keywords) == Differences(missing=(lost,), extra=(5, 7))

    def test_what_waits_in_the_outbox_is_not_missing(self, embedded: Index, keywords: WhooshKeywords) -> None:
        embedded.put("c.md", TEXT)
        assert not keyword_differences(embedded.db, keywords)

    def test_a_flipped_bit_anywhere_in_a_segment_is_a_problem(
        self, embedded: Index, keywords: WhooshKeywords, tmp_path: Path
    ) -> None:
        (segment,) = tmp_path.glob("keywords-*/*.seg")
        sound = segment.read_bytes()
        keywords.close()
        for place in range(0, len(sound), max(1, len(sound) // 50)):
            segment.write_bytes(sound[:place] + bytes([sound[place] ^ 4]) + sound[place + 1 :])
            found = keyword_differences(embedded.db, WhooshKeywords(tmp_path, writable=False))
            assert "keyword index failed" in found.problem, place
