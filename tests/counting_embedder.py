"""The real embedder, watched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


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
