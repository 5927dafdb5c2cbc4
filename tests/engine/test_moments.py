"""Dates and ages as typed."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_engine.moments import ago, moment


@pytest.mark.parametrize(
    ("amount", "unit", "expected"),
    [
        (7, "d", datetime(2024, 3, 24)),
        (2, "w", datetime(2024, 3, 17)),
        (1, "m", datetime(2024, 2, 29)),
        (3, "m", datetime(2023, 12, 31)),
        (1, "y", datetime(2023, 3, 31)),
    ],
)
def test_counts_back_by_the_calendar(amount: int, unit: str, expected: datetime) -> None:
    assert ago(amount, unit, now=datetime(2024, 3, 31).timestamp()) == expected


def test_a_leap_day_a_year_ago_was_the_day_before() -> None:
    assert ago(1, "y", now=datetime(2024, 2, 29).timestamp()) == datetime(2023, 2, 28)


def test_an_age_is_counted_from_the_given_moment() -> None:
    now = datetime(2024, 3, 31, 12).timestamp()
    assert moment(" 2W ", now) == datetime(2024, 3, 17, 12).timestamp()
    assert moment("2024-05-31", now) == datetime(2024, 5, 31).timestamp()
    assert moment("1970-01-02T00:00:00Z", now) == 86400.0


@pytest.mark.parametrize("text", ["", "7", "7x", "-3d", "2024-13-01", "99999y", "9" * 50 + "d", "\x1b[31m"])
def test_anything_else_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="is no date: give a date as"):
        moment(text)


@given(st.text())
def test_and_nothing_but_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert isinstance(moment(text), float)
