"""``quire watch`` and interrupts."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
class TestWatch:
    def test_follows_changes_until_it_is_interrupted(
        self, environment: dict[str, str], own_vault: Path
    ) -> None:
        watcher = subprocess.Popen(
            [sys.executable, "-m", "quire.cli.main", "watch", "--vault", str(own_vault)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert watcher.stdout is not None
        assert watcher.stderr is not None
        with watcher.stdout, watcher.stderr:
            assert next(line for line in watcher.stderr if "5 added" in line)
            (own_vault / "Tide.md").write_text("# Tide\n\nThe ferry sails at high tide.\n")
            assert next(line for line in watcher.stderr if "1 added" in line)
            watcher.send_signal(signal.SIGINT)
            rest = watcher.stderr.read()
            assert "Traceback" not in rest
            assert watcher.stdout.read() == ""
            assert watcher.wait() == 130
