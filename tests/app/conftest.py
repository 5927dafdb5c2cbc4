"""A command line of its own for every test: no settings, indexes, vaults or engines of the user."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from quire.cli.main import main


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


Quire = Callable[..., Outcome]


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data of the whole session."""
    return tmp_path_factory.mktemp("places")


@pytest.fixture
def environment(
    monkeypatch: pytest.MonkeyPatch, places: Path, model_cache: Path, tmp_path: Path
) -> dict[str, str]:
    """The environment of a user who has set nothing, standing in a folder that is no vault."""
    for name in [name for name in os.environ if name.startswith("QUIRE_")]:
        monkeypatch.delenv(name)
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("QUIRE_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("QUIRE_DATA_DIR", str(places / "data"))
    monkeypatch.setenv("QUIRE_CACHE_DIR", str(model_cache))
    monkeypatch.setenv("QUIRE_NO_DAEMON", "1")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


@pytest.fixture
def quire(environment: dict[str, str], capsys: pytest.CaptureFixture[str]) -> Quire:
    """Runs a command in this process."""

    def run(*arguments: str) -> Outcome:
        capsys.readouterr()
        code = main(arguments)
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


@pytest.fixture
def quire_process(environment: dict[str, str]) -> Quire:
    """Runs a command in a process of its own, with ``given`` as its stdin."""

    def run(*arguments: str, given: bytes = b"", extra: Sequence[tuple[str, str]] = ()) -> Outcome:
        finished = subprocess.run(
            [sys.executable, "-m", "quire.cli.main", *arguments],
            input=given,
            capture_output=True,
            env={**environment, **dict(extra)},
            check=False,
        )
        return Outcome(finished.returncode, finished.stdout.decode(), finished.stderr.decode())

    return run


NOTES = {
    "Garden/Roses.md": (
        "---\nstatus: done\ntags: [plants/roses]\nmodified: 2024-03-10\n---\n"
        "# Roses\n\nRoses grow along the south wall.\n\n"
        "## Pruning\n\nPrune the roses in early March, before the buds open. "
        "Cut each stem above a bud that faces outwards.\n"
    ),
    "Garden/Compost.md": (
        "---\nmodified: 2022-01-05\n---\n"
        "# Compost\n\nTurn the compost heap every two weeks so that air reaches the middle.\n"
    ),
    "Workshop/Kiln.md": (
        "---\nstatus: open\n---\n"
        "# Kiln\n\n## Firing\n\nThe kiln reaches 1240 degrees Celsius for stoneware. "
        "It cools for two days before it may be opened. See [[Roses]] for the trellis.\n"
    ),
    "日本語.md": "# 日本語\n\n京都の庭には古い桜の木があります。\n",
    "Hostile.md": (
        "# Zebra \x1b[31mheading\n\nThe zebra \x1b]0;owned\x07 note \x9b2J hides \u202ecommands\u202c "
        "in its text. <script>alert(1)</script> [bold]not markup[/bold]\n"
    ),
}


def write_notes(folder: Path) -> Path:
    """The sample vault, written to ``folder``."""
    for path, text in NOTES.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def vault(places: Path, model_cache: Path) -> Path:
    """A small vault, indexed once for the whole session; tests must not change it."""
    folder = write_notes(places / "vault")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUIRE_CONFIG", str(places / "config.toml"))
        patch.setenv("QUIRE_DATA_DIR", str(places / "data"))
        patch.setenv("QUIRE_CACHE_DIR", str(model_cache))
        assert main(["index", str(folder)]) == 0
    return folder


@pytest.fixture
def own_vault(tmp_path: Path) -> Path:
    """A vault that a test may change; not indexed yet."""
    return write_notes(tmp_path / "notes")
