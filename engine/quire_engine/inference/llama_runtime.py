"""llama.cpp: its binding, made quiet, how a computation is stopped, and what it needs of the machine."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
from collections import deque
from pathlib import Path
from typing import Any

from quire_engine.errors import ModelError
from quire_engine.inference.gguf_header import GGUFHeader

BATCH = 512
"""The most tokens that are computed at once."""

_LOG: deque[str] = deque(maxlen=50)
_log_callback: Any = None


def open_binding() -> Any:
    """llama-cpp-python, made quiet: messages go to a log and nothing touches the standard streams.

    Raises `ModelError` when it is not installed or cannot be loaded.
    """
    global _log_callback
    try:
        import llama_cpp
    except ImportError as error:
        raise ModelError(
            "llama-cpp-python is not installed; run: pip install 'quire[llama]', or answer without a model"
        ) from error
    except (OSError, RuntimeError) as error:
        raise ModelError(
            f"llama-cpp-python cannot be loaded ({one_line(str(error))}); "
            "run: pip install --force-reinstall llama-cpp-python"
        ) from error
    if _log_callback is None:
        # It would point file descriptors 1 and 2 of the whole process at /dev/null while a model loads.
        for module in (llama_cpp.llama, llama_cpp._internals):
            if hasattr(module, "suppress_stdout_stderr"):
                module.suppress_stdout_stderr = lambda disable=True: contextlib.nullcontext()
        _log_callback = llama_cpp.llama_log_callback(_keep_log)
        llama_cpp.llama_backend_init()
    llama_cpp.llama_log_set(_log_callback, ctypes.c_void_p(0))
    return llama_cpp


def forget_log() -> None:
    """Begin an empty log, for what comes next."""
    _LOG.clear()


def cannot_load(path: Path, error: str = "") -> ModelError:
    """The error for a model that llama.cpp has just refused: its log says why, or else ``error`` does."""
    reason = next((line for line in reversed(_LOG) if "error" in line.lower()), error)
    lack = ("alloc" in reason) or ("memory" in reason) or ("llama_context" in error)
    advice = (
        "there is not enough memory: lower answer.context_tokens or choose a smaller model"
        if lack
        else "download it again, or update llama-cpp-python if the model is newer than it"
    )
    return ModelError(f"cannot load {path} ({one_line(reason)}); {advice}")


def _keep_log(level: int, text: bytes, data: object) -> None:
    _LOG.append(text.decode("utf-8", errors="replace"))


class AbortFlag:
    """Stops llama.cpp in the middle of a computation, which then returns 2. Safe to set from any thread.

    llama.cpp asks before every operation, several hundred times a token, and takes a C function. It gets
    ``strlen``, over a text that is empty until the flag is set: a function of Python's would have to wait for
    the interpreter's lock each time, and beside a busy thread make a token take half as long again.
    """

    def __init__(self) -> None:
        self._text = ctypes.create_string_buffer(2)
        self._function = ctypes.CDLL("msvcrt" if os.name == "nt" else None).strlen

    def attach(self, binding: Any, context: Any) -> None:
        """Have the computations of a llama.cpp context ask this flag, which must outlive it."""
        asked = ctypes.cast(self._function, binding.ggml_abort_callback)
        binding.llama_set_abort_callback(context, asked, ctypes.cast(self._text, ctypes.c_void_p))

    def set(self) -> None:
        self._text[0] = b"x"

    def clear(self) -> None:
        self._text[0] = b"\0"

    def is_set(self) -> bool:
        return self._text[0] != b"\0"


def require_memory(name: str, header: GGUFHeader, window: int) -> None:
    """Raise `ModelError` unless the model, with a window of so many tokens, fits into what memory is free."""
    needed = header.bytes + header.kv_bytes * window + 4 * header.vocabulary * BATCH
    available = _available_memory()
    if needed > available:
        raise ModelError(
            f"{name} needs about {needed / 1e9:.1f} GB of memory and {available / 1e9:.1f} GB are free; "
            "close other programs, lower answer.context_tokens or choose a smaller model"
        )


def _available_memory() -> float:
    """Bytes that can be used without swapping; infinite where the system does not say."""
    limits: list[float] = []
    with contextlib.suppress(OSError, ValueError):
        limits.append(int(Path("/sys/fs/cgroup/memory.max").read_text("ascii")))
    with contextlib.suppress(OSError, ValueError, AttributeError):
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with contextlib.suppress(OSError):
        found = re.search(
            r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text("ascii"), re.MULTILINE
        )
        if found:
            limits.append(int(found[1]) * 1024)
    return min(limits, default=float("inf"))


def cores() -> int:
    """How many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1


def one_line(text: str) -> str:
    """``text`` for an error message: on one line, printable, not long."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:200]
