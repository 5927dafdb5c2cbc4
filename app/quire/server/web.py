"""What the engine's web server does differently from others of its kind."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
from collections.abc import Generator
from contextlib import contextmanager

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

log = logging.getLogger(__name__)


class PatientServer(uvicorn.Server):
    """Leaves signals to the process, which has more to end than connections."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class OwnUserProtocol(H11Protocol):
    """Talks to processes of this user alone; the folder of the socket keeps others out as well."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        peer = peer_user(transport.get_extra_info("socket"))
        if peer not in (None, os.getuid()):
            log.warning("refused a connection of user %s", peer)
            transport.abort()
            return
        super().connection_made(transport)


def peer_user(connection: socket.socket) -> int | None:
    """The user id at the other end of a unix socket; ``None`` where the system does not tell."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    size = struct.calcsize("3i")
    _, user, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, option, size))
    return int(user)
