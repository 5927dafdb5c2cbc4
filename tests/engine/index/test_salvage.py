from __future__ import annotations

import errno
import random
import time
from pathlib import Path

import apsw
import numpy as np
import pytest

from quire_engine.errors import DamagedIndexError, IndexTooNewError
from quire_engine.index.database import FILE_NAME, connect
from quire_engine.index.salvage import discard, replace_damaged

from .conftest import Index, vector


@pytest.fixture
def folder(index: Index, tmp_path: Path) -> Path:
    """An index of 400 embeddings, closed."""
    for number in range(40):
        index.put(f"{number}.md", "".join(f"# Part {part}\n\nNote {number}.\n\n" for part in range(10)))
    index.embed()
    index.db.close()
    return tmp_path


def embeddings(folder: Path) -> dict[bytes, bytes]:
    database = connect(folder, writable=False)
    try:
        return dict(database.execute("SELECT hash, vector FROM embeddings").fetchall())
    finally:
        database.close()


def page_of(folder: Path, table: str) -> int:
    database = apsw.Connection(str(folder / FILE_NAME))
    page: int = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).get
    database.close()
    return page - 1


class TestDiscard:
    def test_forgets_notes_and_keeps_embeddings(self, folder: Path) -> None:
        before = embeddings(folder)
        (folder / "keywords-whoosh-0").mkdir()
        discard(folder)
        assert embeddings(folder) == before
        database = connect(folder, writable=False)
        for table in ("notes", "chunks", "links", "keyword_outbox", "embedding_queue", "shards"):
            assert database.execute(f"SELECT count(*) FROM {table}").get == 0
        assert not database.table_exists("main", "vectors")
        database.close()
        assert not list(folder.glob("keywords-*"))

    def test_of_a_folder_without_an_index_does_nothing(self, tmp_path: Path) -> None:
        discard(tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_keeps_the_embeddings_of_a_database_that_is_damaged_elsewhere(self, folder: Path) -> None:
        before = embeddings(folder)
        with (folder / FILE_NAME).open("r+b") as file:
            file.seek(page_of(folder, "chunks") * 16384)
            file.write(bytes(16384))
        discard(folder)
        assert embeddings(folder) == before
        assert sorted(path.name for path in folder.iterdir()) == [FILE_NAME]

    def test_keeps_what_lies_around_the_damage(self, folder: Path) -> None:
        database = apsw.Connection(str(folder / FILE_NAME))
        rows = np.random.default_rng(1).normal(size=(3000, 384)).astype(np.float16)
        rows /= np.linalg.norm(rows.astype(np.float32), axis=1, keepdims=True)
        database.executemany(
            "INSERT INTO embeddings (hash, fingerprint, vector) VALUES (?, 'model-a', ?)",
            ((number.to_bytes(16, "big"), row.tobytes()) for number, row in enumerate(rows)),
        )
        database.close()
        before = embeddings(folder)
        chance = random.Random(3)
        with (folder / FILE_NAME).open("r+b") as file:
            pages = file.seek(0, 2) // 16384
            for page in chance.sample(range(pages // 2, pages), 6):
                file.seek(page * 16384)
                file.write(bytes(16384))
        discard(folder)
        kept = embeddings(folder)
        assert kept.items() <= before.items()
        assert len(before) * 0.9 < len(kept) < len(before)

    def test_keeps_no_vector_that_is_none(self, folder: Path) -> None:
        before = embeddings(folder)
        database = apsw.Connection(str(folder / FILE_NAME))
        database.execute(
            "UPDATE embeddings SET vector = zeroblob(16) WHERE id = 1;"
            "UPDATE embeddings SET vector = x'ff7e' WHERE id = 2;"
            "UPDATE embeddings SET vector = 'x' WHERE id = 3"
        ).fetchall()
        database.close()
        with (folder / FILE_NAME).open("r+b") as file:
            file.seek(page_of(folder, "chunks") * 16384)
            file.write(bytes(16384))
        discard(folder)
        assert embeddings(folder).items() < before.items()
        assert len(embeddings(folder)) == len(before) - 3

    def test_goes_around_text_that_is_none(self, folder: Path) -> None:
        before = embeddings(folder)
        destroyed = page_of(folder, "links")
        database = apsw.Connection(str(folder / FILE_NAME))
        database.execute("UPDATE embeddings SET fingerprint = CAST(x'c328' AS TEXT) WHERE id = 7")
        lost = database.execute("SELECT hash FROM embeddings WHERE id = 7").get
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        with (folder / FILE_NAME).open("r+b") as file:
            file.seek(destroyed * 16384)
            file.write(b"\xa5" * 16384)
        discard(folder)
        assert embeddings(folder) == {digest: row for digest, row in before.items() if digest != lost}

    def test_an_id_that_a_flipped_bit_made_enormous_does_no_harm(self, folder: Path) -> None:
        before = embeddings(folder)
        destroyed = page_of(folder, "links")
        database = apsw.Connection(str(folder / FILE_NAME))
        database.execute("UPDATE embeddings SET id = 1 << 60 WHERE id = 400")
        database.execute("UPDATE embeddings SET id = -5 WHERE id = 7")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        with (folder / FILE_NAME).open("r+b") as file:
            file.seek(destroyed * 16384)
            file.write(b"\xa5" * 16384)
        discard(folder)
        assert embeddings(folder) == before

    def test_leaves_nothing_of_a_call_that_was_killed(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = embeddings(folder)
        destroy(folder, "chunks")
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(Path, "replace", kill)
            with pytest.raises(Killed):
                discard(folder)
        discard(folder)
        assert embeddings(folder) == before
        assert [path.name for path in folder.iterdir()] == [FILE_NAME]

    @pytest.mark.parametrize("content", [b"", b"no database", bytes(70_000)])
    def test_of_what_is_no_database_leaves_an_index_that_can_be_filled(
        self, folder: Path, content: bytes
    ) -> None:
        (folder / FILE_NAME).write_bytes(content)
        discard(folder)
        database = connect(folder, writable=True)
        assert database.execute("SELECT count(*) FROM notes").get == 0
        database.close()

    def test_an_index_of_a_newer_quire_is_left_alone(self, folder: Path) -> None:
        database = apsw.Connection(str(folder / FILE_NAME))
        database.execute("INSERT INTO migrations VALUES (999, 'from the future', 0)")
        database.close()
        before = embeddings_of_bytes(folder)
        with pytest.raises(IndexTooNewError):
            discard(folder)
        assert embeddings_of_bytes(folder) == before

    def test_what_was_kept_is_used_when_the_notes_come_back(
        self, folder: Path, open_index: type[Index]
    ) -> None:
        (folder / FILE_NAME).write_bytes((folder / FILE_NAME).read_bytes()[:-16384])
        with pytest.raises(DamagedIndexError):
            connect(folder, writable=True)
        discard(folder)
        kept = len(embeddings(folder))
        assert kept
        again = open_index()
        again.put("0.md", "".join(f"# Part {part}\n\nNote 0.\n\n" for part in range(10)))
        known = 10 - again.embed()
        assert 0 < known <= kept
        for chunk, digest in again.rows("SELECT id, embed_hash FROM chunks"):
            (row,) = again.rows(f"SELECT embedding FROM vectors WHERE chunk_id = {chunk}")
            assert row == (vector(digest).astype("float16").astype("float32").tobytes(),)  # type: ignore[arg-type]


class TestReplaceDamaged:
    def test_the_damaged_one_is_kept_whole(self, folder: Path) -> None:
        before = embeddings(folder)
        destroy(folder, "chunks")
        damaged = (folder / FILE_NAME).read_bytes()
        aside = replace_damaged(folder)
        assert aside.read_bytes() == damaged
        assert embeddings(folder) == before
        assert {path.name for path in folder.iterdir()} == {FILE_NAME, aside.name}

    def test_two_of_one_second_do_not_replace_each_other(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(time, "strftime", lambda _: "20260101-000000")
        asides = set()
        for content in (b"first", b"second"):
            (folder / FILE_NAME).write_bytes(content)
            asides.add(replace_damaged(folder))
        assert {aside.read_bytes() for aside in asides} == {b"first", b"second"}

    def test_where_files_have_one_name_only_it_is_copied(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise OSError(errno.EPERM, "Operation not permitted")

        before = embeddings(folder)
        destroy(folder, "chunks")
        damaged = (folder / FILE_NAME).read_bytes()
        monkeypatch.setattr(Path, "hardlink_to", refuse)
        assert replace_damaged(folder).read_bytes() == damaged
        assert embeddings(folder) == before

    @pytest.mark.parametrize("at", ["hardlink_to", "replace"])
    def test_what_only_the_log_held_outlives_a_kill(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, at: str
    ) -> None:
        """A reader keeps SQLite from writing the log into the database."""
        reader = connect(folder, writable=False)
        reader.execute("BEGIN; SELECT count(*) FROM embeddings").fetchall()
        writer = connect(folder, writable=True)
        row = vector(b"late").astype(np.float16).tobytes()
        writer.execute(
            "INSERT INTO embeddings (hash, fingerprint, vector) VALUES (x'00', 'model-a', ?)", (row,)
        )
        writer.execute("UPDATE chunks SET text = 'x'; PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        writer.close()
        before = embeddings(folder)
        assert b"\0" in before
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(Path, at, kill)
            with pytest.raises(Killed):
                replace_damaged(folder)
        reader.close()
        aside = replace_damaged(folder)
        assert embeddings(folder) == before
        names = {path.name for path in folder.iterdir()} - {FILE_NAME, aside.name, f"{aside.name}-wal"}
        assert names == set()


class Killed(BaseException):
    pass


def kill(*_: object) -> None:
    raise Killed


def destroy(folder: Path, table: str) -> None:
    with (folder / FILE_NAME).open("r+b") as file:
        file.seek(page_of(folder, table) * 16384)
        file.write(bytes(16384))


def embeddings_of_bytes(folder: Path) -> bytes:
    return (folder / FILE_NAME).read_bytes()
