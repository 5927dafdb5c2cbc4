"""Makes saved answers again: the wiring of `quire_engine.replaying` with models and vaults."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from quire_engine.asking import answer_from
from quire_engine.errors import ModelError
from quire_engine.inference.embedder import shared_embedder
from quire_engine.records import Answer, AnswerFinished, Note, SearchResult
from quire_engine.replaying.changes import NoteChange, changes_between, with_edits_of
from quire_engine.replaying.differences import text_difference
from quire_engine.replaying.record import AnswerRun
from quire_engine.replaying.replay import (
    AnswerFrom,
    Evidence,
    Replay,
    replay,
    saved_notes,
    saved_rarity,
    says_the_same,
    settings_of,
)
from quire_engine.settings import Settings

if TYPE_CHECKING:
    from quire_engine.engine import Engine
    from quire_engine.inference.model_slot import SharedModel

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class NoteEffect:
    """What became of a note, and what that means for an answer."""

    change: NoteChange
    answer: Answer | None
    """The answer if this note alone had changed; ``None`` when what it says has not."""
    changes_answer: bool


@dataclass(frozen=True, slots=True)
class VaultDifference:
    """A saved answer made again, and the same question asked of the vault as it is now."""

    replay: Replay
    now: Answer
    notes: tuple[NoteEffect, ...]

    @property
    def same(self) -> bool:
        """Whether the answer would say and quote the same now, wherever the quotes stand."""
        return says_the_same(self.replay.now, self.now)

    @property
    def diff(self) -> tuple[str, ...]:
        """The lines of a unified diff of the texts; none where they are the same."""
        return text_difference(self.replay.now.text, self.now.text)


def replay_run(run: AnswerRun, settings: Settings, *, model: str | None = None) -> Replay:
    """Make the answer again from what was saved; the vault is not looked at.

    ``model`` is where the run's language model is, for one that is not installed. Raises `ModelError` when it
    is missing or another, and `GenerationError`.
    """
    with _answering(run, settings, model) as answer:
        return replay(run, answer)


def compare_run(
    run: AnswerRun, engine: Engine, settings: Settings, *, model: str | None = None, progress: Progress
) -> VaultDifference:
    """Ask the run's question of ``engine``, and find out which notes' changes matter to the answer.

    The engine was opened with `settings_of` the run, and is not synced here. ``progress`` is told how many of
    how many answers are made. Raises what `replay_run` and `Engine.search` raise.
    """
    result = engine.search(run.result.query, limit=run.limit, filters=run.filters)
    changes = changes_between(run.result.hits, result.hits, engine.passages)
    answers = 2 + sum(change.edits for change in changes)
    with _answering(run, settings, model) as answer:
        progress(0, answers)
        again = replay(run, answer)
        progress(1, answers)
        now = answer(Evidence(result, engine.rarity, engine.current_note))
        made = 2
        effects = []
        for change in changes:
            alone = None
            if change.edits:
                progress(made, answers)
                alone = answer(_evidence_with(change, run, result, engine))
                made += 1
            effects.append(
                NoteEffect(change, alone, alone is not None and not says_the_same(again.now, alone))
            )
    return VaultDifference(again, now, tuple(effects))


def _evidence_with(change: NoteChange, run: AnswerRun, now: SearchResult, engine: Engine) -> Evidence:
    """The run's evidence, but for what ``change`` says of one note."""
    hits = with_edits_of(change, run.result.hits, now.hits, run.limit)
    changed = {change.path, *(each.now.path for each in change.passages if each.now is not None)}
    saved = saved_notes(run)

    def read(path: str) -> Note | None:
        return engine.current_note(path) if path in changed else saved(path)

    return Evidence(replace(run.result, hits=hits), saved_rarity(run, engine.rarity), read)


@contextmanager
def _answering(run: AnswerRun, settings: Settings, model: str | None) -> Iterator[AnswerFrom]:
    """What makes the run's answer, with the language model that it was made with."""
    chosen = settings_of(run, settings)
    language_model = _language_model(run, chosen, model)

    def answer(evidence: Evidence) -> Answer:
        *_, last = answer_from(
            lambda: shared_embedder(settings.embedding),
            evidence.rarity,
            evidence.read,
            chosen.answer,
            run.answer.standalone or run.question,
            evidence.result,
            language_model,
            run.turns,
        )
        assert isinstance(last, AnswerFinished)
        return last.answer

    try:
        yield answer
    finally:
        if language_model is not None:
            language_model.close()


def _language_model(run: AnswerRun, settings: Settings, given: str | None) -> SharedModel | None:
    if run.model is None:
        return None
    from quire_engine.inference.model_slot import shared_model

    return shared_model(_model_file(run.model.name, run.model.sha256, settings, given), settings.answer)


def _model_file(name: str, sha256: str, settings: Settings, given: str | None) -> Path:
    """The file of the model that a run was made with: ``given``, or an installed one. Raises `ModelError`."""
    from quire_engine.inference.catalogue import locate_language_model
    from quire_engine.inference.checksums import sha256_of
    from quire_engine.inference.installed import installed_models

    if given is not None:
        path = locate_language_model(settings.answer, given)
        if path is None or sha256_of(path) != sha256:
            raise ModelError(
                f"{given} is not the model that wrote this answer: {name}, SHA-256 {sha256[:16]}…"
            )
        return path
    files = [
        Path(model.path)
        for model in installed_models(settings)
        if model.kind == "language" and model.path is not None
    ]
    called = [file for file in files if file.stem == name]
    for file in called or files:  # to read all of them takes a while, and a model may have been renamed
        if sha256_of(file) == sha256:
            return file
    if called:
        raise ModelError(
            f"{name} is not the model that wrote this answer: its SHA-256 was {sha256[:16]}…; "
            "name the file of that one with --model"
        )
    raise ModelError(f"{name}, which wrote this answer, is not installed; name its file with --model")
