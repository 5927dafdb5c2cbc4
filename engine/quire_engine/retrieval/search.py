"""One search on its way: what was asked, what is known about it so far, and how long it took."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from quire_engine.interfaces import KeywordSearcher
from quire_engine.records import Filters, NamedNote, Plan, Query, Routing, Strategy
from quire_engine.retrieval.candidates import Candidates, Found, Lists
from quire_engine.retrieval.names import NoteNames
from quire_engine.retrieval.query import named_notes
from quire_engine.retrieval.restriction import Exclusion

if TYPE_CHECKING:
    from quire_engine.interfaces import FloatArray

_ANYWHERE = Routing("all")


class Clock:
    """Collects milliseconds by stage; a stage that comes again is added to."""

    def __init__(self) -> None:
        self._begun = self._last = time.perf_counter()
        self._stages: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.put(stage, now - self._last)
        self._last = now

    def put(self, stage: str, seconds: float) -> None:
        self._stages[stage] = round(self._stages.get(stage, 0.0) + seconds * 1000, 3)

    def seconds(self) -> float:
        """Since the beginning."""
        return time.perf_counter() - self._begun

    def timings(self) -> dict[str, float]:
        return {**self._stages, "total": round(self.seconds() * 1000, 3)}


@dataclass(slots=True)
class Search:
    """What is known about a search at some moment."""

    text: str
    """As it was given."""
    question: str
    """What is searched for: without operators, on one line."""
    now: float
    """Unix seconds."""
    query: Query
    strategy: Strategy
    filters: Filters
    """The given ones and those of the question's operators."""
    dense: bool
    """Whether vectors can be searched."""
    clock: Clock = field(default_factory=Clock)
    trust: float = 0.0
    """How far the embedding model can read the question."""
    vector: FloatArray | None = None
    """The question's."""
    parts: list[tuple[Lists, FloatArray | None]] = field(default_factory=list)
    """What was found for each part of the question, and its vector."""
    part_of: dict[int, int] = field(default_factory=dict)
    """The part that a candidate answers best, by chunk id; empty for a question of one part."""
    among: Sequence[int] | None = None
    """The chunks that were searched; ``None`` for all."""
    candidates: Candidates | None = None
    routing: Routing = _ANYWHERE
    topic_of: Mapping[int, str] = field(default_factory=dict)
    """By chunk id, of the candidates."""
    steps: list[str] = field(default_factory=list)
    damaged: bool = False
    """Whether one of the two lists could not be read."""
    wordless: bool = False
    """Whether that is the keyword list."""

    exclusion: Exclusion = field(init=False)
    """Of the filters."""

    def __post_init__(self) -> None:
        self.exclusion = Exclusion(self.filters.excluded, self.query.language)

    def seconds_left(self) -> float:
        return self.strategy.seconds - self.clock.seconds()

    def words(self, keywords: KeywordSearcher) -> Callable[[Sequence[int]], Found]:
        """What scores chunks by the question's words; nothing where the keyword list could not be read."""

        def scored(ids: Sequence[int]) -> Found:
            return [] if self.wordless else keywords.search(self.question, len(ids), among=ids)

        return scored

    def name(self, names: NoteNames) -> tuple[NamedNote, ...]:
        """Enter the notes that the question names, of those with ``names``, and return them."""
        self.query = replace(self.query, named=named_notes(self.text, names))
        return self.query.named

    def note(self, text: str) -> None:
        """Tell the user something about the question."""
        self.query = replace(self.query, notes=(*self.query.notes, text))

    def plan(self) -> Plan:
        query = replace(self.query, filters=replace(self.filters, prefer=()))
        return Plan(query, self.strategy, self.routing, tuple(self.steps))
