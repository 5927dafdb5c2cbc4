"""The life of the background engine's process: one lock, one socket, and leaving in good time."""

from __future__ import annotations

import importlib
import logging
import os
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from quire.address import Address, UnusableFolder, build, try_lock
from quire.client import READY
from quire.server import logs
from quire_engine import offline, privacy

log = logging.getLogger(__name__)

_LOCK_PATIENCE = 30.0
"""Seconds for an engine that is leaving to finish its answers."""
_BACKLOG = 128
_PRELOADED = ("quire_engine.engine", "quire_engine.indexing.keeper", "openvino", "tokenizers")
"""What the first question needs; loaded while the web server's own modules are."""
_STARTER = 2
"""stderr, which leads to the client that starts this process until that has been told how it went."""


def run() -> int:
    """Serve until asked to leave, or until nothing has been asked for long enough."""
    privacy.keep_private()
    fenced = offline.enforce()
    sys.argv = ["quire", "engine"]  # the name under which this process holds an index's write lock
    mark = build()  # before modules load: an edit from now on is another build
    address = Address(os.environ)
    try:
        address.claim()
        _lock(address)
        log_file = logs.begin(address.key)
        listener = _listen(address.socket)
    except (UnusableFolder, OSError) as error:
        os.write(_STARTER, f"{error}\n".encode(errors="replace"))
        return 1
    log.info("build %s starts as process %d", mark, os.getpid())
    log.info("off the network%s", "" if fenced else ", as far as Python code goes: no seccomp here")
    os.write(_STARTER, READY)
    logs.take_stdio()
    threading.Thread(target=_preload, name="preload", daemon=True).start()
    try:
        from quire.server.life import Life

        Life(address, mark, log_file).run(listener)
        log.info("left")
    except BaseException:
        log.exception("the engine failed")
    logging.shutdown()
    # Not by way of the interpreter's own end, which would wait for every thread, however long its model goes
    # on writing. Whatever is to be kept is on disk by now.
    os._exit(0)


def _lock(address: Address) -> None:
    """Become the one engine of this address for as long as the process lives."""
    descriptor = os.open(address.lock, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + _LOCK_PATIENCE
    while not try_lock(descriptor):
        if time.monotonic() > deadline:
            raise OSError("another engine holds its place and does not leave; try 'quire engine stop'")
        time.sleep(0.01)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)


def _listen(path: Path) -> socket.socket:
    """A listening socket in place of whatever a dead engine left there; clients may connect at once."""
    with suppress(FileNotFoundError):
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(_BACKLOG)
    return listener


def _preload() -> None:
    for name in _PRELOADED:
        try:
            importlib.import_module(name)
        except Exception as error:  # the question that needs it says so as well
            log.warning("%s cannot be loaded: %s", name, error)
