"""Tells which of a vault's notes have changed, once the burst of changes is over."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from quire_engine.errors import VaultError
from quire_engine.vault.scanner import IGNORE_FILE, is_note

if TYPE_CHECKING:
    from watchdog.events import FileSystemEvent, FileSystemEventHandler
    from watchdog.observers.api import BaseObserver

_LONGEST_BURST = 2.0
_SETTLED, _UNSETTLED = 0.03, 0.3
"""Seconds of quiet that end a burst: of files that were closed, or of some that may still be written."""
_MANY = 500
"""Changed files from which one look at the whole vault is cheaper."""
_FINISHED = ("closed", "deleted", "moved")
_POLL_SECONDS = 2.0
_UNREMARKABLE = ("opened", "closed_no_write")


@dataclass(frozen=True, slots=True)
class Changes:
    """What has changed."""

    paths: tuple[str, ...] | None
    """Files, relative to the vault, sorted; ``None`` when anything may have changed."""
    sequence: int
    """The events that these changes cover."""


class ChangeWatcher:
    """Watches a vault's notes while it is entered as a context; hidden files and folders do not count.

    Uses the system's notifications, or, where these cannot be had (too many watches), looks every 2 seconds.
    """

    def __init__(self, vault: Path) -> None:
        self._vault = Path(os.path.realpath(vault))
        self._changed = threading.Condition()
        self._first_event: float | None = None
        self._last_event = 0.0
        self._paths: set[str] | None = set()
        self._writing: set[str] = set()
        """Files that were written to and, as far as is known, not closed."""
        self._sequence = 0
        self._hurried = False
        self._observer: BaseObserver | None = None
        self.polling = False
        """Whether the folder is looked at now and then instead of notifying."""

    def __enter__(self) -> Self:
        """Raises `VaultError` when the vault cannot be watched at all."""
        from watchdog.observers import Observer
        from watchdog.observers.polling import PollingObserver

        if not self._vault.is_dir():
            raise VaultError(f"cannot watch {self._vault}: it is not a folder")
        try:
            self._observer = self._start(Observer())
        except OSError:
            self.polling = True
            try:
                self._observer = self._start(PollingObserver(timeout=_POLL_SECONDS))
            except OSError as error:
                raise VaultError(f"cannot watch {self._vault}: {error.strerror}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
            self._observer = None

    @property
    def sequence(self) -> int:
        """How many events there have been."""
        with self._changed:
            return self._sequence

    def hurry(self) -> None:
        """End the burst that goes on now, if there is one; a `wait` returns what it has."""
        with self._changed:
            if self._first_event is not None:
                self._hurried = True
                self._changed.notify_all()

    def suspect(self) -> int:
        """Tell the next `wait` that anything may have changed; returns the sequence that this gets."""
        with self._changed:
            self._sequence += 1
            self._paths = None
            self._last_event = time.monotonic()
            if self._first_event is None:
                self._first_event = self._last_event
            self._hurried = True
            self._changed.notify_all()
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
                    quiet = _UNSETTLED if self._writing else _SETTLED
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
        self._writing.clear()
        self._hurried = False
        return Changes(paths, self._sequence)

    def _start(self, observer: BaseObserver) -> BaseObserver:
        observer.schedule(self._handler(), str(self._vault), recursive=True)
        try:
            observer.start()
        except OSError:
            observer.unschedule_all()
            raise
        return observer

    def _handler(self) -> FileSystemEventHandler:
        from watchdog.events import FileSystemEventHandler

        notice = self._notice

        class Handler(FileSystemEventHandler):
            def on_any_event(self, event: FileSystemEvent) -> None:
                notice(event)

        return Handler()

    def _notice(self, event: FileSystemEvent) -> None:
        if event.event_type in _UNREMARKABLE or (event.is_directory and event.event_type == "modified"):
            return
        named = [os.fsdecode(path) for path in (event.src_path, event.dest_path) if path]
        paths = [path for path in named if self._counts(path, event.is_directory)]
        if not paths:
            return
        with self._changed:
            self._sequence += 1
            self._last_event = time.monotonic()
            if self._first_event is None:
                self._first_event = self._last_event
            for path in paths:
                relative = os.path.relpath(path, self._vault)
                self._remember(relative, whole=event.is_directory or relative == IGNORE_FILE)
                if event.event_type in _FINISHED:
                    self._writing.discard(relative)
                elif not event.is_directory:
                    self._writing.add(relative)
            self._changed.notify_all()

    def _remember(self, path: str, *, whole: bool) -> None:
        if self._paths is None:
            return
        self._paths.add(path)
        if whole or len(self._paths) > _MANY:
            self._paths = None

    def _counts(self, path: str, is_folder: bool) -> bool:
        relative = os.path.relpath(path, self._vault)
        if relative == IGNORE_FILE:
            return True
        if any(part.startswith(".") for part in Path(relative).parts):
            return False
        return is_folder or is_note(relative)
