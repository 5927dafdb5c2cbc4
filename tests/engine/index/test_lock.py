"""The write lock between real processes."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quire_engine.errors import IndexLockedError, StoreError
from quire_engine.index.lock import write_lock

HOLDER = """
import sys
from pathlib import Path
from quire_engine.index.lock import write_lock
sys.argv[0] = "quire"
with write_lock(Path(sys.argv[2]), 0):
    print("held", flush=True)
    sys.stdin.readline()
"""

Hold = Callable[[Path], "subprocess.Popen[str]"]


@pytest.fixture
def hold() -> Iterator[Hold]:
    """Starts a process that holds a lock until it is sent a line."""
    started: list[subprocess.Popen[str]] = []

    def start(folder: Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, "index", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


class TestWriteLock:
    def test_a_second_process_is_told_who_holds_it(self, tmp_path: Path, hold: Hold) -> None:
        holder = hold(tmp_path)
        with (
            pytest.raises(IndexLockedError, match=rf"process {holder.pid} \(quire index\) is updating"),
            write_lock(tmp_path, 0),
        ):
            raise AssertionError("two processes write")

    def test_what_other_programs_were_called_with_is_not_told(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "argv", ["/opt/mine/assistant", "what is my secret?"])
        with write_lock(tmp_path, 0):
            assert json.loads((tmp_path / "writer.json").read_text())["command"] == "assistant"

    def test_is_free_when_the_holder_is_done(self, tmp_path: Path, hold: Hold) -> None:
        holder = hold(tmp_path)
        holder.communicate("")
        with write_lock(tmp_path, 0):
            pass

    def test_is_free_when_the_holder_died(self, tmp_path: Path, hold: Hold) -> None:
        holder = hold(tmp_path)
        holder.kill()
        holder.wait()
        with write_lock(tmp_path, 0):
            pass

    def test_is_waited_for(self, tmp_path: Path, hold: Hold) -> None:
        holder = hold(tmp_path)
        assert holder.stdin is not None
        holder.stdin.write("\n")
        holder.stdin.flush()
        with write_lock(tmp_path, 60):
            pass

    def test_excludes_also_within_a_process(self, tmp_path: Path) -> None:
        with (
            write_lock(tmp_path, 0),
            pytest.raises(IndexLockedError),
            write_lock(tmp_path, 0),
        ):
            raise AssertionError("two writers")
        with write_lock(tmp_path, 0):
            pass

    def test_is_released_after_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(ZeroDivisionError), write_lock(tmp_path, 0):
            raise ZeroDivisionError
        with write_lock(tmp_path, 0):
            pass

    @pytest.mark.parametrize("word", ["", "[]", '{"pid": "x", "command": 1}', "{", "\x00"])
    def test_without_word_of_the_holder_it_is_another_process(
        self, tmp_path: Path, hold: Hold, word: str
    ) -> None:
        hold(tmp_path)
        (tmp_path / "writer.json").write_text(word)
        with pytest.raises(IndexLockedError, match=r"^another process is updating"), write_lock(tmp_path, 0):
            raise AssertionError("two processes write")

    @pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP])
    def test_a_file_system_without_locks_is_told(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        """As some network drives are; a lock that only seems to be one would let two processes write."""

        def flock(*_: object) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr("fcntl.flock", flock)
        with pytest.raises(StoreError, match=r"has no file locks.*QUIRE_DATA_DIR"), write_lock(tmp_path, 0):
            raise AssertionError("nothing was locked")

    @pytest.mark.parametrize("content", [b"", b"4711\n", b"\xff\x00 another program's", b"x" * 100_000])
    def test_a_file_that_was_left_there_is_no_lock(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "write.lock").write_bytes(content)
        (tmp_path / "writer.json").write_bytes(content)
        with write_lock(tmp_path, 0):
            pass

    def test_other_vaults_are_not_concerned(self, tmp_path: Path, hold: Hold) -> None:
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()
        hold(tmp_path / "a")
        with write_lock(tmp_path / "b", 0):
            pass

    def test_a_place_that_cannot_be_written_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(StoreError, match="cannot write to"), write_lock(tmp_path / "file", 0):
            raise AssertionError("nothing was locked")
