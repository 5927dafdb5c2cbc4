"""Embeddings through sentence-transformers and torch: half precision on CUDA, float32 on the CPU."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from quire_engine.errors import ModelError
from quire_engine.settings import EmbeddingSettings

if TYPE_CHECKING:
    from quire_engine.inference.batches import Batch
    from quire_engine.interfaces import FloatArray

_CUDA_TOKENS = 65_536
"""A batch of about 330 passages: far more work than it costs to start it."""
_CPU_TOKENS = 2048
_AHEAD = 2
"""Batches on the device before the first result is waited for: one computes while one is prepared."""
_LENGTH_MULTIPLE = 8
"""Lengths are padded to it: tensor cores and fused attention want rows aligned to 16 bytes."""

log = logging.getLogger(__name__)


class _Flight(NamedTuple):
    """A batch, or a part of one, on its way: its vectors are in ``host`` when ``landed`` has happened."""

    host: Any
    landed: Any
    """A CUDA event; ``None`` on the CPU, where nothing is asynchronous."""

    def vectors(self) -> FloatArray:
        if self.landed is not None:
            self.landed.synchronize()
        found: FloatArray = self.host.numpy()
        return found


class TorchRuntime:
    """Batches are copied from and to pinned memory while others are computed.

    When one does not fit the GPU's memory the budget is halved for the rest of the run; when a single row
    does not fit, the CPU takes over for good.
    """

    name = "torch"
    parallel = 1

    def __init__(self, folder: Path, settings: EmbeddingSettings) -> None:
        """Load the model onto CUDA where there is one. Raises `ModelError`."""
        import torch
        from sentence_transformers import SentenceTransformer

        self._torch = torch
        if settings.threads:
            torch.set_num_threads(settings.threads)
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            self._model: Any = SentenceTransformer(str(folder), device=self._device, local_files_only=True)
        except Exception as error:  # whatever transformers, safetensors or torch raise
            raise ModelError(f"embedding model in {folder} cannot be loaded: {error}") from error
        self._model.eval()
        self._batch_tokens = _CPU_TOKENS
        if self._device == "cuda":
            self._model.half()
            self._batch_tokens = _CUDA_TOKENS
        self._launching = threading.Lock()

    @property
    def batch_tokens(self) -> int:
        return self._batch_tokens

    def embed(self, batches: Iterable[Batch]) -> Iterator[FloatArray]:
        """At most `_AHEAD` batches are on the device; the next one is made meanwhile."""
        flying: deque[list[_Flight]] = deque()
        for ids, mask in batches:
            if len(flying) == _AHEAD:
                yield _landed(flying.popleft())
            flying.append(self._launch(ids, mask))
        while flying:
            yield _landed(flying.popleft())

    def _launch(self, ids: Any, mask: Any) -> list[_Flight]:
        """Start one batch in as many parts as memory asks for.

        One thread launches at a time, which takes milliseconds: the device's memory is short for all alike.
        """
        flights: list[_Flight] = []
        with self._launching:
            begin = 0
            while begin < len(ids):
                rows = max(1, self._batch_tokens // ids.shape[1])
                part = slice(begin, begin + rows)
                try:
                    flights.append(self._forward(ids[part], mask[part]))
                except self._torch.cuda.OutOfMemoryError:
                    self._make_room(*ids[part].shape)
                    continue
                begin += rows
        return flights

    def _make_room(self, rows: int, length: int) -> None:
        """Ask for less from now on; a part that cannot be halved goes, with all that follow, to the CPU."""
        if rows > 1:
            self._torch.cuda.empty_cache()
            self._batch_tokens = rows * length // 2
            log.warning("GPU memory is short: batches of at most %d tokens from now on", self._batch_tokens)
            return
        log.warning("GPU memory is too short for a single passage: the CPU embeds from now on")
        self._device = "cpu"
        self._batch_tokens = _CPU_TOKENS
        self._model.to("cpu").float()
        self._torch.cuda.empty_cache()

    def _forward(self, ids: Any, mask: Any) -> _Flight:
        torch = self._torch
        with torch.inference_mode():
            features = {"input_ids": self._staged(ids), "attention_mask": self._staged(mask)}
            vectors = self._model(features)["sentence_embedding"].float()
            vectors = torch.nn.functional.normalize(vectors, dim=1)
            if self._device == "cpu":
                return _Flight(vectors, None)
            host = torch.empty(vectors.shape, dtype=vectors.dtype, pin_memory=True)
            host.copy_(vectors, non_blocking=True)
            landed = torch.cuda.Event()
            landed.record()
            return _Flight(host, landed)

    def _staged(self, values: Any) -> Any:
        """``values``, padded to an even length, on the device or on their way to it."""
        torch = self._torch
        rows, length = values.shape
        wide = -(-length // _LENGTH_MULTIPLE) * _LENGTH_MULTIPLE
        pinned = self._device != "cpu"
        staged = torch.zeros((rows, wide), dtype=torch.int64, pin_memory=pinned)
        staged[:, :length] = torch.from_numpy(values)
        return staged.to(self._device, non_blocking=pinned)


def _landed(flights: list[_Flight]) -> FloatArray:
    return np.concatenate([flight.vectors() for flight in flights])
