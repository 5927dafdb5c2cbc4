"""Dates, conditions and filters as typed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click
import pytest

from quire.cli.options import Condition, Moment, Seconds, filters
from quire.inquiry import Inquiry
from quire_engine.records import Filters


class TestMoment:
    def test_reads_an_iso_date_as_local_midnight(self) -> None:
        assert Moment().convert("2024-05-31", None, None) == datetime(2024, 5, 31).timestamp()

    def test_reads_an_iso_time_with_a_zone(self) -> None:
        assert Moment().convert("1970-01-02T00:00:00Z", None, None) == 86400.0

    @pytest.mark.parametrize(
        "text",
        ["garbage", "", "7", "7x", "-3d", "2024-13-01", "99999y", "999999d", "9" * 50 + "d", "\x1b[31m"],
    )
    def test_rejects_what_is_no_date(self, text: str) -> None:
        with pytest.raises(click.BadParameter, match="is no date"):
            Moment().convert(text, None, None)


class TestCondition:
    def test_splits_at_the_first_equals_sign(self) -> None:
        assert Condition().convert("formula = a=b", None, None) == ("formula", "a=b")

    def test_an_empty_value_is_a_value(self) -> None:
        assert Condition().convert("status=", None, None) == ("status", "")

    @pytest.mark.parametrize("text", ["status", "=done", " =x", ""])
    def test_rejects_what_is_no_pair(self, text: str) -> None:
        with pytest.raises(click.BadParameter, match="property=value"):
            Condition().convert(text, None, None)


class TestSeconds:
    def test_reads_a_number(self) -> None:
        assert [Seconds().convert(text, None, None) for text in ("0", "1.5")] == [0.0, 1.5]

    @pytest.mark.parametrize("text", ["nan", "inf", "-1", "soon", ""])
    def test_rejects_what_is_no_span(self, text: str) -> None:
        with pytest.raises(click.BadParameter):
            Seconds().convert(text, None, None)


class TestFilters:
    @staticmethod
    def restriction(*options: Any) -> Filters:
        """What the engine is given for these options."""
        return Inquiry.model_validate({"text": "x", "filters": filters(*options)}).restriction

    def test_nothing_given_restricts_nothing(self) -> None:
        assert self.restriction((), (), None, None, ()) == Filters()

    def test_folders_and_tags_lose_their_decoration(self) -> None:
        found = self.restriction(("./Projects/", "Areas\\Home"), ("#work", "area/home"), None, None, ())
        assert found == Filters(folders=("Projects", "Areas/Home"), tags=("work", "area/home"))

    def test_bytes_that_are_no_text_match_nothing_but_break_nothing(self) -> None:
        found = self.restriction(("a\udcff",), ("b\udcff",), None, None, (("c\udcff", "d\udcff"),))
        assert found == Filters(("a\ufffd",), ("b\ufffd",), where=(("c\ufffd", "d\ufffd"),))

    @pytest.mark.parametrize("folder", [".", "./", "/", ""])
    def test_the_vault_itself_is_no_restriction(self, folder: str) -> None:
        assert self.restriction((folder,), (), None, None, ()) == Filters()

    def test_a_preference_loses_its_decoration_and_restricts_nothing(self) -> None:
        found = self.restriction((), (), None, None, (), ("./Work/", "Areas\\Home", ".", "\udcff"))
        assert found == Filters(prefer=("Work", "Areas/Home", "\ufffd"))
