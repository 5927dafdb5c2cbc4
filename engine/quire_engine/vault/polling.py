"""Finding changes without notifications: what a folder holds now, compared with what it held before."""

from __future__ import annotations

import time
from collections.abc import Callable

from quire_engine.errors import QuireError
from quire_engine.records import FileStat
from quire_engine.vault.scanner import ScanResult

_RACE = 2.0
"""A file written so many seconds before a look may have been written again under the same time stamp."""


class Poll:
    """Looks at a vault again and again."""

    def __init__(self, scan: Callable[[], ScanResult]) -> None:
        self._scan = scan
        self._files: dict[str, FileStat] = {}
        self._others: object = None
        self._looked = 0.0
        self._failed = False

    def changed(self) -> frozenset[str] | None:
        """Paths of the notes that may have changed since the last call; ``None`` when any may have.

        That is so at the first call, and when it is no note that has changed but a link, or what cannot be
        read. A vault that cannot be read at all is told once, as ``None``, and again when it can.
        """
        now = time.time()
        try:
            found = self._scan()
        except QuireError:
            self._others = None
            failed_before, self._failed = self._failed, True
            return frozenset() if failed_before else None
        self._failed = False
        before, others = self._files, self._others
        self._files = {file.path: file.stat for file in found.files}
        self._others = found.linked, found.skipped
        paths = {path for path, _ in before.items() ^ self._files.items()}
        # Once more what had just been written at the last look; a clock of another machine may be wrong.
        paths |= {path for path, stat in before.items() if abs(stat.mtime_ns / 1e9 - self._looked) < _RACE}
        self._looked = now
        return frozenset(paths) if self._others == others else None
