"""Makes a saved answer again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from quire_engine.records import Answer, Note, SearchResult
from quire_engine.replaying.differences import text_difference
from quire_engine.replaying.excerpts import restore_note
from quire_engine.replaying.record import AnswerRun, Rarity, ReadNote
from quire_engine.settings import Settings

_OF_THE_MACHINE = ("model", "gpu_layers", "threads", "unload_minutes", "history")
"""Settings of answers that say where they are made, and not which."""
_OF_THE_INDEX = ("keywords", "reranker")
"""Settings of searches that name what is installed here."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an answer is made from."""

    result: SearchResult
    rarity: Rarity
    read: ReadNote


AnswerFrom = Callable[[Evidence], Answer]
"""Makes the answer to a run's question from some evidence, with the run's model and settings."""


@dataclass(frozen=True, slots=True)
class Replay:
    """A saved answer, and the same made again."""

    run: AnswerRun
    now: Answer

    @property
    def identical(self) -> bool:
        """Whether text, status and citations are the same.

        The support of a citation is not compared: it is computed with vectors, whose last digits depend on
        the processor.
        """
        return _shown(self.run.answer) == _shown(self.now)

    @property
    def diff(self) -> tuple[str, ...]:
        """The lines of a unified diff of the texts; none where they are the same."""
        return text_difference(self.run.answer.text, self.now.text)


def replay(run: AnswerRun, answer: AnswerFrom) -> Replay:
    """Make the answer again from the evidence that was saved with it."""
    return Replay(run, answer(saved_evidence(run)))


def saved_evidence(run: AnswerRun) -> Evidence:
    """What the run's answer was made from."""
    return Evidence(run.result, saved_rarity(run), saved_notes(run))


def saved_notes(run: AnswerRun) -> ReadNote:
    """Reads the saved lines of a note; ``None`` for a note that could not be read then."""
    saved = {note.path: note for note in run.notes}

    def read(path: str) -> Note | None:
        return restore_note(saved[path]) if path in saved else None

    return read


def saved_rarity(run: AnswerRun, otherwise: Rarity | None = None) -> Rarity:
    """How rare words were; one that was not asked for is what ``otherwise`` says, or the rarest."""
    rarest = max(run.rarity.values(), default=1.0)

    def rarity(words: Sequence[str]) -> Mapping[str, float]:
        new = [word for word in words if word not in run.rarity]
        found = otherwise(new) if otherwise is not None and new else dict.fromkeys(new, rarest)
        return {word: run.rarity[word] if word in run.rarity else found[word] for word in words}

    return rarity


def settings_of(run: AnswerRun, present: Settings) -> Settings:
    """``present`` with all that decided over the run's answer; the machine, the vault and the index stay.

    Time decides nothing in a replay. Where it may have, the answer reads as many waves of context as then.
    """
    saved = run.answer_settings
    waves = max(1, len(run.answer.waves)) if saved.budget_seconds else saved.max_waves
    of_the_machine = {name: getattr(present.answer, name) for name in _OF_THE_MACHINE}
    answer = saved.model_copy(update={**of_the_machine, "budget_seconds": 0.0, "max_waves": waves})
    retrieval = run.retrieval_settings.model_copy(
        update={name: getattr(present.retrieval, name) for name in _OF_THE_INDEX}
    )
    return present.model_copy(update={"answer": answer, "retrieval": retrieval})


def _shown(answer: Answer) -> tuple[object, ...]:
    citations = tuple(
        (c.n, c.path, c.headings, c.start_line, c.end_line, c.quote, c.verified) for c in answer.citations
    )
    return answer.text, answer.status, citations


def says_the_same(one: Answer, other: Answer) -> bool:
    """Whether two answers say the same and quote the same, wherever the quotes stand now."""
    return (one.text, one.status, _quotes(one)) == (other.text, other.status, _quotes(other))


def _quotes(answer: Answer) -> list[str]:
    return [citation.quote for citation in answer.citations]
