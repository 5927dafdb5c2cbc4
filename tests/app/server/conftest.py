"""Real engines in real processes, in a place of their own, which no test leaves running."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from quire.client import EngineClient

from ..conftest import write_notes

_PATIENCE = 60.0


def eventually(condition: Callable[[], Any], what: str) -> Any:
    """The first true value of ``condition``; fails when there is none for a minute."""
    deadline = time.monotonic() + _PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what}: not within a minute"
        time.sleep(0.05)
    return value


@dataclass
class Background:
    """Commands that go through a background engine of the test's own."""

    environment: dict[str, str]
    vault: Path

    @property
    def client(self) -> EngineClient:
        return EngineClient(self.environment)

    @property
    def pid(self) -> int | None:
        return self.client.address.holder()

    @property
    def log(self) -> str:
        (file,) = Path(self.environment["QUIRE_DATA_DIR"], "logs").glob(
            f"engine-{self.client.address.key}.log"
        )
        return file.read_text(encoding="utf-8")

    def popen(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "quire.cli.main", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**self.environment, **variables},
        )

    def run(self, *arguments: str, given: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        with self.popen(*arguments, **variables) as process:
            out, err = process.communicate(given, timeout=120)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def json(self, *arguments: str, **variables: str) -> Any:
        finished = self.run(*arguments, "--json", **variables)
        assert finished.stderr == ""
        return json.loads(finished.stdout)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[Background]:
    """The place of `running`."""
    base, folder = tmp_path_factory.mktemp("shared"), Path(tempfile.mkdtemp(prefix="quire-", dir="/tmp"))
    vault = write_notes(base / "notes")
    colours = ("NO_COLOR", "FORCE_COLOR")
    others = {k: v for k, v in os.environ.items() if not k.startswith("QUIRE_") and k not in colours}
    place = Background(
        {
            **others,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "QUIRE_CONFIG": str(base / "config.toml"),
            "QUIRE_DATA_DIR": str(base / "data"),
            "QUIRE_CACHE_DIR": str(model_cache),
            "QUIRE_RUNTIME_DIR": str(folder / "run"),
            "QUIRE_VAULT": str(vault),
            "QUIRE_ANSWER__MODEL": "extractive",
        },
        vault,
    )
    try:
        yield place
    finally:
        place.client.stop()
        shutil.rmtree(folder)


@pytest.fixture
def running(environment: dict[str, str], shared: Background) -> Background:
    """An engine that runs, for all tests that leave it, its vault and its settings as they are."""
    shared.client.start()
    return shared


@pytest.fixture
def background(
    environment: dict[str, str], own_vault: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Background]:
    """A place for one engine, which starts on demand, and a vault that a test may change."""
    folder = Path(tempfile.mkdtemp(prefix="quire-", dir="/tmp"))  # a socket's path must be short
    monkeypatch.delenv("QUIRE_NO_DAEMON")
    monkeypatch.setenv("QUIRE_RUNTIME_DIR", str(folder / "run"))
    monkeypatch.setenv("QUIRE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("QUIRE_VAULT", str(own_vault))
    monkeypatch.setenv("QUIRE_ANSWER__MODEL", "extractive")
    place = Background({**os.environ, "PYTHONPATH": environment["PYTHONPATH"]}, own_vault)
    try:
        yield place
    finally:
        place.client.stop()
        shutil.rmtree(folder)
