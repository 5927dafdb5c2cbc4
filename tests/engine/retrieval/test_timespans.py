"""The time that a question names."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_engine.retrieval.timespans import time_of

NOW = datetime(2024, 6, 15, 12)  # a Saturday


def day(year: int, month: int, day: int, hour: int = 0) -> datetime:
    return datetime(year, month, day, hour)


@pytest.mark.parametrize(
    ("text", "since", "before"),
    [
        ("what did I do yesterday", day(2024, 6, 14), day(2024, 6, 15)),
        ("notes from today", day(2024, 6, 15), day(2024, 6, 16)),
        ("what happened last week?", day(2024, 6, 3), day(2024, 6, 10)),
        ("this week's plans", day(2024, 6, 10), day(2024, 6, 17)),
        ("last month", day(2024, 5, 1), day(2024, 6, 1)),
        ("this year", day(2024, 1, 1), day(2025, 1, 1)),
        ("in the last 3 days", day(2024, 6, 12, 12), None),
        ("over the past month", day(2024, 5, 15, 12), None),
        ("two weeks ago", day(2024, 6, 1, 12), day(2024, 6, 8, 12)),
        ("what I wrote in 2023", day(2023, 1, 1), day(2024, 1, 1)),
        ("ideas since 2022", day(2022, 1, 1), None),
        ("ideas after 2022", day(2023, 1, 1), None),
        ("before 2020", None, day(2020, 1, 1)),
        ("from 2019 to 2021", day(2019, 1, 1), day(2022, 1, 1)),
        ("in March 2021", day(2021, 3, 1), day(2021, 4, 1)),
        ("meetings since March", day(2024, 3, 1), None),
        ("meetings in December", day(2023, 12, 1), day(2024, 1, 1)),
        ("was war gestern", day(2024, 6, 14), day(2024, 6, 15)),
        ("notes de la semaine dernière", day(2024, 6, 3), day(2024, 6, 10)),
        ("что было на прошлой неделе", day(2024, 6, 3), day(2024, 6, 10)),
        ("昨天的会议", day(2024, 6, 14), day(2024, 6, 15)),
        ("2021年以来的笔记", day(2021, 1, 1), None),
        ("پیش", None, None),
        ("the boundary layer", None, None),
        ("who won in 1945", None, None),
        ("in 2098", None, None),
        ("version 2023.1 in 20233", None, None),
        ("march of the ants", None, None),
    ],
)
def test_spans(text: str, since: datetime | None, before: datetime | None) -> None:
    (start, end), _ = time_of(text, NOW.timestamp())
    assert start == (since.timestamp() if since else None)
    assert end == (before.timestamp() if before else None)


@pytest.mark.parametrize(
    ("text", "recency"),
    [
        ("my latest notes on roses", 1.0),
        ("when did I last see Ada", 1.0),
        ("最近的笔记", 1.0),
        ("meine neuesten Notizen", 1.0),
        ("what did I do yesterday", 0.8),
        ("recent work on kilns", 0.5),
        ("what did we decide in 2023", 0.0),
        ("who was the last king", 0.0),
        ("alternating current", 0.0),
    ],
)
def test_recency(text: str, recency: float) -> None:
    assert time_of(text, NOW.timestamp())[1] == recency


@given(
    st.lists(
        st.sampled_from(
            "last past in since from to ago 999 2023 2024 years days week may an a couple of".split()
        )
        | st.text(max_size=5),
        max_size=12,
    ).map(" ".join),
    st.integers(0, 4_000_000_000),
)
def test_any_text_at_any_time(text: str, now: int) -> None:
    (since, before), recency = time_of(text, now)
    assert 0 <= recency <= 1
    assert since is None or before is None or since < before
