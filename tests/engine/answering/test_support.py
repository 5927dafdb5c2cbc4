from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_engine.answering.support import MIN_SUPPORT, support

QUOTE = "The tabby cat sleeps all day on the warm windowsill."


class TestSupport:
    def test_a_verbatim_sentence_is_fully_supported(self) -> None:
        assert support(QUOTE, QUOTE) == 1.0

    def test_a_shorter_wording_is_supported(self) -> None:
        assert support("The cat sleeps on the windowsill all day.", QUOTE) == 1.0

    def test_inflections_count_as_the_same_word(self) -> None:
        assert support("Tabby cats are sleeping.", QUOTE) == 1.0
        assert support("Die Katzen schlafen im Garten.", "Eine Katze darf im Garten schlafen.") >= MIN_SUPPORT

    def test_other_words_are_not_supported(self) -> None:
        assert support("Whales sing in the deep ocean.", QUOTE) == 0.0

    def test_half_of_the_words_is_half_of_the_support(self) -> None:
        assert support("The cat sleeps and dreams vividly.", QUOTE) == pytest.approx(0.5)

    @pytest.mark.parametrize("sentence", ["", "It is so.", "Yes.", "…", "1. "])
    def test_a_sentence_without_content_has_no_support_in_other_words(self, sentence: str) -> None:
        assert support(sentence, "Tabby cats sleep.") == 0.0


class TestNumbers:
    def test_an_invented_number_is_not_supported(self) -> None:
        quote = "The bridge was built of granite by the town."
        assert support("The bridge was built of granite by the town in 1932.", quote) < MIN_SUPPORT

    @pytest.mark.parametrize("sentence", ["The tank holds 7 litres.", "The tank holds seven litres."])
    def test_a_changed_number_is_not_supported(self, sentence: str) -> None:
        assert support(sentence, "The tank holds 5 litres.") < MIN_SUPPORT

    @pytest.mark.parametrize(
        ("said", "quoted"),
        [("3", "three"), ("three", "3"), ("1,000", "1000"), ("1 000", "1 000"), ("3.50", "3.5"), ("７", "7")],
    )
    def test_the_way_a_number_is_written_does_not_matter(self, said: str, quoted: str) -> None:
        assert support(f"The tank holds {said} litres.", f"The tank holds {quoted} litres.") >= MIN_SUPPORT

    def test_a_list_number_is_no_claim(self) -> None:
        assert support("2. The cat sleeps.", QUOTE) == 1.0

    def test_the_pronoun_one_is_no_number(self) -> None:
        assert support("The tabby is the one that sleeps.", QUOTE) >= MIN_SUPPORT


class TestNames:
    def test_an_invented_name_is_not_supported(self) -> None:
        assert support("The tabby cat Felix sleeps all day on the windowsill.", QUOTE) < MIN_SUPPORT

    def test_a_name_may_stand_in_the_note_title(self) -> None:
        quote = "She wrote the first program for the machine."
        assert support("Ada Lovelace wrote the first program.", quote, "Ada Lovelace") >= MIN_SUPPORT
        assert support("Then Ada Lovelace wrote the first program.", quote) < MIN_SUPPORT

    def test_a_title_alone_supports_nothing(self) -> None:
        assert support("Ada Lovelace was a mathematician.", "It rained all week.", "Ada Lovelace") == 0.0

    def test_german_nouns_are_no_names(self) -> None:
        sentence = "Der Kater schläft auf der Fensterbank und der Hund im Haus."
        assert support(sentence, "Der Kater schläft auf der Fensterbank, der Hund drinnen.") >= MIN_SUPPORT


class TestNegation:
    @pytest.mark.parametrize(
        ("sentence", "quote"),
        [
            ("The cache is safe to delete.", "The cache is not safe to delete."),
            ("The cache is not safe to delete.", "The cache is safe to delete."),
            ("The cache isn't safe to delete.", "The cache is safe to delete."),
            ("The cache is safe to delete.", "The cache isn’t safe to delete."),
        ],
    )
    def test_the_opposite_is_not_supported(self, sentence: str, quote: str) -> None:
        assert support(sentence, quote) < MIN_SUPPORT

    def test_the_same_denial_is_supported(self) -> None:
        assert support("The cache isn't safe to delete.", "The cache is not safe to delete.") == 1.0

    def test_a_denial_of_something_else_does_not_matter(self) -> None:
        assert support("Cats sleep all day.", "Cats sleep all day, but not at night.") == 1.0


class TestScripts:
    @pytest.mark.parametrize(
        ("sentence", "quote", "other"),
        [
            ("猫は一日中寝る。", "うちの猫は一日中寝る生き物だ。", "犬は庭を走り回る。"),
            ("แมวนอนทั้งวัน", "แมวของเรานอนทั้งวันบนเก้าอี้", "สุนัขวิ่งในสวน"),
            ("고양이는 하루종일 잔다.", "우리 고양이는 하루종일 잔다고 한다.", "개가 정원에서 뛴다."),
            ("Кошка спит весь день.", "Моя кошка спит весь день дома.", "Собака бегает в саду."),
        ],
    )
    def test_scripts_with_and_without_spaces_are_compared(
        self, sentence: str, quote: str, other: str
    ) -> None:
        assert support(sentence, quote) >= MIN_SUPPORT
        assert support(sentence, other) < MIN_SUPPORT

    @given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=20))
    def test_any_text_gives_a_value_between_0_and_1(self, sentence: str, quote: str, context: str) -> None:
        assert 0.0 <= support(sentence, quote, context) <= 1.0
