"""What is read out of an answer: names, and neither headers of tables nor units."""

from __future__ import annotations

import pytest

from quire_engine.conversations.turns import told_names, told_parts
from quire_engine.records import AnswerStatus, Citation, Turn

PROOF = Citation(1, "Note.md", (), 1, 1, "quote", True, 1.0)


def turn(question: str, text: str) -> Turn:
    return Turn(1, 0.0, question, "", text, AnswerStatus.SUPPORTED, (PROOF,), "extractive", 1)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("| Name | Role |\n| :-- | --: |\n| Mrs Pell | verger |\n| Tom | |", ["Mrs Pell", "verger", "Tom"]),
        ("- [x] One\n  2. **Two**\n> ### Three", ["One", "Two", "Three"]),
        ("Title\n---\nBody - with a dash", ["Title", "Body - with a dash"]),
        ("| [[Swift Project\\|project]] | [[A#B]] |", ["project", "B"]),
        ("|\n--\n\n- \n", []),
    ],
)
def test_parts_are_lines_and_cells_without_markup(text: str, parts: list[str]) -> None:
    assert list(told_parts(text)) == parts


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Bake it at 220 °C, or 430 °Fahrenheit, on 16 GB for £3,950.", []),
        ("Vitamin C, at Gate B.", ["Vitamin C", "Gate B"]),
        ("- Tom owns it\n- Ada wrote it", ["Tom"]),
        ("owned by Tom\nMrs Pell on Tuesdays", ["Tom", "Mrs Pell"]),
        ("| Lead | Ines Valcourt |\n| Deputy | Owen Haddock |", ["Ines Valcourt", "Owen Haddock"]),
    ],
)
def test_names_end_with_their_cell_and_are_no_units(text: str, told: list[str]) -> None:
    assert told_names(turn("Who owns the mill?", text)) == told


def test_nothing_is_told_by_what_is_not_proved() -> None:
    uncited = Turn(1, 0.0, "Who?", "", "Mrs Pell", AnswerStatus.ABSTAINED, (), "extractive", 1)
    assert told_names(uncited) == []
