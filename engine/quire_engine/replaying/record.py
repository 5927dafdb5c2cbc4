"""What an answer was made from, collected while it is made."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from quire_engine._version import __version__
from quire_engine.records import Answer, Filters, Note, SearchResult, Turn
from quire_engine.replaying.excerpts import SavedNote, save_note
from quire_engine.settings import AnswerSettings, RetrievalSettings, Settings

Rarity = Callable[[Sequence[str]], Mapping[str, float]]
ReadNote = Callable[[str], Note | None]

_IRRELEVANT = {"vault", "offline", "engine"}
"""Settings that do not change an answer."""


@dataclass(frozen=True, slots=True)
class ModelUsed:
    """The language model that wrote an answer."""

    name: str
    sha256: str
    """Of its file."""


@dataclass(frozen=True, slots=True)
class AnswerRun:
    """An answer with everything that it was made from, so that it can be made again without the vault."""

    version: str
    """Of Quire."""
    asked: float
    """Unix seconds."""
    question: str
    """As it was asked; `Answer.standalone` has what a follow-up question was understood to ask."""
    turns: tuple[Turn, ...]
    """What the conversation held before, as far as it was used."""
    filters: Filters
    limit: int
    """The most passages that were searched for."""
    settings: Mapping[str, Any]
    """Those that may change an answer, by section, the seed among them."""
    fingerprint: str
    """Of the embedding model."""
    model: ModelUsed | None
    """``None`` for an extractive answer."""
    result: SearchResult
    """What was found: the hits with all that an answer is made from."""
    rarity: Mapping[str, float]
    """How rare the words were in the vault that were looked up."""
    notes: tuple[SavedNote, ...]
    """The lines of the notes on which the hits and the quotes stood."""
    answer: Answer
    """Without its hits and plan, which are the result's."""

    @property
    def answer_settings(self) -> AnswerSettings:
        """Settings that this Quire does not know are left aside. Raises `ValueError` for wrong ones."""
        return AnswerSettings.model_validate(_known(self.settings["answer"], AnswerSettings))

    @property
    def retrieval_settings(self) -> RetrievalSettings:
        """As `answer_settings`."""
        return RetrievalSettings.model_validate(_known(self.settings["retrieval"], RetrievalSettings))


def _known(
    values: Mapping[str, Any], section: type[AnswerSettings] | type[RetrievalSettings]
) -> Mapping[str, Any]:
    return {name: value for name, value in values.items() if name in section.model_fields}


class Recording:
    """Listens while one answer is made. Not safe to use from several threads."""

    def __init__(self) -> None:
        self.run: AnswerRun | None = None
        """What was recorded; ``None`` until the answer is finished."""
        self._rarity: dict[str, float] = {}
        self._notes: dict[str, Note | None] = {}

    def rarity(self, source: Rarity) -> Rarity:
        """``source``, overheard."""

        def listened(words: Sequence[str]) -> Mapping[str, float]:
            found = source(words)
            self._rarity.update(found)
            return found

        return listened

    def read(self, source: ReadNote) -> ReadNote:
        """``source``, overheard; each note is read once."""

        def listened(path: str) -> Note | None:
            if path not in self._notes:
                self._notes[path] = source(path)
            return self._notes[path]

        return listened

    def finish(
        self,
        answer: Answer,
        *,
        result: SearchResult,
        filters: Filters,
        limit: int,
        settings: Settings,
        fingerprint: str,
        model: ModelUsed | None,
        read: ReadNote,
        turns: tuple[Turn, ...] = (),
    ) -> AnswerRun:
        """Make the run; ``read`` is for notes that the answer left unread."""
        read = self.read(read)
        places: dict[str, list[tuple[int, int]]] = {}
        for hit in result.hits:
            places.setdefault(hit.path, []).append((hit.start_line, hit.end_line))
        for proof in answer.citations:  # a quote may stand elsewhere when the note has changed meanwhile
            places.setdefault(proof.path, []).append((proof.start_line, proof.end_line))
        notes = ((read(path), lines) for path, lines in places.items())
        self.run = AnswerRun(
            version=__version__,
            asked=time.time(),
            question=answer.question,
            turns=turns,
            filters=filters,
            limit=limit,
            settings=settings.model_dump(mode="json", exclude=_IRRELEVANT),
            fingerprint=fingerprint,
            model=model,
            result=result,
            rarity=dict(self._rarity),
            notes=tuple(save_note(note, lines) for note, lines in notes if note is not None),
            answer=replace(answer, hits=(), plan=None),
        )
        return self.run
