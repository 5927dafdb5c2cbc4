"""Topics: which part of the vault a note belongs to, by its folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

ROOT = "."
"""The topic of notes that lie in no folder."""
_DOMINANT = 0.5
_LARGE = 500
_DEEPEST = 4


def assign(paths: Iterable[str]) -> dict[str, str]:
    """A topic for each path: its top-level folder; one level deeper inside a folder that dominates.

    A folder dominates when it holds over half of the vault and at least 500 notes. Depends on nothing
    but the set of paths.
    """
    notes = {path: path.split("/")[:-1] for path in paths}
    depth = dict.fromkeys(notes, 1)
    for level in range(1, _DEEPEST):
        counts = Counter(
            tuple(folders[:level])
            for path, folders in notes.items()
            if depth[path] == level and len(folders) >= level
        )
        dominant = {f for f, n in counts.items() if n >= _LARGE and n > _DOMINANT * len(notes)}
        if not dominant:
            break
        for path, folders in notes.items():
            if depth[path] == level and tuple(folders[:level]) in dominant:
                depth[path] = level + 1
    return {path: "/".join(folders[: depth[path]]) or ROOT for path, folders in notes.items()}
