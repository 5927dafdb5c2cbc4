"""Which files and folders are left out, by the patterns of a ``.gitignore``.

The patterns in a vault may come from anybody: none of them makes a scan take long.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pathspec import GitIgnoreSpec

_MOST_PATTERNS = 1_000
_LONGEST_PATTERN = 1_000
_MOST_DEEP_WILDCARDS = 2
"""``**`` within a pattern: each of them multiplies the places in a path where the next part is looked for."""
_STARS = re.compile(r"(?:\[\^/\]\*)+")
_NONE_OF = re.compile(r"(?<!\\)\[\^(?!/\])")
# A star, and what follows it up to the next star: characters, escaped ones and classes.
_STAR_AND_PART = re.compile(
    r"\[\^/\]\*((?:(?!\[\^/\]\*)(?:\\.|\[\^?\]?[^\]]*\]|[^/\\\[\]().*+?^$|{}]))+)(?=\[\^/\]\*)"
)


class IgnoreRules:
    """Patterns, of which the last that fits decides."""

    def __init__(self, patterns: Iterable[str]) -> None:
        """Raises `ValueError` for one that is none."""
        spec = GitIgnoreSpec.from_lines(patterns)
        self._rules = [
            (re.compile(_without_retries(pattern.regex.pattern)), pattern.include)
            for pattern in reversed(list(spec.patterns))
            if pattern.include is not None and pattern.regex is not None
        ]

    def leaves_out(self, path: str) -> bool:
        """Whether ``path``, relative to the vault and with a slash at the end of a folder's, is left out."""
        by_folder = None
        for pattern, include in self._rules:
            if match := pattern.search(path):
                if not match.groupdict().get("ps_d"):
                    return include
                # A rule for a folder that it lies in gives way to any for itself.
                by_folder = include if by_folder is None else by_folder
        return bool(by_folder)


def usable_lines(lines: Sequence[str]) -> tuple[list[str], list[str]]:
    """The patterns among the lines of an ignore file, and what is wrong with the other lines."""
    usable: list[str] = []
    wrong: list[str] = []
    for number, line in enumerate(lines[:_MOST_PATTERNS], 1):
        if len(line) > _LONGEST_PATTERN or line.count("**") > _MOST_DEEP_WILDCARDS:
            wrong.append(f"line {number} is too long or has too many ** and is not used")
        elif is_pattern(line):
            usable.append(line)
        else:
            wrong.append(f"line {number} is not a valid pattern and is not used")
    if len(lines) > _MOST_PATTERNS:
        wrong.append(f"only its first {_MOST_PATTERNS:,} lines are used")
    return usable, wrong


def is_pattern(line: str) -> bool:
    """Whether ``line`` is what may stand in a ``.gitignore``."""
    try:
        IgnoreRules([line])
    except (ValueError, re.error):
        return False
    return True


def _without_retries(pattern: str) -> str:
    """``pattern``, an expression of pathspec's, with the first place taken where what follows a star fits.

    Another could only fit where that one does as well, and trying all of them for each of several stars
    takes time that grows with a power of the name's length. As in git, ``[!a]`` is no slash.
    """
    pattern = _STARS.sub("[^/]*", _NONE_OF.sub("[^/", pattern))
    return _STAR_AND_PART.sub(r"(?>[^/]*?\1)", pattern)
