"""How long a computation takes, learned from those before it."""

from __future__ import annotations

import threading

_WEIGHT = 0.3
"""Of the newest measurement; a machine is busy at times."""
_HOPE = 0.95
"""What is expected after a refusal, of what was expected before: else one slow run would refuse for ever."""


class Pace:
    """Seconds for a token, as an exponentially weighted mean; for several threads."""

    def __init__(self) -> None:
        self._seconds: float | None = None
        self._lock = threading.Lock()

    def fits(self, tokens: int, seconds: float) -> bool:
        """Whether ``tokens`` are expected to be computed in time; the first ones are tried."""
        with self._lock:
            if self._seconds is None or self._seconds * tokens <= seconds:
                return True
            self._seconds *= _HOPE
            return False

    def record(self, tokens: float, seconds: float) -> None:
        """``tokens`` took so long."""
        if tokens <= 0:
            return
        with self._lock:
            newest = seconds / tokens
            known = newest if self._seconds is None else self._seconds
            self._seconds = known + _WEIGHT * (newest - known)
