"""A question and a passage as one row of tokens, as a cross-encoder reads them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from quire_engine.errors import ModelError, one_line
from quire_engine.inference.token_counter import valid

_CHARACTERS = 16
"""Characters for each token of the limit: what lies beyond is not tokenised. Words have 4 to 5 a token."""
_QUESTION_SHARE = 2
"""A question gets at most this part of the tokens, a half: the passages must be read, too."""


class Pair(NamedTuple):
    ids: list[int]
    types: list[int]
    """The type of each token; for models that tell the texts apart."""


class _Piece(NamedTuple):
    text: int | None
    """0: the question, 1: the passage, ``None``: special tokens."""
    ids: list[int]
    kind: int


class PairTokenizer:
    """The tokenizer of a cross-encoder's folder; for several threads."""

    def __init__(self, folder: Path, max_tokens: int) -> None:
        """``max_tokens`` is the longest pair, special tokens included. Raises `ModelError`."""
        from tokenizers import Tokenizer

        try:
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            self._tokenizer.no_padding()
            self._tokenizer.no_truncation()
            self._pieces = self._learned()
        except Exception as error:  # tokenizers raises bare Exception
            raise ModelError(
                f"reranker in {folder} has no readable tokenizer.json: {one_line(error)}"
            ) from error
        special = sum(len(piece.ids) for piece in self._pieces if piece.text is None)
        self._room = max_tokens - special
        self._most = max_tokens * _CHARACTERS
        if self._room < _QUESTION_SHARE or {0, 1} - {piece.text for piece in self._pieces}:
            raise ModelError(f"reranker in {folder} reads no pairs of texts; check retrieval.reranker")

    def pairs(self, question: str, passages: Sequence[str]) -> list[Pair]:
        """A row for each passage. Only the passage is cut, unless the question takes more than half alone."""
        asked, *read = (
            encoding.ids
            for encoding in self._tokenizer.encode_batch(
                [valid(text[: self._most]) for text in (question, *passages)], add_special_tokens=False
            )
        )
        asked = asked[: self._room // _QUESTION_SHARE]
        return [self._pair((asked, ids[: self._room - len(asked)])) for ids in read]

    def _pair(self, texts: tuple[list[int], list[int]]) -> Pair:
        pair = Pair([], [])
        for piece in self._pieces:
            ids = piece.ids if piece.text is None else texts[piece.text]
            pair.ids.extend(ids)
            pair.types.extend([piece.kind] * len(ids))
        return pair

    def _learned(self) -> list[_Piece]:
        """How texts and special tokens follow each other, from a pair that the tokenizer puts together.

        Putting all together by itself, it would also make rows of all that is cut off, which of two long
        texts are many.
        """
        sample = self._tokenizer.encode("a", "b")
        tokens = zip(sample.sequence_ids, sample.type_ids, sample.ids, strict=True)
        return [
            _Piece(text, [token for _, _, token in run], kind)
            for (text, kind), run in groupby(tokens, key=lambda token: token[:2])
        ]
