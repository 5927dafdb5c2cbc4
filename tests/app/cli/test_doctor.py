"""``quire doctor``."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quire.cli.terminal import cells
from quire_engine import locations

Quire = Callable[..., Any]


@pytest.fixture
def indexed(quire: Quire, own_vault: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A vault with an index that may be damaged."""
    monkeypatch.setenv("QUIRE_DATA_DIR", str(tmp_path / "data"))
    previous = os.umask(0o077)
    try:
        assert quire("index", str(own_vault)).code == 0
    finally:
        os.umask(previous)
    return own_vault


def remove_segments(vault: Path) -> None:
    for file in locations.index_dir(vault).glob("keywords-*/*.seg"):
        file.unlink()


class TestDoctor:
    def test_a_sound_installation_is_done(self, quire: Quire) -> None:
        outcome = quire("doctor")
        assert outcome.code == 0
        assert "sqlite" in outcome.out
        assert "wrong" not in outcome.out

    def test_names_what_is_wrong_and_fails(self, quire: Quire, tmp_path: Path) -> None:
        outcome = quire("doctor", "--vault", str(tmp_path / "gone"))
        assert outcome.code == 1
        assert "wrong vault:" in outcome.out
        assert "→" in outcome.out

    def test_json(self, quire: Quire, tmp_path: Path) -> None:
        record = quire("doctor", "--json", "--vault", str(tmp_path / "gone")).json
        assert record["schema"] == "quire.doctor/1"
        assert record["ok"] is False
        assert {finding["name"]: finding["ok"] for finding in record["findings"]}["vault"] is False
        assert record["repairs"] == []
        assert [finding["name"] for finding in record["left"]] == ["vault"]

    def test_a_damaged_index_comes_with_the_command_that_mends_it(self, quire: Quire, indexed: Path) -> None:
        remove_segments(indexed)
        outcome = quire("doctor", "--vault", str(indexed))
        assert outcome.code == 1
        assert next(line for line in outcome.out.splitlines() if line.startswith("wrong")).startswith(
            "wrong keywords:"
        )
        assert "→ quire doctor --fix" in outcome.out

    def test_names_from_the_vault_are_inert(self, quire: Quire, indexed: Path, tmp_path: Path) -> None:
        hostile = tmp_path / "red\x1b[31m"
        outcome = quire("doctor", "--vault", str(hostile))
        assert outcome.code == 1
        assert "\x1b" not in outcome.out
        assert "\\x1b[31m" in outcome.out

    def test_lines_fit_the_width(self, quire: Quire, indexed: Path) -> None:
        lines = quire("doctor", "--vault", str(indexed)).out.splitlines()
        assert max(map(cells, lines)) <= 100
        assert all(line.startswith(("ok    ", "wrong ", "      ")) for line in lines)


class TestFix:
    def test_mends_says_what_it_did_and_looks_again(self, quire: Quire, indexed: Path) -> None:
        remove_segments(indexed)
        outcome = quire("doctor", "--fix", "--vault", str(indexed))
        assert outcome.code == 0
        told = [line.split(":")[0] for line in outcome.out.splitlines() if " keywords: " in line]
        assert told == ["wrong keywords", "fixed keywords", "ok    keywords"]
        assert quire("doctor", "--vault", str(indexed)).code == 0
        assert quire("search", "roses", "--vault", str(indexed)).code == 0

    def test_nothing_to_mend_is_done(self, quire: Quire, indexed: Path) -> None:
        outcome = quire("doctor", "--fix", "--vault", str(indexed))
        assert outcome.code == 0
        assert "fixed" not in outcome.out

    def test_what_it_cannot_mend_still_fails(
        self, quire: Quire, indexed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A damaged model is kept: it may have cost its user an hour."""
        monkeypatch.setenv("QUIRE_MODELS_DIR", str(tmp_path))
        model = tmp_path / "own.gguf"
        model.write_bytes(b"GGUF\x03\0\0\0 and no more")
        remove_segments(indexed)
        outcome = quire("doctor", "--fix", "--vault", str(indexed))
        assert outcome.code == 1
        assert "fixed keywords:" in outcome.out
        assert "wrong model own" in outcome.out
        assert model.exists()

    def test_without_a_vault_permissions_are_mended(self, quire: Quire, indexed: Path) -> None:
        index = locations.index_dir(indexed)
        folders = (locations.data_dir(), index.parent, index)
        for folder in folders:
            folder.chmod(0o755)
        outcome = quire("doctor", "--fix")
        assert outcome.code == 0
        assert "none chosen" in outcome.out
        told = [line.split(":")[0] for line in outcome.out.splitlines() if " permissions: " in line]
        assert told == ["wrong permissions", "fixed permissions", "ok    permissions"]
        assert index.stat().st_mode & 0o077 == 0

    def test_json(self, quire: Quire, indexed: Path) -> None:
        remove_segments(indexed)
        outcome = quire("doctor", "--fix", "--json", "--vault", str(indexed))
        assert outcome.code == 0
        record = outcome.json
        assert record["ok"] is True
        found = {finding["name"]: finding for finding in record["findings"]}
        assert found["keywords"]["ok"] is False
        assert found["keywords"]["remedy"] == "keywords"
        assert found["vectors"]["remedy"] is None
        assert [(repair["remedy"], repair["ok"]) for repair in record["repairs"]] == [("keywords", True)]
        assert record["left"] == []

    def test_who_writes_is_named(self, quire: Quire, indexed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from quire_engine.index.lock import write_lock

        monkeypatch.setattr("quire_engine.doctor.repairs._WAIT", 0.0)
        remove_segments(indexed)
        with write_lock(locations.index_dir(indexed), 0):
            outcome = quire("doctor", "--fix", "--vault", str(indexed))
        assert outcome.code == 1
        assert str(os.getpid()) in outcome.err
        assert "updating this vault's index" in outcome.err

    def test_json_is_printed_while_another_writes(
        self, quire: Quire, indexed: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from quire_engine.index.lock import write_lock

        monkeypatch.setattr("quire_engine.doctor.repairs._WAIT", 0.0)
        remove_segments(indexed)
        with write_lock(locations.index_dir(indexed), 0):
            outcome = quire("doctor", "--fix", "--json", "--vault", str(indexed))
        assert outcome.code == 1
        assert outcome.json["repairs"] == []
        assert [finding["name"] for finding in outcome.json["left"]] == ["keywords"]
        assert "updating this vault's index" in outcome.err
