"""Counts tokens without making them: the words of notes repeat, so their counts are remembered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_MOST_WORDS = 300_000
_LONGEST_KEPT = 48
"""Longer words (an unspaced script's clauses, hostile runs) hardly come twice."""
_REMOVED = "\0"
_BETWEEN = "\1"
"""Separates texts; in a text it is one more character that the tokenizer removes."""
_PUNCTUATION = "."
_ALIKE = str.maketrans(
    {
        **{chr(code): _REMOVED for code in (*range(32), 127)},
        **dict.fromkeys("\t\n\r", " "),
        _BETWEEN: _BETWEEN,
        **dict.fromkeys("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", _PUNCTUATION),
    }
)
_IDEOGRAPH = re.compile("[\u3400-\u4db5\u4e00-\u9fa5]")
"""Those that every version of Unicode has; the tokenizer drops what its own version does not know."""
_SEPARATOR_HERE_ALONE = re.compile("[\x0b\x0c\x1c-\x1f\x85]")
"""White space to Python, removed by the tokenizer: what stands around it is one word there."""


def valid(text: str) -> str:
    """``text`` without lone surrogates, at the same length; tokenizers take none."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


class TokenCounter:
    """Exact token counts, special tokens not included, of a `tokenizers.Tokenizer` without truncation.

    A tokenizer of BERT's type (`BertNormalizer`, `BertPreTokenizer`, WordPiece) reads every word by itself;
    white space, ASCII punctuation and ideographs end a word, and the latter two are one token each. For such
    a tokenizer each distinct word is tokenised once; any other tokenizer counts all by itself.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        added = tokenizer.get_added_tokens_decoder().values()
        self._by_word = _reads_word_by_word(tokenizer) and all(
            token.content.isascii() and not (token.normalized or token.lstrip or token.rstrip)
            for token in added
        )
        # These are recognised before any word is, letter for letter; "(?!)" matches nothing.
        self._added = re.compile("|".join(re.escape(token.content) for token in added) or "(?!)")
        self._words = _Counts(tokenizer)

    def count(self, texts: Sequence[str]) -> list[int]:
        """The number of tokens of each text; texts hold no lone surrogates."""
        if not self._by_word:
            return [len(e) for e in self._tokenizer.encode_batch(list(texts), add_special_tokens=False)]
        if len(self._words) > _MOST_WORDS:
            self._words.clear()
        joined = _BETWEEN.join(texts)
        if joined.isascii() and not self._added.search(joined):
            parts = joined.translate(_ALIKE).split(_BETWEEN)
            if len(parts) == len(texts):
                return [self._count_alike(*pair) for pair in zip(parts, texts, strict=True)]
        return [self._count(text) for text in texts]

    def _count(self, text: str) -> int:
        if self._added.search(text):
            return self._tokenized(text)
        if text.isascii():
            return self._count_alike(text.translate(_ALIKE), text)
        if _SEPARATOR_HERE_ALONE.search(text):
            return self._tokenized(text)
        text, ideographs = _IDEOGRAPH.subn(" ", text)
        words = text.split()
        others = [word for word in words if not word.isascii()]
        count = ideographs + sum(map(self._words.__getitem__, others))
        if len(others) < len(words):
            ascii_words = " ".join([word for word in words if word.isascii()])
            count += self._count_alike(ascii_words.translate(_ALIKE), ascii_words)
        return count

    def _count_alike(self, alike: str, text: str) -> int:
        """``alike`` is the ASCII ``text`` with the same character for all that are treated alike."""
        if _REMOVED in alike or _BETWEEN in alike:
            return self._tokenized(text)
        if marks := alike.count(_PUNCTUATION):
            alike = alike.replace(_PUNCTUATION, " ")
        return marks + sum(map(self._words.__getitem__, alike.split()))

    def _tokenized(self, text: str) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False))


class _Counts(dict[str, int]):
    """The number of tokens by word; one that is not known is tokenised."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__()
        self._tokenizer = tokenizer

    def __missing__(self, word: str) -> int:
        count = len(self._tokenizer.encode(word, add_special_tokens=False))
        if len(word) <= _LONGEST_KEPT:
            self[word] = count
        return count


def _reads_word_by_word(tokenizer: Tokenizer) -> bool:
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer

    normalizer = tokenizer.normalizer
    return (
        isinstance(normalizer, BertNormalizer)
        and normalizer.clean_text
        and normalizer.handle_chinese_chars
        and isinstance(tokenizer.pre_tokenizer, BertPreTokenizer)
        and isinstance(tokenizer.model, WordPiece)
    )
