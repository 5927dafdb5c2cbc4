"""A cross-encoder of the usual shape with random weights: what reading twenty passages costs, by runtime."""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.report import Figure, latency
from bench.workshop import Workshop
from quire_engine import Settings
from quire_engine.inference.catalogue import embedding_model_folder
from quire_engine.inference.reranker import open_reranker
from quire_engine.settings import EmbeddingSettings, RetrievalSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

_PASSAGES = 20
_TOKENS = 200
_QUESTION = "how does the soil of the garden keep moist in early march"


def measure(workshop: Workshop) -> list[Figure]:
    """For each runtime: a start with everything cached, and the time for a question."""
    folder = _model(workshop.folder / "cross-encoder")
    passages = _passages(folder)
    return [
        figure
        for runtime, rounds in (("openvino", workshop.rounds), ("torch", workshop.rounds // 4))
        for figure in _measured(runtime, folder, passages, rounds)
    ]


def _measured(runtime: str, folder: Path, passages: Sequence[str], rounds: int) -> list[Figure]:
    settings = Settings(
        retrieval=RetrievalSettings(reranker=str(folder)),
        embedding=EmbeddingSettings.model_validate({"runtime": runtime}),
    )
    reranker = open_reranker(settings)
    if reranker is None:
        raise RuntimeError("the model that was made is not found")
    begun = time.perf_counter()
    reranker.prepare().result()
    loaded = time.perf_counter() - begun
    reranker.scores(_QUESTION, passages, seconds=None)
    took: list[float] = []
    processor = time.process_time()
    for _ in range(rounds):
        begun = time.perf_counter()
        reranker.scores(_QUESTION, passages, seconds=None)
        took.append(time.perf_counter() - begun)
    processor = (time.process_time() - processor) / rounds
    return [
        Figure(f"{runtime}: conversion and loading", loaded, "s"),
        latency(f"{runtime}: {_PASSAGES} passages of {_TOKENS} tokens", took),
        Figure(f"{runtime}: the same, of all cores", processor * 1000, "ms of processor time"),
    ]


def _model(folder: Path) -> Path:
    """MiniLM's six layers of width 384 over the embedding model's vocabulary, with random weights."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, logging

    logging.disable_progress_bar()
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=30_522,
        hidden_size=384,
        num_hidden_layers=6,
        num_attention_heads=12,
        intermediate_size=1536,
        num_labels=1,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    source = embedding_model_folder(EmbeddingSettings().model)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(source / name, folder / name)
    return folder


def _passages(folder: Path) -> list[str]:
    from tokenizers import Tokenizer

    vocabulary = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()
    words = sorted(word for word in vocabulary if word.isascii() and word.isalpha() and len(word) > 2)
    generator = random.Random(3)
    return [" ".join(generator.choices(words, k=_TOKENS)) for _ in range(_PASSAGES)]
