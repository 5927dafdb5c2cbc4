from __future__ import annotations

from pathlib import Path

from quire_engine.index.database import connect
from quire_engine.index.migrations import MIGRATIONS


class TestSchema:
    def test_steps_have_names_of_their_own(self) -> None:
        names = [name for name, _ in MIGRATIONS]
        assert names
        assert len(set(names)) == len(names)

    def test_every_reference_has_its_target(self, tmp_path: Path) -> None:
        connection = connect(tmp_path, writable=True)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("PRAGMA integrity_check").get == "ok"
        connection.close()

    def test_removing_a_note_removes_what_hangs_on_it(self, tmp_path: Path) -> None:
        connection = connect(tmp_path, writable=True)
        connection.execute(
            "INSERT INTO notes VALUES (1, 'a.md', 'a', 't', '[]', '{}', 0, 0, 0, 0, x'00', '[]', 0);"
            "INSERT INTO chunks VALUES (2, 1, 0, 'text', 0, 1, 1, 1, 'x', '[]', '[]', 1, x'01');"
            "INSERT INTO tags VALUES (1, 'tag', 'tag'); INSERT INTO blocks VALUES (1, 'b', 1, 1);"
            "INSERT INTO links VALUES (1, 0, 'wikilink', 'b', '', 'b', 1, NULL);"
            "INSERT INTO entities VALUES (2, 'b', 'NOTE'); INSERT INTO embedding_queue VALUES (2, 0);"
            "INSERT INTO entity_queue VALUES (2); DELETE FROM notes"
        )
        for table in ("chunks", "tags", "blocks", "links", "entities", "embedding_queue", "entity_queue"):
            assert connection.execute(f"SELECT count(*) FROM {table}").get == 0, table
        connection.close()

    def test_what_is_looked_up_often_has_an_index(self, tmp_path: Path) -> None:
        connection = connect(tmp_path, writable=True)
        for sql in (
            "SELECT id FROM chunks WHERE note_id = 1",
            "SELECT id FROM chunks WHERE embed_hash = x'00'",
            "SELECT note_id FROM tags WHERE folded >= 'a' AND folded < 'b'",
            "SELECT note_id FROM links WHERE resolved = 1",
            "SELECT chunk_id FROM embedding_queue ORDER BY priority DESC LIMIT 9",
            "SELECT vector FROM embeddings WHERE fingerprint = 'f' AND hash = x'00'",
            "SELECT id FROM notes WHERE path = 'a'",
        ):
            plan = " ".join(str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}"))
            assert "USING" in plan, (sql, plan)
            assert "TEMP B-TREE" not in plan, (sql, plan)
        connection.close()
