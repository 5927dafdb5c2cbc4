"""Hits and citations as people see them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quire import contract
from quire.cli.passages import citation_lines, excerpt, highlighted, hit_lines, place, question_words
from quire.cli.terminal import Palette, cells
from quire_engine.records import Citation, Hit, ScoreTrace, Signal

PLAIN = Palette(False)


def hit(text: str, **changes: object) -> contract.Json:
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
    return contract.hit(Hit(**{**values, **changes}))  # type: ignore[arg-type]


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
        lines = list(hit_lines(hit("Prune."), [], PLAIN, 100, explain=True))
        assert "score 0.0300 = 0.0200 (dense #1, 0.700, weight 1) + 0.0100 (keyword #4, 9.500" in lines[-1]

    def test_nothing_from_a_note_reaches_the_terminal_as_a_command(self) -> None:
        evil = "\x1b]0;owned\x07\x9b2J\u202eroses\x00"
        trace = ScoreTrace((), (evil,))
        hostile = hit(evil, path=f"{evil}.md", headings=(evil, evil), trace=trace)
        text = "".join(hit_lines(hostile, ["roses"], PLAIN, 60, explain=True))
        assert not set("\x00\x07\x1b\x9b\u202e") & set(text)


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
