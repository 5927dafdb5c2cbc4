from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tiny_cross_encoder
from hypothesis import given
from hypothesis import strategies as st

from quire_engine.errors import ModelError
from quire_engine.inference.pairs import PairTokenizer

LIMIT = 32
HOSTILE = ("", " ", "\x00", "\ud800", "[SEP] [CLS]", "x" * 100_000, "a " * 50_000, "桜" * 9999, "\u202e ﬁ é")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    tiny_cross_encoder.save_tokenizer(folder, LIMIT, typed=True)
    return folder


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> PairTokenizer:
    return PairTokenizer(folder, LIMIT)


@pytest.fixture(scope="module")
def original(folder: Path) -> Any:
    """The tokenizer library's own, cutting the passage."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(LIMIT, strategy="only_second")
    return tokenizer


class TestPairs:
    @given(question=st.text(max_size=12), passage=st.text(max_size=60))
    def test_are_those_of_the_tokenizer(
        self, tokenizer: PairTokenizer, original: Any, question: str, passage: str
    ) -> None:
        (pair,) = tokenizer.pairs(question, [passage])
        expected = original.encode(question, passage)
        assert (pair.ids, pair.types) == (expected.ids, expected.type_ids)

    def test_a_long_question_leaves_half_to_the_passage(self, tokenizer: PairTokenizer) -> None:
        first, second = tokenizer.pairs("kiln " * 500, ["rose " * 500, "rose"])
        assert (len(first.ids), first.types.count(1)) == (LIMIT, 16)
        assert len(second.ids) == 1 + 14 + 1 + 1 + 1

    @pytest.mark.parametrize("question", HOSTILE)
    def test_of_any_texts_fit_the_limit(self, tokenizer: PairTokenizer, question: str) -> None:
        pairs = tokenizer.pairs(question, HOSTILE)
        assert len(pairs) == len(HOSTILE)
        assert all(3 <= len(pair.ids) == len(pair.types) <= LIMIT for pair in pairs)


class TestFolder:
    def test_without_a_tokenizer_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=r"no readable tokenizer\.json"):
            PairTokenizer(tmp_path, LIMIT)

    def test_with_a_limit_that_leaves_no_room_is_refused(self, folder: Path) -> None:
        with pytest.raises(ModelError, match="reads no pairs"):
            PairTokenizer(folder, 4)
