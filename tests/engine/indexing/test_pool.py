"""Reading notes in worker processes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from quire_engine.errors import ModelError
from quire_engine.indexing import pool
from quire_engine.indexing.pool import NoWorkersError, ReadPool
from quire_engine.indexing.reading import Reading, ReadNote, ReadTask, SameNote, UnreadNote
from quire_engine.indexing.worker import make_reader
from quire_engine.settings import EmbeddingSettings, Settings

BUDGET = 64


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    folder = tmp_path / "vault"
    (folder / "sub").mkdir(parents=True)
    for number in range(30):
        (folder / f"n{number:02}.md").write_text(
            f"---\ntags: [t{number}]\n---\n# Note {number}\n\nSee [[n00]] ^b{number}\n\n"
            + "Some words. " * 99
        )
    (folder / "sub/binary.md").write_bytes(b"\0\1\2" * 99)
    return folder


def tasks(vault: Path) -> list[ReadTask]:
    return [ReadTask(file.relative_to(vault).as_posix(), None) for file in sorted(vault.rglob("*.md"))]


def batches(items: Sequence[ReadTask], size: int = 4) -> Iterator[Sequence[ReadTask]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def path(reading: Reading) -> str:
    return reading.note.path if isinstance(reading, ReadNote) else reading.path


def test_workers_read_what_this_process_reads(vault: Path) -> None:
    items = tasks(vault)
    here = make_reader(vault, Settings(), BUDGET).read_all(items)
    with ReadPool(vault, Settings(), BUDGET, workers=2) as workers:
        there = [reading for batch in workers.read(batches(items)) for reading in batch]
    assert sorted(there, key=path) == sorted(here, key=path)
    assert {type(reading) for reading in there} == {ReadNote, UnreadNote}


def test_nothing_is_read_twice_while_the_workers_start(vault: Path) -> None:
    items = tasks(vault)
    reader = make_reader(vault, Settings(), BUDGET)
    here: list[Reading] = []

    def read(tasks: Sequence[ReadTask]) -> list[Reading]:
        here.extend(found := reader.read_all(tasks))
        return found

    with ReadPool(vault, Settings(), BUDGET, workers=2) as workers:
        readings = [reading for batch in workers.read(batches(items, size=1), read) for reading in batch]
    assert sorted(map(path, readings)) == [item.path for item in items]
    assert here


def test_a_note_that_is_the_same_is_not_read_further(vault: Path) -> None:
    first = make_reader(vault, Settings(), BUDGET).read(ReadTask("n00.md", None))
    assert isinstance(first, ReadNote)
    with ReadPool(vault, Settings(), BUDGET, workers=1) as workers:
        [[again]] = workers.read(iter([[ReadTask("n00.md", first.note.content_hash)]]))
    assert again == SameNote("n00.md", first.note.stat)


def test_a_note_that_ends_the_process_is_named_and_the_others_are_read(
    vault: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # The worker imports this before its own modules, and dies of one note as of exhausted memory.
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(
        "import os, sys\n"
        "if sys.orig_argv[-1] == 'quire_engine.indexing.worker':\n"
        "    from quire_engine.vault import scanner\n"
        "    real = scanner.read_file\n"
        "    def read_file(vault, path, most):\n"
        "        if path == 'n07.md':\n"
        "            os._exit(9)\n"
        "        return real(vault, path, most)\n"
        "    scanner.read_file = read_file\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    items = tasks(vault)
    with ReadPool(vault, Settings(), BUDGET, workers=2) as workers:
        readings = [reading for batch in workers.read(batches(items)) for reading in batch]
    assert sorted(map(path, readings)) == [item.path for item in items]
    [lost] = [r for r in readings if isinstance(r, UnreadNote) and r.path == "n07.md"]
    assert "ended the process" in lost.reason


def test_where_no_process_can_run_that_is_said(vault: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool.sys, "executable", "/bin/false")
    with (
        ReadPool(vault, Settings(), BUDGET, workers=2) as workers,
        pytest.raises(NoWorkersError),
    ):
        list(workers.read(batches(tasks(vault))))


def test_what_is_wrong_with_the_settings_is_raised_here(vault: Path, tmp_path: Path) -> None:
    settings = Settings(embedding=EmbeddingSettings(model=str(tmp_path / "none")))
    with ReadPool(vault, settings, BUDGET, workers=1) as workers, pytest.raises(ModelError):
        list(workers.read(batches(tasks(vault))))


def test_leaving_early_ends_every_process(vault: Path) -> None:
    with ReadPool(vault, Settings(), BUDGET, workers=2) as workers:
        processes = [worker._process.pid for worker in workers._workers]
        next(workers.read(batches(tasks(vault), size=1)))
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_a_module_in_the_vault_is_not_imported(vault: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (vault / "numpy.py").write_text("raise SystemExit('a note was run')")
    monkeypatch.chdir(vault)
    with ReadPool(vault, Settings(), BUDGET, workers=1) as workers:
        [[reading]] = workers.read(iter([[ReadTask("n00.md", None)]]))
    assert isinstance(reading, ReadNote)
