"""Questions from notes, by rules: what a sentence says, turned round.

A rule takes a sentence only where its form leaves little doubt; most sentences give no question. What comes
out is to be read, and corrected, by a person.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from quire_engine.analysis import terms
from quire_engine.chunking.rules import sentence_spans
from quire_engine.evaluation.draft import Draft, asked_once
from quire_engine.evaluation.field_drafting import draft_from_fields
from quire_engine.evaluation.sentence_rules import DEFINITIONS, HOW_TO, RULES, THERE_ARE, VALUED
from quire_engine.markup import plain
from quire_engine.records import Block, BlockKind, Note

_PROSE = {BlockKind.PARAGRAPH, BlockKind.LIST_ITEM, BlockKind.QUOTE, BlockKind.CALLOUT}
_NO_SUBJECT = frozenset(
    "i it its this that these those there here they their he his she her we our you your my me who what "
    "which when where why how if while as but and or so because since although though for in on at by with "
    "from to after before then now today yesterday tomorrow one some most many much each both another other "
    "such all any none nothing something everything everyone anyone someone also only just still yet not no "
    "yes first second third finally even however therefore instead let please see note".split()
)
_NO_SUBJECT_INSIDE = frozenset(
    "that which where who would could should can may might must will has have had is are was were if when "
    "because but you we they it".split()
)
_NOT_PROSE = re.compile(r"https?:|\{\{|::|TODO|[<>\\{}|=]")
_NO_ORDER = frozenset(
    "i you we it he she they this that these those there the a an my our your his her their all both each "
    "some what how when where why who which if do either".split()
)
"""What an instruction does not begin with."""
_VAGUE = re.compile(
    r"\b(?:this|that|these|those|it|them|here|our|(?:some|any|every)\w+|things?|stuff|before)\b",
    re.IGNORECASE,
)
_STOP = re.compile(r"[;:](?: |$)")
_CLAUSE = re.compile(r"[,(]| (?:that|which|who|where|when|because|so that|and|der|die|das|und|weil) ")
_FEW_WORDS, _MOST_SUBJECT, _MOST_TITLE = 3, 5, 5
_ME = {"you": "I", "your": "my", "yours": "mine", "yourself": "myself"}
_ARTICLES = frozenset("The A An Der Die Das Ein Eine El La Los Las Un Una Le Les Une".split())
_ASKS = re.compile(
    r"(?:what|who|whose|when|where|why|which|how|do|does|did|is|are|was|were|can|could|should|will|wer|wann|"
    r"wo|warum|wieso|wie|welche[rns]?|ist|sind|kann|soll)\b.{8,}[?？]|.{6,}[？؟]|¿.{6,}\?",
    re.IGNORECASE,
)
_PLURAL = re.compile(r"[^\W\d_]+[^\Ws]s")
_VARIABLE = re.compile(r"\b[A-Z]$")
_WORD = re.compile(r"[^\W\d_][\w’'-]*")
_INSIDE = re.compile(r"(?<=[a-zäöüß,] )[A-ZÄÖÜ][\w’'-]+")


class _Vault:
    """How words are written in all notes, and so whether the first of a sentence is a name."""

    def __init__(self, notes: Sequence[Note]) -> None:
        self._written: Counter[str] = Counter()
        for note in notes:
            text = plain(note.text)
            self._written.update(word for word in _WORD.findall(text) if word[0].islower())
            self._written.update(_INSIDE.findall(text))

    def subject(self, words: str, note: Note) -> str | None:
        """``words`` as they stand within a sentence; ``None`` where they refer to something before."""
        first, *others = words.split()
        if first.casefold() in _NO_SUBJECT or _NO_SUBJECT_INSIDE.intersection(others):
            return None
        if len(others) >= _MOST_SUBJECT or any(not word[0].isalnum() for word in others):
            return None
        if _VARIABLE.search(words):
            return None
        small = first[:1].lower() + first[1:]
        if first in _ARTICLES:
            return " ".join([small, *others])
        if others and others[0][:1].isupper():
            return words  # a name
        if self._written[small] > self._written[first]:
            return " ".join([small, *others])
        about = " ".join([note.title, *note.aliases]).casefold()
        known = not first.istitle() or self._written[first] or first.casefold() in about
        return words if known else None  # or any word at the head of its sentence


def draft_questions(notes: Sequence[Note]) -> list[Draft]:
    """All that the rules make of ``notes``, in which templates are left out, and what several say alike."""
    wanted = [note for note in notes if "template" not in note.path.casefold()]
    vault = _Vault(wanted)
    told = [(note, list(_sections(note))) for note in wanted]
    times = Counter(text for _, places in told for text in {s for _, _, said in places for s in said})
    drafts: list[Draft] = []
    for note, places in told:
        drafts += draft_from_fields(note)
        for heading, block, said in places:
            fresh = [sentence for sentence in said if times[sentence] == 1]
            for sentence in fresh:
                drafts += _of_sentence(vault, note, block, sentence)
            if fresh and fresh[0] == said[0] and _ASKS.fullmatch(heading) and not _VAGUE.search(heading):
                place = (note.path, block.span.start_line, block.block_id)
                drafts.append(Draft(heading, "", said[0], *place, "heading", 1))
    return asked_once(drafts)


def vocabulary(notes: Sequence[Note]) -> set[str]:
    """The terms of all notes."""
    found: set[str] = set()
    for note in notes:
        found.update(terms(plain(note.text)))
    return found


def _sections(note: Note) -> Iterator[tuple[str, Block, list[str]]]:
    """(heading that it is all the text of, block, its sentences) of each block of prose."""
    heading = ""
    for block, following in zip_longest(note.blocks, note.blocks[1:]):
        text = note.text[block.span.start : block.span.end]
        if block.kind is BlockKind.HEADING:
            heading = " ".join(plain(text).split()).lstrip("0123456789.) ")
            continue
        if block.kind is BlockKind.CALLOUT:
            text = text.partition("\n")[2]  # its title is no part of the first sentence
        if block.kind in _PROSE and "![" not in text:
            joined = " ".join(plain(text).split())
            said = [joined[start:end].strip() for start, end in sentence_spans(joined)]
            alone = following is None or following.kind is BlockKind.HEADING
            if said := [sentence for sentence in said if _is_prose(sentence)]:
                yield heading if alone else "", block, said
        heading = ""


def _is_prose(sentence: str) -> bool:
    return (
        20 <= len(sentence) <= 300
        and _NOT_PROSE.search(sentence) is None
        and sum(c.isalpha() or c.isspace() for c in sentence) >= 0.75 * len(sentence)
    )


def _of_sentence(vault: _Vault, note: Note, block: Block, sentence: str) -> Iterator[Draft]:
    def draft(rule: str, question: str, answer: str, subject: str = "") -> Iterator[Draft]:
        alone = not subject or _stands_alone(subject, note)
        if not alone:
            if rule == "definition" or len(note.title.split()) > _MOST_TITLE:
                return
            question = f"{question.rstrip('?')} ({note.title})?"
        place = (note.path, block.span.start_line, block.block_id)
        yield Draft(question, answer.strip(" ."), sentence, *place, rule, 2 if alone else 1)

    for pattern, template in DEFINITIONS:
        if found := pattern.fullmatch(sentence):
            x = vault.subject(found["x"], note)
            if x and not VALUED.match(found["a"]) and not (_PLURAL.fullmatch(x) and found["v"] == "is"):
                asked = template.format(v=found["v"], x=x)
                yield from draft("definition", asked, _first_clause(found["a"]), found["x"])
            return
    for rule, pattern, question in RULES:
        if found := pattern.match(sentence):
            if x := vault.subject(found["x"], note):
                yield from draft(rule, question(found, x), found["a"].rstrip(".,"), found["x"])
            return
    if found := THERE_ARE.match(sentence):
        asked = f"How many {found['unit']} {found['be']} there{found['rest'] or ''}?"
        yield from draft("number", asked, found["a"].rstrip(".,"), found["rest"] or found["unit"])
    elif (found := HOW_TO.match(sentence)) and found["a"].split()[0] not in _NO_ORDER:
        answer = _first_clause(found["a"])
        if not _VAGUE.search(f"{found['do']} {answer}"):
            yield from draft("how-to", f"How do I {_from_me(found['do'])}?", answer)


def _stands_alone(subject: str, note: Note) -> bool:
    """Whether it is clear what is asked for without the note: a name, or what the note is about."""
    words = subject.split()
    if any(word[:1].isupper() for word in words[1:]) or words[0].isupper():
        return True
    about = set(terms(" ".join([note.title, *note.aliases])))
    return bool(about.intersection(terms(subject)))


def _first_clause(text: str) -> str:
    """``text`` up to where it becomes particular, if that leaves some words."""
    text = _STOP.split(text)[0]
    for cut in _CLAUSE.finditer(text):
        words = text[: cut.start()].split()
        if len(words) > _FEW_WORDS and words[-2] != "to":
            return text[: cut.start()]
    return text


def _from_me(text: str) -> str:
    return " ".join(_ME.get(word, word) for word in text.split())
