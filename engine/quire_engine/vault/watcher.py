"""Tells which of a vault's notes have changed, once the burst of changes is over."""

from __future__ import annotations

import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from quire_engine.errors import VaultError
from quire_engine.vault.mounts import Mount, mounts_of
from quire_engine.vault.polling import Poll
from quire_engine.vault.scanner import IGNORE_FILE, ScanResult, is_note, scan

if TYPE_CHECKING:
    from watchdog.events import FileSystemEvent

    from quire_engine.vault.notifications import Notifications

log = logging.getLogger(__name__)

_LONGEST_BURST = 2.0
_SETTLED, _UNSETTLED = 0.03, 0.3
"""Seconds of quiet that end a burst: of files that were closed, or of some that may still be written."""
_MANY = 500
"""Changed files from which one look at the whole vault is cheaper."""
_CHECK_SECONDS = 1.0
"""How often to see whether the vault is where it was and its changes are notified."""
_POLL_SECONDS, _POLL_SHARE = 2.0, 10
"""How often to look at a vault that is polled, at most, and how much longer to rest than a look takes."""
_RETRY_SECONDS = 60.0
"""How often to try to be notified where that failed."""
_PATIENCE = 5.0
"""Seconds that the end of a thread is waited for, which a drive that is gone may hold up."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What has changed."""

    paths: tuple[str, ...] | None
    """Files, relative to the vault, sorted; ``None`` when anything may have changed."""
    sequence: int
    """The events that these changes cover."""


@dataclass(frozen=True, slots=True)
class _Place:
    """What tells a vault's folder, and what is mounted in it, from others that take their place."""

    device: int
    inode: int
    mounts: tuple[Mount, ...]

    @property
    def remote(self) -> bool:
        return any(mount.remote for mount in self.mounts)


class ChangeWatcher:
    """Watches a vault's notes while it is entered as a context; hidden files and folders do not count.

    Uses the system's notifications. Where they do not tell everything (network drives, more folders than the
    system allows to be watched), it also looks at the vault every 2 seconds, or more rarely where a look
    takes long. Whenever something may have been missed, since events were lost or the folder was gone,
    anything may have changed.
    """

    def __init__(
        self,
        vault: Path,
        scan_vault: Callable[[], ScanResult] | None = None,
        links: Callable[[], Collection[str]] = tuple,
    ) -> None:
        """``scan_vault`` looks at the vault, ``links`` gives the paths of known symbolic links in it."""
        self._vault = Path(os.path.realpath(vault))
        self._links = links
        self._changed = threading.Condition()
        self._first_event: float | None = None
        self._last_event = 0.0
        self._paths: set[str] | None = set()
        self._unsettled: set[str] = set()
        """Files that were written to and not closed, as far as is known, or are gone and may come back."""
        self._sequence = 0
        self._hurried = False
        self._notifications: Notifications | None = None
        self._poll = Poll(scan_vault or (lambda: scan(self._vault)))
        self._next_poll = self._next_try = 0.0
        self._place: _Place | None = None
        """Where notifications come from; ``None`` when the folder is gone."""
        self._ended = False
        self._wake = threading.Event()
        self._lookout = threading.Thread(target=self._look_out, name="quire-lookout", daemon=True)
        self.polling = False
        """Whether the folder is looked at now and then, since not everything is notified."""

    def __enter__(self) -> Self:
        """Raises `VaultError` when the vault is not there."""
        place = self._found()
        if place is None:
            raise VaultError(f"cannot watch {self._vault}: it is not a folder")
        self._start(place)
        self._place = place
        self.polling = place.remote or self._lacking
        self._lookout.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        self._wake.set()
        self._lookout.join(_PATIENCE)

    @property
    def sequence(self) -> int:
        """How many events there have been."""
        with self._changed:
            return self._sequence

    @property
    def in_place(self) -> bool:
        """Whether the vault's folder is the one that is watched."""
        found = self._found()
        return found is not None and found == self._place

    def hurry(self) -> None:
        """End the burst that goes on now, if there is one; a `wait` returns what it has."""
        with self._changed:
            if self._first_event is not None:
                self._hurried = True
                self._changed.notify_all()

    def suspect(self) -> int:
        """Tell the next `wait` that anything may have changed; returns the sequence that this gets."""
        with self._changed:
            self._note(None)
            self._hurried = True
            return self._sequence

    def wait(self, timeout: float) -> Changes | None:
        """What changed, once it has settled; ``None`` when nothing did for ``timeout`` seconds.

        Changes have settled a moment after the last file was closed, or when nothing has happened for a
        third of a second; a burst that does not end is reported after 2 seconds. What had not settled when
        the time was up is reported by the next call.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                now = time.monotonic()
                ready = deadline
                if self._first_event is not None:
                    quiet = _UNSETTLED if self._unsettled else _SETTLED
                    ready = min(self._last_event + quiet, self._first_event + _LONGEST_BURST)
                    if now >= ready or self._hurried:
                        return self._taken()
                if now >= deadline:
                    return None
                self._changed.wait(min(ready, deadline) - now)

    def _taken(self) -> Changes:
        paths = tuple(sorted(self._paths)) if self._paths is not None else None
        self._first_event = None
        self._paths = set()
        self._unsettled.clear()
        self._hurried = False
        return Changes(paths, self._sequence)

    # ------------------------------------------------------------------------------------------- events

    def _notice(self, event: FileSystemEvent) -> None:
        """Something was told to have happened."""
        with self._changed:
            for named, settled in ((event.src_path, False), (event.dest_path, True)):
                path = os.path.relpath(os.fsdecode(named), self._vault) if named else ""
                if not path or _is_hidden(path):
                    continue
                if event.is_directory or path == IGNORE_FILE or self._is_link(path):
                    self._note(None)
                elif is_note(path):
                    self._note([path])
                    if settled or event.event_type == "closed":
                        self._unsettled.discard(path)
                    elif event.event_type != "attrib":
                        self._unsettled.add(path)

    def _is_link(self, path: str) -> bool:
        """Whether a file that is no note by its name is, or was, a link: perhaps to a folder."""
        return not is_note(path) and (path in self._links() or (self._vault / path).is_symlink())

    def _note(self, paths: Iterable[str] | None) -> None:
        """Remember that files, or any, may have changed; the lock is held."""
        self._sequence += 1
        self._last_event = time.monotonic()
        if self._first_event is None:
            self._first_event = self._last_event
        if paths is None:
            self._paths = None
        elif self._paths is not None:
            self._paths.update(paths)
            if len(self._paths) > _MANY:
                self._paths = None
        self._changed.notify_all()

    def _lost(self) -> None:
        """Something was missed; also called by the threads that notify."""
        log.info("%s: changes were missed, all of it is looked at", self._vault)
        self.suspect()
        self._wake.set()

    # ------------------------------------------------------------------------------------------ lookout

    def _look_out(self) -> None:
        """See to it that changes are notified or looked for, whatever happens; in a thread of its own."""
        try:
            while not self._ended:
                try:
                    self._check()
                except Exception:
                    log.exception("%s: the watch met what it did not expect", self._vault)
                self._wake.wait(_CHECK_SECONDS)
                self._wake.clear()
        finally:
            self._stop()

    def _check(self) -> None:
        place, now = self._found(), time.monotonic()
        dead = self._notifications is not None and not self._notifications.alive
        if place != self._place or (dead and place is not None) or (self._lacking and now >= self._next_try):
            self._stop()
            self._start(place)
            self.suspect()
            self._place = place  # not before: whoever asks meanwhile must not rely on what was seen elsewhere
        self.polling = place is not None and (place.remote or self._lacking)
        if self.polling and now >= self._next_poll:
            self._look()

    @property
    def _lacking(self) -> bool:
        """Whether changes in the vault, which is there, are not or not all notified."""
        return self._place is not None and (self._notifications is None or not self._notifications.complete)

    def _found(self) -> _Place | None:
        try:
            status = self._vault.stat()
        except OSError:
            return None
        if not stat.S_ISDIR(status.st_mode):
            return None
        return _Place(status.st_dev, status.st_ino, mounts_of(str(self._vault)))

    def _start(self, place: _Place | None) -> None:
        """Be notified of what happens in the vault, which was found at ``place``."""
        from quire_engine.vault.notifications import Notifications

        self._next_try = time.monotonic() + _RETRY_SECONDS
        if place is None or self._ended:
            return
        try:
            self._notifications = Notifications(str(self._vault), self._notice, self._lost)
        except (OSError, RuntimeError) as error:
            reason = error.strerror if isinstance(error, OSError) else type(error).__name__
            log.info("%s: changes are not notified (%s), it is looked at", self._vault, reason)

    def _stop(self) -> None:
        if self._notifications is not None:
            self._notifications.stop()
            self._notifications = None

    def _look(self) -> None:
        begun = time.monotonic()
        paths = self._poll.changed()
        ended = time.monotonic()
        self._next_poll = ended + max(_POLL_SECONDS, _POLL_SHARE * (ended - begun))
        if paths is None or paths:
            with self._changed:
                self._note(paths)


def _is_hidden(path: str) -> bool:
    return path != IGNORE_FILE and any(part.startswith(".") and part != "." for part in Path(path).parts)
