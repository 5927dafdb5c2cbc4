"""Serving, from the first question to the last, and when to leave."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

import uvicorn

from quire import contract
from quire.address import Address
from quire.contract import Json
from quire.server.application import Desk
from quire.server.vaults import OpenVaults
from quire.server.web import OwnUserProtocol, PatientServer
from quire_engine import __version__

log = logging.getLogger(__name__)

_ANSWER_PATIENCE = 10
"""Seconds for answers that are under way when the engine is asked to leave."""
_CONNECTIONS = 128
_LOOK = 5.0
"""Seconds between two looks at whether anybody still needs the engine; less when it is to leave sooner."""


class Life:
    """Serving, from the first question to the last."""

    def __init__(self, address: Address, mark: str, log_file: Path) -> None:
        self._address = address
        self._socket = _identity(address.socket)
        self._begun = time.time()
        self._log_file = log_file
        self._vaults = OpenVaults()
        self._desk = Desk(mark, self._vaults, self._report)

    def run(self, listener: socket.socket) -> None:
        """Answer what comes in on ``listener``, the address's socket; at the end close everything."""
        config = uvicorn.Config(
            self._desk.application(),
            http=OwnUserProtocol,
            ws="none",
            lifespan="off",
            loop="asyncio",
            log_config=None,
            access_log=False,
            backlog=_CONNECTIONS,
            limit_concurrency=_CONNECTIONS,
            timeout_graceful_shutdown=_ANSWER_PATIENCE,
            server_header=False,
            date_header=False,
        )
        asyncio.run(self._serve(PatientServer(config), listener))
        self._vaults.close()

    async def _serve(self, server: PatientServer, listener: socket.socket) -> None:
        stopping = self._desk.stopping
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        serving = asyncio.create_task(server.serve([listener]))
        while not (stopping.is_set() or serving.done()):
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), min(_LOOK, self._vaults.idle_minutes * 15))
            if await asyncio.to_thread(self._is_unneeded):
                log.info("nothing was asked for %g minutes", self._vaults.idle_minutes)
                break
            if not self._is_reachable():
                log.warning("%s is gone or another's: nobody can ask any more", self._address.socket)
                break
        # Who comes from now on starts another engine, which waits for this one's lock.
        if self._is_reachable():
            with suppress(FileNotFoundError):
                self._address.socket.unlink()
        server.should_exit = True
        await serving

    def _is_reachable(self) -> bool:
        """Whether the socket is where clients look for it."""
        return self._socket is not None and _identity(self._address.socket) == self._socket

    def _is_unneeded(self) -> bool:
        self._vaults.close_unused()
        idle = time.monotonic() - self._vaults.last_used
        if self._desk.questions or idle < self._vaults.idle_minutes * 60:
            return False
        return not any(vault.working for vault in self._vaults.all())

    def _report(self) -> Json:
        return {
            "type": "status",
            "schema": contract.ENGINE,
            "running": True,
            "pid": os.getpid(),
            "version": __version__,
            "build": self._desk.build,
            "uptime_seconds": round(time.time() - self._begun, 1),
            "memory_bytes": _memory_bytes(),
            "socket": str(self._address.socket),
            "log": str(self._log_file),
            "questions": self._desk.questions,
            "vaults": [vault.report() for vault in self._vaults.all()],
        }


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from a later one of its name; ``None`` when there is none."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _memory_bytes() -> int:
    """What this process holds in memory now; at its peak where the system tells no more."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return pages * resource.getpagesize()
