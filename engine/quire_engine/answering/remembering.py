"""An embedder that reads no sentence twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from quire_engine.interfaces import Embedder, TokenVectors

if TYPE_CHECKING:
    from quire_engine.interfaces import FloatArray


class Remembering(Embedder):
    """An embedder that keeps what it saw in each text, as a question and its parts read the same passages."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._seen: dict[str, TokenVectors] = {}

    @property
    def fingerprint(self) -> str:
        return self._embedder.fingerprint

    @property
    def dimensions(self) -> int:
        return self._embedder.dimensions

    @property
    def max_tokens(self) -> int:
        return self._embedder.max_tokens

    def embed_tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        if new := [text for text in dict.fromkeys(texts) if text not in self._seen]:
            self._seen.update(zip(new, self._embedder.embed_tokens(new), strict=True))
        return [self._seen[text] for text in texts]

    def embed_passages(self, texts: Sequence[str]) -> FloatArray:
        return self._embedder.embed_passages(texts)

    def embed_query(self, text: str) -> FloatArray:
        return self._embedder.embed_query(text)

    def readability(self, text: str) -> float:
        return self._embedder.readability(text)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._embedder.count_tokens(texts)

    def forget(self) -> None:
        """Let go of what was seen."""
        self._seen.clear()
