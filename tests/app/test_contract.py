"""The dicts that scripts read."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import datetime

import pytest

from quire import contract
from quire_engine.records import (
    Answer,
    AnswerFinished,
    AnswerStatus,
    AnswerText,
    Citation,
    EvalReport,
    Filters,
    Hit,
    HitsFound,
    IndexStatus,
    InstalledModel,
    ModelDescription,
    NamedNote,
    Neighbour,
    Omission,
    Plan,
    PromptRead,
    Query,
    Queued,
    Routing,
    ScoreTrace,
    SearchResult,
    Signal,
    SkippedNote,
    Strategy,
    SyncProgress,
    SyncReport,
    TopicScore,
    TopicStatus,
    Wave,
    WaveLoaded,
)

HIT = Hit(
    rank=1,
    chunk_id=0x1F,
    path="Garden/Roses.md",
    title="Roses",
    headings=("Roses", "Pruning"),
    start_line=3,
    end_line=5,
    text="Prune roses in March.",
    score=0.03,
    topic="Garden",
    trace=ScoreTrace(
        (Signal("dense", 1, 0.7, 1.0, 0.02), Signal("keyword", 4, 9.5, 1.0, 0.01)), ("Old.md:1-2",)
    ),
)
SINCE = datetime(2024, 3, 1).timestamp()
QUERY = Query(
    text="roses and vines in march",
    language="en",
    intent="factual",
    complexity=0.3,
    reasons=("multi-part",),
    recency=0.5,
    since=SINCE,
    before=None,
    domains=("Garden",),
    phrases=("south wall",),
    named=(NamedNote("roses", tuple(f"{n}/Roses.md" for n in range(20)), linked=True),),
    parts=("roses in march", "vines in march"),
    filters=Filters(tags=("plants",), since=SINCE, where=(("status", "done"),), excluded=("draft",)),
    notes=("'since:soon' is searched as words",),
)
PLAN = Plan(
    QUERY,
    Strategy("moderate", 100, 2, 15, 2, 2.0, "simple"),
    Routing("one", (TopicScore("Garden", 0.9),), ("Garden",)),
    ("searched 2 parts of the question beside the whole",),
)
RESULT = SearchResult("roses", (HIT,), generation=7, incomplete=False, timings={"total": 12.34567}, plan=PLAN)
CITATION = Citation(1, "Garden/Roses.md", ("Roses",), 3, 3, "Prune roses in March.", True, 0.9)
WAVE = Wave(
    tier="critical",
    chunks=2,
    tokens=120,
    sufficiency=0.8,
    stop_reason="sufficient",
    coverage=0.41,
    confidence=0.9,
    clarity=0.7,
    completeness=1.0,
    scores=(0.03, 0.02),
    cause="the question",
)
ANSWER = Answer(
    question="When are roses pruned?",
    status=AnswerStatus.SUPPORTED,
    text="In March [1].",
    citations=(CITATION,),
    waves=(WAVE,),
    model="extractive",
    generation=7,
    incomplete=False,
    hits=(HIT,),
    timings={"total": 20.0},
    plan=PLAN,
    confidence=0.75,
    standalone="When?",
    conversation="0a1b",
    omitted=(Omission("Old.md", 1, 2, "did not fit"),),
    notes=("it could not be kept",),
)


class TestSearch:
    def test_carries_schema_generation_timings_and_hits(self) -> None:
        record = contract.search(RESULT)
        assert record["schema"] == "quire.search/1"
        assert record["generation"] == 7
        assert record["timings"] == {"total": 12.346}
        assert record["incomplete"] is False
        assert [hit["path"] for hit in record["hits"]] == ["Garden/Roses.md"]

    def test_a_hit_has_the_promised_fields(self) -> None:
        hit = contract.hit(HIT)
        promised = {"rank", "path", "headings", "start_line", "end_line", "text", "score", "topic", "trace"}
        assert promised <= hit.keys()
        assert hit["headings"] == ["Roses", "Pruning"]
        assert (hit["start_line"], hit["end_line"]) == (3, 5)

    def test_an_id_is_sixteen_hexadecimal_digits(self) -> None:
        assert contract.hit(HIT)["id"] == "000000000000001f"
        assert contract.chunk_id(2**63 - 1) == "7fffffffffffffff"

    def test_contributions_of_a_trace_add_up_to_the_score(self) -> None:
        hit = contract.hit(HIT)
        assert sum(signal["contribution"] for signal in hit["trace"]["signals"]) == hit["score"]
        assert hit["trace"]["duplicates"] == ["Old.md:1-2"]

    @pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
    def test_numbers_are_numbers_whatever_happens(self, number: float) -> None:
        signals = (Signal("dense", 1, number, number, number),)
        hit = replace(HIT, score=number, trace=ScoreTrace(signals, ()))
        routed = replace(PLAN, routing=replace(PLAN.routing, topics=(TopicScore("Garden", number),)))
        result = replace(RESULT, hits=(hit,), plan=routed, timings={"total": number})
        record = json.loads(json.dumps(contract.search(result), allow_nan=False))
        (found,) = record["hits"]
        assert found["score"] == found["trace"]["signals"][0]["contribution"] == 0.0
        measures = dict.fromkeys(("coverage", "confidence", "clarity", "completeness", "sufficiency"), number)
        waves = (replace(WAVE, scores=(number,), **measures),)  # type: ignore[arg-type]
        citations = (replace(CITATION, support=number),)
        answer = replace(ANSWER, hits=(hit,), plan=routed, waves=waves, citations=citations)
        json.dumps(contract.answer(replace(answer, confidence=number)), allow_nan=False)

    def test_lines_stand_alone(self) -> None:
        (line,) = contract.search_lines(contract.search(RESULT))
        assert line["schema"] == "quire.search/1"
        assert line["generation"] == 7
        assert line["rank"] == 1


class TestAnswer:
    def test_has_the_promised_fields(self) -> None:
        record = contract.answer(ANSWER)
        assert record["schema"] == "quire.answer/1"
        assert record["answer"] == "In March [1]."
        assert record["status"] == "supported"
        assert record["model"] == "extractive"
        assert record["generation"] == 7
        (citation,) = record["citations"]
        assert citation == {
            "n": 1,
            "path": "Garden/Roses.md",
            "headings": ["Roses"],
            "start_line": 3,
            "end_line": 3,
            "quote": "Prune roses in March.",
            "verified": True,
            "support": 0.9,
        }
        (wave,) = record["waves"]
        assert wave == {
            "tier": "critical",
            "chunks": 2,
            "tokens": 120,
            "scores": [0.03, 0.02],
            "cause": "the question",
            "coverage": 0.41,
            "confidence": 0.9,
            "clarity": 0.7,
            "completeness": 1.0,
            "sufficiency": 0.8,
            "stop_reason": "sufficient",
        }
        (omitted,) = record["omitted"]
        assert omitted == {"path": "Old.md", "start_line": 1, "end_line": 2, "reason": "did not fit"}
        assert (record["confidence"], record["notes"]) == (0.75, ["it could not be kept"])
        assert (record["standalone"], record["conversation"]) == ("When?", "0a1b")

    def test_events_say_their_type(self) -> None:
        events = [
            HitsFound(RESULT),
            WaveLoaded(WAVE),
            Queued(2),
            PromptRead(384, 1020, 128),
            AnswerText("In March [1].", (CITATION,)),
            AnswerFinished(ANSWER),
        ]
        records = [contract.answer_event(event) for event in events]
        types = ["hits", "wave", "queued", "reading", "text", "answer"]
        assert [record["type"] for record in records] == types
        assert {record["schema"] for record in records} == {"quire.answer/1"}
        assert records[0]["hits"][0]["path"] == "Garden/Roses.md"
        assert records[1] == {"schema": "quire.answer/1", "type": "wave", **contract.wave(WAVE)}
        assert records[2]["position"] == 2
        assert (records[3]["done"], records[3]["total"], records[3]["known"]) == (384, 1020, 128)
        assert records[4]["citations"][0]["n"] == 1
        assert records[5]["answer"] == ANSWER.text


class TestEverythingElse:
    def test_a_status_survives_json(self) -> None:
        status = IndexStatus(
            vault="/v",
            index="/i",
            generation=3,
            notes=2,
            chunks=5,
            vectors=4,
            pending=1,
            indexing=None,
            embedding=SyncProgress("embed", 4, 5, 2.0, 0.5),
            topics=(TopicStatus("Garden", 2, 5),),
            skipped=(SkippedNote("big.md", "too large"),),
            warnings=(),
            unresolved_links=0,
            disk_bytes=10,
            last_sync=None,
            embedding_model="m",
            embedding_runtime="openvino",
            answer_model=None,
        )
        record = json.loads(json.dumps(contract.status(status)))
        assert record["schema"] == "quire.status/1"
        assert record["topics"] == [{"topic": "Garden", "notes": 2, "chunks": 5}]
        assert record["skipped"] == [{"path": "big.md", "reason": "too large"}]
        assert record["pending"] == 1
        assert record["indexing"] is None
        assert record["embedding"] == {
            "stage": "embed", "done": 4, "total": 5, "rate": 2.0, "seconds_left": 0.5
        }  # fmt: skip

    def test_a_sync_report_names_skipped_notes(self) -> None:
        record = contract.index(SyncReport(added=2, skipped=(SkippedNote("big.md", "too large"),)))
        assert record["schema"] == "quire.index/1"
        assert record["added"] == 2
        assert record["skipped"] == [{"path": "big.md", "reason": "too large"}]

    def test_models_tell_installed_from_available(self) -> None:
        description = ModelDescription(
            "small", "language", "org/small", "abc", "small.gguf", 10, "00", "Apache-2.0", 4096, 100
        )
        listed = [
            InstalledModel("small", "language", None, 10, False, description),
            InstalledModel("own", "language", "/m/own.gguf", 20, True),
        ]
        record = contract.models(listed, "own")
        assert record["answering"] == "own"
        assert [model["installed"] for model in record["models"]] == [False, True]
        assert [model["licence"] for model in record["models"]] == ["Apache-2.0", None]

    def test_an_evaluation_keeps_its_counts_and_measures(self) -> None:
        record = contract.evaluation(EvalReport(3, "note", {"ndcg@10": 0.5, "p50_ms": float("nan")}), None)
        assert record == {
            "schema": "quire.eval/1",
            "queries": 3,
            "unit": "note",
            "retrieval": {"ndcg@10": 0.5, "p50_ms": None},
            "intervals": {},
        }

    def test_settings_that_differ_are_named_with_both_values(self) -> None:
        then = {"retrieval": {"fusion": "rrf", "rrf_k": 60}, "scan": {"ignore": []}}
        now = {"retrieval": {"fusion": "convex", "rrf_k": 60}, "scan": {"ignore": []}, "new": {"limit": 20}}
        assert contract.settings_changed(then, now) == {
            "new.limit": [None, 20],
            "retrieval.fusion": ["rrf", "convex"],
        }

    def test_what_json_lacks_becomes_null(self) -> None:
        assert contract.json_safe({"a": (1.5, float("nan"), [float("inf")])}) == {"a": [1.5, None, [None]]}


class TestRouting:
    def test_says_what_was_searched_and_the_likeliest_topics(self) -> None:
        topics = tuple(TopicScore(f"T{n}", 1 / 2**n) for n in range(1, 20))
        routing = contract.routing(Routing("widened", topics, ("Work",), ("T2",)))
        assert routing["topics"] == [{"topic": f"T{n}", "probability": 1 / 2**n} for n in range(1, 11)]
        assert (routing["mode"], routing["chosen"], routing["further"]) == ("widened", ["Work"], ["T2"])


class TestPlan:
    def test_says_how_the_question_was_understood(self) -> None:
        plan = json.loads(json.dumps(contract.plan(PLAN)))
        query = plan["query"]
        assert query["text"] == "roses and vines in march"
        assert (query["intent"], query["reasons"], query["language"]) == ("factual", ["multi-part"], "en")
        assert query["parts"] == ["roses in march", "vines in march"]
        assert query["notes"] == ["'since:soon' is searched as words"]
        assert query["named"] == [
            {"name": "roses", "paths": [f"{n}/Roses.md" for n in range(10)], "linked": True}
        ]
        assert datetime.fromisoformat(query["since"]).timestamp() == SINCE
        assert query["before"] is None
        assert plan["strategy"]["name"] == "moderate"
        assert plan["strategy"]["fallback"] == "simple"
        assert plan["routing"]["chosen"] == ["Garden"]
        assert plan["steps"] == ["searched 2 parts of the question beside the whole"]

    def test_has_the_restrictions_that_are_given_and_no_others(self) -> None:
        filters = contract.filters(QUERY.filters)
        assert datetime.fromisoformat(filters.pop("since")).timestamp() == SINCE
        assert filters == {"tags": ["plants"], "where": [["status", "done"]], "excluded": ["draft"]}
        assert contract.filters(Filters()) == {}
        assert contract.filters(Filters(since=0.0)).keys() == {"since"}

    @pytest.mark.parametrize("seconds", [1e18, float("inf"), -1e18, float("-inf")])
    def test_a_time_beyond_the_calendar_is_its_end(self, seconds: float) -> None:
        assert contract.moment(seconds) == ("9999-12-31" if seconds > 0 else "0001-01-01")

    def test_searches_and_answers_tell_it(self) -> None:
        plan = contract.plan(PLAN)
        assert contract.search(RESULT)["plan"] == plan
        assert contract.answer(ANSWER)["plan"] == plan
        assert contract.answer_event(HitsFound(RESULT))["plan"] == plan

    def test_is_null_for_a_question_with_nothing_to_search_for(self) -> None:
        assert contract.search(replace(RESULT, hits=(), plan=None))["plan"] is None


class TestContext:
    def test_passages_around_a_hit_come_when_asked_for(self) -> None:
        around = Neighbour(True, 1, 2, ("Roses",), "They grow along the south wall.")
        result = replace(RESULT, hits=(replace(HIT, neighbours=(around,)),))
        (hit,) = contract.search(result, context=True)["hits"]
        assert hit["neighbours"] == [
            {
                "before": True,
                "start_line": 1,
                "end_line": 2,
                "headings": ["Roses"],
                "text": "They grow along the south wall.",
            }
        ]
        (hit,) = contract.search(result)["hits"]
        assert "neighbours" not in hit

    def test_there_may_be_none(self) -> None:
        assert contract.hit(HIT, context=True)["neighbours"] == []
