"""Hits and citations as people see them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire import contract
from quire.cli.passages import (
    citation_lines,
    excerpt,
    fact_lines,
    highlighted,
    hit_lines,
    place,
    question_words,
    searched_words,
)
from quire.cli.terminal import Palette, cells
from quire.explanation import facts
from quire_engine.records import (
    Citation,
    Filters,
    Hit,
    Neighbour,
    Plan,
    Query,
    Routing,
    ScoreTrace,
    Signal,
    Strategy,
)

PLAIN = Palette(False)


def hit(text: str, **changes: object) -> contract.Json:
    return contract.hit(record(text, **changes))


def record(text: str, **changes: object) -> Hit:
    values: dict[str, object] = {
        "rank": 1,
        "chunk_id": 1,
        "path": "Garden/Roses.md",
        "title": "Roses",
        "headings": ("Roses", "Pruning"),
        "start_line": 3,
        "end_line": 5,
        "text": text,
        "score": 0.03,
        "topic": "Garden",
        "trace": ScoreTrace((Signal("dense", 1, 0.7, 1.0, 0.02), Signal("keyword", 4, 9.5, 1.0, 0.01))),
    }
    return Hit(**{**values, **changes})  # type: ignore[arg-type]


class TestQuestionWords:
    def test_leaves_out_what_carries_no_meaning(self) -> None:
        assert question_words("When do I prune the Roses?") == ["prune", "roses"]

    def test_parts_scripts_without_spaces(self) -> None:
        assert question_words("日本語") == ["日本", "本語"]

    def test_a_huge_question_stays_small(self) -> None:
        assert len(question_words(" ".join(f"word{n}" for n in range(20_000)))) <= 64


class TestExcerpt:
    def test_a_short_passage_is_whole(self) -> None:
        assert excerpt("Prune\n  in March.", ["march"], 200) == "Prune in March."

    def test_begins_near_where_the_words_meet(self) -> None:
        text = "filler " * 100 + "prune the roses in March " + "filler " * 100
        shown = excerpt(text, ["prune", "roses"], 120)
        assert "prune the roses" in shown[:120]
        assert shown.startswith("…")

    def test_begins_at_the_start_when_no_word_is_there(self) -> None:
        assert excerpt("abc " * 100, ["roses"], 50).startswith("abc")

    @given(st.text(max_size=400), st.lists(st.text(max_size=6), max_size=4), st.integers(10, 100))
    def test_takes_any_text_and_any_words(self, text: str, words: list[str], length: int) -> None:
        excerpt(text, [word for word in words if word], length)


class TestHitLines:
    def test_start_with_place_and_headings(self) -> None:
        lines = list(hit_lines(hit("Prune in March."), ["prune"], PLAIN, 80))
        assert lines == ["Garden/Roses.md:3-5  Roses › Pruning", "    Prune in March."]

    def test_one_line_has_one_number(self) -> None:
        assert place("a.md", 3, 3) == "a.md:3"

    def test_fit_the_width(self) -> None:
        for line in list(hit_lines(hit("日本 roses " * 200), ["roses"], PLAIN, 40))[1:]:
            assert cells(line) <= 40

    def test_show_at_most_three_lines_of_text(self) -> None:
        assert len(list(hit_lines(hit("roses " * 500), ["roses"], PLAIN, 40))) == 4

    def test_explain_how_the_score_came_about(self) -> None:
        lines = list(hit_lines(hit("Prune."), [], PLAIN, 80, explain=True))
        assert [line.split()[0] for line in lines[2:]] == ["signal", "dense", "keyword", "score"]
        assert lines[3].split() == ["dense", "0.700", "cosine", "#1", "1.000", "0.0200", "━" * 10]
        assert lines[-1].split() == ["score", "0.0300"]

    def test_explain_in_ascii_where_nothing_else_can_be_shown(self) -> None:
        lines = list(hit_lines(hit("Prune."), [], PLAIN, 80, explain=True, plain=True))
        assert all(line.isascii() for line in lines[2:])
        assert lines[3].endswith("#" * 10)

    @pytest.mark.parametrize("width", [20, 40, 80])
    def test_explanations_fit_the_width(self, width: int) -> None:
        lines = list(hit_lines(hit("Prune."), [], PLAIN, width, explain=True))[2:]
        assert max(map(cells, lines)) <= width

    def test_name_the_places_that_they_stand_for(self) -> None:
        trace = ScoreTrace((), ("Old/Roses.md:3-5",))
        assert "    also at Old/Roses.md:3-5" in hit_lines(hit("x", trace=trace), [], PLAIN, 80, explain=True)

    def test_stand_between_the_passages_around_them(self) -> None:
        around = (
            Neighbour(True, 1, 2, (), "What came before."),
            Neighbour(False, 6, 6, (), "What\ncomes after."),
        )
        shown = contract.hit(record("Prune.", neighbours=around), context=True)
        assert list(hit_lines(shown, ["what"], PLAIN, 80))[1:] == [
            "    [1-2] What came before.",
            "    Prune.",
            "    [6] What comes after.",
        ]

    def test_of_long_passages_around_them_the_nearest_part_is_shown(self) -> None:
        long = f"begin {'filler ' * 100} end"
        around = (Neighbour(True, 1, 2, (), long), Neighbour(False, 6, 9, (), long))
        shown = contract.hit(record("Prune.", neighbours=around), context=True)
        lines = list(hit_lines(shown, [], PLAIN, 60))
        assert lines[1] == "    [1-2] …"
        assert lines[3].endswith("filler end")
        assert lines[5].startswith("    [6-9] begin filler")
        assert lines[7].endswith("…")
        assert len(lines) == 8
        assert max(map(cells, lines)) <= 60

    def test_nothing_from_a_note_reaches_the_terminal_as_a_command(self) -> None:
        evil = "\x1b]0;owned\x07\x9b2J\u202eroses\x00"
        trace = ScoreTrace((), (evil,))
        around = (Neighbour(True, 1, 1, (evil,), evil), Neighbour(False, 9, 9, (evil,), evil))
        hostile = contract.hit(
            record(evil, path=f"{evil}.md", headings=(evil, evil), trace=trace, neighbours=around),
            context=True,
        )
        text = "".join(hit_lines(hostile, ["roses"], PLAIN, 60, explain=True))
        assert not set("\x00\x07\x1b\x9b\u202e") & set(text)


class TestFactLines:
    def plan(self, *excluded: str) -> contract.Json | None:
        query = Query(
            "roses", "en", "factual", 0.0, (), 0.0, None, None, (), (), (), (), Filters(excluded=excluded)
        )
        strategy = Strategy("simple", 100, 1, 10, 1, 1.0, None)
        return contract.plan(Plan(query, strategy, Routing("all")))

    def test_are_aligned_and_fit_the_width(self) -> None:
        lines = list(fact_lines(facts(self.plan(*["thorns"] * 5)), PLAIN, 40))
        assert lines[0].startswith("question  factual")
        assert [line[:10] for line in lines].count("only      ") == 1
        assert all(line[10] != " " for line in lines)
        assert max(map(cells, lines)) <= 40

    def test_nothing_from_a_question_reaches_the_terminal_as_a_command(self) -> None:
        text = "".join(fact_lines(facts(self.plan("\x1b]0;owned\x07\x9b2J\u202e")), PLAIN, 60))
        assert "owned" in text
        assert not set("\x07\x1b\x9b\u202e") & set(text)

    def test_words_to_look_for_are_those_that_were_searched(self) -> None:
        assert searched_words(self.plan("thorns")) == ["roses"]
        assert searched_words(None) == []


class TestHighlight:
    def test_marks_words_and_their_endings(self) -> None:
        shown = highlighted("Pruning, not spruning", ["prun"], Palette(True))
        assert shown == f"{Palette(True).match('Pruning')}, not spruning"

    def test_words_are_no_patterns(self) -> None:
        assert highlighted("a+b (c", ["(", "+"], Palette(True)).replace("\x1b[1;33m", "").startswith("a+b")


class TestCitationLines:
    citation = contract.citation(
        Citation(2, "Garden/Roses.md", ("Roses",), 3, 4, "Prune roses\nin March.", True, 0.9)
    )

    def test_are_one_line_where_there_is_no_terminal(self) -> None:
        assert list(citation_lines(self.citation, PLAIN, None)) == [
            "[2] Garden/Roses.md:3-4 › Roses  “Prune roses in March.”"
        ]

    def test_wrap_the_quote_on_a_narrow_terminal(self) -> None:
        lines = list(citation_lines(self.citation, PLAIN, 36))
        assert lines[0] == "[2] Garden/Roses.md:3-4 › Roses"
        assert lines[1:] == ["    “Prune roses in March.”"]

    def test_say_when_a_quote_was_not_found_in_the_note(self) -> None:
        unverified = contract.citation(Citation(1, "a.md", (), 1, 1, "quote", False, 0.1))
        assert "(not verified)" in next(iter(citation_lines(unverified, PLAIN, None)))
