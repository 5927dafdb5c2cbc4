"""Saved lines read as the note did, where they stood."""

from __future__ import annotations

import pytest

from quire_engine.quotes import headings_at, places
from quire_engine.records import FileStat, Note
from quire_engine.replaying.excerpts import (
    MOST_LINES,
    Excerpt,
    SavedNote,
    problem_of,
    restore_note,
    save_note,
)
from quire_engine.vault.parser import parse

TEXT = """# Atlas

Ships in March.

## Crew

Ada steers. %%Bob is ill.%% Carl cooks.

- rope
- tar

## Cargo

Tea and salt.
"""


def note(text: str = TEXT) -> Note:
    return parse("Atlas.md", text.encode(), FileStat(1, 1, 1))


class TestRestoring:
    @pytest.mark.parametrize("where", [[(7, 7)], [(3, 3), (9, 10)], [(14, 14), (3, 5)], [(1, 15)], [(7, 99)]])
    def test_saved_lines_stand_where_they_stood(self, where: list[tuple[int, int]]) -> None:
        whole = note()
        kept = restore_note(save_note(whole, where)).text.split("\n")
        for first, last in where:
            assert kept[first - 1 : last] == whole.text.split("\n")[first - 1 : last]

    def test_other_lines_are_empty(self) -> None:
        kept = restore_note(save_note(note(), [(9, 9)])).text
        assert kept == "\n" * 8 + "- rope"

    @pytest.mark.parametrize("quote", ["Ships in March.", "Ada steers.", "tar", "Tea and salt."])
    def test_quotes_have_the_headings_that_they_had(self, quote: str) -> None:
        whole = note()
        kept = restore_note(save_note(whole, [(1, 3), (7, 10), (14, 14)]))
        (then,), (now,) = (list(places(each.text, quote, to_line_end=True)) for each in (whole, kept))
        assert now[1] == then[1]
        assert headings_at(kept, now[0], ()) == headings_at(whole, then[0], ()) != ()

    def test_comments_stay_comments(self) -> None:
        kept = restore_note(save_note(note(), [(7, 7)]))
        assert [kept.text[span.start : span.end] for span in kept.comments] == ["%%Bob is ill.%%"]

    def test_lines_beyond_the_note_are_none(self) -> None:
        assert save_note(note(), [(40, 41)]).excerpts == ()


class TestProblems:
    def test_what_was_saved_has_none(self) -> None:
        assert problem_of(save_note(note(), [(1, 2), (5, 7), (14, 14)])) is None

    @pytest.mark.parametrize(
        "excerpts",
        [
            (Excerpt(0, "a"),),
            (Excerpt(-5, "a"),),
            (Excerpt(MOST_LINES + 1, "a"),),
            (Excerpt(5, "a\nb"), Excerpt(6, "b")),
            (Excerpt(5, "a"), Excerpt(2, "b")),
        ],
    )
    def test_lines_that_cannot_be(self, excerpts: tuple[Excerpt, ...]) -> None:
        assert problem_of(SavedNote("a.md", "00", excerpts))

    def test_a_hash_that_is_none(self) -> None:
        assert problem_of(SavedNote("a.md", "\x1b[31m", ()))
