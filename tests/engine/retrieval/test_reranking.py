"""A cross-encoder as the last signal: tiny ones with random weights, on their real runtime."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import tiny_cross_encoder

from quire_engine.engine import Engine
from quire_engine.inference.reranker import open_reranker
from quire_engine.records import Filters, Hit, Query, SearchResult, Signal, Strategy
from quire_engine.retrieval import retriever, strategy
from quire_engine.settings import Settings

from .conftest import OpenVault

NOTES = {
    f"{n}.md": f"# Note {n}\n\nWhen the {thing} is hot, question {n} about roses and clay in the garden.\n"
    for n, thing in enumerate("kiln glaze fire soil moist compost rose bushes clay garden text march".split())
}
QUESTION = "when should I prune my roses in the garden"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_cross_encoder.bert(tmp_path_factory.mktemp("model"))


def unhurried(query: Query, *, candidates: int) -> Strategy:
    """However slow this machine is, a model that is loaded has its time."""
    return replace(strategy.choose(query, candidates=candidates), seconds=1000.0)


@pytest.fixture
def engine(open_vault: OpenVault, model: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setattr(retriever, "choose", unhurried)
    return open_vault(NOTES, reranker=str(model), duplicate_cosine=1.0)


def reranked(hit: Hit) -> list[Signal]:
    return [signal for signal in hit.trace.signals if signal.name == "reranker"]


def steps(result: SearchResult) -> tuple[str, ...]:
    assert result.plan is not None
    return result.plan.steps


class TestReranking:
    def test_what_it_says_of_the_best_is_a_signal(self, engine: Engine, model: Path) -> None:
        result = engine.search(QUESTION, limit=12)
        assert result.plan is not None
        depth = result.plan.strategy.rerank_depth
        assert f"a cross-encoder read {depth} passages" in result.plan.steps
        read = [hit for hit in result.hits if reranked(hit)]
        assert len(result.hits) > len(read) == depth
        reranker = open_reranker(
            Settings.model_validate(
                {"retrieval": {"reranker": str(model)}, "embedding": {"runtime": "openvino"}}
            )
        )
        assert reranker is not None
        texts = [" > ".join(hit.headings) + "\n" + hit.text for hit in read]
        expected = reranker.scores(QUESTION, texts, seconds=None)
        assert [reranked(hit)[0].score for hit in read] == pytest.approx(expected, abs=0.02)
        for hit in result.hits:
            assert hit.score == pytest.approx(sum(signal.contribution for signal in hit.trace.signals))
        scores = [hit.score for hit in result.hits]
        assert scores == sorted(scores, reverse=True)

    def test_it_reads_the_best_of_what_the_other_signals_say(
        self, engine: Engine, open_vault: OpenVault
    ) -> None:
        without = open_vault(NOTES, reranker="none", duplicate_cosine=1.0).search(QUESTION, limit=12)
        best = {hit.chunk_id for hit in without.hits[:10]}
        assert {hit.chunk_id for hit in engine.search(QUESTION, limit=12).hits if reranked(hit)} == best

    def test_few_candidates_are_read_as_well(self, engine: Engine) -> None:
        result = engine.search(QUESTION, filters=Filters(paths=("1.md", "2.md")))
        assert len(result.hits) == 2
        assert steps(result) == ("a cross-encoder read 2 passages",)
        assert all(reranked(hit) for hit in result.hits)

    def test_a_comparison_has_more_read(self, engine: Engine) -> None:
        result = engine.search("difference between the kiln and the compost", limit=12)
        assert "a cross-encoder read 12 passages" in steps(result)

    @pytest.mark.parametrize("retrieval", [{"reranker": "none"}, {"weights": {"reranker": 0.0}}])
    def test_it_is_not_asked_when_that_is_set(
        self, open_vault: OpenVault, model: Path, retrieval: dict[str, object]
    ) -> None:
        result = open_vault(NOTES, **{"reranker": str(model), **retrieval}).search(QUESTION)
        assert result.hits
        assert not any(reranked(hit) for hit in result.hits)
        assert steps(result) == ()

    def test_reciprocal_ranks_know_no_cross_encoder(self, open_vault: OpenVault, model: Path) -> None:
        result = open_vault(NOTES, reranker=str(model), fusion="rrf").search(QUESTION)
        assert not any(reranked(hit) for hit in result.hits)


class TestTrouble:
    def test_without_time_it_is_left_out_and_says_so(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        engine.search(QUESTION)  # it is loaded: there is just no time

        def hurried(query: Query, *, candidates: int) -> Strategy:
            return replace(strategy.choose(query, candidates=candidates), seconds=0.0)

        monkeypatch.setattr(retriever, "choose", hurried)
        result = engine.search(QUESTION)
        assert len(result.hits) == 10
        assert steps(result) == ("out of time: no cross-encoder",)
        assert not any(reranked(hit) for hit in result.hits)

    def test_with_little_time_it_reads_fewer(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[int] = []

        class Slow:
            """Has time for six passages at most."""

            def scores(self, question: str, passages: list[str], *, seconds: float) -> list[float] | None:
                asked.append(len(passages))
                return [0.5] * len(passages) if len(passages) <= 6 else None

        monkeypatch.setattr(engine, "_reranker", Slow())
        result = engine.search(QUESTION, limit=12)
        assert asked == [10, 5]
        assert steps(result) == ("a cross-encoder read 5 passages",)
        assert [bool(reranked(hit)) for hit in result.hits] == [True] * 5 + [False] * 7

    @pytest.mark.parametrize("damage", ["cut", "numbers", "config", "gone"])
    def test_a_damaged_one_is_told_and_the_search_answers(
        self, open_vault: OpenVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
    ) -> None:
        monkeypatch.setattr(retriever, "choose", unhurried)
        folder = tmp_path / "model"
        if damage != "gone":
            tiny_cross_encoder.bert(folder)
        weights = folder / "model.safetensors"
        if damage == "cut":
            weights.write_bytes(weights.read_bytes()[:-1000])
        elif damage == "numbers":
            data = bytearray(weights.read_bytes())
            data[-4000:] = b"\xff" * 4000  # not a number
            weights.write_bytes(data)
        elif damage == "config":
            (folder / "config.json").write_text("{")
        result = open_vault(NOTES, reranker=str(folder)).search(QUESTION)
        assert len(result.hits) >= 5
        assert not any(reranked(hit) for hit in result.hits)
        (step,) = steps(result)
        assert step.startswith("no cross-encoder: ")
        assert "model" in step
        assert "\n" not in step
