from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from quire_engine.errors import ConfigError
from quire_engine.evaluation.runner import Ranker, by_field, evaluate
from quire_engine.records import EvalRun, Hit, ScoreTrace, SearchResult


def hit(path: str, start_line: int = 1, end_line: int = 1) -> Hit:
    return Hit(
        rank=1, chunk_id=1, path=path, title=path, headings=(), start_line=start_line, end_line=end_line,
        text="", score=1.0, topic="", trace=ScoreTrace(()),
    )  # fmt: skip


class Answers:
    """A searcher whose rankings a test chooses, as only these matter to what is measured."""

    def __init__(
        self,
        rankings: dict[str, Sequence[Hit]],
        blocks: dict[str, list[tuple[str, int, int]]] | None = None,
        milliseconds: float = 10.0,
    ) -> None:
        self._rankings = rankings
        self._blocks = blocks or {}
        self._milliseconds = milliseconds
        self.asked: list[tuple[str, int]] = []

    def search(self, query: str, *, limit: int = 10) -> SearchResult:
        self.asked.append((query, limit))
        hits = tuple(self._rankings.get(query, ()))[:limit]
        self._milliseconds += 1
        timings = {"dense": 3.0, "keyword": 99.0, "wait": 1.0, "rerank": 2.0, "total": self._milliseconds}
        return SearchResult(query, hits, 7, False, timings)

    def blocks(self, path: str) -> list[tuple[str, int, int]]:
        return self._blocks.get(path, [])


def judged(folder: Path, queries: str, qrels: str) -> Path:
    (folder / "queries.jsonl").write_text(queries, encoding="utf-8")
    (folder / "qrels.tsv").write_text(qrels, encoding="utf-8")
    return folder


class TestEvaluate:
    QUERIES = '{"id": "1", "text": "one"}\n{"id": "2", "text": "two"}\n{"id": "3", "text": "unjudged"}\n'
    QRELS = "query_id\tdocument\tgrade\n1\ta.md\t1\n2\tb.md\t1\n2\tc.md\t0\n3\ta.md\t0\n"

    def test_averages_over_judged_queries(self, tmp_path: Path) -> None:
        engine = Answers({"one": [hit("a.md")], "two": [hit("c.md"), hit("x.md"), hit("b.md")]})
        report = evaluate(engine, judged(tmp_path, self.QUERIES, self.QRELS))
        assert list(dict.fromkeys(query for query, _ in engine.asked)) == ["one", "two"]
        assert (report.queries, report.unit, report.generation) == (2, "note", 7)
        assert report.retrieval["mrr@10"] == pytest.approx((1 + 1 / 3) / 2)
        assert report.retrieval["ndcg@10"] == pytest.approx((1 + 0.5) / 2)
        assert report.retrieval["recall@10"] == report.retrieval["recall@100"] == 1.0
        assert report.retrieval["precision@5"] == pytest.approx(0.2)
        assert report.retrieval["success@10"] == 1.0
        assert report.intervals["ndcg@10"] == (0.5, 1.0)
        assert report.intervals.keys() == {name for name in report.retrieval if not name.endswith("_ms")}

    def test_searches_are_timed_as_users_make_them_and_after_the_models_are_there(
        self, tmp_path: Path
    ) -> None:
        engine = Answers({})
        report = evaluate(engine, judged(tmp_path, self.QUERIES, self.QRELS))
        assert engine.asked == [("one", 10), ("one", 10), ("one", 100), ("two", 10), ("two", 100)]
        assert [result.timings["total"] for result in report.results] == [12.0, 14.0]
        assert (report.retrieval["p50_ms"], report.retrieval["p95_ms"]) == (12.0, 14.0)
        assert (report.retrieval["added_p50_ms"], report.retrieval["added_p95_ms"]) == (8.0, 10.0)

    def test_every_query_is_kept_with_what_was_found(self, tmp_path: Path) -> None:
        queries = '{"id": "1", "text": "one", "lang": "xx"}\n'
        ranking = [hit("x.md"), hit("a.md"), hit("x.md", 9), *(hit(f"{n}.md") for n in range(150))]
        report = evaluate(Answers({"one": ranking}), judged(tmp_path, queries, self.QRELS))
        (result,) = report.results
        assert (result.id, result.text, result.fields) == ("1", "one", {"lang": "xx"})
        assert result.relevant == {"a.md": 1.0}
        assert result.ranking[:3] == (("x.md", 1.0), ("a.md", 1.0), ("0.md", 1.0))
        assert len(result.ranking) == 99
        assert result.measures["mrr@10"] == 0.5

    def test_nothing_is_asked_where_the_run_to_compare_with_is_of_other_queries(self, tmp_path: Path) -> None:
        folder = judged(tmp_path, self.QUERIES, self.QRELS)
        run = evaluate(Answers({}), folder)
        then = EvalRun("0", "", 1, {}, "note", run.results)
        judged(tmp_path, '{"id": "1", "text": "another one"}\n', self.QRELS)
        engine = Answers({})
        with pytest.raises(ConfigError, match="run is one of other queries"):
            evaluate(engine, folder, against=then)
        assert engine.asked == []

    def test_several_passages_of_a_note_count_once(self, tmp_path: Path) -> None:
        engine = Answers({"one": [hit("x.md", n) for n in range(1, 100)] + [hit("a.md")]})
        report = evaluate(engine, judged(tmp_path, self.QUERIES, "1\ta.md\t1\n"))
        assert report.retrieval["mrr@10"] == 0.5

    def test_finding_nothing_is_nothing(self, tmp_path: Path) -> None:
        report = evaluate(Answers({}), judged(tmp_path, self.QUERIES, self.QRELS))
        assert {v for name, v in report.retrieval.items() if not name.endswith("_ms")} == {0.0}

    def test_progress_is_told(self, tmp_path: Path) -> None:
        seen: list[tuple[int, int]] = []
        evaluate(
            Answers({}),
            judged(tmp_path, self.QUERIES, self.QRELS),
            progress=lambda done, total: seen.append((done, total)),
        )
        assert seen == [(1, 2), (2, 2)]

    def test_a_few_can_be_asked(self, tmp_path: Path) -> None:
        engine = Answers({})
        assert evaluate(engine, judged(tmp_path, self.QUERIES, self.QRELS), limit=1).queries == 1
        assert {query for query, _ in engine.asked} == {"one"}


class TestByField:
    def test_each_value_has_its_measures_and_queries_without_it_a_group(self, tmp_path: Path) -> None:
        lines = [
            '{"id": "1", "text": "one", "lang": "de"}',
            '{"id": "2", "text": "two"}',
            '{"id": "3", "text": "three", "lang": "de"}',
        ]
        folder = judged(tmp_path, "\n".join(lines), "1\ta.md\t1\n2\ta.md\t1\n3\ta.md\t1\n")
        report = evaluate(Answers({"one": [hit("a.md")], "two": [hit("a.md")]}), folder)
        groups = by_field(report, "lang")
        assert {value: group.queries for value, group in groups.items()} == {"": 1, "de": 2}
        assert (groups[""].retrieval["mrr@10"], groups["de"].retrieval["mrr@10"]) == (1.0, 0.5)
        assert groups["de"].intervals["mrr@10"] == (0.0, 1.0)


BLOCKS = {"a.md": [("first", 1, 3), ("second", 5, 9)]}


class TestBlocks:
    @pytest.mark.parametrize(
        ("lines", "found"),
        [((5, 9), True), ((8, 20), True), ((2, 7), True), ((1, 5), False), ((4, 4), False), ((1, 3), False)],
    )
    def test_a_hit_stands_for_the_block_with_most_of_its_lines(
        self, tmp_path: Path, lines: tuple[int, int], found: bool
    ) -> None:
        engine = Answers({"one": [hit("a.md", *lines)]}, BLOCKS)
        report = evaluate(engine, judged(tmp_path, '{"id": 1, "text": "one"}', "1\ta.md#^second\t1\n"))
        assert report.unit == "block"
        assert report.retrieval["recall@10"] == float(found)

    def test_hits_outside_of_blocks_take_no_place(self, tmp_path: Path) -> None:
        hits = [hit("b.md"), hit("a.md", 4, 4), hit("a.md", 1, 2), hit("a.md", 2, 3), hit("a.md", 6, 6)]
        report = evaluate(
            Answers({"one": hits}, BLOCKS),
            judged(tmp_path, '{"id": 1, "text": "one"}', "1\ta.md#^second\t1\n"),
        )
        assert report.retrieval["mrr@10"] == 0.5

    def test_a_ranker_names_the_document_of_a_hit_and_asks_for_the_blocks_of_a_note_once(self) -> None:
        asked: list[str] = []

        class Counted(Answers):
            def blocks(self, path: str) -> list[tuple[str, int, int]]:
                asked.append(path)
                return super().blocks(path)

        by_block = Ranker(Counted({}, BLOCKS), by_block=True)
        names = [by_block.document(hit("a.md", *lines)) for lines in ((1, 2), (4, 4), (6, 9))]
        assert names == ["a.md#^first", None, "a.md#^second"]
        assert asked == ["a.md"]
        assert Ranker(Counted({}, BLOCKS), by_block=False).document(hit("a.md", 4, 4)) == "a.md"
        assert asked == ["a.md"]
