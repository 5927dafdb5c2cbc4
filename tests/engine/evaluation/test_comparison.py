"""What changed between two runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from quire_engine.errors import ConfigError
from quire_engine.evaluation import metrics
from quire_engine.evaluation.comparison import common_ids, compare
from quire_engine.records import DocumentMove, QueryResult


def result(
    identity: str, ranking: Sequence[str], relevant: Mapping[str, float] | None = None, total: float = 10.0
) -> QueryResult:
    relevant = relevant or {"good": 1.0}
    return QueryResult(
        identity,
        f"text of {identity}",
        {},
        relevant,
        {
            "ndcg@10": metrics.ndcg(ranking, relevant),
            "recall@10": metrics.recall(ranking, relevant, 10),
        },
        tuple((document, 1.0) for document in ranking),
        {"dense": 4.0, "total": total},
    )


FIRST, SECOND, MISSED = ["good", "x"], ["x", "good"], ["x"]


class TestCompare:
    THEN = (result("a", FIRST), result("b", SECOND), result("c", MISSED), result("d", FIRST))
    NOW = (result("a", SECOND), result("b", FIRST), result("c", FIRST), result("d", FIRST, total=30.0))

    def test_means_and_counts_by_hand(self) -> None:
        second = metrics.ndcg(SECOND, {"good": 1.0})
        found = compare(self.THEN, self.NOW).measures["ndcg@10"]
        assert (found.then, found.now) == pytest.approx(((2 + second) / 4, (3 + second) / 4))
        assert found.difference == pytest.approx(0.25)
        assert (found.wins, found.ties, found.losses) == (2, 1, 1)
        assert found.interval[0] < 0.25 < found.interval[1]

    def test_the_interval_is_one_of_the_differences_not_of_the_means(self) -> None:
        relevant = {"good": 1.0}
        then = [result(str(n), ["x"] * (n % 9) + ["good"], relevant) for n in range(60)]
        now = [replace(r, measures={k: v + 0.01 for k, v in r.measures.items()}) for r in then]
        found = compare(then, now).measures["ndcg@10"]
        assert found.interval == pytest.approx((0.01, 0.01))
        assert found.p < 0.001

    def test_a_run_against_itself_has_no_difference(self) -> None:
        found = compare(self.THEN, self.THEN)
        for difference in found.measures.values():
            assert (difference.difference, difference.interval, difference.p) == (0.0, (0.0, 0.0), 1.0)
            assert (difference.wins, difference.ties, difference.losses) == (0, 4, 0)
        assert all(not change.entered and not change.left for change in found.changes)

    def test_latencies_of_both_are_told(self) -> None:
        found = compare(self.THEN, self.NOW).latencies
        assert found["p95_ms"] == (10.0, 30.0)
        assert found["added_p95_ms"] == (6.0, 26.0)

    def test_queries_stand_in_order_of_their_change(self) -> None:
        changes = compare(self.THEN, self.NOW).changes
        assert [change.id for change in changes] == ["a", "d", "b", "c"]
        assert (changes[-1].then, changes[-1].now) == (0.0, 1.0)
        assert changes[-1].text == "text of c"


class TestMoves:
    def test_every_relevant_document_has_its_rank_then_and_now(self) -> None:
        relevant = {"minor": 1.0, "major": 3.0, "never": 1.0}
        then = result("a", ["x", "major", "y"], relevant)
        now = result("a", ["major", *(f"n{n}" for n in range(20)), "minor"], relevant)
        (change,) = compare([then], [now]).changes
        assert change.relevant == (
            DocumentMove("major", 3.0, 2, 1),
            DocumentMove("minor", 1.0, None, 22),
            DocumentMove("never", 1.0, None, None),
        )

    def test_what_entered_and_left_the_first_ten(self) -> None:
        then = result("a", [f"d{n}" for n in range(1, 13)], {"d11": 1.0})
        now = result("a", ["d11", *(f"d{n}" for n in range(1, 9)), "new", "d9"], {"d11": 1.0})
        (change,) = compare([then], [now]).changes
        assert change.entered == (DocumentMove("d11", 1.0, 11, 1), DocumentMove("new", 0.0, None, 10))
        assert change.left == (DocumentMove("d9", 0.0, 9, 11), DocumentMove("d10", 0.0, 10, None))


class TestCommon:
    def test_queries_are_the_same_by_id_text_and_judgements(self) -> None:
        then = [result("a", FIRST), result("b", FIRST), result("c", FIRST), result("gone", FIRST)]
        now = [
            result("new", FIRST),
            result("c", FIRST, {"good": 2.0}),
            replace(result("b", FIRST), text="another text"),
            result("a", FIRST),
        ]
        assert common_ids(then, now) == ["a"]
        found = compare(then, now)
        assert (found.queries, found.only_now, found.only_then) == (1, 3, 3)

    def test_none_at_all_is_one_clear_line(self) -> None:
        with pytest.raises(ConfigError, match="run is one of other queries") as caught:
            compare([result("a", FIRST)], [result("b", FIRST)])
        assert "\n" not in str(caught.value)
