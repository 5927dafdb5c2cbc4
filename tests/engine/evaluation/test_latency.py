"""What counts as added to the two searches."""

from __future__ import annotations

from quire_engine.evaluation.latency import added_ms, latencies

STAGES = {"filter": 1.0, "embed": 5.0, "dense": 3.0, "keyword": 40.0, "wait": 7.0, "fuse": 2.0, "total": 20.0}


class TestAdded:
    def test_is_all_but_what_ends_with_both_lists(self) -> None:
        assert added_ms(STAGES) == 4.0

    def test_a_stage_that_is_new_counts(self) -> None:
        assert added_ms({**STAGES, "rerank": 30.0, "total": 50.0}) == 34.0

    def test_a_search_that_left_stages_out_is_no_trouble(self) -> None:
        assert added_ms({"filter": 1.0, "total": 1.5}) == 0.5
        assert added_ms({"filter": 1.0004, "total": 1.0}) == 0.0


class TestLatencies:
    def test_are_measured_values(self) -> None:
        searches = [{"dense": 1.0, "total": float(n)} for n in range(1, 101)]
        assert latencies(searches) == {
            "p50_ms": 50.0,
            "p95_ms": 95.0,
            "added_p50_ms": 49.0,
            "added_p95_ms": 94.0,
        }
