"""Text from notes made harmless: nothing in it commands a terminal or passes for something else.

Markup is no matter of this module: what comes from notes is shown as `Content`, which is never parsed.
"""

from __future__ import annotations

import re

# C0 and DEL, C1, line separators, bidirectional overrides and isolates, lone surrogates, unseen tag letters.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\U000e0000-\U000e007f]"
)
_SPACING = re.compile(r"[\t\n]")


def inert_lines(text: str) -> str:
    """``text`` with every character that a terminal might obey replaced by ``�``, one for one.

    Line feeds and tabs stay.
    """
    return _UNSAFE.sub("�", text)


def inert(text: str) -> str:
    """As `inert_lines`, on one line: line feeds and tabs become spaces, one for one."""
    return _SPACING.sub(" ", inert_lines(text))


def squeezed(text: str, most: int) -> str:
    """``text`` inert, white space collapsed, at most ``most`` characters: an ellipsis stands for the rest."""
    words = " ".join(inert(text).split())
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"
