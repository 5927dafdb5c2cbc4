"""The write lock of a vault's index: one process writes, any number read."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock

from quire_engine.errors import IndexLockedError, StoreError


@contextmanager
def write_lock(folder: Path, wait: float) -> Iterator[None]:
    """Hold the lock of the index in ``folder``; the operating system frees it if the process dies.

    Raises `IndexLockedError`, naming the holder, after ``wait`` seconds; `StoreError` when the folder
    cannot be written.
    """
    lock = filelock.FileLock(folder / "write.lock", timeout=max(0.0, wait), mode=0o600)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise IndexLockedError(
            f"{_holder(folder)} is updating this vault's index; wait for it to finish, or stop it"
        ) from None
    except OSError as error:
        raise StoreError(f"cannot write to {folder}: {error.strerror}; check its permissions") from error
    try:
        _announce(folder)
        yield
    finally:
        lock.release()


def _announce(folder: Path) -> None:
    """Leave word of who holds the lock, for others' messages only."""
    command = " ".join(["quire", *sys.argv[1:2]])
    word = json.dumps({"pid": os.getpid(), "command": command, "since": time.time()})
    with suppress(OSError):  # a full disk is reported by the write that matters
        (folder / "writer.json").write_text(word, encoding="utf-8")


def _holder(folder: Path) -> str:
    try:
        told = json.loads((folder / "writer.json").read_text(encoding="utf-8"))
        return f"process {int(told['pid'])} ({told['command']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
