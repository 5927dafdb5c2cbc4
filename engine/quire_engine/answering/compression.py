"""Fits what a wave found into the tokens there are: what repeats goes, then what bears least on the question.

Only whole pieces (sentences, list items, table rows with their header, blocks of code) are kept or left out.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from quire_engine.analysis import terms
from quire_engine.answering.excerpts import Piece, line_of, pieces, render, restricted, text_of, with_needed
from quire_engine.records import Hit, Omission

REPEATS = "repeats what another passage says"
DID_NOT_FIT = "did not fit"

_Content = frozenset[str]
_Shingle = tuple[str, ...]

_SHINGLE = 3
_SAME = 0.4
"""The share of their shingles that two sentences of the same content words must have in common to say the
same: one other stop word costs up to three of them."""
_DENIALS = frozenset(("no", "nor", "not"))
"""The stop words that turn a sentence round."""
_RANK_WEIGHT = 0.35
"""What the passage's place in the wave counts, from the first to the last; relevance counts 1."""
_NEIGHBOUR_WEIGHT = 0.35
"""What it counts that the sentence before or after is relevant: answers stand beside what is asked about."""
_CENTRAL_WEIGHT = 0.1
"""What it counts that a sentence's words are those of its note's other passages."""
_REDUNDANT_WEIGHT = 0.3
"""What is taken off, as in maximal marginal relevance (Carbonell and Goldstein, 1998), for shared words."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A passage as it is shown."""

    hit: Hit
    """With the shown sentences only; its text is whole."""
    text: str


class Said:
    """The sentences that were shown, to know others that say the same in nearly the same words.

    Without vectors: hits that mean the same were collapsed by the search already. A sentence with a name, a
    number or a "not" of its own says something new, however much of it is known.
    """

    def __init__(self, before: Said | None = None) -> None:
        """What was said ``before`` is known, too; what is added here is not added there."""
        self._before = before
        self._known: dict[_Content, list[frozenset[_Shingle]]] = {}

    def add(self, hit: Hit) -> None:
        """Take in the sentences of ``hit``."""
        for start, end in hit.sentences:
            self.add_text(hit.text[start:end])

    def add_text(self, sentence: str) -> None:
        """Take in one sentence, or some that are kept or left out together."""
        content, shingles = _analysed(sentence)
        self._known.setdefault(content, []).append(shingles)

    def repeats(self, sentence: str) -> bool:
        """Whether a known sentence has the same content words, most of them in the same order."""
        content, shingles = _analysed(sentence)
        known = self._known.get(content, ())
        if any(len(shingles & other) >= _SAME * len(shingles | other) for other in known):
            return True
        return self._before is not None and self._before.repeats(sentence)

    def repeats_all(self, hit: Hit) -> bool:
        """Whether every sentence of ``hit`` is known; never for one without sentences."""
        return bool(hit.sentences) and all(self.repeats(hit.text[a:b]) for a, b in hit.sentences)


def without_repetitions(hits: Sequence[Hit], said: Said) -> tuple[list[Hit], list[Omission]]:
    """``hits`` without those that only repeat what was ``said``, or what hits before them say."""
    said = Said(said)
    kept: list[Hit] = []
    omitted: list[Omission] = []
    for hit in hits:
        if said.repeats_all(hit):
            omitted.append(Omission(hit.path, hit.start_line, hit.end_line, REPEATS))
        else:
            said.add(hit)
            kept.append(hit)
    return kept, omitted


@dataclass(slots=True)
class _Candidate:
    hit: int
    place: int
    value: float
    text: str
    words: frozenset[str]
    redundancy: float = 0.0
    compared: int = 0
    """With how many chosen pieces."""

    def score(self, chosen: Sequence[_Candidate]) -> float:
        """The value, less what one of the ``chosen`` has of its words."""
        for other in chosen[self.compared :]:
            self.redundancy = max(self.redundancy, len(self.words & other.words) / (len(self.words) or 1))
        self.compared = len(chosen)
        return self.value - _REDUNDANT_WEIGHT * self.redundancy


def compress(
    hits: Sequence[Hit],
    relevance: Sequence[Sequence[float]],
    *,
    room: int,
    tokens: Callable[[str], int],
    frame: Callable[[Hit], int],
    said: Said,
) -> list[Excerpt]:
    """The pieces of ``hits`` that bear most on the question, in about ``room`` tokens.

    ``relevance`` holds a number for each sentence of each hit, on one scale for all. ``frame`` says what a
    passage costs besides its text. Passages keep their order, pieces theirs; sentences that ``said`` holds
    are left out. Where no list item or code block fits, single sentences of it are taken.
    """
    for taken_apart in (False, True):
        parts = [pieces(hit, taken_apart=taken_apart) for hit in hits]
        candidates = _candidates(hits, parts, relevance, said)
        kept = _choose(hits, parts, candidates, room, tokens, frame)
        if any(kept):
            break
    return [
        Excerpt(restricted(hit, own, chosen), render(hit, own, chosen))
        for hit, own, chosen in zip(hits, parts, map(sorted, kept), strict=True)
        if chosen
    ]


def shortened(hit: Hit, excerpt: Excerpt | None) -> Omission | None:
    """What of ``hit`` is not shown; ``None`` when everything is."""
    if excerpt is None:
        return Omission(hit.path, hit.start_line, hit.end_line, DID_NOT_FIT)
    missing = [span for span in hit.sentences if span not in excerpt.hit.sentences]
    if not missing:
        return None
    return Omission(
        hit.path,
        line_of(hit, missing[0][0]),
        line_of(hit, missing[-1][1]),
        f"shortened to {len(excerpt.hit.sentences)} of {len(hit.sentences)} sentences",
    )


def _candidates(
    hits: Sequence[Hit], parts: Sequence[Sequence[Piece]], relevance: Sequence[Sequence[float]], said: Said
) -> list[_Candidate]:
    most = max((value for numbers in relevance for value in numbers), default=0.0)
    scale = most if most > 0 else 1.0
    found: list[_Candidate] = []
    central = _centrality(hits, parts)
    for number, (hit, own) in enumerate(zip(hits, parts, strict=True)):
        rank = _RANK_WEIGHT * (1 - number / len(hits))
        direct = [
            max((relevance[number][place] / scale for place in part.sentences), default=0.0) for part in own
        ]
        for place, part in enumerate(own):
            text = text_of(hit, part)
            if said.repeats(text):
                continue
            beside = max([*direct[max(0, place - 1) : place], *direct[place + 1 : place + 2]], default=0.0)
            value = (
                direct[place] + _NEIGHBOUR_WEIGHT * beside + rank + _CENTRAL_WEIGHT * central[number][place]
            )
            found.append(_Candidate(number, place, value, text, frozenset(terms(text))))
    return found


def _centrality(hits: Sequence[Hit], parts: Sequence[Sequence[Piece]]) -> list[list[float]]:
    """How far each piece's words are those of its note, as far as it was found, 0 to 1."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    words = [
        [frozenset(terms(text_of(hit, part))) for part in own] for hit, own in zip(hits, parts, strict=True)
    ]
    for hit, own_words in zip(hits, words, strict=True):
        for piece_words in own_words:
            counts[hit.path].update(piece_words)
    central: list[list[float]] = []
    for hit, own_words in zip(hits, words, strict=True):
        note = counts[hit.path]
        shares = [sum(note[w] - 1 for w in piece) / (len(piece) or 1) for piece in own_words]
        most = max(shares, default=0.0) or 1.0
        central.append([share / most for share in shares])
    return central


def _choose(
    hits: Sequence[Hit],
    parts: Sequence[Sequence[Piece]],
    candidates: list[_Candidate],
    room: int,
    tokens: Callable[[str], int],
    frame: Callable[[Hit], int],
) -> list[set[int]]:
    """The places of the kept pieces of each hit: the best one first, as long as they fit."""
    kept: list[set[int]] = [set() for _ in hits]
    taken: list[_Candidate] = []
    said = Said()
    heap = [(-candidate.value, order) for order, candidate in enumerate(candidates)]
    heapq.heapify(heap)
    while heap and room > 0:
        _, order = heapq.heappop(heap)
        best = candidates[order]
        score = best.score(taken)
        if heap and -score > heap[0][0]:  # what was chosen since holds some of it
            heapq.heappush(heap, (-score, order))
            continue
        hit, own, chosen = hits[best.hit], parts[best.hit], kept[best.hit]
        new = [place for place in with_needed(own, best.place) if place not in chosen]
        if best.place not in new or said.repeats(best.text):
            continue
        # An ellipsis or a line end stands between one piece and the next.
        cost = sum(tokens(text_of(hit, own[place])) + 1 for place in new)
        cost += 0 if chosen else frame(hit)
        if cost <= room:
            chosen.update(new)
            room -= cost
            taken.append(best)
            said.add_text(best.text)
    return kept


def _analysed(sentence: str) -> tuple[_Content, frozenset[_Shingle]]:
    """The content words, with what denies, and the shingles of ``sentence``."""
    words = terms(sentence, keep_stop_words=True)
    content = frozenset(terms(sentence)) | _DENIALS.intersection(words)
    length = min(_SHINGLE, len(words))
    return content, frozenset(
        tuple(words[place : place + length]) for place in range(len(words) - length + 1)
    )
