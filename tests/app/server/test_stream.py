"""Events on their way from a worker to a client that may be slow, or gone."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Generator
from typing import Any

import pytest

from quire.contract import Json
from quire.server import stream
from quire.server.stream import EventStream, Lane
from quire_engine.errors import ConfigError, VaultError


class Client:
    """The other end of an ASGI connection."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""
        self.gone = asyncio.Event()
        self.reading = asyncio.Event()
        self.reading.set()

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        await self.reading.wait()
        self.status = message.get("status", self.status)
        self.body += message.get("body", b"")

    async def takes(self, answer: EventStream) -> None:
        await asyncio.wait_for(answer({"type": "http"}, self.receive, self.send), 30)

    @property
    def events(self) -> list[Json]:
        return [json.loads(line) for line in self.body.splitlines() if line]


def saying(*events: Json) -> Callable[[threading.Event], Generator[Json, None, None]]:
    def produce(cancelled: threading.Event) -> Generator[Json, None, None]:
        yield from events

    return produce


class TestEvents:
    async def test_come_in_order_one_a_line(self) -> None:
        client = Client()
        events = [{"type": "text", "n": n} for n in range(3000)]
        await client.takes(EventStream(Lane("x", 1, 0), saying(*events)))
        assert client.events == events
        assert client.status == 200

    @pytest.mark.parametrize(("error", "status"), [(ConfigError("bad"), 400), (VaultError("bad"), 500)])
    async def test_an_error_keeps_its_kind(self, error: Exception, status: int) -> None:
        def produce(cancelled: threading.Event) -> Generator[Json, None, None]:
            raise error
            yield {}

        client = Client()
        await client.takes(EventStream(Lane("x", 1, 0), produce))
        assert client.events == [{"type": "error", "kind": type(error).__name__, "message": "bad"}]
        assert client.status == status

    async def test_what_nobody_expected_is_an_error_too(self) -> None:
        def produce(cancelled: threading.Event) -> Generator[Json, None, None]:
            yield {"type": "text"}
            raise ZeroDivisionError("oops")

        client = Client()
        await client.takes(EventStream(Lane("x", 1, 0), produce))
        assert [event["type"] for event in client.events] == ["text", "error"]
        assert "ZeroDivisionError: oops" in client.events[1]["message"]

    async def test_silence_is_filled_with_heartbeats(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stream, "_HEARTBEAT", 0.01)
        release = threading.Event()

        def produce(cancelled: threading.Event) -> Generator[Json, None, None]:
            release.wait(30)
            yield {"type": "answer"}

        client = Client()
        taking = asyncio.create_task(client.takes(EventStream(Lane("x", 1, 0), produce)))
        while client.body.count(b"\n") < 3:
            await asyncio.sleep(0.01)
        release.set()
        await taking
        assert client.events == [{"type": "answer"}]


class TestCancelling:
    async def test_a_client_that_goes_ends_the_answer(self) -> None:
        closed = threading.Event()

        def produce(cancelled: threading.Event) -> Generator[Json, None, None]:
            try:
                while True:
                    cancelled.wait(0.01)
                    yield {"type": "text"}
            finally:
                closed.set()

        client, lane = Client(), Lane("x", 1, 0)
        taking = asyncio.create_task(client.takes(EventStream(lane, produce)))
        while not client.body:
            await asyncio.sleep(0.01)
        client.gone.set()
        await taking
        assert await asyncio.to_thread(closed.wait, 30)
        while lane.taken:
            await asyncio.sleep(0.01)

    async def test_a_client_that_reads_nothing_gives_its_worker_back(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(stream, "_BUFFERED", 4)
        monkeypatch.setattr(stream, "_SLOWEST", 0.05)
        lane, made = Lane("x", 1, 5), []

        def produce(cancelled: threading.Event) -> Generator[Json, None, None]:
            for n in range(1000):
                made.append(n)
                yield {"type": "text"}

        slow, other = Client(), Client()
        slow.reading.clear()
        taking = asyncio.create_task(slow.takes(EventStream(lane, produce)))
        await other.takes(EventStream(lane, saying({"type": "answer"})))
        assert other.events == [{"type": "answer"}]
        assert len(made) < 10
        slow.gone.set()
        slow.reading.set()
        await taking

    async def test_too_many_questions_are_refused(self) -> None:
        release = threading.Event()

        def produce(cancelled: threading.Event) -> Generator[Json, None, None]:
            release.wait(30)
            yield {"type": "answer"}

        lane = Lane("x", 1, 1)
        clients = [Client() for _ in range(3)]
        waiting = [asyncio.create_task(each.takes(EventStream(lane, produce))) for each in clients[:2]]
        await asyncio.sleep(0)
        await clients[2].takes(EventStream(lane, produce))
        assert clients[2].status == 503
        assert clients[2].events[0]["type"] == "error"
        release.set()
        await asyncio.gather(*waiting)
        assert [each.events for each in clients[:2]] == [[{"type": "answer"}]] * 2
