"""A process that takes in edits and searches, for ever, needs no more memory, files or threads with time.

By default 300 edits (about a minute on two cores), with QUIRE_TEST_FULL=1 5,000.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

HERE = Path(__file__).parent
FULL = bool(os.environ.get("QUIRE_TEST_FULL"))
CYCLES = 5000 if FULL else 300
SAMPLES_OF_NOISE = 4e6 if FULL else 6e6
"""Bytes by which two measurements differ anyway: keyword segments, of which there are now more, now fewer."""
SQLITE_BYTES = 200 * 2**20
"""The page caches of all connections that the process keeps."""
KEPT_BYTES = 4096
"""On disk, for each edit: the vectors of text that is gone are kept for 30 days."""
LOG_BYTES = 2 * 64 * 2**20
"""The write-ahead log."""


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> list[dict[str, Any]]:
    """What the process held, from a tenth of its edits on."""
    folder = tmp_path_factory.mktemp("edited")
    (folder / "vault").mkdir()
    run = subprocess.run(
        [sys.executable, HERE / "editing.py", folder / "vault", str(CYCLES)],
        env={**os.environ, "QUIRE_DATA_DIR": str(folder / "data")},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        timeout=600 + 3 * CYCLES,  # it is stuck
    )
    found = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(found) >= 30
    return found


def growth(samples: list[dict[str, Any]], what: str) -> float:
    """How much more there is at the end than in the middle, by a line fitted to the second half."""
    half = samples[len(samples) // 2 :]
    cycles = np.array([sample["cycle"] for sample in half], float)
    values = np.array([sample[what] for sample in half], float)
    return float(np.polyfit(cycles, values, 1)[0] * (cycles[-1] - cycles[0]))


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="the system does not tell memory")
class TestEditsWithoutEnd:
    def test_memory(self, samples: list[dict[str, Any]]) -> None:
        assert growth(samples, "memory") < SAMPLES_OF_NOISE
        assert max(sample["sqlite"] for sample in samples) < SQLITE_BYTES

    def test_python_objects(self, samples: list[dict[str, Any]]) -> None:
        """Fewer than a tenth of an object an edit, where these are many."""
        assert growth(samples, "objects") < max(1000, CYCLES / 10)
        assert growth(samples, "blocks") < max(20_000, CYCLES)

    def test_files_and_threads(self, samples: list[dict[str, Any]]) -> None:
        assert growth(samples, "files") < 10
        assert growth(samples, "threads") < 3
        assert max(sample["files"] for sample in samples) < 100
        assert max(sample["threads"] for sample in samples) < 60

    def test_disk(self, samples: list[dict[str, Any]]) -> None:
        first, last = samples[0], samples[-1]
        edits = last["cycle"] - first["cycle"]
        assert last["index_bytes"] < first["index_bytes"] + edits * KEPT_BYTES + LOG_BYTES
        assert max(sample["index_files"] for sample in samples) < 60

    def test_rows_are_those_of_the_notes_and_of_vectors_that_are_kept(
        self, samples: list[dict[str, Any]]
    ) -> None:
        first, last = samples[0]["rows"], samples[-1]["rows"]
        assert first.keys() == last.keys()
        for table in last.keys() - {"embeddings"}:
            assert last[table] <= 3 * first[table] + 500, table
        assert last["embeddings"] > first["embeddings"]
