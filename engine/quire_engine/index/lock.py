"""The write lock of a vault's index: one process writes, any number read."""

from __future__ import annotations

import errno
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock

from quire_engine.errors import IndexLockedError, IndexReadOnlyError, StoreError
from quire_engine.index.disk import FORBIDDEN, explained
from quire_engine.privacy import private


@contextmanager
def write_lock(folder: Path, wait: float) -> Iterator[None]:
    """Hold the lock of the index in ``folder``; the operating system frees it if the process dies.

    Raises `IndexLockedError`, naming the holder, after ``wait`` seconds; `IndexReadOnlyError` when the
    folder cannot be written, `StoreError` when there is no room in it, or its file system has no locks.
    """
    lock = filelock.FileLock(
        folder / "write.lock", timeout=max(0.0, wait), mode=0o600, fallback_to_soft=False
    )
    try:
        lock.acquire()
    except filelock.Timeout:
        raise IndexLockedError(
            f"{_holder(folder)} is updating this vault's index; wait for it to finish, or stop it"
        ) from None
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        _announce(folder)
        yield
    finally:
        lock.release()


def _unwritable(folder: Path, error: OSError) -> StoreError:
    if error.errno in (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK):
        return StoreError(
            f"the file system of {folder} has no file locks, without which an index cannot be kept; set "
            "QUIRE_DATA_DIR to a folder on a local disk"
        )
    kind = IndexReadOnlyError if error.errno in FORBIDDEN else StoreError
    return kind(f"cannot write to {folder}: {error.strerror}; {explained(error)}")


def _announce(folder: Path) -> None:
    """Leave word of who holds the lock, for others' messages only."""
    program = Path(sys.argv[0]).name if sys.argv else ""
    # Of another program nobody knows what its arguments say.
    command = " ".join(["quire", *sys.argv[1:2]]) if program == "quire" else program or "python"
    word = json.dumps({"pid": os.getpid(), "command": command, "since": time.time()})
    with (
        suppress(OSError),  # a full disk is reported by the write that matters
        open(folder / "writer.json", "w", encoding="utf-8", opener=private) as file,
    ):
        file.write(word)


def _holder(folder: Path) -> str:
    try:
        told = json.loads((folder / "writer.json").read_text(encoding="utf-8"))
        pid = int(told["pid"])
        with suppress(PermissionError):  # it is another user's, and there
            os.kill(pid, 0)
        return f"process {pid} ({told['command']})"
    except (OSError, OverflowError, ValueError, KeyError, TypeError):
        return "another process"  # also when it has not said yet who it is, and the one before it died
