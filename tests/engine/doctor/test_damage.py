"""Real damage to each part of an index: it is named, and nothing but it is made anew."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import apsw
import index_rows
import numpy as np
import pytest

from quire_engine import Engine
from quire_engine.doctor import Remedy
from quire_engine.errors import DamagedIndexError
from quire_engine.index.database import FILE_NAME

from .conftest import Patient, write_notes, wrong


def delete_vectors(patient: Patient) -> None:
    patient.sql("DELETE FROM vectors WHERE chunk_id IN (SELECT id FROM chunks LIMIT 3)")


def flip_vectors(patient: Patient) -> None:
    """One byte in vec0's own pages: the exponent of a number that is in use."""
    with patient.database() as db:
        ((page, content),) = db.execute(
            "SELECT rowid, vectors FROM vectors_vector_chunks00 ORDER BY rowid LIMIT 1"
        ).fetchall()
        content = bytearray(content)
        content[3] ^= 0b0000_0011
        db.execute("UPDATE vectors_vector_chunks00 SET vectors = ? WHERE rowid = ?", (bytes(content), page))


def cut_vectors(patient: Patient) -> None:
    patient.sql("DELETE FROM vectors_vector_chunks00")


def drop_part_of_the_vectors(patient: Patient) -> None:
    patient.sql("DROP TABLE vectors_rowids")


def drop_vectors(patient: Patient) -> None:
    patient.sql("DROP TABLE vectors")


def miscount_shards(patient: Patient) -> None:
    patient.sql("UPDATE shards SET count = count + 1")


def move_means(patient: Patient) -> None:
    with patient.database() as db:
        total = np.frombuffer(db.execute("SELECT total FROM shards").get, np.float64).copy()
        total[0] += 1
        db.execute("UPDATE shards SET total = ?", (total.tobytes(),))


def flip_embedding(patient: Patient) -> None:
    with patient.database() as db:
        vector = np.frombuffer(
            db.execute("SELECT vector FROM embeddings WHERE id = 1").get, np.float16
        ).copy()
        vector[7] += np.float16(0.3)
        vector /= np.linalg.norm(vector.astype(np.float32))
        db.execute("UPDATE embeddings SET vector = ? WHERE id = 1", (vector.tobytes(),))


def spoil_embedding(patient: Patient) -> None:
    patient.sql("UPDATE embeddings SET vector = x'00fe' WHERE id = 2")


def cut_embedding(patient: Patient) -> None:
    patient.sql("UPDATE embeddings SET vector = x'00' WHERE id = 2")


def lose_embedding(patient: Patient) -> None:
    patient.sql("DELETE FROM embeddings WHERE id IN (1, 2)")


def lose_vector_and_embedding(patient: Patient) -> None:
    patient.sql(
        "DELETE FROM vectors WHERE chunk_id IN (SELECT c.id FROM chunks c JOIN embeddings e "
        "ON e.hash = c.embed_hash WHERE e.id = 1)",
        "DELETE FROM embeddings WHERE id = 1",
    )


def remove_keywords(patient: Patient) -> None:
    (folder,) = patient.folder.glob("keywords-*")
    shutil.rmtree(folder)


def segment(patient: Patient) -> Path:
    return next(iter(patient.folder.glob("keywords-*/*.seg")))


def truncate_segment(patient: Patient) -> None:
    os.truncate(segment(patient), segment(patient).stat().st_size // 2)


def flip_segment(patient: Patient) -> None:
    content = bytearray(segment(patient).read_bytes())
    content[len(content) // 3] ^= 0xFF
    segment(patient).write_bytes(content)


def remove_table_of_contents(patient: Patient) -> None:
    for file in patient.folder.glob("keywords-*/*.toc"):
        file.unlink()


def dangle(patient: Patient) -> None:
    patient.sql(
        "INSERT INTO tags VALUES (12345, 'ghost', 'ghost')",
        "INSERT INTO entity_queue VALUES (67890)",
        "UPDATE links SET resolved = 424242 WHERE position = 0 AND resolved IS NOT NULL",
        "UPDATE embeddings SET released_at = 1 WHERE id = 3",
    )


def alter_text(patient: Patient) -> None:
    patient.sql("UPDATE chunks SET text = text || ' And more.' WHERE place = 5")


def replace_text(patient: Patient) -> None:
    """What the sample embeds again must not be taken for the text that was embedded."""
    patient.sql("UPDATE chunks SET text = 'Nothing of the kind.' WHERE place = 5")


def spoil_text(patient: Patient) -> None:
    patient.sql("UPDATE chunks SET text = CAST(x'c3285c' AS TEXT) WHERE place = 5")


def spoil_headings(patient: Patient) -> None:
    patient.sql("UPDATE chunks SET headings = '[\"Be' WHERE place = 5")


def spoil_aliases(patient: Patient) -> None:
    patient.sql("UPDATE notes SET aliases = '[\"Be' WHERE path LIKE '%Bed 4.md'")


def number_for_embedding(patient: Patient) -> None:
    patient.sql("UPDATE embeddings SET vector = 7 WHERE id = 2")


def text_for_embedding(patient: Patient) -> None:
    patient.sql("UPDATE embeddings SET vector = CAST(vector AS TEXT) WHERE id = 2")


def lose_passages(patient: Patient) -> None:
    """Rows of chunks, and what refers to them, as SQLite's own cascade would do it."""
    patient.sql(
        "DELETE FROM entities WHERE chunk_id IN (SELECT id FROM chunks WHERE ordinal = 0 AND place < 20)",
        "DELETE FROM chunks WHERE ordinal = 0 AND place < 20",
    )


Damage = Callable[[Patient], None]
CASES: list[tuple[Damage, set[str], set[Remedy], int]] = [
    (delete_vectors, {"vectors"}, {Remedy.VECTORS}, 0),
    (flip_vectors, {"vectors"}, {Remedy.VECTORS}, 0),
    (cut_vectors, {"vectors"}, {Remedy.VECTORS}, 0),
    (drop_part_of_the_vectors, {"vectors"}, {Remedy.VECTORS}, 0),
    (drop_vectors, {"vectors"}, {Remedy.VECTORS}, 0),
    (miscount_shards, {"vectors"}, {Remedy.VECTORS}, 0),
    (move_means, {"vectors"}, {Remedy.VECTORS}, 0),
    (flip_embedding, {"embeddings"}, {Remedy.EMBEDDINGS}, 1),
    (spoil_embedding, {"embeddings"}, {Remedy.EMBEDDINGS}, 1),
    (cut_embedding, {"embeddings"}, {Remedy.EMBEDDINGS}, 1),
    (lose_embedding, {"embeddings"}, {Remedy.EMBEDDINGS}, 2),  # rows made anew, from the vector table
    (lose_vector_and_embedding, {"embeddings", "vectors"}, {Remedy.EMBEDDINGS, Remedy.VECTORS}, 1),
    (remove_keywords, {"keywords"}, {Remedy.KEYWORDS}, 0),
    (truncate_segment, {"keywords"}, {Remedy.KEYWORDS}, 0),
    (flip_segment, {"keywords"}, {Remedy.KEYWORDS}, 0),
    (remove_table_of_contents, {"keywords"}, {Remedy.KEYWORDS}, 0),
    (dangle, {"rows"}, {Remedy.ROWS}, 0),
    (number_for_embedding, {"embeddings"}, {Remedy.EMBEDDINGS}, 1),
    (text_for_embedding, {"embeddings"}, {Remedy.EMBEDDINGS}, 1),
    (alter_text, {"passages"}, {Remedy.NOTES}, 0),
    (replace_text, {"passages"}, {Remedy.NOTES}, 0),
    (spoil_text, {"passages"}, {Remedy.NOTES}, 0),
    (spoil_headings, {"passages"}, {Remedy.NOTES}, 0),
    (spoil_aliases, {"passages"}, {Remedy.NOTES}, 0),
]


class TestHealthy:
    def test_all_is_well_and_nothing_is_changed(self, patient: Patient) -> None:
        before = index_rows.rows(patient.folder)
        files = {file: file.stat().st_mtime_ns for file in patient.folder.rglob("*") if file.suffix == ".seg"}
        found = patient.examined()
        assert [finding for finding in found.values() if not finding.ok] == []
        assert [finding for finding in found.values() if finding.remedy] == []
        assert {"index", "rows", "passages", "embeddings", "vectors", "keywords", "notes"} <= set(found)
        assert patient.mended(found) == []
        assert index_rows.differences(before, index_rows.rows(patient.folder)) == ""
        assert {file: file.stat().st_mtime_ns for file in files} == files


class TestDamage:
    @pytest.mark.parametrize(
        ("damage", "parts", "remedies", "embedded"), CASES, ids=[case[0].__name__ for case in CASES]
    )
    def test_is_named_and_only_that_is_mended(
        self, patient: Patient, damage: Damage, parts: set[str], remedies: set[Remedy], embedded: int
    ) -> None:
        before = index_rows.rows(patient.folder)
        damage(patient)
        found = patient.examined()
        assert wrong(found) == parts
        keywords = keyword_files(patient)
        known = patient.embeddings()
        patient.embedder.passages.clear()
        done = patient.mended(found)
        assert {one.remedy for one in done} == remedies
        assert [one for one in done if not one.ok] == []
        assert len(patient.embeddings() - known) == embedded
        if Remedy.EMBEDDINGS not in remedies:  # to find out which are wrong, they are made again
            assert len(patient.embedder.passages) == embedded
        if not remedies & {Remedy.KEYWORDS, Remedy.NOTES}:
            assert keyword_files(patient) == keywords
        assert index_rows.differences(before, index_rows.rows(patient.folder)) == ""
        assert wrong(patient.examined()) == set()


def keyword_files(patient: Patient) -> dict[str, int]:
    return {file.name: file.stat().st_mtime_ns for file in patient.folder.glob("keywords-*/*")}


class TestSeveralAtOnce:
    @pytest.mark.parametrize("passage", [replace_text, spoil_headings])
    @pytest.mark.parametrize(
        "other",
        [lose_embedding, spoil_embedding, lose_vector_and_embedding, drop_vectors, remove_keywords, dangle],
    )
    def test_damaged_passages_spoil_nothing_else(
        self, patient: Patient, passage: Damage, other: Damage
    ) -> None:
        before = index_rows.rows(patient.folder)
        other(patient)
        passage(patient)
        found = patient.examined()
        assert "passages" in wrong(found)
        assert [one for one in patient.mended(found) if not one.ok] == []
        assert index_rows.differences(before, index_rows.rows(patient.folder)) == ""
        assert wrong(patient.examined()) == set()

    def test_the_passage_whose_embedding_is_lost_is_not_embedded_as_it_is_now(
        self, patient: Patient, tmp_path: Path
    ) -> None:
        vault = tmp_path / "vault"
        write_notes(vault)
        own = Patient(vault, patient.embedder)
        with Engine.open(vault) as engine:
            engine.sync()
        before = index_rows.rows(own.folder)
        replace_text(own)
        lost = "SELECT embed_hash FROM chunks WHERE place = 5"
        own.sql(
            f"DELETE FROM vectors WHERE chunk_id IN (SELECT id FROM chunks WHERE embed_hash IN ({lost}))",
            f"DELETE FROM embeddings WHERE hash IN ({lost})",
        )
        found = own.examined()
        assert {"passages", "embeddings"} <= wrong(found)
        vault.rename(tmp_path / "unplugged")
        done = {one.remedy: one for one in own.mended(found)}
        assert not done[Remedy.NOTES].ok
        assert not done[Remedy.EMBEDDINGS].ok
        assert "can be read" in done[Remedy.EMBEDDINGS].detail
        (tmp_path / "unplugged").rename(vault)
        assert [one for one in own.mended(own.examined()) if not one.ok] == []
        assert index_rows.differences(before, index_rows.rows(own.folder)) == ""


class TestLostPassages:
    def test_notes_that_lack_passages_are_read_again(self, patient: Patient) -> None:
        before = index_rows.rows(patient.folder)
        lose_passages(patient)
        found = patient.examined()
        assert wrong(found) == {"rows", "passages", "vectors", "keywords"}
        known = patient.embeddings()
        assert [one for one in patient.mended(found) if not one.ok] == []
        assert patient.embeddings() == known
        assert index_rows.differences(before, index_rows.rows(patient.folder)) == ""
        assert wrong(patient.examined()) == set()

    def test_a_change_that_shows_in_no_file_status_is_found(self, patient: Patient, tmp_path: Path) -> None:
        vault = tmp_path / "vault"
        write_notes(vault)
        own = Patient(vault, patient.embedder)
        with Engine.open(vault) as engine:
            engine.sync()
        note = next(vault.rglob("*.md"))
        status = note.stat()
        with note.open("r+b") as file:
            content = file.read()
            file.seek(0)
            file.write(content.replace(b"herb", b"bulb"))
        os.utime(note, ns=(status.st_atime_ns, status.st_mtime_ns))
        found = own.examined()
        assert wrong(found) == {"notes"}
        assert note.name in found["notes"].detail
        assert [(one.remedy, one.ok) for one in own.mended(found)] == [(Remedy.NOTES, True)]
        assert wrong(own.examined()) == set()
        with Engine.open(vault) as engine:
            assert [hit.path for hit in engine.search("bulb", limit=1).hits] == [str(note.relative_to(vault))]

    def test_edits_are_no_fault(self, patient: Patient, tmp_path: Path) -> None:
        vault = tmp_path / "vault"
        write_notes(vault)
        with Engine.open(vault) as engine:
            engine.sync()
        notes = sorted(vault.rglob("*.md"))
        notes[0].write_text("# Other\n\nSomething else.\n")
        notes[1].unlink()
        (vault / "New.md").write_text("# New\n")
        finding = Patient(vault, patient.embedder).examined()["notes"]
        assert finding.ok
        assert "2 new or changed, 1 gone" in finding.detail
        assert "quire index" in finding.advice


class TestDatabase:
    def test_a_damaged_one_is_made_anew_and_its_embeddings_are_kept(self, patient: Patient) -> None:
        before = index_rows.rows(patient.folder)
        known = len(before["embeddings"])
        destroy_pages_of(patient, "chunks")
        found = patient.examined()
        assert wrong(found) == {"index"}
        assert found["index"].remedy is Remedy.DATABASE
        (done,) = patient.mended(found)
        assert done.ok
        (aside,) = patient.folder.glob(f"{FILE_NAME}.damaged-*")
        assert aside.name in done.detail
        assert f"{known:,} embeddings saved, 0 made" in done.detail
        assert index_rows.differences(before, index_rows.rows(patient.folder)) == ""
        after = patient.examined()
        assert wrong(after) == set()
        assert aside.name in after["leftovers"].detail

    def test_one_of_which_nothing_can_be_read_is_made_from_the_notes(self, patient: Patient) -> None:
        before = index_rows.rows(patient.folder)
        rubbish = b"SQLite format 3\0" + b"rubbish" * 1000
        (patient.folder / FILE_NAME).write_bytes(rubbish)
        found = patient.examined()
        assert wrong(found) == {"index"}
        (done,) = patient.mended(found)
        assert done.ok
        (aside,) = patient.folder.glob(f"{FILE_NAME}.damaged-*")
        assert aside.read_bytes() == rubbish
        assert index_rows.differences(before, index_rows.rows(patient.folder)) == ""
        assert wrong(patient.examined()) == set()

    def test_what_a_search_advises_mends_it(self, patient: Patient, tmp_path: Path) -> None:
        """Whatever makes the index say that it is damaged."""
        before = index_rows.rows(patient.folder)
        database = patient.folder / FILE_NAME
        whole = database.read_bytes()
        for content in (whole[: len(whole) * 9 // 10], b"no database" * 500, another_programs(tmp_path)):
            for file in patient.folder.glob(f"{FILE_NAME}*"):
                file.unlink()
            database.write_bytes(content)
            with pytest.raises(DamagedIndexError, match="run `quire doctor --fix`"), patient.database():
                Engine.open(patient.vault).sync()
            assert [one.ok for one in patient.mended(patient.examined())] == [True]
            assert index_rows.differences(before, index_rows.rows(patient.folder)) == ""

    def test_one_that_lacks_a_table_is_made_anew(self, patient: Patient) -> None:
        before = index_rows.rows(patient.folder)
        patient.sql("DROP TABLE blocks")
        found = patient.examined()
        assert wrong(found) == {"index"}
        assert "blocks" in found["index"].detail
        (done,) = patient.mended(found)
        assert done.ok
        assert index_rows.differences(before, index_rows.rows(patient.folder)) == ""

    def test_indices_are_made_anew_from_their_tables(self, patient: Patient) -> None:
        hide_rows_from_an_index(patient)
        before = index_rows.rows(patient.folder)
        found = patient.examined()
        assert wrong(found) == {"index"}
        assert found["index"].remedy is Remedy.INDICES
        assert [(one.remedy, one.ok) for one in patient.mended(found)] == [(Remedy.INDICES, True)]
        assert index_rows.differences(before, index_rows.rows(patient.folder)) == ""
        assert wrong(patient.examined()) == set()
        assert list(patient.folder.glob("*.damaged-*")) == []

    def test_one_of_a_newer_quire_is_left_alone(self, patient: Patient) -> None:
        patient.sql("INSERT INTO migrations VALUES (999, 'from the future', 0)")
        found = patient.examined()
        assert wrong(found) == {"index"}
        assert "newer" in found["index"].detail
        assert patient.mended(found) == []

    def test_none_yet_is_no_fault(self, patient: Patient, tmp_path: Path) -> None:
        write_notes(tmp_path / "other")
        found = Patient(tmp_path / "other", patient.embedder).examined()
        assert wrong(found) == set()
        assert "quire index" in found["index"].advice
        assert not Patient(tmp_path / "other", patient.embedder).folder.exists()


def another_programs(folder: Path) -> bytes:
    connection = apsw.Connection(str(folder / "other"))
    connection.execute("CREATE TABLE notes (mine); INSERT INTO notes VALUES (1)").fetchall()
    connection.close()
    return (folder / "other").read_bytes()


def destroy_pages_of(patient: Patient, table: str) -> None:
    """Overwrite the root page of a table."""
    with patient.database() as db:
        page = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).get
        size = db.execute("PRAGMA page_size").get
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with (patient.folder / FILE_NAME).open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xa5" * size)


def hide_rows_from_an_index(patient: Patient) -> None:
    """Write rows while SQLite does not know of one of its indices."""
    with patient.database() as db:
        (row,) = db.execute("SELECT * FROM sqlite_schema WHERE name = 'notes_modified'").fetchall()
        db.execute("PRAGMA writable_schema = ON")
        db.execute("DELETE FROM sqlite_schema WHERE name = 'notes_modified'")
    with patient.database() as db:
        db.execute("CREATE TEMP TABLE times AS SELECT id, modified FROM notes")
        db.execute("DELETE FROM temp.times WHERE id NOT IN (SELECT id FROM notes LIMIT 3)")
        db.execute("UPDATE notes SET modified = modified + 1e6 WHERE id IN (SELECT id FROM temp.times)")
        db.execute("PRAGMA writable_schema = ON")
        db.execute("INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)", row)
