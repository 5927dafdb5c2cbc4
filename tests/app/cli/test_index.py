"""``quire index`` and ``quire status`` on real vaults."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quire.cli.index import summary
from quire_engine import locations
from quire_engine.records import SyncReport

Quire = Callable[..., Any]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


class TestIndex:
    def test_says_what_it_did(self, quire: Quire, own_vault: Path) -> None:
        outcome = quire("index", str(own_vault))
        assert outcome.code == 0
        assert outcome.out.startswith("5 added; ")
        assert quire("index", "--vault", str(own_vault)).out.startswith("nothing changed; 5 notes as before")

    def test_json(self, quire: Quire, own_vault: Path) -> None:
        record = quire("index", str(own_vault), "--json").json
        assert record["schema"] == "quire.index/1"
        assert record["added"] == 5
        assert record["pending"] == 0

    def test_rebuilds_from_nothing(self, quire: Quire, own_vault: Path) -> None:
        quire("index", str(own_vault))
        assert quire("index", str(own_vault), "--rebuild", "--json").json["added"] == 5

    def test_a_rebuild_heals_a_damaged_index(self, quire: Quire, own_vault: Path) -> None:
        quire("index", str(own_vault))
        for file in locations.index_dir(own_vault).glob("*.sqlite3*"):
            file.write_bytes(b"rubbish" * 1000)
        damaged = quire("index", str(own_vault))
        assert damaged.code == 1
        assert "quire doctor --fix" in damaged.err
        assert quire("index", str(own_vault), "--rebuild", "--json").json["added"] == 5
        assert quire("search", "roses", "--vault", str(own_vault)).code == 0

    def test_forgets_a_place(self, quire: Quire, own_vault: Path) -> None:
        quire("index", str(own_vault))
        name = next(file.name for file in own_vault.glob("*.md"))
        outcome = quire("index", str(own_vault), "--forget", name)
        assert (outcome.code, outcome.out) == (0, "1 note forgotten\n")
        assert quire("index", str(own_vault), "--forget", "nowhere").code == 3
        assert quire("index", str(own_vault), "--forget", name, "--rebuild").code == 2
        assert quire("index", str(own_vault), "--json").json["added"] == 1

    def test_leaves_the_vault_alone(self, quire: Quire, own_vault: Path) -> None:
        before = contents(own_vault)
        quire("index", str(own_vault))
        assert contents(own_vault) == before

    def test_an_empty_vault_is_no_failure(self, quire: Quire, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        assert quire("index", str(tmp_path / "empty")).code == 0
        assert quire("search", "x", "--vault", str(tmp_path / "empty")).code == 3

    def test_names_a_note_that_was_skipped(
        self, quire: Quire, own_vault: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("QUIRE_SCAN__MAX_NOTE_BYTES", "1000")
        (own_vault / "Big.md").write_text("words " * 1000)
        outcome = quire("index", str(own_vault))
        assert "skipped Big.md" in outcome.err
        assert quire("status", "--json", "--vault", str(own_vault)).json["skipped"][0]["path"] == "Big.md"


class TestSummary:
    def test_names_only_what_happened(self) -> None:
        report = SyncReport(
            added=1, renamed=2, unchanged=3, chunks=4, embedded=1, reused=3, pending=5, seconds=2
        )
        assert summary(report) == (
            "1 added, 2 renamed; 3 notes as before; 4 passages written (1 embedded, 3 reused); "
            "5 passages without a vector yet; 0:02"
        )


class TestStatus:
    def test_json_counts_what_is_there(self, quire: Quire, vault: Path) -> None:
        record = quire("status", "--json", "--vault", str(vault)).json
        assert record["schema"] == "quire.status/1"
        assert record["notes"] == 5
        assert record["pending"] == 0
        assert {topic["topic"]: topic["notes"] for topic in record["topics"]}["Garden"] == 2

    def test_people_see_the_same(self, quire: Quire, vault: Path) -> None:
        outcome = quire("status", "--vault", str(vault))
        assert outcome.code == 0
        assert str(vault) in outcome.out
        assert "Garden" in outcome.out
        assert "2 notes" in outcome.out
