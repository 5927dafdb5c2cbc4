"""Keeping an index right while notes change."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from quire_engine import Engine
from quire_engine.errors import QuireError
from quire_engine.index.lock import write_lock
from quire_engine.locations import index_dir
from quire_engine.records import SyncReport
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
    from quire_engine.indexing import indexer

    with watched():

        def scan(*_: Any) -> Any:
            raise AssertionError("the whole vault was walked over")

        monkeypatch.setattr(indexer, "scan", scan)
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
    real = engine._open_embedder()
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
