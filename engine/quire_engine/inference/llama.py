"""Generative models in GGUF files, run by llama.cpp in this process."""

from __future__ import annotations

import codecs
import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from quire_engine.errors import GenerationError
from quire_engine.inference.chat import ThinkingFilter
from quire_engine.inference.checksums import sha256_of
from quire_engine.inference.gguf_header import read_header
from quire_engine.inference.llama_runtime import (
    BATCH,
    AbortFlag,
    cannot_load,
    cores,
    forget_log,
    one_line,
    open_binding,
    require_memory,
)
from quire_engine.inference.sampling import Sampler
from quire_engine.inference.vocabulary import Vocabulary
from quire_engine.records import Message, PromptRead
from quire_engine.settings import AnswerSettings

_READ_STEP = 128
"""Tokens of a prompt that are read between two reports; whole steps outlive a cancellation."""
_LOOK = 0.02
"""Seconds between two looks at whether the reply is still wanted, while the model computes."""


class _Stopped(Exception):
    """The reply is not wanted any more, or the model was closed."""


class LlamaModel:
    """A language model from a GGUF file; implements `quire_engine.interfaces.LanguageModel`.

    Tokens can be counted from any thread, while a reply is generated too; of those there is one at a time, as
    `model_slot` sees to.
    """

    def __init__(self, path: Path, settings: AnswerSettings, name: str | None = None) -> None:
        """Load the model; ``name`` is what answers call it, by default the file's name.

        Raises `ModelError` when llama-cpp-python is not installed, when the file is missing or damaged, or
        when there is not enough memory.
        """
        header = read_header(path)
        self._llama_cpp = open_binding()
        self._path = path
        self._name = name or path.stem
        self._settings = settings
        self._window = min(settings.context_tokens, header.context)
        if settings.gpu_layers == 0 or not self._llama_cpp.llama_supports_gpu_offload():
            require_memory(self._name, header, self._window)
        self._closed = False
        self._generating = threading.Lock()
        self._llama: Any = self._load(path)
        self._abort = AbortFlag()
        self._abort.attach(self._llama_cpp, self._llama.ctx)
        lib, model = self._llama_cpp, self._llama.model
        # A recurrent state cannot go back. Older bindings know no hybrid models.
        is_hybrid = getattr(lib, "llama_model_is_hybrid", lib.llama_model_is_recurrent)
        self._rewinds = not (lib.llama_model_is_recurrent(model) or is_hybrid(model))
        self.vocabulary = Vocabulary(lib, model, header, self._name, self._llama.close)

    def _load(self, path: Path) -> Any:
        reading = self._settings.threads or cores()
        # llama.cpp's threads wait for each other after every operation: one that has to share its core holds
        # up all. On two cores beside a busy process, one thread writes 53 tokens/s, two write three.
        writing = self._settings.threads or max(1, cores() - 1)
        forget_log()
        try:
            llama = self._llama_cpp.Llama(
                str(path),
                n_ctx=self._window,
                n_batch=BATCH,
                n_ubatch=BATCH,
                n_threads=writing,
                n_threads_batch=reading,
                n_gpu_layers=self._settings.gpu_layers,
                verbose=False,
            )
        except Exception as error:
            # Besides its own ValueError, llama-cpp-python lets pass whatever a broken template raises.
            raise cannot_load(path, str(error)) from error
        return llama

    @property
    def name(self) -> str:
        return self._name

    @property
    def context(self) -> int:
        """Tokens that fit, prompt and answer together."""
        return self._window

    @property
    def sha256(self) -> str:
        """The SHA-256 of the file, in hexadecimal. Raises `ModelError` when it cannot be read any more."""
        return sha256_of(self._path)

    def count_tokens(self, text: str) -> int:
        """Tokens of a text as it stands in a message."""
        return len(self.vocabulary.tokens(text))

    def prompt_tokens(self, messages: Sequence[Message]) -> int:
        """Tokens of the whole prompt, those of the model's chat template included, exactly."""
        return len(self.vocabulary.prompt(messages))

    def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        grammar: str | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Iterator[PromptRead | str]:
        """How far the prompt is read, then the pieces of the reply, empty ones while the model thinks.

        Closing the iterator stops the generation, and so does ``cancelled`` while llama.cpp computes: what of
        the prompt was read in whole steps until then is known to the next one. ``grammar`` is in GBNF and
        begins after the model's thoughts. Raises `GenerationError` when prompt and reply do not fit in the
        context, when the grammar is malformed, when llama.cpp fails, when the model is closed, or when it is
        generating another reply.
        """
        if not self._generating.acquire(blocking=False):
            raise GenerationError(f"{self._name} is writing another answer; ask again when it is finished")
        try:
            with self._stoppable(cancelled), self._translated():
                prompt = self.vocabulary.prompt(messages)
                if len(prompt) + max_tokens > self._window:
                    raise GenerationError(
                        f"the prompt ({len(prompt)} tokens) and the answer ({max_tokens}) exceed the "
                        f"context of {self._name} ({self._window}); shorten the question or raise "
                        "answer.context_tokens"
                    )
                sampler = Sampler(self._llama_cpp, self.vocabulary.pointer, self._settings, grammar)
                with contextlib.closing(sampler):
                    thinking = self.vocabulary.layout(messages).opens_thinking
                    writing = self._write(sampler, max_tokens, thinking=thinking)
                    pieces: Iterator[PromptRead | str] = itertools.chain(self._read(prompt), writing)
                    for piece in pieces:
                        if cancelled():
                            raise _Stopped
                        yield piece
        except _Stopped:
            self._opened()
        finally:
            self._generating.release()
            if self._closed:
                self.close()

    def close(self) -> None:
        """Free the model; a running generation fails at once, and frees it then."""
        self._closed = True
        self._abort.set()
        # Never waits: the generation may belong to an iterator that the calling thread itself holds.
        if self._generating.acquire(blocking=False):
            try:
                self.vocabulary.close()  # and the weights with it
            finally:
                self._generating.release()

    @contextlib.contextmanager
    def _stoppable(self, cancelled: Callable[[], bool]) -> Iterator[None]:
        """Have what is computed inside stopped once ``cancelled``."""
        self._abort.clear()
        over = threading.Event()

        def look() -> None:
            while not over.is_set():
                if cancelled():
                    self._abort.set()
                    return
                over.wait(_LOOK)

        watcher = threading.Thread(target=look, name="generation", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()

    def _evaluate(self, tokens: list[int]) -> None:
        """Compute ``tokens`` behind what is known; raises `_Stopped`, with nothing of them known then."""
        llama = self._opened()
        if self._abort.is_set():
            raise _Stopped
        try:
            llama.eval(tokens)
        except RuntimeError as error:
            if not self._abort.is_set():
                raise
            if not self._rewinds:
                llama.reset()
            raise _Stopped from error

    def _read(self, prompt: list[int]) -> Iterator[PromptRead]:
        """Compute ``prompt`` behind what of it is known; its last token always, as the next one needs it."""
        llama, total = self._opened(), len(prompt)
        reach = min(llama.n_tokens, total - 1)
        differ = np.flatnonzero(llama.input_ids[:reach] != np.array(prompt[:reach], dtype=np.intc))
        known = int(differ[0]) if len(differ) else reach
        if known < llama.n_tokens and not self._rewinds:
            llama.reset()
            known = 0
        llama.n_tokens = known
        yield PromptRead(known, total, known)
        for start in range(known, total, _READ_STEP):
            self._evaluate(prompt[start : start + _READ_STEP])
            yield PromptRead(min(start + _READ_STEP, total), total, known)

    def _write(self, sampler: Sampler, max_tokens: int, *, thinking: bool) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        answer = ThinkingFilter(thinking=thinking)
        for left in range(max_tokens, 0, -1):
            token = sampler.next(self._opened().ctx, free=answer.thinking)
            if self.vocabulary.ends(token):
                break
            yield answer.feed(decoder.decode(self.vocabulary.piece(token)))
            if left > 1:
                self._evaluate([token])
        yield answer.feed(decoder.decode(b"", final=True)) + answer.finish()

    def _opened(self) -> Any:
        if self._closed:
            raise GenerationError(f"the language model {self._name} was closed; open it again")
        return self._llama

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (RuntimeError, ValueError, AssertionError, IndexError, OSError, MemoryError) as error:
            # What the cache holds after a failure is unknown.
            self._llama.reset()
            self._llama_cpp.llama_memory_clear(self._llama_cpp.llama_get_memory(self._llama.ctx), True)
            raise GenerationError(
                f"{self._name} failed while answering ({one_line(str(error))}); ask again, "
                "with a lower answer.context_tokens if it fails again"
            ) from error
