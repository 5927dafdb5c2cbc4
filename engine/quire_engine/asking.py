"""A question on its way through conversation, search and answer: the parts of `Engine.ask`, wired."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from quire_engine.records import AnswerEvent, AnswerFinished, Filters, Message, Note, SearchResult, Turn
from quire_engine.settings import AnswerSettings, Settings

if TYPE_CHECKING:
    from quire_engine.engine import Engine
    from quire_engine.interfaces import Embedder, LanguageModel
    from quire_engine.replaying.record import ModelUsed, Recording


@dataclass(frozen=True, slots=True)
class AskOptions:
    """How a question is to be answered."""

    model: str | None = None
    """A catalogue name or a GGUF path; ``extractive`` for none; ``None`` for what the settings say."""
    limit: int = 10
    """The most passages an answer may be made from."""
    conversation: str | None = None
    """The conversation that the question belongs to and is kept in: ``new``, ``last``, or how an id begins.
    ``None`` for none; ``new`` is not kept either where the settings say so (``answer.history``)."""
    max_waves: int | None = None
    """This and the two below: instead of what the settings say under ``answer``."""
    budget_tokens: int | None = None
    budget_seconds: float | None = None

    def over(self, settings: Settings) -> Settings:
        """``settings`` with the budgets that are given here."""
        given = {
            name: value
            for name in ("max_waves", "budget_tokens", "budget_seconds")
            if (value := getattr(self, name)) is not None
        }
        return settings.model_copy(update={"answer": settings.answer.model_copy(update=given)})


def asked(
    engine: Engine,
    question: str,
    filters: Filters,
    options: AskOptions | None,
    recording: Recording | None,
    cancelled: Callable[[], bool],
) -> Iterator[AnswerEvent]:
    """`Engine.ask`. The conversation and the model are looked up at once, the rest happens step by step."""
    from quire_engine.conversations.continuation import Continuation

    options = options or AskOptions()
    settings = options.over(engine.settings)
    talk = Continuation.of(engine.conversations, options.conversation, kept=settings.answer.history)
    model = engine.language_model(options.model)

    def remembered(model: LanguageModel) -> Sequence[Message]:
        from quire_engine.answering.context import GroundedPrompt

        return GroundedPrompt(model, question, talk.turns, max_tokens=settings.answer.max_tokens).messages[
            :-1
        ]

    def events() -> Iterator[AnswerEvent]:
        standalone = question
        if talk.turns:
            from quire_engine.conversations.rewriting import rewritten

            for step in rewritten(question, talk.turns, model, remembered, cancelled):
                if isinstance(step, str):
                    standalone = step
                else:
                    yield step
        result = engine.search(standalone, limit=options.limit, filters=filters)
        rarity = engine.rarity if recording is None else recording.rarity(engine.rarity)
        read = engine.current_note if recording is None else recording.read(engine.current_note)
        answering = answer_from(
            engine.embedder, rarity, read, settings.answer, standalone, result, model, talk.turns, cancelled
        )
        for event in answering:
            if isinstance(event, AnswerFinished):
                if cancelled():
                    return  # cut short: neither kept nor shown as an answer
                event = AnswerFinished(talk.kept(question, event.answer))
                if recording is not None:
                    recording.finish(
                        event.answer,
                        result=result,
                        turns=talk.turns,
                        filters=filters,
                        limit=options.limit,
                        settings=settings,
                        fingerprint=engine.fingerprint,
                        model=_used(engine.answer_model(options.model)),
                        read=engine.current_note,
                    )
            yield event

    return events()


def answer_from(
    embedder: Callable[[], Embedder],
    rarity: Callable[[Sequence[str]], Mapping[str, float]],
    read: Callable[[str], Note | None],
    settings: AnswerSettings,
    question: str,
    result: SearchResult,
    model: LanguageModel | None,
    turns: Sequence[Turn] = (),
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[AnswerEvent]:
    """The events of an answer that is made from these alone, of whichever vault, now or saved."""
    from quire_engine.answering.answerer import Answerer

    return Answerer(embedder, rarity, read, settings).answer(
        question, result, model, turns=turns, cancelled=cancelled
    )


def _used(model: Path | None) -> ModelUsed | None:
    if model is None:
        return None
    from quire_engine.inference.checksums import sha256_of
    from quire_engine.replaying.record import ModelUsed

    return ModelUsed(model.stem, sha256_of(model))
