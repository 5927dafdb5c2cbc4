"""One process that edits, indexes and searches all the time, for `test_memory`; tells what it holds.

python editing.py VAULT CYCLES: a JSON object a line, from the state after a tenth of the cycles on.
"""

from __future__ import annotations

import ctypes
import gc
import json
import random
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import apsw

from quire_engine import Engine, locations
from quire_engine.index.database import connect
from quire_engine.records import SyncReport

_NOTES = 40
_SAMPLES = 40
_PATIENCE = 120.0
_STEM = "kiln heron ledger tundra violin harbour quartz meadow lantern copper thistle glacier".split()
WORDS = tuple(a + b for a in _STEM for b in ("", "s", "like", "less", "work", "side", "ward", "ship"))


def text(rng: random.Random, number: int) -> str:
    paragraphs = (" ".join(rng.choices(WORDS, k=rng.randint(5, 120))) + "." for _ in range(rng.randint(1, 4)))
    tags = f"---\ntags: [{rng.choice(WORDS)}]\n---\n"
    link = f"[[Note {rng.randrange(_NOTES)}]]"
    return f"{tags}# Note {number}\n\n{link}\n\n" + "".join(
        f"## {rng.choice(WORDS)}\n\n{p}\n\n" for p in paragraphs
    )


@contextmanager
def watched(engine: Engine) -> Iterator[threading.Event]:
    """The engine watches its vault; the event is set after each sync."""
    stop, synced = threading.Event(), threading.Event()

    def on_sync(report: SyncReport) -> None:
        assert not report.skipped, report
        synced.set()

    thread = threading.Thread(target=engine.watch, args=(stop, on_sync))
    thread.start()
    try:
        yield synced
    finally:
        stop.set()
        thread.join()


def measured(index: Path, cycle: int) -> dict[str, object]:
    gc.collect()
    # What is free but not given back is no growth. glibc alone has this function.
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    anonymous = 0
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Anonymous:"):
            anonymous = int(line.split()[1]) * 1024
    database = connect(index, writable=False)
    try:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        rows = {table: database.execute(f'SELECT count(*) FROM "{table}"').get for table in tables}
    finally:
        database.close()
    return {
        "cycle": cycle,
        "memory": anonymous - apsw.memory_used(),
        "sqlite": apsw.memory_used(),
        "blocks": sys.getallocatedblocks(),
        "objects": len(gc.get_objects()),
        "threads": len(list(Path("/proc/self/task").iterdir())),
        "files": len(list(Path("/proc/self/fd").iterdir())),
        "index_files": sum(1 for file in index.rglob("*") if file.is_file()),
        "index_bytes": sum(file.stat().st_size for file in index.rglob("*") if file.is_file()),
        "rows": rows,
    }


def main(vault: Path, cycles: int) -> None:
    rng = random.Random(0)
    for number in range(_NOTES):
        (vault / f"Note {number}.md").write_text(text(rng, number), encoding="utf-8")
    index = locations.index_dir(vault)
    with Engine.open(vault) as engine, watched(engine) as synced:
        assert synced.wait(_PATIENCE)
        for cycle in range(1, cycles + 1):
            number = rng.randrange(_NOTES)
            synced.clear()
            written = text(rng, number)
            (vault / f"Note {number}.md").write_text(written, encoding="utf-8")
            assert synced.wait(_PATIENCE), f"edit {cycle} was not taken in"
            assert engine.settle(_PATIENCE)
            engine.search(" ".join(rng.choices(WORDS, k=rng.randint(1, 12))))
            if cycle >= cycles // 10 and cycle % max(1, cycles // _SAMPLES) == 0:
                print(json.dumps(measured(index, cycle)), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
