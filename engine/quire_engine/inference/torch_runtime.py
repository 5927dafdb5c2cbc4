"""Networks through sentence-transformers and torch: half precision on CUDA, float32 on the CPU."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from quire_engine.errors import ModelError, one_line
from quire_engine.inference.batches import INPUTS
from quire_engine.inference.heads import MODEL_WORDS, Task
from quire_engine.settings import EmbeddingSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
    """A batch, or a part of one, on its way: its rows are in ``host`` when ``landed`` has happened."""

    host: Any
    landed: Any
    """A CUDA event; ``None`` on the CPU, where nothing is asynchronous."""

    def rows(self) -> FloatArray:
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

    def __init__(self, folder: Path, settings: EmbeddingSettings, task: Task = "embedding") -> None:
        """Load the model onto CUDA where there is one. Raises `ModelError`."""
        import torch

        self._torch = torch
        if settings.threads:
            torch.set_num_threads(settings.threads)
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            self._model = _loaded(folder, self._device, task)
        except Exception as error:  # whatever transformers, safetensors or torch raise
            reason = one_line(error)
            raise ModelError(f"{MODEL_WORDS[task]} in {folder} cannot be loaded: {reason}") from error
        self._model.eval()
        self._batch_tokens = _CPU_TOKENS
        if self._device == "cuda":
            self._model.half()
            self._batch_tokens = _CUDA_TOKENS
        self._launching = threading.Lock()
        self._task = task

    @property
    def batch_tokens(self) -> int:
        return self._batch_tokens

    def run(self, batches: Iterable[Batch], *, tokens: bool = False) -> Iterator[FloatArray]:
        """At most `_AHEAD` batches are on the device; the next one is made meanwhile."""
        flying: deque[list[_Flight]] = deque()
        for batch in batches:
            if len(flying) == _AHEAD:
                yield _landed(flying.popleft())
            flying.append(self._launch(batch, tokens))
        while flying:
            yield _landed(flying.popleft())

    def _launch(self, batch: Batch, tokens: bool) -> list[_Flight]:
        """Start one batch in as many parts as memory asks for.

        One thread launches at a time, which takes milliseconds: the device's memory is short for all alike.
        """
        flights: list[_Flight] = []
        with self._launching:
            begin, (count, length) = 0, batch[0].shape
            while begin < count:
                rows = max(1, self._batch_tokens // length)
                part = [values[begin : begin + rows] for values in batch]
                try:
                    flights.append(self._forward(part, tokens))
                except self._torch.cuda.OutOfMemoryError:
                    self._make_room(*part[0].shape)
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
        log.warning("GPU memory is too short for a single text: the CPU computes from now on")
        self._device = "cpu"
        self._batch_tokens = _CPU_TOKENS
        self._model.to("cpu").float()
        self._torch.cuda.empty_cache()

    def _forward(self, part: Sequence[NDArray[np.int64]], tokens: bool) -> _Flight:
        torch = self._torch
        with torch.inference_mode():
            features = {name: self._staged(values) for name, values in zip(INPUTS, part, strict=False)}
            if self._task == "relevance":
                rows = self._model.model(**features).logits.float()
            else:
                made = self._model(features)
                rows = torch.nn.functional.normalize(made["sentence_embedding"].float(), dim=1)
                if tokens:
                    states = made["token_embeddings"][:, : part[0].shape[1]].float()
                    rows = torch.cat([rows[:, None], states], dim=1)
            if self._device == "cpu":
                return _Flight(rows, None)
            host = torch.empty(rows.shape, dtype=rows.dtype, pin_memory=True)
            host.copy_(rows, non_blocking=True)
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


def _loaded(folder: Path, device: str, task: Task) -> Any:
    """The model of sentence-transformers; raises whatever transformers, safetensors or torch raise."""
    from sentence_transformers import CrossEncoder, SentenceTransformer

    if task == "embedding":
        return SentenceTransformer(str(folder), device=device, local_files_only=True)
    from torch import nn

    # What is given is not looked up by the name that the folder's configuration has for it.
    return CrossEncoder(str(folder), device=device, local_files_only=True, activation_fn=nn.Identity())


def _landed(flights: list[_Flight]) -> FloatArray:
    return np.concatenate([flight.rows() for flight in flights])
