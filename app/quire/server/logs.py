"""The engine's log: one file that does not grow without end, and holds no text of questions or notes.

Libraries and exceptions quote what they worked on. So of an exception its type and the way to it are logged,
and of a library's message only where it comes from; what is written to stdout and stderr is dropped. With
QUIRE_DEBUG in the environment in which the engine starts, the log has everything.
"""

from __future__ import annotations

import copy
import faulthandler
import logging
import os
import sys
import threading
import traceback
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from quire_engine import locations
from quire_engine.errors import QuireError
from quire_engine.privacy import private

_BYTES = 2**20
_KEPT = 3
_FORM = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_OWN = ("quire", "quire_engine")

log = logging.getLogger(__name__)


def begin(key: str) -> Path:
    """Log to the file from now on, and return it. Raises `OSError` when it cannot be written."""
    file = locations.engine_log(key)
    locations.private_dir(file.parent)
    whole = bool(os.environ.get("QUIRE_DEBUG"))
    # Names of folders need not be UTF-8.
    handler = _Log(file, maxBytes=_BYTES, backupCount=_KEPT, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(logging.Formatter(_FORM) if whole else Discreet(_FORM))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    for name in _OWN:
        logging.getLogger(name).setLevel(logging.INFO)
    threading.excepthook = _thread_failed
    sys.unraisablehook = _unraisable
    return file


def take_stdio() -> None:
    """Take stdout and stderr from who started the engine; what crashes it leaves its trace in the log."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, _Log):
            handler.take_stdio()


class Discreet(logging.Formatter):
    """Keeps to itself what records may quote: exceptions' texts, and what libraries say."""

    def format(self, record: logging.LogRecord) -> str:
        record = copy.copy(record)  # other handlers have it, too
        record.exc_text = None
        if record.name.partition(".")[0] not in _OWN:
            record.msg, record.args = "a message, from %s:%d", (record.filename, record.lineno)
        elif isinstance(record.args, tuple):
            record.args = tuple(_discreet(value) for value in record.args)
        return super().format(record)

    def formatException(self, ei: Any) -> str:
        """The calls, and the types of the exception and of those that led to it."""
        lines: list[str] = []
        error: BaseException | None = ei[1]
        seen: set[int] = set()
        while error is not None and id(error) not in seen:
            seen.add(id(error))
            kind = type(error)
            trace = "".join(traceback.format_tb(error.__traceback__))
            lines.insert(0, f"{trace}{kind.__module__}.{kind.__qualname__}")
            error = error.__cause__ or error.__context__
        return "\n".join(lines)


def _discreet(value: object) -> object:
    """What may stand in the log for an argument of a message.

    Quire's own errors are written to be read, but those that others led to may repeat what these said. Of the
    system and of SQLite that is known: names of files, and of the index's own tables.
    """
    if not isinstance(value, BaseException):
        return value
    cause = value.__cause__ or value.__context__
    if not isinstance(value, QuireError):
        return type(value).__name__
    if cause is None or isinstance(cause, (QuireError, OSError)) or type(cause).__module__ == "apsw":
        return value
    return f"{type(value).__name__}, because of {type(cause).__name__}"


class _Log(RotatingFileHandler):
    """A file of the user alone."""

    _has_stdio = False

    def _open(self) -> TextIOWrapper:
        os.close(private(self.baseFilename, os.O_CREAT | os.O_WRONLY))
        Path(self.baseFilename).chmod(0o600)  # one that an older Quire has made
        return super()._open()

    def take_stdio(self) -> None:
        self._has_stdio = True
        assert self.stream is not None, "open since the handler was made"
        if os.environ.get("QUIRE_DEBUG"):
            target = os.dup(self.stream.fileno())
        else:
            target = os.open(os.devnull, os.O_WRONLY)
        for descriptor in (1, 2):
            os.dup2(target, descriptor)
        os.close(target)
        faulthandler.enable(self.stream)

    def doRollover(self) -> None:
        super().doRollover()
        if self._has_stdio:
            self.take_stdio()


def _thread_failed(given: threading.ExceptHookArgs) -> None:
    if given.exc_value is not None and not isinstance(given.exc_value, SystemExit):
        name = given.thread.name if given.thread is not None else "?"
        failure = (given.exc_type, given.exc_value, given.exc_traceback)
        log.error("thread %s failed", name, exc_info=failure)


def _unraisable(given: sys.UnraisableHookArgs) -> None:
    if given.exc_value is not None:
        log.error("an error in passing", exc_info=(given.exc_type, given.exc_value, given.exc_traceback))
