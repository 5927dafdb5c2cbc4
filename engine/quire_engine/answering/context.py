"""Fits passages into a language model's context, counted in its own tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from quire_engine.answering.prompts import SYSTEM, user_prompt
from quire_engine.errors import GenerationError
from quire_engine.interfaces import LanguageModel
from quire_engine.records import Hit

SPARE_TOKENS = 16
"""Kept free for a chat template whose own tokens the model's `context` does not take into account."""


@dataclass(frozen=True, slots=True)
class FittedContext:
    """What goes into the prompt."""

    hits: tuple[Hit, ...]
    """Best first; the number in the prompt is the place in here, from 1."""
    prompt_tokens: int
    """Of system and user message together."""
    dropped: tuple[Hit, ...] = ()
    """Passages that did not fit."""


def fit(hits: Sequence[Hit], model: LanguageModel, question: str, max_tokens: int) -> FittedContext:
    """Take whole passages, best first, as long as prompt and answer fit into the model's context.

    The best passage is cut at the end of a sentence when it does not fit whole; others are dropped. Raises
    `GenerationError` when not even its first sentence fits.
    """
    system_tokens = model.count_tokens(SYSTEM)
    budget = model.context - max_tokens - SPARE_TOKENS - system_tokens

    def size(chosen: Sequence[Hit]) -> int:
        return model.count_tokens(user_prompt(chosen, question))

    kept: list[Hit] = []
    dropped: list[Hit] = []
    used = 0
    for place, hit in enumerate(hits):
        candidate: Hit | None = hit
        if (wanted := size([*kept, hit])) > budget:
            candidate = _cut(hit, lambda part: size([part]) <= budget) if place == 0 else None
            wanted = size([candidate]) if candidate else 0
        if candidate is None:
            dropped.append(hit)
        else:
            kept.append(candidate)
            used = wanted
    if hits and not kept:
        raise GenerationError(
            f"no passage fits into the context of {model.name} ({model.context} tokens) beside the question "
            f"and an answer of {max_tokens}; shorten the question, raise answer.context_tokens or lower "
            "answer.max_tokens"
        )
    return FittedContext(tuple(kept), system_tokens + used, tuple(dropped))


def _cut(hit: Hit, fits: Callable[[Hit], bool]) -> Hit | None:
    """The longest beginning of ``hit`` that ends with a sentence (or line) and fits."""
    ends = sorted({end for _, end in hit.sentences}) or [
        place for place, char in enumerate(hit.text) if char == "\n" and place
    ]
    best: Hit | None = None
    low, high = 0, len(ends)
    while low < high:
        middle = (low + high) // 2
        part = _beginning(hit, ends[middle])
        if fits(part):
            best, low = part, middle + 1
        else:
            high = middle
    return best


def _beginning(hit: Hit, end: int) -> Hit:
    text = hit.text[:end]
    return replace(
        hit,
        text=text,
        end_line=hit.start_line + text.rstrip("\n").count("\n"),
        sentences=tuple(span for span in hit.sentences if span[1] <= end),
    )
