from __future__ import annotations

import pytest
import Stemmer

from quire_engine.stemming import ALGORITHMS, OWN_STEMS, stem, stemmed_as


def test_snowball_has_all_algorithms() -> None:
    assert set(ALGORITHMS.values()) <= set(Stemmer.algorithms())


@pytest.mark.parametrize(
    ("word", "language", "expected"),
    [
        ("houses", "", "en"),
        ("houses", "vi", "en"),
        ("häuser", "de", "de"),
        ("house", "ru", "en"),
        ("книги", "de", "ru"),
        ("книги", "uk", "ru"),
        ("كتاب", "en", "ar"),
        ("کتاب", "fa", "fa"),
        ("किताब", "ne", "ne"),
        ("京都", "ja", ""),
        ("ბაღი", "", ""),
    ],
)
def test_the_script_decides_and_then_the_language(word: str, language: str, expected: str) -> None:
    assert stemmed_as(word, language) == expected


def test_inflections_have_one_stem() -> None:
    assert stem("häuser", "de") == stem("häusern", "de")
    assert stem("книгами", "ru") == stem("книги", "ru")


def test_languages_that_stand_in_for_their_script_need_no_sign() -> None:
    assert {"de", "fa", "ne"} <= set(OWN_STEMS)
    assert not {"en", "ru", "ar", "hi", "el"} & set(OWN_STEMS)
