"""The engine: the only place where the parts are wired together."""

from __future__ import annotations

import importlib.util
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from quire_engine import locations
from quire_engine.errors import (
    ConfigError,
    DamagedIndexError,
    IndexLockedError,
    QuireError,
    StoreError,
    VaultError,
)
from quire_engine.index.database import FILE_NAME, connect, is_made
from quire_engine.index.keywords import WhooshKeywords
from quire_engine.index.lock import write_lock
from quire_engine.index.reader import IndexReader
from quire_engine.index.store import IndexWriter, clear
from quire_engine.inference.embedder import SentenceEmbedder, open_embedder
from quire_engine.interfaces import ProgressCallback
from quire_engine.records import (
    AnswerEvent,
    FileStat,
    Filters,
    IndexStatus,
    Link,
    Note,
    SearchResult,
    SyncReport,
)
from quire_engine.retrieval.retriever import Retriever
from quire_engine.settings import Settings
from quire_engine.vault.parser import parse
from quire_engine.vault.scanner import read_file

if TYPE_CHECKING:
    from quire_engine.chunking.sentences import LanguageTools
    from quire_engine.indexing import Indexer
    from quire_engine.inference.llama import LlamaModel

_CREATE_WAIT = 10.0
"""Seconds to wait for another process that is just creating the index."""
_WATCH_TICK = 1.0
_WATCH_RETRY = 5.0
_WATCH_WAIT = 60.0
"""Seconds that a watching process waits for another writer before it says so."""


@dataclass(frozen=True, slots=True)
class AskOptions:
    """How a question is to be answered."""

    model: str | None = None
    """A catalogue name or a GGUF path; ``extractive`` for none; ``None`` for what the settings say."""
    limit: int = 10
    """The most passages an answer may be made from."""


class Engine:
    """One vault's index and everything that can be asked of it. Safe to use from several threads."""

    def __init__(self, vault: Path, settings: Settings, folder: Path) -> None:
        """Use `Engine.open`."""
        self._vault = vault
        self._settings = settings
        self._folder = folder
        self._reader = IndexReader(folder)
        self._keywords = WhooshKeywords(folder, writable=False)
        self._retriever = Retriever(
            self._reader, self._reader, self._keywords, self._open_embedder, settings.retrieval
        )
        self._embedder: SentenceEmbedder | None = None
        self._language_model: LlamaModel | None = None
        self._language_model_path: Path | None = None
        self._language_tools: LanguageTools | None = None
        self._loading = threading.RLock()
        self._writing = threading.Lock()

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
                f"cannot create the index folder {folder}: {error.strerror}; set QUIRE_DATA_DIR to another"
            ) from error
        if discard:
            _discard(folder)
        if not is_made(folder):
            with write_lock(folder, _CREATE_WAIT):
                connect(folder, writable=True).close()
        return cls(vault, settings, folder)

    def close(self) -> None:
        """Release files and models."""
        self._retriever.close()
        self._keywords.close()
        self._reader.close()
        if self._language_model is not None:
            self._language_model.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---------------------------------------------------------------------------------------- indexing

    def sync(
        self, progress: ProgressCallback | None = None, *, embed: bool = True, wait: float = 0.0
    ) -> SyncReport:
        """Bring the index up to date with the vault; safe to interrupt, resumed by the next call.

        ``wait`` is how many seconds to wait for another process that is writing; after that
        `IndexLockedError` is raised. With ``embed=False`` vectors are left for a later call.
        """
        with self._indexer(wait) as indexer:
            return indexer.sync(progress, embed=embed)

    def forget(self, place: str, *, wait: float = 0.0) -> int:
        """Take a note, a folder or a topic out of the index, its vectors included; returns how many notes.

        What is still in the vault and not ignored comes back with the next sync.
        """
        with self._indexer(wait) as indexer:
            return indexer.forget(place.strip("/"))

    @contextmanager
    def _indexer(self, wait: float) -> Iterator[Indexer]:
        from quire_engine.indexing import Indexer

        embedder = self._open_embedder()
        with ExitStack() as stack:
            if not self._writing.acquire(timeout=max(0.0, wait)):
                raise IndexLockedError("this process is updating the vault's index already; wait for that")
            stack.callback(self._writing.release)
            stack.enter_context(write_lock(self._folder, wait))
            connection = connect(self._folder, writable=True)
            stack.callback(connection.close)
            writer = IndexWriter(connection, embedder.fingerprint, embedder.dimensions)
            keywords = WhooshKeywords(self._folder, writable=True)
            stack.callback(keywords.close)
            yield Indexer(self._vault, self._settings, writer, keywords, embedder, self._tools)

    def watch(
        self,
        stop: threading.Event,
        on_sync: Callable[[SyncReport], None],
        progress: ProgressCallback | None = None,
        on_trouble: Callable[[QuireError], None] | None = None,
    ) -> None:
        """Sync, then sync again whenever files change, until ``stop`` is set.

        What fails after the first sync (another writer, a drive that is gone) is told to ``on_trouble``
        and tried again; without that callback it is raised.
        """
        from quire_engine.vault.watcher import ChangeWatcher

        place = self._vault.stat().st_ino
        with ChangeWatcher(self._vault) as watcher:
            on_sync(self.sync(progress, wait=_WATCH_WAIT))
            owed = False
            while not stop.is_set():
                if not self._vault.exists() or self._vault.stat().st_ino != place:
                    raise VaultError(f"the vault {self._vault} was moved or replaced; start watching again")
                if not (watcher.wait(_WATCH_RETRY if owed else _WATCH_TICK) or owed):
                    continue
                try:
                    on_sync(self.sync(progress, wait=_WATCH_TICK if owed else _WATCH_WAIT))
                    owed = False
                except QuireError as error:
                    if on_trouble is None:
                        raise
                    if not owed:
                        on_trouble(error)
                    owed = True

    # ------------------------------------------------------------------------------- search and answers

    def search(self, query: str, *, limit: int = 10, filters: Filters | None = None) -> SearchResult:
        """The best passages for ``query``; an empty result when nothing matches. Does not sync.

        The result is marked incomplete when the index is, or when a note found has changed since.
        """
        embedder = self._open_embedder()
        comparable = self._reader.meta("fingerprint") == embedder.fingerprint
        result = self._retriever.search(
            query,
            limit=limit,
            filters=filters or Filters(),
            generation=self._reader.generation,
            incomplete=self._incomplete() or not comparable,
            dense=comparable,
        )
        if all(self._is_unchanged(path) for path in {hit.path for hit in result.hits}):
            return result
        return replace(result, incomplete=True)

    def ask(
        self, question: str, *, filters: Filters | None = None, options: AskOptions | None = None
    ) -> Iterator[AnswerEvent]:
        """Answer ``question``: `HitsFound`, `WaveLoaded`…, `AnswerText`…, and last `AnswerFinished`.

        Every citation that leaves here was checked against the file. Closing the iterator cancels.
        Raises `GenerationError` or `ModelError` when the chosen language model fails. Does not sync.
        """
        from quire_engine.answering.answerer import Answerer

        options = options or AskOptions()
        model = self._model_for(options.model)
        result = self.search(question, limit=options.limit, filters=filters)
        answerer = Answerer(
            self._open_embedder,
            self._keywords.rarity,
            self._current_note,
            self._is_unchanged,
            self._settings.answer,
        )
        return answerer.answer(question, result, model)

    def _incomplete(self) -> bool:
        return (
            self._reader.meta("last_sync") is None
            or bool(self._reader.meta("unfinished"))
            or self._reader.count("embedding_queue") > 0
        )

    # --------------------------------------------------------------------------------- notes and status

    def note(self, path: str) -> Note:
        """The note as the file is now. Raises `VaultError` when it is gone or lies outside the vault."""
        data, stat = read_file(self._vault, path, self._settings.scan.max_note_bytes)
        return parse(path, data, stat)

    def _current_note(self, path: str) -> Note | None:
        try:
            return self.note(path)
        except VaultError:
            return None

    def _is_unchanged(self, path: str) -> bool:
        try:
            status = (self._vault / path).stat()
        except OSError:
            return False
        return self._reader.file_stat(path) == FileStat(status.st_size, status.st_mtime_ns, status.st_ino)

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
        embedder = self._open_embedder()
        last_sync = self._reader.meta("last_sync")
        model = self._answer_model(None)
        return IndexStatus(
            vault=str(self._vault),
            index=str(self._folder),
            generation=self._reader.generation,
            notes=self._reader.count("notes"),
            chunks=self._reader.count("chunks"),
            vectors=self._reader.vector_count(),
            pending=self._reader.count("embedding_queue"),
            topics=self._reader.topics(),
            skipped=self._reader.skipped(),
            warnings=self._reader.warnings(),
            unresolved_links=self._reader.unresolved_links(),
            disk_bytes=_size(self._folder),
            last_sync=float(last_sync) if last_sync is not None else None,
            embedding_model=self._settings.embedding.model,
            embedding_runtime=embedder.runtime_name,
            answer_model=model.stem if model is not None else None,
        )

    # ------------------------------------------------------------------------------------------- models

    def _open_embedder(self) -> SentenceEmbedder:
        with self._loading:
            if self._embedder is None:
                self._embedder = open_embedder(self._settings.embedding)
            return self._embedder

    def _tools(self) -> LanguageTools:
        """spaCy takes over a second to import; a process that only searches never does."""
        from quire_engine.chunking.sentences import LanguageTools

        with self._loading:
            if self._language_tools is None:
                self._language_tools = LanguageTools(self._settings.chunking.pipelines)
            return self._language_tools

    def _answer_model(self, override: str | None) -> Path | None:
        from quire_engine.inference.catalogue import locate_language_model

        path = locate_language_model(self._settings.answer, override)
        chosen = override or self._settings.answer.model
        if path is not None and not chosen and importlib.util.find_spec("llama_cpp") is None:
            return None  # nobody asked for this file by name, and nothing here can run it
        return path

    def _model_for(self, override: str | None) -> LlamaModel | None:
        path = self._answer_model(override)
        if path is None:
            return None
        from quire_engine.inference.llama import LlamaModel

        with self._loading:
            if self._language_model is None or self._language_model_path != path:
                if self._language_model is not None:
                    self._language_model.close()  # one at a time: two may not fit
                    self._language_model = None
                self._language_model = LlamaModel(path, self._settings.answer)
                self._language_model_path = path
            return self._language_model


def _size(folder: Path) -> int:
    """Bytes of the files in ``folder``; some may vanish while they are counted."""
    total = 0
    for file in folder.rglob("*"):
        with suppress(FileNotFoundError):
            total += file.stat().st_size
    return total


def _checked_vault(vault: Path) -> Path:
    vault = vault.expanduser().absolute()
    if not vault.exists():
        raise VaultError(f"the vault {vault} does not exist; check --vault, QUIRE_VAULT and the settings")
    if not vault.is_dir():
        raise VaultError(f"the vault {vault} is not a folder; give the folder that holds the notes")
    if not os.access(vault, os.R_OK | os.X_OK):
        raise VaultError(f"the vault {vault} cannot be read; check its permissions")
    return vault


def _discard(folder: Path) -> None:
    """Empty the index in ``folder``; a database that cannot be opened is removed."""
    with write_lock(folder, _CREATE_WAIT):
        for keywords in folder.glob("keywords-*"):
            shutil.rmtree(keywords, ignore_errors=True)
        if not (folder / FILE_NAME).exists():
            return
        try:
            connection = connect(folder, writable=True)
            try:
                clear(connection)
            finally:
                connection.close()
        except DamagedIndexError:
            for file in folder.glob(f"{FILE_NAME}*"):
                file.unlink()
