from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_engine import analysis
from quire_engine.analysis import STOP_WORDS, fold, query_terms, terms


class TestFold:
    @pytest.mark.parametrize(
        ("written", "folded"),
        [
            ("École", "ecole"),
            ("Straße", "strasse"),
            ("ＦＵＬＬ　ｗｉｄｔｈ", "full width"),
            ("ﬁne", "fine"),
            ("Ångström", "angstrom"),
            ("أحمد إلى آخر", "احمد الي اخر"),
            ("مُحَمَّد", "محمد"),
            ("کتاب فارسی", "كتاب فارسي"),
            ("שָׁלוֹם", "שלום"),
            ("Ёлка", "елка"),
            ("ΣΊΣΥΦΟΣ", "σισυφοσ"),
        ],
    )
    def test_differences_that_searchers_ignore_go(self, written: str, folded: str) -> None:
        assert fold(written) == folded

    def test_vowel_signs_that_make_another_word_stay(self) -> None:
        assert fold("कि") != fold("की")
        assert fold("が") != fold("か")

    @given(st.text())
    def test_never_fails(self, text: str) -> None:
        assert fold(text) == fold(text)


class TestTerms:
    def test_words_are_stemmed(self) -> None:
        assert terms("pruning the roses") == terms("prune rose")

    def test_order_and_repetitions_stay(self) -> None:
        assert terms("kiln glaze kiln") == ["kiln", "glaze", "kiln"]

    def test_stop_words_go_unless_they_are_kept(self) -> None:
        assert terms("what is the kiln") == ["kiln"]
        assert terms("To be", keep_stop_words=True) == ["to", "be"]

    @pytest.mark.parametrize("apostrophe", ["'", "’"])
    def test_possessives_and_contractions_are_one_word(self, apostrophe: str) -> None:
        assert terms(f"Anna{apostrophe}s shed") == terms("Anna shed")
        assert terms(f"Zoë{apostrophe}s shed") == terms("Zoe shed")
        assert terms(f"Łukasz{apostrophe}s shed") == terms("Łukasz shed")
        assert terms(f"o{apostrophe}clock") == ["oclock"]

    @pytest.mark.parametrize("apostrophe", ["'", "’"])
    def test_articles_that_lean_on_a_word_are_not_part_of_it(self, apostrophe: str) -> None:
        assert terms(f"L{apostrophe}école") == terms("école")
        assert terms(f"jusqu{apostrophe}ici") == terms("ici")
        assert terms(f"dell{apostrophe}arte") == terms("arte")

    @pytest.mark.parametrize(
        "quoted", ["'kiln'", "‘kiln’", "**kiln**", "_kiln_", "#kiln", "[[kiln]]", "kiln."]
    )
    def test_what_surrounds_a_word_is_not_part_of_it(self, quoted: str) -> None:
        assert terms(quoted) == ["kiln"]

    def test_parts_of_names_in_code_are_words(self) -> None:
        assert terms("max_note_bytes") == terms("max note bytes")
        assert terms("2024-03-10") == ["2024", "03", "10"]

    def test_accents_make_no_difference(self) -> None:
        assert terms("café crème") == terms("cafe creme")

    @pytest.mark.parametrize(
        "text", ["Ünïcode café", "한국어", "ガーデン", "Ёлка", "việt nam", "ไม่", "हिन्दी"]
    )
    def test_composed_and_decomposed_spellings_are_the_same(self, text: str) -> None:
        assert terms(unicodedata.normalize("NFD", text)) == terms(unicodedata.normalize("NFC", text))

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("京都の庭", ["京都", "都の", "の庭"]),
            ("桜", ["桜"]),
            ("สวนกุหลาบ", ["สว", "วน", "นก", "กุ", "ุห", "หล", "ลา", "าบ"]),
            ("한국에서", ["한국", "국에", "에서"]),
            ("Python入門", ["python", "入門"]),
            ("第3章", ["第", "3", "章"]),
            ("ｶﾞｰﾃﾞﾝ", ["ガー", "ーデ", "デン"]),
        ],
    )
    def test_scripts_without_spaces_become_pairs(self, text: str, expected: list[str]) -> None:
        assert terms(text) == expected

    def test_a_word_inside_a_run_without_spaces_shares_its_pairs(self) -> None:
        assert set(terms("桜の木")) <= set(terms("古い桜の木があります"))

    def test_vowel_signs_do_not_break_words(self) -> None:
        assert terms("हिन्दी") == ["हिन्दी"]
        assert terms("தமிழ்") == ["தமிழ்"]

    @pytest.mark.parametrize("letter", ["a", "é", "я"])
    def test_endless_words_are_cut(self, letter: str) -> None:
        found = terms(letter * 100_000)
        assert len(found) == 1
        assert len(found[0]) <= 48

    @pytest.mark.parametrize(
        "text", ["", " \n\t", "?!…—", "'" * 1000, "́" * 1000, "\x00\x1b\ud800", "_" * 1000]
    )
    def test_text_without_words_has_no_terms(self, text: str) -> None:
        assert terms(text) == []

    @given(st.text(), st.booleans())
    def test_any_text_has_terms_that_can_be_stored(self, text: str, keep: bool) -> None:
        found = terms(text, keep_stop_words=keep)
        assert found == terms(text, keep_stop_words=keep)
        for term in found:
            assert term
            assert term.encode("utf-8").decode("utf-8") == term

    @given(st.text(), st.text())
    def test_text_on_one_side_of_a_line_break_does_not_change_the_other(self, left: str, right: str) -> None:
        assert terms(f"{left}\n{right}") == terms(left) + terms(right)

    @given(st.text(alphabet="aZ'_ s9.d-\n", max_size=20), st.booleans())
    def test_plain_text_has_the_terms_that_it_has_beside_other_text(self, text: str, keep: bool) -> None:
        assert terms(text, keep_stop_words=keep) == terms(f"{text} é", keep_stop_words=keep)[:-1]

    def test_more_words_than_are_remembered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(analysis, "_MOST_WORDS", 10)
        text = " ".join(f"word{number}ing the" for number in range(50))
        assert terms(text) == terms(text) == [f"word{number}" for number in range(50)]


class TestQueryTerms:
    def test_are_distinct_and_in_order(self) -> None:
        assert query_terms("kiln or glaze, which kiln?") == ["kiln", "glaze"]

    def test_stop_words_count_when_there_is_nothing_else(self) -> None:
        assert query_terms("To be or not to be") == ["to", "be", "or", "not"]
        assert {"to", "be", "or", "not"} <= STOP_WORDS

    def test_of_a_question_without_words_there_are_none(self) -> None:
        assert query_terms("?!") == []
