"""Whether a text holds an answer."""

from __future__ import annotations

import pytest

from quire_engine.evaluation.matching import holds, normalise, sentences, token_f1, words


class TestNormalise:
    def test_as_squad_does(self) -> None:
        assert normalise("The  Amazon, (or) an a U.S. river!") == "amazon or us river"

    def test_markup_and_forms_of_letters_do_not_count(self) -> None:
        assert normalise("**Bold** [[Note|name]] `ＡＢＣ` ﬁ") == "bold name abc fi"


class TestHolds:
    @pytest.mark.parametrize(
        ("text", "answer"),
        [
            ("It is called **Amazonia**, or the Amazon Jungle.", "amazonia or Amazon jungle"),
            ("It covers 5,500,000 square kilometres.", "5,500,000"),
            ("From 1998–2003 it was closed.", "1998"),
            ("The well-known book", "well known"),
            ("Ines's plan", "Ines"),
            ("In the U.S. only", "US"),
            ("王は京都の庭にいます。", "京都"),
            ("وأوغرود ساسكي بالبولندية", "أوغرود ساسكي"),
            ("서울은 수도이다", "서울"),
            ("The firing takes [[Kiln|two days]].", "two days"),
        ],
    )
    def test_an_answer_that_stands_there(self, text: str, answer: str) -> None:
        assert holds(text, ["something else", answer])

    @pytest.mark.parametrize(
        ("text", "answer"),
        [("It was 1998.", "9"), ("The virus spread.", "us"), ("Warsaw", ""), ("the", "a"), ("", "x")],
    )
    def test_a_part_of_a_word_and_nothing_are_none(self, text: str, answer: str) -> None:
        assert not holds(text, [answer])


class TestTokenF1:
    def test_by_hand(self) -> None:
        # Four words said, two wanted, two in common: precision 1/2, recall 1.
        assert token_f1("Prune roses early, yearly.", ["cut stems", "the roses early"]) == pytest.approx(
            2 / 3
        )

    def test_words_count_as_often_as_they_are_said(self) -> None:
        assert token_f1("no no", ["no"]) == pytest.approx(2 / 3)

    def test_scripts_without_spaces_count_by_character(self) -> None:
        assert token_f1("京都の庭", ["京都"]) == pytest.approx(2 / 3)

    def test_of_nothing_is_nothing(self) -> None:
        assert token_f1("", ["x"]) == token_f1("x", []) == token_f1("x", [""]) == 0


class TestSentences:
    def test_end_with_their_marks(self) -> None:
        assert sentences("One. [1] Two and\nmore [1][2]\n\nThree [3]", 3) == [
            "One.",
            "Two and\nmore",
            "Three",
        ]

    def test_numbers_in_brackets_of_a_note_are_no_marks(self) -> None:
        assert sentences("As in [7] and [0], it is. [1]", 1) == ["As in [7] and [0], it is."]


def test_words_are_counted_as_read() -> None:
    assert words("The **old** oak. 京都") == 5
