"""A model hub on the loopback device: enough of the real one's protocol for huggingface_hub to believe it.

A file lies at ``/REPOSITORY/resolve/REVISION/FILE``. As on the real hub, HEAD tells size, commit and entity
tag (the SHA-256 of a large file), and GET honours ``Range``; large files are handed over to another host.
Every answer carries a warning with terminal escapes. Faults are ordered through the attributes of `Hub`.
"""

from __future__ import annotations

import hashlib
import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

_PIECE = 64 * 1024


@dataclass
class Request:
    """What a client asked for, and how many bytes of the file it was sent."""

    method: str
    path: str
    headers: dict[str, str]
    """By lower-case name."""
    sent: int = 0


@dataclass
class Hub:
    """Serves ``files``, by path, until the ``with`` block ends."""

    files: dict[str, bytes] = field(default_factory=dict)
    breaks: list[int] = field(default_factory=list)
    """One entry for each of the next transfers: after how many bytes its connection is closed."""
    statuses: list[int] = field(default_factory=list)
    """One entry for each of the next transfers: a status other than that of success, or 0."""
    head_status: int = 200
    ignores_ranges: bool = False
    hands_over: bool = False
    """Whether the bytes come from another host name, as those of large files do."""
    announces: dict[str, str] = field(default_factory=dict)
    """Headers of HEAD that are to differ from the truth."""
    gate: threading.Event | None = None
    """When set, a transfer waits for it after its first piece."""
    requests: list[Request] = field(default_factory=list)

    def __enter__(self) -> Self:
        hub = self

        class Handler(_Handler):
            pass

        Handler.hub = hub
        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def transfers(self) -> list[Request]:
        """Requests for bytes, without those that were sent elsewhere."""
        return [
            request for request in self.requests if request.method == "GET" and "moved" not in request.headers
        ]


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for them

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""

    def do_HEAD(self) -> None:
        self._note()
        if self.hub.head_status != 200:
            return self._answer(self.hub.head_status, {"Content-Length": "0"})
        content = self.hub.files.get(self.path)
        if content is None:
            return self._answer(404, {"X-Error-Code": "EntryNotFound", "Content-Length": "0"})
        tag = f'"{hashlib.sha256(content).hexdigest()}"'
        headers = {"X-Repo-Commit": self.path.split("/")[-2], "Accept-Ranges": "bytes"}
        if self.hub.hands_over:
            headers |= {"X-Linked-Size": str(len(content)), "X-Linked-Etag": tag, "Content-Length": "0"}
            return self._answer(302, headers | {"Location": self._elsewhere()} | self.hub.announces)
        headers |= {"ETag": tag, "Content-Length": str(len(content))}
        return self._answer(200, headers | self.hub.announces)

    def do_GET(self) -> None:
        request = self._note()
        hub = self.hub
        if hub.hands_over and not self.path.startswith("/storage/"):
            request.headers["moved"] = "yes"
            return self._answer(302, {"Location": self._elsewhere(), "Content-Length": "0"})
        if hub.statuses and (status := hub.statuses.pop(0)):
            return self._answer(status, {"Content-Length": "0"})
        content = hub.files.get(self.path.removeprefix("/storage"))
        if content is None:
            return self._answer(404, {"X-Error-Code": "EntryNotFound", "Content-Length": "0"})
        start = 0
        if (wanted := request.headers.get("range")) and not hub.ignores_ranges:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            self._answer(
                206,
                {
                    "Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}",
                    "Content-Length": str(len(content) - start),
                },
            )
        else:
            self._answer(200, {"Content-Length": str(len(content))})
        end = min(len(content), start + hub.breaks.pop(0)) if hub.breaks else len(content)
        for at in range(start, end, _PIECE):
            piece = content[at : min(end, at + _PIECE)]
            self.wfile.write(piece)
            request.sent += len(piece)
            if hub.gate is not None:
                hub.gate.wait(30)
        if end < len(content):
            self.connection.shutdown(socket.SHUT_WR)
        return None

    def _elsewhere(self) -> str:
        return f"http://localhost:{self.hub.port}/storage{self.path}"

    def _note(self) -> Request:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.hub.requests.append(request := Request(self.command, self.path, headers))
        return request

    def _answer(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("X-HF-Warning", f"{self.hub.port}; \x1b]0;told by the hub\x07")
        self.send_header("Connection", "close")
        self.end_headers()
