"""With the engine as a library, what holds text of notes is the user's alone, whatever the umask."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from quire_engine import Engine, Settings, locations


def test_an_index_can_be_read_by_its_user_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_cache: Path
) -> None:
    monkeypatch.setenv("QUIRE_DATA_DIR", str(tmp_path / "data"))
    vault = tmp_path / "notes"
    vault.mkdir()
    (vault / "a.md").write_text("# Roses\n\nPrune them in March.\n")
    previous = os.umask(0)
    try:
        with Engine.open(vault, Settings()) as engine:
            engine.sync()
            (vault / "b.md").write_text("# Kiln\n\nIt cools for two days.\n")
            engine.sync(lambda progress: None)
            assert engine.search("roses").hits
            found = {path: path.lstat().st_mode for path in (tmp_path / "data").rglob("*")}
    finally:
        os.umask(previous)
    assert locations.index_dir(vault) / "index.sqlite3-wal" in found
    for path, mode in found.items():
        assert stat.S_IMODE(mode) == (0o700 if stat.S_ISDIR(mode) else 0o600), path
