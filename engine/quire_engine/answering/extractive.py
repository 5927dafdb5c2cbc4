"""Answers without a language model: the sentences of the notes that answer best, verbatim."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quire_engine.analysis import fold
from quire_engine.answering.drafts import DraftSentence, Evidence
from quire_engine.answering.reading import Reading, bearing
from quire_engine.answering.reply import without_marks
from quire_engine.answering.sentences import Candidate, SentenceRanker
from quire_engine.answering.structure import (
    LIST_ITEM,
    is_code,
    is_open_task,
    leads_in,
    table_header,
    table_row,
)

NAME = "extractive"
_SURE = 0.9
"""Sentences are added until one of them is the answer with this probability: 1.7 on average."""
_WORTH = 0.05
"""The probability below which a sentence is not worth its words."""
_HOW_TO = re.compile(
    r"^(?:how (?:do|can|could|should|must|would|to)\b|what (?:do|must|should) \w+ do to\b|"
    r"wie (?:mach|kann|muss|soll|geht|install|richt)\w*|como (?:se|puedo|hago)\b|"
    r"comment (?:faire|puis|peut|on)\b)|\bhow to\b|\bsteps\b"
)
"""Folded words that ask for how something is done."""
_REPEATED = 0.9
"""Cosine from which two sentences say the same."""
_LONGEST_BEFORE = 40
"""Words of a sentence that is shown for what the next one refers to."""
_LISTS = re.compile(
    r"^(?:please )?(?:list|name|enumerate)\b|\b(?:which|what|who) (?:\w+ )?(?:are|were)\b|\b(?:what|"
    r"which) \w+s (?:do|does|did|"
    r"can|could|should|have|has|are|were)\b|\bsteps\b|\bwhat all\b|\ball (?:the|of)\b|"
    r"\bwelche \w+n\b|\bliste\b|"
    r"\bque \w+s\b|\bquels?les? sont\b|\bquels sont\b|\bcuales son\b"
)
_QUOTE_PREFIX = re.compile(r"^[ \t]*(?:>[ \t]?)+(?:\[![\w-]+\][+-]?[ \t]*)?", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Extract:
    """What answers a question, verbatim."""

    sentences: tuple[DraftSentence, ...]
    chosen: tuple[Candidate, ...]
    """The candidates that they were made of."""


def extract(reading: Reading, most: int) -> Extract:
    """The best one to ``most`` sentences, those of a passage together and in reading order.

    Every part of a question that the notes have something on gets its best sentence first. A question for
    several things, or for how something is done, is answered by the whole list that its best sentence
    belongs to.
    """
    chosen: list[Candidate] = []
    for part in reading.parts:
        if part.ranked and bearing(part) >= 0.5 and len(chosen) < most:
            _take(chosen, part.ranked[0])
    question = fold(reading.whole.question)
    if not chosen or not reading.parts:
        _choose(chosen, reading.whole.ranked, most)
        if items := _listed(question, chosen, reading.whole):
            return Extract(tuple(_item(rows) for rows in items), tuple(row for rows in items for row in rows))
    if not chosen:
        return Extract((), ())
    order = {id(c.hit): position for position, c in reversed(list(enumerate(chosen)))}
    spans = {(id(c.hit), c.start): c for c in chosen}
    ranked = reading.whole.ranked
    for candidate in chosen:
        before = _sentence_before(candidate, ranked)
        if before is not None and (id(before.hit), before.start) not in spans and len(spans) < most:
            spans[id(before.hit), before.start] = before
    if _HOW_TO.search(question):
        spans |= {(id(c.hit), c.start): c for c in _code_after(chosen[0], ranked)}
    found = tuple(sorted(spans.values(), key=lambda c: (order[id(c.hit)], c.start)))
    return Extract(tuple(_draft(candidate) for candidate in found), found)


def _choose(chosen: list[Candidate], ranked: Sequence[Candidate], most: int) -> None:
    """Add the best of ``ranked`` until it is likely enough that the answer is among them.

    Of a table, or of a note's properties, one row is enough, unless others hold more of the question.
    """
    odds = np.exp(np.array([candidate.score for candidate in ranked]) - (ranked[0].score if ranked else 0.0))
    sure = 0.0
    for candidate, share in zip(ranked, odds / (odds.sum() or 1.0), strict=True):
        if len(chosen) == most or sure >= _SURE or (chosen and share < _WORTH):
            return
        rows = [other.held for other in chosen if _are_rows(candidate, other)]
        if rows and candidate.held <= frozenset().union(*rows):
            continue
        if _take(chosen, candidate):
            sure += float(share)


def _take(chosen: list[Candidate], candidate: Candidate) -> bool:
    """Add ``candidate`` unless another says the same."""
    if any(_same(candidate, other) for other in chosen):
        return False
    chosen.append(candidate)
    return True


def _same(one: Candidate, other: Candidate) -> bool:
    if one.text == other.text:
        return True
    # Of two parts of a question, one may be in a language that the embedding model cannot read.
    return len(one.vector) == len(other.vector) and float(one.vector @ other.vector) >= _REPEATED


def _are_rows(one: Candidate, other: Candidate) -> bool:
    """Whether both are rows of one table, or properties of one note."""
    if one.hit.chunk_id == other.hit.chunk_id and one.hit.kind == "properties":
        return True
    header = table_header(one.hit.text, one.start)
    return bool(header) and header == table_header(other.hit.text, other.start)


def _sentence_before(candidate: Candidate, among: Sequence[Candidate]) -> Candidate | None:
    """What ``candidate`` refers to when it begins with "it" or the like: the sentence before it."""
    if not candidate.signals["refers"]:
        return None
    before = [c for c in among if c.hit is candidate.hit and c.end <= candidate.start]
    nearest = max(before, key=lambda c: c.start, default=None)
    if nearest is None or candidate.hit.text[nearest.end : candidate.start].strip():
        return None
    return nearest if len(nearest.text.split()) <= _LONGEST_BEFORE else None


def _listed(question: str, chosen: Sequence[Candidate], ranker: SentenceRanker) -> list[list[Candidate]]:
    """The list, or table, that the best sentence is part of or leads in, item by item, if one is asked for.

    For how something is done, a list of numbered steps, which any of the ``chosen`` may be part of.
    """
    steps = bool(_HOW_TO.search(question))
    if not (steps or _LISTS.search(question)):
        return []
    for candidate in chosen if steps else chosen[:1]:
        rows = sorted((c for c in ranker.ranked if c.hit is candidate.hit), key=lambda c: c.start)
        # By its place: a part of the question has ranked it otherwise than the whole.
        place = next(place for place, row in enumerate(rows) if row.start == candidate.start)
        items = _items(rows, place, numbered=steps and not _LISTS.search(question))
        if ranker.asks_for_tasks:
            items = [item for item in items if is_open_task(item[0].text)]
        if len(items) > 1:
            return items
    return []


def _items(rows: Sequence[Candidate], place: int, *, numbered: bool) -> list[list[Candidate]]:
    """The items of the list at, or right after, ``rows[place]``, each with all of its sentences."""
    if header := table_header(rows[place].hit.text, rows[place].start):
        return [[row] for row in rows if table_header(row.hit.text, row.start) == header]
    if _mark(rows[place]) is None and leads_in(rows[place].text) and place + 1 < len(rows):
        place += 1
    first = place
    while first > 0 and _goes_on(rows[first - 1], rows[first]):
        first -= 1
    base = _mark(rows[first])
    if base is None or (numbered and not base.strip()[0].isdigit()):
        return []
    items: list[list[Candidate]] = []
    for number, row in enumerate(rows[first:], start=first):
        if number > first and not _goes_on(rows[number - 1], row):
            break
        mark = _mark(row)
        if mark is not None and _indent(mark) <= _indent(base):
            items.append([row])
        else:
            items[-1].append(row)
    return items


def _goes_on(one: Candidate, other: Candidate) -> bool:
    """Whether ``other`` is in the same list as ``one``: its next item, or more of the same."""
    between = one.hit.text[one.end : other.start]
    if between.strip(" \t\n>-*+.)0123456789"):
        return False
    mark = _mark(other)
    if mark is None:
        return "\n\n" not in between and _starts_in_item(other)
    return between.count("\n") <= 2 and _starts_in_item(one)


def _starts_in_item(candidate: Candidate) -> bool:
    """Whether the line on which ``candidate`` begins is an item's, or indented as one's second line is."""
    line = candidate.hit.text.rfind("\n", 0, candidate.start) + 1
    return bool(LIST_ITEM.match(candidate.hit.text, line)) or candidate.hit.text[line : line + 2].isspace()


def _mark(candidate: Candidate) -> str | None:
    """The white space and the mark before a list item; ``None`` for what does not begin one."""
    line = candidate.hit.text.rfind("\n", 0, candidate.start) + 1
    match = LIST_ITEM.match(candidate.hit.text, line)
    return match.group() if match is not None and match.end() >= candidate.start else None


def _indent(mark: str) -> int:
    return len(mark) - len(mark.lstrip())


def _code_after(candidate: Candidate, ranked: Sequence[Candidate]) -> list[Candidate]:
    """The code that follows ``candidate``, with the words that lead it in."""
    rows = sorted(
        (c for c in ranked if c.hit is candidate.hit and c.start > candidate.start), key=lambda c: c.start
    )
    if rows and is_code(rows[0].text):
        return rows[:1]
    if len(rows) > 1 and leads_in(rows[0].text) and is_code(rows[1].text):
        return rows[:2]
    return []


def _item(rows: Sequence[Candidate]) -> DraftSentence:
    """A whole item of a list, which is one quote."""
    if len(rows) == 1:
        return _draft(rows[0])
    first = rows[0]
    best = max(rows, key=lambda row: row.score).evidence
    text = first.hit.text[first.start : rows[-1].end]
    return DraftSentence(
        without_marks(text.strip())[0] or text.strip(),
        (Evidence(first.hit, first.start, rows[-1].end, best.support),),
        "\n",
    )


def _draft(candidate: Candidate) -> DraftSentence:
    text, separator = candidate.text, " "
    header = table_header(candidate.hit.text, candidate.start)
    if header:
        text, separator = "\n".join([*header, table_row(text)]), "\n\n"
    elif LIST_ITEM.match(text):
        text, separator = text.strip(), "\n"
    elif "\n" in text and text.lstrip().startswith(("```", "~~~", "$$")):
        separator = "\n\n"
    else:
        text = " ".join(_QUOTE_PREFIX.sub("", text).split())
    # Numbers that the note has in brackets are not citations of this answer.
    shown = without_marks(text)[0] or text
    return DraftSentence(shown, (candidate.evidence,), separator, tuple(header))
