"""Watching: which changes of the vault are told, and when."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from quire_engine.errors import VaultError
from quire_engine.vault import notifications
from quire_engine.vault import watcher as module
from quire_engine.vault.mounts import Mount
from quire_engine.vault.watcher import Changes, ChangeWatcher

LONG = 10.0
SHORT = 0.8
linux = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


def told(watcher: ChangeWatcher, met: Callable[[Changes], bool], within: float = LONG) -> Changes:
    """Wait until such changes are told."""
    for _ in range(int(within / 0.1)):
        changes = watcher.wait(0.1)
        if changes is not None and met(changes):
            return changes
    raise AssertionError("it was never told")


def anything(changes: Changes) -> bool:
    return changes.paths is None


def names(path: str) -> Callable[[Changes], bool]:
    return lambda changes: changes.paths is not None and path in changes.paths


def eventually(met: Callable[[], object]) -> None:
    waiting = threading.Event()
    for _ in range(int(LONG / 0.02)):
        if met():
            return
        waiting.wait(0.02)
    raise AssertionError("it never happened")


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

    def test_a_note_moved_out_of_the_vault_holds_nothing_back(
        self, vault: Path, tmp_path: Path, watcher: ChangeWatcher
    ) -> None:
        (vault / "a.md").rename(tmp_path / "a.md")
        (vault / "c.md").write_text("c")
        told(watcher, names("c.md"))
        (tmp_path / "a.md").rename(vault / "sub/a.md")
        told(watcher, names("sub/a.md"))

    def test_a_note_that_is_touched(self, vault: Path, watcher: ChangeWatcher) -> None:
        os.utime(vault / "a.md", (5, 5))
        told(watcher, names("a.md"))

    def test_a_link_to_a_folder_that_comes_and_goes(self, vault: Path, tmp_path: Path) -> None:
        (tmp_path / "outside").mkdir()
        links: set[str] = set()
        with ChangeWatcher(vault, links=lambda: links) as watcher:
            (vault / "link").symlink_to(vault / "sub", target_is_directory=True)
            told(watcher, anything)
            links.add("link")
            (vault / "link").rename(vault / "other")
            told(watcher, anything)
            links.add("other")
            (vault / "other").unlink()
            told(watcher, anything)
            (vault / "b.txt").unlink()  # no link
            assert not watcher.wait(SHORT)

    @linux
    def test_a_folder_that_cannot_be_read_at_first(self) -> None:
        """As a user whom permissions hold back, which root is not."""
        folder = Path(tempfile.mkdtemp(prefix="quire-watch-"))
        root = os.geteuid() == 0
        (folder / "closed").mkdir()
        if root:
            for path in (folder, folder / "closed"):
                os.chown(path, 65534, 65534)
        (folder / "closed").chmod(0)
        if root:
            os.seteuid(65534)
        try:
            with ChangeWatcher(folder) as watcher:
                assert not watcher.polling
                (folder / "closed").chmod(0o700)
                told(watcher, anything)
                (folder / "closed/a.md").write_text("a")
                told(watcher, names("closed/a.md"))
        finally:
            if root:
                os.seteuid(0)
            shutil.rmtree(folder)

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
            eventually(lambda: watcher.sequence)
            assert watcher.wait(0.01) is None
        assert watcher.wait(LONG)

    def test_a_note_that_is_gone_for_a_moment_is_told_when_it_is_back(
        self, vault: Path, watcher: ChangeWatcher
    ) -> None:
        (vault / "a.md").rename(vault / "a.md~")
        eventually(lambda: watcher.sequence)
        assert watcher.wait(0.01) is None
        (vault / "a.md").write_text("new")
        told(watcher, names("a.md"))
        (vault / ".a.tmp").write_text("newer")
        (vault / "a.md").unlink()
        (vault / ".a.tmp").rename(vault / "a.md")
        told(watcher, names("a.md"))

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


@linux
class TestWhatGetsLost:
    def test_an_overflow_of_the_kernels_queue_is_noticed(
        self, vault: Path, watcher: ChangeWatcher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from quire_engine.vault import inotify

        most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
        if most > 200_000:
            pytest.skip(f"the queue holds {most} events")
        read, go = inotify._Descriptor._read_event_buffer, threading.Event()
        monkeypatch.setattr(
            inotify._Descriptor, "_read_event_buffer", lambda *a: (read(*a), go.wait(LONG))[0]
        )
        (vault / "a.md").write_text("the last that is read before")
        paths = str(vault / "a.md"), str(vault / "b.txt")
        for _ in range(most // 2 + 2_000):  # the same event twice in a row counts as one
            os.utime(paths[0])
            os.utime(paths[1])
        (vault / "sub/lost.md").write_text("x")
        (vault / "sub/later").mkdir()
        go.set()
        told(watcher, anything)
        eventually(lambda: watcher.wait(0.1) is None)
        (vault / "sub/later/new.md").write_text("x")  # what was not watched when it came is now
        told(watcher, names("sub/later/new.md"))
        assert not watcher.polling

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
    def test_a_reading_thread_that_dies_is_replaced(
        self, vault: Path, watcher: ChangeWatcher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from quire_engine.vault import inotify

        def fail(*_: object) -> None:
            raise RuntimeError("a bug")

        with monkeypatch.context() as patch:
            patch.setattr(inotify._Group, "on_event", fail)
            reader = watcher._notifications._inotify.descriptor  # type: ignore[union-attr]
            (vault / "sub/lost.md").write_text("x")
            eventually(lambda: not reader.is_alive())
        told(watcher, anything)
        eventually(lambda: watcher.wait(0.1) is None)
        (vault / "sub/new.md").write_text("x")
        told(watcher, names("sub/new.md"))

    def test_folders_beyond_the_systems_limit_are_polled_until_there_is_room(
        self, vault: Path, watcher: ChangeWatcher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from quire_engine.vault import inotify

        monkeypatch.setattr(module, "_POLL_SECONDS", 0.0)
        monkeypatch.setattr(module, "_CHECK_SECONDS", 0.05)
        with monkeypatch.context() as patch:
            watch = inotify._Descriptor._get_or_create_watch

            def limited(descriptor: Any, path: bytes, mask: Any) -> Any:
                if b"fresh" in path:
                    raise OSError(errno.ENOSPC, "inotify watch limit reached")
                return watch(descriptor, path, mask)

            patch.setattr(inotify._Descriptor, "_get_or_create_watch", limited)
            (vault / "fresh/deep").mkdir(parents=True)
            eventually(lambda: watcher.polling)
            eventually(lambda: watcher.wait(0.2) is None)
            (vault / "fresh/deep/new.md").write_text("x")
            told(watcher, names("fresh/deep/new.md"))
            (vault / "a.md").write_text("the others are notified as before")
            told(watcher, names("a.md"))
        monkeypatch.setattr(module, "_RETRY_SECONDS", 0.0)
        watcher._next_try = 0.0
        eventually(lambda: not watcher.polling)
        eventually(lambda: watcher.wait(0.5) is None)
        (vault / "fresh/deep/new.md").write_text("y")
        told(watcher, names("fresh/deep/new.md"))

    def test_what_comes_into_a_new_folder_before_it_is_watched(
        self, vault: Path, watcher: ChangeWatcher, tmp_path: Path
    ) -> None:
        tree = tmp_path / "tree"
        for number in range(20):
            (tree / f"{number}/deep/er").mkdir(parents=True)
        shutil.copytree(tree, vault / "copy")
        (vault / "copy/7/deep/er/one.md").write_text("x")
        told(watcher, anything)
        eventually(lambda: watcher.wait(0.5) is None)
        for number in range(20):
            (vault / f"copy/{number}/deep/er/two.md").write_text("x")
        found: set[str] = set()
        while len(found) < 20:
            found |= set(told(watcher, lambda _: True).paths or ())

    def test_reading_notes_is_not_told(
        self, vault: Path, watcher: ChangeWatcher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Quire reads all of them, and must not fill the queue by that."""
        from quire_engine.vault import inotify

        heard: list[object] = []
        monkeypatch.setattr(inotify._Group, "on_event", lambda _, event: heard.append(event))
        (vault / "a.md").read_text()
        assert [*vault.iterdir()]
        (vault / "a.md").unlink()
        eventually(lambda: heard)
        assert len(heard) == 1


class TestTheVaultItself:
    @pytest.fixture(autouse=True)
    def often(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_CHECK_SECONDS", 0.05)

    def test_a_vault_that_goes_and_comes_back(
        self, vault: Path, tmp_path: Path, watcher: ChangeWatcher
    ) -> None:
        assert watcher.in_place
        vault.rename(tmp_path / "away")
        told(watcher, anything)
        assert not watcher.in_place
        (tmp_path / "away").rename(vault)
        told(watcher, anything)
        assert watcher.in_place
        (vault / "sub/new.md").write_text("x")
        told(watcher, names("sub/new.md"))

    def test_a_vault_that_is_replaced(self, vault: Path, tmp_path: Path, watcher: ChangeWatcher) -> None:
        other = tmp_path / "other"
        shutil.copytree(vault, other)
        vault.rename(tmp_path / "away")
        other.rename(vault)
        assert not watcher.in_place
        told(watcher, anything)
        eventually(lambda: watcher.in_place and watcher.wait(0.3) is None)
        (vault / "sub/new.md").write_text("x")
        told(watcher, names("sub/new.md"))
        (tmp_path / "away/a.md").write_text("not the vault any more")
        assert watcher.wait(SHORT) is None

    def test_a_vault_that_is_deleted_and_made_anew(self, vault: Path, watcher: ChangeWatcher) -> None:
        """Its inode may be the same."""
        shutil.rmtree(vault)
        vault.mkdir()
        told(watcher, anything)
        eventually(lambda: watcher.in_place and watcher.wait(0.3) is None)
        (vault / "new.md").write_text("x")
        told(watcher, names("new.md"))

    def test_what_is_mounted_in_it_counts(
        self, vault: Path, watcher: ChangeWatcher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "mounts_of", lambda _: (Mount(str(vault / "sub"), "ext4"),))
        told(watcher, anything)
        eventually(lambda: watcher.in_place)
        assert not watcher.polling
        monkeypatch.setattr(module, "mounts_of", lambda _: (Mount(str(vault / "sub"), "nfs4"),))
        told(watcher, anything)
        eventually(lambda: watcher.polling)


class TestPolling:
    @pytest.fixture(autouse=True)
    def often(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_CHECK_SECONDS", 0.05)
        monkeypatch.setattr(module, "_POLL_SECONDS", 0.0)

    def test_a_vault_on_a_network_drive_is_polled_from_the_start(
        self, vault: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "mounts_of", lambda _: (Mount(str(vault), "nfs4"),))
        monkeypatch.setattr(ChangeWatcher, "_notice", lambda *_: None)  # another machine's changes
        with ChangeWatcher(vault) as watcher:
            assert watcher.polling
            told(watcher, anything)
            eventually(lambda: watcher.wait(0.5) is None)
            (vault / "sub/new.md").write_text("x")
            told(watcher, names("sub/new.md"))
            (vault / "a.md").unlink()
            told(watcher, names("a.md"))
            (vault / ".hidden.md").write_text("x")
            (vault / "c.txt").write_text("x")
            os.utime(vault / "sub/new.md", (9, 9))
            told(watcher, names("sub/new.md"))
            eventually(lambda: watcher.wait(0.5) is None)
            seen = watcher.sequence
            assert watcher.wait(SHORT) is None
            assert watcher.sequence == seen

    def test_without_notifications_it_is_polled(self, vault: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def exhausted(*_: object) -> None:
            raise OSError(errno.EMFILE, "inotify instance limit reached")

        with monkeypatch.context() as patch:
            patch.setattr(notifications.Notifications, "__init__", exhausted)
            with ChangeWatcher(vault) as watcher:
                assert watcher.polling
                told(watcher, anything)
                (vault / "sub/new.md").write_text("x")
                told(watcher, names("sub/new.md"))
                patch.undo()
                watcher._next_try = 0.0
                eventually(lambda: not watcher.polling)
                eventually(lambda: watcher.wait(0.3) is None)
                (vault / "sub/new.md").write_text("y")
                told(watcher, names("sub/new.md"))


class TestStarting:
    def test_a_vault_that_is_a_link_is_watched(self, vault: Path, tmp_path: Path) -> None:
        (tmp_path / "alias").symlink_to(vault)
        with ChangeWatcher(tmp_path / "alias") as watcher:
            (vault / "a.md").write_text("x")
            assert watcher.wait(LONG)

    def test_a_missing_vault_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(VaultError, match="not a folder"), ChangeWatcher(tmp_path / "none"):
            pass

    def test_no_thread_and_no_file_is_left_behind(self, vault: Path) -> None:
        def files() -> int:
            return len([*Path("/proc/self/fd").iterdir()]) if sys.platform == "linux" else 0

        with ChangeWatcher(vault):
            pass
        threads, before = threading.active_count(), files()
        for _ in range(5):
            with ChangeWatcher(vault):
                assert threading.active_count() > threads
        eventually(lambda: threading.active_count() <= threads)
        assert files() <= before
