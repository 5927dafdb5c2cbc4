"""Reads many notes at once, in processes of their own: Python's lock would keep threads from it."""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import quire_engine
from quire_engine.indexing.reading import Reading, ReadTask, UnreadNote, unpacked
from quire_engine.settings import Settings

_MOST_WORKERS = 8
_ATTEMPTS = 3
_SECONDS = 120.0
"""A hundred times what a note has been seen to take, on a machine that is busy with other things."""
_AHEAD = 4
"""Batches a worker that may wait to be taken; what bounds the memory when writing is slower than reading."""


class NoWorkersError(Exception):
    """Worker processes cannot be started here."""


class _LostError(Exception):
    """A worker process is gone, or cannot be understood any more."""


class ReadPool:
    """Worker processes that read one vault's notes; a context manager.

    A note that ends its process (by exhausting memory, say), or that takes longer than any should, is
    reported as unread; the rest goes on.
    """

    def __init__(
        self,
        vault: Path,
        settings: Settings,
        chunk_budget: int,
        workers: int = 0,
        seconds: float = _SECONDS,
    ) -> None:
        """Start ``workers`` processes; 0 means one for each core, up to 8. Raises `NoWorkersError`.

        A note may take ``seconds``, and as many again for each MiB.
        """
        self._greeting = pickle.dumps((vault, settings, chunk_budget, seconds), protocol=5)
        count = workers or min(os.cpu_count() or 1, _MOST_WORKERS)
        self._workers: list[_Worker] = []
        try:
            for _ in range(count):
                self._workers.append(_Worker(self._greeting))
        except BaseException:
            for worker in self._workers:
                worker.close()
            raise
        self._results: queue.Queue[list[Reading] | BaseException | None] = queue.Queue(_AHEAD * count)
        self._threads: list[threading.Thread] = []
        self._leaving = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving.set()
        for worker in self._workers:
            worker.kill()
        while any(thread.is_alive() for thread in self._threads):
            try:  # a thread may wait for room to put its result
                self._results.get(timeout=0.05)
            except queue.Empty:
                continue
        for worker in self._workers:
            worker.close()

    def read(
        self,
        batches: Iterator[Sequence[ReadTask]],
        here: Callable[[Sequence[ReadTask]], list[Reading]] | None = None,
    ) -> Iterator[list[Reading]]:
        """The readings of each batch, in about the order of ``batches``; to be used once.

        While the processes start, batches are read ``here``, if that is given. Raises what a reader raises
        (`ConfigError`, `ModelError`), and `NoWorkersError`.
        """
        lock = threading.Lock()

        def following() -> Sequence[ReadTask] | None:
            with lock:
                return next(batches, None)

        def serve(worker: _Worker) -> None:
            try:
                while not self._leaving.is_set() and (tasks := following()) is not None:
                    for readings in self._read(worker, tasks):
                        self._results.put(readings)
            except BaseException as error:
                self._results.put(error)
            finally:
                self._results.put(None)

        for worker in self._workers:
            thread = threading.Thread(target=serve, args=(worker,), name="quire-read", daemon=True)
            self._threads.append(thread)
            thread.start()
        working = len(self._threads)
        started = here is None
        while working:
            try:
                result = self._results.get(block=started)
            except queue.Empty:
                if here is not None and (tasks := following()) is not None:
                    yield here(tasks)
                else:
                    started = True
                continue
            started = True
            if result is None:
                working -= 1
            elif isinstance(result, BaseException):
                raise result
            else:
                yield result

    def _read(self, worker: _Worker, tasks: Sequence[ReadTask]) -> Iterator[list[Reading]]:
        if self._leaving.is_set():
            return
        try:
            readings = worker.read(tasks)
        except _LostError:
            if self._leaving.is_set():
                return
        else:
            yield readings
            return
        innocent, alone = not worker.ready, len(tasks) == 1
        if alone and not innocent:  # told before anything else can go wrong, lest it be read again
            what = "takes too long" if worker.ran_out_of_time() else "ended the process that read it"
            yield [UnreadNote(tasks[0].path, f"reading it {what}; please report it with the note")]
        worker.restart()
        if innocent:
            yield from self._read(worker, tasks)
        elif not alone:
            for task in tasks:
                yield from self._read(worker, [task])


class _Worker:
    def __init__(self, greeting: bytes) -> None:
        self._greeting = greeting
        self._failed_starts = 0
        """In a row."""
        self._start()

    def _start(self) -> None:
        self.ready = False
        """Whether this process has said that it can read."""
        # -P: a vault may be the current folder, and hold a file called numpy.py.
        package = Path(quire_engine.__file__).parents[1]
        path = os.pathsep.join(filter(None, [str(package), os.environ.get("PYTHONPATH")]))
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "quire_engine.indexing.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=None if os.environ.get("QUIRE_DEBUG") else subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": path},
                start_new_session=True,  # ctrl+c is for us; we end our workers ourselves
            )
        except OSError as error:  # too many processes, too little memory
            raise NoWorkersError from error
        with suppress(_LostError):  # the first batch will show it
            self._send(self._greeting)

    def read(self, tasks: Sequence[ReadTask]) -> list[Reading]:
        """Raises what a reader raises, and `_LostError`."""
        if not self.ready:
            self._receive()
            self.ready = True
            self._failed_starts = 0
        self._send(pickle.dumps(tasks, protocol=5))
        return [unpacked(reading) for reading in self._receive()]

    def _send(self, data: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except OSError as error:
            raise _LostError from error

    def _receive(self) -> Any:
        assert self._process.stdout is not None
        try:
            value = pickle.load(self._process.stdout)  # noqa: S301
        except Exception as error:  # an object that is made anew may raise anything
            raise _LostError from error
        if isinstance(value, Exception):
            raise value
        return value

    def restart(self) -> None:
        """Raises `NoWorkersError` when it keeps ending before it is ready."""
        self._failed_starts += not self.ready
        if self._failed_starts >= _ATTEMPTS:
            raise NoWorkersError
        self.close()
        self._start()

    def ran_out_of_time(self) -> bool:
        """Whether that is what ended the process; to be asked when it is lost."""
        self.kill()
        return self._process.wait() == -signal.SIGALRM

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()
        self._process.wait()
