"""The HTTP interface, spoken by hand over a real socket."""

from __future__ import annotations

import json
import os
import socket
from typing import Any

import pytest

from quire.server.web import peer_user

from .conftest import Background


def ask(background: Background, method: str, path: str, body: bytes = b"") -> tuple[int, list[Any]]:
    """The status and the lines of an answer, over HTTP/1.0."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(str(background.client.address.socket))
        head = f"{method} {path} HTTP/1.0\r\nhost: quire\r\ncontent-length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    head_lines, _, content = answer.partition(b"\r\n\r\n")
    return int(head_lines.split()[1]), [line for line in content.splitlines() if line]


def test_scripts_can_speak_to_it(running: Background) -> None:
    question = {"text": "prune roses", "limit": 2, "vault": str(running.vault)}
    status, lines = ask(running, "POST", "/v1/search", json.dumps(question).encode())
    record = json.loads(lines[-1])
    assert status == 200
    assert record["schema"] == "quire.search/1"
    assert record["hits"][0]["path"] == "Garden/Roses.md"
    assert len(record["hits"]) == 2

    status, lines = ask(running, "POST", "/v1/ask", json.dumps(question).encode())
    assert [json.loads(line)["type"] for line in lines][-1] == "answer"

    status, (health,) = ask(running, "GET", "/v1/health")
    assert (status, json.loads(health)["build"]) == (200, running.json("engine", "status")["build"])


def test_what_is_no_question_is_refused_in_words(running: Background) -> None:
    wrong = [
        (b"", 422),
        (b"{", 422),
        (b"[]", 422),
        (b"[" * 100_000, 422),
        (b"{}", 422),
        (b'{"text": 3}', 422),
        (b'{"text": "x", "limit": 0}', 422),
        (b'{"text": "x", "colour": "red"}', 422),
        (b'{"text": "' + b"x" * (9 * 2**20) + b'"}', 413),
        (b'{"text": "x"}', 400),
        (b'{"text": "x", "vault": "/nowhere"}', 400),
    ]
    for body, expected in wrong:
        status, lines = ask(running, "POST", "/v1/search", body)
        assert status == expected, body[:50]
        error = json.loads(lines[-1])
        assert error["type"] == "error"
        assert error["kind"] == "ConfigError"
        assert error["message"].isprintable()
    assert ask(running, "GET", "/v1/search")[0] == 405
    assert ask(running, "GET", "/elsewhere")[0] == 404
    assert "Traceback" not in running.log


def test_clients_that_read_nothing_hold_up_nobody(running: Background) -> None:
    running.run("search", "roses")
    question = json.dumps({"text": "roses", "vault": str(running.vault)}).encode()
    head = f"POST /v1/search HTTP/1.0\r\nhost: quire\r\ncontent-length: {len(question)}\r\n\r\n".encode()
    lazy = []
    try:
        for _ in range(20):
            connection = socket.socket(socket.AF_UNIX)
            lazy.append(connection)
            connection.connect(str(running.client.address.socket))
            connection.sendall(head + question)
        assert running.run("search", "roses").returncode == 0
    finally:
        for connection in lazy:
            connection.close()
    assert running.run("search", "roses").returncode == 0


@pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="the system does not tell")
def test_the_user_at_the_other_end_is_known() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert peer_user(ours) == os.getuid()
