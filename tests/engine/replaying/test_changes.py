"""What became of passages, and what a note's changes alone make of the evidence."""

from __future__ import annotations

import zlib
from dataclasses import replace

from quire_engine.records import Hit, ScoreTrace
from quire_engine.replaying.changes import NoteChange, changes_between, with_edits_of


def hit(path: str, line: int, text: str, score: float = 1.0, headings: tuple[str, ...] = ()) -> Hit:
    identity = zlib.crc32(f"{path}:{line}:{text}".encode())
    return Hit(1, identity, path, path, headings, line, line, text, score, ".", ScoreTrace(()))


MARCH = hit("Atlas.md", 3, "Atlas ships in March with tea.", 0.9)
CREW = hit("Atlas.md", 7, "Ada steers the ship at night.", 0.5)
LOG = hit("Log.md", 2, "The harbour was calm all day.", 0.7)
THEN = (MARCH, LOG, CREW)


def changes(now: list[Hit], vault: list[Hit], then: tuple[Hit, ...] = THEN) -> dict[str, NoteChange]:
    found = changes_between(then, now, lambda path: [each for each in vault if each.path == path])
    return {change.path: change for change in found}


def kinds(change: NoteChange) -> list[str]:
    return [each.kind for each in change.passages]


class TestChanges:
    def test_there_are_none_where_nothing_changed(self) -> None:
        assert changes(list(THEN), list(THEN)) == {}

    def test_an_edited_passage_is_the_one_that_is_most_like_it(self) -> None:
        april = hit("Atlas.md", 3, "Atlas ships in April with tea.")
        now = [april, LOG, CREW]
        change = changes(now, [hit("Atlas.md", 1, "A note of the harbour."), *now])["Atlas.md"]
        assert kinds(change) == ["edited"]
        assert change.passages[0].now == april
        assert change.passages[0].diff == ("@@ -1 +1 @@", f"-{MARCH.text}", f"+{april.text}")
        assert change.edits

    def test_a_heading_that_changed_is_an_edit(self) -> None:
        under = replace(CREW, headings=("Night watch",))
        change = changes([MARCH, LOG, under], [MARCH, LOG, under])["Atlas.md"]
        assert kinds(change) == ["edited"]
        assert "+[Night watch]" in change.passages[0].diff

    def test_a_passage_on_other_lines_has_moved_and_says_the_same(self) -> None:
        below = hit("Log.md", 9, LOG.text)
        change = changes([MARCH, below, CREW], [MARCH, below, CREW])["Log.md"]
        assert kinds(change) == ["moved"]
        assert change.passages[0].diff == ()
        assert not change.edits

    def test_a_passage_that_nothing_is_like_is_gone(self) -> None:
        change = changes([LOG, CREW], [LOG, CREW, hit("Atlas.md", 3, "Nothing alike.")])["Atlas.md"]
        assert kinds(change) == ["gone"]
        assert (change.gone, change.edits) == (False, True)

    def test_a_note_that_is_gone(self) -> None:
        change = changes([MARCH, CREW], [MARCH, CREW])["Log.md"]
        assert kinds(change) == ["gone"]
        assert change.gone

    def test_a_renamed_note_takes_its_passages_along(self) -> None:
        renamed = hit("Logbook.md", 2, LOG.text)
        found = changes([MARCH, renamed, CREW], [MARCH, renamed, CREW])
        assert list(found) == ["Log.md"]
        assert kinds(found["Log.md"]) == ["moved"]
        assert (found["Log.md"].gone, found["Log.md"].edits) == (True, False)

    def test_what_is_found_now_and_was_not_then(self) -> None:
        new = hit("New.md", 1, "Tea came in May.")
        found = changes([new, *THEN], [new, *THEN])
        assert list(found) == ["New.md"]
        assert kinds(found["New.md"]) == ["entered"]

    def test_what_stands_and_is_not_found_any_more(self) -> None:
        change = changes([MARCH, LOG], list(THEN))["Atlas.md"]
        assert kinds(change) == ["left"]
        assert not change.edits

    def test_twins_are_told_apart_by_their_lines(self) -> None:
        twins = (hit("Log.md", 2, "Calm."), hit("Log.md", 8, "Calm."))
        assert changes(list(twins), [twins[1], twins[0]], twins) == {}


class TestOneNoteAlone:
    def test_other_notes_stay_as_they_were(self) -> None:
        april = hit("Atlas.md", 3, "Atlas ships in April with tea.", 0.8)
        storm = hit("Log.md", 2, "The harbour was wild all day.", 0.6)
        now = [april, storm, CREW]
        alone = with_edits_of(changes(now, now)["Atlas.md"], THEN, now, 10)
        assert [each.text for each in alone] == [april.text, LOG.text, CREW.text]
        assert [each.score for each in alone] == [0.8, 0.7, 0.5]
        assert [each.rank for each in alone] == [1, 2, 3]

    def test_an_edited_passage_that_is_not_found_keeps_its_score(self) -> None:
        april = hit("Atlas.md", 3, "Atlas ships in April with tea.", 0.0)
        now = [LOG, CREW]
        alone = with_edits_of(changes(now, [april, *now])["Atlas.md"], THEN, now, 10)
        assert (alone[0].text, alone[0].score) == (april.text, 0.9)

    def test_what_is_gone_is_missing_and_what_is_new_stands_by_its_score(self) -> None:
        new = hit("Atlas.md", 20, "Salt is loaded on Monday.", 0.6)
        now = [LOG, new, CREW]
        alone = with_edits_of(changes(now, now)["Atlas.md"], THEN, now, 10)
        assert alone == tuple(replace(each, rank=rank) for rank, each in enumerate((LOG, new, CREW), start=1))

    def test_there_are_no_more_than_were_searched_for(self) -> None:
        new = hit("New.md", 20, "Salt is loaded on Monday.", 0.6)
        now = [MARCH, LOG, new]
        alone = with_edits_of(changes(now, [*THEN, new])["New.md"], THEN, now, 3)
        assert [each.text for each in alone] == [MARCH.text, LOG.text, new.text]
