"""Runs on disk: JSON, ``quire.run/1``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from quire_engine._version import __version__
from quire_engine.evaluation.comparison import MAIN_MEASURE
from quire_engine.evaluation.latency import ANSWER_STAGES
from quire_engine.json_files import JsonFormat
from quire_engine.records import AnswerReport, AnswerResult, EvalReport, EvalRun, QueryResult
from quire_engine.settings import Settings

_IRRELEVANT = {"vault", "offline", "engine"}
"""Settings that change neither what a search finds nor what is answered."""
_ASIDE = {"model", "threads", "gpu_layers", "unload_minutes", "history"}
"""Those of answers that do not change what they say; the model, which may be a path, stands beside them."""
_FORMAT = JsonFormat(
    "saved run",
    "quire.run/1",
    "make one with `quire eval DIR --save FILE`",
    TypeAdapter(EvalRun),
    most_bytes=512 * 2**20,
)
"""The rankings of ten thousand questions are some 50 MiB."""


def run_of(
    report: EvalReport | None, answers: AnswerReport | None, fingerprint: str, settings: Settings
) -> EvalRun:
    """Both reports question by question, with what they were made with: models, settings, this Quire.

    One of the two may not have been made.
    """
    excluded: dict[str, Any] = dict.fromkeys(_IRRELEVANT, True)
    excluded["answer"] = True if answers is None else _ASIDE
    return EvalRun(
        __version__,
        fingerprint,
        max(measured.generation for measured in (report, answers) if measured is not None),
        settings.model_dump(mode="json", exclude=excluded),
        "note" if report is None else report.unit,
        () if report is None else report.results,
        "" if answers is None else answers.model,
        () if answers is None else answers.results,
    )


def save_run(run: EvalRun, path: Path) -> None:
    """Write ``run`` to ``path``, whole or not at all; what was there is replaced. Raises `ConfigError`."""
    _FORMAT.write(_FORMAT.document(run), path)


def load_run(path: Path) -> EvalRun:
    """The run that `save_run` wrote to ``path``. Raises `ConfigError` in one line when it holds none."""
    run = _FORMAT.value(_FORMAT.read(path), path)
    if lacking := _lacking(run.results) or _lacking_answers(run.answers):
        raise _FORMAT.damaged(path, lacking)
    return run


def _lacking(results: Sequence[QueryResult]) -> str | None:
    """What a comparison of ``results`` with others would miss."""
    for number, result in enumerate(results):
        if MAIN_MEASURE not in result.measures or result.measures.keys() != results[0].measures.keys():
            return f"results.{number} has other measures than a run has"
        if "total" not in result.timings:
            return f"results.{number}.timings has no total"
    return None


def _lacking_answers(results: Sequence[AnswerResult]) -> str | None:
    for number, result in enumerate(results):
        if "correct" not in result.measures:
            return f"answers.{number}.measures has no correct"
        for stage in ANSWER_STAGES:
            if stage not in result.timings:
                return f"answers.{number}.timings has no {stage}"
    return None
