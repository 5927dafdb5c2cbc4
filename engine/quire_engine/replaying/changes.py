"""What became of the passages of an answer: edited, moved, gone, or joined by new ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from quire_engine.records import Hit
from quire_engine.replaying.differences import text_difference

ChangeKind = Literal["edited", "gone", "entered", "moved", "left"]
"""``moved``: its text stands elsewhere now; ``left``: it is as it was, and is not found any more;
``entered``: it is found now, and was not among the passages."""

_ALIKE = 0.3
"""The share of words from which a passage is taken for an edited one: less is another passage."""

Passages = Callable[[str], Sequence[Hit]]
"""All passages of the note at a path as they are now; none for a note that is gone."""


@dataclass(frozen=True, slots=True)
class PassageChange:
    """What became of one passage."""

    kind: ChangeKind
    then: Hit | None
    """``None`` for one that entered."""
    now: Hit | None
    """``None`` for one that is gone."""

    @property
    def diff(self) -> tuple[str, ...]:
        """The lines of a unified diff of its text, headings included; none where the text is the same."""
        return text_difference(_text(self.then), _text(self.now))


@dataclass(frozen=True, slots=True)
class NoteChange:
    """What became of the passages of one note."""

    path: str
    gone: bool
    """Whether the index has no note there any more."""
    passages: tuple[PassageChange, ...]

    @property
    def edits(self) -> bool:
        """Whether what the note says has changed, as far as the answer is concerned."""
        return any(change.kind in ("edited", "gone", "entered") for change in self.passages)


def changes_between(then: Sequence[Hit], now: Sequence[Hit], passages: Passages) -> list[NoteChange]:
    """What became of each note of ``then`` and ``now``, two lists of hits; only notes with a change.

    Notes stand in the order of ``then``, further ones in that of ``now``.
    """
    paths = list(dict.fromkeys(hit.path for hit in (*then, *now)))
    present = {path: passages(path) for path in paths}
    standing = _standing(then, present)
    edited = _edited(then, standing, present)
    elsewhere = _elsewhere(then, {**standing, **edited}, now)
    found = {_place(hit) for hit in now}
    known = {_place(hit) for hit in (*standing.values(), *edited.values(), *elsewhere.values())}
    changes: dict[str, list[PassageChange]] = {path: [] for path in paths}
    for number, old in enumerate(then):
        if number in standing:
            new = standing[number]
            if (old.start_line, old.end_line) != (new.start_line, new.end_line):
                changes[old.path].append(PassageChange("moved", old, new))
            elif _place(new) not in found:
                changes[old.path].append(PassageChange("left", old, new))
        elif number in edited:
            changes[old.path].append(PassageChange("edited", old, edited[number]))
        elif number in elsewhere:
            changes[old.path].append(PassageChange("moved", old, elsewhere[number]))
        else:
            changes[old.path].append(PassageChange("gone", old, None))
    for new in now:
        if _place(new) not in known:
            changes[new.path].append(PassageChange("entered", None, new))
    return [NoteChange(path, not present[path], tuple(each)) for path, each in changes.items() if each]


def with_edits_of(change: NoteChange, then: Sequence[Hit], now: Sequence[Hit], limit: int) -> tuple[Hit, ...]:
    """The hits of ``then`` as they would be if ``change`` alone had happened, at most ``limit``.

    A passage keeps its place. Its score, and where a new one stands, are those of ``now``, where it is found.
    """
    scored = {_place(hit): hit for hit in now}
    became = {_place(each.then): each for each in change.passages if each.then is not None}
    hits: list[Hit] = []
    for old in then:
        each = became.get(_place(old))
        if each is None or each.kind == "left":
            hits.append(old)
        elif each.now is not None:
            like = scored.get(_place(each.now), old) if each.kind == "edited" else old
            hits.append(
                replace(
                    each.now, score=like.score, trace=like.trace, links=like.links, entities=like.entities
                )
            )
    for each in change.passages:
        if each.kind == "entered" and each.now is not None:
            place = next((n for n, hit in enumerate(hits) if hit.score < each.now.score), len(hits))
            hits.insert(place, each.now)
    return tuple(replace(hit, rank=rank) for rank, hit in enumerate(hits[:limit], start=1))


def _standing(then: Sequence[Hit], present: Mapping[str, Sequence[Hit]]) -> dict[int, Hit]:
    """By the number of a hit: the passage of its note that says the same, the nearest one first."""
    pairs = sorted(
        (abs(old.start_line - new.start_line), number, place)
        for number, old in enumerate(then)
        for place, new in enumerate(present[old.path])
        if _says(old) == _says(new)
    )
    return _matched(then, present, [(number, place) for _, number, place in pairs], {})


def _edited(
    then: Sequence[Hit], standing: Mapping[int, Hit], present: Mapping[str, Sequence[Hit]]
) -> dict[int, Hit]:
    """By the number of a hit that does not stand any more: the passage of its note that is most like it."""
    words = {path: [_words(hit) for hit in hits] for path, hits in present.items()}
    pairs = []
    for number, old in enumerate(then):
        if number in standing:
            continue
        mine = _words(old)
        for place, others in enumerate(words[old.path]):
            shared = (mine & others).total()
            alike = 2 * shared / max(1, mine.total() + others.total())
            if alike >= _ALIKE:
                away = abs(old.start_line - present[old.path][place].start_line)
                pairs.append((-alike, away, number, place))
    return _matched(then, present, [pair[2:] for pair in sorted(pairs)], standing)


def _matched(
    then: Sequence[Hit],
    present: Mapping[str, Sequence[Hit]],
    pairs: Sequence[tuple[int, int]],
    before: Mapping[int, Hit],
) -> dict[int, Hit]:
    """The best of ``pairs`` (hit, place in its note) in which no hit and no passage occurs twice."""
    taken = {_place(hit) for hit in before.values()}
    chosen: dict[int, Hit] = {}
    for number, place in pairs:
        new = present[then[number].path][place]
        if number not in chosen and _place(new) not in taken:
            chosen[number] = new
            taken.add(_place(new))
    return chosen


def _elsewhere(then: Sequence[Hit], settled: Mapping[int, Hit], now: Sequence[Hit]) -> dict[int, Hit]:
    """By the number of a hit that its note lacks: a hit in another note that says the same."""
    taken = {_place(hit) for hit in settled.values()}
    chosen: dict[int, Hit] = {}
    for number, old in enumerate(then):
        if number in settled or not old.text.strip():
            continue
        for new in now:
            if new.text == old.text and new.path != old.path and _place(new) not in taken:
                chosen[number] = new
                taken.add(_place(new))
                break
    return chosen


def _place(hit: Hit) -> tuple[str, int]:
    return hit.path, hit.chunk_id


def _says(hit: Hit) -> tuple[object, ...]:
    return hit.text, hit.headings, hit.title


def _words(hit: Hit) -> Counter[str]:
    return Counter(" ".join((*hit.headings, hit.text)).split())


def _text(hit: Hit | None) -> str:
    if hit is None:
        return ""
    return "\n".join([f"[{' › '.join(hit.headings)}]", hit.text] if hit.headings else [hit.text])
