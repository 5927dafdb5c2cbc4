"""How soon a fresh index can be searched, beside a plain FTS5 index of the same notes."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from bench import processes
from bench.report import Figure
from bench.vaults import note_files
from bench.workshop import Workshop
from quire_engine import Engine

_PROBES = 25
_LETTERS = "bdfghjklmnpqrstvwxz"
_POLL_SECONDS = 0.05
_PATIENCE = 1800.0


def measure(workshop: Workshop) -> list[Figure]:
    """Seconds from the start of a new process until the first note, and every one, is found by a keyword.

    Some notes, the newest and the oldest among them, get a word of their own; another process asks for
    one word after the other, up to 20 times a second, while the first one indexes.
    """
    vault = workshop.folder / "searchable"
    shutil.copytree(workshop.vault, vault)
    words = _mark(vault)
    with Engine.open(vault) as engine:
        engine.search("ready")  # loads what the first search loads
        first, every = _watch_appear(vault, engine, words)
    database = workshop.folder / "searchable.sqlite3"
    reference = processes.run(processes.script("fts5.py", "index", database, vault)).seconds
    shutil.rmtree(vault)
    count = len(note_files(workshop.vault))
    return [
        Figure("first notes found", first, "s", at_most=2.0),
        Figure("every note found", every, "s", at_most=_target(count), note=f"{count:,} notes"),
        Figure("FTS5, whole notes", reference, "s", note="plain script, one process"),
        Figure("every note / FTS5", every / reference, "×"),
    ]


def _target(notes: int) -> float | None:
    """What the design promises for a vault of this size; nothing for a larger one."""
    return next((seconds for most, seconds in ((6600, 10.0), (10_000, 30.0)) if notes <= most), None)


def _mark(vault: Path) -> list[str]:
    """Put a unique word into notes of every age, which keep their dates; returns the words."""
    files = note_files(vault)
    step = max(1, (len(files) - 1) // (_PROBES - 1))
    words = []
    for number, file in enumerate([*files[::step], files[-1]]):
        word = f"zqx{_LETTERS[number // len(_LETTERS)]}{_LETTERS[number % len(_LETTERS)]}xqz"
        status = file.stat()
        with file.open("a", encoding="utf-8") as note:
            note.write(f"\n\nThis note holds {word}.\n")
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
        words.append(word)
    return list(dict.fromkeys(words))


def _watch_appear(vault: Path, engine: Engine, words: list[str]) -> tuple[float, float]:
    """Seconds until the note with the first of ``words``, and those with all of them, are found."""
    seconds: list[float] = []
    begun = time.perf_counter()
    with processes.child(processes.program("children", "index-embed", vault, "whoosh")) as process:
        for number, word in enumerate(words):
            ended = False
            while not any(word in hit.text for hit in engine.search(word, limit=3).hits):
                if ended or time.perf_counter() - begun > _PATIENCE:
                    said = processes.last_words(process.communicate()[1]) if ended else "time is up"
                    raise RuntimeError(f"{len(words) - number} of {len(words)} notes were not found: {said}")
                ended = process.poll() is not None  # what it wrote last may be found by the next question
                time.sleep(_POLL_SECONDS)
            seconds.append(time.perf_counter() - begun)
    return seconds[0], seconds[-1]
