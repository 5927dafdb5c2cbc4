"""Indexes a vault in processes that are killed on their way; for `test_kills` and others.

python victim.py      takes orders from stdin, a JSON object a line, and answers each with one on stdout

Each order is carried out by a process that is forked from this one, so that nothing is imported again. It
goes through `Engine` as every face does; what it does to files and databases is counted by kinds of places,
and at the n-th time at a place it kills itself.
"""

from __future__ import annotations

import builtins
import hashlib
import json
import os
import re
import resource
import select
import signal
import sys
import time
import traceback
import uuid
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apsw
from counting_embedder import CheapEmbedder

from quire_engine import Engine
from quire_engine import engine as engine_module
from quire_engine.chunking import sentences
from quire_engine.errors import QuireError
from quire_engine.index import vectors, whoosh_commits, whoosh_search, whoosh_segments  # noqa: F401
from quire_engine.indexing import desk, embedding, indexer, keyword_feed, pool, relations  # noqa: F401
from quire_engine.inference.embedder import open_embedder

_PATIENCE = 60.0
_STATEMENT = re.compile(
    r"(?:\s|--.*\n)*(INSERT|UPDATE|DELETE|CREATE|DROP|ALTER|PRAGMA)"
    r"[^(]*?(?<=INTO|FROM|ABLE|NDEX|DATE|AGMA) (?:IF (?:NOT )?EXISTS )?\"?(\w+)",
)


class Places:
    """Counts how often each place is passed, and kills the process, or raises, at one of them."""

    def __init__(self, place: str | None, nth: int, raising: str | None) -> None:
        self.passed: Counter[str] = Counter()
        self._place, self._nth, self._raising = place, nth, raising
        self.armed = True

    def at(self, place: str) -> None:
        self.passed[place] += 1
        if self.armed and place == self._place and self.passed[place] >= self._nth:
            self.armed = False
            if self._raising is not None:
                raise getattr(builtins, self._raising)("raised on purpose")
            os.kill(os.getpid(), signal.SIGKILL)

    def statement(self, _: object, sql: str, __: object) -> bool:
        if found := _STATEMENT.match(sql):
            self.at(f"SQL {found[1]} {found[2]}")
        return True


class WatchedDisk(apsw.VFS):
    """SQLite's files: what is written to them in which order, statement or not."""

    def __init__(self, places: Places) -> None:
        super().__init__("watched", "unix", makedefault=True)
        self._places = places

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        return _WatchedFile(self._places, name, flags)

    def xDelete(self, name: str, sync: bool) -> None:
        self._places.at(f"file deleted {_kind(name)}")
        super().xDelete(name, sync)


class _WatchedFile(apsw.VFSFile):
    def __init__(self, places: Places, name: Any, flags: list[int]) -> None:
        super().__init__("unix", name, flags)
        self._places = places
        self._kind = _kind(name if isinstance(name, str) else name.filename())

    def xWrite(self, data: bytes, offset: int) -> None:
        self._places.at(f"file written {self._kind}")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        self._places.at(f"file synced {self._kind}")
        super().xSync(flags)

    def xTruncate(self, size: int) -> None:
        self._places.at(f"file truncated {self._kind}")
        super().xTruncate(size)


def _kind(name: str | None) -> str:
    return (name or "temporary").rpartition("sqlite3")[2] or "database"


class LoggingEmbedder(CheapEmbedder):
    """Writes every text that it embeds to a log, as its hash."""

    def __init__(self, real: Any, log: Path, places: Places) -> None:
        super().__init__(real)
        self._log, self._places = log, places

    def embed_passages(self, texts: Sequence[str]) -> Any:
        self._places.at("embedding begun")
        rows = super().embed_passages(texts)
        with self._log.open("a") as file:
            file.write("".join(f"{hashlib.sha256(text.encode()).hexdigest()}\n" for text in texts))
        self._places.at("embedding done")
        return rows


def _watch(places: Places) -> None:
    """Count what goes to disk beside SQLite, too."""
    real = {name: getattr(os, name) for name in ("fsync", "replace", "unlink")}

    def fsync(descriptor: int) -> None:
        places.at(f"fsync {Path(f'/proc/self/fd/{descriptor}').readlink().suffix or 'folder'}")
        real["fsync"](descriptor)

    def replace(source: Any, target: Any) -> None:
        places.at(f"replace {Path(target).suffix}")
        real["replace"](source, target)

    def unlink(path: Any, **options: Any) -> None:
        places.at(f"unlink {Path(path).suffix}")
        real["unlink"](path, **options)

    os.fsync, os.replace, os.unlink = fsync, replace, unlink  # type: ignore[assignment]

    class WatchedSegment(whoosh_segments.StructFile):  # type: ignore[misc]
        def write(self, data: Any) -> None:
            places.at("segment written")
            self.file.write(data)

    whoosh_segments.StructFile = WatchedSegment  # type: ignore[misc]
    apsw.connection_hooks.append(lambda connection: setattr(connection, "exec_trace", places.statement))
    places.disk = WatchedDisk(places)  # type: ignore[attr-defined]


def _carry_out(order: dict[str, Any]) -> dict[str, Any]:
    """What the child does: a whole sync, as the order says."""
    os.environ["QUIRE_DATA_DIR"], os.environ["VICTIM"] = order["data"], order["mark"]
    places = Places(order.get("place"), order.get("nth", 0), order.get("raising"))
    if order.get("count", True):
        _watch(places)
    real = engine_module.shared_embedder
    engine_module.shared_embedder = lambda settings: LoggingEmbedder(  # type: ignore[assignment,return-value]
        real(settings), Path(order["log"]), places
    )
    places.armed = not order.get("raising")
    # Small, so that there are many slabs, shards and pages of changes.
    embedding._MOST_SLAB, keyword_feed._OUTBOX_PAGE = order["slab"], 400  # type: ignore[misc]
    vectors.VectorTable.rebalance.__kwdefaults__.update(split=64, whole=400)
    indexer._WORTH_WORKERS = 1 if order.get("workers") else 1 << 40  # type: ignore[misc]
    if limit := order.get("largest_file"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    with Engine.open(Path(order["vault"]), discard=order.get("rebuild", False)) as engine:
        raised, places.armed = "", True
        try:
            report = engine.sync(wait=_PATIENCE)
        except BaseException as error:
            if not order.get("raising"):
                raise
            raised = type(error).__name__
            report = engine.sync(wait=_PATIENCE)
    return {"raised": raised, "passed": places.passed, "embedded": report.embedded, "pending": report.pending}


def _child(order: dict[str, Any], answer: int) -> None:
    try:
        result = _carry_out(order)
    except QuireError as error:
        result = {"error": str(error)}
    except BaseException:
        result = {"crash": traceback.format_exc()}
    os.write(answer, json.dumps(result).encode())


def _obey(order: dict[str, Any]) -> dict[str, Any]:
    order["mark"] = uuid.uuid4().hex
    reading, writing = os.pipe()
    begun = time.monotonic()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _child(order, writing)
        os._exit(0)
    os.close(writing)
    process = os.pidfd_open(pid)
    if not select.select([process], [], [], order.get("seconds", _PATIENCE * 5))[0]:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    os.close(process)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    result: dict[str, Any] = {"seconds": time.monotonic() - begun}
    if os.WIFSIGNALED(status):
        return {**result, "killed": os.WTERMSIG(status), **_orphans(order["mark"])}
    return {**result, "killed": 0, **json.loads(said)}


def _orphans(mark: str) -> dict[str, int]:
    """How many processes of a killed one there were, and how many of them went on nevertheless."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"VICTIM={mark}".encode() in (entry / "environ").read_bytes():
                found.append(os.pidfd_open(int(entry.name)))
        except OSError:
            continue
    left = 0
    for process in found:
        left += not select.select([process], [], [], _PATIENCE)[0]
        os.close(process)
    return {"workers": len(found), "orphans": left}


def main() -> None:
    sentences._tokenizer()
    open_embedder(engine_module.Settings().embedding).count_tokens(["warm"])
    for line in sys.stdin:
        print(json.dumps(_obey(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
