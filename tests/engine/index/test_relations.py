"""Links, and names in passages, as the database holds them."""

from __future__ import annotations

from quire_engine.records import Entity

from .conftest import ROSES, Index


class TestNames:
    def test_are_titles_aliases_and_tags(self, index: Index) -> None:
        index.put("a.md", ROSES)
        assert index.writer.relations.names() == [("a.md", "a", ["Rosa"])]
        assert index.writer.relations.vault_names() == {
            Entity("a", "NOTE"),
            Entity("Rosa", "NOTE"),
            Entity("plants/roses", "TAG"),
        }

    def test_that_were_matched_are_remembered_and_what_held_lost_ones_is_queued(self, index: Index) -> None:
        index.put("a.md", "Rosa grows.")
        index.put("b.md", "Compost warms.")
        first, second = sorted(index.writer.relations.text_chunks())
        rosa, compost = Entity("Rosa", "NOTE"), Entity("Compost", "NOTE")
        with index.writer.transaction():
            index.writer.relations.set_matched_names({rosa, compost}, [], [])
            index.writer.relations.put_entities(first, [rosa, rosa])
            index.writer.relations.put_entities(second, [compost])
        assert index.writer.relations.entity_queue() == []
        with index.writer.transaction():
            index.writer.relations.set_matched_names([], {rosa}, [])
        assert index.writer.relations.entity_queue() == [first]
        assert index.writer.relations.matched_names() == {compost}
        with index.writer.transaction():
            index.writer.relations.set_matched_names({rosa}, [], [second, 12345])
        assert sorted(index.writer.relations.entity_queue()) == [first, second]

    def test_links_are_resolved_by_place(self, index: Index) -> None:
        index.put("a.md", "[[Rosa]] and [[Nowhere]]")
        first, second = sorted(index.writer.relations.links(), key=lambda row: row[1])
        assert (first[2:], second[2:]) == (("a.md", "Rosa", None), ("a.md", "Nowhere", None))
        with index.writer.transaction():
            index.writer.relations.resolve_links([(first[0], first[1], 42)])
        assert {row[3]: row[4] for row in index.writer.relations.links()} == {"Rosa": 42, "Nowhere": None}
