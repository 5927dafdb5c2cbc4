"""How well passages are found: on a judged set of the project's own, and on samples of public ones.

The floors lie a little below what was measured when they were set; `docs/evaluation.md` tells how to judge a
change with more than these.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from quality.judged_sets import (
    DEV,
    SAMPLES,
    Measured,
    Sampled,
    losses,
    measure,
    read_archive,
    write_own_set,
    write_sample,
)

from quire_engine import by_field


@pytest.fixture(scope="module", autouse=True)
def _places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUIRE_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    return measure(write_own_set(tmp_path_factory.mktemp("own")))


@pytest.fixture(scope="module")
def sets() -> dict[str, dict[str, bytes]]:
    return read_archive()


class TestOwnSet:
    """Ninety questions about the sample vault, with notes in seven more languages among it."""

    def test_nothing_is_missed(self, measured: Measured) -> None:
        missed = [result.id for result in measured.fused.results if not result.measures["success@10"]]
        assert missed == []

    def test_what_is_asked_for_stands_near_the_top(self, measured: Measured) -> None:
        assert measured.fused.retrieval["ndcg@10"] >= 0.91

    @pytest.mark.parametrize(
        ("group", "least"),
        [("fact", 0.94), ("paraphrase", 0.79), ("distractors", 0.95), ("language", 0.97), ("across", 0.9)],
    )
    def test_every_kind_of_question_does_well(self, measured: Measured, group: str, least: float) -> None:
        assert by_field(measured.fused, "group")[group].retrieval["ndcg@10"] >= least

    def test_fusion_does_not_lose_to_one_search_alone(self, measured: Measured) -> None:
        assert all(report.retrieval["ndcg@10"] > 0.7 for report in measured.alone.values())
        assert losses(measured) == []


@pytest.mark.skipif(
    not DEV.exists(), reason=f"the judged sets are not at hand ({DEV.name} in ../shared/data)"
)
class TestPublicSets:
    """Forty questions each of six public collections, over small vaults."""

    @pytest.mark.parametrize(
        ("sampled", "least"),
        [
            pytest.param(sampled, least, id=sampled.name)
            for sampled, least in zip(SAMPLES, (0.67, 0.68, 0.87, 0.99, 0.96, 0.95), strict=True)
        ],
    )
    def test_fusion_finds_enough_and_does_not_lose_to_one_search_alone(
        self, sets: dict[str, dict[str, bytes]], tmp_path: Path, sampled: Sampled, least: float
    ) -> None:
        measured = measure(write_sample(sampled, sets[sampled.name], tmp_path))
        assert measured.fused.queries == 40
        assert measured.fused.retrieval["ndcg@10"] >= least
        assert all(report.retrieval["ndcg@10"] > 0.4 for report in measured.alone.values())
        assert losses(measured) == []
