"""A language model's vocabulary: texts and prompts as tokens, and tokens as text; it needs no weights."""

from __future__ import annotations

import ctypes
import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from quire_engine.errors import GenerationError
from quire_engine.inference.chat import ChatTemplate, Layout
from quire_engine.inference.gguf_header import GGUFHeader, read_header
from quire_engine.inference.llama_runtime import cannot_load, forget_log, open_binding
from quire_engine.records import Message

_WORD_JOINER = "\u2060"


class Vocabulary:
    """Of a llama.cpp model. Safe to use from several threads; `GenerationError` when it was closed."""

    def __init__(
        self, binding: Any, model: Any, header: GGUFHeader, name: str, free: Callable[[], None]
    ) -> None:
        """``model`` is llama.cpp's, and ``free`` gives its memory back, once."""
        self._binding = binding
        self._name = name
        self._free: Callable[[], None] | None = free
        self._reading = threading.Lock()
        self.pointer = binding.llama_model_get_vocab(model)
        """For functions of llama.cpp's."""
        self._bos = int(binding.llama_vocab_bos(self.pointer))
        self._template = ChatTemplate(
            header.chat_template,
            bos=self._token_text(self._bos),
            eos=self._token_text(int(binding.llama_vocab_eos(self.pointer))),
        )
        # A vocabulary may keep the thinking tags as control tokens, which have no text of their own.
        self._thinking = {
            tokens[0] for tag in ("<think>", "</think>") if len(tokens := self._template_tokens(tag)) == 1
        }
        self._structure = self._structural_tokens()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Only the vocabulary of a GGUF file: a third of a second and some 30 MB for 150,000 tokens.

        Raises `ModelError` when llama-cpp-python is not installed, and when the file is missing or damaged.
        """
        header, binding = read_header(path), open_binding()
        parameters = binding.llama_model_default_params()
        parameters.vocab_only = True
        forget_log()
        model = binding.llama_model_load_from_file(str(path).encode(), parameters)
        if not model:
            raise cannot_load(path)
        return cls(binding, model, header, path.stem, lambda: binding.llama_model_free(model))

    def close(self) -> None:
        """Free it, after whoever is reading it."""
        with self._reading:
            free, self._free = self._free, None
            if free is not None:
                free()

    def layout(self, messages: Sequence[Message]) -> Layout:
        """The prompt for ``messages``, without their text."""
        return self._template.layout([message.role for message in messages])

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """Tokens of the whole prompt, those of the model's chat template included."""
        tokens: list[int] = []
        for segment in self.layout(messages).segments:
            if segment.message is None:
                tokens += self._template_tokens(segment.text)
            else:
                tokens += self.tokens(messages[segment.message].content)
        if self._binding.llama_vocab_get_add_bos(self.pointer) and tokens[:1] != [self._bos]:
            tokens.insert(0, self._bos)
        return tokens

    def tokens(self, text: str) -> list[int]:
        """Tokens of a message: never one that ends a turn or means anything to the template."""
        with self._reading:
            while True:
                tokens = self._tokenized(text, special=False)
                structural = {token for token in set(tokens) if self.is_structural(token)}
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

    def is_structural(self, token: int) -> bool:
        """Whether a token ends a turn or means something to the template."""
        return self.ends(token) or bool(
            self._binding.llama_vocab_is_control(self.pointer, token) or token in self._structure
        )

    def ends(self, token: int) -> bool:
        """Whether a reply is over with a token."""
        return bool(self._binding.llama_vocab_is_eog(self.pointer, token))

    def piece(self, token: int) -> bytes:
        """The bytes of a generated token; none for one that only structures the conversation."""
        special = token in self._thinking
        if not special and self.is_structural(token):
            return b""
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            length = self._binding.llama_token_to_piece(self.pointer, token, buffer, size, 0, special)
            if length >= 0:
                return bytes(buffer.raw[:length])
            size = -length

    def _template_tokens(self, text: str) -> list[int]:
        with self._reading:
            return self._tokenized(text, special=True)

    def _tokenized(self, text: str, *, special: bool) -> list[int]:
        """Tokens as llama.cpp finds them; with ``special`` it reads the names of control tokens as those."""
        if self._free is None:
            raise GenerationError(f"the language model {self._name} was closed; open it again")
        data = text.encode("utf-8", errors="replace")
        room = len(data) + 8
        while True:
            buffer = (ctypes.c_int32 * room)()
            count = self._binding.llama_tokenize(self.pointer, data, len(data), buffer, room, False, special)
            if count >= 0:
                return buffer[:count]
            room = -count

    def _structural_tokens(self) -> frozenset[int]:
        """Tokens of the template that are words of its own although their type does not say so."""
        binding = self._binding
        layout = self._template.layout(("system", "user", "assistant", "user"))
        tokens = {token for segment in layout.segments for token in self._template_tokens(segment.text)}
        return frozenset(
            token
            for token in tokens
            if binding.llama_vocab_get_attr(self.pointer, token) & binding.LLAMA_TOKEN_ATTR_USER_DEFINED
            and re.fullmatch(r"[<\[].+[>\]]", self._token_text(token))
        )

    def _token_text(self, token: int) -> str:
        if token < 0:
            return ""
        return bytes(self._binding.llama_vocab_get_text(self.pointer, token)).decode("utf-8", "replace")
