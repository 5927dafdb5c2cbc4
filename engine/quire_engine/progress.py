"""How far a sync is: measured, told to a callback, and left where other processes can read it."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from quire_engine.interfaces import ProgressCallback
from quire_engine.privacy import private
from quire_engine.records import SyncProgress

_BOARD = "progress.json"
_POST_SECONDS = 0.5
_STALE_SECONDS = 120.0


class Meter:
    """Turns counts into `SyncProgress` with a rate and the time left, for a callback if there is one."""

    def __init__(self, callback: ProgressCallback | None) -> None:
        self._callback = callback
        self._stage: Any = "scan"
        self._total = 0
        self._begun = self._created = time.monotonic()

    def without(self, stage: str) -> Meter:
        """A meter that tells the same callback, but nothing of ``stage``."""
        callback = self._callback
        if callback is None:
            return self
        return Meter(lambda reading: callback(reading) if reading.stage != stage else None)

    @property
    def seconds(self) -> float:
        """Since the meter was made."""
        return time.monotonic() - self._created

    def stage(self, stage: str, total: int) -> None:
        """Begin a stage of ``total`` units; 0 when that is unknown."""
        self._stage, self._total, self._begun = stage, total, time.monotonic()
        self.advance(0)

    def total(self, total: int) -> None:
        """Correct how many units the stage has."""
        self._total = total

    def advance(self, done: int) -> None:
        """Report that ``done`` units of the stage are finished."""
        if self._callback is None:
            return
        elapsed = time.monotonic() - self._begun
        rate = done / elapsed if done and elapsed > 0 else 0.0
        left = (self._total - done) / rate if rate and self._total else None
        self._callback(SyncProgress(self._stage, done, self._total, rate, left))


class ProgressBoard:
    """Shows other processes how far this one is with an index, through a file in the index's folder."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / _BOARD
        self._posted = 0.0
        self._ours = False

    def post(self, progress: SyncProgress) -> None:
        """Show ``progress``, now and then. A full disk is no reason to fail."""
        now = time.monotonic()
        if now - self._posted < _POST_SECONDS:
            return
        self._posted = now
        word = json.dumps({"pid": os.getpid(), **asdict(progress)})
        with suppress(OSError):
            scratch = self._file.with_name(f".{_BOARD}-{os.getpid()}")
            with open(scratch, "w", encoding="utf-8", opener=private) as file:
                file.write(word)
            scratch.replace(self._file)
            self._ours = True

    def clear(self) -> None:
        """The work is done."""
        if self._ours:
            self._file.unlink(missing_ok=True)
            self._ours = False
        self._posted = 0.0


def posted(folder: Path) -> SyncProgress | None:
    """What a process that works on the index in ``folder`` shows; ``None`` when none does."""
    file = folder / _BOARD
    try:
        if time.time() - file.stat().st_mtime > _STALE_SECONDS:
            return None
        shown = json.loads(file.read_text(encoding="utf-8"))
        os.kill(int(shown.pop("pid")), 0)
        return SyncProgress(**shown)
    except (OSError, ValueError, KeyError, TypeError):
        return None
