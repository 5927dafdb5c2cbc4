"""Disks that are full, and places that cannot be written: told in one line, and nothing is lost.

About 20 seconds of processor time; with QUIRE_TEST_FULL=1 at more limits. What needs a file system of its own
is skipped where none can be mounted.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from index_rows import differences, rows

from quire_engine.index.database import FILE_NAME

from .seeded_vault import SeededVault
from .victims import SLAB, Victims, copied, embedded, index_in

FULL = bool(os.environ.get("QUIRE_TEST_FULL"))


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> SeededVault:
    return SeededVault(tmp_path_factory.mktemp("room") / "vault", 100, seed=9)


@pytest.fixture(scope="module")
def victims(vault: SeededVault) -> Iterator[Victims]:
    started = Victims(vault.folder)
    yield started
    started.close()


@contextmanager
def mounted(place: Path, size: str) -> Iterator[Path]:
    """A small file system; skips where none can be mounted."""
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs", str(place)],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


class TestFullDisk:
    def test_of_files_that_may_not_grow(self, vault: SeededVault, victims: Victims, tmp_path: Path) -> None:
        whole = tmp_path / "whole"
        victims.finish(whole)
        expected = rows(index_in(whole))
        largest = max(file.stat().st_size for file in index_in(whole).rglob("*") if file.is_file())
        failures = 0
        for step in range(1, (40 if FULL else 6) + 1):
            data = copied(None, tmp_path / "data")
            for limit in (step * largest // (40 if FULL else 6), 3 * largest // 4):
                result = victims.sync(data, largest_file=limit, count=False)
                if "error" in result:
                    failures += 1
                    assert "\n" not in result["error"]
                    assert "disk" in result["error"], result
            victims.finish(data)
            assert differences(rows(index_in(data)), expected) == ""
            assert embedded(data).total() - len(embedded(data)) <= 2 * 2 * SLAB
        assert failures > 3

    def test_of_a_small_file_system(self, vault: SeededVault, victims: Victims, tmp_path: Path) -> None:
        whole = tmp_path / "whole"
        victims.finish(whole)
        expected = rows(index_in(whole))
        failures = 0
        with mounted(tmp_path / "small", "24m") as disk:
            for step in range(12 if FULL else 5):
                data = disk / "data"
                shutil.rmtree(data, ignore_errors=True)
                ballast = disk / "ballast"
                room = 400_000 + step * 6_000_000 // (12 if FULL else 5)
                free = shutil.disk_usage(disk).free
                ballast.write_bytes(bytes(max(0, free - room)))
                result = victims.sync(data, count=False)
                if "error" in result:
                    failures += 1
                    assert "\n" not in result["error"]
                    assert "the disk is full" in result["error"], result
                ballast.unlink()
                victims.finish(data)
                assert differences(rows(index_in(data)), expected) == ""
        assert failures >= 2


class Places:
    """A vault and an index of a user whom permissions bind, as they do not bind root."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        SeededVault(folder / "vault", 12, seed=2)
        self._bound: list[str] = []
        if os.getuid() == 0:
            self._bound = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]

    def quire(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command."""
        places = {
            **{f"QUIRE_{name}_DIR": str(self.folder / name.lower()) for name in ("DATA", "CACHE", "RUNTIME")},
            "QUIRE_CONFIG": str(self.folder / "config.toml"),
            "QUIRE_VAULT": str(self.folder / "vault"),
        }
        return subprocess.run(
            [*self._bound, sys.executable, "-P", "-m", "quire.cli.main", *arguments],
            env={**os.environ, **places},
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def index(self) -> Path:
        return index_in(self.folder / "data")

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Nothing of Quire's can be written inside."""
        paths = [
            path for top in ("data", "cache") for path in (self.folder / top, *(self.folder / top).rglob("*"))
        ]
        before = {path: path.stat().st_mode for path in paths}
        for path in paths:
            path.chmod(0o500 if path.is_dir() else 0o400)
        try:
            yield
        finally:
            for path, mode in before.items():
                path.chmod(mode)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    if os.getuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("permissions keep root from nothing")
    made = Places(tmp_path_factory.mktemp("places"))
    first = made.quire("index")
    assert first.returncode == 0, first.stderr
    return made


class TestReadOnly:
    def test_an_index_is_searched_and_it_is_said_that_it_cannot_be_updated(self, places: Places) -> None:
        with places.closed():
            found = places.quire("search", "--no-daemon", "zu")
            asked = places.quire("ask", "--no-daemon", "Where is zu?")
            status = places.quire("status")
            indexed = places.quire("index")
        assert found.returncode == 5, found.stderr
        assert ".md" in found.stdout
        assert "going on with the index as it is: cannot write to" in found.stderr
        assert asked.returncode in (3, 5), asked.stderr
        assert status.returncode == 0, status.stderr
        assert "12" in status.stdout
        assert indexed.returncode == 1
        assert indexed.stderr.count("\n") == 1
        assert indexed.stderr.startswith("error: cannot write to")
        assert "check the permissions" in indexed.stderr

    def test_one_that_was_left_in_the_middle_says_what_to_do(self, places: Places) -> None:
        log = places.index / f"{FILE_NAME}-wal"
        log.write_bytes(b"\x37\x7f\x06\x82" + bytes(40_000))
        try:
            with places.closed():
                found = places.quire("search", "--no-daemon", "zu")
        finally:
            log.unlink()
        assert found.returncode == 1
        assert "make the folder writable and run `quire index`" in found.stderr
        assert found.stderr.count("\n") == 1

    def test_a_file_that_alone_cannot_be_written_is_made_writable(self, places: Places) -> None:
        (places.index / FILE_NAME).chmod(0o400)
        found = places.quire("search", "--no-daemon", "zu")
        assert ".md" in found.stdout
        assert found.returncode == 0 or "the index is read-only" in found.stderr
        assert places.quire("index").returncode == 0  # whoever wrote, or tried to, opened it again

    def test_a_disk_that_is_mounted_for_reading(self, places: Places, tmp_path: Path) -> None:
        with mounted(tmp_path / "disk", "200m") as disk:
            for name in ("data", "cache"):
                shutil.copytree(places.folder / name, disk / name)
                (places.folder / name).rename(places.folder / f"{name}.aside")
                (places.folder / name).symlink_to(disk / name)
            try:
                subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
                found = places.quire("search", "--no-daemon", "zu")
                indexed = places.quire("index")
            finally:
                for name in ("data", "cache"):
                    (places.folder / name).unlink()
                    (places.folder / f"{name}.aside").rename(places.folder / name)
        assert found.returncode == 5, found.stderr
        assert ".md" in found.stdout
        assert indexed.returncode == 1
        assert indexed.stderr.startswith("error: cannot write to"), indexed.stderr
        assert "Read-only file system" in indexed.stderr
