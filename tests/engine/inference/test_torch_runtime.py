from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from quire_engine.errors import ModelError
from quire_engine.inference.batches import padded
from quire_engine.inference.catalogue import embedding_model_folder
from quire_engine.inference.embedder import SentenceEmbedder, open_embedder
from quire_engine.inference.torch_runtime import TorchRuntime
from quire_engine.settings import EmbeddingSettings

if TYPE_CHECKING:
    from quire_engine.inference.batches import Batch

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

    def test_of_tokens_are_those_of_openvino(self, embedder: SentenceEmbedder, model_cache: Path) -> None:
        texts = ["Prune the roses in early March.", "", "Der Ofen erreicht 1240 °C."]
        other = open_embedder(EmbeddingSettings(runtime="openvino"))
        for one, two in zip(embedder.embed_tokens(texts), other.embed_tokens(texts), strict=True):
            assert one.spans == two.spans
            assert one.vector @ two.vector > 0.998
            assert (one.tokens * two.tokens).sum(axis=1).min() > 0.99

    def test_of_tokens_come_with_the_one_of_the_passage(self, embedder: SentenceEmbedder) -> None:
        (seen,) = embedder.embed_tokens(["a longer text about a kiln"])
        (vector,) = embedder.embed_passages(["a longer text about a kiln"])
        assert seen.vector == pytest.approx(vector, abs=1e-3)
        assert np.linalg.norm(seen.tokens, axis=1) == pytest.approx(1, abs=1e-3)


class Cramped:
    """A model in front of the real one whose memory holds so many tokens and no more."""

    def __init__(self, model: Any, room: int) -> None:
        self._model = model
        self.room = room
        self.calls: list[tuple[int, int]] = []
        self.moved: list[str] = []

    def __call__(self, features: Any) -> Any:
        import torch

        shape = features["input_ids"].shape
        self.calls.append((shape[0], shape[1]))
        if shape[0] * shape[1] > self.room:
            raise torch.cuda.OutOfMemoryError("no room")
        return self._model(features)

    def to(self, device: str) -> Cramped:
        self.moved.append(device)
        self.room = 10**9
        self._model.to(device)
        return self

    def float(self) -> Cramped:
        self._model.float()
        return self


class TestBatches:
    BATCHES = tuple(padded([[101, 2000 + n, 102]] * (1 + n % 4)) for n in range(9))

    def test_come_back_in_order(self, embedder: SentenceEmbedder) -> None:
        runtime = embedder.load()
        alone = [next(iter(runtime.run([batch]))) for batch in self.BATCHES]
        for vectors, wanted in zip(runtime.run(self.BATCHES), alone, strict=True):
            assert vectors == pytest.approx(wanted, abs=1e-3)

    def test_are_taken_no_further_ahead_than_needed(self, embedder: SentenceEmbedder) -> None:
        taken = []

        def batches() -> Iterator[Batch]:
            for number, batch in enumerate(self.BATCHES):
                taken.append(number)
                yield batch

        for done, _ in enumerate(embedder.load().run(batches())):
            assert len(taken) <= done + 3

    def test_of_none_are_none(self, embedder: SentenceEmbedder) -> None:
        assert list(embedder.load().run([])) == []


class TestMemory:
    BATCH = padded([[101, 2000 + n, 102] for n in range(7)])

    @pytest.fixture
    def runtime(self) -> Any:
        return TorchRuntime(FOLDER, EmbeddingSettings())

    def test_a_batch_that_does_not_fit_is_halved_until_it_does(
        self, runtime: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        (whole,) = runtime.run([self.BATCH])
        runtime._model = cramped = Cramped(runtime._model, room=2 * 8)
        (parts,) = runtime.run([self.BATCH])
        assert parts == pytest.approx(whole, abs=1e-3)
        assert [rows for rows, _ in cramped.calls] == [7, 3, 1, 1, 1, 1, 1, 1, 1]
        assert "memory is short" in caplog.text
        assert cramped.moved == []

    def test_what_did_not_fit_once_is_not_tried_again(self, runtime: Any) -> None:
        runtime._model = cramped = Cramped(runtime._model, room=4 * 8)
        list(runtime.run([self.BATCH]))
        budget = runtime.batch_tokens
        cramped.calls.clear()
        vectors = list(runtime.run([self.BATCH, self.BATCH]))
        assert [len(rows) for rows in vectors] == [7, 7]
        assert max(rows for rows, _ in cramped.calls) <= 4
        assert runtime.batch_tokens == budget < 7 * 8  # rows are padded to eight tokens

    def test_when_a_single_row_does_not_fit_the_cpu_takes_over_for_good(
        self, runtime: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        (whole,) = runtime.run([self.BATCH])
        runtime._model = cramped = Cramped(runtime._model, room=0)
        found = list(runtime.run([self.BATCH, self.BATCH]))
        for vectors in found:
            assert vectors == pytest.approx(whole, abs=1e-3)
        assert cramped.moved == ["cpu"]
        assert runtime.batch_tokens == 2048
        assert "the CPU computes from now on" in caplog.text

    def test_texts_are_all_embedded_when_it_runs_short_half_way(
        self, runtime: Any, reference: Reference
    ) -> None:
        runtime._model = Cramped(runtime._model, room=300)
        embedder = SentenceEmbedder(FOLDER, "digest", "cramped", lambda: runtime, "torch")
        assert reference.cosines(embedder.embed_passages(reference.texts)).min() >= 0.999


class TestLoading:
    def test_weights_that_cannot_be_read_are_named(self, tmp_path: Path) -> None:
        folder = tmp_path / "model"
        shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("*.safetensors"))
        (folder / "model.safetensors").write_bytes(b"no weights")
        with pytest.raises(ModelError, match="cannot be loaded"):
            TorchRuntime(folder, EmbeddingSettings())
