"""Questions for one of several things ("the second one", "the other"), in English: which is meant."""

from __future__ import annotations

import re
from collections.abc import Sequence

from quire_engine.conversations.syntax import unended
from quire_engine.conversations.topics import names, topic_of
from quire_engine.conversations.turns import base_of, told_names, topical
from quire_engine.records import Turn

_ORDINAL = re.compile(
    r"\bthe (first|second|third|fourth|fifth|sixth|last|former|latter)(?: ones?)?"
    r"(?=\s*(?:[?.!,]|$|(?:is|was|are|were|do|does|did|has|have|had|can|could|will|would|"
    r"should|in|on|at|of them|cost|"
    r"costs|mean|means|about|say|says)\b))"
    r"|\bthe (first|second|third|fourth|fifth|sixth|last) one\b|\bnumber (one|two|three|four|five|six)\b",
    re.IGNORECASE,
)
_PLACES = {
    "first": 0, "former": 0, "one": 0, "second": 1, "two": 1, "third": 2, "three": 2, "fourth": 3, "four": 3,
    "fifth": 4, "five": 4, "sixth": 5, "six": 5, "last": -1, "latter": -1,
}  # fmt: skip
_OTHERS = re.compile(
    r"\b(?:the )?others?(?: ones?)?(?=\s*(?:[?.!,]|$|(?:is|was|are|were|do|does|did|in|on|at)\b))", re.I
)
_ITEM = re.compile(r"^[ \t]*+(?:[-*•+]|\d{1,9}[.)])[ \t]++(.+)$", re.MULTILINE)
_LONGEST_ITEM = 80


def chosen(text: str, turns: Sequence[Turn]) -> str:
    """``text`` with "the second one" or "the other" as the item of the former answer that is meant."""
    turn, base = turns[-1], base_of(topical(turns)[-1])
    listed = _items(turn)
    if match := _ORDINAL.search(text):
        word = next(group for group in match.groups() if group).lower()
        place = _PLACES[word]
        if not -len(listed) <= place < len(listed):
            topic = topic_of(base)
            return f"{text[: match.end()]} ({topic.text}){text[match.end() :]}" if topic else text
        return text[: match.start()] + listed[place] + text[match.end() :]
    if match := _OTHERS.search(text):
        than = f" than {told[0]}" if (told := told_names(turn)) else ""
        return f"{text[: match.end()]}{than} ({unended(base)}){text[match.end() :]}"
    return text


def _items(turn: Turn) -> list[str]:
    """What the former answer lists: its items, else its names, else the names in the question."""
    if len(listed := _ITEM.findall(turn.text)) > 1:
        return [" ".join(item.split())[:_LONGEST_ITEM].strip(" .;,") for item in listed]
    for told in (told_names(turn) if turn.citations else [], [name.text for name in names(base_of(turn))]):
        if len(told) > 1:
            return told
    return []
