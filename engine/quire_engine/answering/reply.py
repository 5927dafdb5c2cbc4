"""Cuts a reply, while it is written, into sentences with the passages that each one cites."""

from __future__ import annotations

import re
from dataclasses import dataclass

MARK = re.compile(r"[\[【]\s*\^?\d{1,3}(?:\s*[,;\-–—]\s*\^?\d{1,3})*\s*[\]】]")
"""A citation of passages, in the forms that language models write."""
# The spaces of a long gap are looked at once, not once from each of them.
_SPACED_MARK = re.compile(r"(?<!\s)\s*+" + MARK.pattern)
_MARK_BEGUN = re.compile(r"[\[【][\s\d^,;\-–—]*\Z")
# What a model may echo of its prompt. No nested quantifiers: replies can be long and odd.
_TAG = re.compile(r"</?passage\b[^<>]{0,400}>|<\|[^<>|\s]{1,40}\|>|</?s>|\[/?INST\]", re.IGNORECASE)
_TAG_BEGUN = re.compile(
    r"(?:</?(?:p|pa|pas|pass|passa|passag|passage\b[^<>]{0,400}|s)?|<\|[^<>\s]{0,41}|\[/?I?N?S?T?)\Z",
    re.IGNORECASE,
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_PREAMBLE = re.compile(r"\A(?:answer|antwort)\s*:\s*", re.IGNORECASE)
_CLOSERS = "\"'”’»)]}*_"
_WIDE_ENDS = "。！？｡"
_ENDS = ".!?…।؟۔" + _WIDE_ENDS
# Never the end of a sentence. What may also stand at one ("etc.") is left to the next word's first letter.
# A short number is an ordinal or a list number oftener than the end of a sentence.
_NO_END = re.compile(
    r"(?:^|[^\d.,:/-])\d{1,2}\Z|(?:^|[\s(\[„\"'])(?:e\.g|i\.e|cf|vs|ca|approx|dr|mr|mrs|ms|prof|st|no|nr|fig|eq|sec|ch|pp?|vol|ed|eds|al|"
    r"z\.\s?b|d\.\s?h|u\.\s?a|bzw|vgl|evtl|ggf|inkl|p\.\s?ex|[^\W\d_])\Z",
    re.IGNORECASE,
)
_LONGEST_NO_END = 12
"""Characters of the longest of these, with what stands before it."""
_DOUBLE_END = re.compile(r"(?<=[!?。])[.。]\Z|(?<=[^.]\.)\.\Z")
_FENCE = re.compile(r"\A(`{3,}|~{3,})")


@dataclass(frozen=True, slots=True)
class ReplySentence:
    """A sentence, list item, table or code block of a reply."""

    text: str
    """Without marks, tags and control characters."""
    marks: tuple[int, ...]
    """In order of appearance, each once, whatever passages there are."""
    separator: str
    """What stood between it and the sentence before."""


class ReplySplitter:
    """Takes the reply piece by piece and gives back sentences as soon as they are complete.

    A sentence is complete when its end is certain: marks that follow the full stop still belong to it.
    """

    def __init__(self) -> None:
        self._text = ""
        self._separator = ""
        self._first = True

    def feed(self, piece: str) -> list[ReplySentence]:
        """The sentences that ``piece`` completed."""
        self._text = _TAG.sub(" ", self._text + _CONTROL.sub("", piece))
        return self._take(final=False)

    def finish(self, *, cut_off: bool) -> list[ReplySentence]:
        """What is left; when the reply was ``cut_off``, a last part without an end is dropped."""
        # A lone "<" or "[" may be meant; more of a tag or a mark is not text.
        for begun, least in ((_TAG_BEGUN.search(self._text), 3), (_MARK_BEGUN.search(self._text), 2)):
            if begun and len(begun.group()) >= least:
                self._text = self._text[: begun.start()]
        sentences = self._take(final=True)
        rest = self._text.strip()
        whole = not cut_off or rest[-1:] in _ENDS or rest.endswith(("]", "】"))
        if rest and whole:
            sentences += self._sentence(rest)
        self._text = ""
        return sentences

    def _take(self, *, final: bool) -> list[ReplySentence]:
        sentences: list[ReplySentence] = []
        while True:
            stripped = self._text.lstrip()
            self._separator += self._text[: len(self._text) - len(stripped)]
            self._text = _PREAMBLE.sub("", stripped) if self._first else stripped
            visible = self._text
            if not final and (begun := _TAG_BEGUN.search(visible)):
                visible = visible[: begun.start()]
            end = _end(visible, final=final)
            if end is None:
                return sentences
            unit, self._text = self._text[:end], self._text[end:]
            sentences += self._sentence(unit)

    def _sentence(self, unit: str) -> list[ReplySentence]:
        text, marks = without_marks(unit.strip())
        if not any(char.isalnum() for char in text):
            return []
        lines = min(self._separator.count("\n"), 2)
        separator = "\n" * lines or self._separator[:1]
        self._separator = ""
        self._first = False
        return [ReplySentence(text, marks, separator)]


def without_marks(unit: str) -> tuple[str, tuple[int, ...]]:
    """``unit`` without the marks outside of code, and their numbers; ``[2-4]`` stands for 2, 3 and 4."""
    marks: dict[int, None] = {}

    def note(match: re.Match[str]) -> str:
        for part in re.split(r"[,;]", match.group().strip("[]【】").replace("^", "")):
            low, *high = (int(number) for number in re.findall(r"\d+", part))
            marks.update(
                dict.fromkeys(range(low, high[0] + 1) if high and high[0] - low < 50 else [low, *high])
            )
        return ""

    pieces = re.split(r"(```.*?```|~~~.*?~~~|`[^`\n]*`)", unit, flags=re.DOTALL)
    for place in range(0, len(pieces), 2):
        pieces[place] = _SPACED_MARK.sub(note, pieces[place])
    text = "".join(pieces).strip()
    # "Full stop. [1]." has two, of which the second belonged to the mark.
    return (_DOUBLE_END.sub("", text) if marks else text), tuple(marks)


def _end(text: str, *, final: bool) -> int | None:
    """Where the first sentence of ``text`` ends, marks included; ``None`` while that cannot be told."""
    if fence := _FENCE.match(text):
        line_end = r"(?=\n|\Z)" if final else r"(?=\n)"
        closing = re.compile(rf"\n[ \t]*{re.escape(fence[1])}[ \t]*{line_end}")
        found = closing.search(text)
        return _after_marks(text, found.end(), final=final) if found else None
    if text[:1] in "`~" and len(text) < 3 and not final:
        return None
    table = text.startswith("|")
    in_code = False
    for place, char in enumerate(text):
        if char == "`":
            in_code = not in_code
        elif char == "\n":
            in_code = False
            following = text[place + 1 :].lstrip(" \t")
            if table and (following.startswith("|") or (not following and not final)):
                if not following:
                    return None
                continue
            return _after_marks(text, place, final=final)
        elif char in _ENDS and not in_code and not table:
            end = _sentence_end(text, place, final=final)
            if end is None or end > 0:
                return end
    return None


def _sentence_end(text: str, place: int, *, final: bool) -> int | None:
    """The end of the sentence that ``text[place]`` ends; 0 when it ends none, ``None`` while unknown."""
    after = place + 1
    while after < len(text) and (text[after] in _CLOSERS or text[after] in _ENDS):
        after += 1
    if after == len(text):
        return None
    marks_end = _after_marks(text, after, final=final)
    if marks_end is None:
        return None
    if marks_end == after and not text[after].isspace() and text[place] not in _WIDE_ENDS:
        return 0
    if marks_end > after or text[place] in _WIDE_ENDS:
        return marks_end
    if text[place] == "." and _NO_END.search(text, max(0, place - _LONGEST_NO_END), place):
        return 0
    following = text[after:].lstrip(" \t")
    if not following:
        return after if final else None
    return 0 if following[0].islower() else after


def _after_marks(text: str, place: int, *, final: bool) -> int | None:
    """``place``, moved behind the marks that follow it; ``None`` while more of them may come."""
    while True:
        ahead = place
        while ahead < len(text) and text[ahead].isspace():
            ahead += 1
        if ahead == len(text):
            return place if final else None
        if mark := MARK.match(text, ahead):
            place = mark.end()
            while place < len(text) and text[place] in ".。":
                place += 1
            continue
        if _MARK_BEGUN.match(text, ahead) and not final:
            return None
        return place
