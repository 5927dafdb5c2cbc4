"""Where a passage stands in the note as it is now."""

from __future__ import annotations

import pytest

from quire.tui.places import Passage, Place, locate

TEXT = "one\ntwo\nthree\ntwo\nfive\n"


class TestLocate:
    def test_quote_at_its_lines(self) -> None:
        assert locate(TEXT, Place("n.md", 3, 3, "three")) == Passage(3, 3, 8, 13)

    @pytest.mark.parametrize(("line", "found"), [(1, 2), (2, 2), (4, 4), (9, 4)])
    def test_nearest_of_equal_quotes(self, line: int, found: int) -> None:
        passage = locate(TEXT, Place("n.md", line, line, "two"))
        assert passage is not None
        assert passage.start_line == found

    def test_quote_over_several_lines(self) -> None:
        passage = locate(TEXT, Place("n.md", 2, 3, "two\nthree\n"))
        assert passage is not None
        assert (passage.start_line, passage.end_line) == (2, 3)
        assert TEXT[passage.start : passage.end] == "two\nthree\n"

    def test_lost_quote(self) -> None:
        assert locate(TEXT, Place("n.md", 2, 2, "seven")) is None

    def test_lines_without_quote(self) -> None:
        assert locate(TEXT, Place("n.md", 2, 99)) == Passage(2, 6)
        assert locate(TEXT, Place("n.md", 99, 99)) is None

    def test_whole_note(self) -> None:
        assert locate(TEXT, Place("n.md")) is None
