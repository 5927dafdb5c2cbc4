"""What the examination of an installation finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from quire_engine import locations
from quire_engine.doctor import Finding, diagnose
from quire_engine.index.database import FILE_NAME, connect
from quire_engine.settings import EmbeddingSettings, Settings


@pytest.fixture(autouse=True)
def own_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QUIRE_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("QUIRE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("QUIRE_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    folder = tmp_path / "vault"
    folder.mkdir()
    (folder / "note.md").write_text("# Note\n\nText.\n")
    return folder


def examined(vault: Path | None, settings: Settings | None = None) -> dict[str, Finding]:
    return {finding.name: finding for finding in diagnose(vault, settings or Settings())}


class TestMachine:
    def test_a_working_installation_is_sound(self, vault: Path) -> None:
        findings = examined(vault)
        assert [finding for finding in findings.values() if not finding.ok] == []
        assert "sqlite-vec" in findings["sqlite"].detail
        assert "torch" in findings["packages"].detail
        assert "intact" in findings["embedding model"].detail

    def test_an_unknown_embedding_model_is_wrong(self) -> None:
        settings = Settings(embedding=EmbeddingSettings(model="no-such-model"))
        finding = examined(None, settings)["embedding model"]
        assert not finding.ok
        assert "no-such-model" in finding.detail

    def test_changes_nothing(self, vault: Path) -> None:
        examined(vault)
        assert not locations.data_dir().exists()


class TestVault:
    def test_none_is_no_fault(self) -> None:
        findings = examined(None)
        assert findings["vault"].ok
        assert "--vault" in findings["vault"].advice
        assert "index" not in findings

    def test_a_missing_one_is(self, tmp_path: Path) -> None:
        finding = examined(tmp_path / "gone")["vault"]
        assert not finding.ok
        assert "does not exist" in finding.detail


class TestIndex:
    def test_one_that_was_not_made_yet_is_no_fault(self, vault: Path) -> None:
        finding = examined(vault)["index"]
        assert finding.ok
        assert "quire index" in finding.advice

    def test_a_sound_one_is_intact(self, vault: Path) -> None:
        folder = locations.private_dir(locations.index_dir(vault))
        connect(folder, writable=True).close()
        assert examined(vault)["index"].ok

    def test_a_damaged_one_is_found_with_the_way_out(self, vault: Path) -> None:
        folder = locations.private_dir(locations.index_dir(vault))
        (folder / FILE_NAME).write_bytes(b"SQLite format 3\0" + b"rubbish" * 1000)
        finding = examined(vault)["index"]
        assert not finding.ok
        assert "--rebuild" in finding.detail + finding.advice

    def test_one_of_a_newer_quire_is_found(self, vault: Path) -> None:
        folder = locations.private_dir(locations.index_dir(vault))
        connection = connect(folder, writable=True)
        connection.execute("INSERT INTO migrations VALUES (999, 'from the future', 0)")
        connection.close()
        finding = examined(vault)["index"]
        assert not finding.ok
        assert "newer" in finding.detail
