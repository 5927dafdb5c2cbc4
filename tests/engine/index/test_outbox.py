"""What the keyword index is told, in which order, and of which texts."""

from __future__ import annotations

from pathlib import Path

from quire_engine.index.whoosh_keywords import WhooshKeywords

from .conftest import ROSES, Index, OpenIndex


class TestOutbox:
    def test_sequences_grow_and_never_come_again(self, index: Index) -> None:
        index.put("a.md", ROSES)
        first = index.writer.outbox.page(0, 100)
        assert [row[0] for row in first] == [1, 2, 3, 4]
        assert index.writer.outbox.page(2, 1) == [first[2]]
        with index.writer.transaction():
            index.writer.outbox.trim(4)
        assert index.writer.outbox.trimmed == 4
        index.put("b.md", "Words.")
        assert [row[0] for row in index.writer.outbox.page(0, 100)] == [5]
        assert index.writer.outbox.last_sequence == 5

    def test_is_refilled_for_an_index_that_starts_empty(self, index: Index) -> None:
        index.put("a.md", ROSES)
        index.outbox()
        with index.writer.transaction():
            index.writer.outbox.refill()
        rows = index.writer.outbox.page(0, 100)
        assert {operation for _, operation, _ in rows} == {"add"}
        assert {chunk for _, _, chunk in rows} == {row[0] for row in index.rows("SELECT id FROM chunks")}
        assert min(sequence for sequence, _, _ in rows) > 4

    def test_fields_hold_what_is_searched(self, index: Index) -> None:
        index.put("Garden/Old Roses/Roses.md", ROSES)
        found = index.writer.outbox.fields([row[2] for row in index.writer.outbox.page(0, 100)] + [12345])
        texts = [fields for _, fields in found if "March" in fields["body"]]
        (fields,) = texts
        assert fields["title"] == "Roses\nRosa"
        assert fields["path"] == "Garden Old Roses"
        assert fields["tags"] == "plants roses"
        assert "^prune" not in fields["body"]
        assert len(found) == 4

    def test_properties_are_searched_by_name_and_value(self, index: Index) -> None:
        index.put("a.md", "---\nstatus: done\nauthors: [Ada, {name: Grace}]\nempty:\n---\nBody.\n")
        found = index.writer.outbox.fields([row[2] for row in index.writer.outbox.page(0, 100)])
        words = " ".join(text for _, fields in found for text in fields.values()).split()
        assert {"status", "done", "authors", "Ada", "Grace"} <= set(words)
        assert "None" not in words

    def test_a_copy_has_its_identity_and_a_new_one_another(self, index: Index, open_index: OpenIndex) -> None:
        identity = index.writer.outbox.identity()
        assert open_index().writer.outbox.identity() == identity
        index.db.execute("DELETE FROM meta WHERE key = 'identity'")
        assert index.writer.outbox.identity() not in ("", identity)

    def test_agrees_with_a_keyword_index_of_as_many_chunks(self, index: Index, tmp_path: Path) -> None:
        index.put("a.md", ROSES)
        keywords = WhooshKeywords(tmp_path, writable=True)
        assert not index.writer.outbox.agrees_with(keywords)
        chunks = [(chunk, {"word": 1.0}) for _, chunk in index.outbox()]
        keywords.apply([], chunks, 4, "db")
        assert index.writer.outbox.agrees_with(keywords)
        keywords.apply([chunks[0][0]], [], 4, "db")
        assert not index.writer.outbox.agrees_with(keywords)
        keywords.close()
