"""What a sync does to the index, on real files, a real SQLite file, a real Whoosh index and real vectors."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from counting_embedder import CountingEmbedder

from quire_engine import Engine
from quire_engine.errors import IndexLockedError, StoreError, VaultError
from quire_engine.index.database import connect
from quire_engine.index.lock import write_lock
from quire_engine.index.store import IndexWriter
from quire_engine.indexing import comparing, indexer, reading
from quire_engine.locations import index_dir
from quire_engine.records import FileStat, Filters, Note, SkippedNote, SyncProgress
from quire_engine.vault.scanner import ScanResult

PARAGRAPHS = {
    "bees": "Honey bees dance to tell each other where flowers are. " * 12,
    "glass": "Molten glass is gathered on a blowpipe and turned without rest. " * 12,
    "tides": "Tides follow the moon with a delay that every harbour knows. " * 12,
}


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    monkeypatch.setenv("QUIRE_DATA_DIR", str(folder))
    return folder


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    folder = tmp_path / "vault"
    for path, text in {
        "Nature/Bees.md": (
            "---\naliases: [honey makers]\ntags: [insects]\n---\n"
            "# Bees\n\nBees live in hives. See [[Glass]].\n"
        ),
        "Craft/Glass.md": "# Glass\n\nGlass is made of sand.\n\n## Blowing\n\n" + PARAGRAPHS["glass"] + "\n",
        "Craft/Long.md": "# Long\n\n" + "\n\n".join(PARAGRAPHS.values()) + "\n",
        "Home.md": "Start with [[Bees]], [[Glass]] and [[Missing note]].\n",
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def engine(vault: Path, data_dir: Path) -> Iterator[Engine]:
    with Engine.open(vault) as opened:
        yield opened


@pytest.fixture
def embedder(engine: Engine) -> CountingEmbedder:
    counting = CountingEmbedder(engine.embedder())
    engine._embedder = counting  # type: ignore[assignment]
    return counting


def rows(vault: Path, sql: str) -> list[Any]:
    connection = connect(index_dir(vault), writable=False)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


CONTENT = (
    "SELECT id, path, title, topic, aliases, properties, content_hash FROM notes ORDER BY id",
    "SELECT id, note_id, ordinal, kind, start, end, text, headings, sentences FROM chunks ORDER BY id",
    "SELECT note_id, position, target, resolved FROM links ORDER BY 1, 2",
    "SELECT chunk_id, text, label FROM entities ORDER BY 1, 2, 3",
    "SELECT note_id, tag FROM tags ORDER BY 1, 2",
    "SELECT chunk_id, embedding FROM vectors ORDER BY 1",
)


def content(vault: Path) -> list[list[Any]]:
    return [rows(vault, sql) for sql in CONTENT]


class TestFirstSync:
    def test_every_note_is_indexed_and_embedded(self, engine: Engine) -> None:
        report = engine.sync()
        assert (report.added, report.changed, report.removed) == (4, 0, 0)
        assert report.embedded > 4
        assert report.pending == 0
        status = engine.status()
        assert status.notes == 4
        assert status.vectors == report.embedded + report.reused
        assert {topic.topic for topic in status.topics} == {"Nature", "Craft", "."}
        assert status.unresolved_links == 1

    def test_progress_is_told_by_stage(self, engine: Engine) -> None:
        told: list[SyncProgress] = []
        engine.sync(told.append)
        assert [p.stage for p in told if p.done == p.total and p.total] == ["index", "keywords", "embed"]
        assert all(p.done <= p.total for p in told if p.total)

    def test_without_embedding_keywords_already_answer(self, engine: Engine) -> None:
        report = engine.sync(embed=False)
        assert report.pending > 0
        result = engine.search("blowpipe")
        assert result.hits[0].path == "Craft/Glass.md"
        assert result.incomplete
        engine.sync()
        assert not engine.search("blowpipe").incomplete


class TestNothingIsDoneTwice:
    def test_an_unchanged_vault_touches_nothing(self, engine: Engine, embedder: CountingEmbedder) -> None:
        engine.sync()
        generation = engine.status().generation
        embedder.passages.clear()
        report = engine.sync()
        assert (report.added, report.changed, report.removed, report.renamed) == (0, 0, 0, 0)
        assert report.unchanged == 4
        assert embedder.passages == []
        assert engine.status().generation == generation

    def test_a_touched_file_is_not_embedded(
        self, engine: Engine, embedder: CountingEmbedder, vault: Path
    ) -> None:
        engine.sync()
        embedder.passages.clear()
        os.utime(vault / "Nature/Bees.md")
        assert engine.sync().changed == 0
        assert embedder.passages == []

    def test_an_edit_under_the_same_time_stamp_before_the_note_was_written_is_noticed(
        self, engine: Engine, vault: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = vault / "Home.md"
        real = IndexWriter.put_note

        def put_note(self: IndexWriter, note: Note, *rest: Any) -> Any:
            if note.path != "Home.md":
                return real(self, note, *rest)
            file.write_text(file.read_text().replace("Start", "Begin"))
            os.utime(file, ns=(note.stat.mtime_ns, note.stat.mtime_ns))
            with monkeypatch.context() as later:
                now = time.time()
                later.setattr(time, "time", lambda: now + 10)
                return real(self, note, *rest)

        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(IndexWriter, "put_note", put_note)
            engine.sync(embed=False)
        assert engine.sync(embed=False).changed == 1
        assert engine.search("begin").hits[0].path == "Home.md"

    def test_editing_one_paragraph_embeds_only_what_changed(
        self, engine: Engine, embedder: CountingEmbedder, vault: Path
    ) -> None:
        first = engine.sync()
        embedder.passages.clear()
        note = vault / "Craft/Long.md"
        note.write_text(note.read_text().replace("Tides follow", "Tides always follow", 1))
        report = engine.sync()
        assert report.changed == 1
        passages = [text for text in embedder.passages if text != "ready"]
        assert 0 < len(passages) < first.embedded / 2
        assert all("Tides" in text for text in passages)

    @pytest.mark.parametrize("new", ["Nature/Honey bees.md", "Elsewhere/Deep/Bees.md"])
    def test_a_rename_or_move_embeds_nothing(
        self, engine: Engine, embedder: CountingEmbedder, vault: Path, new: str
    ) -> None:
        engine.sync()
        embedder.passages.clear()
        (vault / new).parent.mkdir(parents=True, exist_ok=True)
        (vault / "Nature/Bees.md").rename(vault / new)
        report = engine.sync()
        assert (report.renamed, report.added, report.removed) == (1, 0, 0)
        assert embedder.passages == []
        hits = engine.search("Where do bees live?").hits
        assert hits[0].path == new
        assert not any(hit.path == "Nature/Bees.md" for hit in hits)

    def test_a_folder_rename_embeds_nothing(
        self, engine: Engine, embedder: CountingEmbedder, vault: Path
    ) -> None:
        engine.sync()
        embedder.passages.clear()
        (vault / "Craft").rename(vault / "Workshop")
        assert engine.sync().renamed == 2
        assert embedder.passages == []
        assert {topic.topic for topic in engine.status().topics} == {"Nature", "Workshop", "."}

    def test_deleting_and_bringing_back_embeds_nothing(
        self, engine: Engine, embedder: CountingEmbedder, vault: Path
    ) -> None:
        engine.sync()
        before = content(vault)
        text = (vault / "Nature/Bees.md").read_text()
        (vault / "Nature/Bees.md").unlink()
        assert engine.sync().removed == 1
        assert not any(hit.path == "Nature/Bees.md" for hit in engine.search("bees live in hives").hits)
        embedder.passages.clear()
        (vault / "Nature/Bees.md").write_text(text)
        assert engine.sync().added == 1
        assert embedder.passages == []
        assert content(vault) == before

    def test_changing_only_properties_and_tags_embeds_nothing(
        self, engine: Engine, embedder: CountingEmbedder, vault: Path
    ) -> None:
        engine.sync()
        embedder.passages.clear()
        note = vault / "Nature/Bees.md"
        note.write_text(note.read_text().replace("tags: [insects]", "tags: [pollinators]\nrating: 5"))
        assert engine.sync().changed == 1
        assert embedder.passages == []
        assert engine.search("hives", filters=Filters(tags=("pollinators",))).hits
        assert not engine.search("hives", filters=Filters(tags=("insects",))).hits
        assert engine.search("hives", filters=Filters(where=(("rating", "5"),))).hits


class TestLinksAndNames:
    def test_backlinks_are_stored(self, engine: Engine) -> None:
        engine.sync()
        assert engine.backlinks("Craft/Glass.md") == ["Home.md", "Nature/Bees.md"]

    def test_links_are_resolved_again_when_a_note_appears_or_goes(self, engine: Engine, vault: Path) -> None:
        engine.sync()
        (vault / "Missing note.md").write_text("Found.")
        engine.sync()
        assert engine.status().unresolved_links == 0
        assert engine.backlinks("Missing note.md") == ["Home.md"]
        (vault / "Missing note.md").unlink()
        engine.sync()
        assert engine.status().unresolved_links == 1

    def test_names_are_found_in_old_passages_when_they_become_names(
        self, engine: Engine, vault: Path
    ) -> None:
        engine.sync()
        (vault / "Blowpipe.md").write_text("An iron tube.")
        engine.sync()
        hit = next(h for h in engine.search("blowpipe").hits if h.path == "Craft/Glass.md")
        assert "Blowpipe" in {entity.text for entity in hit.entities}
        (vault / "Blowpipe.md").unlink()
        engine.sync()
        hit = next(h for h in engine.search("blowpipe").hits if h.path == "Craft/Glass.md")
        assert "Blowpipe" not in {entity.text for entity in hit.entities}


class TestInterruption:
    @pytest.mark.parametrize("stage", ["index", "keywords", "model", "embed"])
    def test_an_interrupted_sync_is_resumed_to_the_same_index(
        self, engine: Engine, vault: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
    ) -> None:
        def interrupt(progress: SyncProgress) -> None:
            if progress.stage == stage:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            engine.sync(interrupt)
        engine.sync()
        resumed = content(vault)
        found = [hit.path for hit in engine.search("blowpipe glass").hits]
        monkeypatch.setenv("QUIRE_DATA_DIR", str(tmp_path / "fresh"))
        with Engine.open(vault) as fresh:
            fresh.sync()
            assert content(vault) == resumed
            assert [hit.path for hit in fresh.search("blowpipe glass").hits] == found

    def test_vectors_already_made_are_kept(self, engine: Engine, embedder: CountingEmbedder) -> None:
        def interrupt(progress: SyncProgress) -> None:
            if progress.stage == "embed" and progress.done:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            engine.sync(interrupt)
        embedder.passages.clear()
        report = engine.sync()
        assert report.pending == 0
        assert embedder.passages == []


class TestTwoStoresOneTruth:
    def test_a_deleted_keyword_index_is_made_anew(self, engine: Engine, vault: Path) -> None:
        engine.sync()
        before = [(hit.path, hit.start_line) for hit in engine.search("glass blowpipe").hits]
        engine.close()
        for folder in index_dir(vault).glob("keywords-*"):
            shutil.rmtree(folder)
        with Engine.open(vault) as again:
            again.sync()
            assert [(hit.path, hit.start_line) for hit in again.search("glass blowpipe").hits] == before

    def test_discarding_keeps_embeddings(self, engine: Engine, vault: Path) -> None:
        engine.sync()
        before = content(vault)
        engine.close()
        with Engine.open(vault, discard=True) as again:
            assert again.status().notes == 0
            report = again.sync()
            assert report.embedded == 0
            assert report.added == 4
        assert content(vault) == before

    def test_a_damaged_database_is_named_and_can_be_discarded(self, engine: Engine, vault: Path) -> None:
        engine.sync()
        engine.close()
        file = index_dir(vault) / "index.sqlite3"
        file.write_bytes(b"this is not a database, " * 1000)
        with pytest.raises(StoreError, match="damaged"):
            Engine.open(vault)
        with Engine.open(vault, discard=True) as again:
            assert again.sync().added == 4

    @pytest.mark.parametrize("loss", ["restored", "deleted"])
    def test_a_database_that_fell_behind_its_keyword_index(
        self, engine: Engine, vault: Path, loss: str
    ) -> None:
        engine.sync()
        engine.close()
        file = index_dir(vault) / "index.sqlite3"
        backup = file.read_bytes()
        (vault / "Home.md").unlink()
        for n in range(5):
            (vault / f"New {n}.md").write_text(f"Pomegranate number {n}.")
        with Engine.open(vault) as between:
            between.sync()
        for leftover in index_dir(vault).glob("index.sqlite3-*"):
            leftover.unlink()
        file.write_bytes(backup) if loss == "restored" else file.unlink()
        (vault / "New 0.md").unlink()
        (vault / "Late.md").write_text("A quince is no pomegranate.")
        with Engine.open(vault) as again:
            again.sync()
            found = {hit.path for hit in again.search("pomegranate").hits}
            assert {"New 1.md", "New 4.md", "Late.md"} <= found
            assert not found & {"New 0.md", "Home.md"}
            assert again._keywords.count() == again.status().chunks

    def test_a_database_without_a_schema_is_finished(self, engine: Engine, vault: Path) -> None:
        engine.close()
        for file in index_dir(vault).glob("index.sqlite3*"):
            file.unlink()
        (index_dir(vault) / "index.sqlite3").touch()
        with Engine.open(vault) as again:
            assert again.search("anything").hits == ()
            assert again.sync().added == 4

    def test_a_note_that_gains_text_is_indexed_as_if_anew(
        self, engine: Engine, vault: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        note = vault / "Person.md"
        note.write_text("---\nauthor: Quillon Marsh\n---\n")
        engine.sync()
        note.write_text("---\nauthor: Quillon Marsh\n---\n\nWrites about people.\n")
        engine.sync()
        found = [(h.path, h.kind) for h in engine.search("person marsh").hits]
        monkeypatch.setenv("QUIRE_DATA_DIR", str(tmp_path / "fresh"))
        with Engine.open(vault) as fresh:
            fresh.sync()
            assert [(h.path, h.kind) for h in fresh.search("person marsh").hits] == found


class TestVaultInTrouble:
    def test_a_vault_that_vanishes_deletes_nothing(self, engine: Engine, vault: Path) -> None:
        engine.sync()
        vault.rename(vault.with_name("unmounted"))
        with pytest.raises(VaultError):
            engine.sync()
        assert engine.status().notes == 4

    def test_a_vault_that_is_suddenly_empty_deletes_nothing(self, engine: Engine, vault: Path) -> None:
        engine.sync()
        shutil.rmtree(vault)
        vault.mkdir()
        with pytest.raises(VaultError, match="Nothing was deleted"):
            engine.sync()
        assert engine.status().notes == 4

    def test_one_bad_note_does_not_stop_the_others(self, engine: Engine, vault: Path) -> None:
        (vault / "Binary.md").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40)
        (vault / "Broken.md").write_text("---\ntags: [a\n: : :\n---\nStill searchable pomegranate.\n")
        (vault / "Latin.md").write_bytes("Ein Käse aus Münster.\n".encode("latin-1"))
        report = engine.sync()
        assert report.added == 6
        assert [note.path for note in report.skipped] == ["Binary.md"]
        status = engine.status()
        assert [note.path for note in status.skipped] == ["Binary.md"]
        assert "Broken.md" in {note.path for note in status.warnings}
        assert engine.search("pomegranate").hits[0].path == "Broken.md"
        assert engine.search("Käse Münster").hits[0].path == "Latin.md"

    def test_whatever_one_note_brings_about_the_others_are_indexed(
        self, engine: Engine, vault: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (vault / "Cursed.md").write_text("cursed")
        real = reading.parse

        def parse(path: str, data: bytes, stat: FileStat) -> Note:
            if path == "Cursed.md":
                raise UnicodeEncodeError("utf-8", "x", 0, 1, "surrogates not allowed")
            return real(path, data, stat)

        monkeypatch.setattr(reading, "parse", parse)
        report = engine.sync()
        assert report.added == 4
        assert [note.path for note in report.skipped] == ["Cursed.md"]
        assert "UnicodeEncodeError" in report.skipped[0].reason

    def test_a_note_that_cannot_be_written_is_named_and_leaves_nothing_behind(
        self, engine: Engine, vault: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = IndexWriter.put_note

        def put_note(self: IndexWriter, note: Note, *rest: Any) -> Any:
            waiting = real(self, note, *rest)
            if note.path == "Craft/Glass.md":
                raise ValueError("in the middle of it")
            return waiting

        monkeypatch.setattr(IndexWriter, "put_note", put_note)
        report = engine.sync()
        assert (report.added, report.pending) == (3, 0)
        assert [note.path for note in report.skipped] == ["Craft/Glass.md"]
        assert "ValueError" in report.skipped[0].reason
        assert engine.backlinks("Craft/Glass.md") == []
        assert "Craft/Glass.md" not in {hit.path for hit in engine.search("blowpipe glass").hits}
        assert rows(vault, "SELECT count(*) FROM chunks WHERE text LIKE '# Glass%'") == [(0,)]

    def test_where_no_process_can_be_started_notes_are_read_all_the_same(
        self, engine: Engine, vault: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(60):
            (vault / f"{number}.md").write_text(f"# Number {number}\n\nIt follows {number - 1}.\n")
        monkeypatch.setattr(indexer, "_WORTH_WORKERS", 0)
        monkeypatch.setattr(sys, "executable", str(vault / "none"))
        assert engine.sync(embed=False).added == 64

    def test_a_canvas_with_half_a_character_is_indexed(self, engine: Engine, vault: Path) -> None:
        node = (
            '{"type":"file","file":"Home.md","subpath":"#\\ud800","x":0,"y":0,"width":1,"height":1,"id":"a"}'
        )
        (vault / "Map.canvas").write_text(f'{{"nodes":[{node}]}}')
        assert engine.sync().skipped == ()

    def test_notes_in_a_folder_that_cannot_be_read_are_not_gone(
        self, engine: Engine, vault: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        engine.sync()
        whole = comparing.scan(vault)
        part = ScanResult(
            [file for file in whole.files if not file.path.startswith("Craft/")],
            [SkippedNote("Craft", "input/output error")],
        )
        monkeypatch.setattr(comparing, "scan", lambda *_: part)
        report = engine.sync()
        assert report.removed == 0
        assert engine.status().notes == 4
        assert [note.path for note in engine.status().skipped] == ["Craft"]

    def test_a_note_that_turns_bad_leaves_the_index(self, engine: Engine, vault: Path) -> None:
        engine.sync()
        (vault / "Home.md").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40)
        engine.sync()
        assert engine.status().notes == 3

    def test_a_second_writer_is_told_who_writes(self, engine: Engine, vault: Path) -> None:
        with write_lock(index_dir(vault), 0), pytest.raises(IndexLockedError, match=str(os.getpid())):
            engine.sync()


class TestForgetting:
    @pytest.mark.parametrize(
        ("place", "left"), [("Craft", 2), ("Craft/Long.md", 3), ("Nature/", 3), ("Cra", 4)]
    )
    def test_a_note_or_folder_leaves_without_a_trace(
        self, engine: Engine, vault: Path, place: str, left: int
    ) -> None:
        engine.sync()
        assert engine.forget(place) == 4 - left
        assert engine.status().notes == left
        found = {hit.path for hit in engine.search("glass blowpipe bees tides").hits}
        assert not any(path == place or path.startswith(place.strip("/") + "/") for path in found)
        hashes = {row[0] for row in rows(vault, "SELECT embed_hash FROM chunks WHERE embed_hash NOT NULL")}
        assert {row[0] for row in rows(vault, "SELECT hash FROM embeddings")} == hashes

    def test_what_is_still_there_comes_back(self, engine: Engine, vault: Path) -> None:
        engine.sync()
        before = content(vault)
        engine.forget("Craft")
        assert engine.sync().added == 2
        assert content(vault) == before


class TestEveryNoteCanBeFound:
    @pytest.mark.parametrize(
        ("name", "text", "query"),
        [
            ("Saffron.md", "", "saffron"),
            ("Cardamom.md", "---\nrating: 3\n---\n", "cardamom"),
            ("Spice.md", "# Turmeric\n", "turmeric"),
            ("Person.md", "---\nauthor: Quillon Marsh\n---\n# Person\n\nWrites books.\n", "Quillon Marsh"),
            ("Ginger.md", "%% nothing but a comment %%\n", "ginger"),
        ],
    )
    def test_by_name_heading_or_property(
        self, engine: Engine, vault: Path, name: str, text: str, query: str
    ) -> None:
        (vault / name).write_text(text)
        engine.sync()
        assert engine.search(query).hits[0].path == name


class TestKeywordsOfAnOldFormat:
    def test_are_made_anew_without_embedding(self, vault: Path, data_dir: Path) -> None:
        with Engine.open(vault) as engine:
            engine.sync()
        (folder,) = index_dir(vault).glob("keywords-whoosh-*")
        folder.rename(folder.with_name("keywords-whoosh-1"))
        with Engine.open(vault) as engine:
            counting = CountingEmbedder(engine.embedder())
            engine._embedder = counting  # type: ignore[assignment]
            engine.sync()
            assert counting.passages == []
            assert engine.search("hives").hits[0].path == "Nature/Bees.md"
        assert [found.name for found in index_dir(vault).glob("keywords-*")] == [folder.name]


class TestPassagesOfAnOldRecipe:
    def test_are_cut_anew_once_without_embedding(self, vault: Path, data_dir: Path) -> None:
        with Engine.open(vault) as engine:
            engine.sync()
        with closing(connect(index_dir(vault), writable=True)) as db:
            cut = db.execute("SELECT id, sentences FROM chunks ORDER BY id").fetchall()
            recipe = db.execute("SELECT value FROM meta WHERE key = 'recipe'").get
            db.execute("UPDATE meta SET value = '1/' WHERE key = 'recipe'")
            db.execute("UPDATE chunks SET sentences = '[]'")
        with Engine.open(vault) as engine:
            counting = CountingEmbedder(engine.embedder())
            engine._embedder = counting  # type: ignore[assignment]
            assert engine.sync().changed > 0
            assert engine.sync().changed == 0
            assert counting.passages == []
        with closing(connect(index_dir(vault), writable=False)) as db:
            assert db.execute("SELECT id, sentences FROM chunks ORDER BY id").fetchall() == cut
            assert db.execute("SELECT value FROM meta WHERE key = 'recipe'").get == recipe
