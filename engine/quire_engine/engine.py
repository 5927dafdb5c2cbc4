"""The engine: the only place where the parts are wired together."""

from __future__ import annotations

import importlib.util
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from quire_engine import locations
from quire_engine.errors import (
    ConfigError,
    QuireError,
    StoreError,
    VaultError,
    vault_gone,
)
from quire_engine.freshness import FreshnessCheck
from quire_engine.index.database import connect, is_made
from quire_engine.index.keywords import open_keywords
from quire_engine.index.lock import write_lock
from quire_engine.index.reader import IndexReader
from quire_engine.index.salvage import discard as discard_index
from quire_engine.index.store import note_id
from quire_engine.indexing.early import EarlyVectors
from quire_engine.indexing.right_of_way import RightOfWay
from quire_engine.inference.embedder import SentenceEmbedder, shared_embedder
from quire_engine.interfaces import ProgressCallback
from quire_engine.progress import Meter, ProgressBoard, posted
from quire_engine.records import (
    AnswerEvent,
    Filters,
    Hit,
    IndexStatus,
    Link,
    Note,
    SearchResult,
    SyncProgress,
    SyncReport,
)
from quire_engine.retrieval.retriever import Retriever
from quire_engine.settings import Settings
from quire_engine.vault.parser import parse
from quire_engine.vault.scanner import holds_notes, read_file

if TYPE_CHECKING:
    from quire_engine.asking import AskOptions
    from quire_engine.chunking.sentences import LanguageTools
    from quire_engine.conversations.store import ConversationStore
    from quire_engine.indexing.desk import WriteDesk
    from quire_engine.indexing.embedding import Embedding
    from quire_engine.indexing.indexer import Indexer
    from quire_engine.indexing.keeper import Keeper
    from quire_engine.inference.model_slot import SharedModel
    from quire_engine.interfaces import FloatArray, Reranker
    from quire_engine.replaying.record import Recording
    from quire_engine.retrieval.retriever import Considered

_ALL = 2**31
_EARLY = 16
"""Passages that a search embeds itself, while embedding is behind; a quarter of a second on two cores."""
_CREATE_WAIT = 10.0
"""Seconds to wait for another process that is just creating the index."""


class Engine:
    """One vault's index and everything that can be asked of it. Safe to use from several threads."""

    def __init__(self, vault: Path, settings: Settings, folder: Path) -> None:
        """Use `Engine.open`."""
        self._vault = vault
        self._settings = settings
        self._folder = folder
        self._reader = IndexReader(folder)
        self._keywords = open_keywords(folder, settings.retrieval.keywords, writable=False)
        self._retriever = Retriever(
            self._reader,
            self._reader,
            self._keywords,
            self.embedder,
            self._embed_early,
            self._freshness_check,
            self._open_reranker,
            settings.retrieval,
        )
        self._embedder: SentenceEmbedder | None = None
        self._reranker: Reranker | None = None
        self._language_models: dict[Path, SharedModel] = {}
        self._language_tools: LanguageTools | None = None
        self._loading = threading.RLock()
        self._early = EarlyVectors()
        self._questions = RightOfWay()
        self._board = ProgressBoard(folder)
        self._desk: WriteDesk | None = None
        self._indexer: Indexer | None = None
        self._keeper: Keeper | None = None

    @classmethod
    def open(cls, vault: Path, settings: Settings | None = None, *, discard: bool = False) -> Self:
        """Open the vault's index, creating an empty one on first use.

        With ``discard`` what was indexed is forgotten first, also when it is damaged; embeddings that can
        still be read are kept. Raises `VaultError` when ``vault`` is not a readable folder,
        `IndexTooNewError` for an index of a newer Quire, `StoreError` when the index cannot be opened.
        """
        settings = settings or Settings()
        vault = _checked_vault(vault)
        folder = locations.index_dir(vault)
        if folder.resolve().is_relative_to(vault.resolve()):
            raise ConfigError(
                f"the index must not lie inside the vault {vault}; set QUIRE_DATA_DIR elsewhere"
            )
        try:
            locations.private_dir(folder)
        except OSError as error:
            raise StoreError(
                f"cannot use the index folder {folder}: {error.strerror}; set QUIRE_DATA_DIR to another"
            ) from error
        if discard:
            with write_lock(folder, _CREATE_WAIT):
                discard_index(folder)
        if not is_made(folder):
            with write_lock(folder, _CREATE_WAIT):
                connect(folder, writable=True).close()
        return cls(vault, settings, folder)

    def close(self) -> None:
        """Release files and models. A running `watch` must have ended."""
        if self._desk is not None:
            self._desk.close()
        self._retriever.close()
        self._keywords.close()
        self._reader.close()
        for model in self._language_models.values():
            model.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---------------------------------------------------------------------------------------- indexing

    def sync(
        self,
        progress: ProgressCallback | None = None,
        *,
        embed: bool = True,
        few: int | None = None,
        wait: float = 0.0,
    ) -> SyncReport:
        """Bring the index up to date with the vault; safe to interrupt, resumed by the next call.

        ``wait`` is how many seconds to wait for another process that is writing; after that
        `IndexLockedError` is raised. With ``embed=False`` vectors and names are left for a later call; else
        they are made here, or waited for when another process is making them. With ``few``, for
        those who wait for an answer, vectors are made only when no more than so many are missing.
        """
        indexer, embedding = self._writers()
        with self._shown(progress) as meter:
            report = indexer.sync(meter, wait=wait)
            if not embed or (few is not None and report.pending > few):
                return report
            embedded = embedding.run(meter, lambda: False, follow=few is None)
            if few is None:
                indexer.find_names()
            return replace(
                report,
                embedded=embedded,
                pending=embedding.waiting(),
                generation=self._reader.generation,
                seconds=meter.seconds,
            )

    def forget(self, place: str, *, wait: float = 0.0) -> int:
        """Take a note, a folder or a topic out of the index, its vectors included; returns how many notes.

        What is still in the vault and not ignored comes back with the next sync.
        """
        return self._writers()[0].forget(place.strip("/"), wait=wait)

    def watch(
        self,
        stop: threading.Event,
        on_sync: Callable[[SyncReport], None],
        progress: ProgressCallback | None = None,
        on_trouble: Callable[[QuireError], None] | None = None,
    ) -> None:
        """Sync, then sync again whenever files change, until ``stop`` is set; to be run in a thread.

        Structure and keywords come first, vectors and names behind them; a change is taken in before what is
        left of those. What fails (another writer, a drive that is gone for a while) is told once to
        ``on_trouble``, and tried again; without that callback it is raised. ``on_sync`` is called after every
        look at the vault, also one that found nothing.
        """
        from quire_engine.indexing.keeper import Keeper

        keeper = Keeper(self._vault, *self._writers(), self._synced_by)
        self._keeper = keeper
        try:
            with self._shown(progress) as meter:

                def synced(report: SyncReport) -> None:
                    self._board.clear()
                    on_sync(report)

                def troubled(error: QuireError) -> None:
                    self._board.clear()
                    if on_trouble is None:
                        raise error
                    on_trouble(error)

                keeper.run(stop, synced, meter, troubled)
        finally:
            self._keeper = None

    def _synced_by(self) -> object:
        """Whose sync was the last; nobody's where some of what it made is gone."""
        return None if self._keywords_are_gone() else self._reader.meta("synced_by")

    def settle(self, timeout: float, *, thorough: bool = False) -> bool:
        """Wait until every change that the running `watch` has seen is indexed, at most ``timeout`` seconds.

        With ``thorough`` the whole vault is looked at first, in case the watch missed something. Vectors are
        waited for as well when they are few. False when the index may be behind: time ran out, the watch is
        in trouble, or there is none.
        """
        keeper = self._keeper
        return keeper is not None and keeper.settle(timeout, thorough=thorough)

    def pending(self) -> int:
        """How many passages wait for their vector."""
        return self._reader.count("embedding_queue")

    def activity(self) -> SyncProgress | None:
        """How far the process is that works on the index, this one or another; ``None`` when none does."""
        return posted(self._folder)

    def _writers(self) -> tuple[Indexer, Embedding]:
        from quire_engine.indexing.desk import WriteDesk
        from quire_engine.indexing.embedding import Embedding
        from quire_engine.indexing.indexer import Indexer

        with self._loading:
            embedder = self.embedder()
            if self._desk is None:
                self._desk = WriteDesk(self._folder, embedder, self._settings.retrieval.keywords)
            if self._indexer is None:
                self._indexer = Indexer(self._vault, self._settings, self._desk, embedder, self._tools)
            return self._indexer, Embedding(self._desk, embedder, self._early, self.pending, self._questions)

    @contextmanager
    def _shown(self, progress: ProgressCallback | None) -> Iterator[Meter]:
        """A meter whose readings other processes see as well."""

        def show(event: SyncProgress) -> None:
            self._board.post(event)
            if progress is not None:
                progress(event)

        try:
            yield Meter(show)
        finally:
            self._board.clear()

    # ------------------------------------------------------------------------------- search and answers

    def search(
        self, query: str, *, limit: int = 10, filters: Filters | None = None, neighbours: bool = False
    ) -> SearchResult:
        """The best passages for ``query``; an empty result when nothing matches. Does not sync.

        ``query`` may hold operators (``tag:``, ``path:``, ``since:``, ``before:``, ``-word``, ``"phrase"``).
        With ``neighbours`` each hit comes with the passages before and after it.

        Hits are checked against the files: one of a note that has changed is marked as stale, or left out
        when its text is gone. The result is incomplete when the index is, or when there were such hits.
        Raises `VaultError` when nothing is left since the vault has no notes any more.
        """
        with self._questions, self._reader.snapshot():
            return self._search(query, limit, filters, neighbours)

    def considered(self, query: str) -> Considered | None:
        """All candidates for ``query`` with all of their signals, for fitting the signals' weights."""
        with self._questions, self._reader.snapshot():
            return self._retriever.considered(query)

    def _search(self, query: str, limit: int, filters: Filters | None, neighbours: bool) -> SearchResult:
        embedder = self.embedder()
        comparable = self._reader.meta("fingerprint") == embedder.fingerprint
        result = self._retriever.search(
            query,
            limit=limit,
            filters=filters or Filters(),
            generation=self._reader.generation,
            incomplete=self._incomplete() or not comparable,
            dense=comparable,
            neighbours=neighbours,
        )
        if result.left_out and not result.hits and not holds_notes(self._vault):
            raise vault_gone(self._vault)
        return result

    def _open_reranker(self) -> Reranker | None:
        """The cross-encoder in use; ``None`` when there is none. Raises `ModelError` when it is damaged."""
        if self._settings.retrieval.reranker == "none":
            return None
        from quire_engine.inference.reranker import open_reranker

        with self._loading:
            if self._reranker is None:
                self._reranker = open_reranker(self._settings)
            return self._reranker

    def _freshness_check(self) -> FreshnessCheck:
        return FreshnessCheck(self._vault, self._reader.known_files, self._settings.scan.max_note_bytes)

    def _embed_early(self, chunks: Sequence[int]) -> Mapping[int, FloatArray]:
        """Vectors of the best candidates that wait for theirs: meaning counts from the first minute."""
        chunks = chunks[:_EARLY]
        vectors = self._early.get(chunks)
        if waiting := self._reader.waiting_texts([c for c in chunks if c not in vectors]):
            from quire_engine.chunking.chunker import embed_text

            texts = [embed_text(headings, text) for _, headings, text in waiting]
            rows = self.embedder().embed_passages(texts)
            made = {chunk: row for (chunk, _, _), row in zip(waiting, rows, strict=True)}
            self._early.keep(made)
            vectors |= made
        return vectors

    def ask(
        self,
        question: str,
        *,
        filters: Filters | None = None,
        options: AskOptions | None = None,
        recording: Recording | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Iterator[AnswerEvent]:
        """Answer ``question``: `HitsFound`, `WaveLoaded`…, `AnswerText`…, and last `AnswerFinished`.

        Every citation that leaves here was checked against the file. Closing the iterator cancels, and so
        does ``cancelled``, which a language model is stopped by while it computes. Raises `GenerationError`
        or `ModelError` when the chosen language model fails. Does not sync. ``recording`` has what the answer
        was made from when `AnswerFinished` comes.

        In a conversation a follow-up question is first rewritten into one that stands by itself, by the
        language model if there is one (`Queued`, `PromptRead`), and the finished answer is kept. Raises
        `ConfigError` when there is no such conversation.
        """
        from quire_engine.asking import asked

        # A language model that writes has no core to spare for passages that are embedded meanwhile.
        return self._questions.over(
            asked(self, question, filters or Filters(), options, recording, cancelled)
        )

    def _incomplete(self) -> bool:
        return (
            self._reader.meta("last_sync") is None
            or bool(self._reader.meta("unfinished"))
            or self.pending() > 0
            or self._keywords_are_gone()
        )

    def _keywords_are_gone(self) -> bool:
        """Whether the keyword index is damaged, or another took its place."""
        try:
            return self._keywords.count() == 0 and self._reader.count("notes") > 0
        except StoreError:
            return True

    def rarity(self, words: Sequence[str]) -> Mapping[str, float]:
        """How rare words are in the vault; all alike while the keyword index is damaged."""
        try:
            return self._keywords.rarity(words)
        except StoreError:
            return dict.fromkeys(words, 1.0)

    @cached_property
    def conversations(self) -> ConversationStore:
        """What was asked and answered before; the file is opened when it is needed, and only then."""
        from quire_engine.conversations.store import ConversationStore

        return ConversationStore(self._vault)

    # --------------------------------------------------------------------------------- notes and status

    def note(self, path: str) -> Note:
        """The note as the file is now. Raises `VaultError` when it is gone or lies outside the vault."""
        data, stat = read_file(self._vault, path, self._settings.scan.max_note_bytes)
        return parse(path, data, stat)

    def current_note(self, path: str) -> Note | None:
        """As `note`; ``None`` when it is gone or cannot be read."""
        try:
            return self.note(path)
        except VaultError:
            return None

    def passages(self, path: str) -> tuple[Hit, ...]:
        """The indexed passages of a note in reading order, without rank and score; none when it is gone."""
        found = self._reader.hits(list(self._reader.passages_of([note_id(path)], _ALL)))
        return tuple(sorted(found.values(), key=lambda hit: (hit.start_line, hit.end_line)))

    def follow(self, link: Link, source: str) -> str | None:
        """The path of the note that ``link``, written in note ``source``, leads to."""
        return self._reader.linked(source, link.target) if link.target else source

    def backlinks(self, path: str) -> list[str]:
        """Paths of the notes that link to ``path``, sorted."""
        return self._reader.backlinks(path)

    def notes(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """(path, title, aliases) of every indexed note, by path."""
        return self._reader.names()

    def blocks(self, path: str) -> list[tuple[str, int, int]]:
        """(block id, first line, last line) of the blocks with an id in the indexed note."""
        return self._reader.blocks(path)

    def status(self) -> IndexStatus:
        """What the index holds, what it could not read, and what it runs on."""
        embedder = self.embedder()
        last_sync = self._reader.meta("last_sync")
        model = self.answer_model(None)
        vectors, pending = self._reader.vector_count(), self.pending()
        indexing = embedding = None
        notes = self._reader.count("notes")
        if (shown := self.activity()) is not None:
            embedding = shown if shown.stage in ("model", "embed") else None
            indexing = shown if embedding is None else None
        if embedding is None and pending:
            embedding = SyncProgress("embed", vectors, vectors + pending)
        return IndexStatus(
            vault=str(self._vault),
            index=str(self._folder),
            generation=self._reader.generation,
            notes=notes,
            chunks=self._reader.count("chunks"),
            vectors=vectors,
            pending=pending,
            indexing=indexing,
            embedding=embedding,
            topics=self._reader.topics(),
            skipped=self._reader.skipped(),
            warnings=self._reader.warnings(),
            unresolved_links=self._reader.unresolved_links(),
            disk_bytes=locations.bytes_in(self._folder),
            last_sync=float(last_sync) if last_sync is not None else None,
            embedding_model=self._settings.embedding.model,
            embedding_runtime=embedder.runtime_name,
            answer_model=model.stem if model is not None else None,
            problem=str(vault_gone(self._vault)) if notes and not holds_notes(self._vault) else None,
        )

    # ------------------------------------------------------------------------------------------- models

    @property
    def settings(self) -> Settings:
        """What it was opened with."""
        return self._settings

    @property
    def fingerprint(self) -> str:
        """Names the embedding model with its weights and input format, as vectors of this index have it."""
        return self.embedder().fingerprint

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, as the embedding model counts them."""
        return self.embedder().count_tokens(texts)

    def embedder(self) -> SentenceEmbedder:
        """The embedding model in use, shared in this process."""
        with self._loading:
            if self._embedder is None:
                self._embedder = shared_embedder(self._settings.embedding)
            return self._embedder

    def _tools(self) -> LanguageTools:
        """spaCy takes over a second to import; a process that only searches never does."""
        from quire_engine.chunking.sentences import LanguageTools

        with self._loading:
            if self._language_tools is None:
                self._language_tools = LanguageTools(self._settings.chunking.pipelines)
            return self._language_tools

    def answer_model(self, override: str | None) -> Path | None:
        """The file of `language_model`."""
        from quire_engine.inference.catalogue import locate_language_model

        path = locate_language_model(self._settings.answer, override)
        chosen = override or self._settings.answer.model
        if path is not None and not chosen and importlib.util.find_spec("llama_cpp") is None:
            return None  # nobody asked for this file by name, and nothing here can run it
        return path

    def language_model(self, override: str | None) -> SharedModel | None:
        """The language model in use, or ``override``; ``None`` when answers are extractive."""
        path = self.answer_model(override)
        if path is None:
            return None
        from quire_engine.inference.model_slot import shared_model

        with self._loading:
            if path not in self._language_models:
                self._language_models[path] = shared_model(path, self._settings.answer)
            return self._language_models[path]


def _checked_vault(vault: Path) -> Path:
    vault = vault.expanduser().absolute()
    if not vault.exists():
        raise VaultError(f"the vault {vault} does not exist; check --vault, QUIRE_VAULT and the settings")
    if not vault.is_dir():
        raise VaultError(f"the vault {vault} is not a folder; give the folder that holds the notes")
    if not os.access(vault, os.R_OK | os.X_OK):
        raise VaultError(f"the vault {vault} cannot be read; check its permissions")
    return vault
