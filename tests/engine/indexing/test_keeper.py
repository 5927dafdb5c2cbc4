"""Keeping an index right while notes change."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from quire_engine import Engine
from quire_engine.errors import DamagedIndexError, ModelError, QuireError, VaultError
from quire_engine.index.database import connect
from quire_engine.index.lock import write_lock
from quire_engine.indexing import comparing
from quire_engine.indexing.indexer import Indexer
from quire_engine.locations import index_dir
from quire_engine.records import SyncReport
from quire_engine.vault import watcher as watching
from quire_engine.vault.mounts import Mount
from quire_engine.vault.watcher import ChangeWatcher

LONG = 30.0


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QUIRE_DATA_DIR", str(tmp_path / "data"))
    folder = tmp_path / "vault"
    (folder / "Work").mkdir(parents=True)
    (folder / "One.md").write_text("A heron waits. See [[Two]].\n")
    (folder / "Work/Three.md").write_text("The kiln cools.\n")
    return folder


@pytest.fixture
def engine(vault: Path) -> Iterator[Engine]:
    with Engine.open(vault) as opened:
        yield opened


Watched = Callable[..., AbstractContextManager[list[SyncReport]]]


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong is seen, and tried again, at once."""
    monkeypatch.setattr(watching, "_CHECK_SECONDS", 0.05)
    monkeypatch.setattr("quire_engine.indexing.keeper._RETRY", 0.1)


@pytest.fixture
def watched(engine: Engine) -> Watched:
    """Watches the vault, from the first sync on, for as long as it is entered."""

    @contextmanager
    def watch(on_trouble: Callable[[QuireError], None] | None = None) -> Iterator[list[SyncReport]]:
        stop, first = threading.Event(), threading.Event()
        reports: list[SyncReport] = []

        def on_sync(report: SyncReport) -> None:
            reports.append(report)
            first.set()

        thread = threading.Thread(target=engine.watch, args=(stop, on_sync, None, on_trouble))
        thread.start()
        try:
            assert first.wait(LONG)
            yield reports
        finally:
            stop.set()
            thread.join(LONG)
            assert not thread.is_alive()

    return watch


def until(met: Callable[[], object]) -> None:
    """Wait for what happens in another thread."""
    waiting = threading.Event()
    for _ in range(int(LONG / 0.02)):
        if met():
            return
        waiting.wait(0.02)
    raise AssertionError("it never happened")


def seen(engine: Engine, sequence: int = 0) -> None:
    """Wait until the watch has noticed something."""
    keeper = engine._keeper
    assert keeper is not None
    until(lambda: keeper._watcher.sequence > sequence)


def test_what_was_saved_before_is_found_after_settling(engine: Engine, vault: Path, watched: Watched) -> None:
    with watched():
        (vault / "Two.md").write_text("A tapir swims at night.\n")
        seen(engine)
        assert engine.settle(LONG)
        assert engine.search("tapir").hits[0].path == "Two.md"
        assert engine.backlinks("Two.md") == ["One.md"]
        until(lambda: not engine.search("animals in the water").incomplete)
        before = engine._keeper._watcher.sequence  # type: ignore[union-attr]
        (vault / "Two.md").unlink()
        seen(engine, before)
        assert engine.settle(LONG)
        assert "Two.md" not in {hit.path for hit in engine.search("tapir").hits}
        assert engine.backlinks("Two.md") == []


def test_without_a_watch_nothing_is_promised(engine: Engine) -> None:
    assert not engine.settle(0.1)


def test_settling_gives_up_in_time(engine: Engine, vault: Path, watched: Watched) -> None:
    with watched(), write_lock(index_dir(vault), 1.0):
        (vault / "Two.md").write_text("A tapir.\n")
        seen(engine)
        assert not engine.settle(0.2)


def test_a_question_does_not_rely_on_events_for_long(
    engine: Engine, vault: Path, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = threading.Event()
    notice = ChangeWatcher._notice
    monkeypatch.setattr(
        ChangeWatcher, "_notice", lambda self, event: None if lost.is_set() else notice(self, event)
    )
    with watched():
        lost.set()
        (vault / "Two.md").write_text("A tapir swims at night.\n")
        assert engine.settle(LONG)
        assert engine.search("tapir").hits[0].path != "Two.md"
        monkeypatch.setattr("quire_engine.indexing.keeper._LOOK_AGAIN", 0.0)
        assert engine.settle(LONG)
        assert engine.search("tapir").hits[0].path == "Two.md"


def test_edits_without_end_do_not_keep_vectors_waiting(engine: Engine, vault: Path, watched: Watched) -> None:
    with watched():
        stop = threading.Event()

        def edit() -> None:
            while not stop.wait(0.02):
                (vault / "Draft.md").write_text(f"Draft {threading.get_ident()}.\n")

        thread = threading.Thread(target=edit)
        thread.start()
        try:
            for number in range(20):
                (vault / f"n{number}.md").write_text(f"Note {number} speaks of walnuts.\n")
            until(lambda: engine._reader.count("chunks") > 20 and not engine.pending())
        finally:
            stop.set()
            thread.join()


def test_only_what_changed_is_looked_at(
    engine: Engine, vault: Path, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    with watched():

        def scan(*_: Any) -> Any:
            raise AssertionError("the whole vault was walked over")

        monkeypatch.setattr(comparing, "scan", scan)
        (vault / "One.md").write_text("An egret waits. See [[Two]].\n")
        seen(engine)
        assert engine.settle(LONG)
        assert engine.search("egret").hits[0].path == "One.md"
    assert engine.status().notes == 2


def test_a_folder_that_moves_takes_its_notes_along(engine: Engine, vault: Path, watched: Watched) -> None:
    with watched() as reports:
        (vault / "Work").rename(vault / "Craft")
        until(lambda: len(reports) > 1)
        assert engine.settle(LONG)
        assert engine.search("kiln").hits[0].path == "Craft/Three.md"
        assert sum(report.embedded for report in reports[1:]) == 0
    assert engine.status().notes == 2


def test_a_change_comes_before_the_vectors_that_are_left(
    engine: Engine, vault: Path, watched: Watched
) -> None:
    """While embedding is held up, edits are taken in all the same once it goes on; nothing is lost."""
    real = engine.embedder()
    held, go = threading.Event(), threading.Event()

    class Slow:
        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

        def embed_passages(self, texts: Sequence[str]) -> Any:
            held.set()
            assert go.wait(LONG)
            return real.embed_passages(texts)

    engine._embedder = Slow()  # type: ignore[assignment]
    for number in range(40):
        (vault / f"n{number}.md").write_text(f"Note {number} speaks of walnuts and of number {number}.\n")
    stop = threading.Event()
    reports: list[SyncReport] = []
    thread = threading.Thread(target=engine.watch, args=(stop, reports.append))
    thread.start()
    try:
        assert held.wait(LONG)
        # Nothing has a vector yet, and everything is found by its words.
        assert engine._reader.count("embedding_queue") == 42
        assert engine._keywords.count() == 42
        go.set()
        until(lambda: not engine._reader.count("embedding_queue"))
    finally:
        go.set()
        stop.set()
        thread.join(LONG)
    assert engine.status().vectors == 42


def test_trouble_before_the_first_sync_is_told_and_passes(
    engine: Engine, vault: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quire_engine.indexing.keeper._WAIT", 0.1)
    monkeypatch.setattr("quire_engine.indexing.keeper._RETRY", 0.1)
    stop = threading.Event()
    told: list[QuireError] = []
    done = threading.Event()
    thread = threading.Thread(
        target=engine.watch, args=(stop, lambda _: done.set(), None, told.append), daemon=True
    )
    try:
        with write_lock(index_dir(vault), 1.0):
            thread.start()
            until(lambda: told)
        assert done.wait(LONG)
    finally:
        stop.set()
        thread.join(LONG)
    assert len(told) == 1
    assert engine.status().notes == 2


def test_a_file_that_grows_is_indexed_as_it_is_at_last(engine: Engine, vault: Path, watched: Watched) -> None:
    with watched():
        with (vault / "Growing.md").open("w") as file:
            for number in range(60):
                file.write(f"Line {number} of a note that is being copied.\n\n")
                file.flush()
                if number % 20 == 0:
                    seen(engine)
                    engine.settle(LONG)
            file.write("The last line speaks of walnuts.\n")
        until(lambda: any("walnuts" in hit.text for hit in engine.search("walnuts").hits))


def test_files_that_are_only_touched_cost_nothing(engine: Engine, vault: Path, watched: Watched) -> None:
    with watched() as reports:
        until(lambda: not engine.pending())
        told, generation = len(reports), engine.status().generation
        for path in vault.rglob("*.md"):
            os.utime(path, (1e9, 1e9))
        until(lambda: len(reports) > told)
        assert engine.settle(LONG)
        for report in reports[told:]:
            assert (report.added, report.changed, report.removed) == (0, 0, 0)
            assert (report.chunks, report.embedded) == (0, 0)
        assert engine.status().generation == generation


def test_keywords_that_are_lost_are_back_for_the_next_question(
    engine: Engine, vault: Path, watched: Watched
) -> None:
    with watched():
        until(lambda: not engine.pending())
        for file in index_dir(vault).glob("keywords-*/*"):
            file.unlink()
        assert engine.search("heron").incomplete
        assert engine.settle(LONG)
        result = engine.search("heron")
        assert result.hits[0].path == "One.md"
        assert not result.incomplete


@pytest.mark.usefixtures("soon")
def test_passages_that_cannot_be_embedded_are_told_once_and_found_by_their_words(
    engine: Engine, vault: Path, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder = engine.embedder()
    embed, tries = embedder.embed_passages, list[object]()

    def fail(texts: Sequence[str]) -> Any:
        tries.append(texts)
        raise ModelError("the model is damaged; install it again")

    monkeypatch.setattr(embedder, "embed_passages", fail)
    looks = list[object]()
    scan = comparing.scan
    monkeypatch.setattr(comparing, "scan", lambda *a: (looks.append(a), scan(*a))[1])
    told: list[QuireError] = []
    with watched(told.append) as reports:
        until(lambda: len(tries) > 4)
        assert len(told) == len(looks) == len(reports) == 1
        assert engine.settle(LONG)
        (vault / "One.md").write_text("An egret waits.\n")
        seen(engine)
        assert engine.settle(LONG)
        before = len(tries)
        until(lambda: len(tries) > before + 2)
        assert len(looks) == 1
        assert [str(error) for error in told] == ["the model is damaged; install it again"] * len(reports)
        monkeypatch.setattr(embedder, "embed_passages", embed)
        until(lambda: not engine.pending())
        assert engine.search("egret").hits[0].path == "One.md"


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize(
    ("damage", "note"),
    [("DELETE FROM shards", "One.md"), ("UPDATE shards SET total = zeroblob(7)", "New.md")],
)
def test_a_damaged_vector_table_is_told_and_mended(
    engine: Engine, vault: Path, watched: Watched, soon: None, damage: str, note: str
) -> None:
    """Whether an edit or an embedding meets it."""
    told: list[QuireError] = []
    with watched(told.append):
        until(lambda: engine.pending() == 0)
        database = connect(index_dir(vault), writable=True)
        database.execute(damage)
        database.close()
        (vault / note).write_text("A kingfisher dives.\n")
        until(lambda: told)
        assert isinstance(told[0], DamagedIndexError)
        until(lambda: engine.search("kingfisher dives").hits[0].path == note and engine.pending() == 0)
        assert not engine.search("kingfisher dives").incomplete


class TestTheVaultGoes:
    """A drive that is unmounted, a folder that is moved, emptied or replaced."""

    def test_and_comes_back(self, engine: Engine, vault: Path, tmp_path: Path, watched: Watched) -> None:
        told: list[QuireError] = []
        with watched(told.append) as reports:
            vault.rename(tmp_path / "away")
            until(lambda: told)
            assert not engine.settle(0.1)
            vault.mkdir()  # the mount point
            until(lambda: engine._keeper._watcher.in_place)  # type: ignore[union-attr]
            assert not engine.settle(0.1)
            vault.rmdir()
            assert engine.status().notes == 2
            (tmp_path / "away/Two.md").write_text("A tapir swims at night.\n")
            before = len(reports)
            (tmp_path / "away").rename(vault)
            until(lambda: len(reports) > before and engine.settle(LONG))
            assert engine.search("tapir").hits[0].path == "Two.md"
            (vault / "One.md").write_text("An egret waits. See [[Two]].\n")
            until(lambda: any("egret" in hit.text for hit in engine.search("egret").hits))
        assert len(told) == 1
        assert "Nothing was deleted" in str(told[0])
        assert sum(report.removed for report in reports) == 0

    def test_with_all_its_files(
        self,
        engine: Engine,
        vault: Path,
        tmp_path: Path,
        watched: Watched,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        told: list[QuireError] = []
        shutil.copytree(vault, tmp_path / "backup")
        with watched(told.append) as reports:
            for path in [*vault.iterdir()]:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            until(lambda: told)
            assert "quire index --rebuild" in str(told[0])
            tried, tries = Indexer.sync, list[object]()
            monkeypatch.setattr(
                Indexer, "sync", lambda *a, **options: (tries.append(a), tried(*a, **options))[1]
            )
            until(lambda: len(tries) > 3)  # nothing is shown of that
            assert engine.activity() is None
            before = len(reports)
            shutil.copytree(tmp_path / "backup", vault, dirs_exist_ok=True)
            until(lambda: len(reports) > before and engine.settle(LONG))
            assert sum(report.removed for report in reports) == 0
        assert len(told) == 1
        assert engine.status().notes == 2

    def test_for_another_in_its_place(
        self, engine: Engine, vault: Path, tmp_path: Path, watched: Watched
    ) -> None:
        other = tmp_path / "other"
        other.mkdir()
        (other / "Two.md").write_text("A tapir swims at night.\n")
        with watched([].append):
            vault.rename(tmp_path / "away")
            other.rename(vault)
            until(lambda: engine.settle(LONG) and [path for path, *_ in engine.notes()] == ["Two.md"])

    @pytest.mark.parametrize("replaced", [False, True])
    def test_while_it_is_looked_at(
        self,
        engine: Engine,
        vault: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        replaced: bool,
    ) -> None:
        engine.sync()
        scan = comparing.scan

        def go(*arguments: Any) -> Any:
            (vault / "One.md").rename(tmp_path / "One.md")  # as if it were not reached any more
            found = scan(*arguments)
            vault.rename(tmp_path / "away")
            if replaced:
                vault.mkdir()
            return found

        monkeypatch.setattr(comparing, "scan", go)
        with pytest.raises(VaultError, match="Nothing was deleted"):
            engine.sync()
        assert engine.status().notes == 2

    def test_while_its_notes_are_read(
        self, engine: Engine, vault: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from quire_engine.indexing.reading import NoteReader

        engine.sync()
        for number in range(30):
            (vault / f"n{number}.md").write_text(f"Note {number}.")
        for path in (vault / "One.md", vault / "Work/Three.md"):
            path.write_text(f"{path.read_text()}\nEdited.\n")
        read = NoteReader.read_all

        def go(reader: NoteReader, tasks: Any) -> Any:
            if vault.exists():
                vault.rename(tmp_path / "away")
                vault.mkdir()
            return read(reader, tasks)

        monkeypatch.setattr(NoteReader, "read_all", go)
        with pytest.raises(VaultError, match="Nothing was deleted"):
            engine.sync()
        assert engine.status().notes == 2
        assert engine.status().skipped == ()


def test_polling_costs_nothing_while_nothing_changes(
    engine: Engine, vault: Path, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a network drive: changes by others are found, and a look without any is no event."""
    looks: list[ChangeWatcher] = []
    look = ChangeWatcher._look
    monkeypatch.setattr(watching, "mounts_of", lambda _: (Mount(str(vault), "nfs4"),))
    monkeypatch.setattr(watching, "_CHECK_SECONDS", 0.05)
    monkeypatch.setattr(watching, "_POLL_SECONDS", 0.0)
    monkeypatch.setattr(ChangeWatcher, "_notice", lambda *_: None)
    monkeypatch.setattr(ChangeWatcher, "_look", lambda self: (look(self), looks.append(self))[0])
    with watched() as reports:
        for path in vault.rglob("*.md"):
            os.utime(path, (1e9, 1e9))  # one that was written just now is told twice
        until(lambda: engine._keeper._watcher.polling)  # type: ignore[union-attr]
        (vault / "Two.md").write_text("A tapir swims at night.\n")
        until(lambda: any("tapir" in hit.text for hit in engine.search("tapir").hits))
        os.utime(vault / "Two.md", (1e9, 1e9))
        looked = len(looks)
        until(lambda: len(looks) > looked + 5)
        until(lambda: not engine.pending())
        told, generation = len(reports), engine.status().generation
        sequence = engine._keeper._watcher.sequence  # type: ignore[union-attr]
        looked = len(looks)
        until(lambda: len(looks) > looked + 5)
        assert engine._keeper._watcher.sequence == sequence  # type: ignore[union-attr]
        assert len(reports) == told
        assert engine.status().generation == generation
