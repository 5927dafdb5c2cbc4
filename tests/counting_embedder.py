"""The real embedder, watched."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np


class CountingEmbedder:
    """Keeps a record of every passage that goes through the real embedder."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.passages: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def embed_passages(self, texts: Sequence[str]) -> Any:
        self.passages.extend(texts)
        return self._real.embed_passages(texts)


class CheapEmbedder(CountingEmbedder):
    """The real tokenizer and a record of every passage, but vectors that follow from the text's hash."""

    fingerprint = "test/cheap"

    def embed_passages(self, texts: Sequence[str]) -> Any:
        self.passages.extend(texts)
        return np.stack([self.embed_query(text) for text in texts])

    def embed_query(self, text: str) -> Any:
        seed = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        vector = np.random.default_rng(int.from_bytes(seed, "big")).standard_normal(self.dimensions)
        return (vector / np.linalg.norm(vector)).astype(np.float32)
