"""Generative models in GGUF files, run by llama.cpp in this process."""

from __future__ import annotations

import codecs
import contextlib
import ctypes
import os
import re
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from quire_engine.errors import GenerationError, ModelError
from quire_engine.inference.chat import ChatTemplate, ThinkingFilter
from quire_engine.inference.gguf_header import GGUFHeader, read_header
from quire_engine.settings import AnswerSettings

_BATCH = 512
_READ_STEP = 128
"""Tokens of a prompt that are read before the consumer gets a chance to stop."""
_WORD_JOINER = "\u2060"


class LlamaModel:
    """A language model from a GGUF file; implements `quire_engine.interfaces.LanguageModel`.

    Safe to use from several threads; one reply is generated at a time, further ones wait.
    """

    def __init__(self, path: Path, settings: AnswerSettings, name: str | None = None) -> None:
        """Load the model; ``name`` is what answers call it, by default the file's name.

        Raises `ModelError` when llama-cpp-python is not installed, when the file is missing or damaged, or
        when there is not enough memory.
        """
        header = read_header(path)
        self._llama_cpp = _llama_cpp()
        self._name = name or path.stem
        self._settings = settings
        self._window = min(settings.context_tokens, header.context)
        if settings.gpu_layers == 0 or not self._llama_cpp.llama_supports_gpu_offload():
            _require_memory(self._name, header, self._window)
        self._closed = False
        self._generating = threading.Lock()
        self._reading = threading.Lock()
        self._llama: Any = self._load(path)
        self._vocab = self._llama_cpp.llama_model_get_vocab(self._llama.model)
        self._template = ChatTemplate.render(
            header.chat_template, bos=self._token_text(self._bos), eos=self._token_text(self._eos)
        )
        # A vocabulary may keep the thinking tags as control tokens, which have no text of their own.
        self._thinking = {
            tokens[0]
            for tag in (b"<think>", b"</think>")
            if len(tokens := self._llama.tokenize(tag, add_bos=False, special=True)) == 1
        }
        self._structure = self._structural_tokens()
        self._overhead = len(self._prompt("", ""))

    def _load(self, path: Path) -> Any:
        threads = self._settings.threads or _cores()
        _LOG.clear()
        try:
            llama = self._llama_cpp.Llama(
                str(path),
                n_ctx=self._window,
                n_batch=_BATCH,
                n_ubatch=_BATCH,
                n_threads=threads,
                n_threads_batch=threads,
                n_gpu_layers=self._settings.gpu_layers,
                verbose=False,
            )
        except Exception as error:
            # Besides its own ValueError, llama-cpp-python lets pass whatever a broken template raises.
            reason = next((line for line in reversed(_LOG) if "error" in line.lower()), str(error))
            lack = ("alloc" in reason) or ("memory" in reason) or ("llama_context" in str(error))
            advice = (
                "there is not enough memory: lower answer.context_tokens or choose a smaller model"
                if lack
                else "download it again, or update llama-cpp-python if the model is newer than it"
            )
            raise ModelError(f"cannot load {path} ({_one_line(reason)}); {advice}") from error
        # Llama's constructor takes a seed of 0 for "random".
        llama.set_seed(self._settings.seed)
        return llama

    @property
    def name(self) -> str:
        return self._name

    @property
    def context(self) -> int:
        """Tokens that fit, prompt and answer together; those of the chat template are already taken off."""
        return self._window - self._overhead

    def count_tokens(self, text: str) -> int:
        return len(self._tokenize(text))

    def stream(self, system: str, user: str, *, max_tokens: int, grammar: str | None = None) -> Iterator[str]:
        """Pieces of the reply as they are generated; empty ones while the prompt is read.

        Closing the iterator stops the generation. ``grammar`` is in GBNF. Raises `GenerationError` when
        prompt and reply do not fit in the context, when the grammar is malformed, when llama.cpp fails, or
        when the model is closed.
        """
        with self._generating:
            try:
                with self._translated():
                    prompt = self._prompt(system, user)
                    if len(prompt) + max_tokens > self._window:
                        raise GenerationError(
                            f"the prompt ({len(prompt)} tokens) and the answer ({max_tokens}) exceed the "
                            f"context of {self._name} ({self._window}); shorten the question or raise "
                            "answer.context_tokens"
                        )
                    rules = self._grammar(grammar) if grammar else None
                    yield from self._read(prompt[:-1])
                    yield from self._write(prompt, max_tokens, rules)
            finally:
                if self._closed:
                    self._free()

    def close(self) -> None:
        """Free the model; a running generation fails at its next step, and frees it then."""
        self._closed = True
        # Never waits: the generation may belong to an iterator that the calling thread itself holds.
        if self._generating.acquire(blocking=False):
            try:
                self._free()
            finally:
                self._generating.release()

    def _free(self) -> None:
        with self._reading:
            if self._llama is not None:
                self._llama.close()
                self._llama = None

    def _read(self, prompt: list[int]) -> Iterator[str]:
        """Evaluate ``prompt`` behind what it shares with the last one, pausing between steps."""
        llama, lib = self._opened(), self._llama_cpp
        shared = 0
        for known, wanted in zip(llama.input_ids[: llama.n_tokens].tolist(), prompt, strict=False):
            if known != wanted:
                break
            shared += 1
        if shared < llama.n_tokens:
            # A recurrent state cannot go back; `reset` clears it. Older bindings know no hybrid models.
            is_hybrid = getattr(lib, "llama_model_is_hybrid", lib.llama_model_is_recurrent)
            if lib.llama_model_is_recurrent(llama.model) or is_hybrid(llama.model):
                llama.reset()
                shared = 0
            llama.n_tokens = shared
        for start in range(shared, len(prompt), _READ_STEP):
            self._opened().eval(prompt[start : start + _READ_STEP])
            yield ""

    def _write(self, prompt: list[int], max_tokens: int, grammar: Any) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        answer = ThinkingFilter(thinking=self._template.opens_thinking)
        tokens = self._opened().generate(prompt, temp=self._settings.temperature, grammar=grammar)
        with contextlib.closing(tokens):
            for written, token in enumerate(tokens, start=1):
                if self._llama_cpp.llama_vocab_is_eog(self._vocab, token):
                    break
                yield answer.feed(decoder.decode(self._piece(token)))
                if written == max_tokens:
                    break
                self._opened()
        yield answer.feed(decoder.decode(b"", final=True)) + answer.finish()

    def _prompt(self, system: str, user: str) -> list[int]:
        tokens: list[int] = []
        for segment in self._template.segments:
            if segment.role == "template":
                text = segment.text.encode()
                tokens += self._opened().tokenize(text, add_bos=False, special=True)
            else:
                tokens += self._tokenize(system if segment.role == "system" else user)
        if self._llama_cpp.llama_vocab_get_add_bos(self._vocab) and tokens[:1] != [self._bos]:
            tokens.insert(0, self._bos)
        return tokens

    def _tokenize(self, text: str) -> list[int]:
        """Tokens of a message: never one that ends a turn or means anything to the template."""
        with self._reading:
            llama = self._opened()
            while True:
                tokens: list[int] = llama.tokenize(
                    text.encode("utf-8", errors="replace"), add_bos=False, special=False
                )
                structural = {token for token in set(tokens) if self._is_structural(token)}
                if not structural:
                    return tokens
                # A vocabulary can spell a control token out of ordinary pieces; breaking the word stops that.
                broken = text
                for word in map(self._token_text, structural):
                    if len(word) > 1:
                        broken = broken.replace(word, word[0] + _WORD_JOINER + word[1:])
                if broken == text:
                    return [token for token in tokens if token not in structural]
                text = broken

    def _is_structural(self, token: int) -> bool:
        lib = self._llama_cpp
        return bool(
            lib.llama_vocab_is_control(self._vocab, token)
            or lib.llama_vocab_is_eog(self._vocab, token)
            or token in self._structure
        )

    def _structural_tokens(self) -> frozenset[int]:
        """Tokens of the template that are words of its own although their type does not say so."""
        lib = self._llama_cpp
        tokens = {
            token
            for segment in self._template.segments
            for token in self._llama.tokenize(segment.text.encode(), add_bos=False, special=True)
        }
        return frozenset(
            token
            for token in tokens
            if lib.llama_vocab_get_attr(self._vocab, token) & lib.LLAMA_TOKEN_ATTR_USER_DEFINED
            and re.fullmatch(r"[<\[].+[>\]]", self._token_text(token))
        )

    def _grammar(self, source: str) -> Any:
        # llama-cpp-python hands a sampler that could not be made on to llama.cpp, which crashes.
        lib = self._llama_cpp
        sampler = lib.llama_sampler_init_grammar(self._vocab, source.encode(), b"root")
        if not sampler:
            raise GenerationError("the grammar for the answer is malformed: it must be GBNF with a 'root'")
        lib.llama_sampler_free(sampler)
        return lib.LlamaGrammar.from_string(source, verbose=False)

    def _piece(self, token: int) -> bytes:
        """The bytes of a generated token; none for one that only structures the conversation."""
        special = token in self._thinking
        if not special and self._is_structural(token):
            return b""
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            length = self._llama_cpp.llama_token_to_piece(self._vocab, token, buffer, size, 0, special)
            if length >= 0:
                return bytes(buffer.raw[:length])
            size = -length

    @property
    def _bos(self) -> int:
        return int(self._llama_cpp.llama_vocab_bos(self._vocab))

    @property
    def _eos(self) -> int:
        return int(self._llama_cpp.llama_vocab_eos(self._vocab))

    def _token_text(self, token: int) -> str:
        if token < 0:
            return ""
        return bytes(self._llama_cpp.llama_vocab_get_text(self._vocab, token)).decode("utf-8", "replace")

    def _opened(self) -> Any:
        if self._closed:
            raise GenerationError(f"the language model {self._name} was closed; open it again")
        return self._llama

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (RuntimeError, ValueError, AssertionError, IndexError, OSError, MemoryError) as error:
            if self._llama is not None:
                # What the cache holds after a failure is unknown.
                self._llama.reset()
                self._llama_cpp.llama_memory_clear(self._llama_cpp.llama_get_memory(self._llama.ctx), True)
            raise GenerationError(
                f"{self._name} failed while answering ({_one_line(str(error))}); ask again, "
                "with a lower answer.context_tokens if it fails again"
            ) from error


_LOG: deque[str] = deque(maxlen=50)
_log_callback: Any = None


def _llama_cpp() -> Any:
    """The binding, made quiet: llama.cpp's messages go to `_LOG` and nothing touches the standard streams."""
    global _log_callback
    try:
        import llama_cpp
    except ImportError as error:
        raise ModelError(
            "llama-cpp-python is not installed; run: pip install 'quire[llama]', or answer without a model"
        ) from error
    except (OSError, RuntimeError) as error:
        raise ModelError(
            f"llama-cpp-python cannot be loaded ({_one_line(str(error))}); "
            "run: pip install --force-reinstall llama-cpp-python"
        ) from error
    if _log_callback is None:
        # It would point file descriptors 1 and 2 of the whole process at /dev/null while a model loads.
        for module in (llama_cpp.llama, llama_cpp._internals):
            if hasattr(module, "suppress_stdout_stderr"):
                module.suppress_stdout_stderr = lambda disable=True: contextlib.nullcontext()
        _log_callback = llama_cpp.llama_log_callback(_keep_log)
    llama_cpp.llama_log_set(_log_callback, ctypes.c_void_p(0))
    return llama_cpp


def _keep_log(level: int, text: bytes, data: object) -> None:
    _LOG.append(text.decode("utf-8", errors="replace"))


def _require_memory(name: str, header: GGUFHeader, window: int) -> None:
    needed = header.bytes + header.kv_bytes * window + 4 * header.vocabulary * _BATCH
    available = _available_memory()
    if needed > available:
        raise ModelError(
            f"{name} needs about {needed / 1e9:.1f} GB of memory and {available / 1e9:.1f} GB are free; "
            "close other programs, lower answer.context_tokens or choose a smaller model"
        )


def _available_memory() -> float:
    """Bytes that can be used without swapping; infinite where the system does not say."""
    limits: list[float] = []
    with contextlib.suppress(OSError, ValueError):
        limits.append(int(Path("/sys/fs/cgroup/memory.max").read_text("ascii")))
    with contextlib.suppress(OSError, ValueError, AttributeError):
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with contextlib.suppress(OSError):
        found = re.search(
            r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text("ascii"), re.MULTILINE
        )
        if found:
            limits.append(int(found[1]) * 1024)
    return min(limits, default=float("inf"))


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1


def _one_line(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:200]
