"""What links say about notes: pure functions over plain values.

A passage that answers to the question vouches for the notes that it links to, as far as the words around a
link are the question's (anchor text, extended to its line; Chakrabarti et al.: Automatic resource compilation
by analyzing hyperlink structure and associated text, WWW 1998). That lifts a note towards the passages that
vouch for it, never past them: who asks for what stands in a passage gets the passage first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from quire_engine.analysis import terms

VOUCHING = 50
"""The best candidates, whose links count."""
NEW_NOTES = 20
"""The most linked notes that become candidates."""
PASSAGES = 40
"""The passages of each linked note among which the best is looked for."""
_NEAREST = 0.85
"""How near a note comes to the best passage that vouches for it, by its score."""


@dataclass(frozen=True, slots=True)
class Support:
    """What passages that link to a note do for it."""

    strength: float
    """The sum of their scores, each times the share of the question's words around its link."""
    best: float
    """The best of their scores."""


def supports(
    scores: Mapping[int, float],
    texts: Mapping[int, str],
    links: Iterable[tuple[int, int, int]],
    rarity: Mapping[str, float],
    language: str = "",
) -> dict[int, Support]:
    """The support of each note, by note id, that passages with a score above 0 link to.

    ``scores`` and ``texts`` are of passages, by chunk id; a link is (chunk id, line of its text, note id);
    ``rarity`` holds the question's terms with their weights, and ``language`` is the one that they were
    analysed as. Of several links from a passage to a note the one with most of the question counts.
    """
    whole = sum(rarity.values())
    if whole <= 0:
        return {}
    lines: dict[int, list[str]] = {}
    shares: dict[tuple[int, int], float] = {}
    vouched: dict[tuple[int, int], float] = {}
    for chunk, line, note in links:
        if scores.get(chunk, 0.0) <= 0 or chunk not in texts:
            continue
        if chunk not in lines:
            lines[chunk] = texts[chunk].split("\n")
        line = min(line, len(lines[chunk]) - 1)
        if (chunk, line) not in shares:
            words = rarity.keys() & set(terms(lines[chunk][line], language))
            shares[chunk, line] = sum(rarity[word] for word in words) / whole
        if share := shares[chunk, line]:
            vouched[chunk, note] = max(share, vouched.get((chunk, note), 0.0))
    found: dict[int, Support] = {}
    for (chunk, note), share in vouched.items():
        before = found.get(note, Support(0.0, 0.0))
        score = scores[chunk]
        found[note] = Support(before.strength + score * share, max(before.best, score))
    return found


def newcomers(supported: Mapping[int, Support], known: Iterable[int]) -> list[int]:
    """The notes most vouched for that are not among the ``known``, best first."""
    others = supported.keys() - set(known)
    return sorted(others, key=lambda note: (-supported[note].strength, note))[:NEW_NOTES]


def best_of_each(scores: Mapping[int, float], notes: Mapping[int, int]) -> dict[int, int]:
    """The chunk with the highest score of each note, by note id; ``notes`` has the note of each chunk."""
    best: dict[int, int] = {}
    for chunk in sorted(scores, key=lambda chunk: (-scores[chunk], chunk)):
        best.setdefault(notes[chunk], chunk)
    return best


@dataclass(frozen=True, slots=True)
class Lift:
    """What links add to the score of a passage."""

    strength: float
    """Of its note's support."""
    added: float


def lifts(
    scores: Mapping[int, float],
    notes: Mapping[int, int],
    supported: Mapping[int, Support],
    weight: float,
) -> dict[int, Lift]:
    """What links add to the scores of chunks, by chunk id: of each supported note, to its best passage.

    Never so much that a passage passes the best of those that vouch for it. Scores are on a scale from 0, the
    one that `supports` was given; of any size, as twice the scores are lifted twice as much.
    """
    added: dict[int, Lift] = {}
    for note, chunk in best_of_each(scores, notes).items():
        if (support := supported.get(note)) is not None:
            lift = min(weight * support.strength, _NEAREST * support.best - scores[chunk])
            if lift > 0:
                added[chunk] = Lift(support.strength, lift)
    return added
