"""The questions that the sample vault was written to answer, and some that it does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from quire_engine import AskOptions, Engine
from quire_engine.records import Answer, AnswerFinished, AnswerStatus

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Question:
    id: str
    question: str
    answers: tuple[str, ...]
    answerable: bool
    note: str | None


def questions() -> list[Question]:
    lines = (ROOT / "tests/quality/demo_questions.jsonl").read_text(encoding="utf-8").splitlines()
    return [
        Question(e["id"], e["question"], tuple(e["answers"]), e["answerable"], e["note"])
        for e in map(json.loads, lines)
    ]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUIRE_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        with Engine.open(ROOT / "vaults/demo") as opened:
            opened.sync()
            yield opened


@pytest.fixture(scope="module")
def answers(engine: Engine) -> dict[str, Answer]:
    found = {}
    for question in questions():
        last = list(engine.ask(question.question, options=AskOptions(model="extractive")))[-1]
        assert isinstance(last, AnswerFinished)
        found[question.id] = last.answer
    return found


class TestDemoVault:
    def test_it_reads_without_complaint(self, engine: Engine) -> None:
        status = engine.status()
        assert status.skipped == ()
        assert status.warnings == ()
        assert status.unresolved_links == 0
        assert status.notes >= 40

    def test_the_readmes_question_is_answered_first_and_literally(self, answers: dict[str, Answer]) -> None:
        answer = next(a for a in answers.values() if a.question.startswith("How do I link to a heading"))
        assert answer.status is AnswerStatus.SUPPORTED
        assert answer.text.startswith("To link to a heading in another note")
        assert "`[[Note name#Heading]]`. [1]" in answer.text

    def test_the_right_note_is_found(self, engine: Engine) -> None:
        asked = [q for q in questions() if q.answerable]
        ranks = [
            next((hit.rank for hit in engine.search(q.question).hits if hit.path == q.note), 0) for q in asked
        ]
        assert ranks.count(0) == 0
        assert ranks.count(1) >= len(asked) - 3

    def test_most_answers_hold_what_was_asked_for(self, answers: dict[str, Answer]) -> None:
        asked = [q for q in questions() if q.answerable]
        right = [q.id for q in asked if any(a.lower() in answers[q.id].text.lower() for a in q.answers)]
        assert len(right) >= 0.7 * len(asked), sorted({q.id for q in asked} - set(right))

    def test_what_the_notes_do_not_say_is_not_answered(self, answers: dict[str, Answer]) -> None:
        for question in questions():
            if not question.answerable:
                assert answers[question.id].status is AnswerStatus.ABSTAINED, question.question

    def test_every_citation_stands_in_its_note_at_its_lines(self, answers: dict[str, Answer]) -> None:
        citations = [citation for answer in answers.values() for citation in answer.citations]
        assert len(citations) > 20
        for citation in citations:
            assert citation.verified
            text = (ROOT / "vaults/demo" / citation.path).read_text(encoding="utf-8")
            lines = text.split("\n")[citation.start_line - 1 : citation.end_line]
            assert citation.quote in "\n".join(lines)
