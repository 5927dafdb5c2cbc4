"""Brings a vault's index up to date: what changed is found, read, written, indexed and linked."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from quire_engine.index import topics
from quire_engine.indexing.comparing import Comparison, Plan
from quire_engine.indexing.desk import Interrupted, WriteDesk
from quire_engine.indexing.keyword_feed import KeywordFeed
from quire_engine.indexing.pool import NoWorkersError, ReadPool
from quire_engine.indexing.reading import (
    NOT_THE_NOTE,
    NoteReader,
    Reading,
    ReadNote,
    ReadTask,
    SameNote,
    UnreadNote,
)
from quire_engine.indexing.relations import Relations
from quire_engine.interfaces import Embedder
from quire_engine.progress import Meter
from quire_engine.records import FoundFile, SkippedNote, SyncReport
from quire_engine.settings import Settings
from quire_engine.vault.scanner import printable

if TYPE_CHECKING:
    from quire_engine.chunking.sentences import LanguageTools

log = logging.getLogger(__name__)

_BATCH_NOTES = 200
_BATCH_BYTES = 1 << 18
_FIRST_BATCH = 20
"""The newest notes are read at once, while worker processes start, so that searching can begin."""
_LARGE = 1 << 20
"""Bytes of a note that is not read by this process, which lives on: it may take much time and memory."""
_WORTH_WORKERS = 1 << 19
"""Bytes to read from which starting worker processes pays."""
_FIRST_GROUP, _LARGEST_GROUP = 400, 4_000
"""Chunks that are written and made searchable together: few at first, then twice as many each time."""
_RECIPE = 4
"""Raised when the same note would be parsed or cut into other passages than before."""


class Indexer:
    """Keeps the structure and the keywords of one vault's index right; vectors come after."""

    def __init__(
        self,
        vault: Path,
        settings: Settings,
        desk: WriteDesk,
        embedder: Embedder,
        tools: Callable[[], LanguageTools],
    ) -> None:
        """``tools`` is called when the first note is read."""
        self.name = uuid.uuid4().hex
        """Stands in the index (``synced_by``) when this one was the last to bring it up to date."""
        self.vault = Comparison(vault, settings.scan)
        self.keywords = KeywordFeed(desk)
        self._folder = vault
        self._settings = settings
        self._desk = desk
        self._relations = Relations(desk, tools)
        self._budget = min(settings.chunking.budget, embedder.max_tokens)
        self._recipe = f"{_RECIPE}/{self._budget}/{embedder.fingerprint}"
        self._reader = NoteReader(vault, settings.scan.max_note_bytes, embedder, tools, self._budget)
        self._report = SyncReport()
        self._gone_hashes: set[bytes] = set()
        self._interrupted: Callable[[], bool] = lambda: False

    def sync(
        self,
        meter: Meter,
        *,
        paths: Sequence[str] | None = None,
        wait: float = 0.0,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> SyncReport:
        """Bring structure and keywords up to date: all of the vault, or what differs at ``paths``.

        The report knows nothing of vectors. Raises `VaultError` when the vault is gone or suddenly empty
        (nothing is deleted then), `IndexLockedError` when another writes for longer than ``wait`` seconds,
        and `Interrupted` when the sync is; the next one goes on from there.
        """
        begun, begun_at = time.monotonic(), time.time()
        self.vault.require_vault()
        with self._desk.writing(wait, interrupted):
            store = self._desk.store
            self._report = SyncReport()
            self.keywords.drop()
            self._interrupted = interrupted
            owed = bool(store.meta("unfinished"))
            # Before new sequences are given out, so that a mismatch shows.
            self.keywords.catch_up(meter)
            if paths is None:
                self._mend(meter)
            meter.stage("scan", 0)
            plan = self.vault.plan(store, paths, anew=store.meta("recipe") != self._recipe)
            skipped = list(plan.skipped)
            if owed or plan.changed or plan.removed:
                self._relations.begin()
            try:
                self._remove(plan)
                self._write(plan, skipped, meter)
            except BaseException:
                self._relations.drop()  # they may be ahead of what was written
                raise
            self._report = replace(self._report, unchanged=self._report.unchanged + plan.unchanged)
            with store.transaction():
                looked_at = None if plan.looked_at is None else [printable(path) for path in plan.looked_at]
                store.set_skipped(skipped, looked_at)
                store.set_meta("recipe", self._recipe)
                store.set_meta("last_sync", begun_at)
                store.set_meta("synced_by", self.name)
            if plan.changed or plan.removed:
                self.keywords.catch_up(meter)
            self._finish(owed, plan.renames)
            return replace(
                self._report,
                skipped=tuple(skipped),
                pending=store.queued(),
                seconds=time.monotonic() - begun,
                generation=int(store.meta("generation") or 0),
            )

    def forget(self, place: str, *, wait: float) -> int:
        """Take a note, folder or topic out of the index, vectors included; returns how many notes.

        What is still in the vault and not ignored comes back with the next sync.
        """
        with self._desk.writing(wait):
            store = self._desk.store
            self.keywords.drop()
            owed = bool(store.meta("unfinished"))
            self.keywords.catch_up(Meter(None))  # as in `sync`
            self._mend(Meter(None))
            self._relations.begin()
            paths = store.notes_in(place)
            try:
                with store.transaction():
                    removed = store.remove_notes(paths)
                    store.forget_released_vectors(days=0)
                    store.set_meta("synced_by", "")  # what is still in the vault is owed
                self._relations.removed(paths)
            except BaseException:
                self._relations.drop()
                raise
            self.keywords.catch_up(Meter(None))
            self._finish(owed, renames=True)
            return removed

    def find_names(self, interrupted: Callable[[], bool] = lambda: False) -> bool:
        """Look for the vault's names in what is new; False when ``interrupted`` before that was done."""
        return self._relations.find_names(interrupted)

    def _finish(self, owed: bool, renames: bool) -> None:
        """What follows from notes that came, went or changed; ``owed`` by a sync that did not get so far."""
        store = self._desk.store
        if not store.meta("unfinished"):
            return
        if renames or owed:
            self._rearrange_topics()
        self._relations.resolve_links(everywhere=owed)
        with store.transaction():
            store.forget_released_vectors()
            store.set_meta("unfinished", 0)
            store.next_generation()

    def _mend(self, meter: Meter) -> None:
        """Make anew, without embedding, what does not agree with the database, as after some damage."""
        store = self._desk.store
        if not store.vectors_agree():
            log.info("the vector table does not hold what it should; it is made anew")
            store.rebuild_vectors()
        if not store.outbox.agrees_with(self._desk.keywords):
            log.info("the keyword index does not hold what it should; it is made anew")
            self.keywords.rebuild(meter)

    def _remove(self, plan: Plan) -> None:
        self._gone_hashes = {plan.known[path].content_hash for path in plan.removed}
        if plan.removed:
            self._relations.removed(plan.removed)
            with self._desk.store.transaction():
                self._desk.store.remove_notes(plan.removed)
        self._report = replace(self._report, removed=len(plan.removed))

    # ----------------------------------------------------------------------------------------- writing

    def _write(self, plan: Plan, skipped: list[SkippedNote], meter: Meter) -> None:
        if not plan.changed:
            return
        topic_of = self._topics(plan)
        meter.stage("index", len(plan.changed))
        done = 0
        for group in _groups(self._readings(plan)):
            if any(isinstance(reading, UnreadNote) for reading in group):
                self.vault.require_same_vault()  # else it is not the notes' fault
            for reading in self._written(group, topic_of):
                self._account(reading, plan, skipped)
            done += len(group)
            meter.advance(done)
            if self._interrupted():
                raise Interrupted("the sync was given up")
            if done < len(plan.changed):
                self.keywords.catch_up(Meter(None))

    def _topics(self, plan: Plan) -> Mapping[str, str]:
        if not plan.renames:
            return {path: known.topic for path, known in plan.known.items()}
        return topics.assign({*self._desk.store.paths(), *(file.path for file in plan.changed)})

    def _readings(self, plan: Plan) -> Iterator[list[Reading]]:
        """What is to be written, batch by batch, newest notes first; in worker processes when it is much."""

        def batches(files: Iterable[FoundFile]) -> Iterator[list[ReadTask]]:
            return ([_task(file, plan) for file in batch] for batch in _batches(files))

        workers = None
        small = [file for file in plan.changed if file.stat.size <= _LARGE]
        large = [file for file in plan.changed if file.stat.size > _LARGE]
        many = len(plan.changed) > 2 * _FIRST_BATCH
        if large or (many and sum(file.stat.size for file in small) > _WORTH_WORKERS):
            with suppress(NoWorkersError):  # then it is read here
                workers = ReadPool(self._folder, self._settings, self._budget, 0 if many else 1)
        rest = plan.changed
        if workers is not None:
            first, rest = small[:_FIRST_BATCH], (*small[_FIRST_BATCH:], *large)
            done: set[str] = set()
            with workers:
                yield self._reader.read_all([_task(file, plan) for file in first])
                here = None if large else self._reader.read_all
                try:
                    for readings in workers.read(batches(rest), here):
                        done.update(map(_path, readings))
                        yield readings
                    return
                except NoWorkersError:
                    rest = tuple(file for file in rest if file.path not in done)
        yield from map(self._reader.read_all, batches(rest))

    def _written(self, readings: Sequence[Reading], topic_of: Mapping[str, str]) -> Sequence[Reading]:
        """Write notes in one transaction; one that cannot be written is left out, and its reason returned."""
        store = self._desk.store
        try:
            with store.transaction():
                waiting = [chunk for reading in readings for chunk in self._put(reading, topic_of)]
                reused = store.fill_vectors(waiting)
        except NOT_THE_NOTE:
            raise
        except Exception:
            # A savepoint for each note costs more than writing it: only when it is needed.
            with store.transaction():
                readings = [self._put_alone(reading, topic_of) for reading in readings]
                ids = [c.id for r in readings if isinstance(r, ReadNote) for c in r.chunks]
                reused = store.fill_vectors(ids)
        self._report = replace(self._report, reused=self._report.reused + reused)
        return readings

    def _put(self, reading: Reading, topic_of: Mapping[str, str]) -> Sequence[int]:
        """Write what was read; returns the chunks that wait for a vector."""
        match reading:
            case UnreadNote(path):
                self._desk.store.remove_notes([path])
            case SameNote(path, stat, modified, read_at):
                self._desk.store.touch_note(path, stat, modified, read_at)
            case ReadNote(note, chunks, _, read_at):
                return self._desk.store.put_note(note, chunks, topic_of[note.path], read_at)
        return ()

    def _put_alone(self, reading: Reading, topic_of: Mapping[str, str]) -> Reading:
        try:
            with self._desk.store.transaction():
                self._put(reading, topic_of)
        except NOT_THE_NOTE:
            raise
        except Exception as error:
            reading = UnreadNote.because(_path(reading), error)
            self._put(reading, topic_of)
        return reading

    def _account(self, reading: Reading, plan: Plan, skipped: list[SkippedNote]) -> None:
        """Take note of what was written."""
        match reading:
            case UnreadNote(path, reason):
                skipped.append(SkippedNote(path, reason))
                self._relations.removed([path])
            case SameNote():
                self._report = replace(self._report, unchanged=self._report.unchanged + 1)
            case ReadNote(note, chunks, terms):
                self._relations.put(note)
                self.keywords.put(dict(zip((chunk.id for chunk in chunks), terms, strict=True)))
                self._count(note.content_hash, note.path not in plan.known, len(chunks))

    def _count(self, content_hash: bytes, new: bool, chunks: int) -> None:
        report = self._report
        if new and content_hash in self._gone_hashes:
            self._gone_hashes.discard(content_hash)
            report = replace(report, renamed=report.renamed + 1, removed=report.removed - 1)
        elif new:
            report = replace(report, added=report.added + 1)
        else:
            report = replace(report, changed=report.changed + 1)
        self._report = replace(report, chunks=report.chunks + chunks)

    def _rearrange_topics(self) -> None:
        """Move notes whose topic follows from folders that grew or shrank."""
        store = self._desk.store
        known = store.paths()
        wanted = topics.assign(known)
        moved = {path: topic for path, topic in wanted.items() if known[path] != topic}
        if moved:
            with store.transaction():
                store.move_topics(moved)


def _task(file: FoundFile, plan: Plan) -> ReadTask:
    known = plan.known.get(file.path)
    content = known.content_hash if known is not None and not plan.anew else None
    return ReadTask(file.path, content, file.stat.size)


def _path(reading: Reading) -> str:
    return reading.note.path if isinstance(reading, ReadNote) else reading.path


def _groups(batches: Iterable[list[Reading]]) -> Iterator[list[Reading]]:
    """The first batch by itself, the others in growing groups."""
    group: list[Reading] = []
    chunks, enough = 0, 0
    for batch in batches:
        group += batch
        chunks += sum(len(reading.chunks) for reading in batch if isinstance(reading, ReadNote))
        if chunks >= enough:
            yield group
            group, chunks = [], 0
            enough = min(max(_FIRST_GROUP, 2 * enough), _LARGEST_GROUP)
    if group:
        yield group


def _batches(files: Iterable[FoundFile]) -> Iterator[list[FoundFile]]:
    batch: list[FoundFile] = []
    size = 0
    for file in files:
        if batch and (len(batch) >= _BATCH_NOTES or size + file.stat.size > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.stat.size
    if batch:
        yield batch
