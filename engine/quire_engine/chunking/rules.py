"""Where sentences end, by punctuation, line breaks and script: rules for any language, without a model."""

from __future__ import annotations

import re
from collections.abc import Iterator

from quire_engine.analysis import STOP_WORDS
from quire_engine.language_tables import COMMON_WORDS

_ABBREVIATIONS = frozenset(
    "al approx bzw ca cf co corp dept dr ed eds eg e.g est etc gen gov hr i.e ie inc jr lt ltd mr mrs ms mt "
    "prof rev sen sgt sr st str usw vgl viz vs z.b d.h u.a u.s u.k".split()
)
_BEFORE_NUMBERS = frozenset("art ch fig figs no nos nr op p pp ref refs vol".split())
"""Abbreviations only where a number follows, as in "No. 5"; "He said no." ends."""
_MONTHS = frozenset(
    "januar februar märz april mai juni juli august september oktober november dezember".split()
)
_UNMARKED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
_CLOSE = r"[\"'”’»)\]}」』）】*_~=]*+(?:\[\^[^\]\s]{1,40}\])*+"
_FULL_STOP = "。．！？｡।॥؟۔։።"


def _boundary(stops: str, gap: str) -> str:
    # It begins with one class of characters, so that the search runs from one of them to the next.
    return (
        rf"[\n{stops}](?:"
        r"(?<=\n)\s*+"
        rf"|(?<=[.!?…])(?<![.!?…]{{2}})(?P<stops>[.!?…]*+)(?P<close>{_CLOSE}){gap}"
        rf"|(?<=[{_FULL_STOP}])[{_FULL_STOP}]*+{_CLOSE}\s*+)"
    )


_COMMAS = frozenset("，、；：,;:")
# A stop without white space after it (example.com, 3.5) ends nothing. Where all is ASCII it is no match;
# elsewhere the footnote after it could hold a full stop, which must not be read then.
_ASCII = re.compile(_boundary(".!?", r"\s++"))
_ANY = re.compile(_boundary(rf".!?…{_FULL_STOP}", r"\s*+"))
_UNSPACED = re.compile(rf"{_ANY.pattern}|(?<=[{_UNMARKED}])(?P<space>[ \t]+)(?=[{_UNMARKED}])")
_HAS_UNMARKED = re.compile(f"[{_UNMARKED}]")
_NEXT_WORD = re.compile(r"\w{1,20}")
_LAST_WORD = re.compile(r"[^\W_][\w.]*$")
_LINK = re.compile(
    # one with words, in which an image may stand; [[a note]]; <an address>
    r"\[[^\[\]\n]{0,1000}+(?:!?\[[^\[\]\n]{0,1000}+\](?:\([^()\s]{0,2000}+\))?[^\[\]\n]{0,1000}+)?+\]"
    r"\((?:<[^<>\n]{0,2000}+>|[^()\s]{0,2000}+(?:\([^()\s]{0,500}+\)[^()\s]{0,2000}+)?+)"
    r"(?:[ \t]++(?:\"[^\"\n]{0,500}+\"|'[^'\n]{0,500}+'))?+[ \t]*+\)"
    r"|\[\[[^\[\]\n]{1,1000}+\]\]"
    r"|<[A-Za-z][A-Za-z0-9+.-]{1,31}+:[^<>\s]{0,2000}+>"
)
_OWN_LINE = re.compile(r"[ \t>]*+(?:#\+[A-Za-z]|[\w./-]{1,60}+::(?:\s|$)|[-*+][ \t])")
"""A line that goes on with nothing and with which nothing goes on, in outlines and in quotes: a list item, a
property (``id:: …``), the edge of a block (``#+BEGIN_QUOTE``)."""
_SHORT_LINE = 50
"""A line shorter than this was broken on purpose, not wrapped."""
_LONG_LINE = 200
"""A line longer than this was not wrapped either."""
_LONG_SENTENCE = 600
"""What is longer than this is no sentence over several lines, but lines without stops."""
_MAY_BEGIN_SENTENCE = STOP_WORDS.union(*map(str.split, COMMON_WORDS.values())) - {"van", "von"}
"""Words that are hardly ever names."""
_NEXT_NAME = re.compile(r"[\"'“‘(]{0,3}+(\w\.|\w{1,20})")
"""Another initial with its stop, or a word, in quotes or not."""
_AMOUNT = re.compile(r"(?:[°º′″/%]|(?<![\d.,])(?![12]\d{3}\s)[\d.,]*\d)\s*$")
"""Before a unit in one letter: a number that is no year, or what stands between the two."""
_SURNAME = re.compile(r"[^\W\d_]{2,},\s*$")
_CLAUSE_LENGTH = 60
"""Thai, Lao, Khmer and Burmese mark no sentences; a space after this many characters ends one."""


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Sentence spans in ``text``, trimmed of white space, in order, without gaps but white space.

    Linear in the length of any text.
    """
    spans: list[tuple[int, int]] = []
    length = len(text)
    start = length - len(text.lstrip())
    for after in (*sentence_starts(text), length):
        end = after
        while end > start and text[end - 1].isspace():
            end -= 1
        if start < end:
            spans.append((start, end))
        start = max(start, after)
    return spans


def sentence_starts(text: str) -> list[int]:
    """Offsets at which sentences after the first begin; none of them is white space, or inside a link."""
    starts: list[int] = []
    begun = line = position = 0
    pattern = _pattern(text)
    links = link_spans(text)
    link = next(links, None)
    while match := pattern.search(text, position):
        begin, end = match.span()
        while link and link[1] <= begin:
            link = next(links, None)
        if link and link[0] <= begin:
            position = link[1]
            continue
        position = end
        if text[begin] == "\n":
            ends = _ends_line(text, begun, line, begin, end)
            line = end
        elif match.lastgroup == "space":
            ends = end - begun >= _CLAUSE_LENGTH
        else:
            close = match.end("close")
            ends = _ends_sentence(text, match) if close >= 0 else text[end : end + 1] not in _COMMAS
            if (at := text.find("\n", begin + 1 if close < 0 else close, end)) >= 0:
                ends = ends or text.find("\n", at + 1, end) >= 0 or _OWN_LINE.match(text, end) is not None
                line = end
        if ends:
            starts.append(end)
            begun = end
    return starts


def link_spans(text: str) -> Iterator[tuple[int, int]]:
    """Spans of the links in ``text``, in order: ``[words](target)``, ``[[note]]`` and ``<address>``."""
    return (match.span() for match in _LINK.finditer(text))


def _pattern(text: str) -> re.Pattern[str]:
    if text.isascii():
        return _ASCII
    return _UNSPACED if _HAS_UNMARKED.search(text) else _ANY


def _ink_end(text: str, end: int) -> int:
    while end and text[end - 1] in " \t":
        end -= 1
    return end


def _ends_line(text: str, begun: int, line: int, begin: int, end: int) -> bool:
    """Whether the sentence from ``begun`` on ends with its last line, from ``line`` to ``begin``.

    The next one begins at ``end``.
    """
    length = _ink_end(text, begin) - line
    return (
        not _SHORT_LINE <= length <= _LONG_LINE
        or begin - begun > _LONG_SENTENCE
        or text.find("\n", begin + 1, end) >= 0
        or _OWN_LINE.match(text, end) is not None
        or _OWN_LINE.match(text, line, begin) is not None
    )


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    start, end = match.span()
    if not text[end - 1].isspace():
        return False  # example.com, 3.5
    following = text[end : end + 1]
    stop = text[match.end("stops") - 1]
    if stop != "." or match["stops"]:
        # "Wait... what?" and '"Really?" he said.' go on
        return not ((stop in ".…" or match["close"]) and following.islower())
    before = text[max(0, start - 24) : start]
    if before[-1:].isspace():
        return True  # a stop with a space before it is a stop, whatever follows
    found = _LAST_WORD.search(before)
    word = found.group() if found else ""
    if word.lower() in _ABBREVIATIONS:
        return False
    if len(word) == 1 and word.isalpha() and word.isupper():
        return not _is_initial(before[:-1], text, end)
    if word.lower() in _BEFORE_NUMBERS and following.isdigit():
        return False
    if word.isdigit() and len(word) <= 2:
        line = before[: -len(word)].rpartition("\n")[2]
        next_word = _NEXT_WORD.match(text, end)
        if not line.strip() or (next_word and next_word.group().lower() in _MONTHS):
            return False  # "1. Mix", "3. Oktober"
    return not following.islower()


def _is_initial(before: str, text: str, end: int) -> bool:
    """Whether a letter with a stop is part of a name (J. Smith; Smith, J.) or numbers what follows (A. Mix).

    ``before`` stands before the letter, and ``text`` goes on at ``end``.
    """
    if not before.rpartition("\n")[2].strip(" \t>*+-"):
        return True
    following = _NEXT_NAME.match(text, end)
    word = following[1] if following else ""
    if word[:1].islower():
        return True
    if _AMOUNT.search(before):
        return False
    is_name = word[:1].isupper() and word.lower() not in _MAY_BEGIN_SENTENCE
    return is_name or _SURNAME.search(before) is not None
