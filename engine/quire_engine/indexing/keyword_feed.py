"""Keeps the keyword index in step with the database, through the outbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from quire_engine.index.keywords import weighted_terms
from quire_engine.indexing.desk import WriteDesk
from quire_engine.progress import Meter

_OUTBOX_PAGE = 8_000


class KeywordFeed:
    """Brings to the keyword index what the database says it lacks. The desk is held by whoever calls."""

    def __init__(self, desk: WriteDesk) -> None:
        self._desk = desk
        self._terms: dict[int, Mapping[str, float]] = {}
        """Analysed chunks that were written but are not in the keyword index yet."""

    def put(self, terms: Mapping[int, Mapping[str, float]]) -> None:
        """Take the terms of chunks that are written; they need not be analysed again."""
        self._terms.update(terms)

    def drop(self) -> None:
        """Forget what was put: it may not have been written."""
        self._terms.clear()

    def catch_up(self, meter: Meter) -> None:
        """Apply to the keyword index what the database says it lacks; rebuild it when it lost something."""
        store, outbox, keywords = self._desk.store, self._desk.store.outbox, self._desk.keywords
        applied, identity = keywords.applied, outbox.identity()
        behind = applied < outbox.trimmed
        ahead = applied > outbox.last_sequence  # also when a power failure took the database's last changes
        if behind or ahead or (applied and keywords.source != identity):
            # One of the two was deleted, restored or replaced: it lacks what the outbox no longer holds,
            # or holds what the database never said.
            self._begin_anew()
            applied = 0
        elif applied > outbox.trimmed:  # a process ended between the two commits
            with store.transaction():
                outbox.trim(applied)
        while page := outbox.page(applied, _OUTBOX_PAGE):
            meter.stage("keywords", len(page))
            last = {chunk: operation for _, operation, chunk in page}
            gone = [chunk for chunk, operation in last.items() if operation == "delete"]
            alive = [chunk for chunk, operation in last.items() if operation != "delete"]
            applied = page[-1][0]
            keywords.apply(gone, self._analysed(alive), applied, identity)
            with store.transaction():
                outbox.trim(applied)
            meter.advance(len(page))
        self._terms.clear()

    def rebuild(self, meter: Meter) -> None:
        """Make the keyword index anew from the database."""
        self._begin_anew()
        self.catch_up(meter)

    def _begin_anew(self) -> None:
        self._desk.keywords.clear()
        with self._desk.store.transaction():
            self._desk.store.outbox.refill()

    def _analysed(self, chunks: Sequence[int]) -> list[tuple[int, Mapping[str, float]]]:
        known = [(chunk, self._terms[chunk]) for chunk in chunks if chunk in self._terms]
        missing = [chunk for chunk in chunks if chunk not in self._terms]
        stored = self._desk.store.outbox.fields(missing)
        return [*known, *((chunk, weighted_terms(fields)) for chunk, fields in stored)]
