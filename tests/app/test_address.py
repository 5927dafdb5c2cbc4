"""Where the engine of a set of places is found, and what tells builds apart."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from quire.address import PLACES, Address, UnusableFolder, build, engine_environment, try_lock


class TestAddress:
    def test_every_place_has_an_engine_of_its_own(self, tmp_path: Path) -> None:
        base = {"QUIRE_RUNTIME_DIR": str(tmp_path), "HOME": "/home/a"}
        several = [base, {**base, "HOME": "/home/b"}, *({**base, name: "/elsewhere"} for name in PLACES)]
        assert len({Address(environment).socket for environment in several}) == len(several)

    def test_settings_make_no_difference(self, tmp_path: Path) -> None:
        base = {"QUIRE_RUNTIME_DIR": str(tmp_path), "HOME": "/home/a"}
        assert Address(base).socket == Address({**base, "QUIRE_VAULT": "/v", "QUIRE_DEBUG": "1"}).socket

    def test_a_place_is_the_same_however_it_is_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "data").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "data")
        monkeypatch.chdir(tmp_path)
        names = [str(tmp_path / "data"), "data", "./link", str(tmp_path / "x" / ".." / "data")]
        assert len({Address({"QUIRE_DATA_DIR": name}).key for name in names}) == 1

    @pytest.mark.parametrize(
        ("environment", "folder"),
        [
            ({"QUIRE_RUNTIME_DIR": "/a", "XDG_RUNTIME_DIR": "/b", "TMPDIR": "/c"}, "/a"),
            ({"XDG_RUNTIME_DIR": "/b", "TMPDIR": "/c"}, "/b/quire"),
            ({"TMPDIR": "/c"}, f"/c/quire-{os.getuid()}"),
            ({"XDG_RUNTIME_DIR": "", "TMPDIR": ""}, f"/tmp/quire-{os.getuid()}"),
        ],
    )
    def test_the_folder_goes_from_choice_to_fallback(self, environment: dict[str, str], folder: str) -> None:
        assert Address(environment).folder == Path(folder)

    def test_a_path_that_no_socket_takes_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UnusableFolder, match=r"too long.*QUIRE_RUNTIME_DIR"):
            Address({"QUIRE_RUNTIME_DIR": str(tmp_path / ("x" * 100))}).claim()

    @pytest.mark.parametrize("name", ["QUIRE_RUNTIME_DIR", "XDG_RUNTIME_DIR", "TMPDIR"])
    def test_a_relative_folder_is_refused(
        self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        with pytest.raises(UnusableFolder, match=r"absolute.*QUIRE_RUNTIME_DIR"):
            Address({name: "run"}).claim()
        assert not list(tmp_path.iterdir())

    def test_the_folder_is_made_for_the_user_alone(self) -> None:
        import tempfile

        with tempfile.TemporaryDirectory(dir="/tmp") as folder:
            address = Address({"QUIRE_RUNTIME_DIR": f"{folder}/run"})
            address.claim()
            assert address.folder.stat().st_mode & 0o777 == 0o700

    def test_the_holder_is_who_holds_the_lock(self, tmp_path: Path) -> None:
        address = Address({"QUIRE_RUNTIME_DIR": str(tmp_path)})
        assert address.holder() is None
        address.lock.write_text("4711")
        assert address.holder() is None
        descriptor = os.open(address.lock, os.O_RDWR)
        try:
            assert try_lock(descriptor)
            assert address.holder() == 4711
        finally:
            os.close(descriptor)
        assert address.holder() is None


class TestEngineEnvironment:
    def test_places_are_absolute_and_settings_stay_behind(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        given = {
            "PATH": "/bin",
            "QUIRE_DATA_DIR": "data",
            "QUIRE_CONFIG": "",
            "QUIRE_RUNTIME_DIR": "/run/q",
            "QUIRE_VAULT": "notes",
            "QUIRE_ANSWER__MODEL": "x",
            "QUIRE_OFFLINE": "1",
            "QUIRE_DEBUG": "1",
        }
        environment = engine_environment(given)
        assert environment == {
            "PATH": "/bin",
            "QUIRE_DATA_DIR": str(tmp_path / "data"),
            "QUIRE_RUNTIME_DIR": "/run/q",
            "QUIRE_DEBUG": "1",
        }
        assert Address(environment).socket == Address(given).socket


class TestBuild:
    def test_stays_the_same_until_something_changes(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("quire", "quire_engine"):
            (tmp_path / name / "part").mkdir(parents=True)
            (tmp_path / name / "__init__.py").write_text("")
            (tmp_path / name / "part" / "code.py").write_text("a = 1\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        before = build()
        (tmp_path / "quire" / "__pycache__").mkdir()
        (tmp_path / "quire" / "__pycache__" / "x.pyc").write_text("")
        assert build() == before
        os.utime(tmp_path / "quire_engine" / "part" / "code.py", (1, 1))
        assert build() != before
