"""Follow-up questions: what must be carried over from the turns before, and which must be left alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from quire_engine.analysis import fold
from quire_engine.conversations.followups import standalone
from quire_engine.records import AnswerStatus, Citation, Turn

FILE = Path(__file__).with_name("followups.jsonl")
_PROOF = Citation(1, "Note.md", (), 1, 1, "quote", True, 1.0)


@dataclass(frozen=True)
class Case:
    turns: tuple[Turn, ...]
    question: str
    must: tuple[str, ...]
    must_not: tuple[str, ...]
    stays: bool

    @property
    def right(self) -> bool:
        rewritten = standalone(self.question, self.turns)
        if self.stays:
            return rewritten == self.question
        said = fold(rewritten)
        return (
            rewritten != self.question
            and all(fold(part) in said for part in self.must)
            and not any(fold(part) in said for part in self.must_not)
        )

    def __str__(self) -> str:
        return f"{self.turns[-1].question} / {self.question} -> {standalone(self.question, self.turns)}"


def turn(number: int, question: str, text: str, rewritten: str = "") -> Turn:
    cited = "[1]" in text
    status = AnswerStatus.SUPPORTED if cited else AnswerStatus.ABSTAINED
    proofs = (_PROOF,) if cited else ()
    return Turn(number, 0.0, question, rewritten, text, status, proofs, "extractive", 1)


def cases() -> list[Case]:
    lines = FILE.read_text(encoding="utf-8").splitlines()
    return [
        Case(
            tuple(turn(number, *said) for number, said in enumerate(e["after"], start=1)),
            e["ask"],
            tuple(e.get("must", ())),
            tuple(e.get("not", ())),
            e.get("stays", False),
        )
        for e in map(json.loads, lines)
    ]


@pytest.mark.parametrize(
    ("stays", "least"), [(False, 0.95), (True, 0.95)], ids=["carried over", "left alone"]
)
def test_most_follow_ups_are_understood(stays: bool, least: float) -> None:
    judged = [case for case in cases() if case.stays is stays]
    wrong = [str(case) for case in judged if not case.right]
    assert len(judged) >= 20
    assert len(wrong) <= (1 - least) * len(judged), "\n".join(wrong)
