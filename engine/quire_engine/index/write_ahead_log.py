"""Keeps a database's write-ahead log from growing while somebody reads at every moment."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import apsw

LONG = 128 * 2**20
"""Bytes. SQLite begins the log anew at about half of it, as long as there are moments without readers."""
_PATIENCE = 1000
"""Milliseconds to wait for readers: a search takes some tens of them."""


class WriteAheadLog:
    """The log of the one connection that writes."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._db = connection
        self._longest = LONG

    def shorten(self) -> None:
        """Write a long log to the database and empty it; to be called after a transaction.

        SQLite's own checkpoints wait for nobody, and cannot empty a log that somebody looks into. This one
        lets those who read finish. Where one does not, or the disk has no room, it is tried again when the
        log is twice as long: what was written is safe in it.
        """
        if self._db.in_transaction:
            return
        length = self._length()
        if length < LONG:
            self._longest = LONG
        if length < self._longest:
            return
        before = self._db.pragma("busy_timeout")
        self._db.set_busy_timeout(_PATIENCE)
        self._longest = 2 * length
        try:
            with suppress(apsw.Error):
                self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
                self._longest = LONG
        finally:
            self._db.set_busy_timeout(before)

    def _length(self) -> int:
        try:
            return Path(self._db.filename_wal).stat().st_size
        except OSError:
            return 0
