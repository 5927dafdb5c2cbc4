"""A drafted question, and what no draft may look like."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Draft:
    """A question with its answer, as a rule drafted it."""

    question: str
    answer: str
    """Stands in ``sentence``; empty where only the place is known."""
    sentence: str
    """Without markup."""
    path: str
    line: int
    """Where the block begins, or the row or property that answers."""
    block: str | None
    """The block's id, where it has one."""
    rule: str
    worth: int
    """2 for a question that stands by itself, 1 for one that needs its note's title or has no answer."""


_LONGEST_QUESTION, _LONGEST_ANSWER = 100, 14
"""Characters, and words."""
_UNFINISHED = frozenset(
    "a an the of to and or with for in der die das ein eine von zu und oder mit für im".split()
)
_JOINING = frozenset("–&")
"""Marks that may stand between the words of a name."""
_POINTING = re.compile(
    r"\b(?:below|above|following|(?:as )?follows|folgende[nrs]?|unten|oben)\b", re.IGNORECASE
)
_PAIRS = (("(", ")"), ("[", "]"), ("{", "}"))


def is_clumsy(draft: Draft) -> bool:
    """Whether ``draft`` reads like something that a rule cut wrongly or that nobody would ask."""
    question, answer = draft.question, draft.answer
    if len(question) > _LONGEST_QUESTION or any(map(_is_symbol, question.rstrip("?").split())):
        return True
    if any(not _is_balanced(text) for text in (question, answer)):
        return True
    if not answer:
        return False
    words = answer.split()
    return (
        not words
        or len(words) > _LONGEST_ANSWER
        or words[-1].casefold() in _UNFINISHED
        or (len(words) > 1 and words[-2] == "to")  # "the cheapest way to say"
        or _POINTING.search(answer) is not None
        or answer.casefold() in question.casefold()
    )  # fmt: skip


def _is_symbol(word: str) -> bool:
    return word.startswith("--") or (word not in _JOINING and not any(map(str.isalnum, word)))


def _is_balanced(text: str) -> bool:
    count = Counter(text)
    return count['"'] % 2 == 0 and all(count[left] == count[right] for left, right in _PAIRS)


def asked_once(drafts: Iterable[Draft]) -> list[Draft]:
    """``drafts`` but for clumsy ones and for questions that several of them ask: which answer is meant?"""
    fair = [draft for draft in drafts if not is_clumsy(draft)]
    times = Counter(draft.question.casefold() for draft in fair)
    return [draft for draft in fair if times[draft.question.casefold()] == 1]
