"""Watchdog's observer for Linux, made to say when it may have missed something.

By itself it keeps silent when the kernel's queue overflowed and when a folder could not be watched.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from watchdog.observers.api import BaseObserver
from watchdog.observers.inotify import InotifyEmitter, InotifyWatchGroup
from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyEvent,
    InotifyFD,
    Mask,
    WatchCallback,
    WatchDescriptor,
)
from watchdog.observers.inotify_move_event_grouper import InotifyMoveEventGrouper

_NO_WATCH = WatchDescriptor(-1)


class InotifyObserver(BaseObserver):
    """Tells of a folder and all below it but hidden folders, in which there are no notes."""

    def __init__(self, lost: Callable[[], None]) -> None:
        """``lost`` is called, in any thread, when events were lost or a folder cannot be watched.

        Raises `OSError` when the system has no more instances of inotify to give.
        """
        self.descriptor = _Descriptor()
        super().__init__(_Emitter, inotify_fd=self.descriptor, lost=lost)
        self.descriptor.start()

    def on_thread_stop(self) -> None:
        super().on_thread_stop()
        self.descriptor.stop()
        self.descriptor.join()

    @property
    def reading(self) -> bool:
        """Whether the kernel's queue is read."""
        return self.descriptor.is_alive()

    @property
    def complete(self) -> bool:
        """Whether all folders are watched that can be read."""
        return not any(emitter.unwatched for emitter in self.emitters if isinstance(emitter, _Emitter))


class _Descriptor(InotifyFD):
    def _add_callback(
        self, path: bytes, mask: Mask, callback: WatchCallback, id_: CallbackId
    ) -> WatchDescriptor:
        watch = self._get_or_create_watch(path, mask)
        if watch.wd == _NO_WATCH:
            self._remove_watch(watch.wd)
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        watch.callbacks[id_] = callback  # again for a folder that was moved, of which watchdog would warn
        return watch.wd


class _Grouper(InotifyMoveEventGrouper):
    delay = 0.05
    """Seconds for which a move out of the vault holds back what comes after it; half a second by default."""


@dataclass
class _Group(InotifyWatchGroup):
    lost: Callable[[], None] = field(default=lambda: None)
    unwatched: set[bytes] = field(default_factory=set, init=False)
    _unreadable: set[bytes] = field(default_factory=set, init=False)
    _move_event_grouper: InotifyMoveEventGrouper = field(default_factory=_Grouper, init=False)

    def on_queue_overflow(self) -> None:
        super().on_queue_overflow()  # watches every folder anew
        self.lost()

    def on_event(self, event: InotifyEvent) -> None:
        if event.is_attrib and self._unreadable:
            with self._lock:
                path = self._build_event_source_path(event)
                if path in self._unreadable:  # its permissions may have changed
                    self._unreadable.discard(path)
                    self._add_all_callbacks(path)
        super().on_event(event)

    def _add_callback(self, path: bytes) -> None:
        if b"/." in path[len(self.path) :]:
            return
        super()._add_callback(path)
        if path in self._active_callbacks_by_path or not Path(os.fsdecode(path)).is_dir():
            self.unwatched.discard(path)
        elif not os.access(path, os.R_OK, effective_ids=True):
            self._unreadable.add(path)
        else:
            self.unwatched.add(path)
            if len(self.unwatched) == 1:
                self.lost()


class _Emitter(InotifyEmitter):
    def __init__(self, *arguments: Any, lost: Callable[[], None], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._lost = lost

    def on_thread_start(self) -> None:
        self._inotify = _Group(
            self._inotify_fd,
            os.fsencode(self.watch.path),
            is_recursive=self.watch.is_recursive,
            event_mask=self.get_event_mask_from_filter(),
            lost=self._lost,
        )

    @property
    def unwatched(self) -> bool:
        return isinstance(self._inotify, _Group) and bool(self._inotify.unwatched)
