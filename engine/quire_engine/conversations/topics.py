"""What a question or an answer speaks of: names, and noun phrases by rules."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from quire_engine.analysis import STOP_WORDS, fold
from quire_engine.conversations.words import (
    AUXILIARIES,
    BE,
    DETERMINERS,
    LINKING,
    MONTHS,
    PREPOSITIONS,
    QUESTION_WORDS,
    SUBJECTS,
    VAGUE,
)

_TOKEN = re.compile(
    r"\[\[[^\[\]\n]{1,200}\]\]|[\"“„«][^\"“”„«»\n]{1,80}[\"”“»]|[#@$€£]?\w+(?:[-'’.&/]\w+)*|[^\w\s]"
)
_POSSESSIVE = re.compile(r"['’]s$")
_MOST_TOKENS = 400
_PARTICIPLE = re.compile(r"(?:ed|ing|en)$")
_ENDING = frozenset(
    "due held ready done built made kept found sold sent lost run left set open closed told".split()
)
_PAST = re.compile(r"\w{2}[^\We]ed$")
_PAST_WORDS = frozenset(
    "began blew broke burst came fell froze gave got grew made ran rose took went wrote".split()
)
_WITHIN_NAMES = frozenset("of the de la von van der den del di du and & für der".split())


@dataclass(frozen=True, slots=True)
class Phrase:
    """A name or noun phrase, and where it stands in its text."""

    text: str
    start: int
    end: int
    named: bool
    """Whether it is, or holds, a name."""


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a mark, a link or something in quotes."""

    text: str
    start: int
    end: int

    @property
    def word(self) -> str:
        """Folded, without a possessive ending."""
        return fold(_POSSESSIVE.sub("", self.text))

    @property
    def is_word(self) -> bool:
        return self.text[-1].isalnum() or self.text[0] in '["“„«'

    @property
    def tells(self) -> bool:
        """Whether it is a word with a meaning of its own."""
        return self.is_word and self.word not in _FUNCTION


_FUNCTION = STOP_WORDS | AUXILIARIES | QUESTION_WORDS | DETERMINERS | PREPOSITIONS | LINKING


def tokens(text: str) -> list[Token]:
    """The words and marks of ``text``, in order; the first few hundred."""
    found = (Token(match[0], match.start(), match.end()) for match in _TOKEN.finditer(text[:4000]))
    return [token for _, token in zip(range(_MOST_TOKENS), found, strict=False)]


def names(text: str, *, known: Sequence[str] = ()) -> list[Phrase]:
    """The names in ``text``: words with capitals, digits and letters, links and quotes.

    A single capitalised word that begins a sentence is a name only when it is one of ``known`` words.
    """
    words = tokens(text)
    found: list[Phrase] = []
    place = 0
    familiar = {fold(name) for name in known}
    while place < len(words):
        end = _name_end(words, place)
        first = words[place]
        alone = end == place + 1 and begins(words, place) and not _always_name(first.text)
        if end > place and not (alone and first.word not in familiar):
            stop = words[end - 1]
            shown = _POSSESSIVE.sub("", text[first.start : stop.end])
            found.append(Phrase(shown, first.start, first.start + len(shown), True))
        place = max(end, place + 1)
    return found


def _name_end(words: Sequence[Token], place: int) -> int:
    end = place
    while end < len(words):
        if _is_name(words[end]) and (end > place or words[end].word not in _FUNCTION):
            end += 1
            if words[end - 1].text.endswith(("'s", "’s")):
                break
        elif (
            end > place
            and words[end].word in _WITHIN_NAMES
            and end + 1 < len(words)
            and words[end].word not in ("and", "the")
            and _is_name(words[end + 1])
        ):
            end += 2
        else:
            break
    return end


def _is_name(token: Token) -> bool:
    text = token.text
    return text.startswith(("[[", '"', "“", "„", "«")) or (
        token.is_word
        and (text[0].isupper() or _always_name(text))
        and token.word not in QUESTION_WORDS | AUXILIARIES
    )


def _always_name(text: str) -> bool:
    """Whether a word is a name wherever it stands: L07, 2.0, NASA, iPhone, [[link]]."""
    if text[0] in '["“„«#@':
        return True
    if text[0] in "$€£":
        return False
    if text[0].isdigit():
        return any(char.isalpha() for char in text)
    return any(char.isdigit() for char in text) or any(char.isupper() for char in text[1:])


def begins(words: Sequence[Token], place: int) -> bool:
    """Whether the word at ``place`` begins a sentence."""
    return place == 0 or words[place - 1].text in '.!?:;*•-|"“'


def noun_phrases(text: str) -> list[Phrase]:
    """Noun phrases of a question, in order, each with what is attached to it ("the train from A to B").

    By rules for English: what follows a determiner, an auxiliary or a question word, up to the verb.
    """
    words = tokens(text)
    found: list[Phrase] = []
    place = 0
    while place < len(words):
        end = _phrase_end(words, place)
        if end == place:
            place += 1
            continue
        end = _with_attachments(words, end)
        start, stop = words[place].start, words[end - 1].end
        shown = _POSSESSIVE.sub("", text[start:stop])
        found.append(Phrase(shown, start, start + len(shown), bool(names(f"x {shown}"))))
        place = end
    return found


def _phrase_end(words: Sequence[Token], place: int) -> int:
    """Where the noun phrase that begins at ``place`` ends; ``place`` when none does."""
    token = words[place]
    before = words[place - 1] if place else None
    determined = token.word in DETERMINERS
    if not determined and not token.tells:
        return place
    if before is not None and before.word in BE and words[0].word in ("who", "how") and not _is_name(token):
        after = words[place + 1] if place + 1 < len(words) else None
        if not determined and after is not None and after.word in PREPOSITIONS:
            return place  # "Who was present at the meeting": no thing
    if not determined and _is_verb_of(words[:place], token):
        return place
    end = place + 1 if determined else place
    states = begins(words, place)
    while end < len(words) and words[end].tells and end - place < 7:
        if states and end > place + determined and _is_verb_behind(words, end, determined=determined):
            break
        end += 1
    if determined and end == place + 1:
        return place
    if not determined and before is not None and before.word in ("many", "much"):
        return end if end < len(words) and words[end].word in AUXILIARIES | PREPOSITIONS else place + 1
    told = end - place - determined
    if before is None or told < 2:
        return end
    closes = (
        end == len(words) or not words[end].is_word or words[end].word in PREPOSITIONS | DETERMINERS | LINKING
    )
    last = words[end - 1].word
    # "does the fusion USE?", "is the report DUE?": the verb stands at the end; a name is none.
    if before.word in AUXILIARIES - BE and closes and not _is_name(words[end - 1]):
        return end - 1
    if (
        before.word in BE
        and closes
        and (place == 1 or last in _ENDING or _PARTICIPLE.search(last))  # "Is the kiln HOT?"
        and not _is_name(words[end - 1])
    ):
        return end - 1
    return end


def _is_verb_of(before: Sequence[Token], token: Token) -> bool:
    """Whether ``token`` is the verb of the word before it: "Who replaced …", "What failed", "do I make …"."""
    if not before or _is_name(token):
        return False
    asking = before[-1]
    if asking.word in SUBJECTS and len(before) > 1 and before[-2].word in AUXILIARIES:
        return True
    return asking.word == "who" or (asking.word == "what" and (_is_past(token) or token.word in VAGUE))


def _is_verb_behind(words: Sequence[Token], place: int, *, determined: bool) -> bool:
    """Whether the word at ``place`` is the verb of a statement: "The pump failed", not "newly painted"."""
    if not _is_past(words[place]) or words[place - 1].word.endswith("ly"):
        return False
    return determined or place + 1 == len(words) or not words[place + 1].tells


def _is_past(token: Token) -> bool:
    return not _is_name(token) and (token.word in _PAST_WORDS or _PAST.search(token.word) is not None)


def _with_attachments(words: Sequence[Token], end: int) -> int:
    while end + 1 < len(words) and words[end].word in PREPOSITIONS - {"about", "than"}:
        start = end + 1
        determined = words[start].word in DETERMINERS
        stop = start + determined
        limit = stop
        while limit < len(words) and words[limit].tells and limit - stop < 5:
            limit += 1
        if limit == stop:
            break
        if limit - stop > 1 and not determined and not _is_name(words[limit - 1]):
            # "from A to B depart": what follows the name is the verb
            while limit - stop > 1 and not _is_name(words[limit - 1]) and _is_name(words[stop]):
                limit -= 1
        end = limit
    return end


def is_year(text: str) -> bool:
    """Whether ``text`` is a year, or a month with or without one."""
    return all((word.isdigit() and len(word) == 4) or word in MONTHS for word in fold(text).split())


def topic_of(question: str) -> Phrase | None:
    """What a question is about; ``None`` when its words do not tell."""
    phrases = [phrase for phrase in noun_phrases(question) if not is_year(phrase.text)]
    named = names(question)
    determined = [p for p in phrases if fold(p.text).split(" ")[0] in DETERMINERS]
    for group in (
        [p for p in determined if p.named],
        [p for p in named if not is_year(p.text)],
        determined,
        phrases,
    ):
        if group:
            return group[0]
    return None


def asked_noun(question: str) -> str:
    """The noun after ``which`` or ``what`` ("Which temperature sensor …"); empty where there is none."""
    words = tokens(question)
    for place, token in enumerate(words[:4]):
        if token.word in ("which", "what"):
            end = place + 1
            while end < len(words) and words[end].tells and end - place < 4:
                end += 1
            if end > place + 1 and end < len(words) and words[end].word in AUXILIARIES:
                return question[words[place + 1].start : words[end - 1].end]
            if end > place + 2:  # "Which sensor failed": the last word is the verb
                return question[words[place + 1].start : words[end - 2].end]
    return ""
