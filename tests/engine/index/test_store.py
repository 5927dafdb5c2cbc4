"""What writing a note costs, and what it keeps."""

from __future__ import annotations

import pytest

from quire_engine.errors import StoreError
from quire_engine.index.database import connect
from quire_engine.index.store import IndexWriter, clear, note_id
from quire_engine.records import FileStat, SkippedNote

from .conftest import DIMENSIONS, ROSES, Index, OpenIndex


def chunk_rows(index: Index) -> dict[object, tuple[object, ...]]:
    return {row[1]: row for row in index.rows("SELECT rowid, id, text, start, embed_hash FROM chunks")}


class TestPutNote:
    def test_writes_all_of_it(self, index: Index) -> None:
        assert index.put("Garden/Roses.md", ROSES, topic="Garden", modified=7.0) == 0
        identity = note_id("Garden/Roses.md")
        assert index.rows("SELECT id, path, title, topic, aliases, modified FROM notes") == [
            (identity, "Garden/Roses.md", "Roses", "Garden", '["Rosa"]', 7.0)
        ]
        assert index.rows("SELECT tag, folded FROM tags") == [("plants/roses", "plants/roses")]
        assert index.rows("SELECT block_id, start_line FROM blocks ORDER BY start_line") == [
            ("soil", 8),
            ("prune", 10),
            ("feed", 12),
        ]
        assert index.rows("SELECT kind, target, line, resolved FROM links") == [
            ("wikilink", "Compost", 12, None)
        ]
        assert [row[0] for row in index.rows("SELECT kind FROM chunks ORDER BY ordinal")] == [
            "text",
            "text",
            "text",
            "properties",
        ]
        assert index.writer.queued() == 3
        assert [operation for operation, _ in index.outbox()] == ["add"] * 4
        assert len(index.writer.relations.entity_queue()) == 3

    def test_twice_changes_nothing(self, index: Index) -> None:
        index.put("a.md", ROSES)
        index.embed()
        index.outbox()
        before = index.content()
        assert index.put("a.md", ROSES) == 0
        assert index.outbox() == []
        assert index.writer.queued() == 0
        assert index.content() == before

    def test_an_edited_paragraph_costs_itself_alone(self, index: Index) -> None:
        index.put("a.md", ROSES)
        index.embed()
        index.outbox()
        before = chunk_rows(index)
        index.put("a.md", ROSES.replace("in March", "in April"))
        after = chunk_rows(index)
        assert len(before.keys() - after.keys()) == len(after.keys() - before.keys()) == 1
        assert sorted(operation for operation, _ in index.outbox()) == ["add", "delete"]
        assert index.embed() == 1
        assert index.vectors().keys() == {c for c, row in after.items() if row[4] is not None}

    def test_a_moved_paragraph_keeps_its_row(self, index: Index) -> None:
        first, second = "One stands here. ^one\n\n", "Two stands there. ^two\n\n"
        index.put("a.md", first + second)
        index.embed()
        index.outbox()
        before = chunk_rows(index)
        index.put("a.md", second + "New words. ^new\n\n" + first)
        after = chunk_rows(index)
        assert before.keys() < after.keys()
        assert all(before[chunk][0] == after[chunk][0] for chunk in before)
        assert all(before[chunk][3] != after[chunk][3] for chunk in before)
        assert [operation for operation, _ in index.outbox()] == ["add"]
        assert index.embed() == 1
        lines = index.rows("SELECT text, ordinal, start_line FROM chunks ORDER BY ordinal")
        assert lines == [("Two stands there.", 0, 1), ("New words.", 1, 3), ("One stands here.", 2, 5)]

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("tags: [plants/roses]", "tags: [plants]"),
            ("aliases: [Rosa]", "aliases: [Rosen]"),
            ("status: done", "status: open"),
            ("status: done", "title: Rose book"),
        ],
    )
    def test_new_names_and_properties_embed_nothing(self, index: Index, old: str, new: str) -> None:
        index.put("a.md", ROSES)
        index.embed()
        index.outbox()
        index.put("a.md", ROSES.replace(old, new))
        assert index.writer.queued() == 0
        texts = index.rows("SELECT id FROM chunks WHERE kind = 'text'")
        again = {chunk for operation, chunk in index.outbox() if operation == "add"}
        assert {chunk for (chunk,) in texts} <= again

    def test_new_markup_around_the_same_words_embeds_nothing(self, index: Index) -> None:
        index.put("a.md", "Prune in March.\n")
        index.embed()
        index.put("a.md", "Prune in **March**.\n")
        assert index.writer.queued() == 0
        assert index.rows("SELECT text FROM chunks") == [("Prune in **March**.",)]

    def test_text_is_bound_and_never_run(self, index: Index) -> None:
        hostile = "'); DROP TABLE notes; -- \" %s ? :a $b\x00 \x1b[31m"
        index.put(f"{hostile.replace('/', '')}.md", f"---\nkey: \"x' OR 1=1\"\n---\n{hostile}\n\n#tag'--\n")
        assert index.rows("SELECT count(*) FROM notes") == [(1,)]
        assert "DROP TABLE" in str(index.rows("SELECT text FROM chunks"))

    def test_nothing_is_written_when_something_fails(self, index: Index) -> None:
        index.put("a.md", ROSES)
        before = index.content()
        note, chunks = index.parsed("b.md", "Other words.")
        with pytest.raises(ZeroDivisionError), index.writer.transaction():  # noqa: PT012
            index.writer.put_note(note, chunks, "t", 1.0)
            raise ZeroDivisionError
        assert index.content() == before

    def test_a_full_database_is_said(self, index: Index) -> None:
        pages = index.db.execute("PRAGMA page_count").get
        index.db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreError, match="the disk is full; free some space"):
            index.put("a.md", "".join(f"Sentence number {n}. " for n in range(5000)))
        assert index.db.execute("PRAGMA integrity_check").get == "ok"


class TestVectorReuse:
    def test_a_rename_embeds_nothing(self, index: Index) -> None:
        index.put("a.md", ROSES)
        index.embed()
        with index.writer.transaction():
            assert index.writer.remove_notes(["a.md"]) == 1
        assert index.vectors() == {}
        assert index.put("Deep/b.md", ROSES, topic="Deep") == 3
        assert index.embed() == 0
        assert list(index.vectors().values()) == ["Deep"] * 3

    def test_an_undo_embeds_nothing(self, index: Index) -> None:
        index.put("a.md", ROSES)
        index.embed()
        before = index.vectors()
        index.put("a.md", "Something else.")
        index.embed()
        assert index.put("a.md", ROSES) == 3
        assert index.embed() == 0
        assert index.vectors() == before

    def test_the_same_words_in_two_notes_are_embedded_once(self, index: Index) -> None:
        index.put("a.md", "The same words.")
        index.put("b.md", "The same words.")
        assert index.embed() == 1
        assert len(index.vectors()) == 2
        with index.writer.transaction():
            index.writer.remove_notes(["a.md"])
        assert len(index.vectors()) == 1
        assert index.rows("SELECT released_at FROM embeddings") == [(None,)]

    def test_known_vectors_are_kept_for_a_while_and_then_forgotten(self, index: Index) -> None:
        index.put("a.md", "Words.")
        index.embed()
        with index.writer.transaction():
            index.writer.remove_notes(["a.md"])
            index.writer.forget_released_vectors()
        assert index.rows("SELECT count(*) FROM embeddings") == [(1,)]
        with index.writer.transaction():
            index.db.execute("UPDATE embeddings SET released_at = released_at - 31 * 86400")
            index.writer.forget_released_vectors()
        assert index.rows("SELECT count(*) FROM embeddings") == [(0,)]

    def test_a_vector_that_is_used_again_is_not_forgotten(self, index: Index) -> None:
        index.put("a.md", "Words.")
        index.embed()
        with index.writer.transaction():
            index.writer.remove_notes(["a.md"])
        assert index.rows("SELECT count(released_at) FROM embeddings") == [(1,)]
        assert index.put("b.md", "Words.") == 1
        assert index.rows("SELECT count(released_at) FROM embeddings") == [(0,)]

    def test_newest_notes_are_embedded_first(self, index: Index) -> None:
        for path, modified in (("old.md", 1.0), ("new.md", 3.0), ("middle.md", 2.0)):
            index.put(path, f"Words of {path}.", modified=modified)
        assert [text for _, _, _, text in index.writer.queue(2)] == [
            "Words of new.md.",
            "Words of middle.md.",
        ]


class TestTopics:
    def test_notes_keep_their_vectors(self, index: Index) -> None:
        index.put("a.md", ROSES, topic="old")
        index.put("b.md", "Other words.", topic="old")
        index.embed()
        with index.writer.transaction():
            index.writer.move_topics({"a.md": "new"})
        assert sorted(index.vectors().values()) == ["new"] * 3 + ["old"]
        assert index.writer.queued() == 0

    def test_a_note_whose_vectors_are_missing_stays_queued(self, index: Index) -> None:
        index.put("a.md", ROSES, topic="old")
        with index.writer.transaction():
            index.writer.move_topics({"a.md": "new"})
        assert index.writer.queued() == 3
        index.embed()
        assert list(index.vectors().values()) == ["new"] * 3

    def test_a_changed_note_can_move_at_the_same_time(self, index: Index) -> None:
        index.put("a.md", ROSES, topic="old")
        index.embed()
        index.put("a.md", ROSES.replace("in March", "in April"), topic="new")
        assert index.embed() == 1
        assert list(index.vectors().values()) == ["new"] * 3


class TestFiles:
    def test_what_is_known_tells_changes(self, index: Index) -> None:
        index.put("a.md", "Words.", topic="x", modified=2.0)
        note, _ = index.parsed("a.md", "Words.", 2.0)
        index.put("b.md", "Words.", topic="x")
        known = index.writer.known_files(["a.md", "none.md"])
        assert known.keys() == {"a.md"}
        assert (known["a.md"].stat, known["a.md"].content_hash, known["a.md"].topic) == (
            note.stat,
            note.content_hash,
            "x",
        )
        assert index.writer.known_files().keys() == {"a.md", "b.md"}
        touched = FileStat(size=6, mtime_ns=9, inode=3)
        with index.writer.transaction():
            index.writer.touch_note("a.md", touched, 5.0, 7.0)
        after = index.writer.known_files()["a.md"]
        assert (after.stat, after.indexed_at) == (touched, 7.0)

    def test_removing_what_is_not_there_is_nothing(self, index: Index) -> None:
        index.put("a.md", ROSES)
        index.outbox()
        with index.writer.transaction():
            assert index.writer.remove_notes(["b.md"]) == 0
            assert index.writer.remove_notes(["a.md", "a.md"]) == 1
        assert [operation for operation, _ in index.outbox()] == ["delete"] * 4
        for table in ("notes", "chunks", "tags", "blocks", "links", "embedding_queue", "entity_queue"):
            assert index.rows(f"SELECT count(*) FROM {table}") == [(0,)], table

    def test_skipped_files_are_replaced(self, index: Index) -> None:
        with index.writer.transaction():
            index.writer.set_skipped([SkippedNote("a.md", "binary"), SkippedNote("b.md", "large")])
            index.writer.set_skipped([SkippedNote("b.md", "binary")])
        assert index.rows("SELECT * FROM skipped") == [("b.md", "binary")]


class TestGenerationAndClear:
    def test_the_generation_counts(self, index: Index) -> None:
        assert [index.writer.next_generation() for _ in range(3)] == [1, 2, 3]

    def test_clearing_keeps_what_was_embedded(self, index: Index, open_index: OpenIndex) -> None:
        index.put("a.md", ROSES)
        index.embed()
        clear(index.db)
        assert index.rows("SELECT count(*) FROM notes") == [(0,)]
        assert index.rows("SELECT count(*) FROM keyword_outbox") == [(0,)]
        again = open_index()
        assert again.put("a.md", ROSES) == 3
        assert again.embed() == 0

    def test_an_identity_is_63_bits_of_the_path(self) -> None:
        assert note_id("a.md") == note_id("a.md") != note_id("b.md")
        assert 0 <= note_id("\udcff.md") < 2**63

    def test_a_writer_without_the_right_to_write_is_told(self, index: Index) -> None:
        reader = connect(index.folder, writable=False)
        reader.execute("PRAGMA query_only = ON")
        with pytest.raises(StoreError, match="preparing the vector table"):
            IndexWriter(reader, "model-b", DIMENSIONS)
        reader.close()
