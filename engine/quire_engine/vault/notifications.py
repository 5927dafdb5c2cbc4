"""The system's notifications of changes in a folder, and whether they can be relied on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from watchdog import events
from watchdog.events import FileSystemEvent, FileSystemEventHandler

if TYPE_CHECKING:
    from watchdog.observers.api import BaseObserver

    from quire_engine.vault.inotify import InotifyObserver

_TOLD: list[type[FileSystemEvent]] = [
    events.FileCreatedEvent,
    events.FileModifiedEvent,
    events.FileAttribEvent,
    events.FileClosedEvent,
    events.FileDeletedEvent,
    events.FileMovedEvent,
    events.DirCreatedEvent,
    events.DirAttribEvent,
    events.DirDeletedEvent,
    events.DirMovedEvent,
]
"""Not of files that are opened and read: Quire reads them all."""


class Notifications:
    """Tells, in threads of its own, of every change in a folder and below it, from the start to `stop`."""

    def __init__(
        self, folder: str, notice: Callable[[FileSystemEvent], None], lost: Callable[[], None]
    ) -> None:
        """Start; ``lost`` is called when something may have been missed, as far as the system says so.

        Raises `OSError` when the folder cannot be watched.
        """
        self._inotify: InotifyObserver | None = None
        self._observer: BaseObserver
        if sys.platform == "linux":
            from quire_engine.vault.inotify import InotifyObserver

            self._observer = self._inotify = InotifyObserver(lost)
        else:
            from watchdog.observers import Observer

            self._observer = Observer()
        try:
            self._observer.schedule(_Handler(notice), folder, recursive=True, event_filter=_TOLD)
            self._observer.start()
        except BaseException:
            self._observer.stop()
            raise

    @property
    def alive(self) -> bool:
        """Whether anything is told at all: a thread ends, for one, when the folder is deleted."""
        reading = self._inotify is None or self._inotify.reading
        return reading and self._observer.is_alive() and all(e.is_alive() for e in self._observer.emitters)

    @property
    def complete(self) -> bool:
        """Whether every folder is watched; there may be more than the system allows."""
        return self._inotify is None or self._inotify.complete

    def stop(self) -> None:
        self._observer.stop()
        self._observer.join()


class _Handler(FileSystemEventHandler):
    def __init__(self, notice: Callable[[FileSystemEvent], None]) -> None:
        self._notice = notice

    def on_any_event(self, event: FileSystemEvent) -> None:
        self._notice(event)
