"""Whether model files are whole: their SHA-256, remembered until the file changes, and their headers."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import struct
import tempfile
from pathlib import Path

from quire_engine import locations
from quire_engine.errors import ModelError

_Memory = dict[str, dict[str, object]]


def sha256_of(path: Path, *, fresh: bool = False) -> str:
    """The file's SHA-256 in hexadecimal; ``fresh`` reads it even when its digest is remembered.

    A digest counts as long as the file keeps its size, modification time and inode. Raises `ModelError`
    when the file cannot be read.
    """
    try:
        key = str(path.resolve())
        state = _state(path)
        if not fresh:
            known = _remembered().get(key, {})
            digest = known.get("sha256")
            if isinstance(digest, str) and known == {**state, "sha256": digest}:
                return digest
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if _state(path) == state:
            _remember(key, {**state, "sha256": digest})
    except OSError as error:
        raise ModelError(f"cannot read the model file {path}: {error.strerror or error}") from error
    return digest


def check_safetensors(file: Path) -> None:
    """Raise `ModelError` unless the header is whole and the tensors fill the file to its end.

    Format: https://huggingface.co/docs/safetensors
    """
    try:
        with file.open("rb") as weights:
            (length,) = struct.unpack("<Q", weights.read(8))
            size = file.stat().st_size
            header = json.loads(weights.read(length)) if length <= size else {}
        ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
        whole = 8 + length + max(ends) == size
    except OSError as error:
        raise ModelError(f"cannot read the model file {file}: {error.strerror or error}") from error
    except (struct.error, ValueError, LookupError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise ModelError(f"{file} is damaged or cut short; get the model again")


def _state(path: Path) -> dict[str, object]:
    stat = path.stat()
    return {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "inode": stat.st_ino}


def _memory_file() -> Path:
    return locations.cache_dir() / "checksums.json"


def _remembered() -> _Memory:
    """What is remembered; a file that is missing or damaged remembers nothing."""
    try:
        found = json.loads(_memory_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {path: entry for path, entry in found.items() if isinstance(entry, dict)}


def _remember(key: str, entry: dict[str, object]) -> None:
    """Best effort: without the memory the file is merely read again."""
    memory = {path: known for path, known in _remembered().items() if Path(path).exists()}
    memory[key] = entry
    with contextlib.suppress(OSError):
        folder = locations.private_dir(_memory_file().parent)
        handle, name = tempfile.mkstemp(dir=folder, prefix=".checksums-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(memory, file, indent=1)
            Path(name).replace(_memory_file())
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
