"""Watching: which changes of the vault are told, and when."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import watchdog.observers
from watchdog.observers.api import BaseObserver

from quire_engine.errors import VaultError
from quire_engine.vault.watcher import ChangeWatcher

LONG = 10.0
SHORT = 0.8


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    folder = tmp_path / "vault"
    (folder / "sub").mkdir(parents=True)
    (folder / ".obsidian").mkdir()
    (folder / "a.md").write_text("a")
    (folder / "b.txt").write_text("b")
    return folder


@pytest.fixture
def watcher(vault: Path) -> Iterator[ChangeWatcher]:
    with ChangeWatcher(vault) as watching:
        yield watching


class TestChangesThatCount:
    def test_a_new_a_changed_and_a_deleted_note(self, vault: Path, watcher: ChangeWatcher) -> None:
        (vault / "sub/new.md").write_text("x")
        assert watcher.wait(LONG)
        (vault / "a.md").write_text("changed")
        assert watcher.wait(LONG)
        (vault / "a.md").unlink()
        assert watcher.wait(LONG)
        assert not watcher.wait(SHORT)

    def test_a_note_saved_through_a_hidden_file(self, vault: Path, watcher: ChangeWatcher) -> None:
        (vault / ".a.md.tmp").write_text("new")
        (vault / ".a.md.tmp").replace(vault / "a.md")
        assert watcher.wait(LONG)

    def test_a_note_moved_into_the_trash(self, vault: Path, watcher: ChangeWatcher) -> None:
        (vault / "a.md").rename(vault / ".obsidian/a.md")
        assert watcher.wait(LONG)

    def test_a_folder_moved_and_one_deleted(self, vault: Path, watcher: ChangeWatcher) -> None:
        (vault / "sub").rename(vault / "moved")
        assert watcher.wait(LONG)
        (vault / "moved").rmdir()
        assert watcher.wait(LONG)

    def test_notes_in_a_new_folder_and_canvases(self, vault: Path, watcher: ChangeWatcher) -> None:
        (vault / "fresh").mkdir()
        assert watcher.wait(LONG)
        (vault / "fresh/board.canvas").write_text("{}")
        assert watcher.wait(LONG)

    def test_the_ignore_file(self, vault: Path, watcher: ChangeWatcher) -> None:
        (vault / ".quireignore").write_text("x")
        assert watcher.wait(LONG)


class TestChangesThatDoNot:
    def test_other_files_hidden_places_and_reading(self, vault: Path, watcher: ChangeWatcher) -> None:
        (vault / "b.txt").write_text("changed")
        (vault / ".obsidian/workspace.md").write_text("x")
        (vault / ".hidden.md").write_text("x")
        (vault / "a.md").read_text()
        assert not watcher.wait(SHORT)


class TestWhatChanged:
    def test_files_are_named(self, vault: Path, watcher: ChangeWatcher) -> None:
        (vault / "sub/new.md").write_text("x")
        changes = watcher.wait(LONG)
        assert changes is not None
        assert changes.paths == ("sub/new.md",)
        (vault / "sub/new.md").rename(vault / "sub/renamed.md")
        changes = watcher.wait(LONG)
        assert changes is not None
        assert changes.paths is not None
        assert "sub/renamed.md" in changes.paths

    def test_a_folder_or_the_ignore_file_may_change_anything(
        self, vault: Path, watcher: ChangeWatcher
    ) -> None:
        (vault / "sub").rename(vault / "moved")
        changes = watcher.wait(LONG)
        assert changes is not None
        assert changes.paths is None
        (vault / ".quireignore").write_text("x")
        changes = watcher.wait(LONG)
        assert changes is not None
        assert changes.paths is None

    def test_too_many_files_are_not_named(
        self, vault: Path, watcher: ChangeWatcher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("quire_engine.vault.watcher._MANY", 3)
        monkeypatch.setattr("quire_engine.vault.watcher._SETTLED", 0.5)
        for number in range(10):
            (vault / f"n{number}.md").write_text("x")
        changes = watcher.wait(LONG)
        assert changes is not None
        assert changes.paths is None

    def test_what_is_told_covers_every_event_before(self, vault: Path, watcher: ChangeWatcher) -> None:
        found: set[str] = set()
        for number in range(50):
            (vault / f"n{number}.md").write_text("x")
        last = None
        while changes := watcher.wait(SHORT):
            assert changes.paths is not None
            found.update(changes.paths)
            last = changes
        assert found == {f"n{number}.md" for number in range(50)}
        assert last is not None
        assert last.sequence == watcher.sequence

    def test_who_suspects_something_is_told_to_look_at_everything(self, watcher: ChangeWatcher) -> None:
        sequence = watcher.suspect()
        changes = watcher.wait(LONG)
        assert changes is not None
        assert changes.paths is None
        assert changes.sequence == sequence == watcher.sequence


class TestSettling:
    @pytest.fixture(autouse=True)
    def nothing_settles(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """While a file is open for writing."""
        monkeypatch.setattr("quire_engine.vault.watcher._UNSETTLED", 60.0)
        monkeypatch.setattr("quire_engine.vault.watcher._LONGEST_BURST", 60.0)

    def test_a_file_is_told_when_it_is_closed(self, vault: Path, watcher: ChangeWatcher) -> None:
        with (vault / "a.md").open("w") as file:
            file.write("half")
            file.flush()
            seen = watcher.sequence
            while watcher.sequence == seen:
                assert watcher.wait(0.01) is None
        assert watcher.wait(LONG)

    def test_a_burst_without_end_is_told_all_the_same(
        self, vault: Path, watcher: ChangeWatcher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("quire_engine.vault.watcher._LONGEST_BURST", 0.2)
        with (vault / "a.md").open("w") as file:
            file.write("half")
            file.flush()
            assert watcher.wait(LONG)

    def test_who_is_in_a_hurry_ends_it(self, vault: Path, watcher: ChangeWatcher) -> None:
        with (vault / "a.md").open("w") as file:
            file.write("half")
            file.flush()
            while not watcher.sequence:
                assert watcher.wait(0.01) is None
            watcher.hurry()
            assert watcher.wait(LONG)
            watcher.hurry()  # with nothing to tell it is forgotten
            assert watcher.wait(0.01) is None


class TestStarting:
    def test_without_notifications_it_looks_now_and_then(
        self, vault: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Exhausted(BaseObserver):
            def __init__(self) -> None:
                super().__init__(watchdog.observers.polling.PollingEmitter)

            def start(self) -> None:
                raise OSError(28, "inotify watch limit reached")

        monkeypatch.setattr(watchdog.observers, "Observer", Exhausted)
        monkeypatch.setattr("quire_engine.vault.watcher._POLL_SECONDS", 0.1)
        with ChangeWatcher(vault) as watcher:
            assert watcher.polling
            (vault / "sub/new.md").write_text("x")
            assert watcher.wait(LONG)

    def test_a_vault_that_is_a_link_is_watched(self, vault: Path, tmp_path: Path) -> None:
        (tmp_path / "alias").symlink_to(vault)
        with ChangeWatcher(tmp_path / "alias") as watcher:
            (vault / "a.md").write_text("x")
            assert watcher.wait(LONG)

    def test_a_missing_vault_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(VaultError, match="not a folder"), ChangeWatcher(tmp_path / "none"):
            pass

    def test_no_thread_is_left_behind(self, vault: Path) -> None:
        before = threading.active_count()
        with ChangeWatcher(vault):
            assert threading.active_count() > before
        deadline = time.monotonic() + LONG
        while threading.active_count() > before and time.monotonic() < deadline:
            time.sleep(0.01)
        assert threading.active_count() <= before
