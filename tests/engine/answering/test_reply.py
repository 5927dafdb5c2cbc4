from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_engine.answering.reply import ReplySentence, ReplySplitter, without_marks


def split(text: str, *, size: int = 1, cut_off: bool = False) -> list[ReplySentence]:
    splitter = ReplySplitter()
    found = [
        sentence
        for start in range(0, len(text), size)
        for sentence in splitter.feed(text[start : start + size])
    ]
    return found + splitter.finish(cut_off=cut_off)


def texts(text: str, **options: bool) -> list[str]:
    return [sentence.text for sentence in split(text, **options)]


class TestSentences:
    def test_sentences_come_as_soon_as_they_are_certain(self) -> None:
        splitter = ReplySplitter()
        assert splitter.feed("Cats sleep [1].") == []
        assert splitter.feed(" ") == []
        assert [sentence.text for sentence in splitter.feed("Dogs")] == ["Cats sleep."]
        assert [sentence.text for sentence in splitter.finish(cut_off=False)] == ["Dogs"]

    @pytest.mark.parametrize(
        "sentence",
        [
            "Small animals, e.g. Tabby cats, sleep.",
            "It weighs 3.5 kg and costs 12.80 euros.",
            "Dr. Meyer met J. Smith vs. Prof. Lee.",
            "See notes.md or https://example.org/a.b?c=d for more.",
            "Run `rm -rf x. Then y` first.",
            "Er kam am 3. Mai nach Hause.",
            "Wait... what happened then?",
            "He said e.g. this, i.e. That.",
        ],
    )
    def test_a_dot_inside_a_sentence_does_not_end_it(self, sentence: str) -> None:
        assert texts(sentence + " Next one.") == [sentence, "Next one."]

    def test_closing_quotes_and_brackets_belong_to_the_sentence(self) -> None:
        assert texts('He said "yes." (It was so.) Then he left!') == [
            'He said "yes."',
            "(It was so.)",
            "Then he left!",
        ]

    def test_scripts_without_spaces_are_cut_at_their_own_full_stops(self) -> None:
        found = split("猫は寝る[1]。犬は走る。[2]鳥は歌う。")
        assert [(sentence.text, sentence.marks, sentence.separator) for sentence in found] == [
            ("猫は寝る。", (1,), ""),
            ("犬は走る。", (2,), ""),
            ("鳥は歌う。", (), ""),
        ]

    def test_list_items_are_sentences_and_keep_their_line_breaks(self) -> None:
        found = split("Two things:\n\n- cats sleep [1]\n- dogs bark [2]\n1. First. [1]\n")
        assert [(sentence.text, sentence.marks, sentence.separator) for sentence in found] == [
            ("Two things:", (), ""),
            ("- cats sleep", (1,), "\n\n"),
            ("- dogs bark", (2,), "\n"),
            ("1. First.", (1,), "\n"),
        ]

    def test_a_table_stays_in_one_piece(self) -> None:
        table = "| a | b |\n|---|---|\n| 1. x | 2 |"
        assert texts(table + "\n\nDone.") == [table, "Done."]

    def test_a_code_block_stays_in_one_piece_and_keeps_its_brackets(self) -> None:
        block = "```python\nx = a[1]. b\n\nprint(x)\n```"
        found = split(f"Do this:\n{block}\n[2]\nThen stop.")
        assert [(sentence.text, sentence.marks) for sentence in found] == [
            ("Do this:", ()),
            (block, (2,)),
            ("Then stop.", ()),
        ]


class TestMarks:
    @pytest.mark.parametrize(
        ("reply", "marks"),
        [
            ("Cats sleep [1].", (1,)),
            ("Cats sleep. [1]", (1,)),
            ("Cats sleep.[1][3]", (1, 3)),
            ("Cats sleep [1, 2].", (1, 2)),
            ("Cats sleep [2-4].", (2, 3, 4)),
            ("Cats [2] sleep [1][2].", (2, 1)),
            ("Cats sleep [^1].", (1,)),
            ("Cats sleep 【3】.", (3,)),
            ("Cats sleep [99].", (99,)),
            ("Cats sleep.", ()),
        ],
    )
    def test_marks_are_read_and_taken_out_of_the_text(self, reply: str, marks: tuple[int, ...]) -> None:
        (sentence,) = split(reply)
        assert (sentence.text.replace("  ", " "), sentence.marks) == ("Cats sleep.", marks)

    def test_marks_behind_the_full_stop_do_not_go_to_the_next_sentence(self) -> None:
        found = split("Cats sleep. [1] Dogs bark. [2][3]. Birds sing.")
        assert [(sentence.text, sentence.marks) for sentence in found] == [
            ("Cats sleep.", (1,)),
            ("Dogs bark.", (2, 3)),
            ("Birds sing.", ()),
        ]

    def test_brackets_that_are_no_marks_stay(self) -> None:
        assert texts("Use [brackets] and `x[0]` and [2024-05-01].") == [
            "Use [brackets] and `x[0]` and [2024-05-01]."
        ]

    @pytest.mark.parametrize("run", [" ", "\n", "[1", "[ ", "x. "])
    def test_long_runs_do_not_stop_the_work(self, run: str) -> None:
        text, marks = without_marks(f"Cats sleep{run * (200_000 // len(run))}[1].")
        assert text.startswith("Cats sleep")
        assert marks == (1,)
        splitter = ReplySplitter()
        found = splitter.feed(f"Cats sleep{run * 30_000} Dogs bark.") + splitter.finish(cut_off=False)
        assert found[0].text.startswith("Cats sleep")


class TestCutOff:
    def test_an_unfinished_sentence_is_dropped(self) -> None:
        assert texts("Cats sleep [1]. Dogs ba", cut_off=True) == ["Cats sleep."]

    def test_a_finished_last_sentence_stays(self) -> None:
        assert texts("Cats sleep [1]. Dogs bark [2]", cut_off=True) == ["Cats sleep.", "Dogs bark"]
        assert texts("Cats sleep.", cut_off=True) == ["Cats sleep."]

    def test_an_unfinished_mark_is_no_text(self) -> None:
        assert texts("Cats sleep [1", cut_off=False) == ["Cats sleep"]

    def test_a_short_answer_without_a_full_stop_is_an_answer(self) -> None:
        assert texts("Paris", cut_off=False) == ["Paris"]


class TestEchoes:
    @pytest.mark.parametrize(
        "reply",
        [
            '<passage n="1" note="A. B">Cats sleep.</passage>',
            "Cats sleep.<|im_end|>",
            "<|im_start|>Cats sleep.</s>",
            "[INST]Cats sleep.[/INST]",
            "Answer: Cats sleep.",
            "Cats \x1b\x07sleep.",
            'Cats sleep. <passage n="2" note="unclosed',
        ],
    )
    def test_tags_and_control_characters_never_come_out(self, reply: str) -> None:
        assert texts(reply) == ["Cats sleep."]

    def test_ordinary_angle_brackets_stay(self) -> None:
        assert texts("If a <b then <p is 5. So c> d [1].") == ["If a <b then <p is 5. So c> d."]

    @given(st.text(alphabet=" \n.!`|[]<>/1a,pasge。?\"'", max_size=60), st.integers(1, 7))
    def test_the_size_of_the_pieces_does_not_matter(self, text: str, size: int) -> None:
        assert split(text, size=size) == split(text, size=1)
