"""Embedding beside plain sentence-transformers, and beside the machine's matrix multiplications."""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench import processes
from bench.report import Figure, latency, quantile
from bench.vaults import questions
from bench.workshop import Workshop
from quire_engine.chunking.chunker import Chunker, embed_text
from quire_engine.chunking.sentences import LanguageTools
from quire_engine.inference.batches import padded
from quire_engine.inference.bert_graph import bert_graph
from quire_engine.inference.catalogue import embedding_model_folder
from quire_engine.inference.embedder import SentenceEmbedder
from quire_engine.settings import EmbeddingSettings
from quire_engine.vault.parser import parse
from quire_engine.vault.scanner import read_file, scan

if TYPE_CHECKING:
    from quire_engine.interfaces import FloatArray

_TURNS = 4
"""The two take turns on as many parts of the texts, so that what else the machine does falls on both."""
_LEAST_TOKENS = 100
"""Shorter passages are left out: the target speaks of passages of about 200 tokens."""
_ROWS = 1024
"""Tokens in a batch of the bare matrix multiplications."""
_KINDS = {"FullyConnected": "linear layers, GELU", "Subgraph": "attention"}
"""OpenVINO's operations → what a reader calls them."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """The dimensions of a BERT encoder."""

    layers: int
    width: int
    inner: int

    def work(self, tokens: int) -> float:
        """Floating-point operations for one text: the linear layers and the two products of attention."""
        linear = 2 * tokens * (4 * self.width**2 + 2 * self.width * self.inner)
        return float(self.layers * (linear + 4 * tokens**2 * self.width))


def measure(workshop: Workshop) -> list[Figure]:
    """Throughput, ratio and cosine; on the CPU the share of the matrix rate; a question; a cold start."""
    embedder = workshop.embedder
    texts = _passages(workshop.vault, 48 if workshop.options.quick else 600, embedder)
    asked = questions(workshop.vault, workshop.questions, seed=3)
    return [
        *_compare(texts, embedder),
        _question_latency(asked, embedder),
        *_cold_start(workshop.rounds // 4),
    ]


def _passages(vault: Path, most: int, embedder: SentenceEmbedder) -> list[str]:
    """Up to ``most`` passages from all over the vault, as they are embedded."""
    chunker = Chunker(embedder, LanguageTools({}), embedder.max_tokens)
    files = scan(vault).files
    texts: list[str] = []
    for file in files[:: max(1, len(files) // most)]:
        chunks = chunker.chunk(parse(file.path, *read_file(vault, file.path)))
        texts += [embed_text(chunk.headings, chunk.text) for chunk in chunks if chunk.embed_hash]
    counts = embedder.count_tokens(texts)
    texts = [text for text, n in zip(texts, counts, strict=True) if n >= _LEAST_TOKENS] or texts
    return texts[:: max(1, len(texts) // most)][:most]


def _compare(texts: Sequence[str], embedder: SentenceEmbedder) -> list[Figure]:
    from sentence_transformers import SentenceTransformer

    folder = embedding_model_folder(EmbeddingSettings().model)
    shape = _shape(folder)
    reference = SentenceTransformer(str(folder), local_files_only=True)
    machine = _Machine(folder, shape) if embedder.runtime_name == "openvino" else None
    seconds: dict[str, float] = defaultdict(float)
    rates: list[float] = []
    cosines: list[FloatArray] = []
    reference.encode(list(texts[:32]), show_progress_bar=False)
    embedder.embed_passages(texts[:32])
    for turn in range(_TURNS):
        part = list(texts[turn::_TURNS])
        begun = time.perf_counter()
        expected = np.asarray(reference.encode(part, show_progress_bar=False))
        between = time.perf_counter()
        found = embedder.embed_passages(part)
        seconds["quire"] += time.perf_counter() - between
        seconds["reference"] += between - begun
        norms = np.linalg.norm(expected, axis=1) * np.linalg.norm(found, axis=1)
        cosines.append((expected * found).sum(axis=1) / norms)
        if machine:
            rates.append(machine.matrix_rate())
    lengths = [min(n + 2, embedder.max_tokens) for n in embedder.count_tokens(texts)]
    work = sum(map(shape.work, lengths))

    def throughput(name: str, took: float) -> Figure:
        details = {"tokens/s": sum(lengths) / took, "GFLOP/s": work / took / 1e9}
        return Figure(name, len(texts) / took, "chunks/s", details=details)

    cosine = np.concatenate(cosines)
    figures = [
        Figure("passages", len(texts), details={"tokens each": sum(lengths) / len(texts)}),
        throughput("sentence-transformers, batches of 32", seconds["reference"]),
        throughput(f"Quire, {embedder.runtime_name}", seconds["quire"]),
        Figure("Quire / sentence-transformers", seconds["reference"] / seconds["quire"], "×", at_least=4.0),
        Figure("cosine, mean", float(cosine.mean()), at_least=0.9999, details={"least": float(cosine.min())}),
    ]
    if machine:
        rate = quantile(rates, 0.5)
        note = f"OpenVINO, {machine.precision}, the model's shapes"
        figures += [
            Figure("matrix multiplications alone", rate, "GFLOP/s", note=note),
            Figure("Quire / matrix multiplications", work / seconds["quire"] / 1e9 / rate, "×"),
            *machine.profile(padded([[101, *range(1000, 1000 + round(np.mean(lengths)))]] * 4)),
        ]
    return figures


def _shape(folder: Path) -> _Shape:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return _Shape(config["num_hidden_layers"], config["hidden_size"], config["intermediate_size"])


class _Machine:
    """What OpenVINO reaches here at the precision that Quire chooses."""

    def __init__(self, folder: Path, shape: _Shape) -> None:
        import openvino

        self._core: Any = openvino.Core()
        native_bf16 = "BF16" in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self.precision = "bf16" if native_bf16 else "f32"
        self._folder = folder
        self._shape = shape
        self._products = self._compiled(self._matrices(), {}).create_infer_request()

    def matrix_rate(self) -> float:
        """GFLOP/s of the linear layers' products alone, the best of a few."""
        rows = np.ones((_ROWS, self._shape.width), dtype=np.float32)
        took = []
        for _ in range(5):
            begun = time.perf_counter()
            self._products.infer({0: rows})
            took.append(time.perf_counter() - begun)
        work = 2 * _ROWS * (4 * self._shape.width**2 + 2 * self._shape.width * self._shape.inner)
        return self._shape.layers * work / min(took) / 1e9

    def profile(self, batch: Any) -> list[Figure]:
        """Each kind of operation's share of the time of one batch; the least of a few runs for each node."""
        request = self._compiled(
            bert_graph(self._folder, "mean"), {"PERF_COUNT": True}
        ).create_infer_request()
        nodes: dict[str, tuple[str, float]] = {}
        for _ in range(8):
            request.infer({"input_ids": batch[0], "attention_mask": batch[1]})
            for node in request.get_profiling_info():
                took = node.real_time.total_seconds()
                least = min(took, nodes.get(node.node_name, ("", took))[1])
                nodes[node.node_name] = (node.node_type, least)
        shares: dict[str, float] = defaultdict(float)
        for kind, took in nodes.values():
            shares[_KINDS.get(kind, "all else")] += took
        total = sum(shares.values())
        return [Figure(f"time in {kind}", 100 * took / total, "%") for kind, took in shares.items()]

    def _matrices(self) -> Any:
        from openvino import Model, opset13

        op: Any = opset13
        generator = np.random.default_rng(0)
        width, inner = self._shape.width, self._shape.inner
        rows = hidden = op.parameter([-1, width], np.float32)
        for _ in range(self._shape.layers):
            for before, after in [(width, width)] * 4 + [(width, inner), (inner, width)]:
                weights = generator.standard_normal((after, before), dtype=np.float32) / before**0.5
                hidden = op.matmul(hidden, op.constant(weights), False, True)
        return Model([hidden], [rows], "products")

    def _compiled(self, model: Any, config: dict[str, Any]) -> Any:
        config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": self.precision, **config}
        return self._core.compile_model(model, "CPU", config)


def _question_latency(asked: Sequence[str], embedder: SentenceEmbedder) -> Figure:
    embedder.embed_query(asked[0])
    took = []
    for question in asked:
        begun = time.perf_counter()
        embedder.embed_query(question)
        took.append(time.perf_counter() - begun)
    return latency("a question, warm", took, at_most=8.0)


_COLD = """
import json, time
started = time.perf_counter()
from quire_engine.inference.embedder import open_embedder
from quire_engine.settings import EmbeddingSettings
imported = time.perf_counter()
embedder = open_embedder(EmbeddingSettings())
opened = time.perf_counter()
embedder.load()
loaded = time.perf_counter()
embedder.embed_query("When do I prune the roses?")
print(json.dumps([imported - started, opened - imported, loaded - opened, time.perf_counter() - loaded]))
"""


def _cold_start(rounds: int) -> list[Figure]:
    """From a fresh process to the first question's vector, the median of each part."""
    command = [sys.executable, "-c", _COLD]
    parts = (
        np.median([json.loads(processes.run(command).output) for _ in range(max(3, rounds))], axis=0) * 1000
    )
    names = ["import", "tokenizer and checksum", "network", "first question"]
    details = dict(zip(names, map(float, parts), strict=True))
    return [Figure("cold start", float(parts.sum()), "ms", at_most=450, details=details)]
