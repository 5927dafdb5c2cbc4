"""What stands on an encoder: pooling makes a vector of a text, a classifier the relevance of a pair."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from quire_engine.errors import ModelError, one_line
from quire_engine.inference.pooling import pooling_mode

Task = Literal["embedding", "relevance"]
"""What a model folder is loaded for."""
RELEVANCE = "relevance"
"""The head of a cross-encoder: one logit for a pair of texts."""
MODEL_WORDS: dict[Task, str] = {"embedding": "embedding model", "relevance": "reranker"}
"""What users call the model of a task."""

_LONGEST = 512
"""Tokens of a pair that are read; passages are cut at 256, and attention costs the square of the length."""
_STEP = 8
_CLASSIFIER = "ForSequenceClassification"


@dataclass(frozen=True, slots=True)
class RelevanceConfig:
    """What a cross-encoder's folder says about its input."""

    max_tokens: int
    """The longest pair that is read, special tokens included; a multiple of 8, as batches are padded."""
    tells_texts_apart: bool
    """Whether it wants the types of tokens."""


def head_of(folder: Path, task: Task) -> str:
    """``relevance`` or, for an embedding, its `pooling_mode`. Raises `ModelError`."""
    return RELEVANCE if task == "relevance" else pooling_mode(folder)


def tells_texts_apart(config: Mapping[str, Any]) -> bool:
    """Whether the tokens of the two texts of a pair differ in type, as in BERT and unlike RoBERTa."""
    return int(config.get("type_vocab_size") or 0) > 1


def is_cross_encoder(folder: Path) -> bool:
    """Whether the folder's configuration names a classifier of texts; says nothing about the weights."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and _classifies(config)


def relevance_config(folder: Path) -> RelevanceConfig:
    """What the folder of a cross-encoder says. Raises `ModelError` unless it has exactly one output."""
    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        outputs = len(config.get("id2label") or range(int(config.get("num_labels", 2))))
        positions = int(config["max_position_embeddings"])
        tells_apart = tells_texts_apart(config)
        classifies = _classifies(config)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ModelError(f"reranker in {folder} has no readable config.json: {one_line(error)}") from error
    if not classifies:
        raise ModelError(f"{folder} holds no cross-encoder; check retrieval.reranker")
    if outputs != 1:
        raise ModelError(
            f"reranker in {folder} has {outputs} outputs; choose one with a single output (num_labels = 1)"
        )
    longest = min(positions, _tokenizer_limit(folder), _LONGEST) // _STEP * _STEP
    if longest < _STEP:
        raise ModelError(f"reranker in {folder} reads no text: its limit is {positions} tokens")
    return RelevanceConfig(longest, tells_apart)


def _classifies(config: Mapping[str, Any]) -> bool:
    names = config.get("architectures")
    return isinstance(names, list) and any(str(name).endswith(_CLASSIFIER) for name in names)


def _tokenizer_limit(folder: Path) -> int:
    """``model_max_length`` of the tokenizer, which need not have one."""
    try:
        config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        return int(config["model_max_length"])
    except (OSError, ValueError, LookupError, TypeError, OverflowError):
        return _LONGEST
