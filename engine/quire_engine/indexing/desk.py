"""Where a vault's index is written: the lock, the connection and the keyword index of the one who writes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

import apsw
import filelock

from quire_engine.errors import IndexLockedError, QuireError, StoreError
from quire_engine.index.database import FILE_NAME, connect
from quire_engine.index.keywords import open_keywords
from quire_engine.index.lock import write_lock
from quire_engine.index.store import IndexWriter
from quire_engine.interfaces import Embedder, KeywordIndex

_LOOK_SECONDS = 0.25


class Interrupted(QuireError):
    """Work was given up because it was not wanted any longer; what was done of it stands."""


class WriteDesk:
    """Gives one thread at a time of one process what it needs to write, and keeps it between two uses."""

    def __init__(self, folder: Path, embedder: Embedder, keyword_backend: str) -> None:
        self._folder = folder
        self._embedder = embedder
        self._keyword_backend = keyword_backend
        self._using = threading.RLock()
        self._depth = 0
        self._closed = False
        self._connection: apsw.Connection | None = None
        self._place: tuple[int, int] | None = None
        self._store: IndexWriter | None = None
        self._keywords: KeywordIndex | None = None
        self._version: int | None = None
        self.foreign_writes = 0
        """Grows whenever another connection is found to have changed the index."""

    @property
    def store(self) -> IndexWriter:
        """Usable inside `writing`; for reading, once that was entered, also outside."""
        assert self._store is not None
        return self._store

    @property
    def keywords(self) -> KeywordIndex:
        """Usable inside `writing`."""
        if self._keywords is None:
            self._keywords = open_keywords(self._folder, self._keyword_backend, writable=True)
        return self._keywords

    @contextmanager
    def writing(self, wait: float, interrupted: Callable[[], bool] = lambda: False) -> Iterator[None]:
        """Hold the write lock; within a thread it may be entered again.

        Raises `IndexLockedError` when another process, or thread, writes for longer than ``wait`` seconds,
        and `Interrupted` when waiting for it is ``interrupted``.
        """
        deadline = time.monotonic() + max(0.0, wait)
        with ExitStack() as stack:
            while not self._using.acquire(timeout=_slice(deadline)):
                _go_on_waiting(interrupted)
                if time.monotonic() >= deadline:
                    raise IndexLockedError("this process is updating the index already; wait for that")
            stack.callback(self._using.release)
            if self._closed:
                raise StoreError("the index was closed")
            if self._depth == 0:
                while True:
                    try:
                        stack.enter_context(write_lock(self._folder, _slice(deadline)))
                        break
                    except IndexLockedError:
                        _go_on_waiting(interrupted)
                        if time.monotonic() >= deadline:
                            raise
                self._settle_in()
                stack.callback(self._leave)
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1

    @contextmanager
    def leading(self, task: Literal["embedding", "names"]) -> Iterator[bool]:
        """Whether this is the one that does a task that takes long; two would do everything twice."""
        lease = filelock.FileLock(self._folder / f"{task}.lock", timeout=0, mode=0o600, thread_local=False)
        try:
            lease.acquire()
        except (filelock.Timeout, OSError):
            yield False
            return
        try:
            yield True
        finally:
            lease.release()

    def close(self) -> None:
        """Release files, for good: a thread that comes later is refused."""
        with self._using:
            self._closed = True
            self._release()

    def _release(self) -> None:
        with self._using:
            if self._keywords is not None:
                self._keywords.close()
            if self._connection is not None:
                self._connection.close()
            self._connection = self._store = self._keywords = self._version = self._place = None

    def _settle_in(self) -> None:
        path = self._folder / FILE_NAME
        status = path.stat() if path.exists() else None
        place = (status.st_dev, status.st_ino) if status else None
        if self._connection is None or place != self._place:  # a rebuild may have put another in its place
            self._release()
            self._connection = connect(self._folder, writable=True)
            status = path.stat()
            self._place = (status.st_dev, status.st_ino)
        if self._store is None or self._connection.pragma("data_version") != self._version:
            # Whoever wrote may have emptied the index, or made its vectors with another model.
            self._store = IndexWriter(self._connection, self._embedder.fingerprint, self._embedder.dimensions)
            self.foreign_writes += 1
            if self._keywords is not None:
                self._keywords.close()
                self._keywords = None

    def _leave(self) -> None:
        if self._connection is not None:
            self._version = self._connection.pragma("data_version")


def _go_on_waiting(interrupted: Callable[[], bool]) -> None:
    if interrupted():
        raise Interrupted("waiting for another writer was given up")


def _slice(deadline: float) -> float:
    """Seconds to wait before looking whether waiting is still wanted."""
    return min(max(0.0, deadline - time.monotonic()), _LOOK_SECONDS)
