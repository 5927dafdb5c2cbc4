"""The language model that this process has loaded: one at a time, first come, first served.

Who counts tokens does not stand in that queue: for that a model's vocabulary is enough.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from quire_engine.errors import GenerationError
from quire_engine.inference.checksums import sha256_of
from quire_engine.inference.gguf_header import read_header
from quire_engine.inference.llama import LlamaModel
from quire_engine.inference.vocabulary import Vocabulary
from quire_engine.records import Message, PromptRead, Queued
from quire_engine.settings import AnswerSettings

_LOOK = 0.02
"""Seconds between two looks at whether somebody who waits still wants to."""


class SharedModel:
    """A language model that is loaded when it writes; implements `quire_engine.interfaces.LanguageModel`.

    Safe to use from several threads. A thread that holds an unfinished `stream` must not go on with another.
    Its vocabulary is loaded apart, when tokens are first counted, and kept until `close`.
    """

    def __init__(self, slot: ModelSlot, path: Path, settings: AnswerSettings) -> None:
        """Use `shared_model`."""
        self._slot = slot
        self._context = min(settings.context_tokens, read_header(path).context)
        self._closed = False
        self._counting = threading.Lock()
        self._vocabulary: Vocabulary | None = None
        self.path = path
        self.settings = settings
        loading = settings.model_dump(
            include={"context_tokens", "temperature", "seed", "gpu_layers", "threads"}
        )
        self.key = (str(path), *loading.values())
        """Equal for those that one loaded model serves."""

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def context(self) -> int:
        """Tokens that fit, prompt and answer together."""
        return self._context

    @property
    def sha256(self) -> str:
        """The SHA-256 of the file, in hexadecimal; read when first asked for, and again after it changes."""
        return sha256_of(self.path)

    def count_tokens(self, text: str) -> int:
        """Tokens of a text in a message; waits for nobody's reply.

        Raises `ModelError` when the vocabulary cannot be loaded, `GenerationError` when closed.
        """
        return len(self._counted_by().tokens(text))

    def prompt_tokens(self, messages: Sequence[Message]) -> int:
        """Tokens of the whole prompt, those of the model's chat template included, exactly; else as above."""
        return len(self._counted_by().prompt(messages))

    def _counted_by(self) -> Vocabulary:
        with self._counting:
            self._require_open()
            if self._vocabulary is None:
                self._vocabulary = Vocabulary.load(self.path)
            return self._vocabulary

    def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        grammar: str | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Iterator[Queued | PromptRead | str]:
        """As `LlamaModel.stream`, after those who came before.

        `Queued` comes for whoever has to wait: each time that fewer are before it, and with 0 for its turn.
        Raises `ModelError` when the model cannot be loaded, `GenerationError` as that does, and when it is
        closed meanwhile.
        """

        def unwanted() -> bool:
            return self._closed or cancelled()

        with self._slot.turn() as place:
            position = -1
            while position and not unwanted():
                before, position = position, self._slot.position(place, position)
                if position != before and (position or before > 0):
                    yield Queued(position)
            if not unwanted():
                model = self._slot.brought(self)
                pieces = model.stream(messages, max_tokens=max_tokens, grammar=grammar, cancelled=unwanted)
                with closing(pieces):  # type: ignore[type-var]
                    yield from pieces
        self._require_open()

    def _require_open(self) -> None:
        if self._closed:
            raise GenerationError(f"the language model {self.name} was closed; open it again")

    def close(self) -> None:
        """Have no more of it; its replies end. The memory is given back when nobody else uses the model."""
        self._closed = True
        self._slot.forget(self)
        with self._counting:
            if self._vocabulary is not None:
                self._vocabulary.close()


class ModelSlot:
    """Holds at most one loaded model, and the queue of those who want it, or another one.

    A model is loaded for the first reply, and closed when another one is loaded, when it has written nothing
    for `AnswerSettings.unload_minutes`, or when every `SharedModel` of it is closed. Who uses it stands at
    the head of the queue; it is never closed meanwhile.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._model: LlamaModel | None = None
        self._loaded: SharedModel | None = None
        self._queue: deque[object] = deque()
        self._shares: set[SharedModel] = set()
        self._timer: threading.Timer | None = None

    def share(self, path: Path, settings: AnswerSettings) -> SharedModel:
        """A model of this slot's, to be closed. Raises `ModelError` unless the file looks like a model."""
        shared = SharedModel(self, path, settings)
        with self._changed:
            self._shares.add(shared)
        return shared

    @contextmanager
    def turn(self) -> Iterator[object]:
        """A place at the end of the queue, which is left with the context."""
        place = object()
        with self._changed:
            self._stop_timer()
            self._queue.append(place)
        try:
            yield place
        finally:
            with self._changed:
                self._queue.remove(place)
            self._settle()

    def position(self, place: object, known: int) -> int:
        """How many are before ``place``, as soon as that is not ``known``, or after a moment."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue.index(place) != known, _LOOK)
            return self._queue.index(place)

    def brought(self, shared: SharedModel) -> LlamaModel:
        """The loaded model, for whoever's turn it is; the one that was loaded before is closed first."""
        with self._changed:
            if self._model is not None and self._serves(shared):
                return self._model
            old = self._taken()
        if old is not None:
            old.close()  # one at a time: two may not fit
        model = LlamaModel(shared.path, shared.settings)
        with self._changed:
            self._model, self._loaded = model, shared
        return model

    def forget(self, shared: SharedModel) -> None:
        """Forget a `SharedModel` that was closed."""
        with self._changed:
            self._shares.discard(shared)
        self._settle()

    def _serves(self, shared: SharedModel) -> bool:
        return self._loaded is not None and self._loaded.key == shared.key

    def _settle(self) -> None:
        """When nobody uses the model: close it if nobody can any more, else wait for the next who does."""
        with self._changed:
            self._changed.notify_all()
            self._stop_timer()
            if self._queue or self._loaded is None:
                return
            if any(self._serves(shared) for shared in self._shares):
                idle = min(self._loaded.settings.unload_minutes * 60, threading.TIMEOUT_MAX)
                self._timer = threading.Timer(idle, self._unload)
                self._timer.daemon = True
                self._timer.start()
                return
            old = self._taken()
        if old is not None:
            old.close()

    def _unload(self) -> None:
        """Runs in the timer, which whoever comes has stopped, or else has come too late for."""
        with self._changed:
            if self._timer is not threading.current_thread():
                return
            self._timer = None
            old = self._taken()
        if old is not None:
            old.close()

    def _taken(self) -> LlamaModel | None:
        old, self._model, self._loaded = self._model, None, None
        return old

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


_slot = ModelSlot()


def shared_model(path: Path, settings: AnswerSettings) -> SharedModel:
    """The language model of a GGUF file, loaded once for all in this process who ask for the same.

    Raises `ModelError` unless the file looks like a model.
    """
    return _slot.share(path, settings)
