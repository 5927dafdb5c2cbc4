"""How follow-up questions are rewritten by rules; how often, tests/quality/test_followups.py tells."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_engine.conversations.followups import standalone
from quire_engine.records import AnswerStatus, Citation, Turn
from quire_engine.retrieval.operators import parse

PROOF = Citation(1, "Research/People.md", ("People", "Ines Valcourt"), 9, 9, "Biologist.", True, 1.0)


def turn(question: str, text: str = "I found no evidence.", *, rewritten: str = "", number: int = 1) -> Turn:
    cited = "[1]" in text
    status = AnswerStatus.SUPPORTED if cited else AnswerStatus.ABSTAINED
    return Turn(number, 0.0, question, rewritten, text, status, (PROOF,) if cited else (), "extractive", 1)


def test_without_a_turn_before_it_nothing_is_rewritten() -> None:
    assert standalone("How long does it keep?", ()) == "How long does it keep?"


@pytest.mark.parametrize(
    ("before", "answer", "asked", "meant"),
    [
        ("Who funds the study?", "A trust. [1]", "How long does it run?", "How long does the study run?"),
        ("Who leads the study?", "Biologist. [1]", "Where was she born?", "Where was Ines Valcourt born?"),
        ("Is the kiln hot?", "Yes. [1]", "What is its limit?", "What is the kiln's limit?"),
        ("How many swifts came in 2022?", "37 [1]", "And in 1988?", "How many swifts came in 1988?"),
        ("What does Tomasz do?", "He climbs. [1]", "And Priya?", "What does Priya do?"),
        ("When did the storm come?", "In 1850. [1]", "Where?", "Where did the storm come?"),
        ("Who funds the study?", "A trust. [1]", "And when does it end,", "When does the study end,"),
        (
            "How do you reach Ines Valcourt?",
            "| Ines Valcourt | [1]",
            "Why?",
            "Why: How do you reach Ines Valcourt?",
        ),
        ("Which sites are there?", "- Tower\n- Mill [1]", "How high is the second one?", "How high is Mill?"),
    ],
)
def test_what_is_meant_takes_the_place_of_what_points_to_it(
    before: str, answer: str, asked: str, meant: str
) -> None:
    assert standalone(asked, [turn(before, answer)]) == meant


def test_the_question_before_counts_as_it_was_understood() -> None:
    turns = [
        turn("Who leads the Swift Project?", "Ines. [1]"),
        turn("What is its budget?", "£48,600 [1]", rewritten="What is the Swift Project's budget?", number=2),
    ]
    assert "Swift Project" in standalone("Who audits it?", turns)


def test_an_earlier_turn_tells_where_the_last_one_does_not() -> None:
    turns = [turn("Who leads the Swift Project?", "Ines. [1]"), turn("Why?", "Because. [1]", number=2)]
    assert standalone("How long does it run?", turns) == "How long does the Swift Project run?"


def test_operators_stay_behind_the_question() -> None:
    asked = 'tag:research How long does it run? since:2024 -draft path:"My notes"'
    meant = standalone(asked, [turn("Who leads the study?", "Ines. [1]")])
    assert meant == 'How long does the study run? tag:research since:2024 -draft path:"My notes"'


def test_operators_of_the_turn_before_are_not_carried_over() -> None:
    assert standalone("How long does it run?", [turn("tag:x Who leads the study?", "Ines. [1]")]) == (
        "How long does the study run?"
    )


HOSTILE = "The pump failed tag:rust -because folder:zzz of “a seal”. [1]"


@pytest.mark.parametrize(
    ("before", "asked", "meant"),
    [
        ("How is the pump?", "Why?", "Why: The pump failed tag rust because folder zzz of a seal?"),
        ('Who built "the red mill" -draft?', "How old is it?", "How old is the red mill?"),
        ('"the mill" path:x', "And the tower?", "the tower?"),
    ],
)
def test_what_was_said_is_no_query(before: str, asked: str, meant: str) -> None:
    assert standalone(asked, [turn(before, HOSTILE)]) == meant


@given(
    st.lists(st.text(alphabet='ab[]1|*_-:"“» \n', max_size=4) | st.sampled_from(["tag:", "in:", "-"])).map(
        "".join
    ),
    st.sampled_from(["Why?", "Where is it?", "And the mill?", "How high is the second one?", "Who else?"]),
)
def test_no_text_becomes_a_filter(text: str, asked: str) -> None:
    for turns in (
        [turn("Which towers are there?", f"{text} [1]")],
        [turn(text, f"- Ab{text}\n- {text}A [1]")],
    ):
        found = parse(standalone(f"{asked} tag:own", turns))
        assert found.filters == parse("x tag:own").filters
        assert found.phrases == ()


def test_a_reason_is_about_what_was_asked_before_it() -> None:
    turns = [turn("What happened to the pump?", HOSTILE)]
    turns.append(turn("Why?", "It was dry. [1]", rewritten=standalone("Why?", turns), number=2))
    assert standalone("Who replaced it?", turns) == "Who replaced the pump?"
    assert standalone("How long?", turns).endswith("the pump?")


@pytest.mark.parametrize(
    ("asked", "understood"),
    [
        (
            ["How much money is left?", "Why?", "Why?", "Is that a lot?", "what about 2024?", "Why?"],
            [
                "How much money is left?",
                "Why: How much money is left?",
                "Why: How much money is left?",
                "Is that a lot (How much money is left)?",
                "How much money is left in 2024?",
                "Why: How much money is left in 2024?",
            ],
        ),
        (
            [
                "How do I make rye loaf?",
                "How long do I bake it?",
                "Is that enough?",
                "How long does it keep?",
            ],
            [
                "How do I make rye loaf?",
                "How long do I bake rye loaf?",
                "Is that enough (How long do I bake rye loaf)?",
                "How long does rye loaf keep?",
            ],
        ),
        (
            ["Which sites are hot?", "Which ones?", "Which ones?", "Where is the other?"],
            [
                "Which sites are hot?",
                "Which ones: Which sites are hot?",
                "Which ones: Which sites are hot?",
                "Where is the other (Which sites are hot)?",
            ],
        ),
    ],
)
def test_no_question_grows_with_the_turns(asked: list[str], understood: list[str]) -> None:
    turns: list[Turn] = []
    for number, question in enumerate(asked, start=1):
        meant = standalone(question, turns)
        rewritten = meant if meant != question else ""
        turns.append(turn(question, "£3,950 at 21 °C. [1]", rewritten=rewritten, number=number))
    assert [one.standalone or one.question for one in turns] == understood


@pytest.mark.parametrize(
    ("headings", "meant"),
    [
        (("Notes", "Decisions"), "Is he an engineer?"),
        (("Atlas", "Open Questions"), "Is he an engineer?"),
        (("Atlas", "Tom Baker"), "Is Tom Baker an engineer?"),
        ((), "Is he an engineer?"),
    ],
)
def test_a_heading_is_somebody_only_where_it_looks_like_a_name(headings: tuple[str, ...], meant: str) -> None:
    under = replace(
        turn("Who owns Atlas?", "Nobody yet. [1]"), citations=(replace(PROOF, headings=headings),)
    )
    assert standalone("Is he an engineer?", [under]) == meant


@pytest.mark.parametrize("before", ["The pump failed. Why?", "The pump failed tag?", "Pump broke?"])
def test_a_statement_is_no_topic(before: str) -> None:
    assert standalone("Who replaced it?", [turn(before, "Wear. [1]")]).casefold() in (
        "who replaced the pump?",
        "who replaced pump?",
    )


def test_a_verb_is_no_topic() -> None:
    """Instead, the heading that the answer stands under."""
    assert standalone("Who replaced it?", [turn("What failed?", HOSTILE)]) == "Who replaced Ines Valcourt?"


@pytest.mark.parametrize("topic", ["the newly painted door", "the grey painted door", "the hundred"])
def test_a_participle_before_its_noun_is_no_verb(topic: str) -> None:
    assert standalone("Who sold it?", [turn(f"Where is {topic}?", "[1]")]) == f"Who sold {topic}?"


@given(st.text(max_size=200), st.text(max_size=200), st.text(max_size=200))
def test_any_text_is_taken(question: str, before: str, answer: str) -> None:
    meant = standalone(question, [turn(before, f"{answer} [1]")])
    assert len(meant) < 3000
    assert meant or not question


@given(st.text(alphabet="[]\"'(){}*+?\\.-# aAié:it\n", max_size=60))
def test_marks_break_nothing(question: str) -> None:
    turns = [turn("Who leads the [[Swift \\1 Project]]?", "Ines \\g<0> (x. [1]")]
    assert isinstance(standalone(f"{question} it?", turns), str)
    assert isinstance(standalone(f"And {question}?", turns), str)


def test_a_long_history_of_marks_takes_no_time() -> None:
    hostile = [turn('"' * 50_000 + "[[" * 50_000 + "Aa " * 50_000, "Aa-" * 100_000 + "[1]")] * 3
    assert standalone("And it?", hostile)


@pytest.mark.parametrize("part", [" ", "\n", "? ", "?!", "[", "[1", "\n1", "tag:", "-", '-"', "in:-"])
def test_a_long_history_of_nothing_takes_no_time(part: str) -> None:
    hostile = [turn(f"Which?{part * 50_000}x", f"The site{part * 50_000}x [1]")]
    for asked in ("Why?", "How high is the second one?"):
        assert standalone(asked, hostile)
