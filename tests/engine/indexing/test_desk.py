"""The lock and the connection of the one who writes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quire_engine import Engine
from quire_engine.errors import IndexLockedError, StoreError
from quire_engine.index.lock import write_lock
from quire_engine.indexing.desk import Interrupted, WriteDesk
from quire_engine.inference.embedder import SentenceEmbedder
from quire_engine.locations import index_dir
from quire_engine.records import SyncReport
from quire_engine.settings import RetrievalSettings, Settings


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QUIRE_DATA_DIR", str(tmp_path / "data"))
    folder = tmp_path / "vault"
    folder.mkdir()
    (folder / "One.md").write_text("A heron waits. See [[Two]].\n")
    with Engine.open(folder) as engine:
        engine.sync(embed=False)
    return folder


@pytest.fixture
def desk(vault: Path, embedder: SentenceEmbedder) -> Iterator[WriteDesk]:
    opened = WriteDesk(index_dir(vault), embedder, "whoosh")
    yield opened
    opened.close()


def test_another_process_is_waited_for_as_long_as_is_wished(vault: Path, desk: WriteDesk) -> None:
    with write_lock(index_dir(vault), 1.0):
        with pytest.raises(IndexLockedError), desk.writing(0.1):
            pass
        with pytest.raises(Interrupted), desk.writing(60.0, lambda: True):
            pass
    with desk.writing(0.0), desk.writing(0.0):
        assert desk.store.count_notes() == 1


def test_another_thread_is_refused_meanwhile(desk: WriteDesk) -> None:
    errors: list[Exception] = []

    def write() -> None:
        try:
            with desk.writing(0.0):
                pass
        except IndexLockedError as error:
            errors.append(error)

    with desk.writing(0.0):
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    assert len(errors) == 1


def test_what_others_wrote_is_noticed(vault: Path, desk: WriteDesk) -> None:
    with desk.writing(0.0):
        applied = desk.keywords.applied
        seen = desk.foreign_writes
    with desk.writing(0.0):
        assert desk.foreign_writes == seen
    (vault / "Two.md").write_text("A tapir.\n")
    with Engine.open(vault) as other:
        other.sync(embed=False)
    with desk.writing(0.0):
        assert desk.foreign_writes == seen + 1
        assert desk.keywords.applied > applied
        assert desk.store.count_notes() == 2


def test_a_database_that_took_the_place_of_another_is_opened(vault: Path, desk: WriteDesk) -> None:
    with desk.writing(0.0):
        assert desk.store.count_notes() == 1
    for file in index_dir(vault).glob("index.sqlite3*"):
        file.unlink()
    with Engine.open(vault):
        pass
    with desk.writing(0.0):
        assert desk.store.count_notes() == 0


def test_after_closing_it_is_not_opened_again(desk: WriteDesk) -> None:
    desk.close()
    with pytest.raises(StoreError, match="closed"), desk.writing(0.0):
        pass


def test_two_engines_take_turns_and_both_see_everything(vault: Path) -> None:
    """Each keeps names, links and the keyword index between its syncs while the other writes."""
    with Engine.open(vault) as one, Engine.open(vault) as two:
        reports: list[SyncReport] = []
        for number in range(6):
            engine = (one, two)[number % 2]
            (vault / f"Note {number}.md").write_text(f"Number {number} leads to [[Note {number + 1}]].\n")
            reports.append(engine.sync(embed=False))
        (vault / "Note 3.md").rename(vault / "Three.md")
        one.sync(embed=False)
        two.sync(embed=False)
        assert [report.added for report in reports] == [1] * 6
        for engine in (one, two):
            assert engine.backlinks("Note 2.md") == ["Note 1.md"]
            assert engine.backlinks("Note 5.md") == ["Note 4.md"]
            assert engine.backlinks("Note 3.md") == []
            assert engine.search("number 3").hits[0].path == "Three.md"


def test_a_table_that_another_model_made_anew_is_not_written_as_before(
    vault: Path, desk: WriteDesk, embedder: SentenceEmbedder
) -> None:
    """Vectors of two models in one table could not be compared."""

    class OtherModel:
        def __getattr__(self, name: str) -> Any:
            return "other" if name == "fingerprint" else getattr(embedder, name)

    with desk.writing(0.0), desk.store.transaction():
        chunk, digest, *_ = desk.store.queue(1)[0]
        desk.store.store_vectors([digest], np.ones((1, 384), np.float32), [chunk])
    other = WriteDesk(index_dir(vault), OtherModel(), "whoosh")  # type: ignore[arg-type]
    with other.writing(0.0):
        assert other.store.queued() == 1
        assert other.store.meta("fingerprint") == "other"
    other.close()
    with desk.writing(0.0):
        assert desk.store.meta("fingerprint") == embedder.fingerprint
        assert desk.store.queued() == 0  # its own vectors are known still


def test_links_that_another_left_undecided_are_decided_by_what_there_is_now(
    vault: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Engine.open(vault) as one, Engine.open(vault) as two:
        one.sync(embed=False)

        def die(*_: Any) -> None:
            raise KeyboardInterrupt

        (vault / "Two.md").write_text("A tapir.\n")
        with monkeypatch.context() as patch:
            patch.setattr("quire_engine.indexing.indexer.Indexer._finish", die)
            with pytest.raises(KeyboardInterrupt):
                two.sync(embed=False)
        one.sync(embed=False)
        assert one.backlinks("Two.md") == ["One.md"]


def test_a_reader_follows_a_database_that_was_made_anew(vault: Path) -> None:
    with Engine.open(vault) as reading:
        assert len(reading.notes()) == 1
        for file in index_dir(vault).glob("index.sqlite3*"):
            file.unlink()
        (vault / "Two.md").write_text("A tapir.\n")
        with Engine.open(vault) as other:
            other.sync(embed=False)
        assert len(reading.notes()) == 2


def test_a_search_without_its_keyword_index_says_so(vault: Path) -> None:
    with Engine.open(vault) as reading:
        reading.sync()
        assert not reading.search("heron").incomplete
        with Engine.open(vault, Settings(retrieval=RetrievalSettings(keywords="tantivy"))) as other:
            other.sync()
        assert reading.search("heron").incomplete
        reading.sync()
        assert not reading.search("heron").incomplete
