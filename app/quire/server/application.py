"""The HTTP interface: what clients may ask of the background engine."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from functools import partial
from typing import Literal

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from quire.client import BUILD_HEADER
from quire.contract import Json
from quire.inquiry import Inquiry
from quire.server import answers
from quire.server.stream import EventStream, Lane, error_event
from quire.server.vaults import OpenVaults
from quire_engine import __version__

log = logging.getLogger(__name__)

_LONGEST_BODY = 8 * 2**20
"""Bytes of a question with all that comes with it."""


class Desk:
    """Takes questions, and knows how many are under way."""

    def __init__(self, build: str, vaults: OpenVaults, report: Callable[[], Json]) -> None:
        """``report`` is called in a thread and says what `status` answers."""
        self.build = build
        self._vaults = vaults
        self._report = report
        # Answers take seconds, and must not keep searches waiting. Most of these threads wait themselves,
        # for an index or for the one language model.
        self._lanes = {"search": Lane("search", 8, 64), "ask": Lane("ask", 4, 32)}
        self.stopping = asyncio.Event()

    @property
    def questions(self) -> int:
        """Questions that are being answered or wait."""
        return sum(lane.taken for lane in self._lanes.values())

    def application(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/search", partial(self._answer, "search"), methods=["POST"]),
                Route("/v1/ask", partial(self._answer, "ask"), methods=["POST"]),
                Route("/v1/health", self._health),
                Route("/v1/status", self._status),
                Route("/v1/stop", self._stop, methods=["POST"]),
            ]
        )

    async def _answer(self, kind: Literal["search", "ask"], request: Request) -> ASGIApp:
        """Answer a question with the events of ``quire.search/1`` or ``quire.answer/1``, one a line."""
        if request.headers.get(BUILD_HEADER, self.build) != self.build:
            return _refused("this engine is of another build of Quire", 409)
        body = bytearray()
        size = 0
        async for piece in request.stream():
            size += len(piece)
            if size <= _LONGEST_BODY:
                body += piece
        if size > _LONGEST_BODY:  # read to its end all the same: who still writes reads no answer
            return _refused("the question is too long", 413)
        try:
            # Not by pydantic, which takes no lone surrogates: names of files may hold them.
            inquiry = Inquiry.model_validate(json.loads(body))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            return _refused(f"the question cannot be read: {where}: {first['msg']}", 422)
        except (ValueError, RecursionError) as error:
            return _refused(f"the question is not JSON: {error}", 422)
        lane = self._lanes[kind]
        return EventStream(lane, partial(answers.events, self._vaults, kind, inquiry))

    async def _health(self, request: Request) -> Response:
        return _json({"type": "status", "version": __version__, "build": self.build})

    async def _status(self, request: Request) -> Response:
        loop = asyncio.get_running_loop()
        return _json(await loop.run_in_executor(None, self._report))

    async def _stop(self, request: Request) -> Response:
        log.info("asked to stop")
        self.stopping.set()
        return _json({"type": "status", "stopping": True})


def _refused(message: str, status: int) -> Response:
    return _json(error_event("ConfigError", message), status)


def _json(value: Json, status: int = 200) -> Response:
    """One JSON line, as all answers of the engine are made of."""
    return Response(json.dumps(value) + "\n", status, media_type="application/x-ndjson")
