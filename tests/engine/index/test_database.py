from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from quire_engine.errors import DamagedIndexError, IndexReadOnlyError, IndexTooNewError, StoreError
from quire_engine.index import database
from quire_engine.index.database import FILE_NAME, connect, has_schema, is_made, is_outdated, translated
from quire_engine.index.migrations import MIGRATIONS
from quire_engine.index.reader import IndexReader


def made(folder: Path) -> Path:
    """An index that was written and closed."""
    connection = connect(folder, writable=True)
    connection.execute("INSERT INTO meta VALUES ('generation', 7)")
    connection.close()
    return folder / FILE_NAME


def schema(connection: apsw.Connection) -> list[str]:
    return sorted(row[0] for row in connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL"))


class TestWriting:
    def test_makes_the_whole_schema_once(self, tmp_path: Path) -> None:
        first = connect(tmp_path, writable=True)
        tables = schema(first)
        applied = first.execute("SELECT * FROM migrations").fetchall()
        first.close()
        again = connect(tmp_path, writable=True)
        assert schema(again) == tables
        assert again.execute("SELECT * FROM migrations").fetchall() == applied
        assert [row[0] for row in applied] == list(range(1, len(MIGRATIONS) + 1))
        again.close()

    def test_is_set_up_for_one_writer_and_many_readers(self, tmp_path: Path) -> None:
        connection = connect(tmp_path, writable=True)
        assert connection.execute("PRAGMA journal_mode").get == "wal"
        assert connection.execute("PRAGMA page_size").get == 16384
        assert connection.execute("PRAGMA foreign_keys").get == 1
        assert connection.execute("SELECT vec_version()").get.startswith("v")
        connection.close()

    def test_is_for_the_user_alone(self, tmp_path: Path) -> None:
        assert made(tmp_path).stat().st_mode & 0o777 == 0o600

    def test_no_further_extension_can_be_loaded(self, tmp_path: Path) -> None:
        connection = connect(tmp_path, writable=True)
        with pytest.raises(apsw.Error, match="not authorized"):
            connection.execute("SELECT load_extension('/tmp/anything')")
        connection.close()


class TestMigrations:
    def test_an_interrupted_one_is_undone_and_the_ones_before_stay(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        second = ("second", "CREATE TABLE second (a)")
        broken = ("third", "CREATE TABLE third (a); INSERT INTO third VALUES (1); SELECT no_such_function()")
        made(tmp_path)
        monkeypatch.setattr(database, "MIGRATIONS", (*MIGRATIONS, second, broken))
        with pytest.raises(StoreError, match="no_such_function"):
            connect(tmp_path, writable=True)
        monkeypatch.setattr(database, "MIGRATIONS", (*MIGRATIONS, second))
        connection = connect(tmp_path, writable=True)
        assert connection.execute("SELECT max(number) FROM migrations").get == len(MIGRATIONS) + 1
        assert connection.table_exists("main", "second")
        assert not connection.table_exists("main", "third")
        assert connection.execute("SELECT value FROM meta WHERE key = 'generation'").get == 7
        connection.close()

    def test_a_repaired_one_goes_on_where_it_stopped(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made(tmp_path)
        monkeypatch.setattr(database, "MIGRATIONS", (*MIGRATIONS, ("next", "CREATE TABLE next (a); broken")))
        with pytest.raises(StoreError):
            connect(tmp_path, writable=True)
        monkeypatch.setattr(database, "MIGRATIONS", (*MIGRATIONS, ("next", "CREATE TABLE next (a)")))
        connection = connect(tmp_path, writable=True)
        names = [row[0] for row in connection.execute("SELECT name FROM migrations ORDER BY number")]
        assert names == [*(name for name, _ in MIGRATIONS), "next"]
        connection.close()

    def test_an_index_is_not_made_before_the_last_of_them(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whoever opens it then would miss tables."""
        assert not is_made(tmp_path)
        broken = (*MIGRATIONS[:1], ("broken", "SELECT no_such_function()"))
        monkeypatch.setattr(database, "MIGRATIONS", broken)
        with pytest.raises(StoreError):
            connect(tmp_path, writable=True)  # another process is just so far
        monkeypatch.setattr(database, "MIGRATIONS", MIGRATIONS)
        reader = connect(tmp_path, writable=False)
        assert reader.table_exists("main", "meta")
        assert not is_made(tmp_path)
        reader.close()
        connect(tmp_path, writable=True).close()
        assert is_made(tmp_path)

    @pytest.mark.parametrize("writable", [True, False])
    def test_an_index_of_a_newer_quire_is_left_alone(self, tmp_path: Path, writable: bool) -> None:
        path = made(tmp_path)
        connection = apsw.Connection(str(path))
        connection.execute("INSERT INTO migrations VALUES (999, 'from the future', 0)")
        connection.close()
        before = path.read_bytes()
        with pytest.raises(IndexTooNewError, match=r"schema 999.*upgrade Quire"):
            connect(tmp_path, writable=writable)
        assert path.read_bytes() == before


class TestReading:
    def test_changes_nothing(self, tmp_path: Path) -> None:
        path = made(tmp_path)
        before = path.read_bytes()
        connection = connect(tmp_path, writable=False)
        assert has_schema(connection)
        assert connection.execute("SELECT value FROM meta WHERE key = 'generation'").get == 7
        connection.close()
        assert path.read_bytes() == before

    def test_applies_no_migration(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        made(tmp_path)
        monkeypatch.setattr(database, "MIGRATIONS", (*MIGRATIONS, ("next", "CREATE TABLE next (a)")))
        connection = connect(tmp_path, writable=False)
        assert not connection.table_exists("main", "next")
        connection.close()

    def test_makes_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="cannot be opened"):
            connect(tmp_path, writable=False)
        assert list(tmp_path.iterdir()) == []

    def test_does_not_wait_for_a_writer(self, tmp_path: Path) -> None:
        made(tmp_path)
        writer = connect(tmp_path, writable=True)
        writer.execute("BEGIN IMMEDIATE; UPDATE meta SET value = 8 WHERE key = 'generation'")
        seen: list[object] = []

        def read() -> None:
            reader = connect(tmp_path, writable=False)
            seen.append(reader.execute("SELECT value FROM meta WHERE key = 'generation'").get)
            reader.close()

        thread = threading.Thread(target=read)
        thread.start()
        thread.join()
        writer.execute("COMMIT")
        writer.close()
        assert seen == [7]


class TestDamage:
    @pytest.mark.parametrize("writable", [True, False])
    @pytest.mark.parametrize(
        "content", [b"no database at all" * 100, b"SQLite format 3\0" + b"rubbish" * 1000, b"\xff" * 20_000]
    )
    def test_is_said_with_the_way_out(self, tmp_path: Path, writable: bool, content: bytes) -> None:
        (tmp_path / FILE_NAME).write_bytes(content)
        with pytest.raises(StoreError, match=r"damaged; run `quire doctor --fix`") as caught:
            connect(tmp_path, writable=writable)
        assert "\n" not in str(caught.value)

    def test_inside_the_file_is_said_too(self, tmp_path: Path) -> None:
        path = made(tmp_path)
        data = bytearray(path.read_bytes())
        data[200:] = b"\x5a" * (len(data) - 200)
        path.write_bytes(data)
        with pytest.raises(StoreError, match="quire doctor --fix"):
            connect(tmp_path, writable=True)

    @pytest.mark.parametrize("writable", [True, False])
    def test_another_programs_database_is_left_alone(self, tmp_path: Path, writable: bool) -> None:
        other = apsw.Connection(str(tmp_path / FILE_NAME))
        other.execute("CREATE TABLE notes (mine)").fetchall()
        other.close()
        with pytest.raises(DamagedIndexError, match="is not an index of Quire"):
            connect(tmp_path, writable=writable)
        other = apsw.Connection(str(tmp_path / FILE_NAME))
        assert schema(other) == ["CREATE TABLE notes (mine)"]
        other.close()

    @pytest.mark.parametrize("writable", [True, False])
    def test_a_folder_in_the_files_place(self, tmp_path: Path, writable: bool) -> None:
        (tmp_path / FILE_NAME).mkdir()
        with pytest.raises(StoreError, match=f"{FILE_NAME} is a folder, .*; remove it"):
            connect(tmp_path, writable=writable)

    @pytest.mark.parametrize("writable", [True, False])
    def test_a_folder_that_is_not_there(self, tmp_path: Path, writable: bool) -> None:
        with pytest.raises(StoreError, match="cannot be opened"):
            connect(tmp_path / "gone", writable=writable)


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """An index in a folder that cannot be written."""
    folder = tmp_path / "folder"
    folder.mkdir()
    made(folder)
    folder.chmod(0o500)
    yield folder
    folder.chmod(0o700)


@pytest.mark.usefixtures("permissions")
class TestPermissions:
    def test_in_a_folder_that_cannot_be_written_nothing_is_made(self, tmp_path: Path) -> None:
        folder = tmp_path / "folder"
        folder.mkdir(mode=0o500)
        with pytest.raises(StoreError, match="check the folder's permissions"):
            connect(folder, writable=True)

    def test_a_file_that_cannot_be_read(self, tmp_path: Path) -> None:
        path = made(tmp_path)
        path.chmod(0o000)
        with pytest.raises(StoreError, match="check the folder's permissions"):
            connect(tmp_path, writable=False)

    def test_a_file_that_cannot_be_written_can_be_read(self, tmp_path: Path) -> None:
        made(tmp_path).chmod(0o400)
        connection = connect(tmp_path, writable=False)
        assert connection.execute("SELECT value FROM meta WHERE key = 'generation'").get == 7
        connection.close()

    def test_in_a_folder_that_cannot_be_written_it_is_read_until_somebody_writes_it(
        self, closed: Path
    ) -> None:
        connection = connect(closed, writable=False)
        assert connection.execute("SELECT value FROM meta WHERE key = 'generation'").get == 7
        assert not is_outdated(connection, closed)
        closed.chmod(0o700)
        writer = connect(closed, writable=True)
        writer.execute("UPDATE meta SET value = 8 WHERE key = 'generation'")
        assert is_outdated(connection, closed)
        writer.close()
        assert is_outdated(connection, closed)
        connection.close()

    def test_a_reader_of_such_a_folder_follows_when_it_is_written_after_all(self, closed: Path) -> None:
        reader = IndexReader(closed)
        assert reader.generation == 7
        closed.chmod(0o700)
        writer = connect(closed, writable=True)
        writer.execute("UPDATE meta SET value = 8 WHERE key = 'generation'")
        assert reader.generation == 8
        writer.close()
        reader.close()

    def test_in_such_a_folder_an_unfinished_log_is_named(self, closed: Path) -> None:
        closed.chmod(0o700)
        (closed / f"{FILE_NAME}-wal").write_bytes(b"not written back yet")
        closed.chmod(0o500)
        with pytest.raises(IndexReadOnlyError, match="make the folder writable and run `quire index`"):
            connect(closed, writable=False)

    @pytest.mark.parametrize("name", ["a b", "a%20b?#", "ü"])
    def test_whatever_such_a_folder_is_called(self, tmp_path: Path, name: str) -> None:
        folder = tmp_path / name
        folder.mkdir()
        made(folder)
        folder.chmod(0o500)
        connection = connect(folder, writable=False)
        assert connection.execute("SELECT value FROM meta WHERE key = 'generation'").get == 7
        connection.close()
        folder.chmod(0o700)

    def test_writing_a_file_that_cannot_be_written_makes_it_writable(self, tmp_path: Path) -> None:
        path = made(tmp_path)
        path.chmod(0o400)
        connect(tmp_path, writable=True).close()
        assert path.stat().st_mode & 0o777 == 0o600


class TestTranslation:
    @pytest.mark.parametrize(
        ("error", "words"),
        [
            (apsw.FullError("full"), "free some space"),
            (apsw.ReadOnlyError("ro"), "permissions"),
            (apsw.CorruptError("bad"), "quire doctor --fix"),
            (apsw.NotADBError("bad"), "quire doctor --fix"),
            (apsw.CantOpenError("no"), "permissions"),
            (apsw.IOError("disk I/O"), "disk I/O"),
            (apsw.BusyError("busy"), "another process"),
            (apsw.LockedError("locked"), "another process"),
            (apsw.SQLError("syntax"), "syntax"),
        ],
    )
    def test_every_failure_says_what_and_why(self, error: apsw.Error, words: str) -> None:
        with (
            pytest.raises(StoreError, match=f"^reading the index: .*{words}") as caught,
            translated("reading the index"),
        ):
            raise error
        assert caught.value.__cause__ is error

    def test_everything_of_apsw_is_translated(self) -> None:
        kinds = [k for k in vars(apsw).values() if isinstance(k, type) and issubclass(k, apsw.Error)]
        assert len(kinds) > 20
        for kind in kinds:
            with pytest.raises(StoreError), translated("writing"):
                raise kind("x")
