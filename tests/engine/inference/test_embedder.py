"""Embeddings with the real weights."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_engine.errors import ModelError
from quire_engine.inference.catalogue import embedding_model_folder
from quire_engine.inference.embedder import _SLAB, SentenceEmbedder, open_embedder, shared_embedder
from quire_engine.interfaces import TokenVectors
from quire_engine.settings import EmbeddingSettings

if TYPE_CHECKING:
    from quire_engine.inference.batches import Batch
    from quire_engine.interfaces import FloatArray

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


class TestTokenVectors:
    TEXTS = (
        "Prune the roses in early March.",
        "",
        "kiln",
        "Der Ofen erreicht 1240 °C.",
        "京都の古い庭",
        "a\udcffb 😀 ﬁ",
        "The kiln cools for two days, the glaze for one. " * 4,
    )

    @pytest.fixture(scope="class")
    @classmethod
    def seen(cls, embedder: SentenceEmbedder) -> list[TokenVectors]:
        return embedder.embed_tokens(cls.TEXTS)

    def test_of_the_text_is_the_one_of_the_passage(
        self, seen: list[TokenVectors], embedder: SentenceEmbedder
    ) -> None:
        passages = embedder.embed_passages(self.TEXTS)
        for each, vector in zip(seen, passages, strict=True):
            assert each.vector == pytest.approx(vector, abs=1e-3)

    def test_are_unit_float32_one_for_each_token(self, seen: list[TokenVectors]) -> None:
        for each in seen:
            assert each.tokens.dtype == np.float32
            assert each.tokens.shape == (len(each.spans), 384)
            assert np.linalg.norm(each.tokens, axis=1) == pytest.approx(1, abs=1e-3)

    def test_stand_where_their_spans_say(self, seen: list[TokenVectors]) -> None:
        assert [self.TEXTS[2][start:end] for start, end in seen[2].spans] == ["", "ki", "ln", ""]
        for each, text in zip(seen, self.TEXTS, strict=True):
            assert each.spans[0] == each.spans[-1] == (0, 0)
            places = [span for span in each.spans if span != (0, 0)]
            assert places == sorted(places)
            assert all(0 <= start < end <= len(text) for start, end in places)
            if text.isascii():
                covered = "".join(text[start:end] for start, end in places)
                assert covered == "".join(text.split())

    def test_a_word_is_nearest_to_itself_in_another_sentence(self, embedder: SentenceEmbedder) -> None:
        one, other = embedder.embed_tokens(["Where is the kiln?", "The roses are red. Our kiln is hot."])
        asked = [text for text, _ in _words(one, "Where is the kiln?")].index("ki")
        nearest = int((one.tokens[asked] @ other.tokens.T).argmax())
        assert "The roses are red. Our kiln is hot."[slice(*other.spans[nearest])] in ("ki", "ln")

    def test_a_text_is_the_same_alone_and_among_longer_ones(
        self, seen: list[TokenVectors], embedder: SentenceEmbedder
    ) -> None:
        (alone,) = embedder.embed_tokens(self.TEXTS[:1])
        assert (alone.tokens * seen[0].tokens).sum(axis=1).min() > 0.998

    def test_what_lies_beyond_the_limit_is_not_read(self, embedder: SentenceEmbedder) -> None:
        long = "the kiln is hot " * 200
        (seen,) = embedder.embed_tokens([long])
        assert len(seen.spans) == len(seen.tokens) == embedder.max_tokens
        assert max(end for _, end in seen.spans) < len(long)

    def test_of_nothing_are_none(self, embedder: SentenceEmbedder) -> None:
        assert embedder.embed_tokens([]) == []


def _words(seen: TokenVectors, text: str) -> list[tuple[str, tuple[int, int]]]:
    return [(text[start:end], (start, end)) for start, end in seen.spans]


class Lengths:
    """A runtime that shows which row it was given: the first number of each vector is the row's tokens."""

    name = "lengths"
    batch_tokens = 64
    parallel = 2

    def run(self, batches: Iterable[Batch], *, tokens: bool = False) -> Iterator[FloatArray]:
        waiting: list[FloatArray] = []
        for _, mask in batches:
            waiting.append(np.repeat(mask.sum(axis=1, keepdims=True), 384, axis=1).astype(np.float32))
            if len(waiting) > 2:
                yield waiting.pop(0)
        yield from waiting


class TestSlabs:
    def test_of_many_texts_come_back_in_the_order_of_the_texts(self) -> None:
        embedder = SentenceEmbedder(embedding_model_folder(MODEL), "digest", MODEL, Lengths, "lengths")
        words = [n * 7 % 23 for n in range(2 * _SLAB + 11)]
        vectors = embedder.embed_passages(["kiln " * count for count in words])
        assert vectors[:, 0].tolist() == [2 + 2 * count for count in words]

    def test_a_failure_in_the_runtime_is_raised(self) -> None:
        class Failing(Lengths):
            def run(self, batches: Iterable[Batch], *, tokens: bool = False) -> Iterator[FloatArray]:
                yield from itertools.islice(super().run(batches), 2)
                raise ModelError("the network broke")

        embedder = SentenceEmbedder(embedding_model_folder(MODEL), "digest", MODEL, Failing, "failing")
        with pytest.raises(ModelError, match="the network broke"):
            embedder.embed_passages(["kiln"] * (_SLAB + 1))


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

    def test_reads_beyond_what_is_embedded(self, embedder: SentenceEmbedder) -> None:
        known, spelt = "the kiln is hot today " * 60, " qwxz" * 300
        assert embedder.readability(known) > embedder.readability(known + spelt) + 0.1

    @given(st.text())
    def test_is_a_share(self, embedder: SentenceEmbedder, text: str) -> None:
        assert 0 <= embedder.readability(text) <= 1


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


def test_those_who_ask_for_the_same_share_one(
    model_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = EmbeddingSettings(runtime="openvino")
    first = shared_embedder(settings)
    assert shared_embedder(EmbeddingSettings(runtime="openvino")) is first
    assert shared_embedder(EmbeddingSettings(runtime="openvino", threads=1)) is not first
    monkeypatch.setenv("QUIRE_CACHE_DIR", str(tmp_path))
    assert shared_embedder(settings) is not first
