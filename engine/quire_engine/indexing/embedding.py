"""Works off the embedding queue, newest notes first, while others search and write."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from quire_engine.chunking.chunker import embed_text
from quire_engine.indexing.desk import WriteDesk
from quire_engine.indexing.early import EarlyVectors
from quire_engine.indexing.right_of_way import RightOfWay
from quire_engine.interfaces import Embedder
from quire_engine.progress import Meter

if TYPE_CHECKING:
    from quire_engine.interfaces import FloatArray

_FIRST_SLAB, _LEAST_SLAB, _MOST_SLAB = 16, 8, 8192
_SLAB_SECONDS = 0.3
"""About how long a slab takes to embed: what an interruption loses, and what a new edit waits for."""
_EDIT = 8
"""Up to so many texts are an edit, which somebody may be waiting for."""
_REBALANCE = 4
"""Splits and merges of shards, at most, after each slab: an index that grows stays quick to search."""
_WAIT = 60.0
_PATIENCE = 60.0
"""Seconds without a new vector after which another process that embeds is not waited for any longer."""
_LOOK_SECONDS = 0.2
"""How often to look how far another process has come."""


@dataclass(frozen=True, slots=True)
class _Slab:
    chunks: Sequence[int]
    texts: Mapping[bytes, str]
    """What to embed, by hash; the same text once."""


class Embedding:
    """Embeds what waits; holds the write lock only while vectors are stored."""

    def __init__(
        self,
        desk: WriteDesk,
        embedder: Embedder,
        early: EarlyVectors,
        waiting: Callable[[], int],
        questions: RightOfWay,
    ) -> None:
        """``waiting`` counts the chunks that wait for their vector, without the write lock."""
        self._desk = desk
        self._embedder = embedder
        self._early = early
        self.waiting = waiting
        self._questions = questions
        self._size = _FIRST_SLAB
        self._interrupted: Callable[[], bool] = lambda: False

    def run(self, meter: Meter, interrupted: Callable[[], bool], *, follow: bool) -> int:
        """Embed until nothing waits, or until ``interrupted``; returns how many texts went through the model.

        A slab is embedded in any case: notes that change all the time must not keep the others waiting.
        When another process is at it already this only waits for it (``follow``), or returns at once.
        """
        embedded = 0
        self._interrupted = interrupted
        while self.waiting():
            with self._desk.leading("embedding") as ours:
                if ours:
                    embedded += self._work(meter, interrupted)
            if ours or not follow:
                break
            meter.stage("embed", self.waiting())
            if not self._look_on(meter, interrupted) or interrupted():
                break
        return embedded

    def _writing(self) -> AbstractContextManager[None]:
        return self._desk.writing(_WAIT, self._interrupted)

    def _look_on(self, meter: Meter, interrupted: Callable[[], bool]) -> bool:
        """Wait for another process; False when that gets nowhere."""
        begun = left = self.waiting()
        moved = time.monotonic()
        while left and not interrupted():
            time.sleep(_LOOK_SECONDS)
            before, left = left, self.waiting()
            meter.advance(begun - left)
            with self._desk.leading("embedding") as ours:
                if ours:  # it ended before it was done
                    return True
            if left != before:
                moved = time.monotonic()
            elif time.monotonic() - moved > _PATIENCE:
                return False
        return True

    def _work(self, meter: Meter, interrupted: Callable[[], bool]) -> int:
        """One slab is embedded while the one before it is stored and the one after it is read."""
        embedded = done = 0
        loading = True
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="quire-embed") as model:
            with self._writing():
                self._store_early()
                waiting = self._desk.store.queued()
                slab = self._next(None)
            if slab:
                meter.stage("model", 0)
            running = self._start(model, slab)
            while slab:
                following = None
                if not interrupted() and not loading:
                    with self._writing():
                        following = self._next(slab)
                vectors, seconds = running.result()
                if loading:  # its time says nothing about the rate
                    meter.stage("embed", waiting)
                    loading = False
                else:
                    self._resize(seconds, len(slab.texts))
                running = self._start(model, following)
                with self._writing():
                    with self._desk.store.transaction():
                        self._desk.store.store_vectors(list(slab.texts), vectors, slab.chunks)
                    self._store_early()
                    self._desk.store.rebalance_shards(_REBALANCE)
                    left = self._desk.store.queued()
                    if following is None and not interrupted():
                        following = self._next(None)
                        running = self._start(model, following)
                embedded += len(slab.texts)
                done += len(slab.chunks)
                waiting = max(waiting, done + left)
                meter.total(waiting)
                meter.advance(waiting - left)
                slab = following
        with self._writing():
            with self._desk.store.transaction():
                self._desk.store.next_generation()
            self._desk.store.rebalance_shards()
        return embedded

    def _next(self, in_hand: _Slab | None) -> _Slab | None:
        """What to embed next, besides what is ``in_hand``; text that was embedded since it came is not."""
        store = self._desk.store
        busy, known = (set(in_hand.chunks), in_hand.texts.keys()) if in_hand else (set(), set())
        while True:
            rows = store.queue(self._size + len(busy))
            # The same text elsewhere gets the vector that is in hand once that is stored.
            rows = [row for row in rows if row[0] not in busy and row[1] not in known][: self._size]
            if not rows:
                return None
            with store.transaction():
                if not store.fill_vectors([row[0] for row in rows]):
                    break
        texts: dict[bytes, str] = {}
        for _, digest, headings, text in rows:
            texts.setdefault(digest, embed_text(headings, text))
        return _Slab([row[0] for row in rows], texts)

    def _start(self, model: ThreadPoolExecutor, slab: _Slab | None) -> Future[tuple[FloatArray, float]]:
        if slab is None:
            empty: Future[tuple[FloatArray, float]] = Future()
            return empty
        return model.submit(self._embed, list(slab.texts.values()))

    def _embed(self, texts: Sequence[str]) -> tuple[FloatArray, float]:
        if len(texts) > _EDIT:
            self._questions.give_way()
        begun = time.monotonic()
        return self._embedder.embed_passages(texts), time.monotonic() - begun

    def _resize(self, seconds: float, texts: int) -> None:
        if texts >= self._size // 2:
            wanted = int(texts * _SLAB_SECONDS / max(seconds, 1e-3))
            self._size = min(max(wanted, _LEAST_SLAB, self._size // 2), _MOST_SLAB, 2 * self._size)

    def _store_early(self) -> None:
        taken = self._early.take()
        waiting = self._desk.store.waiting(list(taken))
        if waiting:
            hashes = {digest: chunk for chunk, digest in waiting}
            vectors = np.stack([taken[chunk] for chunk in hashes.values()])
            with self._desk.store.transaction():
                self._desk.store.store_vectors(list(hashes), vectors, [chunk for chunk, _ in waiting])
