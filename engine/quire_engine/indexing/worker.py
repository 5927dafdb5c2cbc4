"""A process that reads notes for another: pickles in on stdin, pickles out on stdout.

Started by `quire_engine.indexing.pool`, with an import of this module alone; it ends when its stdin does.
What comes out first says that it can read (``True``), or why not (an exception); then come readings.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from quire_engine import offline
from quire_engine.errors import QuireError

if TYPE_CHECKING:
    from quire_engine.indexing.reading import NoteReader
    from quire_engine.settings import Settings

_BELOW_OTHERS = 5
"""Niceness: whoever reads notes in bulk gives way to those who wait for an answer."""
_NO_MEMORY = 70
"""The exit status."""


def main() -> None:
    source, target = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a stray print must not end up among the pickles
    offline.enforce()
    _go_first()
    if hasattr(os, "nice"):
        os.nice(_BELOW_OTHERS)
    try:
        vault, settings, chunk_budget, seconds = pickle.load(source)  # noqa: S301
        try:
            reader = make_reader(vault, settings, chunk_budget)
        except QuireError as error:  # raised again where the work was asked for
            _send(target, error)
            return
        _send(target, True)
        while True:
            tasks = pickle.load(source)  # noqa: S301
            _send(target, _outcome(reader, tasks, seconds))
    except MemoryError:
        os._exit(_NO_MEMORY)  # at once: an orderly end may need more
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        return


def make_reader(vault: Path, settings: Settings, chunk_budget: int) -> NoteReader:
    """A reader with parts of its own."""
    from quire_engine.chunking.sentences import LanguageTools
    from quire_engine.indexing.reading import NoteReader
    from quire_engine.inference.embedder import open_embedder

    tools = cache(lambda: LanguageTools(settings.chunking.pipelines))
    counter = open_embedder(settings.embedding)  # only its tokenizer is loaded
    return NoteReader(vault, settings.scan.max_note_bytes, counter, tools, chunk_budget)


def _outcome(reader: NoteReader, tasks: Any, seconds: float) -> Any:
    from quire_engine.indexing.reading import packed

    readings = []
    try:
        for task in tasks:
            # Its end, whatever code is running then; who waits for the answer finds the note.
            signal.setitimer(signal.ITIMER_REAL, seconds * (1 + task.size / 2**20))
            readings.append(packed(reader.read(task)))
    except MemoryError:
        raise
    except Exception as error:  # raised again where the work was asked for
        return error
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return readings


def _go_first() -> None:
    """When the system runs out of memory it ends a process: this one, and not another program of the user."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _send(target: BinaryIO, value: Any) -> None:
    target.write(pickle.dumps(value, protocol=5))
    target.flush()


if __name__ == "__main__":
    main()
