from __future__ import annotations

from dataclasses import astuple, replace
from itertools import pairwise

import pytest

from quire_engine.answering.reading import Sufficiency
from quire_engine.answering.waves import ENOUGH, TIERS, Budget, Waves, tiers
from quire_engine.records import Hit, ScoreTrace
from quire_engine.retrieval.strategy import STRATEGIES
from quire_engine.settings import AnswerSettings

FREE = Budget(waves=len(TIERS), tokens=0, seconds=0)


def hits(*scores: float) -> list[Hit]:
    return [
        Hit(
            rank=n, chunk_id=n, path=f"{n}.md", title="", headings=(), start_line=1, end_line=1, text="",
            score=score, topic=".", trace=ScoreTrace(()),
        )
        for n, score in enumerate(scores, start=1)
    ]  # fmt: skip


def laid(*scores: float) -> dict[str, list[int]]:
    return {tier: [hit.rank for hit in found] for tier, found in tiers(hits(*scores))}


class TestTiers:
    def test_go_by_the_share_of_the_best_score(self) -> None:
        assert laid(10, 7, 5, 1) == {"critical": [1], "important": [2], "relevant": [3], "supplementary": [4]}

    def test_what_exceeds_one_falls_into_the_next(self) -> None:
        found = laid(*[1.0] * 50)
        assert [len(taken) for taken in found.values()] == [most for _, _, most in TIERS]
        ranks = [rank for taken in found.values() for rank in taken]
        assert ranks == list(range(1, len(ranks) + 1))
        assert found["important"] == [3, 4, 5]

    def test_empty_ones_are_left_out(self) -> None:
        assert laid(10, 1) == {"critical": [1], "supplementary": [2]}
        assert laid() == {}

    def test_scores_of_nothing_are_tiers_too(self) -> None:
        assert laid(0.0, 0.0, 0.0) == {"critical": [1, 2], "important": [3]}

    def test_no_hit_is_read_twice(self) -> None:
        found = [hit for _, taken in tiers(hits(*[n / 10 for n in range(12, 0, -1)])) for hit in taken]
        assert len({hit.rank for hit in found}) == len(found)


class TestBudget:
    def test_is_what_the_settings_say(self) -> None:
        settings = AnswerSettings(max_waves=2, budget_tokens=500, budget_seconds=1.5)
        assert Budget.of(settings, STRATEGIES["expert"]) == Budget(2, 500, 1.5)

    def test_else_as_many_waves_as_the_strategy_allows(self) -> None:
        assert Budget.of(AnswerSettings(), STRATEGIES["simple"]).waves == 3
        assert Budget.of(AnswerSettings(), None).waves == len(TIERS)

    def test_of_waves_ends_the_loading(self) -> None:
        waves = Waves(hits(10, 7, 5, 1), Budget(2, 0, 0))
        assert [tier for tier, _ in waves] == ["critical", "important"]
        assert waves.over == "the budget of 2 waves is spent"

    def test_of_one_wave_is_called_so(self) -> None:
        waves = Waves(hits(10, 7), Budget(1, 0, 0))
        assert len(list(waves)) == 1
        assert waves.over == "one wave only"

    def test_of_tokens_ends_the_loading_once_it_is_spent(self) -> None:
        waves = Waves(hits(10, 7, 5), Budget(9, 1200, 0))
        loaded = []
        for tier, _ in waves:
            loaded.append((tier, waves.tokens_left))
            waves.spent(700)
        assert loaded == [("critical", 1200), ("important", 500)]
        assert waves.tokens_left == 0
        assert waves.over == "the budget of 1,200 tokens is spent"

    def test_of_time_ends_the_loading_after_the_first_wave(self) -> None:
        waves = Waves(hits(10, 7), Budget(9, 0, 1e-9))
        assert [tier for tier, _ in waves] == ["critical"]
        assert waves.over == "the budget of 1e-09 seconds is spent"

    def test_without_one_everything_is_read(self) -> None:
        waves = Waves(hits(10, 7, 5, 1), FREE)
        assert waves.tokens_left is None
        assert len(list(waves)) == 4
        assert waves.over == "everything that was found is read"

    def test_nothing_to_read_is_over_at_once(self) -> None:
        waves = Waves([], FREE)
        assert list(waves) == []
        assert waves.over == "everything that was found is read"

    def test_loading_goes_on_where_it_stopped(self) -> None:
        waves = Waves(hits(10, 7, 5), FREE)
        for tier, _ in waves:
            assert tier == "critical"
            break
        assert waves.over is None
        assert [tier for tier, _ in waves] == ["important", "relevant"]


class TestEnough:
    ENOUGH = Sufficiency(coverage=0.5, confidence=0.8, clarity=0.9, completeness=1.0)

    def test_harder_questions_never_ask_for_less(self) -> None:
        assert set(ENOUGH) == set(STRATEGIES)
        steps = [astuple(ENOUGH[name]) for name in ("simple", "moderate", "complex", "expert")]
        for easier, harder in pairwise(steps):
            assert all(one <= other for one, other in zip(easier, harder, strict=True))
        assert steps[0] != steps[-1]

    def test_what_lacks_is_named_with_what_is_wanted(self) -> None:
        assert self.ENOUGH.lacks(self.ENOUGH) == ""
        there = replace(self.ENOUGH, coverage=0.25, completeness=0.5)
        assert there.lacks(self.ENOUGH) == "coverage 0.25 of 0.50, completeness 0.50 of 1.00"

    @pytest.mark.parametrize(
        ("there", "share"),
        [
            ({}, 1.0),
            ({"coverage": 1.0, "confidence": 1.0, "clarity": 1.0}, 1.0),
            ({"coverage": 0.25}, 0.5),
            ({"clarity": 0.3}, 1 / 3),
            ({"confidence": 0.2, "completeness": 0.5}, 0.25),
        ],
    )
    def test_how_far_it_is_goes_by_what_lacks_most(self, there: dict[str, float], share: float) -> None:
        assert replace(self.ENOUGH, **there).of(self.ENOUGH) == pytest.approx(share)
