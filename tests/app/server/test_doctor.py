"""``quire doctor`` beside a background engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from quire.cli import doctor
from quire.client import EngineClient, Unavailable
from quire_engine import locations
from quire_engine.index.database import FILE_NAME, connect

from .conftest import Background


def destroy(vault: Path) -> None:
    """Overwrite the page at which the table of passages begins."""
    folder = locations.index_dir(vault)
    database = connect(folder, writable=True)
    page = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'chunks'").get
    size = database.execute("PRAGMA page_size").get
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    with (folder / FILE_NAME).open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xa5" * size)


class TestRunning:
    def test_an_engine_that_answers_is_sound(self, background: Background) -> None:
        assert background.run("search", "roses").returncode == 0
        finding = {one["name"]: one for one in background.json("doctor")["findings"]}["background engine"]
        assert finding["ok"]
        assert f"process {background.pid}" in finding["detail"]
        assert "of this build" in finding["detail"]

    def test_its_index_is_mended_under_it(self, background: Background) -> None:
        assert background.run("search", "roses").returncode == 0
        pid = background.pid
        destroy(background.vault)
        record = background.json("doctor", "--fix")
        assert record["ok"], record
        assert [repair["remedy"] for repair in record["repairs"]] == ["database"]
        found = background.json("search", "roses")
        assert found["hits"][0]["path"] == "Garden/Roses.md"
        assert background.pid == pid


class TestNotAnswering:
    def test_none_is_no_fault(self, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(EngineClient, "status", lambda client: None)
        assert doctor.background_engine().ok

    def test_one_of_another_build_is_replaced_anyway(self, monkeypatch: pytest.MonkeyPatch) -> None:
        told = {"pid": 7, "version": "0.0.1", "build": "another"}
        monkeypatch.setattr(EngineClient, "status", lambda client: told)
        finding = doctor.background_engine()
        assert finding.ok
        assert "another build" in finding.detail

    def test_one_that_does_not_answer_is_a_fault(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def status(client: EngineClient) -> None:
            raise Unavailable("it does not respond")

        monkeypatch.setattr(EngineClient, "status", status)
        finding = doctor.background_engine()
        assert not finding.ok
        assert finding.advice == "quire engine restart"
