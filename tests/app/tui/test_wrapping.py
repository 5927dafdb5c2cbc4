"""Lines cut into rows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from quire.tui.widgets.wrapping import rows, shown


class TestRows:
    @given(st.text(alphabet=st.sampled_from("ab  ä緑色é\u0301")), st.integers(2, 12))
    def test_pieces_make_the_line_and_fit(self, line: str, width: int) -> None:
        pieces = rows(line, width)
        assert "".join(line[a:b] for a, b in pieces) == line
        assert all(cell_len(line[a:b].rstrip(" ")) <= width for a, b in pieces)
        assert all(a < b for a, b in pieces) or pieces == [(0, 0)]

    def test_cut_comes_after_a_space(self) -> None:
        line = "the quick brown fox"
        assert [line[a:b] for a, b in rows(line, 10)] == ["the quick ", "brown fox"]

    def test_long_word_is_cut(self) -> None:
        assert rows("abcdefgh", 3) == [(0, 3), (3, 6), (6, 8)]

    def test_wide_characters_take_two_columns(self) -> None:
        assert rows("緑色緑色", 4) == [(0, 2), (2, 4)]

    def test_empty_line_is_one_row(self) -> None:
        assert rows("", 10) == [(0, 0)]

    def test_no_room_still_ends(self) -> None:
        assert len(rows("緑色", -3)) == 2


class TestShown:
    def test_tabs_and_controls(self) -> None:
        assert shown("\ta\x1b[2J") == "    a�[2J"
