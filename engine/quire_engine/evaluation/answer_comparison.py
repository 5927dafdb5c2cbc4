"""The answers of two runs: what changed, by how much, and whether it is more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from quire_engine.errors import ConfigError
from quire_engine.evaluation.comparison import differences
from quire_engine.evaluation.latency import answer_latencies
from quire_engine.records import AnswerChange, AnswerComparison, AnswerResult, AnswerStatus

_COMPARED = (
    "correct",
    "answer_recall",
    "token_f1",
    "right_paragraph",
    "citation_precision",
    "citation_recall",
    "abstention_recall",
    "wrong_abstentions",
    "sentences",
    "words",
    "waves",
    "context_tokens",
)


class Asked(Protocol):
    """A question with what is expected, answered or not yet."""

    @property
    def id(self) -> str: ...

    @property
    def question(self) -> str: ...

    @property
    def answerable(self) -> bool: ...

    @property
    def answers(self) -> tuple[str, ...]: ...

    @property
    def places(self) -> tuple[str, ...]: ...


def common_questions(then: Sequence[AnswerResult], now: Sequence[Asked]) -> list[str]:
    """Ids of the questions that both have with the same words and judgements, in the order of ``now``.

    Raises `ConfigError` when there is none.
    """
    known = {result.id: _asked(result) for result in then}
    same = [question.id for question in now if known.get(question.id) == _asked(question)]
    if not same:
        raise ConfigError(
            "the saved run answers other questions (none has the same id, words and judgements); "
            "compare with a run of this folder, made by `quire eval DIR --save FILE`"
        )
    return same


def compare_answers(then: Sequence[AnswerResult], now: Sequence[AnswerResult]) -> AnswerComparison:
    """What changed from ``then`` to ``now``, over the questions that both have; each against itself.

    Raises `ConfigError` when no question is common.
    """
    common = common_questions(then, now)
    before, after = ({result.id: result for result in run} for run in (then, now))
    pairs = [(before[identity], after[identity]) for identity in common]
    old, new = (answer_latencies([pair[side].timings for pair in pairs]) for side in (0, 1))
    changes = [_change(*pair) for pair in pairs if _said(pair[0]) != _said(pair[1])]
    changes.sort(key=lambda change: (change.now - change.then, change.id))
    return AnswerComparison(
        len(common),
        len(now) - len(common),
        len(then) - len(common),
        differences([(_measures(one), _measures(other)) for one, other in pairs], _COMPARED),
        {name: (old[name], new[name]) for name in new},
        tuple(changes),
    )


def _asked(question: Asked) -> tuple[object, ...]:
    return (question.question, question.answerable, tuple(question.answers), tuple(question.places))


def _measures(result: AnswerResult) -> dict[str, float]:
    """What can be compared question by question: abstaining counts as a measure of its own."""
    abstained = float(result.status is AnswerStatus.ABSTAINED)
    name = "wrong_abstentions" if result.answerable else "abstention_recall"
    return {**result.measures, name: abstained}


def _said(result: AnswerResult) -> tuple[object, ...]:
    return (result.text, result.cited, _correct(result))


def _correct(result: AnswerResult) -> float:
    return result.measures["correct"]


def _change(then: AnswerResult, now: AnswerResult) -> AnswerChange:
    return AnswerChange(
        now.id,
        now.question,
        _correct(then),
        _correct(now),
        then.status,
        now.status,
        then.text,
        now.text,
        then.cited,
        now.cited,
    )
