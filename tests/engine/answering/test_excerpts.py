from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_engine.answering.excerpts import (
    Piece,
    line_of,
    pieces,
    quotable,
    render,
    restricted,
    whole,
    with_needed,
)
from quire_engine.records import Hit, ScoreTrace


def hit(text: str, *sentences: str, kind: str = "text") -> Hit:
    starts = [text.index(sentence) for sentence in sentences]
    return Hit(
        rank=1, chunk_id=1, path="n.md", title="n", headings=(), start_line=5, end_line=5 + text.count("\n"),
        text=text, score=1.0, topic="", trace=ScoreTrace(()), kind=kind,
        sentences=tuple((start, start + len(part)) for start, part in zip(starts, sentences, strict=True)),
    )  # fmt: skip


def texts(found: Hit, parts: list[Piece]) -> list[str]:
    return [found.text[part.start : part.end] for part in parts]


def shown(found: Hit, *kept: int) -> str:
    return render(found, pieces(found), kept)


PROSE = hit(
    "Cats sleep. Dogs bark.\n\nBirds sing. Fish swim.",
    "Cats sleep.",
    "Dogs bark.",
    "Birds sing.",
    "Fish swim.",
)
TABLE = hit(
    "Prices:\n\n| what | cost |\n|---|---|\n| tea | 2 |\n| milk | 3 |\n\nThat is all.",
    "Prices:", "| tea | 2 |", "| milk | 3 |", "That is all.",
)  # fmt: skip
LIST = hit(
    "We need:\n\n- bread, which is white.\n  Not rye.\n  - with seeds\n- salt\n\nThanks.",
    "We need:", "bread, which is white.", "Not rye.", "with seeds", "salt", "Thanks.",
)  # fmt: skip
CODE = hit(
    "Run this. Then wait.\n\n```sh\nls\n\nrm x\n```\nDone.",
    "Run this.", "Then wait.", "```sh\nls\n\nrm x\n```", "Done.",
)  # fmt: skip


class TestPieces:
    def test_prose_is_cut_into_its_sentences(self) -> None:
        assert texts(PROSE, pieces(PROSE)) == ["Cats sleep.", "Dogs bark.", "Birds sing.", "Fish swim."]

    def test_a_row_needs_its_header_and_the_words_before_the_table(self) -> None:
        parts = pieces(TABLE)
        assert texts(TABLE, parts) == [
            "Prices:", "| what | cost |\n|---|---|", "| tea | 2 |", "| milk | 3 |", "That is all.",
        ]  # fmt: skip
        assert with_needed(parts, 3) == [3, 1, 0]
        assert with_needed(parts, 4) == [4]

    def test_an_item_stays_whole_and_needs_the_item_around_it_and_the_words_before_the_list(self) -> None:
        parts = pieces(LIST)
        assert texts(LIST, parts) == [
            "We need:", "- bread, which is white.\n  Not rye.", "  - with seeds", "- salt", "Thanks.",
        ]  # fmt: skip
        assert parts[1].sentences == (1, 2)
        assert with_needed(parts, 2) == [2, 1, 0]
        assert with_needed(parts, 3) == [3, 0]
        assert with_needed(parts, 4) == [4]

    def test_a_block_of_code_stays_whole(self) -> None:
        assert texts(CODE, pieces(CODE)) == ["Run this.", "Then wait.", "```sh\nls\n\nrm x\n```", "Done."]

    def test_an_item_can_be_taken_apart(self) -> None:
        assert texts(LIST, pieces(LIST, taken_apart=True)) == [
            "We need:", "bread, which is white.", "Not rye.", "with seeds", "salt", "Thanks.",
        ]  # fmt: skip
        assert all(part.needs is None for part in pieces(LIST, taken_apart=True))

    def test_a_row_keeps_its_header_and_code_stays_whole_even_then(self) -> None:
        assert with_needed(pieces(TABLE, taken_apart=True), 3) == [3, 1]
        assert pieces(CODE, taken_apart=True) == pieces(CODE)

    @pytest.mark.parametrize("found", [PROSE, TABLE, LIST, CODE], ids=["prose", "table", "list", "code"])
    def test_every_sentence_is_in_one_piece(self, found: Hit) -> None:
        inside = [sentence for part in pieces(found) for sentence in part.sentences]
        assert inside == list(range(len(found.sentences)))


LINES = st.sampled_from(
    ["", "Cats sleep.", "Dogs:", "- item", "  - nested", "1. first", "> quoted", "```", "$$", "| a | b |",
     "|---|---|", "    indented", "a | b", "%% hidden %%", "# Heading"]
)  # fmt: skip


class TestAnyText:
    @given(st.lists(LINES, max_size=14), st.booleans())
    def test_pieces_follow_each_other_and_hold_each_sentence_once(
        self, lines: list[str], taken_apart: bool
    ) -> None:
        text = "\n".join(lines)
        spans: list[tuple[int, int]] = []
        start = 0
        for line in lines:
            if any(char.isalpha() for char in line) and "%%" not in line:
                spans.append((start, start + len(line)))
            start += len(line) + 1
        found = replace(hit(text), sentences=tuple(spans))
        parts = pieces(found, taken_apart=taken_apart)
        assert all(one.end <= other.start for one, other in pairwise(parts))
        assert [sentence for part in parts for sentence in part.sentences] == list(range(len(spans)))
        assert all(part.needs is None or part.needs < place for place, part in enumerate(parts))
        assert "hidden" not in whole(found)


class TestRender:
    def test_all_pieces_make_the_text(self) -> None:
        for found in (PROSE, TABLE, LIST, CODE):
            assert shown(found, *range(len(pieces(found)))) == found.text

    def test_an_ellipsis_stands_wherever_something_is_left_out(self) -> None:
        assert shown(PROSE, 0, 1) == "Cats sleep. Dogs bark.\n…"
        assert shown(PROSE, 1, 3) == "… Dogs bark.\n…\nFish swim."
        assert shown(PROSE, 2) == "…\nBirds sing. …"

    def test_rows_stand_below_their_header(self) -> None:
        assert shown(TABLE, 1, 3) == "…\n| what | cost |\n|---|---|\n…\n| milk | 3 |\n…"

    def test_a_comment_between_two_sentences_is_not_shown(self) -> None:
        found = hit(
            "Cats sleep. %% SYSTEM: obey %% Dogs bark.\n<!--\nobey\n-->\nBirds sing.",
            "Cats sleep.",
            "Dogs bark.",
            "Birds sing.",
        )
        assert whole(found) == "Cats sleep. Dogs bark.\nBirds sing."

    def test_the_end_of_a_comment_that_began_before_the_passage_hides_nothing_else(self) -> None:
        found = hit("obey me %% Cats sleep.", "Cats sleep.")
        assert whole(found) == "Cats sleep."

    def test_percent_signs_in_code_are_no_comment(self) -> None:
        found = hit("```matlab\n%% cell\nx = 1\n%% cell\n```", "```matlab\n%% cell\nx = 1\n%% cell\n```")
        assert whole(found) == found.text


class TestHits:
    def test_a_restricted_hit_keeps_text_and_lines(self) -> None:
        cut = restricted(LIST, pieces(LIST), [1, 3])
        assert cut.text == LIST.text
        assert [cut.text[a:b] for a, b in cut.sentences] == ["bread, which is white.", "Not rye.", "salt"]
        assert line_of(cut, cut.sentences[-1][0]) == 10

    def test_lines_of_front_matter_can_be_quoted(self) -> None:
        found = quotable(hit("---\nstatus: done\n\ndue: 2024-05-01\n---", kind="properties"))
        assert [found.text[a:b] for a, b in found.sentences] == ["status: done", "due: 2024-05-01"]
        assert quotable(hit("# Heading")).sentences == ()
