"""Questions with their answers: what is asked, what should be said, and what should be cited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quire_engine.errors import ConfigError
from quire_engine.evaluation.judgements import json_lines, spread

QUESTIONS, OFF_VAULT = "questions.jsonl", "offvault.jsonl"
_KNOWN = {"id", "question", "answers", "answerable", "sentences", "long_answer"}


@dataclass(frozen=True, slots=True)
class Question:
    id: str
    question: str
    kind: str
    answerable: bool = True
    answers: tuple[str, ...] = ()
    """One of them should stand in the answer."""
    sentences: tuple[str, ...] = ()
    """What a sentence of the answer should be like; ``answers`` where empty."""
    places: tuple[str, ...] = ()
    """Notes, blocks (``path#^block``) or the block that holds a line (``path#L12``), that should be cited."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """What else its line says, by which measures can be told apart."""


def has_questions(folder: Path) -> bool:
    """Whether answers can be measured in ``folder``."""
    return (folder / QUESTIONS).exists()


def read_questions(folder: Path, limit: int | None = None) -> list[Question]:
    """The questions of ``folder``: questions.jsonl, then offvault.jsonl where there is one.

    With ``limit``, that many: of each kind as many as of any other, as far as there are, evenly spread over
    the file. Raises `ConfigError` for files that cannot be read, and for ids that stand there twice.
    """
    found: dict[str, Question] = {}
    for name in (QUESTIONS, OFF_VAULT):
        path = folder / name
        if name == OFF_VAULT and not path.exists():
            continue
        for number, entry in json_lines(path, '{"id": …, "question": …}'):
            question = _question(entry, path, number, answerable=name == QUESTIONS)
            if question.id in found:
                raise ConfigError(f"{path}, line {number}: the id {question.id!r} is taken already")
            found[question.id] = question
    if not found:
        raise ConfigError(f"{folder / QUESTIONS} holds no question")
    return _limited(list(found.values()), limit)


def _question(entry: Mapping[str, Any], path: Path, number: int, *, answerable: bool) -> Question:
    def texts(name: str) -> tuple[str, ...]:
        value = entry.get(name)
        items = value if isinstance(value, list) else [] if value is None else [value]
        if not all(isinstance(item, str) for item in items):
            raise ConfigError(f"{path}, line {number}: {name!r} is to be a text, or a list of texts")
        return tuple(item for item in items if item.strip())

    try:
        identity, text = str(entry["id"]), str(entry["question"])
    except KeyError as error:
        raise ConfigError(f'{path}, line {number}: expected {{"id": …, "question": …}}') from error
    answerable = entry.get("answerable", answerable)
    if not isinstance(answerable, bool):
        raise ConfigError(f"{path}, line {number}: 'answerable' is to be true or false")
    notes, blocks = texts("note"), texts("block")
    if blocks and len(notes) != 1:
        raise ConfigError(f"{path}, line {number}: 'block' needs the one 'note' that it is a block of")
    line = entry.get("line")
    if line is not None and (isinstance(line, bool) or not isinstance(line, int) or line < 1):
        raise ConfigError(
            f"{path}, line {number}: 'line' is to be the number of a line of the note, from 1 on"
        )
    if line is not None and len(notes) > 1:
        raise ConfigError(f"{path}, line {number}: 'line' needs the one 'note' that it is a line of")
    places = tuple(f"{notes[0]}#^{block.lstrip('#^')}" for block in blocks) or notes
    if line is not None and notes and not blocks:
        places = (f"{notes[0]}#L{line}",)
    answers = texts("answers")
    if answerable and not (answers or places):
        raise ConfigError(
            f"{path}, line {number}: give the 'answers', or the 'note' that is to be cited, "
            'or say that there is none with "answerable": false'
        )
    others = {
        name: str(value)
        for name, value in entry.items()
        if name not in _KNOWN and isinstance(value, str | int | float)
    }
    default = "answerable" if answerable else "offvault" if path.name == OFF_VAULT else "unanswerable"
    kind = str(entry.get("kind") or default)
    return Question(
        identity,
        text,
        kind,
        answerable,
        answers if answerable else (),
        texts("sentences") + texts("long_answer"),
        places if answerable else (),
        {**others, "kind": kind},
    )


def _limited(questions: Sequence[Question], limit: int | None) -> list[Question]:
    if limit is None or limit >= len(questions):
        return list(questions)
    kinds: dict[str, list[Question]] = {}
    for question in questions:
        kinds.setdefault(question.kind, []).append(question)
    chosen: set[str] = set()
    for done, kind in enumerate(
        sorted(kinds.values(), key=len)
    ):  # what a small kind lacks goes to the others
        share = (limit - len(chosen)) // (len(kinds) - done)
        chosen.update(question.id for question in spread(kind, share))
    return [question for question in questions if question.id in chosen]
