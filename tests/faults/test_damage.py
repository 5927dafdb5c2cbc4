"""Parts of an index torn, flipped, truncated or gone: mended by the next sync, or told in one line.

About 15 seconds of processor time; with QUIRE_TEST_FULL=1 five times as many places are torn.
"""

from __future__ import annotations

import os
import random
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import apsw
import pytest
import sqlite_vec
from index_rows import differences, rows

from quire_engine import Engine, locations
from quire_engine.errors import DamagedIndexError, QuireError, StoreError
from quire_engine.index.database import FILE_NAME
from quire_engine.index.vector_schema import PARTS, TABLE
from quire_engine.progress import Meter
from quire_engine.records import SyncReport

from .seeded_vault import SeededVault
from .telling_notes import take_over

FULL = bool(os.environ.get("QUIRE_TEST_FULL"))
QUESTION = "vo zu mo"


class Box:
    """A vault, its index, and what that ought to hold."""

    def __init__(self, vault: SeededVault, data: Path) -> None:
        self.vault = vault
        self._sound = data.with_name("sound")
        with self.open() as engine:
            engine.sync()
        self.folder = locations.index_dir(vault.folder)
        self.expected = rows(self.folder)
        shutil.copytree(self.folder, self._sound)

    def restore(self) -> None:
        """Have the index as it was when it was sound."""
        shutil.rmtree(self.folder)
        shutil.copytree(self._sound, self.folder)

    def open(self, *, discard: bool = False) -> Engine:
        return Engine.open(self.vault.folder, discard=discard)

    def sync(self, *, discard: bool = False) -> SyncReport:
        with self.open(discard=discard) as engine:
            return engine.sync()

    @contextmanager
    def notes_put_back(self) -> Iterator[None]:
        """Whatever is written to notes inside is undone afterwards, their times included."""
        before = [(note, note.read_bytes(), note.stat().st_mtime_ns) for note in self.vault.notes]
        yield
        for note, data, moment in before:
            note.write_bytes(data)
            os.utime(note, ns=(moment, moment))

    @property
    def database(self) -> Path:
        return self.folder / FILE_NAME

    def edit(self, sql: str) -> None:
        """Change the database past Quire."""
        connection = apsw.Connection(str(self.database))
        connection.enable_load_extension(True)
        connection.load_extension(sqlite_vec.loadable_path())
        connection.execute(sql).fetchall()
        connection.close()

    def keyword_files(self, pattern: str) -> list[Path]:
        return sorted(self.folder.glob(f"keywords-*/{pattern}"))

    def check(self, *, but_for_a_bit: bool = False) -> None:
        """The index is what it ought to be; in vectors, a bit may be another: nothing can tell that."""
        found = rows(self.folder)
        if but_for_a_bit:
            for table in ("embeddings", "vectors"):
                differing = [a != b for a, b in zip(found[table], self.expected[table], strict=True)]
                if sum(differing) <= 2:
                    found[table] = self.expected[table]
        assert differences(found, self.expected) == ""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    folder = tmp_path_factory.mktemp("damage")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUIRE_DATA_DIR", str(folder / "data"))
        take_over(patch.setattr)
        yield Box(SeededVault(folder / "vault", 60, seed=7), folder / "data")


@pytest.fixture
def box(made: Box) -> Box:
    made.restore()
    return made


def torn(file: Path, chance: random.Random) -> None:
    """Cut a file off, flip one of its bits, or empty it."""
    data = bytearray(file.read_bytes())
    match chance.randrange(5):
        case 0:
            data = bytearray()
        case 1 | 2:
            data = data[: chance.randrange(len(data))]
        case _:
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    file.write_bytes(data)


class TestKeywordIndex:
    @pytest.mark.parametrize("pattern", ["*.seg", "*.toc"])
    def test_torn_anywhere_it_is_mended_by_the_next_sync(self, box: Box, pattern: str) -> None:
        chance = random.Random(pattern)
        for _ in range(60 if FULL else 12):
            box.restore()
            torn(chance.choice(box.keyword_files(pattern)), chance)
            assert box.sync().embedded == 0
            box.check()

    def test_a_search_goes_on_with_vectors_alone_and_says_so(self, box: Box) -> None:
        (toc,) = box.keyword_files("*.toc")
        toc.write_bytes(b"rubbish")
        with box.open() as engine:
            result = engine.search(QUESTION)
            assert result.hits
            assert result.incomplete
            names = {signal.name for hit in result.hits for signal in hit.trace.signals}
            assert "dense" in names
            assert "keyword" not in names
            engine.sync()
            assert not engine.search(QUESTION).incomplete

    @pytest.mark.parametrize("pattern", ["*.seg", "*.toc", "*"])
    def test_files_that_are_gone_come_back(self, box: Box, pattern: str) -> None:
        for file in box.keyword_files(pattern):
            file.unlink()
        box.sync()
        box.check()

    def test_chunks_that_it_lost_or_kept_without_need_are_noticed_by_their_number(self, box: Box) -> None:
        with box.open() as engine:
            engine._writers()
            assert engine._desk is not None
            with engine._desk.writing(0):
                keywords, store = engine._desk.keywords, engine._desk.store
                keywords.apply([box.expected["chunks"][0][0]], [], keywords.applied, store.outbox.identity())
        box.sync()
        box.check()

    def test_one_that_is_ahead_of_a_database_that_lost_its_last_changes(self, box: Box) -> None:
        # As after a power failure: what SQLite wrote last had not reached the disk.
        before = box.database.read_bytes()
        with box.notes_put_back():
            for note in box.vault.notes[:3]:
                note.write_bytes(note.read_bytes() + b"\n\nEntirely new words: quiddity.\n")
            box.sync()
        box.database.write_bytes(before)
        box.sync()
        box.check()


VECTOR_DAMAGE = pytest.mark.parametrize(
    "sql",
    [
        *(f"DROP TABLE {part}" for part in PARTS),
        *(f"DELETE FROM {part}" for part in PARTS[1:]),
        *(f"DELETE FROM {part} WHERE rowid % 3 = 0" for part in PARTS[1:]),
        f"DROP TABLE {TABLE}",
        f"DELETE FROM {TABLE} WHERE chunk_id % 3 = 0",
        "DELETE FROM shard_members WHERE chunk_id % 3 = 0",
        "UPDATE shards SET count = count + 1",
        "UPDATE shards SET total = zeroblob(7)",
        "UPDATE shards SET total = zeroblob(16)",
        "UPDATE shards SET total = 'text'",
        "DELETE FROM shards",
        "DELETE FROM meta WHERE key = 'fingerprint'",
    ],
)


class TestVectorTable:
    @VECTOR_DAMAGE
    def test_what_is_missing_is_put_back_and_nothing_is_embedded(self, box: Box, sql: str) -> None:
        box.edit(sql)
        assert box.sync().embedded == 0
        box.check()

    @VECTOR_DAMAGE
    def test_an_edit_meets_it_before_everything_is_looked_at(self, box: Box, sql: str) -> None:
        """As under a watch, which looks at the whole vault after an error, and goes on."""
        box.edit(sql)
        edited = box.vault.notes[0]
        with box.notes_put_back(), box.open() as engine:
            edited.write_text("Nothing of what it said before.\n")
            indexer, _ = engine._writers()
            with suppress(StoreError):
                indexer.sync(Meter(None), paths=[edited.relative_to(box.vault.folder).as_posix()])
            engine.sync()
            assert "Nothing of what it said" in engine.search("nothing of what it said").hits[0].text
        assert box.sync().embedded == 0
        box.check()

    @VECTOR_DAMAGE
    def test_notes_are_forgotten_all_the_same(self, box: Box, sql: str) -> None:
        box.edit(sql)
        forgotten = box.vault.notes[0].relative_to(box.vault.folder).as_posix()
        with box.open() as engine:
            assert engine.forget(forgotten) == 1
            engine.sync()
        box.check()

    @pytest.mark.parametrize("total", ["zeroblob(7)", "zeroblob(16)", "'text'"])
    def test_a_search_says_that_shards_are_damaged(self, box: Box, total: str) -> None:
        box.edit(f"UPDATE shards SET total = {total}")
        with box.open() as engine:
            assert engine.search(QUESTION).incomplete
            engine.sync()
            assert not engine.search(QUESTION).incomplete

    @pytest.mark.parametrize("part", [f"{TABLE}_chunks", f"{TABLE}_vector_chunks00"])
    def test_a_search_goes_on_with_keywords_alone_and_says_so(self, box: Box, part: str) -> None:
        box.edit(f"DROP TABLE {part}")
        with box.open() as engine:
            result = engine.search(QUESTION)
            assert result.hits
            assert result.incomplete
            engine.sync()
            assert not engine.search(QUESTION).incomplete

    def test_embeddings_that_are_missing_are_taken_from_it(self, box: Box) -> None:
        box.edit("DELETE FROM embeddings WHERE id % 2 = 0; UPDATE shards SET count = count + 1")
        assert box.sync().embedded == 0
        box.check()

    def test_vectors_that_are_none_are_not_taken_from_it(self, box: Box) -> None:
        box.edit(
            f"UPDATE {TABLE}_vector_chunks00 SET vectors = zeroblob(length(vectors)); "
            "DELETE FROM embeddings WHERE id % 2 = 0; UPDATE shards SET count = count + 1"
        )
        assert box.sync().embedded > 0
        box.check()

    def test_what_is_nowhere_is_embedded_again(self, box: Box) -> None:
        box.edit(f"DELETE FROM embeddings WHERE id % 2 = 0; DELETE FROM {TABLE}_rowids")
        assert box.sync().embedded > 0
        box.check()


class TestDatabase:
    def test_torn_anywhere_it_is_told_and_can_be_rebuilt(self, box: Box) -> None:
        chance = random.Random(11)
        saved = 0
        for _ in range(80 if FULL else 16):
            box.restore()
            torn(box.database, chance)
            said = ""
            try:
                with box.open() as engine:
                    engine.search(QUESTION)
                    engine.sync()
                    engine.search(QUESTION)
            except QuireError as error:
                said = str(error)
            assert "\n" not in said
            assert not said or "quire index" in said or "quire doctor --fix" in said
            report = box.sync(discard=True)
            saved += report.embedded == 0
            box.check(but_for_a_bit=True)
        assert saved  # mostly, all embeddings could be read

    def test_embeddings_of_a_truncated_one_are_kept_as_far_as_they_go(self, box: Box) -> None:
        whole = len(box.expected["embeddings"])
        size = box.database.stat().st_size
        with box.database.open("r+b") as file:
            file.truncate(size * 9 // 10)
        with pytest.raises(DamagedIndexError, match="quire doctor --fix"):
            box.sync()
        assert box.sync(discard=True).embedded < whole
        box.check()

    @pytest.mark.parametrize("others", [True, False], ids=["alone", "with its log"])
    def test_an_empty_one_is_filled_again(self, box: Box, others: bool) -> None:
        box.database.write_bytes(b"")
        if others:
            (box.folder / f"{FILE_NAME}-wal").write_bytes(os.urandom(40_000))
        box.sync()
        box.check()

    def test_a_lost_log_takes_only_the_last_changes_with_it(self, box: Box) -> None:
        crashed = box.folder.with_name("crashed")
        with box.notes_put_back(), box.open() as engine:
            for note in box.vault.notes[:5]:
                note.write_bytes(note.read_bytes() + b"\n\nMore.\n")
            engine.sync()
            shutil.copytree(box.folder, crashed)
        shutil.rmtree(box.folder)
        crashed.rename(box.folder)
        (box.folder / f"{FILE_NAME}-wal").unlink()
        box.sync()
        box.check()

    def test_another_programs_database_is_left_alone_and_named(self, box: Box) -> None:
        box.database.unlink()
        other = apsw.Connection(str(box.database))
        other.execute("CREATE TABLE notes (mine); INSERT INTO notes VALUES (1)").fetchall()
        other.close()
        before = box.database.read_bytes()
        with pytest.raises(DamagedIndexError, match="not an index of Quire; run `quire doctor --fix`"):
            box.sync()
        assert box.database.read_bytes() == before
        box.sync(discard=True)
        box.check()

    def test_a_folder_in_its_place_is_told(self, box: Box) -> None:
        box.database.unlink()
        box.database.mkdir()
        with pytest.raises(StoreError, match=r"is a folder, .*; remove it$"):
            box.sync()


class TestEverything:
    def test_files_that_anyone_may_have_left_do_no_harm(self, box: Box) -> None:
        (box.folder / "writer.json").write_text('{"pid": 1')
        (box.folder / "progress.json").write_bytes(b"\xff\x00")
        (box.folder / "write.lock").write_text("rubbish")
        (keywords,) = box.folder.glob("keywords-*")
        (keywords / "MAIN_torn.seg").write_bytes(b"half a segm")
        (keywords / "_MAIN_99.toc.new").write_bytes(b"half")
        box.sync()
        box.check()
        assert stat.S_IMODE(box.database.stat().st_mode) == 0o600
