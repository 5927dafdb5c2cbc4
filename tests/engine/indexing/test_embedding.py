"""Working off the embedding queue, alone and beside others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from counting_embedder import CountingEmbedder

from quire_engine import Engine
from quire_engine.indexing import embedding as module
from quire_engine.indexing.early import EarlyVectors
from quire_engine.indexing.embedding import Embedding
from quire_engine.progress import Meter
from quire_engine.records import SyncProgress

NOTES = 70


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QUIRE_DATA_DIR", str(tmp_path / "data"))
    folder = tmp_path / "vault"
    folder.mkdir()
    for number in range(NOTES):
        (folder / f"n{number:02}.md").write_text(f"Chest {number} holds {number} walnuts.\n")
    return folder


@pytest.fixture
def engine(vault: Path) -> Iterator[Engine]:
    """With every note indexed and none embedded."""
    with Engine.open(vault) as opened:
        opened._embedder = CountingEmbedder(opened.embedder())  # type: ignore[assignment]
        opened.sync(embed=False)
        yield opened


def passages(engine: Engine) -> list[str]:
    counting: Any = engine._embedder
    return counting.passages  # type: ignore[no-any-return]


def work(engine: Engine) -> Embedding:
    return engine._writers()[1]


def never() -> bool:
    return False


def test_everything_is_embedded_once_in_small_and_large_slabs(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LEAST_SLAB", 8)
    told: list[SyncProgress] = []
    assert work(engine).run(Meter(told.append), never, follow=False) == NOTES
    assert sorted(passages(engine)) == sorted(set(passages(engine)))
    assert engine.status().pending == 0
    counts = [p.done for p in told if p.stage == "embed"]
    assert counts == sorted(counts)
    assert counts[-1] == NOTES


def test_the_same_text_in_many_notes_is_embedded_once(
    engine: Engine, vault: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when it is in the slab that is being embedded while the next one is chosen."""
    monkeypatch.setattr(module, "_LEAST_SLAB", 8)
    monkeypatch.setattr(module, "_MOST_SLAB", 8)
    for number in range(NOTES):
        text = "\n\n".join(f"# Part {part}\n\nOne of {part} boxes." for part in range(number % 5))
        (vault / f"n{number:02}.md").write_text(f"Chest {number} holds walnuts.\n\n{text}\n")
    engine.sync(embed=False)
    assert work(engine).run(Meter(None), never, follow=False) == NOTES + 4
    assert len(passages(engine)) == len(set(passages(engine))) == NOTES + 4
    assert engine.status().pending == 0
    assert engine.status().vectors == engine.status().chunks == NOTES + sum(n % 5 for n in range(NOTES))


def test_an_interruption_keeps_what_was_made(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LEAST_SLAB", 8)
    monkeypatch.setattr(module, "_MOST_SLAB", 8)
    done = work(engine).run(Meter(None), lambda: len(passages(engine)) >= 20, follow=False)
    assert 20 <= done < NOTES
    assert engine.status().vectors == done
    assert work(engine).run(Meter(None), never, follow=False) == NOTES - done
    assert len(passages(engine)) == NOTES


def test_newest_notes_come_first(engine: Engine, vault: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (vault / "Newest.md").write_text("The newest note speaks of hazelnuts.\n")
    engine.sync(embed=False)
    work(engine).run(Meter(None), never, follow=False)
    assert "hazelnuts" in "".join(passages(engine)[:2])


def test_only_one_of_two_engines_embeds_and_the_other_may_wait(engine: Engine, vault: Path) -> None:
    begun, go = threading.Event(), threading.Event()

    def slowly() -> bool:
        begun.set()
        return not go.wait(30)

    with Engine.open(vault) as other:
        other._embedder = CountingEmbedder(other.embedder())  # type: ignore[assignment]
        first = threading.Thread(target=lambda: work(engine).run(Meter(None), slowly, follow=False))
        with engine._writers()[0]._desk.leading("embedding") as ours:
            assert ours
            assert work(other).run(Meter(None), never, follow=False) == 0
        first.start()
        assert begun.wait(30)
        threading.Timer(0.2, go.set).start()
        other.sync()
        first.join(30)
        assert other.status().pending == 0
        assert sorted([*passages(engine), *passages(other)]) == sorted(
            set(passages(engine) + passages(other))
        )


def test_who_waits_takes_over_when_the_other_stops(engine: Engine, vault: Path) -> None:
    with Engine.open(vault) as other:
        lease = engine._writers()[0]._desk.leading("embedding")
        lease.__enter__()
        threading.Timer(0.5, lambda: lease.__exit__(None, None, None)).start()
        assert other.sync().pending == 0
        assert other.status().vectors == NOTES


def test_who_gets_nowhere_is_not_waited_for(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.1)
    with engine._writers()[0]._desk.leading("embedding") as ours, Engine.open(engine._vault) as other:
        assert ours
        assert other.sync().pending == NOTES


class TestEarlyVectors:
    def test_a_search_embeds_its_best_candidates_and_the_queue_takes_them(self, engine: Engine) -> None:
        result = engine.search("walnuts in chest 12")
        assert result.incomplete
        assert {signal.name for signal in result.hits[0].trace.signals} >= {"dense", "keyword"}
        early = len(passages(engine))
        assert 0 < early < NOTES
        assert "Chest 12 holds 12 walnuts." in passages(engine)
        engine.search("walnuts in chest 12")
        assert len(passages(engine)) == early
        engine.sync()
        assert len(passages(engine)) == NOTES
        assert not engine.search("walnuts in chest 12").incomplete

    def test_they_are_kept_within_bounds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(EarlyVectors, "_MOST", 3)
        early = EarlyVectors()
        row = np.ones(4, np.float32)
        early.keep({1: row, 2: row})
        early.keep({3: row, 4: row})
        assert early.get([1, 2, 3, 4]).keys() == {1, 2}
        assert early.take().keys() == {1, 2}
        assert early.take() == {}


def test_who_waits_for_an_answer_has_few_vectors_made_and_no_names_looked_for(
    engine: Engine, vault: Path
) -> None:
    assert engine.sync(few=NOTES - 1).pending == NOTES
    (vault / "n00.md").write_text("The chest is gone. See [[n01]].\n")
    assert engine.sync(few=NOTES).pending == 0
    queued = "SELECT count(*) FROM entity_queue"
    assert engine._reader._value(queued) == NOTES
    engine.sync()
    assert engine._reader._value(queued) == 0
