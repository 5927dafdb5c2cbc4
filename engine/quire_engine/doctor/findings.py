"""What an examination comes to, and what a repair did."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from quire_engine.doctor.ownership import refused
from quire_engine.errors import QuireError

ProgressReport = Callable[[str, int, int], None]
"""Called with what is being done, how far it is, and of how much; 0 of 0 when that is unknown."""


class Remedy(StrEnum):
    """What can be mended without asking, in the order in which it is done."""

    PERMISSIONS = "permissions"
    """Folders and files become the user's alone."""
    DATABASE = "database"
    """The database is put aside, made anew from the notes, and given the embeddings that can be read."""
    INDICES = "indices"
    """SQLite's own indices are made anew from their tables."""
    ROWS = "rows"
    """Rows that refer to nothing are removed."""
    NOTES = "notes"
    """Notes of which the index holds something else than the file does, or not all, are read again."""
    EMBEDDINGS = "embeddings"
    """Embeddings that are wrong are forgotten, and their passages embedded again."""
    VECTORS = "vectors"
    """The vector table is made anew from the embeddings."""
    KEYWORDS = "keywords"
    """The keyword index is made anew from the database."""
    LEFTOVERS = "leftovers"
    """Files that nothing uses any more are removed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What the examination of one part came to."""

    name: str
    ok: bool
    detail: str
    advice: str = ""
    """What to do; may come with a part that is sound but could be better."""
    remedy: Remedy | None = None
    """What `repair` does about it; ``None`` when that is left to a person."""


@dataclass(frozen=True, slots=True)
class Repair:
    """What was done about the findings with one remedy."""

    remedy: Remedy
    ok: bool
    detail: str
    """What was done, or why it could not be."""


def guarded(name: str, examine: Callable[[], Finding]) -> Finding:
    """What ``examine`` finds; whatever it raises is a finding too, since any library may be broken here."""
    try:
        return examine()
    except Exception as error:
        return failed(name, error)


def failed(name: str, error: Exception) -> Finding:
    """The finding that an examination could not be made."""
    if isinstance(error, QuireError):
        return Finding(name, False, str(error))
    if isinstance(error, PermissionError) and isinstance(error.filename, (str, bytes)):
        return Finding(name, False, *refused(Path(os.fsdecode(error.filename))))
    detail = " ".join(f"{type(error).__name__}: {error}".split())
    if isinstance(error, OSError) and error.errno is not None:
        return Finding(name, False, detail, "check the disk, and the permissions of what is there")
    return Finding(name, False, detail, "reinstall Quire: pip install --force-reinstall quire")
