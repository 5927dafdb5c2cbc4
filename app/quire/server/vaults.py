"""The vaults that are open: each with its engine, and a thread that keeps its index up to date."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from quire import contract
from quire.contract import Json
from quire_engine import Engine, Settings, locations
from quire_engine.errors import IndexLockedError, QuireError, StoreError
from quire_engine.records import SyncProgress, SyncReport
from quire_engine.settings import EngineSettings

log = logging.getLogger(__name__)

_MOST_OPEN = 8
_SLICE = 0.1
"""Seconds between two looks at how far a sync is, while a question waits for it."""
_FEW = 256
_FEW_SECONDS = 10.0
"""A first question waits so long for the vectors of so few chunks; for those of more it does not wait."""
_VECTORS = 1.6
"""Seconds that any question has for the vectors of an edit; `Engine.settle` knows how few are worth it."""
_LONGEST = 30.0
"""Seconds that any question waits for the index."""
_LEAVING = 1.0
"""Seconds for closing everything when the process ends."""


class WatchEnded(StoreError):
    """The vault's folder, or its index, is not the one that was opened; it can be opened anew."""


class OpenVault:
    """An engine that is kept ready, and the thread that watches its vault."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        """Raises what `Engine.open` raises."""
        self.folder = folder
        self.engine = Engine.open(folder, settings)
        self.users = 0
        self.last_used = time.monotonic()
        self.trouble: QuireError | None = None
        """Why the index is not kept up to date; ``None`` when it is."""
        self._progress: SyncProgress | None = None
        self._settled = False
        self._first_look = 0.0
        self._place = _place(folder)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"watch {folder.name}", daemon=True)
        self._thread.start()

    @property
    def usable(self) -> bool:
        """Whether the next question may go here: the watch lives, vault and index are where they were."""
        return self._thread.is_alive() and _place(self.folder) == self._place

    @property
    def reading(self) -> SyncProgress | None:
        """How many notes are read, in a sync that has read some and not all."""
        progress = self._progress
        if progress is None or progress.stage != "index" or not 0 < progress.done < progress.total:
            return None
        return progress

    @property
    def working(self) -> bool:
        """Whether there is work that should be finished before the process leaves."""
        if self.trouble is not None or not self._thread.is_alive():
            return False
        try:
            return self.engine.pending() > 0 or self.engine.activity() is not None
        except QuireError as error:
            log.warning("%s: %s", self.folder, error)
            return False

    def freshen(self, patience: float, cancelled: threading.Event) -> Generator[SyncProgress, None, bool]:
        """Wait until what was changed before this call is indexed; returns False when that takes too long.

        That is ``patience`` seconds while notes are being read, of which the newest can be found already.
        Whoever has infinite patience waits for everything: a look at the whole vault, another process that is
        writing, and all vectors. Yields how far the sync is. Raises `WatchEnded`, or the `QuireError` that
        keeps the index from being updated.
        """
        begun = time.monotonic()
        endless = math.isinf(patience)
        told, thorough = self._progress, endless
        while not (self.engine.settle(_SLICE, thorough=thorough) and (endless or self._may_answer())):
            thorough = False  # it is under way
            waited = time.monotonic() - begun
            if cancelled.is_set():
                return False
            if not endless and (waited > _LONGEST or (waited > patience and self.reading)):
                return False
            self._require_watch(endless)
            if (progress := self._progress) is not None and progress is not told:
                yield progress
                told = progress
            time.sleep(_SLICE / 5)  # settle returns at once while the watch is not ready
        if self.engine.pending():
            self.engine.settle(_VECTORS)  # what it says is about changes that came after the question
        while endless and self.engine.pending() and not cancelled.is_set():
            self._require_watch(endless)
            if (progress := self.engine.activity()) is not None and progress != told:
                yield progress
                told = progress
            time.sleep(_SLICE)
        return not cancelled.is_set()

    def _require_watch(self, patient: bool) -> None:
        """Raise what keeps the index from being updated; another process that writes may be waited for."""
        if not self.usable:
            raise WatchEnded(str(self.trouble or "the vault is not watched any more; ask again"))
        if self.trouble is not None and not (patient and isinstance(self.trouble, IndexLockedError)):
            raise self.trouble

    def _may_answer(self) -> bool:
        """Whether the first question may be answered: a few vectors are worth waiting for the model."""
        if self._settled:
            return True
        self._first_look = self._first_look or time.monotonic()
        few = 0 < self.engine.pending() <= _FEW
        self._settled = not few or time.monotonic() - self._first_look > _FEW_SECONDS
        return self._settled

    def close(self) -> None:
        """End the watch, then release files and models; waits for as long as what is under way takes."""
        self._stop.set()
        self._thread.join()
        self.engine.close()

    def report(self) -> Json:
        """What ``quire engine status`` says about the vault."""
        try:
            status = self.engine.status()
        except QuireError as error:
            return {"vault": str(self.folder), "problem": str(error)}
        return {
            "vault": status.vault,
            "notes": status.notes,
            "chunks": status.chunks,
            "vectors": status.vectors,
            "pending": status.pending,
            "generation": status.generation,
            "indexing": contract.progress(status.indexing) if status.indexing else None,
            "embedding": contract.progress(status.embedding) if status.embedding else None,
            "problem": str(self.trouble) if self.trouble else None,
        }

    def _watch(self) -> None:
        try:
            self.engine.watch(self._stop, self._synced, self._progressed, self._troubled)
        except QuireError as error:
            self._troubled(error)
        except Exception as error:
            log.exception("the watch of %s ended", self.folder)
            self.trouble = StoreError(
                f"the vault cannot be watched: {type(error).__name__}: {error}; see 'quire engine logs'"
            )

    def _synced(self, report: SyncReport) -> None:
        self.trouble = None
        log.info(
            "%s: %d notes added, %d changed, %d removed, %d chunks embedded, %d pending in %.2f s",
            *(self.folder, report.added, report.changed, report.removed),
            *(report.embedded, report.pending, report.seconds),
        )

    def _progressed(self, progress: SyncProgress) -> None:
        self._progress = progress

    def _troubled(self, error: QuireError) -> None:
        self.trouble = error
        log.warning("%s: %s", self.folder, error)


class OpenVaults:
    """The vaults by folder and settings, opened when they are first asked about."""

    def __init__(self) -> None:
        self._open: dict[tuple[Path, str], OpenVault] = {}
        self._opening: dict[tuple[Path, str], threading.Lock] = {}
        self._lock = threading.Lock()
        self.last_used = time.monotonic()
        self.idle_minutes = EngineSettings().idle_minutes
        """As the last question's settings say."""

    @contextmanager
    def use(self, folder: Path, settings: Settings) -> Iterator[OpenVault]:
        """The open vault, kept open at least as long as the block runs. Raises what `Engine.open` raises."""
        self.idle_minutes = settings.engine.idle_minutes
        vault = self._vault(folder.resolve(), settings)
        try:
            yield vault
        except StoreError:
            self._retire(vault)  # the next question opens it anew
            raise
        finally:
            with self._lock:
                vault.users -= 1
                vault.last_used = self.last_used = time.monotonic()

    def _vault(self, folder: Path, settings: Settings) -> OpenVault:
        # How the vault was named, when to leave and --offline make no difference to what is kept open.
        others = settings.model_copy(update={"vault": None, "offline": False, "engine": EngineSettings()})
        key = (folder, repr(others))
        with self._lock:
            opening = self._opening.setdefault(key, threading.Lock())
        with opening:
            with self._lock:
                vault = self._open.get(key)
                if vault is not None and vault.usable:
                    vault.users += 1
                    return vault
            if vault is not None:
                self._retire(vault)
            fresh = OpenVault(folder, settings)
            log.info("opened %s", folder)
            with self._lock:
                fresh.users += 1
                self._open[key] = fresh
        self.close_unused()
        return fresh

    def close_unused(self) -> None:
        """Close vaults that nobody has asked about for long, and the oldest when too many are open."""
        idle_since = time.monotonic() - self.idle_minutes * 60
        with self._lock:
            surplus = len(self._open) - _MOST_OPEN
            unused = sorted(
                (vault for vault in self._open.values() if not vault.users),
                key=lambda vault: vault.last_used,
            )
        for vault in unused:
            if (surplus > 0 or vault.last_used < idle_since) and not vault.working:
                self._retire(vault)
                surplus -= 1

    def _retire(self, vault: OpenVault) -> None:
        """Take the vault out of use, and close it when the last of its questions is answered."""
        with self._lock:
            for key, each in list(self._open.items()):
                if each is vault:
                    del self._open[key]
                    break
            else:
                return

        def close() -> None:
            while vault.users:
                time.sleep(_SLICE)
            vault.close()
            log.info("closed %s", vault.folder)

        threading.Thread(target=close, name="closing", daemon=True).start()

    def all(self) -> list[OpenVault]:
        """The vaults that are open now."""
        with self._lock:
            return list(self._open.values())

    def close(self) -> None:
        """Close all of them, at the end of the process; one that is in the middle of something is left so.

        Nothing is lost by that: an index is whole after every step, and goes on from there the next time.
        """
        closing = [threading.Thread(target=vault.close, daemon=True) for vault in self.all()]
        for thread in closing:
            thread.start()
        deadline = time.monotonic() + _LEAVING
        for thread in closing:
            thread.join(max(0.0, deadline - time.monotonic()))


def _place(vault: Path) -> tuple[tuple[int, int], ...]:
    """What tells a vault and its index from others that take their places; nothing when one is gone."""
    try:
        statuses = [folder.stat() for folder in (vault, locations.index_dir(vault))]
    except OSError:
        return ()
    return tuple((status.st_dev, status.st_ino) for status in statuses)
