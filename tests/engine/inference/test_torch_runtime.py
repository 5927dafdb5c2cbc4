from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from quire_engine.errors import ModelError
from quire_engine.inference.catalogue import embedding_model_folder
from quire_engine.inference.embedder import SentenceEmbedder, open_embedder
from quire_engine.inference.torch_runtime import TorchRuntime
from quire_engine.settings import EmbeddingSettings

if TYPE_CHECKING:
    from .conftest import Reference

FOLDER = embedding_model_folder("all-MiniLM-L6-v2")


@pytest.fixture(scope="module")
def embedder() -> SentenceEmbedder:
    return open_embedder(EmbeddingSettings(runtime="torch"))


class TestVectors:
    def test_are_those_of_sentence_transformers(
        self, embedder: SentenceEmbedder, reference: Reference
    ) -> None:
        import torch

        cosines = reference.cosines(embedder.embed_passages(reference.texts))
        # half precision on CUDA, the same arithmetic on the CPU
        assert cosines.min() >= (0.999 if torch.cuda.is_available() else 0.9999)

    def test_are_unit_float32(self, embedder: SentenceEmbedder) -> None:
        vectors = embedder.embed_passages(["kiln", "a longer text about a kiln"])
        assert vectors.dtype == np.float32
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-3)


class TestMemory:
    IDS = np.array([[101, 2000 + n, 102] for n in range(7)])

    def test_a_batch_that_does_not_fit_is_halved_until_it_does(self, embedder: SentenceEmbedder) -> None:
        import torch

        runtime: Any = embedder.load()
        whole = runtime.run(self.IDS, np.ones_like(self.IDS))
        forward, sizes = runtime._forward, []

        def cramped(ids: Any, mask: Any) -> Any:
            sizes.append(len(ids))
            if len(ids) > 2:
                raise torch.cuda.OutOfMemoryError("no room")
            return forward(ids, mask)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(runtime, "_forward", cramped)
            parts = runtime.run(self.IDS, np.ones_like(self.IDS))
        assert parts == pytest.approx(whole, abs=1e-3)
        assert sizes == [7, 3, 1, 2, 4, 2, 2]

    def test_a_single_row_that_does_not_fit_goes_to_the_cpu(self) -> None:
        import torch

        runtime: Any = TorchRuntime(FOLDER, EmbeddingSettings())
        forward, failures = runtime._forward, [torch.cuda.OutOfMemoryError("no room")]

        def failing_once(ids: Any, mask: Any) -> Any:
            if failures:
                raise failures.pop()
            return forward(ids, mask)

        runtime._forward = failing_once
        assert runtime.run(self.IDS[:1], np.ones((1, 3), dtype=np.int64)).shape == (1, 384)
        assert next(runtime._model.parameters()).device.type == "cpu"
        assert runtime.batch_tokens == 2048


class TestLoading:
    def test_weights_that_cannot_be_read_are_named(self, tmp_path: Path) -> None:
        folder = tmp_path / "model"
        shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("*.safetensors"))
        (folder / "model.safetensors").write_bytes(b"no weights")
        with pytest.raises(ModelError, match="cannot be loaded"):
            TorchRuntime(folder, EmbeddingSettings())
