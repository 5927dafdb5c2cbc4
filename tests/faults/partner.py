"""A process that a test talks to, a line at a time."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

PATIENCE = 300.0
"""Seconds after which a process that says nothing is taken to be stuck; on a busy machine many are needed."""
_TESTS = Path(__file__).parents[1]


class Partner:
    """A Python program beside this file, with what it forks; it may import what tests import."""

    def __init__(self, program: str, *arguments: str | Path, **environment: str) -> None:
        # Unbuffered: what is there to be read is not kept where `select` does not look.
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name(program), *arguments],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(_TESTS), **environment},
            process_group=0,
        )

    def say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())

    def hear(self) -> str:
        """The next line that it says; fails, and ends it, when there is none."""
        assert self._process.stdout is not None
        if select.select([self._process.stdout], [], [], PATIENCE)[0]:
            line = self._process.stdout.readline()
            assert line, "it ended without an answer"
            return line.decode()
        self.kill()
        raise AssertionError(f"it said nothing for {PATIENCE:.0f} seconds")

    def end(self) -> None:
        """Close its stdin; it must end well."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            assert self._process.wait(PATIENCE) == 0
        finally:
            self.kill()

    def kill(self) -> None:
        """End it, if it has not ended, and the processes of its group."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
