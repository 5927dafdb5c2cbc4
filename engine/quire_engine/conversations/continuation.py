"""The conversation that a question belongs to: what was said before, and where its answer is kept."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from quire_engine.conversations.store import ConversationStore
from quire_engine.errors import ConfigError, StoreError
from quire_engine.records import Answer, AnswerStatus, Turn

NEW = "new"
LAST = "last"


class Continuation:
    """A conversation that is begun or continued by one question."""

    def __init__(self, store: ConversationStore | None, identity: str | None, turns: Sequence[Turn]) -> None:
        """Use `Continuation.of`."""
        self._store = store
        self._identity = identity
        self._asked = time.time()
        self.turns = tuple(turns)
        """What was said before, the oldest first."""

    @classmethod
    def of(cls, store: ConversationStore, chosen: str | None, *, kept: bool) -> Continuation:
        """That which ``chosen`` names: ``None`` for none, `NEW`, `LAST`, or an id or the beginning of one.

        Nothing is kept unless conversations are ``kept`` at all. Raises `ConfigError` when there is no such
        conversation, `StoreError` when it cannot be read.
        """
        if chosen in (None, "") or (chosen == NEW and not kept):
            return cls(None, None, ())
        if chosen == NEW:
            return cls(store, None, ())
        if not kept:
            raise ConfigError(
                "conversations are not kept (answer.history is false), so none can be continued"
            )
        assert chosen is not None
        conversation = store.last() if chosen == LAST else store.get(chosen)
        if conversation is None:
            reason = "; ".join(store.problems()) or "there is no conversation yet"
            raise ConfigError(f"{reason}; ask without --continue first")
        return cls(store, conversation.id, conversation.turns)

    def kept(self, question: str, answer: Answer) -> Answer:
        """``answer`` as that to ``question`` as it was typed, stored, with the conversation's id.

        An answer that cannot be stored says so in its notes, and is given all the same.
        """
        standalone = answer.question if answer.question != question else ""
        answer = replace(answer, question=question, standalone=standalone)
        if self._store is None:
            return answer
        shown = answer.status is not AnswerStatus.ABSTAINED  # what was not shown is not to be said again
        turn = Turn(
            number=0,
            asked=self._asked,
            question=question,
            standalone=standalone,
            text=answer.text,
            status=answer.status,
            citations=answer.citations,
            model=answer.model,
            generation=answer.generation,
            prompt=answer.messages[-1].content if answer.messages and shown else "",
            reply=answer.reply if shown else "",
        )
        notes = answer.notes
        try:
            answer = replace(answer, conversation=self._store.append(self._identity, turn).id)
        except StoreError as error:
            notes = (*notes, f"this conversation is not kept: {error}")
        return replace(answer, notes=(*notes, *self._store.problems()))
