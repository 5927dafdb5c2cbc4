"""Why these passages, in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from quire import contract
from quire.explanation import facts, table
from quire_engine.records import (
    Filters,
    Hit,
    NamedNote,
    Plan,
    Query,
    Routing,
    ScoreTrace,
    Signal,
    Strategy,
    TopicScore,
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
