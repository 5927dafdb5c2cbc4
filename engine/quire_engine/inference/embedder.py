"""Text to unit vectors: tokenisation and batching."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from quire_engine import locations
from quire_engine.errors import ModelError
from quire_engine.inference.batches import padded, shared_out
from quire_engine.inference.catalogue import checked_embedding_model
from quire_engine.inference.runtimes import Runtime, open_runtime, runtime_name
from quire_engine.inference.token_counter import TokenCounter, valid
from quire_engine.interfaces import TokenVectors
from quire_engine.settings import EmbeddingSettings

if TYPE_CHECKING:
    from quire_engine.inference.batches import Batch
    from quire_engine.interfaces import FloatArray

_LONGEST_READ = 4000
"""Characters of a question that are looked at for its readability."""
_SLAB = 4096
"""Texts that are sorted by length together, and tokenised while the slab before them is computed."""
_INPUT_FORMAT = 1
"""Part of the fingerprint; raised when what is fed to the model for the same text changes."""


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
        tokenizer.enable_truncation(self._max_tokens)
        self._tokenizer = tokenizer
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
        return self._counter.count([valid(text) for text in texts])

    @cached_property
    def _counter(self) -> TokenCounter:
        """Made when first needed: questions are not counted."""
        from tokenizers import Tokenizer

        whole = Tokenizer.from_str(self._tokenizer.to_str())
        whole.no_truncation()
        return TokenCounter(whole)

    def embed_passages(self, texts: Sequence[str]) -> FloatArray:
        vectors = np.empty((len(texts), self._dimensions), dtype=np.float32)
        for rows, found in self._run(self._tokenized(texts)):
            vectors[rows] = found
        return vectors

    def embed_tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        encodings = self._tokenizer.encode_batch([valid(text) for text in texts])
        made: dict[int, TokenVectors] = {}
        for rows, found in self._run([(0, [encoding.ids for encoding in encodings])], tokens=True):
            for row, states in zip(rows, found, strict=True):
                tokens = states[1 : 1 + len(encodings[row].ids)]
                length = np.linalg.norm(tokens, axis=1, keepdims=True)
                spans = tuple(encodings[row].offsets)
                made[row] = TokenVectors(states[0], tokens / np.maximum(length, 1e-12), spans)
        return [made[row] for row in range(len(texts))]

    def _run(
        self, slabs: Iterable[tuple[int, list[list[int]]]], *, tokens: bool = False
    ) -> Iterator[tuple[list[int], FloatArray]]:
        """Numbers of texts, and what the network makes of them, in batches of any order."""
        taken: deque[list[int]] = deque()
        runtime = self.load()

        def batches() -> Iterator[Batch]:
            for start, ids_of_texts in slabs:
                lengths = [len(ids) for ids in ids_of_texts]
                for rows in shared_out(lengths, runtime.batch_tokens, runtime.parallel):
                    taken.append([start + row for row in rows])
                    yield padded([ids_of_texts[row] for row in rows])

        for found in runtime.run(batches(), tokens=tokens):
            yield taken.popleft(), found

    def _tokenized(self, texts: Sequence[str]) -> Iterator[tuple[int, list[list[int]]]]:
        """Token ids of each slab, with the number of its first text; the next slab is made meanwhile."""
        if not texts:
            return
        if len(texts) <= _SLAB:
            yield 0, self._token_ids(texts)
            return
        starts = range(0, len(texts), _SLAB)
        with ThreadPoolExecutor(1, thread_name_prefix="quire-tokens") as ahead:
            coming = ahead.submit(self._token_ids, texts[:_SLAB])
            for start in starts:
                tokens = coming.result()
                if start != starts[-1]:
                    coming = ahead.submit(self._token_ids, texts[start + _SLAB : start + 2 * _SLAB])
                yield start, tokens

    def _token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self._tokenizer.encode_batch([valid(text) for text in texts])]

    def embed_query(self, text: str) -> FloatArray:
        vector: FloatArray = self.embed_passages([text])[0]
        return vector

    def readability(self, text: str) -> float:
        """How much of ``text`` the model can read, 0 to 1.

        A word counts with its letters when the vocabulary holds it whole; one that falls apart counts by
        the share of the average piece: a model that must spell a word has hardly seen it.
        """
        text = valid(text)
        encoding = self._tokenizer.encode(text[:_LONGEST_READ], add_special_tokens=False)
        ids: list[int] = []
        offsets: list[tuple[int, int]] = []
        word_ids: list[int | None] = []
        for part in (encoding, *encoding.overflowing):
            ids += part.ids
            offsets += part.offsets
            word_ids += part.word_ids
        words: dict[int, list[int]] = {}
        for position, word in enumerate(word_ids):
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


_shared: dict[tuple[str, ...], SentenceEmbedder] = {}
_sharing = threading.Lock()


def shared_embedder(settings: EmbeddingSettings) -> SentenceEmbedder:
    """`open_embedder`, once for all in this process who ask for the same: a model takes 100 MB and more."""
    folder, digest, _ = checked_embedding_model(settings.model)
    key = (settings.model_dump_json(), str(folder), digest, str(locations.cache_dir()))
    with _sharing:
        if key not in _shared:
            _shared[key] = open_embedder(settings)
        return _shared[key]


def open_embedder(settings: EmbeddingSettings) -> SentenceEmbedder:
    """The embedder that the settings ask for, its weights checked; the runtime loads when first needed.

    Raises `ModelError` when the model is missing, damaged or of a kind that cannot be run.
    """
    folder, digest, name = checked_embedding_model(settings.model)

    def make() -> Runtime:
        return open_runtime(folder, digest, settings, "embedding")

    return SentenceEmbedder(folder, digest, name, make, runtime_name(settings))
