from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from quire_engine.errors import ModelError
from quire_engine.inference.catalogue import checked_embedding_model, embedding_model_folder
from quire_engine.inference.embedder import SentenceEmbedder
from quire_engine.inference.openvino_runtime import OpenVINORuntime
from quire_engine.settings import EmbeddingSettings

MODEL = "all-MiniLM-L6-v2"


@pytest.fixture
def converted(embedder: SentenceEmbedder, model_cache: Path) -> Path:
    """The folder of the converted model."""
    embedder.load()
    return model_cache / "openvino"


def load(settings: EmbeddingSettings | None = None) -> OpenVINORuntime:
    folder, digest, _ = checked_embedding_model(MODEL)
    return OpenVINORuntime(folder, digest, settings or EmbeddingSettings())


class TestCache:
    def test_holds_one_whole_conversion(self, converted: Path) -> None:
        (model,) = converted.glob("*.xml")
        assert model.with_suffix(".bin").stat().st_size > 10_000_000
        assert not list(converted.glob("tmp*"))

    def test_is_used_again(self, converted: Path) -> None:
        (model,) = converted.glob("*.xml")
        before = model.stat()
        vectors = load().run(np.array([[101, 102]]), np.array([[1, 1]]))
        assert vectors.shape == (1, 384)
        assert model.stat() == before

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

    @pytest.mark.parametrize("damage", [b"", b"<net>", b"\x00" * 1000])
    def test_a_damaged_one_is_removed_and_said(
        self, converted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: bytes
    ) -> None:
        monkeypatch.setenv("QUIRE_CACHE_DIR", str(tmp_path))
        (model,) = converted.glob("*.xml")
        folder = tmp_path / "openvino"
        folder.mkdir()
        (folder / model.name).write_bytes(damage)
        shutil.copy(model.with_suffix(".bin"), folder)
        with pytest.raises(ModelError, match="try again"):
            load()
        assert not folder.exists()

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


class TestThreads:
    def test_can_be_limited(self, converted: Path) -> None:
        vectors = load(EmbeddingSettings(threads=1)).run(np.array([[101, 102]]), np.array([[1, 1]]))
        assert np.linalg.norm(vectors) == pytest.approx(1, abs=1e-2)
