"""How relevant passages are to a question: a cross-encoder reads both together, within a time limit."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from quire_engine import locations
from quire_engine.errors import ModelError, one_line
from quire_engine.inference.batches import padded, shared_out
from quire_engine.inference.catalogue import checked_reranker
from quire_engine.inference.heads import relevance_config
from quire_engine.inference.pace import Pace
from quire_engine.inference.pairs import Pair, PairTokenizer
from quire_engine.inference.runtimes import Runtime, open_runtime
from quire_engine.settings import Settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from quire_engine.inference.batches import Batch


class CrossEncoderReranker:
    """A `Reranker` over a folder with a cross-encoder as sentence-transformers and transformers save it."""

    def __init__(
        self,
        folder: Path,
        name: str,
        runtime: Callable[[], Runtime],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Load the tokenizer; ``runtime`` is called, in a thread, when first needed.

        ``clock`` tells seconds. Raises `ModelError` when the folder lacks a file, holds one that cannot be
        read, or a model of more than one output.
        """
        self._folder = folder
        self._name = name
        self._config = relevance_config(folder)
        self._tokenizer = PairTokenizer(folder, self._config.max_tokens)
        self._make_runtime = runtime
        self._runtime: Future[Runtime] | None = None
        self._loading = threading.Lock()
        self._clock = clock
        self._pace = Pace()

    @property
    def name(self) -> str:
        return self._name

    def prepare(self) -> Future[Runtime]:
        """Begin to load the network, unless that was done, and return without waiting for it."""
        with self._loading:
            if self._runtime is None:
                thread = ThreadPoolExecutor(1, thread_name_prefix="quire-reranker")
                self._runtime = thread.submit(self._make_runtime)
                thread.shutdown(wait=False)
            return self._runtime

    def scores(self, question: str, passages: Sequence[str], *, seconds: float | None) -> list[float] | None:
        """As `Reranker.scores` says. Raises `ModelError` when the network cannot be loaded or run."""
        if not passages:
            return []
        begun = self._clock()
        loading = self.prepare()
        try:
            runtime = loading.result(seconds)
        except TimeoutError:
            return None  # it goes on loading, for the questions to come
        except ModelError:
            with self._loading:
                if (
                    self._runtime is loading
                ):  # said once, it is tried again: a full disk may have been the reason
                    self._runtime = None
            raise
        work = _Work(self._tokenizer.pairs(question, passages), runtime, self._config.tells_texts_apart)
        limit = None if seconds is None else seconds - (self._clock() - begun)
        if limit is not None and not self._pace.fits(work.tokens, limit):
            return None
        try:
            logits = work.run(limit, self._clock, self._pace)
        except MemoryError:
            raise
        except Exception as error:  # whatever OpenVINO or torch raise for what a device or the model lacks
            raise ModelError(f"reranker in {self._folder} cannot be run: {one_line(error)}") from error
        if logits is None:
            return None
        if not np.isfinite(logits).all():
            raise ModelError(f"reranker in {self._folder} does not compute numbers; get the model again")
        probabilities: list[float] = np.exp(-np.logaddexp(0.0, -logits)).tolist()
        return probabilities


class _Work:
    """The pairs of one question, in batches."""

    def __init__(self, pairs: Sequence[Pair], runtime: Runtime, typed: bool) -> None:
        self._runtime = runtime
        self._typed = typed
        self._pairs = pairs
        lengths = [len(pair.ids) for pair in pairs]
        self._rows = list(shared_out(lengths, runtime.batch_tokens, runtime.parallel))
        self._sizes = [sum(lengths[row] for row in rows) for rows in self._rows]
        self.tokens = sum(self._sizes)

    def run(
        self, seconds: float | None, clock: Callable[[], float], pace: Pace
    ) -> NDArray[np.float64] | None:
        """The logit of each pair; ``None`` when the time is over, or will be before the last batch is begun.

        What has been computed when a batch is to begin is taken to be half of what is being computed, and all
        that has come back.
        """
        begun = clock()
        taken: deque[int] = deque()
        started = landed = 0
        logits = np.full(len(self._pairs), np.nan)

        def batches() -> Iterator[Batch]:
            nonlocal started
            for number, (rows, size) in enumerate(zip(self._rows, self._sizes, strict=True)):
                if seconds is not None:
                    passed, done = clock() - begun, (started + landed) / 2
                    if passed >= seconds or (landed and passed * self.tokens > seconds * done):
                        return
                started += size
                taken.append(number)
                pairs = [self._pairs[row] for row in rows]
                types = [pair.types for pair in pairs] if self._typed else None
                yield padded([pair.ids for pair in pairs], types)

        for found in self._runtime.run(batches()):
            number = taken.popleft()
            logits[self._rows[number]] = found[:, 0]
            landed += self._sizes[number]
        pace.record(landed, clock() - begun)
        return logits if landed == self.tokens else None


_shared: dict[tuple[str, ...], CrossEncoderReranker] = {}
_sharing = threading.Lock()


def open_reranker(settings: Settings) -> CrossEncoderReranker | None:
    """The reranker that the settings ask for, its files checked; ``None`` when none is installed or wanted.

    Once for all in this process who ask for the same. The network loads when first needed, on the runtime
    that ``embedding.runtime`` and ``embedding.threads`` name. Raises `ModelError` when the chosen model is
    missing, damaged or of a kind that cannot be run.
    """
    found = checked_reranker(settings.retrieval)
    if found is None:
        return None
    folder, digest, name = found
    runtime = settings.embedding
    key = (runtime.runtime, str(runtime.threads), str(folder), digest, str(locations.cache_dir()))
    with _sharing:
        if key not in _shared:
            _shared[key] = CrossEncoderReranker(
                folder, name, lambda: open_runtime(folder, digest, runtime, "relevance")
            )
        return _shared[key]
