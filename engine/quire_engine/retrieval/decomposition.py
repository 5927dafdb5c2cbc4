"""Questions that are several: into parts that can be searched by themselves.

Conservative, since a wrong split costs more than none: each part must say by itself what it asks about, and
what does not follow one of the patterns stays whole. Parts are searched beside the whole question.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from quire_engine.analysis import terms
from quire_engine.retrieval.wording import folded_words, is_unspaced, units

_MOST_PARTS = 4
_LONGEST_SIDE = 8
"""Words of one side of a comparison."""
_LEAST_WORDS = 4
"""Of one of several questions; characters of a script without spaces count half."""
_LEAST_OF_CLAUSE = 3
"""Words of a clause that asks something ("who is Ada"); one that asks which or how many needs `_LEAST_WORDS`,
since "how many roses" only begins a question."""
_ASKS_WHICH = re.compile(r"(?:which|whose|welche[rsnm]?|how (?:many|much)|wie ?viele?|combien de)\b")
_QUESTION_END = re.compile(r"(?<=[?？؟])\s*")
_ASKING = (
    "what|who|whom|whose|which|when|where|why|how|was|wer|wann|wo|warum|wie|welche[rsnm]?|qui|quand|comment|"
    "pourquoi|combien|quien|cuando|donde|por que|como|chi|quando|dove|perche|quem|onde|"
    "кто|что|когда|где|почему|как|сколько"
)
_ASKS = re.compile(rf"(?:(?:in|on|at|by|to|for|from|since|of) )?(?:{_ASKING})\b")
_AND_ASKS = re.compile(
    rf"(?:,? (?:and(?: also)?|und|et|y|e(?: anche)?|и)|;) (?=(?:{_ASKING})\b)", re.IGNORECASE
)
_BETWEEN = re.compile(r"(?>.*\b(?:between|zwischen|entre|tra|fra|между)\b)(?!.*\b(?:and|und|et|y|e|и)\b)")
"""What an "and" is yet to follow that begins no question."""
_SENTENCE = re.compile(r"[:;?？؟]|[.,!] ")
_NO_SIDE = re.compile(rf"{_SENTENCE.pattern}|\b(?:{_ASKING})\b", re.IGNORECASE)
"""What stands in a sentence, not in the name of a thing."""
_REFERS_BACK = frozenset(
    "it its itself they them their theirs he him his she her hers this that these those there one ones other "
    "others former latter both each same such so else results er sie es ihr ihre ihm ihn sein seine dies "
    "diese dieser dieses il elle ils elles lui leur leurs son sa ses ce cette ces cela y en el ella ellos "
    "ellas su sus esto eso esta este estos estas lo la los las egli lei loro suo sua questo questa ele ela "
    "eles elas seu isso isto он она оно они его ее их это эти этот эта ему им".split()
)
_PERSONS = frozenset("they them their he him his she her er sie ihr ihm ihn il elle".split())
_WHO = frozenset("who whom whose wer wen wem qui quien chi quem кто".split())
_ARTICLES = frozenset("el la los las lo".split())
_SIDE = r"(?P<{}>\S+(?: \S+){{0,7}}?)"
_ONE, _OTHER = _SIDE.format("one"), _SIDE.format("other")
_SHORT_ONE, _SHORT_OTHER = (side.replace("{0,7}", "{0,2}") for side in (_ONE, _OTHER))
_CONTEXT = (
    r"(?P<context> (?:in terms of|with respect to|with regard to|regarding|when|in|for|on|at|during|bei|im|"
    r"dans|pour|para|nel|per|при) .+)?"
)
_END = r"\s*[?.!]*$"
_COMPARISONS = tuple(
    re.compile(f"{pattern}{_CONTEXT}{_END}" if "context" not in pattern else pattern, re.IGNORECASE)
    for pattern in (
        rf"\b(?:differences?|distinction|comparison|similarit(?:y|ies)) between {_ONE} and {_OTHER}",
        rf"^(?:please )?(?:compare|contrast|compare and contrast) {_ONE} "
        rf"(?:and|with|to|against|versus|vs\.?) {_OTHER}",
        rf"^(?:how|in what way) (?:do|does|did|is|are) {_ONE} (?:differ|different) from {_OTHER}",
        rf"^(?:what is better, )?{_SHORT_ONE} (?:vs\.?|versus|(?:as )?compared (?:to|with)) {_SHORT_OTHER}",
        rf"^(?:should|shall) (?:i|we) (?:use|choose|pick|take|learn|buy|prefer) {_ONE} or {_OTHER}",
        rf"^which (?:one )?is (?:better|faster|cheaper|easier|safer|more \w+)(?P<context> for [^,:?]+)?[,:] "
        rf"{_ONE},? or {_OTHER}{_END}",
        rf"\b(?:unterschiede?|vergleich) zwischen {_ONE} und {_OTHER}",
        rf"\bdifférences? entre {_ONE} et {_OTHER}",
        rf"\bdiferencias? entre {_ONE} y {_OTHER}",
        rf"\bdifferenz[ae] (?:tra|fra) {_ONE} e {_OTHER}",
        rf"\bdiferenças? entre {_ONE} e {_OTHER}",
        rf"\b(?:разниц\w|различи\w|отличи\w) между {_ONE} и {_OTHER}",
        rf"الفرق بين {_ONE} و ?{_OTHER}(?P<context>)\s*[?؟]*$",
        rf"^{_ONE} और {_OTHER}(?P<context>) (?:में|के बीच)(?: क्या)? (?:अंतर|फर्क).*$",
        r"^(?P<one>[^\s，,。]{1,20})[和与與跟](?P<other>[^\s，,。的]{1,20}?)(?P<context>)(?:之间|之間)?(?:的|有什么|有何)?"
        r"(?:区别|區別|差异|差異|不同|比较|比較).*$",
        r"^(?P<one>[^\s、。]{1,20})と(?P<other>[^\s、。]{1,20}?)(?P<context>)の(?:違い|差|比較).*$",
    )
)
_LIST = re.compile(r",| (?:and|or|und|oder|et|ou|y|o|e|и|или) |/", re.IGNORECASE)


def decompose(text: str) -> tuple[tuple[str, ...], bool]:
    """The parts of a question, empty when it is one, and whether they are the sides of a comparison."""
    if len(questions := asked(text)) > 1:
        return (tuple(questions) if _stand_alone(questions) else ()), False
    if sides := _sides(text):
        return sides, True
    clauses = _AND_ASKS.split(text)
    # Without a question before it, "and what" begins no second one; "of what" may be said of the first.
    if len(clauses) > 1 and _ASKS.match(folded_words(clauses[0])) and _ask_apart(clauses):
        return tuple(clause.strip(" ,;") for clause in clauses), False
    return (), False


def asked(text: str) -> list[str]:
    """The questions of ``text``, each with its mark; all of it when it does not consist of several."""
    questions = [part for part in _QUESTION_END.split(text) if folded_words(part)]
    several = len(questions) > 1 and all(map(_is_long, questions))
    return questions if several else [text]


def _is_long(text: str) -> bool:
    words = units(folded_words(text))
    return sum(0.5 if is_unspaced(word[0]) else 1 for word in words) >= _LEAST_WORDS


def _stand_alone(parts: Sequence[str]) -> bool:
    """Whether each part asks something, and none speaks of what another has named."""
    if not 2 <= len(parts) <= _MOST_PARTS:
        return False
    for number, part in enumerate(parts):
        refers = number > 0 and not _REFERS_BACK.isdisjoint(folded_words(part).split(" "))
        if refers or not _is_long(part) or len(set(terms(part))) < 2:
            return False
    return True


def _ask_apart(clauses: Sequence[str]) -> bool:
    """Whether each of several clauses that begin with question words asks something of its own.

    Whom the first asks for, the others may speak of: the question does not name them.
    """
    if not 2 <= len(clauses) <= _MOST_PARTS:
        return False
    folded = [folded_words(clause) for clause in clauses]
    words = [clause.split(" ") for clause in folded]
    refers = _REFERS_BACK - (_PERSONS if words[0][0] in _WHO else frozenset())
    if _BETWEEN.match(folded[0]) or any(not refers.isdisjoint(later) for later in words[1:]):
        return False
    content = [set(terms(clause)) for clause in clauses]
    for place, (clause, own) in enumerate(zip(folded, content, strict=True)):
        least = _LEAST_WORDS if _ASKS_WHICH.match(clause) else _LEAST_OF_CLAUSE
        if len(words[place]) < least or not own.difference(*content[:place], *content[place + 1 :]):
            return False
    return True


def _sides(text: str) -> tuple[str, ...]:
    for pattern in _COMPARISONS:
        if not (match := pattern.search(text)):
            continue
        one, other = (match[side].strip(" \"'“”„«».,;?！？") for side in ("one", "other"))
        if not all(map(_is_side, (one, other))):
            return ()
        context = (match["context"] or "").rstrip(" ?.!")
        if _SENTENCE.search(context):
            return ()
        return f"{one}{context}", f"{other}{context}"
    return ()


def _is_side(side: str) -> bool:
    words = folded_words(side).split(" ")
    named = terms(side) and len(words) <= _LONGEST_SIDE and words[0] not in _REFERS_BACK - _ARTICLES
    return bool(named) and not _LIST.search(side) and not _NO_SIDE.search(side)
