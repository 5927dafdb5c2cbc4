"""Ctrl-C is noticed at once, whatever the main thread is doing."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from quire.cli.interruption import watched

BUSY = """
import ctypes, signal, sys, threading, time

from quire.cli.interruption import watched

read = ctypes.CDLL(None).getchar

def elsewhere():
    read()

def look():
    main = threading.main_thread().ident
    while sys._current_frames()[main].f_lineno != elsewhere.__code__.co_firstlineno + 1:
        time.sleep(0.01)
    print("ready", flush=True)
    while not interrupted():
        time.sleep(0.01)
    print("noticed", flush=True)

with watched() as interrupted:
    signal.siginterrupt(signal.SIGINT, False)
    threading.Thread(target=look, daemon=True).start()
    elsewhere()
    print("back", flush=True)
"""
"""Waits for a byte of stdin in C, where Python hears of no signal."""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise")
class TestWatched:
    def test_another_thread_notices_while_the_main_one_is_elsewhere(self) -> None:
        pipe = subprocess.PIPE
        with subprocess.Popen([sys.executable, "-c", BUSY], stdin=pipe, stdout=pipe, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == "noticed\n"
            process.stdin.write("x")
            process.stdin.flush()
            assert process.stdout.readline() == "back\n"
        assert process.returncode == 0

    def test_the_second_press_raises_and_nothing_is_left_behind(self) -> None:
        descriptor = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(descriptor)
        handler = signal.getsignal(signal.SIGINT)
        with watched() as interrupted:
            assert not interrupted()
            signal.raise_signal(signal.SIGINT)
            assert interrupted()
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
            assert interrupted()
        assert signal.getsignal(signal.SIGINT) is handler
        assert signal.set_wakeup_fd(descriptor) == descriptor

    def test_who_has_it_ignored_has_it_ignored_still(self) -> None:
        former = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            with watched() as interrupted:
                signal.raise_signal(signal.SIGINT)
                assert not interrupted()
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        finally:
            signal.signal(signal.SIGINT, former)

    def test_other_signals_are_none(self) -> None:
        former = signal.signal(signal.SIGUSR1, lambda *_: None)
        try:
            with watched() as interrupted:
                signal.raise_signal(signal.SIGUSR1)
                assert not interrupted()
        finally:
            signal.signal(signal.SIGUSR1, former)

    def test_in_another_thread_nothing_is_watched(self) -> None:
        def look() -> bool:
            assert threading.current_thread() is not threading.main_thread()
            with watched() as interrupted:
                return interrupted()

        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(look).result() is False
