"""Embeddings through sentence-transformers and torch: half precision on CUDA, float32 on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from quire_engine.errors import ModelError
from quire_engine.settings import EmbeddingSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quire_engine.interfaces import FloatArray


class TorchRuntime:
    """A batch that does not fit the GPU is halved until it does; a single row that does not: CPU."""

    name = "torch"

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
        if self._device == "cuda":
            self._model.half()

    @property
    def batch_tokens(self) -> int:
        return 65_536 if self._device == "cuda" else 2048

    def run(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> FloatArray:
        try:
            return self._forward(ids, mask)
        except self._torch.cuda.OutOfMemoryError:
            self._torch.cuda.empty_cache()
        if len(ids) > 1:
            half = len(ids) // 2
            return np.concatenate([self.run(ids[:half], mask[:half]), self.run(ids[half:], mask[half:])])
        self._device = "cpu"
        self._model.to("cpu").float()
        return self._forward(ids, mask)

    def _forward(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> FloatArray:
        torch = self._torch
        with torch.inference_mode():
            features = {
                "input_ids": torch.from_numpy(ids).to(self._device),
                "attention_mask": torch.from_numpy(mask).to(self._device),
            }
            vectors = self._model(features)["sentence_embedding"].float()
            vectors = torch.nn.functional.normalize(vectors, dim=1)
        result: FloatArray = vectors.cpu().numpy()
        return result
