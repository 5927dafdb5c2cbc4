"""Turns counts into `SyncProgress` with a rate and the time left."""

from __future__ import annotations

import time
from typing import Any

from quire_engine.interfaces import ProgressCallback
from quire_engine.records import SyncProgress


class Meter:
    """Reports to a callback, if there is one."""

    def __init__(self, callback: ProgressCallback | None) -> None:
        self._callback = callback
        self._stage: Any = "scan"
        self._total = 0
        self._begun = 0.0

    def stage(self, stage: str, total: int) -> None:
        """Begin a stage of ``total`` units; 0 when that is unknown."""
        self._stage, self._total, self._begun = stage, total, time.monotonic()
        self.advance(0)

    def advance(self, done: int) -> None:
        """Report that ``done`` units of the stage are finished."""
        if self._callback is None:
            return
        elapsed = time.monotonic() - self._begun
        rate = done / elapsed if done and elapsed > 0 else 0.0
        left = (self._total - done) / rate if rate and self._total else None
        self._callback(SyncProgress(self._stage, done, self._total, rate, left))
