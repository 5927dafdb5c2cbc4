"""Cross-encoders with random weights, against sentence-transformers on the same weights."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tiny_cross_encoder

from quire_engine.errors import ModelError
from quire_engine.inference.batches import padded
from quire_engine.inference.bert_graph import bert_graph
from quire_engine.inference.pairs import PairTokenizer
from quire_engine.inference.reranker import CrossEncoderReranker, open_reranker
from quire_engine.inference.runtimes import Runtime, open_runtime
from quire_engine.settings import EmbeddingSettings, RetrievalSettings, Settings

if TYPE_CHECKING:
    from quire_engine.inference.batches import Batch
    from quire_engine.interfaces import FloatArray

QUESTION = "When should I cut back my rose bushes?"
PASSAGES = (
    "Prune the roses in early March, before the buds open.",
    "The kiln cools for two days.",
    "",
    "garden " * 300,
    "\x00 \ud800 桜 é [SEP] ﬁ",
    "A note about clay, glaze and fire. " * 4,
)
COARSE = 0.02
"""OpenVINO computes in bfloat16 where the processor does, whose numbers have three digits."""


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_cross_encoder.bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QUIRE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("QUIRE_MODELS_DIR", str(tmp_path / "models"))
    return tmp_path / "cache"


def settings(reranker: object = "", runtime: str = "openvino") -> Settings:
    return Settings(
        retrieval=RetrievalSettings(reranker=str(reranker)),
        embedding=EmbeddingSettings(runtime=runtime),  # type: ignore[arg-type]
    )


def opened(folder: Path, runtime: str = "openvino") -> CrossEncoderReranker:
    reranker = open_reranker(settings(folder, runtime))
    assert reranker is not None
    return reranker


def reference(folder: Path, passages: Iterable[str] = PASSAGES) -> Any:
    from sentence_transformers import CrossEncoder
    from torch import nn

    model = CrossEncoder(str(folder), device="cpu", local_files_only=True)
    pairs = [(QUESTION, passage.encode("utf-8", "replace").decode()) for passage in passages]
    return model.predict(pairs, activation_fn=nn.Sigmoid(), show_progress_bar=False)


class TestScores:
    def test_of_torch_are_those_of_sentence_transformers(self, bert: Path) -> None:
        found = opened(bert, "torch").scores(QUESTION, PASSAGES, seconds=None)
        assert found == pytest.approx(reference(bert), abs=1e-3)

    def test_of_the_graph_in_float32_are_those_of_sentence_transformers(self, bert: Path) -> None:
        import openvino

        model = bert_graph(bert, "relevance")
        compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        pairs = PairTokenizer(bert, 64).pairs(QUESTION, PASSAGES)
        ids, mask, types = padded([pair.ids for pair in pairs], [pair.types for pair in pairs])
        logits = compiled({"input_ids": ids, "attention_mask": mask, "token_type_ids": types})[0]
        assert logits.shape == (len(PASSAGES), 1)
        assert 1 / (1 + np.exp(-logits[:, 0])) == pytest.approx(reference(bert), abs=1e-5)

    def test_of_openvino_are_those_of_sentence_transformers(self, bert: Path) -> None:
        found = opened(bert).scores(QUESTION, PASSAGES, seconds=None)
        assert found == pytest.approx(reference(bert), abs=COARSE)
        assert np.std(reference(bert)) > 2 * COARSE  # the texts differ by more than the precision

    def test_of_another_architecture_are_those_of_sentence_transformers(self, tmp_path: Path) -> None:
        folder = tiny_cross_encoder.roberta(tmp_path / "roberta")
        for runtime, precision in (("openvino", COARSE), ("torch", 1e-3)):
            found = opened(folder, runtime).scores(QUESTION, PASSAGES, seconds=None)
            assert found == pytest.approx(reference(folder), abs=precision)

    @pytest.mark.parametrize("change", [{"hidden_act": "relu"}, {"type_vocab_size": 1}])
    def test_of_unusual_bert_models_are_those_of_sentence_transformers(
        self, tmp_path: Path, change: dict[str, object]
    ) -> None:
        folder = tiny_cross_encoder.bert(tmp_path / "bert", **change)
        if "type_vocab_size" in change:
            tiny_cross_encoder.save_tokenizer(folder, 64, typed=False)
        found = opened(folder).scores(QUESTION, PASSAGES, seconds=None)
        assert found == pytest.approx(reference(folder), abs=COARSE)

    def test_are_probabilities_in_the_order_of_the_passages(self, bert: Path) -> None:
        reranker = opened(bert)
        passages = [f"{'long ' * (number % 7)}note {number} about clay" for number in range(40)]
        together = reranker.scores(QUESTION, passages, seconds=None)
        assert together is not None
        assert all(0 < score < 1 for score in together)
        backwards = reranker.scores(QUESTION, passages[::-1], seconds=None)
        assert backwards == pytest.approx(together[::-1], abs=COARSE / 2)
        alone = [reranker.scores(QUESTION, [passage], seconds=None) or [] for passage in passages]
        assert [score for (score,) in alone] == pytest.approx(together, abs=COARSE / 2)

    def test_of_nothing_are_none(self, bert: Path) -> None:
        assert opened(bert).scores(QUESTION, [], seconds=0) == []

    def test_depend_on_the_question(self, bert: Path) -> None:
        reranker = opened(bert, "torch")
        one, other = (reranker.scores(q, PASSAGES, seconds=None) for q in (QUESTION, "hot kiln"))
        assert one != pytest.approx(other, abs=1e-3)

    def test_what_lies_beyond_the_limit_is_not_read(self, bert: Path) -> None:
        reranker = opened(bert, "torch")
        long = "clay " * 64
        scores = reranker.scores(QUESTION, [long, long + "rose " * 50_000], seconds=None)
        assert scores is not None
        assert scores[0] == pytest.approx(scores[1], abs=1e-6)

    @pytest.mark.parametrize("question", ["", "\ud800", "\x00", "x" * 200_000, "rose " * 50_000, "[CLS]"])
    def test_of_any_question_are_numbers(self, bert: Path, question: str) -> None:
        scores = opened(bert).scores(question, PASSAGES, seconds=None)
        assert scores is not None
        assert np.isfinite(scores).all()

    def test_several_threads_get_the_same_as_one(self, bert: Path) -> None:
        reranker = opened(bert)
        expected = reranker.scores(QUESTION, PASSAGES, seconds=None)
        with ThreadPoolExecutor(4) as threads:
            found = list(threads.map(lambda _: reranker.scores(QUESTION, PASSAGES, seconds=None), range(12)))
        for scores in found:
            assert scores == pytest.approx(expected, abs=COARSE / 2)

    def test_extreme_logits_stay_probabilities(self, bert: Path) -> None:
        from safetensors.numpy import load_file, save_file

        tensors = load_file(bert / "model.safetensors")
        for bias, expected in ((2000.0, 1.0), (-2000.0, 0.0)):
            folder = bert.parent / f"biased{bias}"
            shutil.copytree(bert, folder)
            tensors["classifier.bias"] = np.array([bias], np.float32)
            save_file(tensors, folder / "model.safetensors", {"format": "pt"})
            scores = opened(folder).scores(QUESTION, PASSAGES, seconds=None)
            assert scores == [expected] * len(PASSAGES)


class Slow:
    """A real runtime, each of whose tokens moves the clock."""

    name = "slow"
    parallel = 1
    batch_tokens = 64

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.now = 0.0
        self.a_token = 0.01
        self.begun: list[int] = []

    def run(self, batches: Iterable[Batch]) -> Iterator[FloatArray]:
        for batch in batches:
            self.begun.append(len(batch[0]))
            self.now += self.a_token * int(batch[1].sum())
            yield from self._runtime.run([batch])


@pytest.fixture
def slow(bert: Path) -> Slow:
    return Slow(open_runtime(bert, "5" * 64, EmbeddingSettings(runtime="openvino"), "relevance"))


class TestTimeLimit:
    PASSAGES = ("clay " * 20,) * 12

    @pytest.fixture
    def reranker(self, bert: Path, slow: Slow) -> CrossEncoderReranker:
        reranker = CrossEncoderReranker(bert, "slow", lambda: slow, clock=lambda: slow.now)
        reranker.prepare().result()
        return reranker

    def whole(self, reranker: CrossEncoderReranker, slow: Slow) -> float:
        """Seconds that all passages take."""
        begun = slow.now
        assert reranker.scores(QUESTION, self.PASSAGES, seconds=None) is not None
        slow.begun.clear()
        return slow.now - begun

    def test_the_first_batch_decides_when_nothing_is_known(
        self, reranker: CrossEncoderReranker, slow: Slow
    ) -> None:
        assert reranker.scores(QUESTION, self.PASSAGES, seconds=1.0) is None
        assert 1 <= len(slow.begun) <= 2

    def test_is_held_when_there_is_time(self, reranker: CrossEncoderReranker, slow: Slow) -> None:
        seconds = self.whole(reranker, slow) * 1.01
        scores = reranker.scores(QUESTION, self.PASSAGES, seconds=seconds)
        assert scores is not None
        assert len(scores) == len(self.PASSAGES)

    def test_is_known_beforehand_from_then_on(self, reranker: CrossEncoderReranker, slow: Slow) -> None:
        seconds = self.whole(reranker, slow) * 0.9
        assert reranker.scores(QUESTION, self.PASSAGES, seconds=seconds) is None
        assert slow.begun == []
        fewer = self.PASSAGES[:8]
        assert reranker.scores(QUESTION, fewer, seconds=seconds) is not None

    def test_stops_when_the_machine_has_become_slower(
        self, reranker: CrossEncoderReranker, slow: Slow
    ) -> None:
        seconds = self.whole(reranker, slow) * 1.5
        slow.a_token *= 4
        assert reranker.scores(QUESTION, self.PASSAGES, seconds=seconds) is None
        assert 1 <= len(slow.begun) <= 2

    def test_is_tried_again_when_the_machine_has_become_faster(
        self, reranker: CrossEncoderReranker, slow: Slow
    ) -> None:
        seconds = self.whole(reranker, slow) / 2
        slow.a_token /= 4
        tries = [reranker.scores(QUESTION, self.PASSAGES, seconds=seconds) for _ in range(30)]
        assert tries[0] is None
        assert tries[-1] is not None

    @pytest.mark.parametrize("seconds", [0.0, -1.0])
    def test_without_time_nothing_is_computed(
        self, reranker: CrossEncoderReranker, slow: Slow, seconds: float
    ) -> None:
        assert reranker.scores(QUESTION, self.PASSAGES, seconds=seconds) is None
        assert slow.begun == []

    def test_loading_counts_and_goes_on_for_the_next_question(self, bert: Path, slow: Slow) -> None:
        may_load = threading.Event()

        def load() -> Runtime:
            assert may_load.wait(60)
            return slow

        reranker = CrossEncoderReranker(bert, "slow", load)
        assert reranker.scores(QUESTION, self.PASSAGES, seconds=0.01) is None
        may_load.set()
        assert reranker.scores(QUESTION, self.PASSAGES, seconds=None) is not None

    def test_a_failure_to_load_is_told_and_then_tried_again(self, bert: Path, slow: Slow) -> None:
        failures = [ModelError("the disk is full")]

        def load() -> Runtime:
            if failures:
                raise failures.pop()
            return slow

        reranker = CrossEncoderReranker(bert, "slow", load)
        with pytest.raises(ModelError, match="the disk is full"):
            reranker.scores(QUESTION, self.PASSAGES, seconds=None)
        assert reranker.scores(QUESTION, self.PASSAGES, seconds=None) is not None


class TestFailure:
    """The network loads, and cannot be run: here on batches that it cannot read."""

    @pytest.mark.parametrize("runtime", ["openvino", "torch"])
    def test_of_the_runtime_is_one_line_that_names_the_model(self, bert: Path, runtime: str) -> None:
        real = open_runtime(bert, "8" * 64, EmbeddingSettings(runtime=runtime), "relevance")  # type: ignore[arg-type]

        class Spoilt(Slow):
            broken = True

            def run(self, batches: Iterable[Batch]) -> Iterator[FloatArray]:
                for batch in batches:
                    ids, mask, *types = batch
                    spoilt = (ids, mask[:, :-3]) if runtime == "openvino" else (ids + 10**6, mask)
                    yield from real.run([(*spoilt, *types) if self.broken else batch])

        spoilt = Spoilt(real)
        reranker = CrossEncoderReranker(bert, "spoilt", lambda: spoilt)
        with pytest.raises(ModelError, match="cannot be run") as caught:
            reranker.scores(QUESTION, PASSAGES, seconds=None)
        assert str(caught.value).isprintable()
        assert str(bert) in str(caught.value)
        spoilt.broken = False
        assert reranker.scores(QUESTION, PASSAGES, seconds=None) is not None

    def test_of_memory_is_nothing_of_the_model(self, bert: Path, slow: Slow) -> None:
        class Starved(Slow):
            def run(self, batches: Iterable[Batch]) -> Iterator[FloatArray]:
                raise MemoryError

        with pytest.raises(MemoryError):
            CrossEncoderReranker(bert, "x", lambda: Starved(slow)).scores(QUESTION, PASSAGES, seconds=None)


class TestCache:
    def test_the_conversion_is_used_again_without_torch_and_network(self, bert: Path, cache: Path) -> None:
        first = opened(bert).scores(QUESTION, PASSAGES[:2], seconds=None)
        (folder,) = (cache / "openvino").iterdir()
        before = (folder / "model.xml").stat()
        script = (
            "import json, sys\n"
            "from quire_engine import offline\n"
            "offline.enforce()\n"
            "from quire_engine.inference.reranker import open_reranker\n"
            "from quire_engine.settings import Settings\n"
            "reranker = open_reranker(Settings(**json.loads(sys.argv[1])))\n"
            "print(json.dumps(reranker.scores(sys.argv[2], sys.argv[3:], seconds=None)))\n"
            "heavy = {'torch', 'sentence_transformers', 'transformers', 'safetensors'}\n"
            "print(sorted(heavy & set(sys.modules)))\n"
        )
        arguments = [settings(bert).model_dump_json(), QUESTION, *PASSAGES[:2]]
        finished = subprocess.run(
            [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False
        )
        assert finished.returncode == 0, finished.stderr
        scores, imported = finished.stdout.splitlines()
        assert json.loads(scores) == pytest.approx(first, abs=COARSE / 2)
        assert imported == "[]"
        assert (folder / "model.xml").stat() == before

    def test_holds_other_models_apart(self, bert: Path, cache: Path, tmp_path: Path) -> None:
        other = tiny_cross_encoder.bert(tmp_path / "other", seed=8)
        one, two = (opened(folder).scores(QUESTION, PASSAGES, seconds=None) for folder in (bert, other))
        assert one != pytest.approx(two, abs=COARSE)
        assert len(list((cache / "openvino").iterdir())) == 2

    def test_an_embedding_network_of_the_same_weights_is_another(self, bert: Path, cache: Path) -> None:
        folder = bert.parent / "both"
        shutil.copytree(bert, folder)
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
        runtime = EmbeddingSettings(runtime="openvino")
        (vectors,) = open_runtime(folder, "6" * 64, runtime, "embedding").run([padded([[1, 2, 3]])])
        types = [[0, 0, 0]]
        (logits,) = open_runtime(folder, "6" * 64, runtime, "relevance").run([padded([[1, 2, 3]], types)])
        assert (vectors.shape, logits.shape) == ((1, 24), (1, 1))
        assert len(list((cache / "openvino").iterdir())) == 2

    def test_is_opened_once(self, bert: Path) -> None:
        assert open_reranker(settings(bert)) is opened(bert)
        assert open_reranker(settings(bert, "torch")) is not opened(bert)


def config(folder: Path, **changes: object) -> None:
    file = folder / "config.json"
    known = json.loads(file.read_text()) | changes
    file.write_text(json.dumps({key: value for key, value in known.items() if value is not None}))


class TestErrors:
    """Each is a single line that names the folder or the setting."""

    @pytest.fixture
    def copy(self, bert: Path, tmp_path: Path) -> Path:
        folder = tmp_path / "copy"
        shutil.copytree(bert, folder)
        return folder

    def raised(self, folder: Path, runtime: str = "openvino") -> str:
        with pytest.raises(ModelError) as error:
            opened(folder, runtime).scores(QUESTION, PASSAGES, seconds=None)
        message = str(error.value)
        assert message.isprintable()
        assert str(folder) in message
        return message

    def test_several_outputs_are_refused(self, tmp_path: Path) -> None:
        folder = tiny_cross_encoder.bert(tmp_path / "three", num_labels=3)
        assert "has 3 outputs; choose one with a single output" in self.raised(folder)

    def test_outputs_that_are_not_counted_are_two(self, copy: Path) -> None:
        config(copy, id2label=None, num_labels=None)
        assert "has 2 outputs" in self.raised(copy)

    @pytest.mark.parametrize("architectures", [["BertModel"], None, "BertForSequenceClassification"])
    def test_what_is_no_classifier_is_refused(self, copy: Path, architectures: object) -> None:
        config(copy, architectures=architectures)
        assert "holds no cross-encoder" in self.raised(copy)

    @pytest.mark.parametrize("runtime", ["openvino", "torch"])
    @pytest.mark.parametrize("content", [b"no weights", b""])
    def test_damaged_weights_are_named(self, copy: Path, cache: Path, runtime: str, content: bytes) -> None:
        (copy / "model.safetensors").write_bytes(content)
        assert "reranker in" in self.raised(copy, runtime)
        assert not list(cache.rglob("model.xml"))

    def test_weights_that_are_not_the_configured_ones_are_named(self, copy: Path) -> None:
        config(copy, hidden_size=32, num_attention_heads=4)
        assert "reranker in" in self.raised(copy)

    @pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "model.safetensors"])
    def test_a_missing_file_is_named(self, copy: Path, file: str) -> None:
        (copy / file).unlink()
        assert file.partition(".")[0] in self.raised(copy)

    @pytest.mark.parametrize("content", ["", "[]", "{}", '{"max_position_embeddings": "x"}', "\x00"])
    def test_a_damaged_configuration_is_named(self, copy: Path, content: str) -> None:
        (copy / "config.json").write_text(content)
        assert "config.json" in self.raised(copy)

    def test_weights_that_are_no_numbers_are_named(self, copy: Path) -> None:
        from safetensors.numpy import load_file, save_file

        tensors = load_file(copy / "model.safetensors")
        tensors["classifier.weight"] = np.full_like(tensors["classifier.weight"], np.nan)
        save_file(tensors, copy / "model.safetensors", {"format": "pt"})
        assert "does not compute numbers" in self.raised(copy)

    def test_without_a_cache_the_remedy_is_told(
        self, bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("QUIRE_CACHE_DIR", str(tmp_path / "file"))
        with pytest.raises(ModelError, match="QUIRE_CACHE_DIR"):
            opened(bert).scores(QUESTION, PASSAGES, seconds=None)


class TestChoice:
    @pytest.fixture
    def installed(self, bert: Path, tmp_path: Path) -> Path:
        folder = tmp_path / "models" / "mine"
        shutil.copytree(bert, folder)
        return folder

    def test_is_none_when_none_is_installed(self) -> None:
        assert open_reranker(settings()) is None

    def test_is_the_installed_one(self, installed: Path) -> None:
        reranker = open_reranker(settings())
        assert reranker is not None
        assert reranker.name == "mine"

    def test_may_be_none_at_all(self, installed: Path) -> None:
        assert open_reranker(settings("none")) is None

    def test_loads_nothing_before_it_is_needed(self, bert: Path, cache: Path) -> None:
        opened(bert)
        assert not (cache / "openvino").exists()
