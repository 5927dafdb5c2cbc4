"""Repairs among other processes, and when they fail."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import index_rows
import pytest

from quire_engine.doctor import Remedy, diagnose_index
from quire_engine.errors import IndexLockedError, ModelError

from .conftest import Patient, wrong

_HOLD = """
import sys
from pathlib import Path
from quire_engine.index.lock import write_lock
with write_lock(Path(sys.argv[1]), 0):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def writer(patient: Patient) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the write lock."""
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(patient.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    assert holder.stdout.readline() == "held\n"
    yield holder
    holder.stdin.close()
    holder.wait()
    holder.stdout.close()


class TestOthers:
    def test_who_writes_is_named_and_nothing_is_changed(
        self, patient: Patient, writer: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("quire_engine.doctor.repairs._WAIT", 0.0)
        patient.sql("UPDATE shards SET count = count + 1")
        before = patient.folder.joinpath("index.sqlite3").read_bytes()
        found = patient.examined()
        assert wrong(found) == {"vectors"}
        with pytest.raises(IndexLockedError, match=str(writer.pid)):
            patient.mended(found)
        assert patient.folder.joinpath("index.sqlite3").read_bytes() == before

    def test_an_open_engine_goes_on_after_its_database_was_replaced(self, patient: Patient) -> None:
        from quire_engine import Engine

        with Engine.open(patient.vault) as engine:
            assert engine.search("herb number 3", limit=1).hits
            patient.sql("DROP TABLE blocks")
            found = {finding.name: finding for finding in diagnose_index(patient.vault, patient.settings)}
            assert [one.ok for one in patient.mended(found)] == [True]
            assert engine.search("herb number 3", limit=1).hits
            assert engine.sync().unchanged == 12


class TestFailures:
    def test_what_could_not_be_mended_is_told_and_the_rest_goes_on(
        self, patient: Patient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        patient.sql("UPDATE embeddings SET vector = x'00fe' WHERE id = 2")
        patient.sql("INSERT INTO entity_queue VALUES (67890)")
        found = patient.examined()
        assert wrong(found) == {"embeddings", "rows"}

        def fails(texts: object) -> None:
            raise ModelError("no memory for the model")

        monkeypatch.setattr(patient.embedder, "embed_passages", fails)
        done = {one.remedy: one for one in patient.mended(found)}
        assert done[Remedy.ROWS].ok
        assert not done[Remedy.EMBEDDINGS].ok
        assert "no memory" in done[Remedy.EMBEDDINGS].detail
        monkeypatch.undo()

    def test_without_a_usable_model_what_needs_none_is_mended(
        self, patient: Patient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        patient.sql("INSERT INTO entity_queue VALUES (67890)")
        (patient.folder / "index.sqlite3").chmod(0o644)
        (patient.folder / "keywords-whoosh-1").mkdir()
        found = patient.examined()

        def fails(settings: object) -> None:
            raise ModelError("the model is not there; get it again")

        monkeypatch.setattr("quire_engine.doctor.repairs.shared_embedder", fails)
        done = {one.remedy: one for one in patient.mended(found)}
        assert {remedy: one.ok for remedy, one in done.items()} == {
            Remedy.PERMISSIONS: True,
            Remedy.ROWS: False,
            Remedy.LEFTOVERS: True,
        }
        assert done[Remedy.ROWS].detail == "the model is not there; get it again"

    @pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("whatever")])
    def test_any_failure_is_told_and_the_rest_goes_on(
        self, patient: Patient, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        patient.sql("INSERT INTO entity_queue VALUES (67890)")
        (patient.folder / "index.sqlite3").chmod(0o644)
        (patient.folder / "keywords-whoosh-1").mkdir()
        found = patient.examined()

        def fails(*arguments: object) -> None:
            raise error

        monkeypatch.setattr("quire_engine.doctor.repairs.tighten", fails)
        monkeypatch.setattr("quire_engine.doctor.repairs.remove", fails)
        done = {one.remedy: one for one in patient.mended(found)}
        assert done[Remedy.ROWS].ok
        assert not done[Remedy.PERMISSIONS].ok
        assert not done[Remedy.LEFTOVERS].ok
        assert str(error) in done[Remedy.LEFTOVERS].detail

    def test_without_notes_a_damaged_database_is_left_as_it_is(
        self, patient: Patient, tmp_path: Path
    ) -> None:
        """An unmounted drive is an empty folder."""
        empty = tmp_path / "vault"
        empty.mkdir()
        own = Patient(empty, patient.embedder)
        patient.folder.rename(own.folder)
        (own.folder / "index.sqlite3").write_bytes(b"rubbish" * 1000)
        found = own.examined()
        assert wrong(found) == {"index"}
        (done,) = own.mended(found)
        assert not done.ok
        assert "mounted" in done.detail
        assert (own.folder / "index.sqlite3").read_bytes() == b"rubbish" * 1000

    def test_many_wrong_embeddings_are_found_from_a_few(
        self, patient: Patient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Vectors of other texts, in both tables: only the model can tell."""
        before = index_rows.rows(patient.folder)
        monkeypatch.setattr("quire_engine.doctor.stored.SAMPLE", 4)
        with patient.database() as db:
            vectors = [row[0] for row in db.execute("SELECT vector FROM embeddings ORDER BY id")]
            for number, vector in enumerate([*vectors[1:], vectors[0]], start=1):
                db.execute("UPDATE embeddings SET vector = ? WHERE id = ?", (vector, number))
            db.execute("DROP TABLE vectors")
            for part in ("info", "chunks", "rowids", "vector_chunks00"):
                db.execute(f"DROP TABLE IF EXISTS vectors_{part}")
            db.execute("DELETE FROM shards")
            db.execute("DELETE FROM shard_members")
        from quire_engine.index.store import IndexWriter

        with patient.database() as db:
            IndexWriter(db, patient.embedder.fingerprint, patient.embedder.dimensions)
        found = patient.examined()
        assert wrong(found) == {"embeddings"}
        assert "there may be more" in found["embeddings"].detail
        assert [(one.remedy, one.ok) for one in patient.mended(found)] == [(Remedy.EMBEDDINGS, True)]
        assert index_rows.differences(before, index_rows.rows(patient.folder)) == ""
        assert wrong(patient.examined()) == set()
