"""Counts are those of the tokenizer, whatever the text and whatever the tokenizer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

from quire_engine.inference import token_counter
from quire_engine.inference.catalogue import embedding_model_folder
from quire_engine.inference.token_counter import TokenCounter

MARKS = "\x00\x01\t\n\x0b\x0c\r\x1c\x1f\x7f\x85\xa0\xad\u200b\u200d\u2028\u3000\ufffd\ufe0f"
LETTERS = "aBzé\u0301ßİΣςﬁ京龥鿋㐀豈𠀀あが゙가กำสักعَह्क👍🏽"
TEXTS = st.one_of(
    st.text(max_size=60),
    st.text(alphabet=st.sampled_from([*MARKS, *LETTERS, *" .,'-_[]#~`^1"]), max_size=60),
    st.lists(
        st.sampled_from("kiln Glaze, [CLS] [UNK]s [mask] c++ x=1; naïve 京都の庭 unbelievably".split()),
        max_size=12,
    ).map(" ".join),
    st.tuples(st.sampled_from("aé京ก"), st.integers(95, 105)).map(lambda run: run[0] * run[1]),
)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(embedding_model_folder("all-MiniLM-L6-v2") / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


@pytest.fixture(scope="module")
def counter(tokenizer: Tokenizer) -> TokenCounter:
    return TokenCounter(tokenizer)


def counted(tokenizer: Tokenizer, texts: list[str]) -> list[int]:
    return [len(e.ids) for e in tokenizer.encode_batch(texts, add_special_tokens=False)]


@given(st.lists(TEXTS, max_size=5))
@settings(max_examples=300)
def test_counts_are_those_of_the_tokenizer(
    tokenizer: Tokenizer, counter: TokenCounter, texts: list[str]
) -> None:
    assert counter.count(texts) == counted(tokenizer, texts)


def test_every_character_counts_as_in_the_tokenizer(tokenizer: Tokenizer, counter: TokenCounter) -> None:
    characters = [chr(code) for code in range(0x3200) if not 0xD800 <= code < 0xE000]
    texts = [f"a{character}b {character} {character}{character}" for character in characters]
    assert counter.count(texts) == counted(tokenizer, texts)


def test_words_are_forgotten_when_they_are_too_many(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_counter, "_MOST_WORDS", 3)
    counter = TokenCounter(tokenizer)
    texts = ["one two three four five", "six seven glazes", "one kiln"]
    assert [counter.count([text])[0] for text in texts] == counted(tokenizer, texts)


@pytest.mark.parametrize("kind", ["bpe", "cased", "accents", "uncleaned", "added"])
def test_other_tokenizers_are_counted_exactly(tokenizer: Tokenizer, kind: str) -> None:
    if kind == "bpe":
        other = Tokenizer(models.BPE(vocab={"a": 0, "b": 1, " ": 2, "ab": 3}, merges=[("a", "b")]))
    else:
        other = Tokenizer.from_str(tokenizer.to_str())
        if kind == "cased":
            other.normalizer = normalizers.BertNormalizer(lowercase=False)
        elif kind == "accents":
            other.normalizer = normalizers.BertNormalizer(strip_accents=False)
        elif kind == "uncleaned":
            other.normalizer = normalizers.BertNormalizer(clean_text=False)
            other.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        else:
            other.add_tokens([AddedToken("red clay", normalized=True)])
    texts = ["ab ab", "Kiln, KILN.", "Café naïve", "a\x0bb c\x00d", "the Red Clay of 京都", ""]
    assert TokenCounter(other).count(texts) == counted(other, texts)
