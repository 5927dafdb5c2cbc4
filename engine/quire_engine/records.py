"""The values that flow through Quire: frozen, slotted, free of behaviour that needs a library.

Offsets are characters of the note's decoded text with line ends normalised to ``\\n``; lines are 1-based and
inclusive; paths are relative to the vault, with ``/``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

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
    paths: tuple[str, ...] = ()
    """How a note's path begins, from the vault's root or from any folder on, or a glob (``*``, ``?``, ``[]``)
    for the rest of it; without case. A note that any of them fits passes."""
    phrases: tuple[str, ...] = ()
    """Words that must stand together in a passage, its title or its headings, as written but for case,
    accents and markup. One of nothing but stop words, which are not indexed, restricts nothing."""
    excluded: tuple[str, ...] = ()
    """Words, compared by their stem, that neither a passage nor its title, headings, path, aliases, tags and
    properties may hold; several words in one entry are a phrase. Other passages of its note may pass."""
    prefer: tuple[str, ...] = ()
    """Folders or topics that are looked at first; the rest follows unless they hold three good hits."""


@dataclass(frozen=True, slots=True)
class TopicScore:
    """How likely a topic holds what a question asks for."""

    topic: str
    probability: float


@dataclass(frozen=True, slots=True)
class Routing:
    """Where a question was taken to belong, and what was searched first."""

    mode: Literal["one", "several", "all", "preferred", "widened"]
    """``one`` and ``several``: the chosen topics weigh more, and all are searched; ``all``: none stands out;
    ``preferred``: only the user's choice was searched; ``widened``: it held too little, so all followed."""
    topics: tuple[TopicScore, ...] = ()
    """The likeliest first; empty when there are none to choose from."""
    chosen: tuple[str, ...] = ()
    """Topics for ``one`` and ``several``, the user's folders for ``preferred`` and ``widened``."""
    further: tuple[str, ...] = ()
    """Topics outside a preference that were searched as well, because hits link to notes in them."""


@dataclass(frozen=True, slots=True)
class NamedNote:
    """A title, alias or file name that stands in a question, of a note among its candidates."""

    name: str
    """Folded, its words divided by single spaces."""
    paths: tuple[str, ...]
    """The candidates' notes that are called so."""
    linked: bool = False
    """Whether the question says so itself, as ``[[name]]``."""


Intent = Literal["factual", "analytical", "conversational", "creative"]


@dataclass(frozen=True, slots=True)
class Query:
    """What a question asks for, as far as its words tell."""

    text: str
    """What is searched: without operators, quoted phrases as words."""
    language: str
    """ISO 639-1; empty when it cannot be told."""
    intent: Intent
    complexity: float
    """0 to 1: the weights of ``reasons``, added."""
    reasons: tuple[str, ...]
    """Those of ``multi-part``, ``comparative``, ``temporal``, ``synthesis``, ``cross-domain`` that apply."""
    recency: float
    """0 to 1: how much what is recent is asked for."""
    since: float | None
    """The beginning of the time that the words name (Unix seconds, inclusive): a hint, not a filter."""
    before: float | None
    """Its end (exclusive)."""
    domains: tuple[str, ...]
    """Topics of the vault whose names stand in the question."""
    phrases: tuple[str, ...]
    """What stands in quotes, required (then among the filters, too) or for emphasis."""
    named: tuple[NamedNote, ...]
    """Of the notes that the search has passages of; those that are linked to first, each in its order."""
    parts: tuple[str, ...]
    """The questions that it consists of, each to be searched beside the whole; empty when it is one."""
    filters: Filters
    """What its operators restrict the search to; in a `Plan` all that the search was restricted to."""
    notes: tuple[str, ...] = ()
    """What could not be understood as meant, a line each, for the user."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """How much work a question is worth."""

    name: Literal["simple", "moderate", "complex", "expert"]
    depth: int
    """Candidates that each retriever brings."""
    parallelism: int
    """Parts of the question that are searched side by side."""
    rerank_depth: int
    """Candidates that a cross-encoder reads, at most 20."""
    reasoning_steps: int
    """Waves of context that an answer may load."""
    seconds: float
    """The time limit of the search."""
    fallback: Literal["simple", "moderate", "complex"] | None
    """The simpler strategy to go on with when time runs out; ``None`` for the simplest."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a question was understood, and what was done to answer it."""

    query: Query
    strategy: Strategy
    """The one that the search ended with: a simpler one than chosen when time ran out."""
    routing: Routing
    steps: tuple[str, ...] = ()
    """What was done or left out beyond the two searches, in order, a few words each."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One part of a hit's score."""

    name: str
    """``dense``, ``keyword``, or another of `quire_engine.retrieval.ranking`."""
    rank: int
    """1-based, in that retriever's list; 0 where there is no list, or the hit was not in it."""
    score: float
    """In the signal's own unit: a cosine, BM25F, a probability, a share."""
    weight: float
    """What the score, brought to 0..1, is multiplied with."""
    contribution: float
    """What was added to the hit's score."""


@dataclass(frozen=True, slots=True)
class ScoreTrace:
    """Why a hit has its score: the score is the sum of the contributions."""

    signals: tuple[Signal, ...]
    duplicates: tuple[str, ...] = ()
    """``path:start-end`` of near-identical passages that this hit stands for."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """The passage before or after a hit in its note."""

    before: bool
    """Whether it stands before the hit."""
    start_line: int
    end_line: int
    headings: tuple[str, ...]
    text: str


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
    neighbours: tuple[Neighbour, ...] = ()
    """The passages before and after it, in reading order, where they were asked for and the note is as it
    was indexed."""


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
    plan: Plan | None = None
    """How the question was understood and searched; ``None`` when there was nothing to search for."""


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


Tier = Literal["critical", "important", "relevant", "supplementary"]


@dataclass(frozen=True, slots=True)
class Wave:
    """One load of context: the passages of a tier, and what is enough or lacks after it."""

    tier: Tier
    chunks: int
    """Passages that this wave added."""
    tokens: int
    """Tokens that it added, as the reader counts them: the language model, else the embedding model."""
    sufficiency: float
    """0 to 1: how far the measure that lacks most is from its threshold; 1 when all reach theirs."""
    stop_reason: str | None
    """Why loading stopped here; ``None`` when the next wave followed at once."""
    coverage: float = 0.0
    """The share of the question's concepts (rare words, names, numbers) that was met so far, 0 to 1."""
    confidence: float = 0.0
    """How likely the best of what was read so far answers the question, calibrated, 0 to 1."""
    clarity: float = 0.0
    """How far the two best sentences so far stand out from all others, 0 to 1."""
    completeness: float = 0.0
    """The share of the question's parts that have support so far, 0 to 1."""
    scores: tuple[float, ...] = ()
    """The hits' scores, of the passages that this wave added."""
    cause: str = ""
    """Why the wave was loaded: what lacked before it."""


@dataclass(frozen=True, slots=True)
class Omission:
    """A passage, or part of one, that was found and not read, or not in full."""

    path: str
    start_line: int
    end_line: int
    reason: str
    """In words for the user: that it did not fit, repeats another, was shortened."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


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
    """What was found for the question, best first; the waves read as much of it as was needed."""
    timings: Mapping[str, float] = field(default_factory=dict)
    left_out: int = 0
    """Passages that were found but do not stand in their notes any more."""
    plan: Plan | None = None
    """How the question was understood and searched; ``None`` when there was nothing to search for."""
    confidence: float = 0.0
    """How likely the notes answer the question at all, calibrated, 0 to 1."""
    standalone: str = ""
    """What a follow-up question was understood to ask; empty when it was taken as it stands."""
    conversation: str = ""
    """The id of the conversation that it belongs to; empty when none is kept."""
    omitted: tuple[Omission, ...] = ()
    """What would have been read, had there been room."""
    messages: tuple[Message, ...] = ()
    """The last prompt for the language model; empty for an extractive answer."""
    reply: str = ""
    """What the language model wrote to it, before anything was checked."""
    notes: tuple[str, ...] = ()
    """What the user should know beside the answer, a line each: that it could not be kept."""


@dataclass(frozen=True, slots=True)
class HitsFound:
    """The retriever is done; the answer follows."""

    result: SearchResult


@dataclass(frozen=True, slots=True)
class WaveLoaded:
    wave: Wave


@dataclass(frozen=True, slots=True)
class Queued:
    """The language model is busy with other questions."""

    position: int
    """How many are before this one; 0 when it is this one's turn."""


@dataclass(frozen=True, slots=True)
class PromptRead:
    """How far the language model has read its prompt."""

    done: int
    """Tokens that are read, those that it knew from before included."""
    total: int
    known: int
    """Tokens that it did not have to read again, since the prompt begins as the one before."""


@dataclass(frozen=True, slots=True)
class AnswerText:
    """The next verified piece of the answer's text; pieces concatenate to `Answer.text`."""

    text: str
    citations: tuple[Citation, ...] = ()
    """Citations that this piece introduces."""


@dataclass(frozen=True, slots=True)
class AnswerFinished:
    answer: Answer


AnswerEvent = HitsFound | WaveLoaded | Queued | PromptRead | AnswerText | AnswerFinished


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and its answer in a conversation."""

    number: int
    """From 1."""
    asked: float
    """Unix seconds."""
    question: str
    standalone: str
    """As `Answer.standalone`."""
    text: str
    status: AnswerStatus
    citations: tuple[Citation, ...]
    model: str
    generation: int
    prompt: str = ""
    """The message to the language model that asked this turn's question; empty for an extractive answer, for
    one that abstains, and in all but the last turns of a conversation."""
    reply: str = ""
    """As `Answer.reply`; empty where `prompt` is."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """Questions that follow on each other."""

    id: str
    title: str
    """Its first question."""
    started: float
    """Unix seconds."""
    updated: float
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class ConversationEntry:
    """A conversation in a list."""

    id: str
    title: str
    started: float
    updated: float
    turns: int


# ----------------------------------------------------------------------------------------------- models


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file of a model's repository."""

    file: str
    bytes: int
    sha256: str


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
    companions: tuple[ModelFile, ...] = ()
    """Files that must lie beside the weights; where there are any, the model is a folder of its name."""

    @property
    def files(self) -> tuple[ModelFile, ...]:
        """All that is downloaded; the weights last, so that their presence says that all is there."""
        return (*self.companions, ModelFile(self.file, self.bytes, self.sha256))


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
class QueryResult:
    """What was found for one judged query."""

    id: str
    text: str
    fields: Mapping[str, str]
    """What else its line in queries.jsonl says: ``lang`` and the like."""
    relevant: Mapping[str, float]
    """The grades above 0, by note path or by ``path#^block``."""
    measures: Mapping[str, float]
    ranking: tuple[tuple[str, float], ...]
    """(document, score) of the first hundred, best first."""
    timings: Mapping[str, float]
    """Milliseconds by stage of a search as users make it, for ten passages; ``total`` among them."""


@dataclass(frozen=True, slots=True)
class EvalReport:
    """Averages over judged queries."""

    queries: int
    unit: Literal["note", "block"]
    """What the judgements name."""
    retrieval: Mapping[str, float]
    """``ndcg@10``, ``recall@10``, ``recall@100``, ``mrr@10``, ``precision@5``, ``success@10`` (the share of
    queries with a relevant hit among ten); milliseconds of a search, ``p50_ms`` and ``p95_ms``, and of what
    it does after the dense and the keyword search, ``added_p50_ms`` and ``added_p95_ms``."""
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """95 % confidence intervals of the measures; none of the milliseconds."""
    generation: int = 0
    """Of the index that was asked."""
    results: tuple[QueryResult, ...] = ()


@dataclass(frozen=True, slots=True)
class AnswerResult:
    """What was answered to one question whose answer is known."""

    id: str
    question: str
    kind: str
    """``answerable``, ``offvault`` or what its line says."""
    answerable: bool
    fields: Mapping[str, str]
    """What else its line says: ``lang`` and the like."""
    answers: tuple[str, ...]
    """Texts of which one should stand in the answer; none where the question has only a place."""
    places: tuple[str, ...]
    """What should be cited: notes, blocks as ``path#^block``, or what holds a line as ``path#L12``."""
    status: AnswerStatus
    text: str
    cited: tuple[str, ...]
    """``path:first-last`` line of each citation, in order."""
    confidence: float
    measures: Mapping[str, float]
    """Those that apply to the question; ``correct``, ``waves`` and ``context_tokens`` always do."""
    timings: Mapping[str, float]
    """Milliseconds from the question to the ``first_text`` and to the end (``total``)."""


@dataclass(frozen=True, slots=True)
class AnswerReport:
    """Averages over answered questions."""

    questions: int
    model: str
    """The language model's name, or ``extractive``."""
    measures: Mapping[str, float | None]
    """By the names in docs/evaluation.md; ``None`` for one that no question tells of."""
    intervals: Mapping[str, tuple[float, float]]
    """95 % confidence intervals of the shares among them."""
    statuses: Mapping[str, int]
    """How many answers are ``supported``, ``partial`` and ``abstained``."""
    curve: tuple[tuple[float, float, float], ...]
    """Risk against coverage: (share of all questions that are answered, share of wrong ones among these,
    least confidence of these), by rising coverage."""
    generation: int = 0
    """Of the index that was asked."""
    results: tuple[AnswerResult, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a requirement of a judged set is met."""

    requirement: str
    """As its eval.toml says it."""
    found: float | None
    """``None`` when no question tells."""
    met: bool


@dataclass(frozen=True, slots=True)
class EvalRun:
    """An evaluation query by query, with what it was made with, to be kept and compared."""

    version: str
    """Of Quire."""
    fingerprint: str
    """Of the embedding model."""
    generation: int
    """Of the index."""
    settings: Mapping[str, Any]
    """Those that may change what is found, by section."""
    unit: Literal["note", "block"]
    results: tuple[QueryResult, ...]
    """None where only answers were measured."""
    model: str = ""
    """What wrote the answers; empty where only retrieval was measured."""
    answers: tuple[AnswerResult, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """One measure in two runs over the same queries."""

    then: float
    now: float
    difference: float
    interval: tuple[float, float]
    """95 %, of the difference."""
    p: float
    """How likely a difference so large is when there is none."""
    wins: int
    ties: int
    losses: int


@dataclass(frozen=True, slots=True)
class DocumentMove:
    """Where a document stood, and where it stands now; ``None`` beyond the first hundred."""

    document: str
    grade: float
    """0 when it is not relevant."""
    then: int | None
    now: int | None


@dataclass(frozen=True, slots=True)
class QueryChange:
    """One query in two runs."""

    id: str
    text: str
    then: float
    """nDCG@10."""
    now: float
    relevant: tuple[DocumentMove, ...]
    entered: tuple[DocumentMove, ...]
    """Documents that are among the first ten now and were not."""
    left: tuple[DocumentMove, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs, over the queries that both have."""

    queries: int
    only_now: int
    """Queries that the earlier run lacks, or judges otherwise."""
    only_then: int
    measures: Mapping[str, Difference]
    latencies: Mapping[str, tuple[float, float]]
    """Milliseconds then and now, by the names in `EvalReport.retrieval`."""
    changes: tuple[QueryChange, ...]
    """One for each query, the largest loss of nDCG@10 first, the largest win last."""


@dataclass(frozen=True, slots=True)
class AnswerChange:
    """The answer to one question in two runs."""

    id: str
    question: str
    then: float
    """1 when it was handled right (`AnswerResult.measures`, ``correct``), else 0."""
    now: float
    status_then: AnswerStatus
    status_now: AnswerStatus
    text_then: str
    text_now: str
    cited_then: tuple[str, ...]
    cited_now: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AnswerComparison:
    """The answers of two runs, over the questions that both have."""

    questions: int
    only_now: int
    """Questions that the earlier run lacks, or judges otherwise."""
    only_then: int
    measures: Mapping[str, Difference]
    """Each over the questions that it applies to in both runs."""
    latencies: Mapping[str, tuple[float, float]]
    """Milliseconds then and now, by the names in `AnswerReport.measures`."""
    changes: tuple[AnswerChange, ...]
    """One for each question whose text or citations changed; those that went wrong first, those that came
    right last."""
