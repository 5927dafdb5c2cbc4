"""Tells when a vault's notes have changed, and the burst of changes is over."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from quire_engine.errors import VaultError
from quire_engine.vault.scanner import IGNORE_FILE, is_note

if TYPE_CHECKING:
    from watchdog.events import FileSystemEvent, FileSystemEventHandler
    from watchdog.observers.api import BaseObserver

_LONGEST_BURST = 2.0
_POLL_SECONDS = 2.0
_UNREMARKABLE = ("opened", "closed_no_write")


class ChangeWatcher:
    """Watches a vault's notes while it is entered as a context; hidden files and folders do not count.

    Uses the system's notifications, or, where these cannot be had (too many watches), looks every 2 seconds.
    """

    def __init__(self, vault: Path) -> None:
        self._vault = Path(os.path.realpath(vault))
        self._changed = threading.Condition()
        self._first_event: float | None = None
        self._last_event = 0.0
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

    def wait(self, timeout: float, settle: float = 0.3) -> bool:
        """True once notes have changed and nothing has for ``settle`` seconds; False after ``timeout``.

        A burst that does not end is reported after 2 seconds. A change that had not settled when the time
        was up is reported by the next call.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                now = time.monotonic()
                ready = deadline
                if self._first_event is not None:
                    ready = min(self._last_event + settle, self._first_event + _LONGEST_BURST)
                    if now >= ready:
                        self._first_event = None
                        return True
                if now >= deadline:
                    return False
                self._changed.wait(min(ready, deadline) - now)

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
        paths = [os.fsdecode(path) for path in (event.src_path, event.dest_path) if path]
        if not any(self._counts(path, event.is_directory) for path in paths):
            return
        with self._changed:
            self._last_event = time.monotonic()
            if self._first_event is None:
                self._first_event = self._last_event
            self._changed.notify_all()

    def _counts(self, path: str, is_folder: bool) -> bool:
        relative = os.path.relpath(path, self._vault)
        if relative == IGNORE_FILE:
            return True
        if any(part.startswith(".") for part in Path(relative).parts):
            return False
        return is_folder or is_note(relative)
