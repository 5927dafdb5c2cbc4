"""Quire's own folders are closed to others; those that the user named are left as they are."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from quire_engine import locations


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("QUIRE_CACHE_DIR", "QUIRE_MODELS_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "shared" / "data"
    monkeypatch.setenv("QUIRE_DATA_DIR", str(folder))
    return folder


def mode(path: Path) -> str:
    return oct(stat.S_IMODE(path.stat().st_mode))


def open_to_all(*folders: Path) -> None:
    for folder in folders:
        folder.mkdir(exist_ok=True, parents=True)
        folder.chmod(0o777)


class TestPrivateDir:
    def test_whatever_is_missing_is_made_for_the_user_alone(self, data: Path, tmp_path: Path) -> None:
        previous = os.umask(0)
        try:
            made = locations.private_dir(locations.index_dir(tmp_path / "notes"))
        finally:
            os.umask(previous)
        assert {mode(folder) for folder in (made, made.parent, data, data.parent)} == {"0o700"}

    def test_folders_that_an_older_quire_left_open_are_closed(self, data: Path, tmp_path: Path) -> None:
        index = locations.index_dir(tmp_path / "notes")
        open_to_all(data.parent, data, index.parent, index)
        locations.private_dir(index)
        assert (mode(index), mode(index.parent)) == ("0o700", "0o700")

    def test_a_place_that_the_user_named_may_be_shared(
        self, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("QUIRE_CACHE_DIR", str(tmp_path / "cache"))
        open_to_all(data.parent, data, tmp_path / "cache")
        locations.private_dir(locations.index_dir(tmp_path / "notes"))
        locations.private_dir(locations.cache_dir())
        assert {mode(folder) for folder in (data, data.parent, tmp_path / "cache")} == {"0o777"}

    def test_the_usual_place_is_quires_own(
        self, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("QUIRE_DATA_DIR")
        place = locations.data_dir()
        assert place.is_relative_to(tmp_path / "home")
        open_to_all(place.parent, place)
        locations.private_dir(locations.index_dir(tmp_path / "notes"))
        assert (mode(place), mode(place.parent)) == ("0o700", "0o777")

    def test_counts_the_bytes_of_files_alone(self, tmp_path: Path) -> None:
        (tmp_path / "a" / "b").mkdir(parents=True)
        (tmp_path / "a" / "one").write_bytes(bytes(7))
        (tmp_path / "a" / "b" / "two").write_bytes(bytes(11))
        (tmp_path / "a" / "up").symlink_to(tmp_path)
        (tmp_path / "a" / "gone").symlink_to(tmp_path / "nowhere")
        links = sum((tmp_path / "a" / name).lstat().st_size for name in ("gone",))
        assert locations.bytes_in(tmp_path / "a") == 18 + links
        assert locations.bytes_in(tmp_path / "a" / "one") == 7
        assert locations.bytes_in(tmp_path / "nowhere") == 0

    @pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
    def test_a_folder_of_another_user_is_refused(self, tmp_path: Path) -> None:
        index = locations.index_dir(tmp_path / "notes")
        index.mkdir(parents=True)
        os.chown(index, 65534, 65534)
        with pytest.raises(PermissionError, match="another user"):
            locations.private_dir(index)
