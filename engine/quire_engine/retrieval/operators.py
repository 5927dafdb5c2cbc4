"""The syntax of a question: ``tag:``, ``path:``, ``since:``, ``before:``, ``-word`` and ``"phrase"``.

Whatever cannot be meant as an operator stays a word: addresses, times, unknown keys, dashes, values that are
no date. Quotes and exclusions also stand in sentences, where they mean something else:

- A question is a sentence when it ends with a question mark, begins with a question word, or has more than
  six words besides operators and quotes. There, quotes are emphasis, a signal and not a condition, and an
  exclusion counts only among the operators that begin or end the question.
- In anything else, which is a handful of search words, a quoted phrase is required and ``-word`` excludes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from quire_engine.moments import FORMS, moment
from quire_engine.records import Filters
from quire_engine.retrieval.question_words import begins_as_question
from quire_engine.retrieval.wording import folded_words, is_unspaced, telling_words, units

_FEW_WORDS = 6
_MOST = 50
"""Operators of one kind that are obeyed."""
_QUOTES = str.maketrans("“”„«»「」『』", '"' * 9)
_SYNONYMS = {"tags": "tag", "in": "path", "folder": "path", "file": "path", "after": "since"}
"""What other applications call them."""
_NAMES = "|".join(("tag", "path", "since", "before", *_SYNONYMS))
_OPERATOR = re.compile(
    rf"""
    (?<!\S)(?:(?P<key>{_NAMES}):|(?P<minus>-))"(?P<quoted>[^"]{{1,300}})"(?!\w)
    | (?<![A-Za-z0-9\u00c0-\u024f"])"(?P<phrase>[^\s"](?:[^"]{{0,300}}[^\s"])?)"(?![A-Za-z0-9\u00c0-\u024f])
    | (?<!\S)(?P<word_key>{_NAMES}):(?P<value>[^\s"]{{1,300}})(?!\S)
    | (?<!\S)-(?P<word>[^\s"]{{1,100}})(?!\S)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_ENDING = "?!.,;:…？！。，；؟،।"
_CLOSING = f"{_ENDING})]}}"
_QUESTION_MARKS = "?？؟;"
_UP_TO_LAST_WORD = re.compile(r".*\w", re.DOTALL)
_WILD = re.compile(r"[*?\[\]#/\\]+")


@dataclass(frozen=True, slots=True)
class Parsed:
    """A question without its operators."""

    text: str
    """The words that are left; those of required phrases among them."""
    phrases: tuple[str, ...] = ()
    """Everything in quotes, required (then among the filters, too) or not."""
    filters: Filters = field(default_factory=Filters)
    notes: tuple[str, ...] = ()
    """What was not understood as meant, in words for the user."""


@dataclass(slots=True)
class _Found:
    """What has been parsed so far."""

    kept: list[str] = field(default_factory=list)
    """What stays in the text."""
    values: list[str] = field(default_factory=list)
    """Words of the operators' values, searched when there are no others."""
    tags: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    since: list[float] = field(default_factory=list)
    before: list[float] = field(default_factory=list)
    phrases: list[str] = field(default_factory=list)
    required: list[str] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def filters(self) -> Filters:
        def few(values: list[str]) -> tuple[str, ...]:
            return tuple(dict.fromkeys(values))[:_MOST]

        return Filters(
            tags=few(self.tags),
            since=max(self.since, default=None),
            before=min(self.before, default=None),
            paths=few(self.paths),
            phrases=few(self.required),
            excluded=few(self.excluded),
        )


def parse(text: str, now: float | None = None) -> Parsed:
    """Take the operators out of ``text``; ages count back from ``now`` (Unix seconds).

    Never raises, and never leaves nothing of a text that has words: a tag or a folder alone is also searched
    as words, and of anything else that would leave none, all are.
    """
    text = " ".join(text.split())
    if '"' not in (plain := text.translate(_QUOTES)) and ":" not in text and "-" not in text:
        return Parsed(text)
    marks = [mark for mark in _OPERATOR.finditer(plain) if not mark["word"] or _may_exclude(mark["word"])]
    gaps = _gaps(plain, marks)
    sentence = is_sentence(" ".join(gaps))
    leading, trailing = _ends(gaps)
    found = _Found()
    position = 0
    for number, mark in enumerate(marks):
        found.kept.append(text[position : mark.start()])
        position = mark.end()
        at_an_end = not sentence or number < leading or number >= trailing
        if not _take(found, mark, sentence, at_an_end, now):
            found.kept.append(text[mark.start() : mark.end()])
    found.kept.append(text[position:])
    left = _joined(found.kept)
    phrases, notes = tuple(dict.fromkeys(found.phrases))[:_MOST], tuple(found.notes[:_MOST])
    if not folded_words(left):
        left = " ".join(found.values)
    if not folded_words(left):  # nothing but exclusions and dates
        if folded_words(text) and found.filters() != Filters():
            notes = (
                *notes,
                "nothing is left to search for without the operators, so their words are searched",
            )
        return Parsed(text, phrases, found.filters(), notes)
    return Parsed(left, phrases, found.filters(), notes)


def is_sentence(text: str) -> bool:
    """Whether ``text`` is a question in words, and not a handful of search words."""
    worded = _UP_TO_LAST_WORD.match(text)
    ending = text[worded.end() :] if worded else text
    if any(mark in ending for mark in _QUESTION_MARKS) or begins_as_question(text):
        return True
    # Two characters of a script without spaces make about a word.
    return sum(0.5 if is_unspaced(unit) else 1.0 for unit in units(folded_words(text))) > _FEW_WORDS


def _gaps(text: str, marks: list[re.Match[str]]) -> list[str]:
    """What stands before the first operator, between two, and after the last."""
    if not marks:
        return [text]
    between = (text[one.end() : other.start()] for one, other in pairwise(marks))
    return [text[: marks[0].start()], *between, text[marks[-1].end() :]]


def _ends(gaps: list[str]) -> tuple[int, int]:
    """How many operators begin the text, and from which on they end it: no word stands between those."""
    worded = [number for number, gap in enumerate(gaps) if folded_words(gap)]
    return (worded[0], worded[-1]) if worded else (len(gaps), 0)


def _take(found: _Found, mark: re.Match[str], sentence: bool, at_an_end: bool, now: float | None) -> bool:
    """Obey an operator; false when it is to stay in the text as it stands."""
    if phrase := mark["phrase"]:
        if not folded_words(phrase):
            return False
        found.phrases.append(phrase)
        if sentence or not telling_words(phrase):  # stop words are not indexed, and cannot be required
            return False
        found.required.append(phrase)
        found.kept.append(f" {phrase} ")
        return True
    if key := mark["key"] or mark["word_key"]:
        value = mark["quoted"] or mark["value"].rstrip(_ENDING)
        key = _SYNONYMS.get(key.lower(), key.lower())
        return _KEYS[key](found, value.strip(), now)
    if quoted := mark["quoted"]:
        if not at_an_end or not telling_words(quoted):
            return False
        found.excluded.append(quoted.strip())
        return True
    word = mark["word"].rstrip(_CLOSING)
    if ":" in word:
        found.notes.append(f"{_shown(mark)} is searched as words: only words and phrases can be excluded")
        return False
    if not at_an_end:
        return False
    found.excluded.append(word)
    return True


def _may_exclude(word: str) -> bool:
    """Whether ``-word`` is meant to exclude: letters, also around hyphens; one, or digits, make an option.

    An excluded operator is, too, although it cannot be obeyed.
    """
    if ":" in word and word.partition(":")[0].lower() in (*_KEYS, *_SYNONYMS):
        return True
    word = word.rstrip(_CLOSING)
    return len(word) > (not is_unspaced(word[:1] or " ")) and all(
        part and all(unicodedata.category(char)[0] in "LM" for char in part)
        for part in re.split(r"[-'’]", word)
    )


def _tag(found: _Found, value: str, now: float | None) -> bool:
    return _named(found, found.tags, value.lstrip("#").strip("/"))


def _path(found: _Found, value: str, now: float | None) -> bool:
    return _named(found, found.paths, value)


def _named(found: _Found, values: list[str], value: str) -> bool:
    if not folded_words(value):
        return False
    values.append(value)
    found.values.append(" ".join(_WILD.sub(" ", value).split()))
    return True


def _since(found: _Found, value: str, now: float | None) -> bool:
    return _dated(found, found.since, "since", value, now)


def _before(found: _Found, value: str, now: float | None) -> bool:
    return _dated(found, found.before, "before", value, now)


def _dated(found: _Found, moments: list[float], key: str, value: str, now: float | None) -> bool:
    try:
        moments.append(moment(value, now))
    except ValueError:
        found.notes.append(f"{f'{key}:{value}'[:40]!r} is searched as words: {FORMS}")
        return False
    return True


_KEYS: dict[str, Callable[[_Found, str, float | None], bool]] = {
    "tag": _tag,
    "path": _path,
    "since": _since,
    "before": _before,
}


def _shown(mark: re.Match[str]) -> str:
    return repr(mark[0][:40])


def _joined(pieces: list[str]) -> str:
    return " ".join("".join(pieces).split())
