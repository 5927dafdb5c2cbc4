"""What a passage is made of, and how a part of it is shown: pieces that are kept or left out whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from quire_engine.records import Hit

_FENCE = re.compile(r"[ \t>]*(```+|~~~+|\$\$)")
_ITEM = re.compile(r"([ \t>]*)(?:[-*+]|\d{1,9}[.)])(?:[ \t]|$)")
_TABLE_RULE = re.compile(r"(?=[^|\n]*\|)[ \t>|:]*-[ \t|:-]*")
_MORE_OF_PROPERTY = re.compile(r"[ \t]+\S|-[ \t]")
_COMMENT = re.compile(r"%%|<!--|-->")
_LEAD_IN = re.compile(r"[:：][*_]*\s*\Z")

_Kind = Literal["text", "item", "fence", "header", "row"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A sentence, a list item, a table row or a block of code: ``text[start:end]`` of a hit."""

    start: int
    end: int
    sentences: tuple[int, ...]
    """Which of the hit's sentences stand in it; none in a table's header."""
    needs: int | None = None
    """The place of an earlier piece without which nobody could read it: the header, the item that it is
    part of, the words that introduce it."""


@dataclass(slots=True)
class _Block:
    kind: _Kind
    start: int
    end: int
    indent: int = 0


def quotable(hit: Hit) -> Hit:
    """``hit``; front matter, which has no sentences, with its properties for sentences."""
    if hit.sentences or hit.kind != "properties":
        return hit
    spans: list[tuple[int, int]] = []
    for start, end in _lines(hit.text):
        line = hit.text[start:end]
        if not line.strip(" \t-+"):
            continue
        if spans and _MORE_OF_PROPERTY.match(line):
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return replace(hit, sentences=tuple(spans))


def whole(hit: Hit) -> str:
    """All that is to be seen of ``hit``."""
    if not _COMMENT.search(hit.text):
        return hit.text
    # Whether a comment begins or ends at a mark depends on what stands before the passage; sentences are
    # never part of one.
    parts = pieces(hit)
    return render(hit, parts, range(len(parts)))


def pieces(hit: Hit, *, taken_apart: bool = False) -> list[Piece]:
    """The pieces of ``hit`` in reading order, without what no sentence covers (headings, comments).

    When ``taken_apart``, so are list items cut into their sentences, and nothing but a row needs another.
    """
    text = hit.text
    found: list[Piece] = []
    sentences = sorted(range(len(hit.sentences)), key=lambda place: hit.sentences[place])
    place = 0
    parents: list[tuple[int, int]] = []
    """(indent, place) of the items that the next one may be part of."""
    lead_in: int | None = None
    header: int | None = None
    for block in _blocks(text):
        inside: list[int] = []
        while place < len(sentences) and hit.sentences[sentences[place]][0] < block.end:
            inside.append(sentences[place])
            place += 1
        if block.kind != "item":
            parents = []
        if block.kind == "header":
            found.append(Piece(block.start, block.end, tuple(inside), lead_in))
            header, lead_in = len(found) - 1, None
        elif not inside:
            continue
        elif block.kind == "text" or (taken_apart and block.kind == "item"):
            found.extend(Piece(*hit.sentences[sentence], (sentence,)) for sentence in inside)
            introduces = not taken_apart and _LEAD_IN.search(text, block.start, block.end)
            lead_in = len(found) - 1 if introduces else None
        else:
            while parents and parents[-1][0] >= block.indent:
                parents.pop()
            needs = header if block.kind == "row" else parents[-1][1] if parents else lead_in
            # A sentence that goes on behind the block belongs to it.
            end = max(block.end, hit.sentences[inside[-1]][1])
            found.append(Piece(block.start, end, tuple(inside), needs))
            if block.kind == "item":
                parents.append((block.indent, len(found) - 1))
        if block.kind not in ("row", "header"):
            header = None
    return found


def with_needed(parts: Sequence[Piece], place: int) -> list[int]:
    """``place`` and the places of all that it needs."""
    needed = [place]
    while (before := parts[needed[-1]].needs) is not None:
        needed.append(before)
    return needed


def text_of(hit: Hit, part: Piece) -> str:
    """What ``part`` shows: without comments that stand in a list item beside its sentences."""
    text = hit.text[part.start : part.end]
    if not _COMMENT.search(text):
        return text
    shown: list[str] = []
    end = part.start
    for start, stop in [hit.sentences[sentence] for sentence in part.sentences]:
        shown += [_between(hit.text[end:start]), hit.text[start:stop]]
        end = stop
    return "".join(shown)


def render(hit: Hit, parts: Sequence[Piece], kept: Sequence[int]) -> str:
    """The pieces ``kept`` (places in ``parts``, ascending), and an ellipsis wherever one is left out."""
    if not kept:
        return ""
    text = hit.text
    shown = [text_of(hit, parts[kept[0]])]
    if kept[0] > 0:
        shown.insert(0, _ellipsis(text, parts[0].start, parts[kept[0]].start).lstrip())
    for before, after in pairwise(kept):
        start, end = parts[before].end, parts[after].start
        shown.append(_between(text[start:end]) if after == before + 1 else _ellipsis(text, start, end))
        shown.append(text_of(hit, parts[after]))
    if kept[-1] < len(parts) - 1:
        shown.append(_ellipsis(text, parts[kept[-1]].end, parts[-1].start + 1).rstrip())
    return "".join(shown)


def restricted(hit: Hit, parts: Sequence[Piece], kept: Sequence[int]) -> Hit:
    """``hit`` with the sentences of the pieces ``kept``; its text stays, so that quotes keep their lines."""
    places = sorted({sentence for place in kept for sentence in parts[place].sentences})
    return replace(hit, sentences=tuple(hit.sentences[sentence] for sentence in places))


def line_of(hit: Hit, offset: int) -> int:
    """The line of the note on which ``hit.text[offset]`` stands."""
    return hit.start_line + hit.text.count("\n", 0, offset)


def _ellipsis(text: str, start: int, end: int) -> str:
    return "\n…\n" if "\n" in text[start:end] else " … "


def _between(gap: str) -> str:
    """What stands between two pieces, unless a comment does, which is not to be seen."""
    if _COMMENT.search(gap):
        return "\n" if "\n" in gap else " "
    return gap


def _lines(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for line in text.split("\n"):
        yield start, start + len(line)
        start += len(line) + 1


def _blocks(text: str) -> list[_Block]:
    """The blocks of ``text``, one behind the other; an item without those that are nested in it."""
    blocks: list[_Block] = []
    fence = ""
    blank = False
    lines = list(_lines(text))
    following = [*lines[1:], (len(text), len(text))]
    for (start, end), rule in zip(lines, following, strict=True):
        line = text[start:end]
        last = blocks[-1] if blocks else None
        if fence and last:
            last.end = end
            if line.lstrip(" \t>").startswith(fence) or (fence == "$$" and fence in line):
                fence = ""
            continue
        if not line.strip(" \t>"):
            blank = True
            continue
        indent = len(line) - len(line.lstrip(" \t>"))
        if opening := _FENCE.match(line):
            blocks.append(_Block("fence", start, end, indent))
            fence = "" if opening[1] in line[opening.end() :] else opening[1]
        elif last and last.kind == "header" and last.end > start:
            pass  # the rule below the header
        elif "|" in line and _TABLE_RULE.fullmatch(text, *rule):
            blocks.append(_Block("header", start, rule[1], indent))
        elif "|" in line and not blank and last and last.kind in ("header", "row"):
            blocks.append(_Block("row", start, end, indent))
        elif item := _ITEM.match(line):
            blocks.append(_Block("item", start, end, len(item[1])))
        elif last and (
            (last.kind == "item" and (not blank or indent > last.indent))
            or (last.kind == "text" and not blank)
        ):
            last.end = end
        else:
            blocks.append(_Block("text", start, end, indent))
        blank = False
    return blocks
