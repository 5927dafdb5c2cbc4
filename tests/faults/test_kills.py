"""SIGKILL on the way: whenever a process dies, the next sync makes the index what it ought to be.

By default 33 kills while indexing, 6 while rebuilding and 9 exceptions (about 45 seconds on two idle cores);
with QUIRE_TEST_FULL=1 220, 40 and 80. The schedule follows from a seed, but for kills after a random time.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock
import pytest
from index_rows import differences, rows

from quire_engine.errors import IndexLockedError
from quire_engine.index.database import FILE_NAME
from quire_engine.index.lock import write_lock

from .seeded_vault import SeededVault
from .victims import SLAB, Victims, copied, embedded, index_in

FULL = bool(os.environ.get("QUIRE_TEST_FULL"))


@pytest.fixture
def vault(tmp_path: Path) -> SeededVault:
    return SeededVault(tmp_path / "vault", 150, seed=4)


@pytest.fixture
def victims(vault: SeededVault) -> Iterator[Victims]:
    started = Victims(vault.folder)
    yield started
    started.close()


class Schedule:
    """Where and when to kill: places in turn, every fifth time a moment instead; sometimes with workers."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._turn = 0
        self._left: list[str] = []

    def next(self, passed: dict[str, int], seconds: float) -> dict[str, Any]:
        """An order, after what an undisturbed sync passed, and how long that took."""
        self._turn += 1
        workers = self._turn % 8 == 0
        if self._turn % 5 == 0:
            return {"workers": workers, "seconds": self._random.uniform(0, seconds)}
        self._left = [place for place in self._left if place in passed]
        if not self._left:
            self._left = sorted(passed)
            self._random.shuffle(self._left)
        place = self._left.pop()
        return {"workers": workers, "place": place, "nth": self._random.randint(1, passed[place])}


class TestWhileIndexing:
    @pytest.mark.parametrize("seed", [1, 2] if FULL else [1])
    def test_the_next_sync_makes_it_what_it_ought_to_be(
        self, vault: SeededVault, victims: Victims, tmp_path: Path, seed: int
    ) -> None:
        rounds, each = (10, 11) if FULL else (3, 11)
        schedule, chance = Schedule(seed), random.Random(seed)
        base: Path | None = None
        killed_at: Counter[str] = Counter()
        for number in range(rounds):
            if number:
                vault.change()
            scratch = tmp_path / "scratch"
            shutil.rmtree(scratch, ignore_errors=True)
            victims.finish(scratch)
            expected = rows(index_in(scratch))
            assert len(expected["notes"]) == len(vault.notes)
            undisturbed = copied(base, tmp_path / "undisturbed")
            known = victims.finish(undisturbed)
            assert differences(rows(index_in(undisturbed)), expected) == ""
            kills = 0
            while kills < each:
                work = copied(base, tmp_path / "work")
                # One process in four is killed again while it makes up for the first.
                for _ in range(1 + (chance.random() < 0.25)):
                    order = schedule.next(known["passed"], known["seconds"])
                    result = victims.sync(work, **order)
                    assert result["killed"] in (0, signal.SIGKILL)
                    assert not result.get("orphans"), order
                    if result["killed"]:
                        kills += 1
                        killed_at[order.get("place", "a moment")] += 1
                victims.finish(work)
                assert differences(rows(index_in(work)), expected) == "", (seed, number, order)
                # What was embedded but for the slab in hand and the one being stored is not lost.
                wanted, paid = embedded(undisturbed), embedded(work)
                assert paid.keys() == wanted.keys()
                assert paid.total() - wanted.total() <= 2 * 2 * SLAB, order
            base = tmp_path / f"base-{number}"
            shutil.copytree(work, base)
            if number:
                shutil.rmtree(tmp_path / f"base-{number - 1}")
        assert sum(killed_at.values()) >= rounds * each
        assert killed_at["a moment"]
        assert len(killed_at) > 20, killed_at


class TestExceptions:
    def test_that_end_a_sync_anywhere_leave_an_engine_that_makes_up_for_it(
        self, vault: SeededVault, victims: Victims, tmp_path: Path
    ) -> None:
        base, scratch = tmp_path / "base", tmp_path / "scratch"
        victims.finish(base)
        vault.change()
        victims.finish(scratch)
        expected = rows(index_in(scratch))
        known = victims.finish(copied(base, tmp_path / "undisturbed"))
        places = {place: n for place, n in known["passed"].items() if not place.startswith("file ")}
        schedule, raised = Schedule(5), Counter[str]()
        while raised.total() < (80 if FULL else 9):
            work = copied(base, tmp_path / "work")
            order = {**schedule.next(places, known["seconds"]), "workers": False}
            if "place" not in order:
                continue
            kind = ("KeyboardInterrupt", "MemoryError", "OSError")[raised.total() % 3]
            result = victims.sync(work, raising=kind, **order)
            raised[result["raised"]] += bool(result["raised"])
            assert result["pending"] == 0
            assert differences(rows(index_in(work)), expected) == "", (kind, order)
        assert len(raised) > 2, raised


class TestWorkers:
    def test_end_with_the_process_that_started_them(
        self, vault: SeededVault, victims: Victims, tmp_path: Path
    ) -> None:
        result = victims.sync(tmp_path / "data", workers=True, place="SQL INSERT notes", nth=30)
        assert result["killed"] == signal.SIGKILL
        assert result["workers"] > 0
        assert result["orphans"] == 0


class TestLock:
    def test_of_a_killed_process_is_taken_over(
        self, vault: SeededVault, victims: Victims, tmp_path: Path
    ) -> None:
        data = tmp_path / "data"
        assert victims.sync(data, place="fsync .seg", nth=1)["killed"]
        (folder,) = (data / "vaults").iterdir()
        word = json.loads((folder / "writer.json").read_text())
        assert victims.finish(data)
        # What the dead one left is nobody's name.
        (folder / "writer.json").write_text(json.dumps(word))
        held = filelock.FileLock(folder / "write.lock")
        with (
            held,
            pytest.raises(IndexLockedError, match=r"^another process is updating"),
            write_lock(folder, 0),
        ):
            raise AssertionError("two processes write")


class TestWhileRebuilding:
    @pytest.mark.parametrize("damaged", [False, True])
    def test_the_index_comes_back_and_embeddings_stay(
        self, vault: SeededVault, victims: Victims, tmp_path: Path, damaged: bool
    ) -> None:
        base = tmp_path / "base"
        victims.finish(base)
        expected = rows(index_in(base))
        if damaged:
            with (index_in(base) / FILE_NAME).open("r+b") as file:
                file.seek(-200_000, os.SEEK_END)
                file.truncate()
        undisturbed = copied(base, tmp_path / "undisturbed")
        known = victims.sync(undisturbed, rebuild=True)
        assert differences(rows(index_in(undisturbed)), expected) == ""
        schedule = Schedule(3)
        kills = 0
        while kills < (20 if FULL else 3):
            work = copied(base, tmp_path / "work")
            order = schedule.next(known["passed"], known["seconds"])
            result = victims.sync(work, rebuild=True, **order)
            kills += bool(result["killed"])
            again = victims.sync(work, rebuild=True)
            assert not again["killed"]
            assert differences(rows(index_in(work)), expected) == "", order
            spent = embedded(undisturbed).total()
            assert embedded(work).total() - spent <= 2 * SLAB, order
