"""Fitting the weights of the signals that rank candidates."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import __main__ as bench
from bench import ranking
from bench.ranking import FITTED, Judged, Sets
from quire_engine.evaluation import metrics

SIGNALS = 2 * len(FITTED)


def judged(values: np.ndarray, document: list[int], grades: list[float], missed: float = 0.0) -> Judged:
    """A query as `bench.ranking.collected` lays it out; ``missed`` is the grade of one that was not found."""
    found = np.array(grades)
    ideal = sorted((grade for grade in (*grades, missed) if grade > 0), reverse=True)[:10]
    best = sum(grade / np.log2(rank + 2) for rank, grade in enumerate(ideal))
    order = np.argsort(document, kind="stable")
    return Judged(values[order], np.array(document)[order], found, best)


def made_up(
    random: np.random.Generator, deciding: int, queries: int = 30, candidates: int = 40
) -> list[Judged]:
    """Queries whose relevant documents are those with most of one signal; the others are noise."""
    found = []
    for _ in range(queries):
        values = random.random((candidates, SIGNALS))
        document = random.permutation(np.arange(candidates) // 2)  # two passages each
        grades = np.zeros(candidates // 2)
        for row in np.argsort(-values[:, deciding])[:3]:
            grades[document[row]] = 1.0
        found.append(judged(values, document.tolist(), grades.tolist()))
    return found


class TestFit:
    @pytest.mark.parametrize("deciding", [1, 4, SIGNALS - 1])
    def test_finds_the_signal_that_decides(self, deciding: int) -> None:
        random = np.random.default_rng(deciding)
        sets = Sets([made_up(random, deciding), made_up(random, deciding, queries=10)])
        start = np.full(SIGNALS, 0.3)
        everything = np.ones(40, bool)
        weights = sets.fit(start, everything)
        before, after = (sets.ndcg(sets.values @ tried).mean() for tried in (start, weights))
        assert after > 0.97 > before
        assert weights[deciding] == weights.max()
        assert weights[deciding] > 3 * np.delete(weights, deciding).mean()
        assert (weights >= 0).all()

    def test_only_the_chosen_queries_decide(self) -> None:
        random = np.random.default_rng(3)
        sets = Sets([made_up(random, 2, queries=20) + made_up(random, 7, queries=20)])
        start = np.full(SIGNALS, 0.3)
        first = np.arange(40) < 20
        assert sets.fit(start, first).argmax() == 2
        assert sets.fit(start, ~first).argmax() == 7

    def test_a_large_set_counts_no_more_than_a_small_one(self) -> None:
        random = np.random.default_rng(4)
        sets = Sets([made_up(random, 2, queries=30), made_up(random, 7, queries=3)])
        values = np.concatenate([np.zeros(30), np.ones(3)])
        assert sets.by_set(values).tolist() == [0.0, 1.0]
        assert sets.by_set(values, np.arange(33) >= 30).tolist() == [1.0]

    def test_the_mean_of_several_fits_is_scaled(self) -> None:
        random = np.random.default_rng(5)
        sets = Sets([made_up(random, 2)])
        weights = sets.bagged(np.full(SIGNALS, 0.3), np.ones(30, bool), bags=3)
        assert weights[0] + weights[2] == pytest.approx(1.0)
        assert weights.argmax() == 2

    def test_a_fit_without_both_searches_is_a_number(self) -> None:
        sets = Sets([made_up(np.random.default_rng(6), 7)])
        start = np.zeros(SIGNALS)
        start[7] = 1.0
        weights = sets.bagged(start, np.ones(30, bool), bags=2)
        assert weights[0] == weights[2] == 0.0
        assert weights[7] >= 1.0

    @pytest.mark.parametrize("chosen", [0, 1])
    def test_few_chosen_queries_or_none_give_weights(self, chosen: int) -> None:
        """A bag of one query is empty more often than not."""
        sets = Sets([made_up(np.random.default_rng(7), 2, queries=5)])
        weights = sets.bagged(np.full(SIGNALS, 0.5), np.arange(5) < chosen, bags=6)
        assert np.isfinite(weights).all()
        assert weights[0] + weights[2] == pytest.approx(1.0)
        if not chosen:
            assert weights.tolist() == [0.5] * SIGNALS


queries = st.lists(
    st.tuples(
        st.integers(1, 30),  # candidates
        st.integers(1, 20),  # documents
        st.booleans(),  # whether a relevant document was not found
        st.integers(0, 2**32 - 1),
    ),
    min_size=1,
    max_size=8,
)


class TestMeasure:
    @given(queries, st.integers(1, 3))
    @settings(max_examples=60)
    def test_is_that_of_the_evaluation(self, drawn: list[tuple[int, int, bool, int]], levels: int) -> None:
        """With several passages of a document, and ties of what is equally relevant."""
        made, totals, expected = [], [], []
        for candidates, documents, missing, seed in drawn:
            random = np.random.default_rng(seed)
            document = random.integers(0, documents, candidates)
            _, document = np.unique(document, return_inverse=True)
            names = [f"{number}.md" for number in range(document.max() + 1)]
            grades = random.integers(0, 3, len(names)).astype(float)
            grades[random.integers(len(names))] = 1.0  # some document is relevant
            # A score is shared only by documents of one grade: else the order is anybody's.
            scores = random.integers(0, levels, candidates) * 3 + grades[document]
            missed = 2.0 if missing else 0.0
            made.append(judged(np.zeros((candidates, SIGNALS)), document.tolist(), grades.tolist(), missed))
            totals.append(scores[np.argsort(document, kind="stable")])
            order = np.argsort(-scores, kind="stable")
            ranked = list(dict.fromkeys(names[document[row]] for row in order))
            relevant = dict(zip(names, grades.tolist(), strict=True)) | {"missed.md": missed}
            expected.append(metrics.ndcg(ranked, relevant))
        found = Sets([made]).ndcg(np.concatenate(totals).astype(float))
        assert found.tolist() == pytest.approx(expected)

    def test_a_document_stands_where_its_best_passage_does(self) -> None:
        query = judged(np.zeros((4, SIGNALS)), [0, 1, 0, 2], [1.0, 0.0, 0.0])
        # In the order of documents: both passages of the first, then the others.
        found = Sets([[query]]).ndcg(np.array([0.1, 0.9, 0.5, 0.2]))
        assert found.tolist() == pytest.approx([1.0])
        found = Sets([[query]]).ndcg(np.array([0.1, 0.3, 0.5, 0.4]))
        assert found.tolist() == pytest.approx([1 / np.log2(4)])

    def test_queries_keep_their_own_scores(self) -> None:
        good = judged(np.zeros((2, SIGNALS)), [0, 1], [1.0, 0.0])
        sets = Sets([[good], [good, good]])
        assert sets.ndcg(np.array([2.0, 1.0, 1.0, 2.0, 2.0, 1.0])).tolist() == pytest.approx(
            [1.0, 1 / np.log2(3), 1.0]
        )
        assert sets.ndcg(np.array([1.0, 2.0] * 3)).tolist() == pytest.approx([1 / np.log2(3)] * 3)


THINGS = "rose kiln heap boat clock bread violin glacier saddle comet bridge harbour".split()
NOTES = {
    f"{thing}.md": f"# {thing}\n\nHow the {thing} was cared for in March. ^{thing}\n" for thing in THINGS
}
QUESTIONS = {thing: f"care of a {thing}" for thing in THINGS}


@pytest.mark.usefixtures("model_cache")
class TestCommand:
    def a_set(self, folder: Path, qrel: str) -> Path:
        (folder / "vault").mkdir(parents=True)
        for name, text in NOTES.items():
            (folder / "vault" / name).write_text(text)
        lines = [json.dumps({"id": identity, "text": text}) for identity, text in QUESTIONS.items()]
        (folder / "queries.jsonl").write_text("\n".join(lines))
        (folder / "qrels.tsv").write_text("".join(qrel.format(thing) for thing in THINGS))
        return folder

    def test_prints_the_fit_what_it_promises_and_the_weights(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        by_note = self.a_set(tmp_path / "notes", "{0}\t{0}.md\t1\n")
        by_block = self.a_set(tmp_path / "blocks", "{0}\t{0}.md#^{0}\t1\n")
        dump = tmp_path / "signals.pickle"
        assert bench.main(["ranking", str(by_note), str(by_block), "--dump", str(dump)]) == 0
        out = capsys.readouterr().out
        for line in ("weights in use", "fitted to all", "fitted to other queries", "fitted to other sets"):
            assert f"\n{line}" in out
        assert "\n[weights]\n" in out
        for name in FITTED:
            assert f"\n{name} = [" in out
        notes, blocks = pickle.loads(dump.read_bytes())
        assert len(notes) == len(blocks) == len(QUESTIONS)
        for query in (*notes, *blocks):
            assert query.values.shape == (len(query.document), SIGNALS)
            assert query.values.any()
            assert query.grades.sum() == query.ideal == 1.0

    def test_every_fitted_signal_has_a_weight(self) -> None:
        assert set(FITTED) <= set(ranking.learned())
