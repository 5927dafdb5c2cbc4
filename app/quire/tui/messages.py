"""What workers report. A report that a later one makes pointless is replaced by it in the queue."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

from quire.tui.places import Passage, Place
from quire_engine.records import Answer, Citation, IndexStatus, Note, SyncProgress, Wave


@dataclass
class AnswerProgressed(Message):
    """An answer in the making: all of it so far, so that a later report stands for this one too."""

    question: int
    """The number of the question in this session."""
    stage: str
    text: str = ""
    citations: tuple[Citation, ...] = ()
    waves: tuple[Wave, ...] = ()
    standalone: str = ""
    """As `Answer.standalone`."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, AnswerProgressed) and message.question == self.question


@dataclass
class AnswerEnded(Message):
    """An answer is complete."""

    question: int
    answer: Answer


@dataclass
class AnswerFailed(Message):
    """No answer came about."""

    question: int
    reason: str


@dataclass
class SyncProgressed(Message):
    """How far the watch is with what it does."""

    progress: SyncProgress

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, SyncProgressed)


@dataclass
class SyncEnded(Message):
    """The watch did what there was to do, or what it could; ``problem`` says what kept it from the rest."""

    problem: str = ""
    locked: bool = False
    """Whether the problem is that another process is writing to the index."""


@dataclass
class StatusRead(Message):
    """What the index holds now."""

    status: IndexStatus


@dataclass(frozen=True, slots=True)
class LinkedNote:
    """A link of a note, or a note that links to it."""

    text: str
    place: Place | None
    """``None`` when the link leads nowhere."""
    backlink: bool = False


@dataclass
class NoteRead(Message):
    """A note as it is now."""

    note: Note
    passage: Passage | None
    """What to highlight."""
    links: tuple[LinkedNote, ...]


@dataclass
class NoteFailed(Message):
    """A note cannot be shown."""

    reason: str


@dataclass
class OpenPlace(Message):
    """Someone wants to see a note."""

    place: Place
