"""Paths of notes as a search names them: by how they begin, or by a glob."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fnmatch import translate
from functools import lru_cache

from quire_engine.analysis import fold

_WILD = re.compile(r"[*?\[]")


def path_test(patterns: Sequence[str]) -> Callable[[str], bool]:
    """What tells whether a path fits any of ``patterns``, from the vault's root or from any folder on.

    Without wildcards a pattern is how the path begins; with ``*``, ``?`` or ``[]`` it is all of the path,
    ``*`` standing for any characters, ``/`` among them. Case and accents do not count.
    """
    begins: list[str] = []
    globs: list[re.Pattern[str]] = []
    for pattern in patterns:
        folded = fold(pattern.replace("\\", "/")).removeprefix("./").lstrip("/")
        if _WILD.search(folded):
            globs.append(re.compile(translate(f"*/{folded}")))
        else:
            begins.append(f"/{folded}")

    def fits(path: str) -> bool:
        folded = _folded(path)
        return any(begin in folded for begin in begins) or any(glob.match(folded) for glob in globs)

    return fits


@lru_cache(maxsize=50_000)
def _folded(path: str) -> str:
    """Remembered, as every question with a path looks at every note's."""
    return f"/{fold(path)}"
