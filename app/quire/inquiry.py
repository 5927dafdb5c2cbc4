"""A question as it travels: what is asked, and what the asking process knows about vault and settings.

Whoever answers it, the command's own process or the background engine, goes through here, so that both
answer alike.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator

from quire import contract
from quire.choice import Choice
from quire_engine.records import AnswerEvent, AnswerFinished, Filters, HitsFound

if TYPE_CHECKING:
    from quire_engine import Engine, Recording


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a string")
    return value


Text = Annotated[str, PlainValidator(_text)]
"""May hold lone surrogates, as the names of files that are not UTF-8 do; pydantic's own refuses them."""


class Restriction(BaseModel):
    """What a search is restricted to; see `Filters`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folders: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    since: float | None = None
    before: float | None = None
    where: tuple[tuple[str, str], ...] = ()
    prefer: tuple[str, ...] = ()


class Inquiry(BaseModel):
    """A question with its circumstances."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str
    limit: int = Field(default=10, ge=1, le=1000)
    """The most passages."""
    filters: Restriction = Restriction()
    context: bool = False
    """For searches: whether hits come with the passages before and after them."""
    model: str | None = None
    """For answers: a catalogue name, a GGUF path, or ``extractive``; ``None`` for what the settings say."""
    record: bool = False
    """For answers: whether the last event brings what the answer was made from, as ``run``."""
    conversation: str | None = None
    """For answers: ``new``, ``last`` or an id; ``None`` for none, which is kept nowhere."""
    max_waves: int | None = Field(default=None, ge=0)
    """For answers, as the two below: how much may be read. ``None``: what the settings say; 0: no limit."""
    budget_tokens: int | None = Field(default=None, ge=0)
    budget_seconds: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    sync: bool = True
    """Whether changes are looked for first."""
    fresh: bool = False
    """Whether the answer waits until everything that has changed is indexed, vectors included."""
    vault: Text | None = None
    """``--vault``, as given."""
    folder: Text = "/"
    """Where the asking process stands."""
    environment: dict[Text, Text] = {}
    """Its ``QUIRE_`` variables."""

    @property
    def choice(self) -> Choice:
        """The vault and the settings that are meant."""
        flag = None if self.vault is None else Path(self.vault)
        return Choice(flag, self.environment, Path(self.folder))

    @property
    def restriction(self) -> Filters:
        """The filters as the engine takes them."""
        return Filters(**self.filters.model_dump())

    @contextmanager
    def events(
        self,
        kind: Literal["search", "ask"],
        engine: Engine,
        *,
        current: bool,
        cancelled: Callable[[], bool],
    ) -> Iterator[Iterator[contract.Json]]:
        """The answer as a script reads it: ``quire.search/1`` once, or the events of ``quire.answer/1``.

        It is marked incomplete unless the index is ``current``. Leaving the block cancels the answer, and
        so does ``cancelled``, even while a language model computes; then the last event does not come.
        """
        filters = self.restriction
        if kind == "search":
            result = engine.search(self.text, limit=self.limit, filters=filters, neighbours=self.context)
            result = replace(result, incomplete=result.incomplete or not current)
            yield iter([{"type": "search", **contract.search(result, context=self.context)}])
            return
        from quire_engine import AskOptions, Recording

        recording = Recording() if self.record else None
        options = AskOptions(
            model=self._model,
            limit=self.limit,
            conversation=self.conversation,
            max_waves=self.max_waves,
            budget_tokens=self.budget_tokens,
            budget_seconds=self.budget_seconds,
        )
        answer = engine.ask(
            self.text, filters=filters, options=options, recording=recording, cancelled=cancelled
        )
        try:
            yield (_told(event if current else _behind(event), recording) for event in answer)
        finally:
            if isinstance(answer, Generator):
                answer.close()

    @property
    def _model(self) -> str | None:
        """The model as given, or the file that it names from where the asking process stands."""
        if self.model and (file := Path(self.folder) / Path(self.model).expanduser()).is_file():
            return str(file)
        return self.model


def _told(event: AnswerEvent, recording: Recording | None) -> contract.Json:
    told = contract.answer_event(event)
    if isinstance(event, AnswerFinished) and recording is not None and recording.run is not None:
        from quire_engine import run_document

        told["run"] = run_document(recording.run)
    return told


def _behind(event: AnswerEvent) -> AnswerEvent:
    match event:
        case HitsFound(result=result):
            return HitsFound(replace(result, incomplete=True))
        case AnswerFinished(answer=answer):
            return AnswerFinished(replace(answer, incomplete=True))
        case _:
            return event
