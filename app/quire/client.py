"""Talks to the background engine, and starts one when there is none. Standard library only.

A request is HTTP/1.0, so that an answer ends where the connection does; an answer is a stream of JSON lines,
the last of which is a result or an error. A connection that ends before that has lost its engine.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from quire.address import Address, UnusableFolder, build, engine_environment, try_lock

Json = dict[str, Any]

BUILD_HEADER = "quire-build"
READY = b"ready\n"
"""What a new engine says on the stderr that it was given, once it can be connected to."""
_LAST = frozenset({"search", "answer", "error", "status"})
_SILENCE = 4.0
"""Seconds without a byte that are worth a remark: an engine has a heartbeat of half of it."""
_STUCK = 8.0
"""Further seconds without a byte after which an engine is taken for stuck."""
_SILENT = {"type": "note", "text": "the background engine does not answer; waiting"}
_REPLY = 5.0
"""Seconds for an answer that takes an engine no work."""
_START_PATIENCE = 60.0
_STOP_PATIENCE = 15.0
"""Seconds for an engine to finish the answers that are under way, and to leave."""
_TERM_PATIENCE = 2.0
"""Seconds to leave for one that can only be reached by signals."""
_TICK = 0.02
_BUSY = "too many questions; try again"


class Unavailable(Exception):
    """No engine answers and none can be started; the message says why."""


class EngineError(Exception):
    """The engine answered with an error."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        """The name of a class of ``quire_engine.errors``."""


class _Vanished(Exception):
    """The engine went away in the middle of an answer."""


class _Outdated(Exception):
    """The engine is of another build of Quire."""


class _Busy(Exception):
    """The engine takes no more requests for now."""


class EngineClient:
    """The engine for the places that an environment names."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self.address = Address(environment)
        self._environment = environment

    def stream(self, path: str, body: Json, *, whole: bool = False) -> Generator[Json, None, None]:
        """The events of an answer, as they come; closing the iterator cancels.

        An engine is started when none is there, and replaced when it is of another build. One that dies or
        hangs before it has said anything is replaced as well, once; with ``whole``, for a caller that uses
        the last event alone, also later: the events then begin anew. Raises `EngineError` for an error in
        the answer and `Unavailable` when there is no engine to be had.
        """
        replaced = died = False
        while True:
            told = False
            connection = self._connection()
            try:
                for event in _exchange(connection, "POST", path, body, patience=_STUCK):
                    if event["type"] == "error":
                        raise EngineError(event["kind"], event["message"])
                    told = told or not (whole or event["type"] in ("progress", "note"))
                    yield event
                return
            except _Outdated:
                if replaced:
                    raise Unavailable("another build of Quire keeps taking its place") from None
                replaced = True
                self.stop()
            except _Busy:
                raise EngineError("QuireError", f"the background engine has {_BUSY}") from None
            except (_Vanished, OSError, ValueError) as error:
                if isinstance(error, TimeoutError) and (pid := self.address.holder()):
                    self._end(pid, 0.0)  # it stands still, and whoever waits for what it holds does, too
                if told:
                    raise EngineError("QuireError", "the background engine stopped; ask again") from error
                if died:
                    raise Unavailable("it stopped twice; see 'quire engine logs'") from error
                died = True
            finally:
                connection.close()

    def status(self) -> Json | None:
        """What the engine says about itself, ``quire.engine/1``; ``None`` when none runs.

        Creates nothing. Raises `Unavailable` for one that runs and cannot be asked.
        """
        try:
            if not self.address.is_claimed():
                return None
            with _connect(self.address.socket, _REPLY) as connection:
                return next(_exchange(connection, "GET", "/v1/status"))
        except TimeoutError:
            raise Unavailable("it does not respond; try 'quire engine restart'") from None
        except _Busy:
            raise Unavailable(f"it has {_BUSY}") from None
        except UnusableFolder as error:
            raise Unavailable(str(error)) from None
        except (_Vanished, OSError, ValueError, StopIteration):
            if pid := self.address.holder():
                what = f"process {pid} is leaving, or has lost its socket"
                raise Unavailable(f"{what}; the next search or question replaces it") from None
            return None

    def start(self) -> None:
        """Make sure that an engine runs. Raises `Unavailable`."""
        self._connection().close()

    def stop(self) -> int | None:
        """Stop the engine, by force when it does not leave; its process id, or ``None`` when none ran."""
        pid = self.address.holder()
        if pid is None:
            return None
        patience = _STOP_PATIENCE
        try:
            with _connect(self.address.socket, _REPLY) as connection:
                list(_exchange(connection, "POST", "/v1/stop", {}))
        except TimeoutError:
            patience = 0.0
        except _Busy:
            _signal(pid, signal.SIGTERM)
        except (FileNotFoundError, ConnectionRefusedError):  # it is leaving, or has lost its socket
            _signal(pid, signal.SIGTERM)
            patience = _TERM_PATIENCE
        except (_Vanished, OSError, ValueError):
            pass  # it is leaving, or dying
        self._end(pid, patience)
        return pid

    def _end(self, pid: int, patience: float) -> None:
        """See the engine ``pid`` off, by force after ``patience`` seconds. Raises `Unavailable`."""
        if not self._has_left(pid, patience):
            _signal(pid, signal.SIGKILL)
            if not self._has_left(pid, _STOP_PATIENCE):
                raise Unavailable(f"process {pid} cannot be ended")

    def _has_left(self, pid: int, patience: float) -> bool:
        """Whether the engine ``pid`` is gone within ``patience`` seconds."""
        deadline = time.monotonic() + patience
        while self.address.holder() == pid:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_TICK)
        return True

    # ----------------------------------------------------------------------------------------- connecting

    def _connection(self) -> socket.socket:
        """A connection to the engine, which is started if need be."""
        try:
            self.address.claim()
        except UnusableFolder as error:
            raise Unavailable(str(error)) from None
        try:
            return _connect(self.address.socket)
        except (FileNotFoundError, ConnectionRefusedError):
            pass
        except OSError as error:
            raise Unavailable(f"it cannot be reached: {error.strerror or error}") from error
        try:
            with self._starting():
                try:
                    return _connect(self.address.socket)  # another client was faster
                except (FileNotFoundError, ConnectionRefusedError):
                    self.stop()  # one that lost its socket would keep its place from the next
                    self._spawn()
                try:
                    return _connect(self.address.socket)
                except OSError as error:
                    raise Unavailable("it stopped at once; see 'quire engine logs'") from error
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            raise Unavailable(f"it cannot be started: {place}{error.strerror or error}") from error

    @contextmanager
    def _starting(self) -> Iterator[None]:
        """Only one client starts an engine; the others wait for it."""
        descriptor = os.open(self.address.starting, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            deadline = time.monotonic() + _START_PATIENCE
            while not try_lock(descriptor):
                if time.monotonic() > deadline:
                    raise Unavailable("another process has been starting it for a minute")
                time.sleep(_TICK)
            yield
        finally:
            os.close(descriptor)

    def _spawn(self) -> None:
        """Start an engine process and wait until it can be connected to."""
        import select
        import subprocess

        reading, writing = os.pipe()
        try:
            # -P: the folder that the process stands in is no place to import from.
            starter = subprocess.Popen(
                [sys.executable, "-P", "-m", "quire.server"],
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                cwd="/",
                env=engine_environment(self._environment),
                start_new_session=True,
            )
        except OSError as error:
            os.close(reading)
            raise Unavailable(f"{sys.executable} cannot be run: {error.strerror}") from error
        finally:
            os.close(writing)
        said = b""
        try:
            deadline = time.monotonic() + _START_PATIENCE
            while not said.endswith(READY):
                if not select.select([reading], [], [], max(0.0, deadline - time.monotonic()))[0]:
                    raise Unavailable("it does not come up within a minute; see 'quire engine logs'")
                piece = os.read(reading, 4096)
                if not piece:
                    lines = said.decode("utf-8", "replace").strip().splitlines() or ["it ended at once"]
                    raise Unavailable(f"it does not start: {lines[-1].strip()}")
                said += piece
        finally:
            os.close(reading)
            starter.wait()  # it has forked and left


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _connect(path: Path, silence: float | None = None) -> socket.socket:
    """A connection on which nothing may take longer than ``silence`` seconds."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(_SILENCE if silence is None else silence)
        connection.connect(str(path))
    except BaseException:
        connection.close()
        raise
    return connection


def _exchange(
    connection: socket.socket, method: str, path: str, body: Json | None = None, *, patience: float = 0.0
) -> Iterator[Json]:
    """Send one request and yield the lines of its answer, and a note when it is silent; see `_pieces`.

    Raises `_Vanished` when the last one is missing, `_Outdated` and `_Busy` when there is none.
    """
    content = b"" if body is None else json.dumps(body).encode("ascii")
    head = (
        f"{method} {path} HTTP/1.0\r\nhost: quire\r\n{BUILD_HEADER}: {build()}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    connection.sendall(head.encode("ascii") + content)
    event: Json = {}
    status, in_head = 0, True
    for line in _lines(connection, patience):
        if line is None:
            yield _SILENT
        elif not status:
            status = _status(line)
        elif in_head:
            in_head = bool(line.strip())
        elif line.strip():  # a heartbeat is an empty line
            event = json.loads(line)
            yield event
    if event.get("type") not in _LAST:
        raise _Vanished


def _status(line: bytes) -> int:
    """The status code in the first line of an answer."""
    parts = line.split(None, 2)
    if len(parts) < 2:
        raise _Vanished
    if parts[1] == b"409":
        raise _Outdated
    if parts[1] == b"503":
        raise _Busy
    return int(parts[1])


def _lines(connection: socket.socket, patience: float) -> Iterator[bytes | None]:
    """What comes in, line by line, and ``None`` for a silence."""
    rest = b""
    for piece in _pieces(connection, patience):
        if piece is None:
            yield None
        else:
            *lines, rest = (rest + piece).split(b"\n")
            yield from lines
    if rest:
        raise _Vanished


def _pieces(connection: socket.socket, patience: float) -> Iterator[bytes | None]:
    """What comes in; ``None`` when nothing does for the connection's timeout.

    Raises `TimeoutError` when nothing comes for ``patience`` more seconds.
    """
    usual = connection.gettimeout()
    while True:
        try:
            piece = connection.recv(65536)
        except TimeoutError:
            if not patience:
                raise
            yield None
            connection.settimeout(patience)
            piece = connection.recv(65536)
            connection.settimeout(usual)
        if not piece:
            return
        yield piece
