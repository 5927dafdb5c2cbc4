"""Which processes of Quire are off the network: all but that of ``models pull``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .test_main import commands

Quire = Callable[..., Any]
LEAVES = [path for path, command in commands() if not hasattr(command, "commands")]
INSIDE = """
import json, os, sys
from unittest import mock
import quire.cli.main as program

def tell(label):
    import socket
    try:
        socket.socket().close()
        python = True
    except PermissionError:
        python = False
    import ctypes
    descriptor = ctypes.CDLL(None).socket(socket.AF_INET, socket.SOCK_STREAM, 0)
    print(json.dumps([label, python, descriptor >= 0]), flush=True)

for label, arguments in json.loads(sys.argv[1]):
    if not os.fork():
        sys.argv = ["quire", *arguments]
        try:
            if "--help" in arguments:
                program.main()
            else:
                interface = mock.Mock(run=lambda vault, settings: None)
                with mock.patch.dict(sys.modules, {"quire.tui.app": interface}), \\
                        mock.patch.object(sys, "stdin", mock.Mock(isatty=lambda: True)), \\
                        mock.patch.object(sys.stdout, "isatty", lambda: True):
                    assert program.main() == 0
        finally:
            tell(label)
            os._exit(0)
    os.wait()
"""
kernel = sys.platform == "linux" and os.uname().machine in ("x86_64", "aarch64")


def networks(environment: dict[str, str], calls: dict[str, list[str]]) -> dict[str, tuple[bool, bool]]:
    """For each call of the program: whether its process then has network sockets, in Python and elsewhere."""
    finished = subprocess.run(
        [sys.executable, "-c", INSIDE, json.dumps(list(calls.items()))],
        capture_output=True, text=True, env=environment, check=True,
    )  # fmt: skip
    told = [json.loads(line) for line in finished.stdout.splitlines() if line.startswith("[")]
    return {label: (python, elsewhere) for label, python, elsewhere in told}


class TestProcesses:
    def test_every_command_but_pull_is_off_the_network(self, environment: dict[str, str]) -> None:
        assert ("models", "pull") in LEAVES
        found = networks(environment, {" ".join(path): [*path, "--help"] for path in LEAVES})
        assert found.pop("models pull") == (True, True)
        others = [" ".join(path) for path in LEAVES if path != ("models", "pull")]
        assert found == dict.fromkeys(others, (False, not kernel))

    def test_the_interface_leaves_the_network_to_the_editor_unless_offline(
        self, environment: dict[str, str], vault: Path
    ) -> None:
        calls = {"as it is": ["--vault", str(vault)], "offline": ["--offline", "--vault", str(vault)]}
        assert networks(environment, calls) == {
            "as it is": (False, True),
            "offline": (False, not kernel),
        }

    def test_a_program_that_calls_a_command_keeps_it(self, quire: Quire, vault: Path) -> None:
        """This one: it could not let tests reach the loopback device else."""
        assert quire("status", "--offline", "--vault", str(vault)).code == 0
        if kernel:
            assert "Seccomp:\t0" in Path("/proc/self/status").read_text()
