from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from quire_engine.errors import ModelError
from quire_engine.inference.batches import padded
from quire_engine.inference.catalogue import checked_embedding_model, embedding_model_folder
from quire_engine.inference.embedder import SentenceEmbedder
from quire_engine.inference.openvino_runtime import OpenVINORuntime
from quire_engine.settings import EmbeddingSettings

if TYPE_CHECKING:
    from quire_engine.inference.batches import Batch

MODEL = "all-MiniLM-L6-v2"


@pytest.fixture
def converted(embedder: SentenceEmbedder, model_cache: Path) -> Path:
    """The folder of the converted model."""
    embedder.load()
    (folder,) = (model_cache / "openvino").iterdir()
    return folder


BATCH = (np.array([[101, 102]]), np.array([[1, 1]]))


def load(settings: EmbeddingSettings | None = None) -> OpenVINORuntime:
    folder, digest, _ = checked_embedding_model(MODEL)
    return OpenVINORuntime(folder, digest, settings or EmbeddingSettings())


class TestCache:
    def test_holds_the_weights_once(self, converted: Path) -> None:
        assert (converted / "model.xml").is_file()
        sizes = [file.stat().st_size for file in converted.rglob("*") if file.is_file()]
        assert sum(size > 10_000_000 for size in sizes) == 1
        assert not list(converted.parent.glob("tmp*"))

    def test_is_used_again(self, converted: Path) -> None:
        before = (converted / "model.xml").stat()
        (vectors,) = load().run([BATCH])
        assert vectors.shape == (1, 384)
        assert (converted / "model.xml").stat() == before

    def test_needs_neither_torch_nor_its_friends(self, converted: Path) -> None:
        script = (
            "import sys\n"
            "from quire_engine.inference.embedder import open_embedder\n"
            "from quire_engine.settings import EmbeddingSettings\n"
            "embedder = open_embedder(EmbeddingSettings(runtime='openvino'))\n"
            "assert embedder.embed_query('kiln').shape == (384,)\n"
            "print(sorted({'torch', 'sentence_transformers', 'transformers', 'spacy'} & set(sys.modules)))\n"
        )
        finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        assert (finished.stdout.strip(), finished.returncode) == ("[]", 0), finished.stderr

    @pytest.mark.parametrize("file", ["model.xml", "model.bin"])
    @pytest.mark.parametrize("damage", [b"", b"<net>", b"\x00" * 1000])
    def test_a_damaged_one_is_made_again(
        self, converted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, damage: bytes
    ) -> None:
        (expected,) = load().run([BATCH])
        copy = tmp_path / "openvino" / converted.name
        shutil.copytree(converted, copy)
        monkeypatch.setenv("QUIRE_CACHE_DIR", str(tmp_path))
        (copy / file).write_bytes(damage)
        (vectors,) = load().run([BATCH])
        assert vectors == pytest.approx(expected, abs=1e-6)
        assert (copy / file).stat().st_size > 10_000

    def test_those_of_other_versions_are_removed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("QUIRE_CACHE_DIR", str(tmp_path))
        _, digest, _ = checked_embedding_model(MODEL)
        outdated = tmp_path / "openvino" / f"{digest[:16]}-0-2020.1.0"
        another = tmp_path / "openvino" / "0123456789abcdef-0-2020.1.0"
        for folder in (outdated, another):
            folder.mkdir(parents=True)
            (folder / "model.xml").write_text("")
        load()
        assert not outdated.exists()
        assert (another / "model.xml").exists()

    def test_a_place_that_cannot_be_made_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("QUIRE_CACHE_DIR", str(tmp_path / "file"))
        with pytest.raises(ModelError, match="QUIRE_CACHE_DIR"):
            load()


class TestConversion:
    def test_weights_that_cannot_be_read_are_named_and_leave_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("QUIRE_CACHE_DIR", str(tmp_path / "cache"))
        folder = tmp_path / "model"
        shutil.copytree(embedding_model_folder(MODEL), folder, ignore=shutil.ignore_patterns("*.safetensors"))
        (folder / "model.safetensors").write_bytes(b"no weights")
        with pytest.raises(ModelError, match="cannot be converted"):
            OpenVINORuntime(folder, "0" * 64, EmbeddingSettings())
        assert [file for file in (tmp_path / "cache").rglob("*") if file.is_file()] == []

    def test_another_architecture_than_bert_is_traced(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import torch
        from transformers import DistilBertConfig, DistilBertModel

        monkeypatch.setenv("QUIRE_CACHE_DIR", str(tmp_path / "cache"))
        torch.manual_seed(7)
        config = DistilBertConfig(vocab_size=90, dim=24, n_layers=2, n_heads=3, hidden_dim=40)
        network = DistilBertModel(config).eval()
        network.save_pretrained(tmp_path / "model")
        (tmp_path / "model" / "1_Pooling").mkdir()
        (tmp_path / "model" / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
        batch = padded([[5, 6, 7], [8]])
        (found,) = OpenVINORuntime(tmp_path / "model", "1" * 64, EmbeddingSettings()).run([batch])
        with torch.inference_mode():
            ids, mask = map(torch.from_numpy, batch)
            hidden = network(input_ids=ids, attention_mask=mask).last_hidden_state[:, 0].numpy()
        expected = hidden / np.linalg.norm(hidden, axis=1, keepdims=True)
        assert (found * expected).sum(axis=1) == pytest.approx(1, abs=1e-3)


class TestThreads:
    def test_can_be_limited(self, converted: Path) -> None:
        (vectors,) = load(EmbeddingSettings(threads=1)).run([BATCH])
        assert np.linalg.norm(vectors) == pytest.approx(1, abs=1e-2)

    def test_several_streams_answer_in_order(self, converted: Path) -> None:
        batches = [padded([[101, 2000 + n, 102]] * (1 + n % 3)) for n in range(12)]
        expected = list(load(EmbeddingSettings(threads=1)).run(batches))
        found = list(load(EmbeddingSettings(threads=6)).run(batches))
        for vectors, wanted in zip(found, expected, strict=True):
            assert vectors == pytest.approx(wanted, abs=1e-2)

    def test_a_caller_that_stops_early_disturbs_nobody(self, converted: Path) -> None:
        runtime = load()
        batches = [padded([[101, 2000 + n, 102]]) for n in range(4)]
        expected = list(runtime.run(batches))
        for _ in range(3):
            stopped = runtime.run(batches)
            assert next(stopped) == pytest.approx(expected[0], abs=1e-6)
            del stopped
        assert list(runtime.run(batches))[3] == pytest.approx(expected[3], abs=1e-6)

    def test_a_question_does_not_wait_for_a_slab(self, converted: Path) -> None:
        runtime = load()
        most, answered, begun = 5000, threading.Event(), threading.Event()

        def slab() -> Iterator[Batch]:
            for number in range(most):
                if answered.is_set():
                    return
                if number > runtime.parallel:
                    begun.set()
                yield padded([[101, *[2000 + number] * 60, 102]] * 8)

        with ThreadPoolExecutor(1) as passages:
            embedded = passages.submit(lambda: sum(1 for _ in runtime.run(slab())))
            try:
                assert begun.wait(60)
                (vectors,) = runtime.run([BATCH])
            finally:
                answered.set()
        assert vectors.shape == (1, 384)
        assert 0 < embedded.result() < most
