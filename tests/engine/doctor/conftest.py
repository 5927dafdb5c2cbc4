"""A small vault whose index every test gets a copy of, to damage."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw
import pytest
from counting_embedder import CountingEmbedder

from quire_engine import Engine, locations
from quire_engine.doctor import Finding, Repair, diagnose, repair
from quire_engine.index.database import connect
from quire_engine.inference import embedder as embedding
from quire_engine.settings import Settings

_YESTERDAY = 1_700_000_000


@dataclass(frozen=True)
class Patient:
    """A vault with its index, and the embedder that mends it."""

    vault: Path
    embedder: CountingEmbedder
    settings: Settings = field(default_factory=Settings)

    @property
    def folder(self) -> Path:
        return locations.index_dir(self.vault)

    def examined(self) -> dict[str, Finding]:
        return {finding.name: finding for finding in diagnose(self.vault, self.settings)}

    def mended(self, found: dict[str, Finding]) -> list[Repair]:
        """What is done about all that was ``found``."""
        return list(repair(self.vault, self.settings, list(found.values())))

    def sql(self, *statements: str, bindings: tuple[Any, ...] = ()) -> None:
        """Change the database behind the index's back."""
        with self.database() as db:
            for statement in statements:
                db.execute(statement, bindings)

    def embeddings(self) -> set[int]:
        """The rows of all embeddings; one that is made again has another."""
        with self.database() as db:
            return {row[0] for row in db.execute("SELECT id FROM embeddings")}

    def database(self) -> _Database:
        return _Database(self.folder)


class _Database:
    def __init__(self, folder: Path) -> None:
        self._connection = connect(folder, writable=True)
        self._connection.execute("PRAGMA foreign_keys = OFF")

    def __enter__(self) -> apsw.Connection:
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def write_notes(folder: Path) -> None:
    for number in range(12):
        lines = [
            f"# Bed {number}",
            "",
            f"Row {number} of the garden holds herb number {number}. #bed/{number % 3}",
        ]
        lines += ["", f"See [[Bed {number - 1}]] for its neighbour.", "", "## Soil", ""]
        lines += [f"Its soil has a share of {number * 3} percent of sand, and was turned {number} times."]
        file = folder / f"Garden {number % 4}" / f"Bed {number}.md"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(lines) + "\n")
        os.utime(file, (_YESTERDAY + number, _YESTERDAY + number))


def wrong(found: dict[str, Finding]) -> set[str]:
    """The names of the parts that were found to be wrong."""
    return {finding.name for finding in found.values() if not finding.ok}


@pytest.fixture(scope="session")
def specimen(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Path:
    """A folder with ``vault`` and the ``data`` of its index."""
    folder = tmp_path_factory.mktemp("specimen")
    write_notes(folder / "vault")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUIRE_DATA_DIR", str(folder / "data"))
        previous = os.umask(0o077)
        try:
            with Engine.open(folder / "vault") as engine:
                engine.sync()
        finally:
            os.umask(previous)
    return folder


@pytest.fixture
def patient(specimen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Patient]:
    """The vault with a copy of its index; neither the vault nor the original may be changed."""
    data = tmp_path / "data"
    shutil.copytree(specimen / "data", data)
    monkeypatch.setenv("QUIRE_DATA_DIR", str(data))
    real = embedding.shared_embedder(Settings().embedding)
    counting = CountingEmbedder(real)
    shared: Callable[[object], Any] = lambda settings: counting  # noqa: E731
    monkeypatch.setattr(embedding, "shared_embedder", shared)
    monkeypatch.setattr("quire_engine.doctor.repairs.shared_embedder", shared)
    before = _files(specimen / "vault")
    yield Patient(specimen / "vault", counting)
    assert _files(specimen / "vault") == before


def _files(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {str(f): (f.read_bytes(), f.stat().st_mtime_ns) for f in folder.rglob("*") if f.is_file()}
