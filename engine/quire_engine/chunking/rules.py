"""Where sentences end, by punctuation, line breaks and script: rules for any language, without a model."""

from __future__ import annotations

import re

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
_SHORT_LINE = 50
"""A line shorter than this was broken on purpose, not wrapped."""
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
    """Offsets at which sentences after the first begin; none of them is white space."""
    starts: list[int] = []
    begun = line = 0
    for match in _pattern(text).finditer(text):
        begin, end = match.span()
        if text[begin] == "\n":
            short = begin - line < _SHORT_LINE or _ink_end(text, begin) - line < _SHORT_LINE
            line = end
            if not short and text.find("\n", begin + 1, end) < 0:
                continue
        elif match.lastgroup == "space":
            if end - begun < _CLAUSE_LENGTH:
                continue
        else:
            close = match.end("close")
            if text.find("\n", begin + 1 if close < 0 else close, end) >= 0:
                line = end
            if _goes_on(text, end) if close < 0 else not _ends_sentence(text, match):
                continue
        starts.append(end)
        begun = end
    return starts


def _pattern(text: str) -> re.Pattern[str]:
    if text.isascii():
        return _ASCII
    return _UNSPACED if _HAS_UNMARKED.search(text) else _ANY


def _ink_end(text: str, end: int) -> int:
    while end and text[end - 1] in " \t":
        end -= 1
    return end


def _goes_on(text: str, end: int) -> bool:
    """After a stop that needs no space: 「…？」，… and [the words of a link。](its target)."""
    following = text[end : end + 1]
    return following in _COMMAS if following != "(" else text[end - 1] == "]"


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
    if word.lower() in _ABBREVIATIONS or (len(word) == 1 and word.isalpha() and word.isupper()):
        return False
    if word.lower() in _BEFORE_NUMBERS and following.isdigit():
        return False
    if word.isdigit() and len(word) <= 2:
        line = before[: -len(word)].rpartition("\n")[2]
        next_word = _NEXT_WORD.match(text, end)
        if not line.strip() or (next_word and next_word.group().lower() in _MONTHS):
            return False  # "1. Mix", "3. Oktober"
    return not following.islower()
