"""The engine's log: one file that does not grow without end, and holds no text of questions or notes."""

from __future__ import annotations

import logging
import os
from logging.handlers import RotatingFileHandler
from pathlib import Path

from quire_engine import locations

_BYTES = 2**20
_KEPT = 3


def begin(key: str) -> Path:
    """Log to the file from now on, and return it. Raises `OSError` when it cannot be written."""
    file = locations.engine_log(key)
    locations.private_dir(file.parent)
    # Names of folders need not be UTF-8.
    handler = _Log(file, maxBytes=_BYTES, backupCount=_KEPT, encoding="utf-8", errors="backslashreplace")
    file.chmod(0o600)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("quire").setLevel(logging.INFO)
    return file


def take_stdio() -> None:
    """Let the log have what libraries write to stdout and stderr."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, _Log):
            handler.take_stdio()


class _Log(RotatingFileHandler):
    """Keeps stdout and stderr on the current file, once it has them."""

    _has_stdio = False

    def take_stdio(self) -> None:
        self._has_stdio = True
        assert self.stream is not None, "open since the handler was made"
        for descriptor in (1, 2):
            os.dup2(self.stream.fileno(), descriptor)

    def doRollover(self) -> None:
        super().doRollover()
        if self._has_stdio:
            self.take_stdio()
