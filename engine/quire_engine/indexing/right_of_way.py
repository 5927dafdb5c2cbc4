"""Questions go first: what works in the background waits while one is answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import TypeVar

_PATIENCE = 0.5
"""Seconds that background work waits at most: it must come to its end as well."""


_Step = TypeVar("_Step")


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

    def over(self, steps: Iterator[_Step]) -> Iterator[_Step]:
        """``steps`` of an answer; entered from the first until they end or the iterator is closed."""
        with self:
            yield from steps

    def give_way(self) -> None:
        """Wait until no question is being answered, for a while."""
        deadline = time.monotonic() + _PATIENCE
        with self._changed:
            while self._questions and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)
