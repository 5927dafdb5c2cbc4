"""Notices Ctrl-C at once, also while the main thread is in code that is not Python's."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType


@contextmanager
def watched() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed since, as a function for any thread; only the second one raises by itself.

    `KeyboardInterrupt` is raised when the main thread comes back to Python, which may take seconds while a
    language model reads, and is lost when it comes back within a callback of C's. The signal itself writes a
    byte to a socket at once, and any thread may read it. In other threads than the main one, where signals
    do not arrive, the function never tells of one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    arriving, writing = socket.socketpair()
    seen = threading.Event()

    def interrupted() -> bool:
        with suppress(BlockingIOError):
            if signal.SIGINT in arriving.recv(64):
                seen.set()
        return seen.is_set()

    presses = 0

    def patient(number: int, frame: FrameType | None) -> None:
        nonlocal presses
        presses += 1
        if presses > 1:
            raise KeyboardInterrupt

    with arriving, writing:
        arriving.setblocking(False)
        writing.setblocking(False)
        descriptor = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        handler = signal.getsignal(signal.SIGINT)
        if handler is signal.default_int_handler:  # nohup, for one, has it ignored
            signal.signal(signal.SIGINT, patient)
        try:
            yield interrupted
        finally:
            if handler is signal.default_int_handler:
                signal.signal(signal.SIGINT, handler)
            signal.set_wakeup_fd(descriptor)
