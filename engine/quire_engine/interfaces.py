"""The Protocols through which the feature packages meet, each as small as its consumer needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from quire_engine.records import (
    Entity,
    Filters,
    Hit,
    Message,
    Neighbour,
    PromptRead,
    Queued,
    SyncProgress,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float32]

ProgressCallback = Callable[[SyncProgress], None]


class TokenCounter(Protocol):
    """Counts as the embedding model will."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special tokens not counted, nothing truncated."""


@dataclass(frozen=True, slots=True)
class TokenVectors:
    """A text as the embedding model sees it, as a whole and word piece by word piece."""

    vector: FloatArray
    """Of the text: a unit vector of shape (dimensions,)."""
    tokens: FloatArray
    """Of its tokens, special ones included: unit vectors of shape (tokens, dimensions)."""
    spans: tuple[tuple[int, int], ...]
    """Where each token stands in the text; of length 0 for special ones."""


class Embedder(TokenCounter, Protocol):
    """Turns text into unit vectors."""

    @property
    def fingerprint(self) -> str:
        """Names the vector space: equal fingerprints mean comparable vectors, whatever the runtime."""

    @property
    def dimensions(self) -> int: ...

    @property
    def max_tokens(self) -> int:
        """The longest input that the model reads, special tokens included."""

    def embed_passages(self, texts: Sequence[str]) -> FloatArray:
        """Unit vectors, float32 of shape (len(texts), dimensions), in the order of ``texts``."""

    def embed_tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        """What `embed_passages` sees on its way, in the order of ``texts``."""

    def embed_query(self, text: str) -> FloatArray:
        """A unit vector, float32 of shape (dimensions,)."""

    def readability(self, text: str) -> float:
        """How much of ``text`` the model can read, 0 to 1: the share of letters in whole known words."""


class VectorSearcher(Protocol):
    def nearest(
        self, query: FloatArray, limit: int, *, among: Sequence[int] | None = None
    ) -> list[tuple[int, float]]:
        """(chunk id, cosine similarity), best first; ``among`` restricts to those chunks."""


class KeywordSearcher(Protocol):
    def search(
        self, query: str, limit: int, *, among: Sequence[int] | None = None
    ) -> list[tuple[int, float]]:
        """(chunk id, BM25F score), best first; ``among`` restricts to those chunks."""

    def holding(self, words: str) -> list[int]:
        """Chunks that hold every word of ``words``, by the terms that a search uses, in no order.

        Stop words count only when there is nothing else; none for a text without words.
        """

    def rarity(self, words: Sequence[str]) -> dict[str, float]:
        """Inverse document frequency of each term, as BM25 weighs it."""


class KeywordWriter(Protocol):
    """The keyword index as the indexer sees it: idempotent, and aware of what it has applied."""

    @property
    def applied(self) -> int:
        """The highest outbox sequence whose change is committed."""

    @property
    def source(self) -> str:
        """The identity of the database that the last commit came from; empty for an empty index."""

    def clear(self) -> None:
        """Throw everything away and start empty."""

    def apply(
        self,
        deletions: Sequence[int],
        additions: Sequence[tuple[int, Mapping[str, float]]],
        sequence: int,
        source: str,
    ) -> None:
        """Delete chunks, add (chunk id, weighted terms), and commit, all in one step.

        ``sequence`` and ``source`` become `applied` and `source`. A chunk that is there already is replaced.
        """


class KeywordIndex(KeywordSearcher, KeywordWriter, Protocol):
    """A keyword index as its backends provide it: for reading, and where it was opened so, for writing."""

    @property
    def folder(self) -> Path:
        """Where its files are."""

    def count(self) -> int:
        """How many chunks are in the index."""

    def chunks(self) -> list[int]:
        """The chunks in the index, in no order."""

    def verify(self) -> None:
        """Raises `StoreError` unless what is kept is as it was written, as far as the backend can tell."""

    def close(self) -> None:
        """Let go of files; the next use opens them again."""


class ChunkReader(Protocol):
    """What retrieval reads from the store."""

    def chunk_ids(self, filters: Filters) -> list[int] | None:
        """Chunks that pass, or ``None`` when every chunk does.

        Phrases and excluded words are not looked at.
        """

    def hits(self, ids: Sequence[int]) -> Mapping[int, Hit]:
        """Hits without rank and score, by chunk id; ids that are gone are left out."""

    def vectors(self, ids: Sequence[int]) -> Mapping[int, FloatArray]:
        """Vectors by chunk id, for those that have one."""

    def entities(self, ids: Sequence[int]) -> Mapping[int, tuple[Entity, ...]]:
        """The names that stand in each chunk."""

    def links(self, ids: Sequence[int]) -> Mapping[int, tuple[str, ...]]:
        """Paths of the notes that each chunk links to."""

    def paths_of(self, ids: Sequence[int]) -> Mapping[int, str]:
        """The path of each chunk's note."""

    def called(self, paths: Sequence[str]) -> list[tuple[str, str, tuple[str, ...]]]:
        """(path, title, aliases) of some notes."""

    def said_of(self, ids: Sequence[int]) -> Mapping[int, str]:
        """What the note of each chunk says of itself: its aliases, tags and properties."""

    def modified(self, ids: Sequence[int]) -> Mapping[int, float]:
        """When the note of each chunk was changed last, in Unix seconds."""

    def neighbours(self, ids: Sequence[int]) -> Mapping[int, tuple[Neighbour, ...]]:
        """The passages before and after each chunk in its note, where there are such."""

    def outgoing_links(self, ids: Sequence[int]) -> list[tuple[int, int, int]]:
        """(chunk id, line of its text, note id) of the links in each chunk that lead to other notes."""

    def notes_of(self, ids: Sequence[int]) -> Mapping[int, int]:
        """The note id of each chunk."""

    def passages_of(self, notes: Sequence[int], most: int) -> Mapping[int, int]:
        """Note ids by chunk id of the first ``most`` chunks of each note."""

    def topic_names(self) -> tuple[str, ...]:
        """Every topic that holds a note, in alphabetical order."""

    def topics_of(self, ids: Sequence[int]) -> Mapping[int, str]:
        """The topic of each chunk."""

    def topics_of_notes(self, paths: Sequence[str]) -> Mapping[str, str]:
        """The topic of each note, by path; those that are not indexed are left out."""


class Reranker(Protocol):
    """Reads a question and a passage together, which tells more than the vectors of both and costs more."""

    def scores(self, question: str, passages: Sequence[str], *, seconds: float | None) -> list[float] | None:
        """How likely each passage answers the question, 0 to 1, in the order of ``passages``.

        ``None`` when that would take longer than ``seconds`` (``None``: no limit), which is estimated before
        and while it is computed. Texts of any length and content are scored; of a passage, what the model
        can read beside the question. Raises `ModelError` when the model cannot be loaded.
        """


class LanguageModel(Protocol):
    """A loaded generative model."""

    @property
    def name(self) -> str: ...

    @property
    def context(self) -> int:
        """Tokens that fit, prompt and answer together."""

    def count_tokens(self, text: str) -> int:
        """Tokens of a text as it stands in a message."""

    def prompt_tokens(self, messages: Sequence[Message]) -> int:
        """Tokens of the whole prompt, those of the model's chat template included, exactly."""

    def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        grammar: str | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Iterator[Queued | PromptRead | str]:
        """Pieces of the reply as they are generated; before them how long others go first, and the reading.

        ``messages`` are at most one of the system's, then the user's and the assistant's by turns, the
        user's last. What the prompt shares with the one before it, from the beginning, is not read again.
        ``grammar`` is in GBNF. Closing the iterator stops the generation; ``cancelled``, which is asked
        often, while the model computes too, ends the iterator within a tenth of a second. Raises
        `GenerationError`, among others when prompt and ``max_tokens`` exceed `context`.
        """
