"""What a turn of a conversation said: its question as it stands by itself, and what its answer named."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from quire_engine.analysis import fold
from quire_engine.conversations.syntax import unended
from quire_engine.conversations.topics import begins, is_year, names, tokens
from quire_engine.conversations.words import AUXILIARIES, LABELS, QUESTION_WORDS, WEEKDAYS
from quire_engine.records import Turn

_LINK = re.compile(r"\[\[(?:[^\[\]|]*\|)?([^\[\]|]*)\]\]")
_EMPHASIS = re.compile(r"[*_`]+")
_MARKER = re.compile(r"[-•+>#\s]*(?:\d{1,9}[.)]\s+)?(?:\[[ xX]\]\s+)?")
_MOST_TOLD = 4000
"""Characters of an answer that are read."""
_LONGEST_UNIT = 3
_QUOTED_QUESTION = re.compile(rf" \((?:{'|'.join(sorted(QUESTION_WORDS | AUXILIARIES))})\b")


def base_of(turn: Turn) -> str:
    """The question of ``turn`` as it stands by itself."""
    return turn.standalone or turn.question


def topical(turns: Sequence[Turn]) -> Sequence[Turn]:
    """``turns`` without those that only point to a question before: all of them when there are no others.

    Such a turn ("Why: the pump failed?", "Is that a lot (how much is left)?") is about what the one before
    it is about. A question made from it would quote what is itself a quotation, and grow with every turn.
    """
    return [turn for turn in turns if not quotes(turn)] or turns


def quotes(turn: Turn) -> bool:
    """Whether ``turn`` had few words of its own, beside which the question before is quoted."""
    asked, meant = fold(turn.question), fold(turn.standalone)
    own, colon, _ = meant.partition(": ")
    if colon and own and unended(asked).endswith(own):
        return True
    return _QUOTED_QUESTION.search(meant) is not None and _QUOTED_QUESTION.search(asked) is None


def told_parts(text: str) -> Iterator[str]:
    """The lines and table cells of an answer's ``text``, without their markup; no headers of tables."""
    plain = _LINK.sub(lambda link: link[1].rpartition("#")[2], _EMPHASIS.sub(" ", text[:_MOST_TOLD]))
    lines = [*plain.splitlines(), ""]
    for line, below in pairwise(lines):
        if _is_rule(line) or ("|" in line and "|" in below and _is_rule(below)):
            continue
        for cell in line.split("|"):
            if part := " ".join(_MARKER.sub("", cell, count=1).split()):
                yield part


def _is_rule(line: str) -> bool:
    """Whether a line is one that is drawn: under the header of a table, or across the page."""
    return "-" in line and not line.strip("|:- \t")


def told_names(turn: Turn) -> list[str]:
    """Names that the text of ``turn``'s answer brought."""
    if not turn.citations:
        return []
    asked = fold(base_of(turn))
    found: dict[str, None] = {}
    for part in told_parts(turn.text):
        for phrase in names(part, known=_subjects(part, asked)):
            name = phrase.text.strip('"“”„«»[]')
            if not _is_unit(name, part[: phrase.start]) and fold(name).removesuffix("s") not in WEEKDAYS:
                found[name] = None
    return [name for name in found if fold(name) not in asked and not is_year(name)]


def _subjects(part: str, asked: str) -> list[str]:
    """Words that begin a sentence with the verb of a question for a person: "Tom" in "Tom owns it"."""
    verb = next((two.word for one, two in pairwise(tokens(asked)[:4]) if one.word == "who"), "")
    words = tokens(part)
    return [
        one.text
        for place, (one, two) in enumerate(pairwise(words))
        if verb and two.word == verb and begins(words, place)
    ]


def _is_unit(name: str, before: str) -> bool:
    """Whether a short name is the unit of the number before it ("220 °C", "16 GB"), or only a letter."""
    last = before.rstrip()[-1:]
    return len(name) < 2 or last == "°" or (last.isdigit() and len(name) <= _LONGEST_UNIT and name.isalpha())


def asks_for_person(turn: Turn) -> bool:
    """Whether the question of ``turn`` asks who."""
    return any(token.word in ("who", "whom", "whose") for token in tokens(base_of(turn))[:2])


def told_person(turn: Turn) -> str:
    """The person that an answer named, or that it was found under; empty when it tells none."""
    told = told_names(turn)
    likely = [name for name in told if may_be_person(name)]
    likely += [name for name in told if name.istitle() and name.isalpha()]
    if asks_for_person(turn):
        likely += told
        if may_be_person(heading := found_under(turn)):
            likely.append(heading)
        alone = list(told_parts(turn.text)) if turn.citations else []
        if len(alone) == 1 and (name := unended(alone[0])).istitle() and name.isalpha():
            likely.append(name)  # "Tom."
    return likely[0] if likely else ""


def may_be_person(name: str) -> bool:
    """Whether ``name`` looks like that of a person: two or three words with capitals, none a usual label."""
    words = name.split()
    return (
        len(words) in (2, 3)
        and all(word[:1].isupper() and word.isalpha() for word in words)
        and not LABELS & set(fold(name).split())
    )


def found_under(turn: Turn) -> str:
    """The heading under which the answer of ``turn`` was found, if it looks like a name; else empty."""
    heading = next((heading for citation in turn.citations[:1] for heading in citation.headings[-1:]), "")
    named = any(name.text == heading for name in names(f"x {heading}"))
    return heading if named and " " in heading and not LABELS & set(fold(heading).split()) else ""
