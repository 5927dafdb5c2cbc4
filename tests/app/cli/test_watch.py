"""``quire watch`` and interrupts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from quire_engine.index.reader import IndexReader
from quire_engine.locations import index_dir


def eventually(met: Callable[[], object]) -> None:
    waiting = threading.Event()
    for _ in range(1_500):
        if met():
            return
        waiting.wait(0.02)
    raise AssertionError("it never happened")


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
class TestWatch:
    def test_follows_changes_until_it_is_interrupted(
        self, environment: dict[str, str], own_vault: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("QUIRE_DATA_DIR", environment["QUIRE_DATA_DIR"])
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
            os.utime(own_vault / "Tide.md", (1e9, 1e9))  # nothing to speak of
            reader = IndexReader(index_dir(own_vault))
            eventually(lambda: reader.known_files(["Tide.md"])["Tide.md"].stat.mtime_ns == 10**18)
            reader.close()
            (own_vault / "Ferry.md").write_text("# Ferry\n\nThe ferry is late.\n")
            for line in watcher.stderr:
                assert "added" in line or "embedded" in line
                if "1 added" in line:
                    break
            watcher.send_signal(signal.SIGINT)
            rest = watcher.stderr.read()
            assert "Traceback" not in rest
            assert watcher.stdout.read() == ""
            assert watcher.wait() == 130
