"""Vectors that a search makes ahead of the embedding queue."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quire_engine.interfaces import FloatArray


class EarlyVectors:
    """Vectors that a search made of passages whose turn had not come; the queue takes them from here."""

    _MOST = 4096

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._vectors: dict[int, FloatArray] = {}

    def keep(self, vectors: Mapping[int, FloatArray]) -> None:
        """Keep vectors by chunk id."""
        with self._lock:
            if len(self._vectors) + len(vectors) <= self._MOST:
                self._vectors.update(vectors)

    def get(self, chunks: Sequence[int]) -> dict[int, FloatArray]:
        """Those that are kept."""
        with self._lock:
            return {chunk: self._vectors[chunk] for chunk in chunks if chunk in self._vectors}

    def take(self) -> dict[int, FloatArray]:
        """All of them; they are kept no longer."""
        with self._lock:
            taken, self._vectors = self._vectors, {}
            return taken
