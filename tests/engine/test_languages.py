from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_engine.language_tables import COMMON_WORDS, SCRIPTS
from quire_engine.languages import LANGUAGES, LATIN, detect_language


class TestDetectLanguage:
    @pytest.mark.parametrize(
        ("text", "language"),
        [
            ("What is the temperature of the kiln?", "en"),
            ("Wie heiß wird der Ofen?", "de"),
            ("Häuser in München", "de"),
            ("Où est l'école ?", "fr"),
            ("¿Cuándo se podan las rosas?", "es"),
            ("Perché il forno è freddo?", "it"),
            ("O que é isto e quem são eles?", "pt"),
            ("Waar staat het huis van mijn vader?", "nl"),
            ("När är det dags att så?", "sv"),
            ("Mikä on tämä?", "fi"),
            ("Gdzie jest mój dom?", "pl"),
            ("Kde je můj dům?", "cs"),
            ("Bu ev ne kadar eski?", "tr"),
            ("Когда обрезают розы?", "ru"),
            ("Хто це зробив?", "uk"),
            ("متى تزهر الورود؟", "ar"),
            ("این کتاب چیست؟", "fa"),
            ("यह किताब किसकी है?", "hi"),
            ("Πού είναι το σπίτι;", "el"),
            ("איפה הבית שלי", "he"),
            ("กุหลาบบานเมื่อไหร่", "th"),
            ("玫瑰什么时候开花？", "zh"),
            ("NASUWT是什么", "zh"),
            ("京都の庭にある木", "ja"),
            ("장미는 언제 피나요", "ko"),
        ],
    )
    def test_is_told_by_script_common_words_and_letters(self, text: str, language: str) -> None:
        assert detect_language(text) == language

    @pytest.mark.parametrize(
        "text", ["", " \n", "12 34", "?!", "Kiln clay glaze wheel", "J. C. D. Nys", "\ud800"]
    )
    def test_is_unknown_where_nothing_tells_it(self, text: str) -> None:
        assert detect_language(text) == ""

    @pytest.mark.parametrize("text", ["kitchen door lock", "per capita income", "die hard trilogy"])
    def test_one_word_that_another_language_shares_does_not_decide(self, text: str) -> None:
        assert detect_language(text) == ""

    def test_a_quotation_does_not_decide(self) -> None:
        assert (
            detect_language('In this book the word "Häuser" is used for what we would call houses.') == "en"
        )

    @given(st.text())
    def test_any_text_has_a_language_or_none(self, text: str) -> None:
        assert detect_language(text) in LANGUAGES | {""}

    @given(st.text(alphabet=st.sampled_from("aäéñß яїў ی چ की の京 \n."), max_size=1500))
    def test_mixed_text_has_a_language_or_none(self, text: str) -> None:
        assert detect_language(text) in LANGUAGES | {""}


def test_tables_agree() -> None:
    starts = [start for start, _ in SCRIPTS]
    assert starts == sorted(set(starts))
    for code, words in COMMON_WORDS.items():
        assert code in LANGUAGES
        assert detect_language(words) == code or code not in LATIN, code
