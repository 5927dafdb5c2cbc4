"""Two texts, line by line."""

from __future__ import annotations

from difflib import unified_diff

_AROUND = 2


def text_difference(then: str, now: str) -> tuple[str, ...]:
    """The lines of a unified diff, without those that name files; none where the texts are the same."""
    old, new = (text.split("\n") if text else [] for text in (then, now))
    return tuple(unified_diff(old, new, n=_AROUND, lineterm=""))[2:]
