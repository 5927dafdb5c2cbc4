"""Many search while one writes: nothing fails, and nothing that is found mixes two versions of a note.

`QUIRE_TEST_FULL=1` runs 40 readers for 60 seconds instead of 12 for 12.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from quire_engine import Engine
from quire_engine.records import Hit

from .partner import PATIENCE, Partner
from .telling_notes import WORDS, Vault, stands_in, take_over

FULL = bool(os.environ.get("QUIRE_TEST_FULL"))
READERS, SECONDS = (40, 60.0) if FULL else (12, 12.0)
OPERATIONS = ("edit", "add", "delete", "rename", "rename_folder", "rebuild", "lose_keywords")
CONSEQUENCES = ("split", "drain", "merge", "checkpoints")
LARGEST_LOG = 32 << 20
"""Bytes; the writer empties it from 4 MiB on, when readers let it."""


@contextmanager
def crowd(*arguments: str | Path) -> Iterator[Partner]:
    """A process of crowd.py that has said that it is ready; it is asked to end, and must end well."""
    partner = Partner("crowd.py", *arguments, OPENBLAS_NUM_THREADS="1")
    try:
        partner.hear()
        yield partner
        partner.end()
    finally:
        partner.kill()


def records(log: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert not (errors := [line["error"] for line in lines if "error" in line]), f"{log.name}: {errors[0]}"
    return lines


def test_readers_are_never_in_the_way_of_a_writer_nor_see_half_of_what_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer edits, adds, renames and deletes notes, moves folders, rebuilds the index, loses keywords.

    A hit must be a passage, word for word and line for line, of the version that was indexed at the
    result's generation, or of the next, whose sync may be under way.
    """
    monkeypatch.setenv("QUIRE_DATA_DIR", str(tmp_path / "data"))
    vault = tmp_path / "vault"
    vault.mkdir()
    with (
        crowd("write", vault, tmp_path / "writer") as writer,
        crowd("read", vault, tmp_path / "reader", str(READERS)),
    ):
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            writer.hear()
    *states, outcome = records(tmp_path / "writer")
    generations = [state["generation"] for state in states]
    assert generations == sorted(generations)

    searches = hits = 0
    lists: set[str] = set()
    for number in range(READERS):
        results = records(tmp_path / f"reader.{number}")
        assert len({result["generation"] for result in results}) > 1, "it saw nothing of what was written"
        seen = [result["generation"] for result in results]
        assert seen == sorted(seen), "an older state was seen after a newer one"
        for result in results:
            at = bisect_right(generations, result["generation"]) - 1
            possible = [state["notes"] for state in states[max(0, at) : at + 2]]
            fresh = [hit for hit in result["hits"] if not hit["stale"]]
            for path in {hit["path"] for hit in fresh}:
                of_note = [hit for hit in fresh if hit["path"] == path]
                states_of_note = [notes[path] for notes in possible if path in notes]
                assert any(all(stands_in(hit, state) for hit in of_note) for state in states_of_note), (
                    f"generation {result['generation']}: {of_note}, indexed: {states_of_note}"
                )
                assert not result["folders"] or path.split("/")[0] in result["folders"]
            lists.update(name for hit in fresh for name in hit["lists"])
            searches, hits = searches + 1, hits + len(result["hits"])
    assert lists == {"dense", "keyword"}
    done = outcome["done"]
    assert all(done.get(what) for what in OPERATIONS + CONSEQUENCES), done
    assert outcome["largest_log"] < LARGEST_LOG
    assert hits > searches
    print(
        f"{searches} searches, {hits} hits, {len(states)} syncs, {done}, {outcome['largest_log'] >> 20} MiB"
    )


def test_threads_share_an_engine_that_watches_its_vault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUIRE_DATA_DIR", str(tmp_path / "data"))
    take_over(monkeypatch.setattr)
    folder = tmp_path / "vault"
    folder.mkdir()
    vault = Vault(folder)
    written = [vault.notes.copy()]
    stop, synced = threading.Event(), threading.Event()
    seen: list[list[Hit]] = []
    errors: list[BaseException] = []

    def search(engine: Engine, seed: int) -> None:
        rng = random.Random(seed)
        try:
            while not stop.is_set():
                hits = engine.search(" ".join(rng.choices(WORDS, k=4))).hits
                seen.extend([hit for hit in hits if hit.path == path] for path in {hit.path for hit in hits})
        except BaseException as error:
            errors.append(error)

    with Engine.open(folder) as engine:
        watch = threading.Thread(target=engine.watch, args=(stop, lambda _: synced.set()), daemon=True)
        threads = [
            watch,
            *(threading.Thread(target=search, args=(engine, seed), daemon=True) for seed in range(4)),
        ]
        for thread in threads:
            thread.start()
        try:
            assert synced.wait(300)
            for action in [
                vault.edit,
                vault.rename,
                vault.edit,
                vault.delete,
                vault.add,
                vault.rename_folder,
            ] * 4:
                action()
                written.append(vault.notes.copy())
                assert engine.settle(300)
            assert engine.settle(300, thorough=True)  # the last events may not have been told yet
        finally:
            stop.set()
            for thread in threads:
                thread.join(PATIENCE / len(threads))
        assert not any(thread.is_alive() for thread in threads)
        assert not errors
        assert {path for path, *_ in engine.notes()} == vault.notes.keys()
    assert len(seen) > 100
    for of_note in seen:
        states = [notes[of_note[0].path] for notes in written if of_note[0].path in notes]
        assert any(all(stands_in(as_record(hit), state) for hit in of_note) for state in states), of_note


def as_record(hit: Hit) -> dict[str, Any]:
    return {"text": hit.text, "lines": [hit.start_line, hit.end_line], "headings": list(hit.headings)}
