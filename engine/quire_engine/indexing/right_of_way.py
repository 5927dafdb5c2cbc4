"""Questions go first: what works in the background waits while one is answered."""

from __future__ import annotations

import threading
import time
from types import TracebackType

_PATIENCE = 0.5
"""Seconds that background work waits at most: it must come to its end as well."""


class RightOfWay:
    """Entered, as a context, by each question."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._questions = 0

    def __enter__(self) -> None:
        with self._changed:
            self._questions += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._questions -= 1
            self._changed.notify_all()

    def give_way(self) -> None:
        """Wait until no question is being answered, for a while."""
        deadline = time.monotonic() + _PATIENCE
        with self._changed:
            while self._questions and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)
