"""What runs in threads. These functions call the engine and report by messages; they touch no widget."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from textual.message import Message
from textual.worker import get_current_worker

from quire import contract
from quire.explanation import doing
from quire.tui.messages import (
    AnswerEnded,
    AnswerFailed,
    AnswerProgressed,
    LinkedNote,
    NoteFailed,
    NoteRead,
    StatusRead,
    SyncEnded,
    SyncProgressed,
)
from quire.tui.places import Passage, Place, locate
from quire_engine.errors import IndexLockedError, QuireError, VaultError
from quire_engine.records import (
    AnswerFinished,
    AnswerText,
    Citation,
    HitsFound,
    Note,
    SyncProgress,
    SyncReport,
    Wave,
    WaveLoaded,
)

if TYPE_CHECKING:
    from quire_engine import Engine

Post = Callable[[Message], object]

NEW = "new"
"""Names a conversation that the next question begins."""
SEARCHING = "Searching the notes…"
READING = "Reading the notes first…"
_SETTLE_SECONDS = 30.0
"""How long a question waits for notes to be read; the answer says when that was not enough."""
_SLICE_SECONDS = 1.7
_REPORT_SECONDS = 0.1
_RETRY_SECONDS = 5.0


class _Cancelled(Exception):
    """The worker was cancelled; raised through the engine to leave work that takes longer."""


def answer(engine: Engine, question: str, conversation: str, number: int, post: Post) -> None:
    """Answer question ``number`` of the session, in ``conversation`` (an id, or `NEW`).

    Leaves, closing the answer, as soon as the worker is cancelled; a language model stops then, too.
    """
    from quire_engine import AskOptions

    worker = get_current_worker()
    text, stage, standalone = "", SEARCHING, ""
    citations: tuple[Citation, ...] = ()
    waves: tuple[Wave, ...] = ()
    post(AnswerProgressed(number, stage))
    try:
        deadline = time.monotonic() + _SETTLE_SECONDS
        while not engine.settle(_SLICE_SECONDS) and time.monotonic() < deadline:
            if worker.is_cancelled:
                return
            if engine.activity() is None:
                break  # nothing is being read: it is in trouble, and waiting helps no more
            stage = READING
            post(AnswerProgressed(number, stage))
        stage = SEARCHING
        events = engine.ask(
            question,
            options=AskOptions(conversation=conversation),
            cancelled=lambda: worker.is_cancelled,
        )
        try:
            for event in events:
                if worker.is_cancelled:
                    return
                match event:
                    case HitsFound(result=result):
                        standalone = result.query if result.query != question else ""
                    case WaveLoaded(wave=wave):
                        waves = (*waves, wave)
                    case AnswerText(text=piece, citations=new):
                        text, citations = text + piece, citations + new
                    case AnswerFinished(answer=finished):
                        post(AnswerEnded(number, finished))
                        return
                if not isinstance(event, AnswerText):
                    stage = _stage(doing(contract.answer_event(event)))
                post(AnswerProgressed(number, stage, text, citations, waves, standalone))
        finally:
            if isinstance(events, Generator):
                events.close()
    except Exception as error:
        post(AnswerFailed(number, _reason(error)))


def _stage(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}…"


def watch(engine: Engine, vault: Path, post: Post) -> None:
    """Keep the index up to date until the worker is cancelled; also when the vault is gone for a while."""
    leaving = get_current_worker().cancelled_event
    stage, posted = "", 0.0

    def progressed(progress: SyncProgress) -> None:
        nonlocal stage, posted
        if leaving.is_set():
            raise _Cancelled
        now = time.monotonic()
        if progress.stage != stage or now - posted >= _REPORT_SECONDS:
            stage, posted = progress.stage, now
            post(SyncProgressed(progress))

    def synced(_: SyncReport) -> None:
        post(SyncEnded())

    def troubled(error: Exception) -> None:
        if isinstance(error, IndexLockedError):
            post(SyncEnded("another process is updating the index", locked=True))
        else:
            post(SyncEnded(_reason(error)))

    try:
        read_status(engine, post)
        while not leaving.is_set():
            try:
                engine.watch(leaving, synced, progressed, troubled)
            except VaultError as error:
                troubled(error)
                while not leaving.wait(_RETRY_SECONDS) and not vault.is_dir():
                    pass
    except _Cancelled:
        return
    except Exception as error:
        troubled(error)


def read_status(engine: Engine, post: Post) -> None:
    """Report what the index holds."""
    with suppress(QuireError):  # the watch meets the same trouble, and reports it
        post(StatusRead(engine.status()))


def read_note(engine: Engine, place: Place, post: Post) -> None:
    """Report the note at ``place``, what to highlight in it, and where its links lead."""
    try:
        note = engine.note(place.path)
        post(NoteRead(note, _passage(note, place), tuple(_links(engine, note))))
    except Exception as error:
        post(NoteFailed(_reason(error)))


def _passage(note: Note, place: Place) -> Passage | None:
    from quire_engine import find_subpath, section_span

    if not place.subpath:
        return locate(note.text, place)
    block = find_subpath(note, place.subpath)
    if block is None:
        return None
    section = section_span(note, block)
    return Passage(section.start_line, section.end_line)


def _links(engine: Engine, note: Note) -> Iterator[LinkedNote]:
    seen: set[tuple[str, str]] = set()
    for link in note.links:
        if (link.target, link.subpath) in seen:
            continue
        seen.add((link.target, link.subpath))
        path = engine.follow(link, note.path)
        yield LinkedNote(
            _label(link.target, link.subpath), Place(path, subpath=link.subpath) if path else None
        )
    for path in engine.backlinks(note.path):
        yield LinkedNote(path, Place(path), backlink=True)


def _label(target: str, subpath: str) -> str:
    return f"{target}#{subpath}" if subpath else target


def _reason(error: Exception) -> str:
    if isinstance(error, QuireError):
        return str(error)
    # Not raised on purpose. A session outlives it; the name of the error is what a report needs.
    return f"this should not happen, please report it: {type(error).__name__}: {error}"
