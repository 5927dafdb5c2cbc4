"""Reading notes in worker processes."""

from __future__ import annotations

import errno
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quire_engine.errors import ModelError
from quire_engine.indexing import pool
from quire_engine.indexing import reading as reading_module
from quire_engine.indexing.pool import NoWorkersError, ReadPool
from quire_engine.indexing.reading import Reading, ReadNote, ReadTask, SameNote, UnreadNote
from quire_engine.indexing.worker import make_reader
from quire_engine.records import FileStat, Note
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


def undated(reading: Reading, begun: float) -> Reading:
    """``reading`` but for when it was read, which was between ``begun`` and now."""
    if isinstance(reading, UnreadNote):
        return reading
    assert begun <= reading.read_at <= time.time()
    return replace(reading, read_at=begun)


def test_workers_read_what_this_process_reads(vault: Path) -> None:
    items = tasks(vault)
    begun = time.time()
    here = [undated(r, begun) for r in make_reader(vault, Settings(), BUDGET).read_all(items)]
    with ReadPool(vault, Settings(), BUDGET, workers=2) as workers:
        there = [undated(reading, begun) for batch in workers.read(batches(items)) for reading in batch]
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
    assert isinstance(again, SameNote)
    assert (again.path, again.stat) == ("n00.md", first.note.stat)
    assert again.read_at >= first.read_at


WorkerMeets = Callable[..., None]


@pytest.fixture
def worker_meets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> WorkerMeets:
    """Has workers run ``trouble`` when they read one of ``names``, and ``at_start`` before anything else."""

    def arrange(trouble: str = "pass", *names: str, at_start: str = "pass") -> None:
        (tmp_path / "site").mkdir()
        # Imported before the worker's own modules.
        (tmp_path / "site/sitecustomize.py").write_text(
            "import os, pathlib, sys\n"
            "if sys.orig_argv[-1] == 'quire_engine.indexing.worker':\n"
            f"    {at_start}\n"
            "    from quire_engine.errors import ConfigError\n"
            "    from quire_engine.vault import scanner\n"
            "    real = scanner.read_file\n"
            "    class OddError(ConfigError):\n"
            "        def __reduce__(self):\n"
            "            return int, ([],)\n"
            "    def read_file(vault, path, most):\n"
            f"        if path in {names!r}:\n"
            f"            {trouble}\n"
            "        return real(vault, path, most)\n"
            "    scanner.read_file = read_file\n"
        )
        monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))

    return arrange


@pytest.mark.parametrize("trouble", ["os._exit(9)", "raise MemoryError", "raise OddError"])
def test_a_note_that_costs_the_process_is_named_and_the_others_are_read(
    vault: Path, worker_meets: WorkerMeets, trouble: str
) -> None:
    worker_meets(trouble, "n07.md")
    items = tasks(vault)
    with ReadPool(vault, Settings(), BUDGET, workers=2) as workers:
        readings = [reading for batch in workers.read(batches(items)) for reading in batch]
    assert sorted(map(path, readings)) == [item.path for item in items]
    [lost] = [r for r in readings if isinstance(r, UnreadNote) and r.path == "n07.md"]
    assert "ended the process" in lost.reason


@pytest.mark.parametrize(
    "trouble", ["__import__('time').sleep(9999)", "__import__('re').match('(a*)*b', 'a' * 99)"]
)
def test_a_note_that_takes_forever_is_named_and_the_others_are_read(
    vault: Path, worker_meets: WorkerMeets, trouble: str
) -> None:
    worker_meets(trouble, "n07.md")
    items = tasks(vault)
    with ReadPool(vault, Settings(), BUDGET, workers=2, seconds=5) as workers:
        readings = [reading for batch in workers.read(batches(items)) for reading in batch]
    assert sorted(map(path, readings)) == [item.path for item in items]
    unread = {reading.path: reading.reason for reading in readings if isinstance(reading, UnreadNote)}
    assert unread.keys() == {"n07.md", "sub/binary.md"}
    assert "takes too long" in unread["n07.md"]


def test_a_large_note_has_more_time(vault: Path, worker_meets: WorkerMeets) -> None:
    worker_meets("__import__('time').sleep(2)", "n07.md")
    with ReadPool(vault, Settings(), BUDGET, workers=1, seconds=1) as workers:
        [[reading]] = workers.read(iter([[ReadTask("n07.md", None, 50 * 2**20)]]))
    assert isinstance(reading, ReadNote)


def test_any_number_of_such_notes_may_follow_each_other(vault: Path, worker_meets: WorkerMeets) -> None:
    killers = ["n04.md", "n05.md", "n06.md", "n07.md"]
    worker_meets("os._exit(9)", *killers)
    items = tasks(vault)
    with ReadPool(vault, Settings(), BUDGET, workers=1) as workers:
        readings = [reading for batch in workers.read(batches(items)) for reading in batch]
    assert sorted(map(path, readings)) == [item.path for item in items]
    unread = [reading.path for reading in readings if isinstance(reading, UnreadNote)]
    assert unread == [*killers, "sub/binary.md"]


def test_no_note_is_blamed_for_a_process_that_ended_while_it_started(
    vault: Path, worker_meets: WorkerMeets, tmp_path: Path
) -> None:
    mark = str(tmp_path / "mark")
    worker_meets(at_start=f"os.path.exists({mark!r}) or pathlib.Path({mark!r}).touch() or os._exit(9)")
    with ReadPool(vault, Settings(), BUDGET, workers=1) as workers:
        [[reading]] = workers.read(iter([[ReadTask("n00.md", None)]]))
    assert Path(mark).exists()
    assert isinstance(reading, ReadNote)


def test_a_note_without_enough_memory_in_this_process_is_named(
    vault: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = reading_module.parse

    def parse(path: str, data: bytes, stat: FileStat) -> Note:
        if path == "n07.md":
            raise MemoryError
        return real(path, data, stat)

    monkeypatch.setattr(reading_module, "parse", parse)
    readings = make_reader(vault, Settings(), BUDGET).read_all(tasks(vault))
    unread = [reading for reading in readings if isinstance(reading, UnreadNote)]
    assert unread[0] == UnreadNote("n07.md", "not enough memory to read it")
    assert len(unread) == 2


def test_a_process_that_cannot_be_started_leaves_none_behind(
    vault: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = subprocess.Popen
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        if started:
            raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
        started.append(real(*arguments, **options))
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", start)
    with pytest.raises(NoWorkersError):
        ReadPool(vault, Settings(), BUDGET, workers=2)
    assert [process.returncode is not None for process in started] == [True]


def test_a_note_is_named_even_when_no_other_process_can_be_started(
    vault: Path, worker_meets: WorkerMeets, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker_meets("os._exit(9)", "n07.md")
    with ReadPool(vault, Settings(), BUDGET, workers=1) as workers:
        monkeypatch.setattr(pool.sys, "executable", str(vault / "none"))
        readings = workers.read(iter([[ReadTask("n07.md", None)]]))
        [reading] = next(readings)
        with pytest.raises(NoWorkersError):
            next(readings)
    assert path(reading) == "n07.md"


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
