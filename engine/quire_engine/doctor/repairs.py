"""Mends what an examination found, each part from what the others know; the vault is only read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from quire_engine import locations
from quire_engine.doctor.findings import Finding, ProgressReport, Remedy, Repair, failed
from quire_engine.doctor.index import seed_of, snapshot
from quire_engine.doctor.places import leftovers, remove, tighten
from quire_engine.doctor.stored import altered_notes, vector_faults, wrong_embeddings
from quire_engine.doctor.vault import compare
from quire_engine.errors import IndexLockedError, StoreError, VaultError
from quire_engine.index.lock import write_lock
from quire_engine.index.salvage import replace_damaged
from quire_engine.indexing.desk import WriteDesk
from quire_engine.indexing.early import EarlyVectors
from quire_engine.indexing.embedding import Embedding
from quire_engine.indexing.indexer import Indexer
from quire_engine.indexing.right_of_way import RightOfWay
from quire_engine.inference.embedder import shared_embedder
from quire_engine.progress import Meter
from quire_engine.quantities import counted
from quire_engine.records import SyncProgress
from quire_engine.settings import Settings

if TYPE_CHECKING:
    from quire_engine.chunking.sentences import LanguageTools
    from quire_engine.interfaces import Embedder

_WAIT = 10.0
"""Seconds for another process to finish what it is writing."""
_STAGES = {
    "scan": "looking for changes",
    "index": "reading notes",
    "keywords": "updating the keyword index",
    "model": "loading the embedding model",
    "embed": "embedding",
}
_WITHIN = {Remedy.INDICES, Remedy.ROWS, Remedy.EMBEDDINGS, Remedy.VECTORS, Remedy.KEYWORDS, Remedy.NOTES}
"""What a database that is made anew has no need of."""


def repair(
    vault: Path | None,
    settings: Settings,
    findings: Sequence[Finding],
    report: ProgressReport = lambda what, done, total: None,
) -> Iterator[Repair]:
    """Do what the ``findings`` have remedies for, one after another; nothing else is touched.

    Every step stands when the next one fails; what could not be mended is told as such. Without a ``vault``
    there is no index to mend. Raises `IndexLockedError`, naming the holder, when another process writes for
    longer than ten seconds.
    """
    wanted = {finding.remedy for finding in findings if finding.remedy is not None}
    if Remedy.DATABASE in wanted:
        wanted -= _WITHIN
    steps: dict[Remedy, Callable[[], str]] = {Remedy.PERMISSIONS: _close_to_others}
    with ExitStack() as stack:
        if vault is not None:
            steps |= stack.enter_context(closing(_Bench(vault, settings, report, wanted))).steps
        for remedy in Remedy:
            if remedy in wanted and remedy in steps:
                yield _outcome(remedy, steps[remedy])


def _outcome(remedy: Remedy, mend: Callable[[], str]) -> Repair:
    """What ``mend`` did; whatever it raises is told, since any part may be broken here."""
    try:
        return Repair(remedy, True, mend())
    except IndexLockedError:
        raise
    except Exception as error:
        finding = failed(remedy.value, error)
        return Repair(remedy, False, "; ".join(filter(None, (finding.detail, finding.advice))))


def _close_to_others() -> str:
    return f"{counted(tighten(), 'path')} closed to other users"


class _Bench:
    """The parts that write an index, put together for repairs when one needs them."""

    def __init__(
        self, vault: Path, settings: Settings, report: ProgressReport, wanted: Collection[Remedy]
    ) -> None:
        self._vault = vault
        self._settings = settings
        self._report = report
        self._vectors_too = Remedy.VECTORS in wanted
        self._notes_too = Remedy.NOTES in wanted
        self._folder = locations.index_dir(vault)
        self._meter = Meter(self._show)
        self._opened: WriteDesk | None = None
        self.steps: Mapping[Remedy, Callable[[], str]] = {
            Remedy.DATABASE: self._database,
            Remedy.INDICES: self._indices,
            Remedy.ROWS: self._rows,
            Remedy.NOTES: self._notes,
            Remedy.EMBEDDINGS: self._embeddings,
            Remedy.VECTORS: self._vectors,
            Remedy.KEYWORDS: self._keywords,
            Remedy.LEFTOVERS: self._leftovers,
        }
        """What can be done with an index."""

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()

    @cached_property
    def _embedder(self) -> Embedder:
        return shared_embedder(self._settings.embedding)

    @property
    def _desk(self) -> WriteDesk:
        if self._opened is None:
            self._opened = WriteDesk(self._folder, self._embedder, self._settings.retrieval.keywords)
        return self._opened

    @cached_property
    def _indexer(self) -> Indexer:
        return Indexer(self._vault, self._settings, self._desk, self._embedder, self._tools)

    def _database(self) -> str:
        found = self._indexer.vault.look_around()
        if not found.files:
            raise VaultError(
                f"{self._vault} holds no notes to make the index from: is the drive mounted? "
                "The damaged index was left as it is"
            )
        with write_lock(self._folder, _WAIT):
            aside = replace_damaged(self._folder)
        with snapshot(self._folder) as db:
            saved = int(db.execute("SELECT count(*) FROM embeddings").get)
        report = self._indexer.sync(self._meter, wait=_WAIT)
        embedded = self._embed()
        self._indexer.find_names()
        return (
            f"made anew from {counted(report.added, 'note')}; {saved:,} embeddings saved, {embedded:,} made; "
            f"the damaged one is kept as {aside.name}"
        )

    def _indices(self) -> str:
        with self._desk.writing(_WAIT):
            self._desk.store.reindex()
        return "SQLite's indices were made anew from their tables"

    def _rows(self) -> str:
        with self._desk.writing(_WAIT):
            self._make_vectors_readable()
            removed = self._desk.store.remove_dangling()
            self._indexer.sync(self._meter)  # resolves links again
        counts = ", ".join(f"{count:,} of {table}" for table, count in removed.items())
        return f"put right: {counts or 'nothing was left to do'}"

    def _notes(self) -> str:
        with snapshot(self._folder) as db:
            compared = compare(self._vault, db, self._settings, self._report)
            damaged = {*altered_notes(db, self._report), *compared.hidden}
        with self._desk.writing(_WAIT):
            self._make_vectors_readable()
            # Of what cannot be read now, the index is all there is.
            paths = sorted(damaged & {file.path for file in self._indexer.vault.look_around().files})
            # Their rows go first: they may hold what cannot be worked with. Embeddings stay, and are reused.
            with self._desk.store.transaction():
                self._desk.store.remove_notes(paths)
            self._indexer.sync(self._meter)
        embedded = self._embed()
        self._indexer.find_names()
        return f"{counted(len(paths), 'note')} read again; {counted(embedded, 'text')} embedded"

    def _embeddings(self) -> str:
        self._require_sound_passages()
        with snapshot(self._folder) as db:
            faults = vector_faults(db, self._embedder, seed_of(db), self._report)
            wrong = faults.wrong
            # Another sample than the examination's need not meet what that one met.
            if faults.by_chance or self._notes_too or not (faults.wrong or faults.missing):
                wrong = tuple(wrong_embeddings(db, self._embedder, self._report))
        with self._desk.writing(_WAIT):
            known = self._desk.store.keep_known_vectors()
            self._desk.store.forget_embeddings(wrong)
            if self._vectors_too:  # what is embedded now must find the table in order
                self._desk.store.rebuild_vectors()
                self._vectors_too = False
        embedded = self._embed()
        restored = f"; {known:,} taken from the vector table" if known else ""
        return f"{counted(embedded, 'text')} embedded again{restored}"

    def _vectors(self) -> str:
        self._report("making the vector table anew", 0, 0)
        embedded = 0
        with self._desk.writing(_WAIT):
            store = self._desk.store
            if self._vectors_too:
                store.rebuild_vectors()
            with store.transaction():
                store.next_generation()
        if self._vectors_too:
            embedded = self._embed()
        return f"made anew from the embeddings; {counted(embedded, 'text')} embedded"

    def _make_vectors_readable(self) -> None:
        """Passages are taken out of the vector table, too; it is made anew again afterwards."""
        if self._vectors_too:
            self._desk.store.rebuild_vectors()

    def _keywords(self) -> str:
        with self._desk.writing(_WAIT):
            self._indexer.keywords.rebuild(self._meter)
            with self._desk.store.transaction():
                self._desk.store.next_generation()
            return f"made anew from the database: {counted(self._desk.keywords.count(), 'passage')}"

    def _leftovers(self) -> str:
        with write_lock(self._folder, _WAIT):
            freed = remove(leftovers(self._folder, self._settings))
        return f"{freed / 1e6:,.1f} MB freed"

    def _embed(self) -> int:
        """Work off what waits for a vector; returns how many texts went through the model."""
        self._require_sound_passages()
        with self._desk.writing(_WAIT):
            pass  # the desk is open now
        queued = self._desk.store.queued
        embedding = Embedding(self._desk, self._embedder, EarlyVectors(), queued, RightOfWay())
        return embedding.run(self._meter, lambda: False, follow=True)

    def _require_sound_passages(self) -> None:
        """Else the vector of a damaged text would stand for the one that was indexed."""
        if not self._notes_too:
            return  # all were found to be sound
        with snapshot(self._folder) as db:
            damaged = altered_notes(db, self._report)
        if damaged:
            raise StoreError(
                f"passages of {counted(len(damaged), 'note')} are damaged, {damaged[0]} among them, and "
                "could not be read again; see that the vault can be read, and run the command again"
            )

    def _tools(self) -> LanguageTools:
        from quire_engine.chunking.sentences import LanguageTools

        return LanguageTools(self._settings.chunking.pipelines)

    def _show(self, event: SyncProgress) -> None:
        self._report(_STAGES[event.stage], event.done, event.total)
