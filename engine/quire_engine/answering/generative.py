"""Answers from a language model: sentence by sentence, each with its evidence in the notes."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Generator, Iterator

from quire_engine.answering.attribution import Attribution
from quire_engine.answering.context import GroundedPrompt
from quire_engine.answering.drafts import DraftSentence
from quire_engine.answering.grammar import reply_grammar
from quire_engine.answering.prompts import INSUFFICIENT
from quire_engine.answering.reply import ReplySentence, ReplySplitter
from quire_engine.interfaces import LanguageModel
from quire_engine.records import PromptRead, Queued
from quire_engine.settings import AnswerSettings

_MOST_REPEATS = 2
_RETOKENISED = 8
"""Tokens by which a reply may count shorter than it was generated."""


class NotEnough:
    """The model says that the passages do not answer the question."""


def write(
    model: LanguageModel,
    prompt: GroundedPrompt,
    settings: AnswerSettings,
    attribution: Attribution,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[DraftSentence | Queued | PromptRead | NotEnough]:
    """The reply's sentences as they are completed, or `NotEnough`; before them how long it takes to begin.

    A sentence that nothing in the passages supports comes with empty evidence. Without passages the model is
    not asked. Afterwards, and when the iterator is closed, which stops the model, ``prompt.reply`` holds what
    it wrote. Raises `GenerationError`.
    """
    passages = prompt.passages
    prompt.reply = ""
    if not passages:
        yield NotEnough()
        return
    seen: dict[str, int] = {}
    with contextlib.closing(_sentences(model, prompt, settings.max_tokens, cancelled)) as events:
        for event in events:
            if not isinstance(event, ReplySentence):
                yield event
                continue
            key = _bare(event.text)
            if key == _bare(INSUFFICIENT):
                if not seen:
                    yield NotEnough()
                    return
                continue
            # Small models fall into loops; what was said need not be said again.
            seen[key] = seen.get(key, 0) + 1
            if seen[key] > _MOST_REPEATS:
                return
            if seen[key] == 1:
                places = [mark - prompt.first for mark in event.marks]
                cited = [passages[place] for place in places if 0 <= place < len(passages)]
                evidence = attribution.evidence(event.text, cited, passages)
                yield DraftSentence(event.text, evidence, event.separator)


def _sentences(
    model: LanguageModel, prompt: GroundedPrompt, max_tokens: int, cancelled: Callable[[], bool]
) -> Generator[ReplySentence | Queued | PromptRead, None, None]:
    splitter = ReplySplitter()
    grammar = reply_grammar(prompt.first, prompt.first + len(prompt.passages) - 1)
    events = model.stream(prompt.messages, max_tokens=max_tokens, grammar=grammar, cancelled=cancelled)
    try:
        for event in events:
            if isinstance(event, str):
                prompt.reply += event
                yield from splitter.feed(event)
            else:
                yield event
    finally:
        if close := getattr(events, "close", None):
            close()
    # Models do not say why they stopped; a reply of about the most tokens was stopped.
    cut_off = cancelled() or model.count_tokens(prompt.reply) + _RETOKENISED >= max_tokens
    yield from splitter.finish(cut_off=cut_off)


def _bare(text: str) -> str:
    return re.sub(r"[\W_]+", " ", text).strip().casefold()
