from __future__ import annotations

import unicodedata
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_engine import analysis
from quire_engine.analysis import STOP_WORDS, fold, query_alternatives, query_terms, single_terms, terms


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
            ("١٢٣ ४५६ ๗๘๙", "123 456 789"),
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
            ("สวนกุหลาบ", ["สว", "วน", "นกุ", "กุห", "หลา", "ลาบ"]),
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
        assert terms("हिन्दी") == ["हिन्द"]
        assert len(terms("தமிழ்")) == len(terms("বাংলা")) == 1

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


class TestLanguages:
    @pytest.mark.parametrize(
        ("language", "one", "other"),
        [
            ("de", "Häuser", "Haus"),
            ("es", "canciones", "canción"),
            ("fr", "écoles", "école"),
            ("ru", "книгами", "книга"),
            ("ar", "الكتاب", "كتاب"),
            ("hi", "किताबें", "किताब"),
            ("el", "σπίτια", "σπίτι"),
            ("fa", "کتاب‌ها", "کتاب ها"),
        ],
    )
    def test_inflections_are_one_word_in_its_language(self, language: str, one: str, other: str) -> None:
        assert terms(one, language) == terms(other, language)

    @pytest.mark.parametrize("word", ["книгами", "الكتاب", "किताबें", "σπίτια"])
    def test_where_the_script_tells_enough_no_language_is_needed(self, word: str) -> None:
        assert terms(word) == terms(word, "ru") == terms(word, "de")

    @pytest.mark.parametrize(
        ("language", "text"),
        [("de", "was ist der"), ("es", "¿qué es el"), ("ru", "что это"), ("ar", "ما هو"), ("hi", "यह क्या है")],
    )
    def test_stop_words_are_those_of_the_language(self, language: str, text: str) -> None:
        assert terms(text, language) == []
        assert len(terms(text, language, keep_stop_words=True)) == len(text.split())

    def test_a_word_that_is_a_stop_word_elsewhere_stays(self) -> None:
        assert terms("they die", "en") == ["die"]

    def test_letters_of_neighbouring_languages_are_the_same(self) -> None:
        assert terms("کتاب", "ar") == terms("كتاب", "ar")
        assert terms("كتاب", "fa") == terms("کتاب", "fa")

    @given(st.text(), st.sampled_from(["", "de", "ar", "fa", "ru", "zh", "xx"]))
    def test_an_accent_or_width_makes_no_difference(self, text: str, language: str) -> None:
        found = terms(text, language)
        assert terms(unicodedata.normalize("NFD", text), language) == terms(
            unicodedata.normalize("NFC", text), language
        )
        assert all(term and fold(term) == term for term in found)


class TestSingleTerms:
    def test_are_the_characters_of_scripts_without_spaces(self) -> None:
        assert single_terms("京都 and น้ำใจ") == {"京", "都", *terms("น้ำ"), *terms("ใจ")}

    def test_other_words_have_none(self) -> None:
        assert single_terms("plain") == single_terms("größer как") == set()


class TestQueryAlternatives:
    def test_each_word_is_looked_for_by_the_rules_of_all_languages(self) -> None:
        assert query_alternatives("running Häuser", ["de", "es"]) == [
            {"run": ("",), "running": ("de", "es")},
            {"hauser": ("",), "haus": ("de", "es")},
        ]

    def test_one_form_for_all_is_one_term(self) -> None:
        assert query_alternatives("kiln", ["de"]) == [{"kiln": ("", "de")}]

    def test_forms_of_one_word_count_once(self) -> None:
        found = query_alternatives("Welches Haus, welche Häuser?", ["de"])
        assert found == [{"haus": ("de", ""), "hauser": ("",)}]

    def test_stop_words_of_the_questions_language_go_unless_there_is_nothing_else(self) -> None:
        assert query_alternatives("Was ist das für ein Ofen?") == [{"ofen": ("",)}]
        assert query_alternatives("Was ist das?") == [{"was": ("",)}, {"ist": ("",)}, {"das": ("",)}]

    @given(st.text(), st.lists(st.sampled_from(["de", "fr", "fa", "ne"]), unique=True))
    def test_every_language_has_one_term_for_each_word(self, text: str, held: list[str]) -> None:
        for group in query_alternatives(text, held):
            assert set(chain.from_iterable(group.values())) == {"", *held}


class TestQueryTerms:
    def test_are_distinct_and_in_order(self) -> None:
        assert query_terms("kiln or glaze, which kiln?") == ["kiln", "glaze"]

    def test_stop_words_count_when_there_is_nothing_else(self) -> None:
        assert query_terms("To be or not to be") == ["to", "be", "or", "not"]
        assert {"to", "be", "or", "not"} <= STOP_WORDS

    @pytest.mark.parametrize(
        ("question", "words"),
        [
            ("如何早起？", "早起"),
            ("番茄工作法是什么？", "番茄工作法"),
            ("什么是卡片笔记？", "卡片笔记"),
            ("笔记软件有哪些？", "笔记软件"),
            ("請問為什麼要寫日記呢？", "要寫日記"),
            ("吗啡和几何是什么？", "吗啡和几何"),
            ("量子力学とは何ですか", "量子力学"),
            ("フランクは誰ですか？", "フランク"),
            ("한글은 언제입니까?", "한글은"),
        ],
    )
    def test_words_that_make_a_question_are_cut_out(self, question: str, words: str) -> None:
        assert query_terms(question) == terms(words)
        assert query_alternatives(question) == [{term: ("",)} for term in terms(words)]

    def test_they_count_when_there_is_nothing_else(self) -> None:
        assert query_terms("什么？") == terms("什么")
        assert query_alternatives("什么？") == [{"什么": ("",)}]

    def test_of_a_question_without_words_there_are_none(self) -> None:
        assert query_terms("?!") == []
