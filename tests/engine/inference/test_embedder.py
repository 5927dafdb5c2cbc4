"""Embeddings with the real weights."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_engine.errors import ModelError
from quire_engine.inference.catalogue import embedding_model_folder
from quire_engine.inference.embedder import (
    SentenceEmbedder,
    _batches,
    open_embedder,
    pooling_mode,
)
from quire_engine.settings import EmbeddingSettings

if TYPE_CHECKING:
    from .conftest import Reference

MODEL = "all-MiniLM-L6-v2"


class TestVectors:
    def test_are_those_of_sentence_transformers(
        self, embedder: SentenceEmbedder, reference: Reference
    ) -> None:
        cosines = reference.cosines(embedder.embed_passages(reference.texts))
        assert cosines.mean() >= 0.999
        assert cosines.min() >= 0.998

    def test_are_the_published_ones(self, embedder: SentenceEmbedder) -> None:
        canonical = [-0.0345, 0.0310, 0.0067, 0.0261, -0.0394]
        assert embedder.embed_query("hello world")[:5] == pytest.approx(canonical, abs=2e-3)

    def test_are_unit_float32_in_the_order_of_the_texts(
        self, embedder: SentenceEmbedder, reference: Reference
    ) -> None:
        together = embedder.embed_passages(reference.texts)
        assert together.dtype == np.float32
        assert together.shape == (len(reference.texts), embedder.dimensions) == (12, 384)
        assert np.linalg.norm(together, axis=1) == pytest.approx(1, abs=1e-2)
        alone = np.stack([embedder.embed_query(text) for text in reference.texts])
        assert (together * alone).sum(axis=1).min() > 0.998

    def test_of_nothing_are_none(self, embedder: SentenceEmbedder) -> None:
        assert embedder.embed_passages([]).shape == (0, 384)

    def test_meaning_is_near_and_other_meaning_far(self, embedder: SentenceEmbedder) -> None:
        question = embedder.embed_query("When should I cut back my rose bushes?")
        near, far = embedder.embed_passages(["Prune the roses in March.", "The kiln cools for two days."])
        assert question @ near > question @ far + 0.3

    def test_what_lies_beyond_the_limit_is_not_read(self, embedder: SentenceEmbedder) -> None:
        long = "the kiln is hot " * 100
        first, second = embedder.embed_passages([long, long + "roses " * 100])
        assert first @ second > 0.9999

    def test_a_text_without_meaning_has_a_vector(self, embedder: SentenceEmbedder) -> None:
        vectors = embedder.embed_passages(["", "\ud800", "a\udcffb", "\x00", " " * 10_000])
        assert np.isfinite(vectors).all()

    def test_several_threads_get_the_same_as_one(self, embedder: SentenceEmbedder) -> None:
        texts = [f"note number {n} about {word}" for n, word in enumerate("kiln clay rose saw".split())]
        expected = [embedder.embed_query(text) for text in texts]
        with ThreadPoolExecutor(4) as threads:
            found = list(threads.map(embedder.embed_query, texts * 5))
        for vector, wanted in zip(found, expected * 5, strict=True):
            assert vector == pytest.approx(wanted, abs=1e-3)


class TestTokens:
    def test_are_counted_without_special_ones_and_whole(self, embedder: SentenceEmbedder) -> None:
        assert embedder.count_tokens(["", "kiln", "hello world", "the " * 5000]) == [0, 2, 2, 5000]

    def test_lone_surrogates_count_as_something(self, embedder: SentenceEmbedder) -> None:
        assert embedder.count_tokens(["\ud800 kiln"])[0] >= 2

    def test_the_limit_is_the_models(self, embedder: SentenceEmbedder) -> None:
        assert embedder.max_tokens == 256


class TestReadability:
    @pytest.mark.parametrize(
        "text", ["When do I prune the roses?", "what is a good way to fire stoneware", "Rose garden in 2024"]
    )
    def test_english_is_read(self, embedder: SentenceEmbedder, text: str) -> None:
        assert embedder.readability(text) > 0.8

    @pytest.mark.parametrize(
        "text",
        [
            "كيف أعتني بالورود في الحديقة",
            "วิธีดูแลสวนกุหลาบ",
            "如何修剪玫瑰",
            "桜の木はどこにありますか",
            "как обрезать розы",
        ],
    )
    def test_other_scripts_are_hardly_read(self, embedder: SentenceEmbedder, text: str) -> None:
        assert embedder.readability(text) < 0.4

    def test_other_languages_in_latin_letters_lie_between(self, embedder: SentenceEmbedder) -> None:
        german = embedder.readability("Wie schneide ich meine Rosenstöcke im Frühling zurück?")
        assert 0.3 < german < embedder.readability("How do I prune my rose bushes in spring?")

    @pytest.mark.parametrize("text", ["", "?!", "\ud800", " \n"])
    def test_where_there_are_no_letters_there_is_nothing_to_read(
        self, embedder: SentenceEmbedder, text: str
    ) -> None:
        assert embedder.readability(text) == 0.0

    @given(st.text())
    def test_is_a_share(self, embedder: SentenceEmbedder, text: str) -> None:
        assert 0 <= embedder.readability(text) <= 1


class TestBatches:
    @given(st.lists(st.integers(1, 300), max_size=200), st.integers(1, 2000))
    def test_hold_every_row_once_within_the_budget(self, lengths: list[int], budget: int) -> None:
        batches = list(_batches(lengths, budget))
        assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
        for batch in batches:
            longest = max(lengths[row] for row in batch)
            assert len(batch) == 1 or len(batch) * longest <= budget

    def test_hold_rows_of_similar_length(self) -> None:
        assert list(_batches([100, 1, 100, 1], 200)) == [[1, 3], [0, 2]]


class TestFingerprint:
    def test_names_the_weights_and_not_the_runtime(self, embedder: SentenceEmbedder) -> None:
        torch = open_embedder(EmbeddingSettings(runtime="torch"))
        assert embedder.fingerprint == torch.fingerprint
        assert embedder.fingerprint.startswith(f"{MODEL}@53aa51172d142c89/256/")
        assert (embedder.runtime_name, torch.runtime_name) == ("openvino", "torch")

    def test_other_weights_have_another(self, tmp_path: Path) -> None:
        folder = copied_model(tmp_path)
        weights = folder / "model.safetensors"
        weights.write_bytes(b"other")
        found = open_embedder(EmbeddingSettings(model=str(folder))).fingerprint
        assert found.startswith("own-model@")
        assert "53aa51172d142c89" not in found


def copied_model(tmp_path: Path) -> Path:
    """The model's folder with everything but its weights, which would be large."""
    import shutil

    folder = tmp_path / "own-model"
    shutil.copytree(embedding_model_folder(MODEL), folder, ignore=shutil.ignore_patterns("*.safetensors"))
    return folder


class TestOpening:
    def test_the_network_is_loaded_when_it_is_needed(self, tmp_path: Path) -> None:
        loaded: list[str] = []

        def runtime() -> Any:
            loaded.append("runtime")
            raise ModelError("no network here")

        embedder = SentenceEmbedder(embedding_model_folder(MODEL), "digest", MODEL, runtime, "none")
        assert embedder.count_tokens(["kiln"]) == [2]
        assert loaded == []
        with pytest.raises(ModelError, match="no network here"):
            embedder.embed_query("kiln")
        assert loaded == ["runtime"]

    def test_a_model_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="no-such-model"):
            open_embedder(EmbeddingSettings(model="no-such-model"))
        with pytest.raises(ModelError, match=r"holds no model\.safetensors"):
            open_embedder(EmbeddingSettings(model=str(tmp_path)))

    @pytest.mark.parametrize("file", ["config.json", "sentence_bert_config.json", "tokenizer.json"])
    @pytest.mark.parametrize("content", [None, b"", b"[]", b"{}", b"\xff"])
    def test_a_damaged_folder_is_named(self, tmp_path: Path, file: str, content: bytes | None) -> None:
        folder = copied_model(tmp_path)
        (folder / "model.safetensors").write_bytes(b"weights")
        if content is None:
            (folder / file).unlink()
        else:
            (folder / file).write_bytes(content)
        with pytest.raises(ModelError, match="own-model cannot be read"):
            open_embedder(EmbeddingSettings(model=str(folder)))


class TestPooling:
    @pytest.mark.parametrize(
        ("config", "mode"),
        [({"pooling_mode_mean_tokens": True}, "mean"), ({"pooling_mode_cls_token": True}, "cls")],
    )
    def test_is_what_the_model_says(self, tmp_path: Path, config: dict[str, bool], mode: str) -> None:
        (tmp_path / "1_Pooling").mkdir()
        (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(config))
        assert pooling_mode(tmp_path) == mode

    def test_another_way_cannot_be_run(self, tmp_path: Path) -> None:
        (tmp_path / "1_Pooling").mkdir()
        (tmp_path / "1_Pooling" / "config.json").write_text('{"pooling_mode_max_tokens": true}')
        with pytest.raises(ModelError, match="pools in a way"):
            pooling_mode(tmp_path)

    def test_a_model_that_does_not_say_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="1_Pooling"):
            pooling_mode(tmp_path)

    def test_of_the_default_model_is_the_mean(self) -> None:
        assert pooling_mode(embedding_model_folder(MODEL)) == "mean"
