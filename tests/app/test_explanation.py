"""Why these passages, in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from quire import contract
from quire.explanation import doing, facts, reading, table
from quire_engine.records import (
    Answer,
    AnswerEvent,
    AnswerStatus,
    AnswerText,
    Filters,
    Hit,
    HitsFound,
    NamedNote,
    Omission,
    Plan,
    PromptRead,
    Query,
    Queued,
    Routing,
    ScoreTrace,
    SearchResult,
    Signal,
    Strategy,
    TopicScore,
    Wave,
    WaveLoaded,
)

QUERY = Query(
    text="roses",
    language="",
    intent="factual",
    complexity=0.0,
    reasons=(),
    recency=0.0,
    since=None,
    before=None,
    domains=(),
    phrases=(),
    named=(),
    parts=(),
    filters=Filters(),
)
PLAN = Plan(QUERY, Strategy("simple", 100, 1, 10, 1, 1.0, None), Routing("all"))
MEASURES = {"confidence": 0.9, "clarity": 0.7, "completeness": 1.0}
FIRST = Wave(
    "critical", 2, 120, 0.75, None, **MEASURES, coverage=0.41, scores=(0.83, 0.7), cause="the question"
)
SECOND = Wave(
    "relevant", 1, 1200, 1.0, "there is enough", **MEASURES,
    coverage=0.6, scores=(0.4,), cause="coverage 0.41 of 0.55",
)  # fmt: skip
MARCH = datetime(2024, 3, 1).timestamp()
NOON = datetime(2024, 4, 1, 12).timestamp()


def told(plan: Plan | None) -> dict[str, str]:
    return dict(facts(contract.plan(plan)))


def asked(**changes: object) -> dict[str, str]:
    return told(replace(PLAN, query=replace(QUERY, **changes)))  # type: ignore[arg-type]


def routed(routing: Routing) -> str:
    return told(replace(PLAN, routing=routing))["topics"]


class TestFacts:
    def test_a_plain_question_takes_one(self) -> None:
        assert told(PLAN) == {
            "question": "factual; language not recognised; simple search, 100 candidates a list"
        }

    def test_nothing_to_search_for_takes_none(self) -> None:
        assert told(None) == {}

    def test_reasons_and_language(self) -> None:
        said = asked(intent="analytical", reasons=("comparative", "temporal"), language="de")["question"]
        assert said.startswith("analytical, comparative, temporal; language de; ")

    def test_parts_and_named_notes(self) -> None:
        said = asked(parts=("one?", "two?"), named=(NamedNote("rose garden", ("Rose Garden.md",)),))
        assert said["asks for"] == "2 parts: “one?”, “two?”; the note “rose garden” (Rose Garden.md)"

    def test_time_is_a_hint(self) -> None:
        assert asked(since=MARCH, before=NOON)["asks for"] == (
            "notes since 2024-03-01 and before 2024-04-01 12:00, if possible"
        )
        assert asked(recency=0.5)["asks for"] == "what is recent (0.50)"

    def test_restrictions(self) -> None:
        filters = Filters(
            folders=("A", "B"),
            tags=("x", "y"),
            since=MARCH,
            where=(("status", "done"),),
            paths=("Work/",),
            phrases=("cold frame",),
            excluded=("draft",),
        )
        assert asked(filters=filters)["only"] == (
            "in A or B; path Work/; tag x and y; status=done; “cold frame”; without draft; "
            "notes since 2024-03-01"
        )

    def test_a_required_phrase_is_not_also_a_wish(self) -> None:
        said = asked(phrases=("cold frame", "by hand"), filters=Filters(phrases=("cold frame",)))
        assert said["only"] == "“cold frame”"
        assert said["asks for"] == "“by hand” as written, if possible"

    def test_where_the_question_was_taken_to_belong(self) -> None:
        topics = (TopicScore("Garden", 0.5), TopicScore("House", 0.25), TopicScore("Work", 0.1))
        several = Routing("several", topics, ("Garden", "House"))
        assert routed(several) == "Garden (0.50), House (0.25) favoured"
        assert routed(Routing("all", topics)) == "none stands out; likeliest Garden (0.50), House (0.25)"
        assert routed(Routing("preferred", topics, ("Work",))) == "Work held enough"
        assert routed(Routing("widened", topics, ("Work",))) == "Work held too little; all were searched"

    def test_steps(self) -> None:
        assert told(replace(PLAN, steps=("one thing", "another")))["steps"] == "one thing; another"

    def test_long_lists_and_long_items_are_cut(self) -> None:
        said = asked(filters=Filters(excluded=tuple("abcdefgh"), tags=("t" * 500,)))["only"]
        assert "without a, b, c, d, e and 3 more" in said
        assert len(said) < 120


class TestDoing:
    @pytest.mark.parametrize(
        ("event", "words"),
        [
            (HitsFound(SearchResult("q", (), 1, False)), "found 0 passages"),
            (WaveLoaded(FIRST), "reading 2 critical passages"),
            (WaveLoaded(SECOND), "reading on: coverage 0.41 of 0.55"),
            (Queued(2), "waiting: 2 questions before this one"),
            (Queued(0), "waiting is over: the language model begins"),
            (PromptRead(384, 1020, 128), "the language model reads: 384 of 1,020 tokens"),
            (AnswerText("In March."), ""),
        ],
    )
    def test_says_what_goes_on(self, event: AnswerEvent, words: str) -> None:
        assert doing(contract.answer_event(event)) == words


class TestReading:
    answer = Answer("q", AnswerStatus.PARTIAL, "t", (), (FIRST, SECOND), "m", 7, False, confidence=0.5)

    def test_tells_every_wave_and_what_the_answer_is_worth(self) -> None:
        assert list(reading(contract.answer(self.answer))) == [
            (
                "wave 1",
                "critical: 2 passages, 120 tokens; why: the question; scores 0.830, 0.700; "
                "coverage 0.41, confidence 0.90, clarity 0.70, completeness 1.00, "
                "sufficiency 0.75; not enough",
            ),
            (
                "wave 2",
                "relevant: 1 passage, 1,200 tokens; why: coverage 0.41 of 0.55; "
                "scores 0.400; coverage 0.60, confidence 0.90, clarity 0.70, completeness 1.00, "
                "sufficiency 1.00; stopped: there is enough",
            ),
            ("answer", "partial, confidence 0.50; answered by m, from generation 7 of the index"),
        ]

    def test_tells_what_was_left_out_and_how_a_follow_up_was_understood(self) -> None:
        omitted = (Omission("a.md", 1, 2, "did not fit"), Omission("b.md", 3, 3, "repeats another"))
        answer = replace(self.answer, standalone="When are roses pruned?", omitted=omitted)
        told = dict(reading(contract.answer(answer)))
        assert told["asks"] == "“When are roses pruned?”"
        assert told["left out"] == "a.md:1-2 did not fit; b.md:3 repeats another"


class TestTable:
    trace = ScoreTrace(
        (
            Signal("keyword", 3, 9.5, 0.3, 0.2),
            Signal("dense", 1, 0.7, 0.5, 0.4),
            Signal("freshness", 0, 0.25, -0.2, -0.05),
        )
    )
    hit = contract.hit(Hit(1, 1, "a.md", "a", (), 1, 1, "text", 0.55, "", trace))

    def test_has_a_line_for_every_signal_and_one_for_their_sum(self) -> None:
        assert list(table(self.hit)) == [
            "signal        value              rank weight     adds",
            "dense         0.700 cosine         #1  0.500   0.4000  ━━━━━━━━━━",
            "keyword       9.500 BM25F          #3  0.300   0.2000  ━━━━━",
            "freshness     0.250 share           - -0.200  -0.0500  ╌",
            "score                                          0.5500",
        ]

    def test_bars_can_be_ascii(self) -> None:
        lines = list(table(self.hit, bar="#", minus="-"))
        assert lines[1].endswith("  ##########")
        assert "".join(lines).isascii()

    def test_a_score_of_nothing_is_a_table_too(self) -> None:
        empty = {**self.hit, "score": 0.0, "trace": {"signals": [], "duplicates": []}}
        assert [line.split()[0] for line in table(empty)] == ["signal", "score"]
