"""The values that flow through Quire: frozen, slotted, free of behaviour that needs a library.

Offsets are characters of the note's decoded text with line ends normalised to ``\\n``; lines are 1-based and
inclusive; paths are relative to the vault, with ``/``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

# --------------------------------------------------------------------------------------------- the vault


@dataclass(frozen=True, slots=True)
class FileStat:
    """What tells a changed file from an unchanged one without reading it."""

    size: int
    """Bytes."""
    mtime_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file of the vault that the scanner found and that may be indexed."""

    path: str
    stat: FileStat


@dataclass(frozen=True, slots=True)
class SkippedNote:
    """A file that could not be indexed, and the reason in words for the user."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a note: ``text[start:end]``, which stands on ``start_line``..``end_line``."""

    start: int
    end: int
    start_line: int
    end_line: int


class BlockKind(StrEnum):
    """What a block is; decides where a chunk may be cut."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST_ITEM = "list_item"
    QUOTE = "quote"
    CALLOUT = "callout"
    CODE = "code"
    TABLE = "table"
    MATH = "math"
    FOOTNOTE = "footnote"
    HTML = "html"
    PROPERTIES = "properties"


@dataclass(frozen=True, slots=True)
class Block:
    """One structural unit of a note, in reading order; blocks never overlap."""

    kind: BlockKind
    span: Span
    headings: tuple[str, ...]
    """The heading path above the block, outermost first; a heading's own text is its last element."""
    block_id: str | None = None
    """The Obsidian block id, without ``^``."""
    level: int = 0
    """The heading level (1-6), or the nesting depth of a list item (0 for top level)."""


class LinkKind(StrEnum):
    WIKILINK = "wikilink"
    EMBED = "embed"
    MARKDOWN = "markdown"


@dataclass(frozen=True, slots=True)
class Link:
    """A link to another note, as written."""

    kind: LinkKind
    target: str
    """The note's name or path as written, percent-decoded; empty for a link within the same note."""
    subpath: str
    """What follows the first ``#``: a heading path, or ``^block``; empty when there is none."""
    text: str
    """The words shown for the link."""
    span: Span


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note."""

    path: str
    title: str
    """The ``title`` property, else the file name without its extension."""
    aliases: tuple[str, ...]
    tags: tuple[str, ...]
    """Without ``#``, case kept, in order of first appearance, from properties and text."""
    properties: Mapping[str, object]
    """The front matter as JSON-safe values (dates as ISO strings)."""
    blocks: tuple[Block, ...]
    links: tuple[Link, ...]
    text: str
    """The whole decoded text, front matter included, line ends normalised."""
    content_hash: bytes
    """BLAKE2b-16 of the file's bytes."""
    stat: FileStat
    modified: float
    """Unix seconds: a modification date among the properties, else the file's."""
    comments: tuple[Span, ...] = ()
    """Obsidian ``%%comments%%`` and HTML comments: in the file, never shown as an answer."""
    warnings: tuple[str, ...] = ()
    """What was wrong with the note and was worked around (bad YAML, undecodable bytes)."""


@dataclass(frozen=True, slots=True)
class Entity:
    """A name that stands in a chunk."""

    text: str
    label: str
    """``NOTE`` and ``TAG`` for the vault's own names, else the label of the statistical recogniser."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A retrievable passage: a verbatim, contiguous slice of one note."""

    id: int
    """63 bits, the same for the same passage of the same note on every machine."""
    path: str
    ordinal: int
    kind: Literal["text", "properties"]
    """``properties`` chunks hold front matter; they are searched by keyword only."""
    span: Span
    text: str
    headings: tuple[str, ...]
    tokens: int
    """In tokens of the embedding model's tokenizer, heading path included."""
    embed_hash: bytes | None
    """BLAKE2b-16 of what is embedded; ``None`` for a chunk without a vector."""
    sentences: tuple[tuple[int, int], ...] = ()
    """Sentence spans, relative to ``text``."""


# ---------------------------------------------------------------------------------------------- indexing


@dataclass(frozen=True, slots=True)
class SyncProgress:
    """How far a running sync is. ``total`` may grow; it is 0 while unknown."""

    stage: Literal["scan", "index", "keywords", "model", "embed"]
    done: int
    total: int
    rate: float = 0.0
    """Units (notes, or chunks while embedding) a second."""
    seconds_left: float | None = None


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a finished sync did."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    renamed: int = 0
    unchanged: int = 0
    skipped: tuple[SkippedNote, ...] = ()
    chunks: int = 0
    """Chunks written."""
    embedded: int = 0
    """Chunks that went through the model."""
    reused: int = 0
    """Chunks whose vector was known already."""
    pending: int = 0
    """Chunks that still wait for their vector."""
    seconds: float = 0.0
    generation: int = 0


@dataclass(frozen=True, slots=True)
class TopicStatus:
    topic: str
    notes: int
    chunks: int


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """The state of a vault's index."""

    vault: str
    index: str
    generation: int
    notes: int
    chunks: int
    vectors: int
    pending: int
    indexing: SyncProgress | None
    """How far the process is that brings structure and keywords up to date; ``None`` when none does."""
    embedding: SyncProgress | None
    """How many vectors there are, with rate and time left while a process makes them; ``None``: all are."""
    topics: tuple[TopicStatus, ...]
    skipped: tuple[SkippedNote, ...]
    warnings: tuple[SkippedNote, ...]
    """Notes that were indexed although something in them is wrong."""
    unresolved_links: int
    disk_bytes: int
    last_sync: float | None
    """Unix seconds."""
    embedding_model: str
    embedding_runtime: str
    answer_model: str | None
    """The language model in use; ``None`` when answers are extractive."""
    problem: str | None = None
    """Why the index cannot be kept up to date: the vault has no notes any more; ``None`` when it can."""


# --------------------------------------------------------------------------------------------- retrieval


@dataclass(frozen=True, slots=True)
class Filters:
    """What a search is restricted to; empty means everything. All given conditions must hold."""

    folders: tuple[str, ...] = ()
    """Folders or topics, relative to the vault; a note in any of them (or deeper) passes."""
    tags: tuple[str, ...] = ()
    """Without ``#``; a nested tag passes for its parent (``area/work`` for ``area``). All must be present."""
    since: float | None = None
    """Unix seconds, inclusive, compared with `Note.modified`."""
    before: float | None = None
    """Unix seconds, exclusive."""
    where: tuple[tuple[str, str], ...] = ()
    """(property, value) pairs, compared as text without case; a list passes when it has the value."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One retriever's part in a hit's score."""

    name: str
    """``dense`` or ``keyword``."""
    rank: int
    """1-based, in that retriever's list; 0 when it was scored without being among its candidates."""
    score: float
    """In the retriever's own unit: cosine similarity, or BM25F."""
    weight: float
    """What this retriever's normalised score (or reciprocal rank) is multiplied with."""
    contribution: float
    """What was added to the fused score."""


@dataclass(frozen=True, slots=True)
class ScoreTrace:
    """Why a hit has its score: the score is the sum of the contributions."""

    signals: tuple[Signal, ...]
    duplicates: tuple[str, ...] = ()
    """``path:start-end`` of near-identical passages that this hit stands for."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found."""

    rank: int
    chunk_id: int
    path: str
    title: str
    headings: tuple[str, ...]
    start_line: int
    end_line: int
    text: str
    score: float
    topic: str
    trace: ScoreTrace
    sentences: tuple[tuple[int, int], ...] = ()
    """Sentence spans, relative to ``text``."""
    kind: str = "text"
    """``text``, or ``properties`` for front matter."""
    links: tuple[str, ...] = ()
    """Paths of the notes that the passage links to."""
    entities: tuple[Entity, ...] = ()
    """Names that stand in the passage."""
    stale: bool = False
    """True when the note has changed since it was indexed; the text stands in it, at these lines, even so."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    query: str
    hits: tuple[Hit, ...]
    generation: int
    incomplete: bool
    """True when chunks still wait for their vectors or notes could not be brought up to date."""
    timings: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds by stage; ``total`` among them."""
    left_out: int = 0
    """Passages that were found but do not stand in their notes any more."""


# ---------------------------------------------------------------------------------------------- answers


class AnswerStatus(StrEnum):
    SUPPORTED = "supported"
    """Every sentence has a verified citation."""
    PARTIAL = "partial"
    """Some sentences were dropped or could not be verified."""
    ABSTAINED = "abstained"
    """The vault holds no evidence; the text says so."""


@dataclass(frozen=True, slots=True)
class Citation:
    """The proof of a sentence: a quote that stands in the note, verbatim, at these lines."""

    n: int
    path: str
    headings: tuple[str, ...]
    start_line: int
    end_line: int
    quote: str
    verified: bool
    """True when the quote was found, character for character, in the file as it is now."""
    support: float
    """0 to 1: how well the quote supports the sentence that cites it."""


@dataclass(frozen=True, slots=True)
class Wave:
    """One load of context."""

    tier: Literal["critical", "important", "relevant", "supplementary"]
    chunks: int
    tokens: int
    sufficiency: float
    """0 to 1."""
    stop_reason: str | None
    """Why no further wave followed; ``None`` when one did."""


@dataclass(frozen=True, slots=True)
class Answer:
    question: str
    status: AnswerStatus
    text: str
    """With ``[n]`` marks."""
    citations: tuple[Citation, ...]
    waves: tuple[Wave, ...]
    model: str
    """The language model's name, or ``extractive``."""
    generation: int
    incomplete: bool
    hits: tuple[Hit, ...] = ()
    """What the answer was made from, best first."""
    timings: Mapping[str, float] = field(default_factory=dict)
    left_out: int = 0
    """Passages that were found but do not stand in their notes any more."""


@dataclass(frozen=True, slots=True)
class HitsFound:
    """The retriever is done; the answer follows."""

    result: SearchResult


@dataclass(frozen=True, slots=True)
class WaveLoaded:
    wave: Wave


@dataclass(frozen=True, slots=True)
class AnswerText:
    """The next verified piece of the answer's text; pieces concatenate to `Answer.text`."""

    text: str
    citations: tuple[Citation, ...] = ()
    """Citations that this piece introduces."""


@dataclass(frozen=True, slots=True)
class AnswerFinished:
    answer: Answer


AnswerEvent = HitsFound | WaveLoaded | AnswerText | AnswerFinished

# ----------------------------------------------------------------------------------------------- models


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """A model that Quire knows where to get and how to check."""

    name: str
    """The short name used in commands and settings."""
    kind: Literal["embedding", "language", "reranker"]
    repository: str
    revision: str
    file: str
    bytes: int
    sha256: str
    licence: str
    context: int
    """Tokens."""
    memory_bytes: int
    """Needed to run it, weights included."""
    dimensions: int = 0
    """Of the embeddings; 0 for other kinds."""
    description: str = ""
    package: str = ""
    """The Python package that brings the weights; empty when they are downloaded."""


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model as it stands on this machine."""

    name: str
    kind: Literal["embedding", "language", "reranker"]
    path: str | None
    """``None`` when it is in the catalogue but not installed."""
    bytes: int
    in_use: bool
    description: ModelDescription | None = None
    """``None`` for a file that the user put there."""


# ------------------------------------------------------------------------------------------- evaluation


@dataclass(frozen=True, slots=True)
class EvalReport:
    """Averages over judged queries."""

    queries: int
    unit: Literal["note", "block"]
    """What the judgements name."""
    retrieval: Mapping[str, float]
    """``ndcg@10``, ``recall@10``, ``recall@100``, ``mrr@10``, ``precision@5``, ``success@10`` (the share of
    queries with a relevant hit among ten), ``p50_ms``, ``p95_ms``."""
