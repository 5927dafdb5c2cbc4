"""A model's chat template as pieces, and what of its reply is thinking rather than answer."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

_OPEN, _CLOSE = "<think>", "</think>"

Role = Literal["template", "system", "user"]


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a prompt: text of the template itself, or the place where a message goes."""

    role: Role
    text: str = ""
    """Of the template; empty for a place."""


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """The pieces of a prompt with one system and one user message, in order.

    The template is rendered once, around placeholders, so that what stands in a message can never be read
    as a part of the template.
    """

    segments: tuple[Segment, ...]
    opens_thinking: bool = False
    """True when the prompt ends inside a thinking block, so that the reply begins with thoughts."""

    @classmethod
    def plain(cls) -> ChatTemplate:
        """For a model that brings no usable template."""
        texts = (Segment("system"), Segment("template", "\n\n"), Segment("user"), Segment("template", "\n\n"))
        return cls(texts)

    @classmethod
    def render(cls, source: str | None, *, bos: str, eos: str) -> ChatTemplate:
        """Read the Jinja template ``source`` in llama-cpp-python's sandbox.

        A template that refuses or drops the system message gets it at the head of the user's; one that fails
        altogether is replaced by `plain`.
        """
        if source is None:
            return cls.plain()
        nonce = secrets.token_hex(8)
        system, user = f"system{nonce}", f"user{nonce}"
        for messages in (
            [{"role": "system", "content": system}, {"role": "user", "content": user}],
            [{"role": "user", "content": f"{system}\n\n{user}"}],
        ):
            prompt = _render(source, bos, eos, messages)
            if prompt is not None and prompt.count(system) == 1 and prompt.count(user) == 1:
                parts = re.split(f"({system}|{user})", prompt)
                return cls(
                    tuple(_segment(part, system, user) for part in parts if part),
                    opens_thinking=parts[-1].rstrip().endswith(_OPEN),
                )
        return cls.plain()


def _segment(part: str, system: str, user: str) -> Segment:
    if part == system:
        return Segment("system")
    return Segment("user") if part == user else Segment("template", part)


def _render(source: str, bos: str, eos: str, messages: Sequence[dict[str, str]]) -> str | None:
    from llama_cpp.llama_chat_format import Jinja2ChatFormatter

    try:
        formatter = Jinja2ChatFormatter(template=source, bos_token=bos, eos_token=eos)
        # Qwen3 and its kin close the thinking block in the prompt when asked not to think.
        prompt = formatter(messages=list(messages), enable_thinking=False).prompt
    except Exception:
        # The template is a program that came with the weights: it may raise anything.
        return None
    return str(prompt)


class ThinkingFilter:
    """Takes the leading ``<think>…</think>`` blocks and white space out of a reply, piece by piece."""

    def __init__(self, *, thinking: bool = False) -> None:
        self._thinking = thinking
        self._answering = False
        self._held = ""

    def feed(self, text: str) -> str:
        """What of ``text``, and of what was held back before it, belongs to the answer."""
        if self._answering:
            return text
        self._held += text
        while True:
            if self._thinking:
                _, closed, rest = self._held.partition(_CLOSE)
                if not closed:
                    self._held = self._held[-len(_CLOSE) :]
                    return ""
                self._thinking = False
                self._held = rest
            self._held = self._held.lstrip()
            if self._held.startswith(_OPEN):
                self._thinking = True
                self._held = self._held.removeprefix(_OPEN)
            elif self._held.startswith(_CLOSE):
                self._held = self._held.removeprefix(_CLOSE)
            elif _OPEN.startswith(self._held) or _CLOSE.startswith(self._held):
                return ""
            else:
                self._answering = True
                return self.finish()

    def finish(self) -> str:
        """What is still held back at the end of the reply; thoughts that never ended are not an answer."""
        rest, self._held = ("" if self._thinking else self._held), ""
        return rest
