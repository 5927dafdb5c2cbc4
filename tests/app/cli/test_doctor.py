"""``quire doctor``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Quire = Callable[..., Any]


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
