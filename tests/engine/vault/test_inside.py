"""Nothing outside a folder is opened, whatever is swapped at whatever moment."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quire_engine.errors import VaultError
from quire_engine.vault import scanner
from quire_engine.vault.inside import open_inside
from quire_engine.vault.scanner import read_bytes, scan

SECRET = b"outside"


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/note.md").write_bytes(SECRET)
    (tmp_path / "outside/other.md").write_bytes(SECRET)
    folder = tmp_path / "vault"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub/note.md").write_bytes(b"inside")
    return folder


def swap(place: Path, target: Path) -> None:
    """Put a link to ``target`` in the place of what stands there."""
    place.rename(place.with_name("moved"))
    place.symlink_to(target)


Meanwhile = Callable[[Callable[[], None]], None]


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """Has something happen once, when links are resolved and nothing is opened yet."""

    def arrange(happens: Callable[[], None]) -> None:
        def opened(*arguments: object) -> int:
            monkeypatch.undo()
            happens()
            return open_inside(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(scanner, "open_inside", opened)

    return arrange


class TestOpening:
    @pytest.mark.parametrize("names", [["sub"], ["link"], ["link", "note.md"], ["sub", "link.md"]])
    def test_no_link_is_followed_anywhere_on_the_way(self, vault: Path, names: list[str]) -> None:
        (vault / "link").symlink_to(vault / "sub")
        (vault / "sub/link.md").symlink_to("note.md")
        is_link = any("link" in name for name in names)
        if not is_link:
            os.close(open_inside(str(vault), names, os.O_RDONLY))
            return
        with pytest.raises(OSError, match=os.strerror(errno.ESTALE)):
            open_inside(str(vault), names, os.O_RDONLY)

    def test_no_descriptor_is_left_open(self, vault: Path) -> None:
        before = len(list(Path("/dev/fd").iterdir()))
        for names in ([], ["sub"], ["sub", "note.md"]):
            os.close(open_inside(str(vault), names, os.O_RDONLY))
        for names in (["none"], ["sub", "none"], ["sub", "note.md", "none"]):
            with pytest.raises(OSError, match=r"No such file|Stale"):
                open_inside(str(vault), names, os.O_RDONLY)
        assert len(list(Path("/dev/fd").iterdir())) == before


class TestSwapped:
    def test_a_file_that_became_a_link_is_not_read(self, vault: Path, meanwhile: Meanwhile) -> None:
        meanwhile(lambda: swap(vault / "sub/note.md", vault.parent / "outside/note.md"))
        with pytest.raises(VaultError, match="changed while it was opened"):
            read_bytes(vault, "sub/note.md")

    def test_a_file_below_a_folder_that_became_a_link_is_not_read(
        self, vault: Path, meanwhile: Meanwhile
    ) -> None:
        meanwhile(lambda: swap(vault / "sub", vault.parent / "outside"))
        with pytest.raises(VaultError, match="changed while it was opened"):
            read_bytes(vault, "sub/note.md")

    def test_a_folder_that_became_a_link_is_not_listed(
        self, vault: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = scanner._Walk._usable

        def usable(walk: scanner._Walk, path: str, *, folder: bool) -> bool:
            if path == "sub":
                swap(vault / "sub", vault.parent / "outside")
            return real(walk, path, folder=folder)

        monkeypatch.setattr(scanner._Walk, "_usable", usable)
        found = scan(vault)
        assert found.files == []
        assert [note.path for note in found.skipped] == ["sub"]

    def test_a_folder_above_that_became_a_link_is_not_listed(
        self, vault: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (vault / "sub/deep").mkdir()
        (vault.parent / "outside/deep").mkdir()
        (vault.parent / "outside/deep/secret.md").write_bytes(SECRET)
        real = scanner._Walk._usable

        def usable(walk: scanner._Walk, path: str, *, folder: bool) -> bool:
            if path == "sub/deep":
                swap(vault / "sub", vault.parent / "outside")
            return real(walk, path, folder=folder)

        monkeypatch.setattr(scanner._Walk, "_usable", usable)
        found = scan(vault)
        assert "secret" not in str(found)
        assert {note.path for note in found.skipped} == {"sub/deep"}

    def test_no_moment_is_the_wrong_one(self, vault: Path, swapping: None) -> None:
        read = set()
        for _ in range(2_000):
            try:
                read.add(read_bytes(vault, "sub/note.md"))
            except VaultError:
                continue
        assert read <= {b"inside"}

    @pytest.fixture
    def swapping(self, vault: Path) -> Iterator[None]:
        """A folder that is its own and a link to another in turn, as fast as can be."""
        stop = threading.Event()
        kept, link = vault / "kept", vault / "link"
        link.symlink_to(vault.parent / "outside")

        def swap_for_ever() -> None:
            while not stop.is_set():
                (vault / "sub").rename(kept)
                link.rename(vault / "sub")
                (vault / "sub").rename(link)
                kept.rename(vault / "sub")

        thread = threading.Thread(target=swap_for_ever)
        thread.start()
        yield
        stop.set()
        thread.join()
