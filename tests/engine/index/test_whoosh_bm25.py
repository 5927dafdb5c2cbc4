from __future__ import annotations

import math

import pytest
from quire_engine.index.whoosh_bm25 import WeightedTerms, inverse_document_frequency


class TestWeightedTerms:
    def test_occurrences_add_up_to_one_posting_a_term(self) -> None:
        postings = list(WeightedTerms().index([("kiln", 2.0), ("rose", 0.5), ("kiln", 1.0)]))
        assert [(term, frequency, weight) for term, frequency, weight, _ in postings] == [
            (b"kiln", 3, 3.0),
            (b"rose", 1, 0.5),
        ]

    def test_of_nothing_are_none(self) -> None:
        assert list(WeightedTerms().index([])) == []

    def test_any_script_has_bytes(self) -> None:
        assert [term for term, *_ in WeightedTerms().index([("京都", 1.0), ("\ud800", 1.0)])] == [
            "京都".encode(),
            b"?",
        ]


class TestInverseDocumentFrequency:
    def test_is_that_of_robertson_and_spaerck_jones(self) -> None:
        assert inverse_document_frequency(1000, 10) == pytest.approx(math.log(1 + 990.5 / 10.5))

    def test_falls_with_frequency_and_stays_above_nothing(self) -> None:
        values = [inverse_document_frequency(100, having) for having in range(101)]
        assert values == sorted(values, reverse=True)
        assert values[-1] > 0
