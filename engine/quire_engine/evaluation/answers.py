"""Asks questions whose answers are known, and measures what is said, cited and left unsaid."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from quire_engine.evaluation import matching
from quire_engine.evaluation.answer_comparison import common_questions
from quire_engine.evaluation.latency import answer_latencies
from quire_engine.evaluation.questions import Question, read_questions
from quire_engine.evaluation.resampling import intervals, resamples
from quire_engine.evaluation.selective import risk_coverage_area, risk_coverage_curve, roc_area
from quire_engine.records import (
    Answer,
    AnswerEvent,
    AnswerFinished,
    AnswerReport,
    AnswerResult,
    AnswerStatus,
    AnswerText,
    Citation,
    EvalRun,
    Note,
)

if TYPE_CHECKING:
    from quire_engine.evaluation.resampling import Doubles

SHARES = (
    "correct",
    "answer_recall",
    "token_f1",
    "right_paragraph",
    "citation_precision",
    "citation_recall",
    "citations_verified",
)
"""Averages of what each question has, over those that it applies to."""
_AREA_RESAMPLES = 1000
"""The areas under curves take long; their intervals need no third digit."""
AMOUNTS = ("sentences", "words", "tokens", "waves", "context_tokens")


class Vault(Protocol):
    """What is known of the notes that answers come from."""

    def current_note(self, path: str) -> Note | None: ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]: ...


Ask = Callable[[str], Iterator[AnswerEvent]]
"""Answers a question."""
_Read = Callable[[str], Note | None]
_LINE = re.compile(r"(?P<path>.+)#L(?P<line>[0-9]+)", re.DOTALL)


def evaluate_answers(
    vault: Vault,
    ask: Ask,
    folder: Path,
    *,
    limit: int | None = None,
    against: EvalRun | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> AnswerReport:
    """Ask the questions of ``folder`` (questions.jsonl, offvault.jsonl) and measure the answers.

    With ``limit``, that many of them, of each kind alike. ``against`` is a run that the outcome is to be
    compared with: where it has no question in common, nothing is asked. Raises `ConfigError` for files that
    cannot be read, and for a run of other questions.
    """
    questions = read_questions(folder, limit)
    if against is not None and against.answers:
        common_questions(against.answers, questions)
    for _ in ask(questions[0].question):  # loads the models: not what is to be timed
        pass
    judge = _Judge(vault)
    results = []
    for number, question in enumerate(questions, start=1):
        answer, timings = _timed(ask, question.question)
        results.append(judge.result(question, answer, timings))
        if progress is not None:
            progress(number, len(questions))
    return summarise_answers(results, answer.model, answer.generation)


def _timed(ask: Ask, question: str) -> tuple[Answer, dict[str, float]]:
    begun = time.perf_counter()
    first = answer = None
    for event in ask(question):
        if isinstance(event, AnswerText) and first is None:
            first = time.perf_counter()
        elif isinstance(event, AnswerFinished):
            answer = event.answer
    ended = time.perf_counter()
    assert answer is not None, "an answer ends with AnswerFinished"
    stages = {"first_text": (first or ended) - begun, "total": ended - begun}
    return answer, {name: round(seconds * 1000, 3) for name, seconds in stages.items()}


class _Judge:
    """Holds answers against what was to be said and cited."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def result(self, question: Question, answer: Answer, timings: Mapping[str, float]) -> AnswerResult:
        return AnswerResult(
            question.id,
            question.question,
            question.kind,
            question.answerable,
            question.fields,
            question.answers,
            question.places,
            answer.status,
            answer.text,
            tuple(f"{c.path}:{c.start_line}-{c.end_line}" for c in answer.citations),
            round(answer.confidence, 6),
            self._measures(question, answer),
            timings,
        )

    def _measures(self, question: Question, answer: Answer) -> dict[str, float]:
        answered = answer.status is not AnswerStatus.ABSTAINED
        citations = answer.citations if answered else ()
        sentences = matching.sentences(answer.text, len(citations)) if answered else []
        shown = "\n".join(sentences)
        read = cache(self._vault.current_note)
        measures: dict[str, float] = {"correct": float(not answered)}
        if question.answerable:
            measures |= _cited(question.places, citations, read)
            if question.answers:
                measures["answer_recall"] = float(answered and matching.holds(shown, question.answers))
            if wanted := question.sentences or question.answers:
                measures["token_f1"] = max((matching.token_f1(s, wanted) for s in sentences), default=0.0)
            measures["correct"] = measures.get("answer_recall", measures.get("right_paragraph", 0.0))
        elif citations:
            measures["citation_precision"] = 0.0  # nothing proves what the notes do not say
        if answered:
            verified = sum(_stands_there(citation, read(citation.path)) for citation in citations)
            measures["citations_verified"] = verified / max(1, len(citations))
            measures["sentences"] = len(sentences)
            measures["words"] = matching.words(shown)
            measures["tokens"] = self._vault.count_tokens([shown])[0]
        measures["waves"] = len(answer.waves)
        measures["context_tokens"] = sum(wave.tokens for wave in answer.waves)
        return measures


def _cited(places: Sequence[str], citations: Sequence[Citation], read: _Read) -> dict[str, float]:
    if not places:
        return {}
    wanted = [_lines(place, read) for place in places]
    met = [[_lies_in(citation, *lines) for lines in wanted] for citation in citations]
    found = [any(column) for column in zip(*met, strict=True)]
    measures = {"right_paragraph": float(any(found)), "citation_recall": sum(found) / len(places)}
    if met:
        measures["citation_precision"] = sum(any(row) for row in met) / len(met)
    return measures


def _lines(place: str, read: _Read) -> tuple[str, float, float]:
    """(path, first line, last line) of ``place`` in its file now; no lines where it is not there."""
    if found := _LINE.fullmatch(place):
        path, line = found["path"], int(found["line"])
        note = read(path)
        spans = () if note is None else (block.span for block in note.blocks)
        within = (span for span in spans if span.start_line <= line <= span.end_line)
        return next(((path, span.start_line, span.end_line) for span in within), (path, line, line))
    path, _, name = place.partition("#^")
    if not name:
        return path, 1, math.inf
    note = read(path)
    named = () if note is None else (block.span for block in note.blocks if block.block_id == name)
    return next(((path, span.start_line, span.end_line) for span in named), (path, 0, -1))


def _lies_in(citation: Citation, path: str, first: float, last: float) -> bool:
    return citation.path == path and citation.start_line <= last and first <= citation.end_line


def _stands_there(citation: Citation, note: Note | None) -> bool:
    """Whether the quote stands, character for character, at its lines of the file."""
    if note is None or not citation.quote or citation.start_line < 1:
        return False
    lines = note.text.split("\n")[citation.start_line - 1 : citation.end_line]
    return citation.quote in "\n".join(lines)


def summarise_answers(results: Sequence[AnswerResult], model: str, generation: int = 0) -> AnswerReport:
    """The averages of ``results``, with their confidence intervals."""
    abstained = np.array([result.status is AnswerStatus.ABSTAINED for result in results])
    answerable = np.array([result.answerable for result in results])
    confidence = np.array([result.confidence for result in results])
    wrong = np.array([result.measures["correct"] < 1 for result in results])
    one = np.ones(1, dtype=np.int64)

    ratios = _ratios(results, abstained, answerable)
    averages: dict[str, float | None] = {}
    for name, (numerator, denominator) in ratios.items():
        averages[name] = float(numerator.sum() / denominator.sum()) if denominator.sum() else None
    every = np.tile(one, (1, len(results)))
    averages["auroc"] = _number(roc_area(confidence, answerable, every)[0])
    averages["aurc"] = _number(risk_coverage_area(confidence, wrong, every * ~abstained)[0])
    for name in AMOUNTS:
        values = [result.measures[name] for result in results if name in result.measures]
        averages[name] = sum(values) / len(values) if values else None

    known = [name for name in ratios if averages[name] is not None]
    areas = [name for name in ("auroc", "aurc") if averages[name] is not None]
    samples: dict[str, list[Doubles]] = {name: [] for name in (*known, *areas)}
    parts = [np.stack([ratios[name][side] for name in known], axis=1) for side in (0, 1)]
    drawn = 0
    for times in resamples(len(results)):
        numerators, denominators = (times @ part for part in parts)
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = numerators / denominators
        for column, name in enumerate(known):
            samples[name].append(shares[:, column])
        some = times[: max(0, _AREA_RESAMPLES - drawn)]
        drawn += len(times)
        if "auroc" in areas:
            samples["auroc"].append(roc_area(confidence, answerable, some))
        if "aurc" in areas:
            samples["aurc"].append(risk_coverage_area(confidence, wrong, some * ~abstained))
    trust = {name: intervals(np.concatenate(found)[:, None])[0] for name, found in samples.items()}
    return AnswerReport(
        len(results),
        model,
        averages | answer_latencies([result.timings for result in results]),
        trust,
        {status.value: sum(result.status is status for result in results) for status in AnswerStatus},
        tuple(risk_coverage_curve(confidence[~abstained], wrong[~abstained], len(results))),
        generation,
        tuple(results),
    )


def _ratios(
    results: Sequence[AnswerResult], abstained: np.ndarray, answerable: np.ndarray
) -> dict[str, tuple[Doubles, Doubles]]:
    """What each question adds to the numerator and to the denominator of a measure."""
    found: dict[str, tuple[Doubles, Doubles]] = {}
    for name in SHARES:
        found[name] = (
            np.array([result.measures.get(name, 0.0) for result in results]),
            np.array([float(name in result.measures) for result in results]),
        )
    rightly = (abstained & ~answerable).astype(np.float64)
    both_kinds = float(answerable.any() and not answerable.all())  # else precision would tell nothing
    found["abstention_precision"] = (rightly, both_kinds * abstained)
    found["abstention_recall"] = (rightly, 1.0 * ~answerable)
    found["abstention_f1"] = (2 * rightly, both_kinds * (1.0 * abstained + ~answerable))
    found["wrong_abstentions"] = (1.0 * (abstained & answerable), 1.0 * answerable)
    return found


def answer_groups(report: AnswerReport, name: str) -> dict[str, AnswerReport]:
    """A report for each value of the questions' field ``name``; ``""`` for questions without it."""
    groups: dict[str, list[AnswerResult]] = {}
    for result in report.results:
        groups.setdefault(result.fields.get(name, ""), []).append(result)
    return {
        value: summarise_answers(results, report.model, report.generation)
        for value, results in sorted(groups.items())
    }


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
