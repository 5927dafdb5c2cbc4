"""Asks questions: of the background engine, or in this process when that is wished or cannot be helped."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Literal, Self

from quire.cli.interruption import watched
from quire.cli.progress import Progress
from quire.cli.session import QUIET_SECONDS, Session
from quire.client import EngineClient, EngineError, Unavailable
from quire.contract import Json
from quire_engine import errors
from quire_engine.quantities import counted

if TYPE_CHECKING:
    from quire_engine import Engine


class Questions:
    """One run's questions of one kind, all with the same options. A context manager."""

    def __init__(
        self, session: Session, kind: Literal["search", "ask"], options: Json, *, daemon: bool
    ) -> None:
        """``options`` are fields of an `Inquiry`: ``limit``, ``filters``, ``sync``, ``fresh``, ``model``."""
        self._session = session
        self._kind = kind
        self._options = {**options, **session.circumstances}
        self._client = EngineClient() if daemon else None
        self._here = ExitStack()
        self._engine: Engine | None = None
        self._current = True
        self._noted: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._here.close()

    def events(self, text: str, *, whole: bool = False) -> Generator[Json, None, None]:
        """The answer as scripts read it: one ``search``, or ``hits``, ``wave``, ``text`` and ``answer``.

        With ``whole`` only the last event counts, and the others may come twice. Closing the iterator
        cancels. Raises `QuireError`, the same wherever the answer is made.
        """
        inquiry = {"text": text, **self._options}
        if self._client is not None:
            try:
                yield from self._from_engine(self._client, inquiry, whole)
                return
            except Unavailable as error:
                self._session.diagnostics.note(f"going on without the background engine: {error}")
                self._client = None
        yield from self._from_here(inquiry)

    def last(self, text: str) -> Json:
        """The final event of the answer, without its type: ``quire.search/1`` or ``quire.answer/1``."""
        *_, event = self.events(text, whole=True)
        return finished(event)

    def tell_understood(self, standalone: str) -> None:
        """Say to people, once, how a follow-up was understood."""
        if standalone and self._session.diagnostics.terminal:
            self._note(f"understood as: {standalone}")

    def tell(self, document: Json) -> None:
        """Say how a follow-up was understood, what could not be understood as meant, and what went wrong."""
        self.tell_understood(document.get("standalone", ""))
        for note in document["plan"]["query"]["notes"] if document["plan"] else ():
            self._note(note)
        for note in document.get("notes", ()):
            self._session.diagnostics.warning(note)

    def warn_if_behind(self, document: Json) -> None:
        """Say when an answer comes from an index that is incomplete, and what becomes of that."""
        if document["left_out"]:
            passages = counted(document["left_out"], "passage")
            self._session.diagnostics.warning(f"{passages} left out: their notes have changed since")
        if document["incomplete"]:
            at_work = "; the background engine is at work on it, see 'quire status'"
            remedy = "; run 'quire index' to finish it" if self._client is None else at_work
            self._session.diagnostics.warning("the index is incomplete" + remedy)

    def _from_engine(self, client: EngineClient, inquiry: Json, whole: bool) -> Generator[Json, None, None]:
        events = client.stream(f"/v1/{self._kind}", inquiry, whole=whole)
        try:
            with Progress(self._session.diagnostics, delay=QUIET_SECONDS) as progress:
                for event in events:
                    match event["type"]:
                        case "progress":
                            progress.step(event)
                        case "note":
                            self._note(event["text"])
                        case _:
                            yield event
        except EngineError as error:
            raise getattr(errors, error.kind, errors.QuireError)(str(error)) from None
        finally:
            events.close()

    def _note(self, text: str) -> None:
        if text not in self._noted:  # a batch hears it once
            self._noted.add(text)
            self._session.diagnostics.note(text)

    def _from_here(self, inquiry: Json) -> Generator[Json, None, None]:
        from quire.inquiry import Inquiry

        if self._engine is None:
            self._engine = self._here.enter_context(self._session.open())
            thorough = self._options["fresh"]
            self._current = not self._options["sync"] or self._session.freshen(self._engine, follow=thorough)
        asked = Inquiry.model_validate(inquiry)
        with (
            watched() as interrupted,
            asked.events(self._kind, self._engine, current=self._current, cancelled=interrupted) as events,
        ):
            for event in events:
                if interrupted():
                    raise KeyboardInterrupt
                yield event
            if interrupted():  # an answer that was cut short has no last event
                raise KeyboardInterrupt


def finished(event: Json) -> Json:
    """A final event as the document that it carries."""
    return {name: value for name, value in event.items() if name != "type"}
