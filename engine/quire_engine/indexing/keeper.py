"""Keeps an index right while notes change: structure at once, vectors behind, names last."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from quire_engine.errors import DamagedIndexError, QuireError
from quire_engine.indexing.desk import Interrupted
from quire_engine.indexing.embedding import Embedding
from quire_engine.indexing.indexer import Indexer
from quire_engine.progress import Meter
from quire_engine.records import SyncReport
from quire_engine.vault.watcher import Changes, ChangeWatcher

log = logging.getLogger(__name__)

_TICK = 0.5
_RETRY = 2.0
_WAIT = 2.0
"""Seconds that a watching process waits for another writer before it says so."""
_LOOK_AGAIN, _LOOK_AGAIN_POLLING = 60.0, 0.5
"""Seconds after which a question does not rely on events alone, which may get lost, or come late."""
_FEW = 64
"""Chunks whose vectors are worth waiting for."""
_PATIENCE = 1.5
"""Seconds that they are waited for."""


class Keeper:
    """One vault's watch. `run` is its thread; the other methods are for those who ask meanwhile."""

    def __init__(
        self, vault: Path, indexer: Indexer, embedding: Embedding, synced_by: Callable[[], object]
    ) -> None:
        """``synced_by`` reads from the index whose sync was the last."""
        self._vault = vault
        self._indexer = indexer
        self._embedding = embedding
        self._synced_by = synced_by
        self._watcher = ChangeWatcher(vault, indexer.vault.look_around, lambda: indexer.vault.linked)
        self._progressed = threading.Condition()
        self._indexed = self._embedded = -1
        """The sequence of the watcher's events up to which structure and keywords, or vectors, are right."""
        self._backlog = 0
        """Chunks that waited for their vector after the last sync."""
        self._naming: threading.Thread | None = None
        self._named = False
        """Whether names have been looked for in everything."""
        self._looked = float("-inf")
        """When everything was last looked at."""
        self._suspected = -1
        """The sequence of the last look at everything that a question asked for."""
        self._running = True
        self._troubled = False
        """Whether the last sync failed."""
        self._stuck = False
        """Whether that, or what follows a sync, failed."""
        self._told: str | None = None
        """What ``on_trouble`` was told since ``on_sync`` was called last."""

    def run(
        self,
        stop: threading.Event,
        on_sync: Callable[[SyncReport], None],
        meter: Meter,
        on_trouble: Callable[[QuireError], None],
    ) -> None:
        """Sync, and again whenever files change, until ``stop`` is set; see `Engine.watch`.

        What ``on_trouble`` raises ends it.
        """

        def synced(report: SyncReport) -> None:
            self._told = None  # who is shown that it goes on must hear when it does not
            on_sync(report)

        try:
            with self._watcher:
                changes: Changes | None = Changes(None, self._watcher.sequence)
                while not stop.is_set():
                    try:
                        if changes is not None:
                            self._catch_up(changes, stop, synced, meter)
                        else:
                            self._go_on(SyncReport(), stop, synced, meter)
                        self._stuck = False
                    except Interrupted:
                        pass  # by what comes next
                    except QuireError as error:
                        self._stuck = True
                        # A look at everything mends what can be mended.
                        self._troubled |= isinstance(error, DamagedIndexError)
                        if str(error) != self._told and not stop.is_set():
                            on_trouble(error)
                        self._told = str(error)
                    changes = self._watcher.wait(_RETRY if self._stuck else _TICK)
                    if self._troubled:  # nobody knows what was missed
                        changes = Changes(None, self._watcher.sequence)
        finally:
            with self._progressed:
                self._running = False
                self._progressed.notify_all()

    def settle(self, timeout: float, *, thorough: bool = False) -> bool:
        """Wait until every change that was seen so far is indexed, and embedded where that is soon done.

        With ``thorough`` the whole vault is looked at first, whatever was seen. False when ``timeout``
        seconds were not enough for the index, or it cannot be kept.
        """
        deadline = time.monotonic() + timeout
        if not self._watcher.in_place:
            return False
        asked = self._asked(thorough)
        with self._progressed:
            if not self._wait(lambda: self._indexed >= asked, deadline):
                return False
            if self._backlog <= _FEW and not self._stuck:
                self._wait(lambda: self._embedded >= asked, min(deadline, time.monotonic() + _PATIENCE))
            return True

    def _asked(self, thorough: bool) -> int:
        """The sequence to wait for: of what was seen, or of a look at everything where that is too little."""
        with self._progressed:
            if thorough:
                self._suspected = self._watcher.suspect()
                return self._suspected
            if self._suspected > self._indexed:  # and what came while that look goes on
                return self._watcher.sequence
            age = time.monotonic() - self._looked
            # Another process may have synced by other settings, or forgotten something.
            foreign = self._synced_by() != self._indexer.name
            old = age > (_LOOK_AGAIN_POLLING if self._watcher.polling else _LOOK_AGAIN)
            if self._indexed >= 0 and (foreign or old):  # before, the first look is under way
                self._suspected = self._watcher.suspect()
                return self._suspected
        self._watcher.hurry()
        return self._watcher.sequence

    def _wait(self, reached: Callable[[], bool], deadline: float) -> bool:
        while not reached():
            left = deadline - time.monotonic()
            if left <= 0 or not self._running or self._troubled:
                return False
            self._progressed.wait(min(left, _TICK))
        return True

    def _catch_up(
        self,
        changes: Changes,
        stop: threading.Event,
        on_sync: Callable[[SyncReport], None],
        meter: Meter,
    ) -> None:
        """Structure and keywords; then vectors and names, until files change again."""
        # That it is tried again is no news: whoever was told of the trouble goes on to show that.
        shown = meter.without("scan") if self._troubled else meter
        begun = time.monotonic()
        try:
            report = self._indexer.sync(shown, paths=changes.paths, wait=_WAIT, interrupted=stop.is_set)
        except Interrupted:
            raise
        except QuireError:
            self._troubled = True
            raise
        if self._troubled:  # over; what follows may take long
            on_sync(report)
            report = SyncReport()
        with self._progressed:
            if changes.paths is None:
                self._looked = begun
            self._indexed = changes.sequence
            self._backlog = self._embedding.waiting()
            self._named = self._named and not (report.chunks or report.removed or self._troubled)
            self._troubled = False
            self._progressed.notify_all()
        self._go_on(report, stop, on_sync, meter)

    def _go_on(
        self, report: SyncReport, stop: threading.Event, on_sync: Callable[[SyncReport], None], meter: Meter
    ) -> None:
        """Embed what waits, then look for names, until files change; ``report`` says what came before."""
        sequence, embedded = self._indexed, 0

        def interrupted() -> bool:
            return stop.is_set() or self._watcher.sequence > sequence

        if self._backlog:
            try:
                embedded = self._embedding.run(meter, interrupted, follow=False)
            except QuireError:
                if report != SyncReport():
                    on_sync(replace(report, pending=self._embedding.waiting()))
                raise
            if not interrupted():
                self._backlog = self._embedding.waiting()
        if embedded or report != SyncReport():
            on_sync(replace(report, embedded=embedded, pending=self._backlog))
        if self._backlog:
            return
        with self._progressed:
            self._embedded = sequence
            self._progressed.notify_all()
        if not self._named and not (self._naming and self._naming.is_alive()):
            self._naming = threading.Thread(target=self._find_names, args=(interrupted,), daemon=True)
            self._naming.start()

    def _find_names(self, interrupted: Callable[[], bool]) -> None:
        """In a thread of its own: loading spaCy takes seconds, and an edit must not wait for it."""
        try:
            done = self._indexer.find_names(interrupted)
            self._named = done and not interrupted()
        except Interrupted:
            return
        except Exception as error:  # spaCy's own, too; what is left waits for the next change
            log.warning("names were not looked for: %s", type(error).__name__)  # its text may quote notes
            self._named = True
