"""Carries events from a worker thread to a client: bounded, cancellable, with a heartbeat."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from starlette.types import Receive, Scope, Send

from quire.contract import Json
from quire_engine.errors import ConfigError, QuireError

log = logging.getLogger(__name__)

Produce = Callable[[threading.Event], Generator[Json, None, None]]
"""Makes the events of one answer; the flag is set when nobody wants them any more."""

_BUFFERED = 1024
"""Events that wait for a slow client; an answer seldom has more, so that it does not hold up its worker."""
_SLOWEST = 10.0
"""Seconds without room for one more event after which a client counts as gone."""
_HEARTBEAT = 2.0


class Busy(Exception):
    """Too many questions wait already."""


class Lane:
    """A few worker threads for one kind of question, with a bounded queue before them."""

    def __init__(self, name: str, workers: int, waiting: int) -> None:
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix=name)
        self._most = workers + waiting
        self.taken = 0
        """Questions that run or wait; changed by the event loop alone."""

    def enter(self, work: Callable[[], None]) -> asyncio.Future[None]:
        """Run ``work`` when a thread is free. Raises `Busy`."""
        if self.taken >= self._most:
            raise Busy
        self.taken += 1
        future = asyncio.get_running_loop().run_in_executor(self._executor, work)
        future.add_done_callback(self._leave)
        return future

    def _leave(self, _: asyncio.Future[None]) -> None:
        self.taken -= 1


class EventStream:
    """An ASGI response: JSON lines, sent as they come.

    When the first event is an error, the status says so, too. An empty line is a heartbeat.
    """

    def __init__(self, lane: Lane, produce: Produce) -> None:
        self._lane = lane
        self._produce = produce
        self._loop = asyncio.get_running_loop()
        self._cancelled = threading.Event()
        self._room = threading.Semaphore(_BUFFERED)
        self._events: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue()
        """(HTTP status that it means, line); ``None`` at the end. Bounded by ``_room``."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.create_task(_disconnected(receive))
        try:
            try:
                self._lane.enter(self._work)
            except Busy:
                self._events.put_nowait(
                    _error("QuireError", "the background engine has too many questions; try again", 503)
                )
                self._events.put_nowait(None)
            started = False
            while not gone.done():
                item = await self._next(gone)
                if item is None:
                    break
                status, line = item
                if not started:
                    started = True
                    headers = [(b"content-type", b"application/x-ndjson")]
                    await send({"type": "http.response.start", "status": status, "headers": headers})
                await send({"type": "http.response.body", "body": line, "more_body": True})
                self._room.release()
            if started and not gone.done():
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._cancelled.set()
            gone.cancel()

    async def _next(self, gone: asyncio.Task[None]) -> tuple[int, bytes] | None:
        """The next event, a heartbeat when there is none for a while, or ``None`` at the end."""
        if not self._events.empty():
            return self._events.get_nowait()
        event = asyncio.create_task(self._events.get())
        try:
            done, _ = await asyncio.wait(
                {event, gone}, timeout=_HEARTBEAT, return_when=asyncio.FIRST_COMPLETED
            )
            if event in done:
                return event.result()
            return None if gone in done else (200, b"\n")
        finally:
            event.cancel()

    # ------------------------------------------------------------------------------- in the worker thread

    def _work(self) -> None:
        if self._cancelled.is_set():
            return
        events = self._produce(self._cancelled)
        try:
            for event in events:
                if not self._put((200, json.dumps(event).encode("ascii") + b"\n")):
                    return
        except QuireError as error:
            self._put(
                _error(type(error).__name__, str(error), 400 if isinstance(error, ConfigError) else 500)
            )
        except Exception as error:
            log.exception("a question failed")
            what = f"{type(error).__name__}: {error}".rstrip(": ")
            self._put(_error("QuireError", f"unexpected {what}; see 'quire engine logs'", 500))
        finally:
            events.close()
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._events.put_nowait, None)

    def _put(self, item: tuple[int, bytes]) -> bool:
        """Hand an event to the event loop; False when nobody takes it."""
        if not self._room.acquire(timeout=_SLOWEST):
            self._cancelled.set()
        if self._cancelled.is_set():
            return False
        try:
            self._loop.call_soon_threadsafe(self._events.put_nowait, item)
        except RuntimeError:
            return False
        return True


def _error(kind: str, message: str, status: int) -> tuple[int, bytes]:
    return status, json.dumps(error_event(kind, message)).encode("ascii") + b"\n"


def error_event(kind: str, message: str) -> Json:
    """An error as an event; ``kind`` names a class of ``quire_engine.errors``."""
    return {"type": "error", "kind": kind, "message": message}


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
