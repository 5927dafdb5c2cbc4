"""Brings an index up to date with its vault: finds what changed, writes it, and embeds what is new.

Every step is a transaction of its own and leaves the index consistent; whatever is interrupted is taken
up by the next sync.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from quire_engine.chunking.chunker import Chunker, embed_text
from quire_engine.chunking.sentences import LanguageTools, NameMatcher
from quire_engine.errors import ConfigError, ModelError, StoreError, VaultError
from quire_engine.index import topics
from quire_engine.index.store import IndexWriter, note_id
from quire_engine.interfaces import Embedder, KeywordWriter, ProgressCallback
from quire_engine.progress import Meter
from quire_engine.records import FileStat, FoundFile, SkippedNote, SyncReport
from quire_engine.settings import Settings
from quire_engine.vault.links import LinkIndex, is_attachment
from quire_engine.vault.parser import parse
from quire_engine.vault.scanner import read_file, scan

_BATCH_NOTES = 64
_BATCH_BYTES = 2_000_000
_FIRST_COMMIT = 256
"""Notes after which the keyword index is committed for the first time, so that searching can begin."""
_OUTBOX_PAGE = 20_000
_EMBED_SLAB = 256
"""Chunks embedded between two commits: a few seconds of work, the most that an interruption loses."""
_RACE_NS = 2_000_000_000
"""A file written this shortly before it was indexed may have changed again under the same time stamp."""
_FEW_NAMES = 20
"""Up to this many new names, only the passages that hold one are looked at again."""
_ENTITY_PAGE = 500
_RECIPE = 1
"""Raised when the same note would be parsed or cut into other passages than before."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """How the vault differs from the index."""

    known: Mapping[str, tuple[FileStat, bytes, str]]
    """Stat, content hash and topic of what is indexed, by path."""
    changed: tuple[FoundFile, ...]
    """Files to read, newest first."""
    removed: tuple[str, ...]
    skipped: tuple[SkippedNote, ...]
    anew: bool
    """Whether every note must be cut anew, changed or not."""


class Indexer:
    """One writer's work on one vault; to be used by the holder of the write lock, one thread at a time."""

    def __init__(
        self,
        vault: Path,
        settings: Settings,
        writer: IndexWriter,
        keywords: KeywordWriter,
        embedder: Embedder,
        tools: Callable[[], LanguageTools],
    ) -> None:
        """``tools`` is called when the first note is read."""
        self._vault = vault
        self._settings = settings
        self._writer = writer
        self._keywords = keywords
        self._embedder = embedder
        self._tools = tools
        self._report = SyncReport()
        self._gone_hashes: set[bytes] = set()
        budget = min(settings.chunking.budget, embedder.max_tokens)
        self._chunk_budget = budget
        self._recipe = f"{_RECIPE}/{budget}/{embedder.fingerprint}"

    def sync(self, progress: ProgressCallback | None = None, *, embed: bool = True) -> SyncReport:
        """Bring structure, keywords and (unless ``embed`` is false) vectors up to date.

        Raises `VaultError` when the vault is gone or suddenly empty; nothing is deleted then.
        """
        begun, begun_at = time.monotonic(), time.time()
        self._report = SyncReport()
        meter = Meter(progress)
        self._catch_up_keywords(meter)  # before new sequences are given out, so that a mismatch shows
        plan = self._compare(meter)
        skipped = list(plan.skipped)
        self._remove(plan)
        self._write(plan, skipped, meter)
        with self._writer.transaction():
            self._writer.set_skipped(skipped)
            self._writer.set_meta("recipe", self._recipe)
            self._writer.set_meta("last_sync", begun_at)
        if plan.changed or plan.removed:
            self._catch_up_keywords(meter)
        self._finish()
        if embed:
            self._embed(meter)
        return replace(
            self._report,
            skipped=tuple(skipped),
            pending=self._writer.queued(),
            seconds=time.monotonic() - begun,
            generation=int(self._writer.meta("generation") or 0),
        )

    def forget(self, place: str) -> int:
        """Take a note, folder or topic out of the index, vectors included; returns how many notes.

        What is still in the vault and not ignored comes back with the next sync.
        """
        with self._writer.transaction():
            removed = self._writer.remove_notes(self._writer.notes_in(place))
            self._writer.forget_released_vectors(days=0)
        self._catch_up_keywords(Meter(None))
        self._finish()
        return removed

    def _finish(self) -> None:
        """What follows from notes that came, went or changed; owed until it is done."""
        if not self._writer.meta("unfinished"):
            return
        self._rearrange_topics()
        self._resolve_links()
        self._find_entities()
        with self._writer.transaction():
            self._writer.count_topics()
            self._writer.forget_released_vectors()
            self._writer.set_meta("unfinished", 0)
            self._writer.next_generation()

    # ----------------------------------------------------------------------------------------- changes

    def _compare(self, meter: Meter) -> _Plan:
        meter.stage("scan", 0)
        found = scan(self._vault, self._settings.scan.ignore, self._settings.scan.max_note_bytes)
        known = self._writer.known_files()
        if known and not found.files and not found.skipped:
            raise VaultError(
                f"{self._vault} holds no notes any more but its index does: is the drive mounted? "
                "Nothing was deleted; run `quire index --rebuild` if the vault really is empty"
            )
        anew = self._writer.meta("recipe") != self._recipe
        last_sync_ns = int(float(self._writer.meta("last_sync") or 0) * 1e9)
        changed: list[FoundFile] = []
        for file in found.files:
            differs = file.path not in known or known[file.path][0] != file.stat
            if differs or anew or file.stat.mtime_ns > last_sync_ns - _RACE_NS:
                changed.append(file)
        present = {file.path for file in found.files}
        # What lies in a folder that cannot be read now is not gone; its file alone may be.
        unreadable = {note.path for note in found.skipped}
        removed = sorted(
            path for path in known if path not in present and unreadable.isdisjoint(_folders_above(path))
        )
        changed.sort(key=lambda file: file.stat.mtime_ns, reverse=True)
        self._report = replace(self._report, unchanged=len(found.files) - len(changed))
        return _Plan(known, tuple(changed), tuple(removed), tuple(found.skipped), anew)

    def _remove(self, plan: _Plan) -> None:
        self._gone_hashes = {plan.known[path][1] for path in plan.removed}
        if plan.removed:
            with self._writer.transaction():
                self._writer.remove_notes(plan.removed)
        self._report = replace(self._report, removed=len(plan.removed))

    def _write(self, plan: _Plan, skipped: list[SkippedNote], meter: Meter) -> None:
        changed = plan.changed
        if not changed:
            return
        topic_of = topics.assign([*plan.known, *(file.path for file in changed)])
        chunker = Chunker(self._embedder, self._tools(), self._chunk_budget)
        meter.stage("index", len(changed))
        done = 0
        committed = False
        for batch in _batches(changed):
            with self._writer.transaction():
                for file in batch:
                    if problem := self._put(file, plan, chunker, topic_of[file.path]):
                        skipped.append(SkippedNote(file.path, problem))
                        self._writer.remove_notes([file.path])
            done += len(batch)
            meter.advance(done)
            if not committed and done >= _FIRST_COMMIT:
                self._catch_up_keywords(Meter(None))
                committed = True

    def _put(self, file: FoundFile, plan: _Plan, chunker: Chunker, topic: str) -> str | None:
        """Write one note; the reason when it cannot be indexed, and then nothing of it was written."""
        try:
            with self._writer.transaction():
                data, stat = read_file(self._vault, file.path, self._settings.scan.max_note_bytes)
                note = parse(file.path, data, stat)
                before = plan.known.get(file.path)
                if before is not None and before[1] == note.content_hash and not plan.anew:
                    self._writer.touch_note(file.path, stat)
                    self._report = replace(self._report, unchanged=self._report.unchanged + 1)
                    return None
                links = tuple(link for link in note.links if not is_attachment(link.target))
                chunks = chunker.chunk(note)
                reused = self._writer.put_note(replace(note, links=links), chunks, topic)
        except VaultError as error:
            return str(error)
        except (StoreError, ModelError, ConfigError, MemoryError):
            raise
        except Exception as error:
            # Whatever one note brings about, the others are indexed.
            return f"it cannot be indexed ({type(error).__name__}); please report it with the note"
        self._count(note.content_hash, before is None, len(chunks), reused)
        return None

    def _count(self, content_hash: bytes, new: bool, chunks: int, reused: int) -> None:
        report = self._report
        if new and content_hash in self._gone_hashes:
            self._gone_hashes.discard(content_hash)
            report = replace(report, renamed=report.renamed + 1, removed=report.removed - 1)
        elif new:
            report = replace(report, added=report.added + 1)
        else:
            report = replace(report, changed=report.changed + 1)
        self._report = replace(report, chunks=report.chunks + chunks, reused=report.reused + reused)

    def _rearrange_topics(self) -> None:
        """Move notes whose topic follows from folders that grew or shrank."""
        known = self._writer.known_files()
        wanted = topics.assign(known)
        moved = {path: topic for path, topic in wanted.items() if known[path][2] != topic}
        if moved:
            with self._writer.transaction():
                self._writer.move_topics(moved)

    # -------------------------------------------------------------------------------- links and entities

    def _resolve_links(self) -> None:
        """Decide anew where every link leads; only what differs is written."""
        index = LinkIndex(self._writer.names())
        differing = []
        for note, position, source, target, resolved in self._writer.links():
            path = index.resolve(target, source)
            leads_to = note_id(path) if path is not None else None
            if leads_to != resolved:
                differing.append((note, position, leads_to))
        with self._writer.transaction():
            self._writer.resolve_links(differing)

    def _find_entities(self) -> None:
        """Look for the vault's names in new passages, and for new names in old passages."""
        names, matched = self._writer.vault_names(), self._writer.matched_names()
        added, lost = names - matched, matched - names
        # A name that differs only in case from one that is lost takes its place.
        gone = {(name.label, name.text.casefold()) for name in lost}
        added |= {name for name in names if (name.label, name.text.casefold()) in gone}
        fresh = self._writer.entity_queue()
        if not (fresh or added or lost):
            return
        matcher = NameMatcher(self._tools(), names)
        if added:
            # Which old passages hold one of a few names is seen faster than they are matched.
            words = [name.text.casefold() for name in added] if len(added) <= _FEW_NAMES else None
            known = set(fresh)
            self._match(matcher, [c for c in self._writer.text_chunks() if c not in known], words)
        self._match(matcher, fresh, None)
        with self._writer.transaction():
            self._writer.set_matched_names(added, lost)

    def _match(self, matcher: NameMatcher, chunks: Sequence[int], words: Sequence[str] | None) -> None:
        tools = self._tools()
        for start in range(0, len(chunks), _ENTITY_PAGE):
            texts = self._writer.texts(chunks[start : start + _ENTITY_PAGE])
            if words is not None:
                texts = [(c, text) for c, text in texts if any(word in text.casefold() for word in words)]
            with self._writer.transaction():
                for chunk, text in texts:
                    found = [*matcher.find(text), *tools.names(text, tools.language(text))]
                    self._writer.put_entities(chunk, found)

    # ---------------------------------------------------------------------------- keywords and vectors

    def _catch_up_keywords(self, meter: Meter) -> None:
        """Apply to the keyword index what the database says it lacks; rebuild it when it lost something."""
        applied, identity = self._keywords.applied, self._writer.identity()
        behind = applied < int(self._writer.meta("keywords_applied") or 0)
        ahead = applied > self._writer.last_sequence()
        if behind or ahead or (applied and self._keywords.source != identity):
            # One of the two was deleted, restored or replaced: it lacks what the outbox no longer holds,
            # or holds what the database never said.
            self._keywords.clear()
            applied = 0
            with self._writer.transaction():
                self._writer.refill_outbox()
        while page := self._writer.outbox(applied, _OUTBOX_PAGE):
            meter.stage("keywords", len(page))
            last = {chunk: operation for _, operation, chunk in page}
            existed = {chunk for _, operation, chunk in page if operation != "add"}
            alive = [chunk for chunk, operation in last.items() if operation != "delete"]
            fields = self._writer.keyword_fields(alive)
            self._keywords.apply([c for c in last if c in existed], fields, page[-1][0], identity)
            applied = page[-1][0]
            with self._writer.transaction():
                self._writer.trim_outbox(applied)
            meter.advance(len(page))

    def _embed(self, meter: Meter) -> None:
        """Work off the embedding queue, newest notes first."""
        waiting = self._writer.queued()
        if not waiting:
            return
        meter.stage("model", 0)
        self._embedder.embed_query("ready")  # loading is not part of the rate that is shown
        meter.stage("embed", waiting)
        embedded = 0
        while slab := self._writer.queue(_EMBED_SLAB):
            texts: dict[bytes, str] = {}
            for _, digest, headings, text in slab:
                texts.setdefault(digest, embed_text(headings, text))
            vectors = self._embedder.embed_passages(list(texts.values()))
            with self._writer.transaction():
                self._writer.store_vectors(list(texts), vectors, [row[0] for row in slab])
            embedded += len(texts)
            meter.advance(waiting - self._writer.queued())
        with self._writer.transaction():
            self._writer.next_generation()
        self._report = replace(self._report, embedded=embedded)


def _folders_above(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _batches(files: Sequence[FoundFile]) -> Iterator[list[FoundFile]]:
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
