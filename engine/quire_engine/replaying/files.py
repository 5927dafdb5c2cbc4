"""Saved answers on disk: JSON, ``quire.answer-run/1``."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from quire_engine.errors import ConfigError
from quire_engine.json_files import Json, JsonFormat
from quire_engine.records import Hit
from quire_engine.replaying.excerpts import problem_of
from quire_engine.replaying.record import AnswerRun

SCHEMA = "quire.answer-run/1"
_BEGINS = re.compile(rb'\s*\{\s*"schema"\s*:\s*"quire\.answer-run/\d')
_MOST_HITS = 1000
_FORMAT = JsonFormat(
    "saved answer", SCHEMA, "make one with `quire ask QUESTION --save-run FILE`", TypeAdapter(AnswerRun)
)


def run_document(run: AnswerRun) -> Json:
    """``run`` as JSON: chunk ids in hexadecimal, each passage with the BLAKE2b-16 of its text."""
    document = _FORMAT.document(run)
    for hit in document["result"]["hits"]:
        hit["chunk_id"] = f"{hit['chunk_id']:016x}"
        hit["content_hash"] = _hash(hit["text"])
    return document


def check_target(path: Path, *, force: bool = False) -> None:
    """Raise `ConfigError` unless a run may be written to ``path``.

    What is there already must be a saved answer, or with ``force`` any regular file.
    """
    folder = path.absolute().parent
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(f"cannot write {path}: {folder} is no folder that can be written")
    try:
        if not path.exists():
            return
        if not path.is_file():
            raise ConfigError(f"cannot write {path}: it is no regular file; name another")
        with path.open("rb") as file:
            is_run = _BEGINS.match(file.read(256)) is not None
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror or error}") from error
    if not (is_run or force):
        raise ConfigError(
            f"{path} is no saved answer and is not replaced; name another file, or give --force"
        )


def save_document(document: Json, path: Path, *, force: bool = False) -> None:
    """Write what `run_document` made to ``path``, whole or not at all, for the user alone (mode 0600).

    Raises `ConfigError` as `check_target` does, and when the file cannot be written.
    """
    check_target(path, force=force)
    _FORMAT.write(document, path)


def load_answer_run(path: Path) -> AnswerRun:
    """The run that was saved to ``path``. Raises `ConfigError` in one line when it holds none."""
    document = _FORMAT.read(path)
    try:
        hashes = _unpacked(document)
        run = _FORMAT.value(document, path)
        _ = run.answer_settings, run.retrieval_settings
    except ValidationError as error:
        raise _FORMAT.damaged(path, error) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _FORMAT.damaged(path, "it lacks what an answer is made from") from error
    if problem := _problem(run, hashes):
        raise _FORMAT.damaged(path, problem)
    return run


def _unpacked(document: Json) -> list[Any]:
    """Give the hits of ``document`` their numbers for ids; returns their content hashes."""
    hits = document["result"]["hits"]
    for hit in hits:
        hit["chunk_id"] = int(hit["chunk_id"], 16)
    return [hit.pop("content_hash", None) for hit in hits]


def _problem(run: AnswerRun, hashes: list[Any]) -> str | None:
    hits = run.result.hits
    if len(hits) > _MOST_HITS or not 1 <= run.limit <= _MOST_HITS:
        return "it has more passages than a search finds"
    answer = run.answer
    if (run.question, run.result.query) != (answer.question, answer.standalone or answer.question):
        return "its question is not the one that was answered"
    for number, (hit, content_hash) in enumerate(zip(hits, hashes, strict=True)):
        if _hash(hit.text) != content_hash:
            return f"result.hits.{number} is not what its content_hash says"
        if not _sound(hit):
            return f"result.hits.{number} has lines or sentences that cannot be"
    paths = [note.path for note in run.notes]
    if len(set(paths)) < len(paths):
        return "it has a note twice"
    for number, note in enumerate(run.notes):
        if problem := problem_of(note):
            return f"notes.{number}: {problem}"
    return None


def _sound(hit: Hit) -> bool:
    inside = all(0 <= start <= end <= len(hit.text) for start, end in hit.sentences)
    return inside and 1 <= hit.start_line <= hit.end_line


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8"), digest_size=16).hexdigest()
