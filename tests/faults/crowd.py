"""Processes that search and one that writes, for `test_readers`; each logs what it saw, a JSON object a line.

python crowd.py write VAULT LOG            index, then change the vault until stdin ends; says a line when the
                                           index is there, and one whenever it has done everything once more
python crowd.py read VAULT LOG COUNT       COUNT processes search until stdin ends, each with a log of its own
"""

from __future__ import annotations

import json
import os
import random
import select
import shutil
import sys
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import pytest
from telling_notes import WORDS, Vault, take_over

from quire_engine import Engine, locations
from quire_engine.index import rebalance, whoosh_segments, write_ahead_log
from quire_engine.records import Filters

_LONG_LOG = 4 << 20


def _ended() -> bool:
    """Whether whoever started this process has closed our stdin."""
    return bool(select.select([sys.stdin], [], [], 0)[0])


# ------------------------------------------------------------------------------------------------- writing


def write(folder: Path, log: TextIO) -> None:
    """Change the vault and sync, again and again; log what the index held after each sync."""
    done: Counter[str] = Counter()

    def counted(module: Any, name: str) -> None:
        real = getattr(module, name)

        def counting(*arguments: Any, **options: Any) -> Any:
            done[name.strip("_")] += 1
            return real(*arguments, **options)

        setattr(module, name, counting)

    for module, name in (rebalance, "_split"), (rebalance, "_drain"), (whoosh_segments, "merge"):
        counted(module, name)
    vault = Vault(folder)
    index = locations.index_dir(folder)
    largest_log = 0

    def sync(engine: Engine) -> None:
        nonlocal largest_log
        report = engine.sync(wait=60)
        assert not report.skipped, report
        assert not report.pending, report
        largest_log = max(largest_log, (index / "index.sqlite3-wal").stat().st_size)
        log.write(json.dumps({"generation": report.generation, "notes": vault.notes}) + "\n")
        log.flush()

    with Engine.open(folder) as engine:
        sync(engine)
        written = (index / "index.sqlite3").stat().st_mtime_ns

        def rebuild() -> None:
            with Engine.open(folder, discard=True) as other:
                sync(other)

        def lose_keywords() -> None:
            for keywords in index.glob("keywords-*"):
                shutil.rmtree(keywords)

        edit = vault.edit
        program = [edit, vault.delete, edit, vault.add, edit, vault.delete, edit, vault.add, edit]
        program += [vault.rename, edit, vault.rename_folder, edit, rebuild, edit, lose_keywords, edit]
        while True:
            print("ready", flush=True)
            for action in program:
                if _ended():
                    break
                action()
                done[action.__name__] += 1
                sync(engine)
                now = (index / "index.sqlite3").stat().st_mtime_ns
                done["checkpoints"], written = done["checkpoints"] + (now != written), now
            else:
                continue
            break
    log.write(json.dumps({"done": done, "largest_log": largest_log}) + "\n")


# ------------------------------------------------------------------------------------------------- reading


def read(folder: Path, log: TextIO, number: int) -> None:
    """Search until stdin ends; every third reader opens the index for some questions only, as commands do.

    Every second one looks beneath the check of hits against the files, which hides what the index got wrong.
    """
    rng = random.Random(number)
    while not _ended():
        with Engine.open(folder) as engine:
            if number % 2:
                engine._retriever._current = lambda hits: hits
            for _ in range(5 if number % 3 == 0 else 10**9):
                if _ended():
                    break
                _search(engine, rng, log)


def _search(engine: Engine, rng: random.Random, log: TextIO) -> None:
    query = " ".join(rng.choices(WORDS, k=rng.randint(2, 6)))
    folders = (f"Folder {rng.randrange(6)}",) if rng.random() < 0.3 else ()
    result = engine.search(query, limit=10, filters=Filters(folders=folders))
    hits = [
        {
            "path": hit.path,
            "headings": list(hit.headings),
            "lines": [hit.start_line, hit.end_line],
            "text": hit.text,
            "stale": hit.stale,
            "lists": sorted({signal.name for signal in hit.trace.signals if signal.rank}),
        }
        for hit in result.hits
    ]
    log.write(json.dumps({"generation": result.generation, "folders": folders, "hits": hits}) + "\n")


@contextmanager
def _log(path: Path) -> Iterator[TextIO]:
    """What goes wrong is told in the log."""
    with path.open("w", encoding="utf-8") as log:
        try:
            yield log
        except BaseException:
            log.write(json.dumps({"error": traceback.format_exc()}) + "\n")
            raise


def _fork(folder: Path, log: Path, count: int) -> int:
    """Readers share what was imported; returns the worst exit status."""
    children = []
    for number in range(count):
        child = os.fork()
        if not child:
            status = 1
            try:
                with _log(log.with_suffix(f".{number}")) as own:
                    read(folder, own, number)
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    print("ready", flush=True)
    return max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) % 256 for child in children)


def main(action: str, folder: Path, log: Path, count: int) -> int:
    with pytest.MonkeyPatch.context() as patch:
        take_over(patch.setattr)
        patch.setattr(write_ahead_log, "LONG", _LONG_LOG)
        if action == "read":
            return _fork(folder, log, count)
        with _log(log) as own:
            write(folder, own)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int((sys.argv[4:] or ["0"])[0])))
