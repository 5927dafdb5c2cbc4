"""Keeps the tests off every network: a hook that cannot be removed, and lets some reach this machine."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from quire_engine import offline
from quire_engine.errors import OfflineError

_loopback = False


def install() -> None:
    """Refuse this process's Python code every socket but unix ones, from now on."""
    sys.addaudithook(_guard)


@contextmanager
def loopback_allowed() -> Iterator[None]:
    """Let the block talk to the loopback device."""
    global _loopback
    _loopback = True
    try:
        yield
    finally:
        _loopback = False


def _guard(event: str, arguments: tuple[Any, ...]) -> None:
    try:
        offline.refuse(event, arguments)
    except OfflineError:
        if not (_loopback and _stays_here(event, arguments)):
            raise


def _stays_here(event: str, arguments: tuple[Any, ...]) -> bool:
    """Whether what `offline.refuse` refuses leads no further than the loopback device."""
    if event == "socket.__new__":
        return True  # where it leads shows when it is used
    if event in ("socket.bind", "socket.connect", "socket.sendmsg", "socket.sendto"):
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else ""
    else:
        host = arguments[0]
    if isinstance(host, bytes):
        host = host.decode("ascii")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
