"""Times, sizes and counts in words."""

from __future__ import annotations

import pytest

from quire.cli.quantities import age, duration, size
from quire_engine.quantities import counted


class TestQuantities:
    @pytest.mark.parametrize(
        ("seconds", "text"), [(0, "0:00"), (7.4, "0:07"), (754, "12:34"), (11100, "3 h 05")]
    )
    def test_duration(self, seconds: float, text: str) -> None:
        assert duration(seconds) == text

    @pytest.mark.parametrize(
        ("count", "text"),
        [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (1117320736, "1.1 GB"), (2**50, "1,125.9 TB")],
    )
    def test_size(self, count: int, text: str) -> None:
        assert size(count) == text

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(5, "just now"), (61, "1 minute ago"), (7300, "2 hours ago"), (10**6, "11 days ago")],
    )
    def test_ages_are_words(self, seconds: float, text: str) -> None:
        assert age(seconds) == text

    def test_one_is_singular(self) -> None:
        assert [counted(n, "note") for n in (0, 1, 1200)] == ["0 notes", "1 note", "1,200 notes"]
