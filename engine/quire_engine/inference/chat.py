"""A model's chat template as pieces, and what of its reply is thinking rather than answer."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

_OPEN, _CLOSE = "<think>", "</think>"
Role = Literal["system", "user", "assistant"]

_LABELS: dict[Role, str] = {"user": "User: ", "assistant": "Assistant: "}
_GAP = "\n\n"


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a prompt: text of the template itself, or the place where a message goes."""

    text: str = ""
    """Of the template; empty for a place."""
    message: int | None = None
    """Which message goes here, from 0; ``None`` for text."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A prompt without its messages: its pieces in order, each message in one place."""

    segments: tuple[Segment, ...]
    opens_thinking: bool = False
    """True when the prompt ends inside a thinking block, so that the reply begins with thoughts."""


class ChatTemplate:
    """Lays out prompts as the model was trained to read them.

    The template is rendered around placeholders, so that what stands in a message can never be read as a part
    of the template.
    """

    def __init__(self, source: str | None, *, bos: str, eos: str) -> None:
        """``source`` is in Jinja, to be run in llama-cpp-python's sandbox; ``None`` when there is none."""
        self._source = source
        self._bos = bos
        self._eos = eos
        self._layouts: dict[tuple[Role, ...], Layout] = {}

    def layout(self, roles: Sequence[Role]) -> Layout:
        """The prompt for messages of ``roles``: at most one of the system's, then the user's and the
        assistant's by turns, the user's last.

        A template that refuses, drops or moves the system's message gets it at the head of the first one of
        the user's; one that takes a single message only gets the conversation as text; one that fails
        altogether is replaced by blank lines between the messages. Messages always stand in their order, so
        that a conversation that goes on begins as before.
        """
        key = tuple(roles)
        if key not in self._layouts:
            self._layouts[key] = self._laid_out(key)
        return self._layouts[key]

    def _laid_out(self, roles: tuple[Role, ...]) -> Layout:
        nonce = secrets.token_hex(8)
        places = [f"message{nonce}n{number}n" for number in range(len(roles))]
        pattern = re.compile(f"message{nonce}n(\\d+)n")
        for messages in _variants(roles, places):
            prompt = None if self._source is None else _render(self._source, self._bos, self._eos, messages)
            if prompt is not None and [match[0] for match in pattern.finditer(prompt)] == places:
                return _layout(pattern.split(prompt))
        *_, [plainest] = _variants(roles, places)
        return _layout(pattern.split(plainest["content"] + _GAP))


def _variants(roles: Sequence[Role], places: Sequence[str]) -> Iterator[list[dict[str, str]]]:
    """The messages for a template: as they are, then with less and less asked of it."""
    system = [(role, place) for role, place in zip(roles, places, strict=True) if role == "system"]
    turns: list[tuple[Role, str]] = [*zip(roles, places, strict=True)][len(system) :]
    conversations = [turns]
    if len(turns) > 1:
        conversations.append([("user", _GAP.join(f"{_LABELS[role]}{place}" for role, place in turns))])
    for conversation in conversations:
        yield [{"role": role, "content": text} for role, text in (*system, *conversation)]
        if system:
            (_, rules), (speaker, first) = system[0], conversation[0]
            joined = [(speaker, f"{rules}{_GAP}{first}"), *conversation[1:]]
            yield [{"role": role, "content": text} for role, text in joined]


def _layout(parts: Sequence[str]) -> Layout:
    """``parts`` are texts and numbers of messages by turns."""
    segments = [
        Segment(message=int(part)) if index % 2 else Segment(part)
        for index, part in enumerate(parts)
        if index % 2 or part
    ]
    return Layout(tuple(segments), opens_thinking=parts[-1].rstrip().endswith(_OPEN))


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

    @property
    def thinking(self) -> bool:
        """Whether what comes next belongs to a thought that has begun."""
        return self._thinking

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
