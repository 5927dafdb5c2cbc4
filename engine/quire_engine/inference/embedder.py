"""Text to unit vectors: tokenisation, batching and the choice of a runtime."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from quire_engine.errors import ModelError
from quire_engine.inference.catalogue import checked_embedding_model
from quire_engine.settings import EmbeddingSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quire_engine.interfaces import FloatArray

_LONGEST_READ = 4000
"""Characters of a question that are looked at for its readability."""
_INPUT_FORMAT = 1
"""Part of the fingerprint; raised when what is fed to the model for the same text changes."""


class Runtime(Protocol):
    """Runs the network on one padded batch."""

    @property
    def name(self) -> str: ...

    @property
    def batch_tokens(self) -> int:
        """The most tokens, padding included, that a batch should hold."""

    def run(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> FloatArray:
        """Unit vectors, float32 of shape (batch, dimensions), for int64 inputs of shape (batch, length)."""


class SentenceEmbedder:
    """An `Embedder` over a sentence-transformers model folder."""

    def __init__(
        self, folder: Path, digest: str, name: str, runtime: Callable[[], Runtime], runtime_name: str
    ) -> None:
        """Load the tokenizer; ``runtime`` is called when the first text is embedded.

        Raises `ModelError` when the folder lacks a file or holds one that cannot be read.
        """
        from tokenizers import Tokenizer

        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            limits = json.loads((folder / "sentence_bert_config.json").read_text(encoding="utf-8"))
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            self._dimensions = int(config["hidden_size"])
            self._max_tokens = int(limits["max_seq_length"])
        except Exception as error:  # tokenizers raises bare Exception
            raise ModelError(f"embedding model in {folder} cannot be read: {error}") from error
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._counter = tokenizer
        self._tokenizer = Tokenizer.from_str(tokenizer.to_str())
        self._tokenizer.enable_truncation(self._max_tokens)
        self._unknown = tokenizer.token_to_id("[UNK]")
        self._fingerprint = f"{name}@{digest[:16]}/{self._max_tokens}/{_INPUT_FORMAT}"
        self._make_runtime = runtime
        self._runtime: Runtime | None = None
        self._loading = threading.Lock()
        self.runtime_name = runtime_name

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    @property
    def dimensions(self) -> int:
        return self._dimensions

    @property
    def max_tokens(self) -> int:
        return self._max_tokens

    def load(self) -> Runtime:
        """Make the runtime ready now instead of at the first text."""
        with self._loading:
            if self._runtime is None:
                self._runtime = self._make_runtime()
            return self._runtime

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        encodings = self._counter.encode_batch([_valid(t) for t in texts], add_special_tokens=False)
        return [len(e) for e in encodings]

    def embed_passages(self, texts: Sequence[str]) -> FloatArray:
        vectors = np.empty((len(texts), self._dimensions), dtype=np.float32)
        if not texts:
            return vectors
        runtime = self.load()
        tokens = [e.ids for e in self._tokenizer.encode_batch([_valid(t) for t in texts])]
        for rows in _batches([len(ids) for ids in tokens], runtime.batch_tokens):
            vectors[rows] = runtime.run(*_pad([tokens[row] for row in rows]))
        return vectors

    def embed_query(self, text: str) -> FloatArray:
        vector: FloatArray = self.embed_passages([text])[0]
        return vector

    def readability(self, text: str) -> float:
        """How much of ``text`` the model can read, 0 to 1.

        A word counts with its letters when the vocabulary holds it whole; one that falls apart counts by
        the share of the average piece: a model that must spell a word has hardly seen it.
        """
        text = _valid(text)
        encoding = self._counter.encode(text[:_LONGEST_READ], add_special_tokens=False)
        # Each of these is built anew at every access.
        ids, offsets = encoding.ids, encoding.offsets
        words: dict[int, list[int]] = {}
        for position, word in enumerate(encoding.word_ids):
            if word is not None:
                words.setdefault(word, []).append(position)
        total = known = 0.0
        for positions in words.values():
            start, end = offsets[positions[0]][0], offsets[positions[-1]][1]
            letters = sum(character.isalnum() for character in text[start:end])
            total += letters
            if any(ids[position] == self._unknown for position in positions):
                continue
            if letters == 1 and not text[start:end].isascii():
                continue  # a lone letter of a script that the vocabulary merely spells
            known += letters / len(positions)
        return known / total if total else 0.0


def _valid(text: str) -> str:
    """``text`` without lone surrogates, at the same length; tokenizers take none."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Row numbers in batches of similar length, each at most ``budget`` tokens with padding."""
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[row] > budget:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _pad(tokens: Sequence[Sequence[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    ids = np.zeros((len(tokens), max(map(len, tokens))), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, sequence in enumerate(tokens):
        ids[row, : len(sequence)] = sequence
        mask[row, : len(sequence)] = 1
    return ids, mask


def open_embedder(settings: EmbeddingSettings) -> SentenceEmbedder:
    """The embedder that the settings ask for, its weights checked; the runtime loads when first needed.

    Raises `ModelError` when the model is missing, damaged or of a kind that cannot be run.
    """
    folder, digest, name = checked_embedding_model(settings.model)
    runtime = settings.runtime
    if runtime == "auto":
        runtime = "torch" if _cuda_present() else "openvino"

    def make() -> Runtime:
        if runtime == "torch":
            from quire_engine.inference.torch_runtime import TorchRuntime

            return TorchRuntime(folder, settings)
        from quire_engine.inference.openvino_runtime import OpenVINORuntime

        return OpenVINORuntime(folder, digest, settings)

    return SentenceEmbedder(folder, digest, name, make, runtime)


def _cuda_present() -> bool:
    """Whether torch is worth importing (over a second): only where an NVIDIA driver is loaded."""
    if not (Path("/proc/driver/nvidia/version").exists() or Path("/dev/nvidiactl").exists()):
        return False
    import torch

    return bool(torch.cuda.is_available())


def pooling_mode(folder: Path) -> str:
    """``mean`` or ``cls``, as the model's own configuration says. Raises `ModelError` for another."""
    try:
        config: dict[str, Any] = json.loads((folder / "1_Pooling" / "config.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"embedding model in {folder} has no readable 1_Pooling/config.json") from error
    if config.get("pooling_mode_mean_tokens"):
        return "mean"
    if config.get("pooling_mode_cls_token"):
        return "cls"
    raise ModelError(f"embedding model in {folder} pools in a way that Quire cannot run")
