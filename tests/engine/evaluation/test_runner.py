from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from quire_engine.errors import ConfigError
from quire_engine.evaluation.runner import Query, evaluate, read_queries, spread
from quire_engine.records import Hit, ScoreTrace, SearchResult


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
        self.asked: list[str] = []

    def search(self, query: str, *, limit: int = 10) -> SearchResult:
        self.asked.append(query)
        hits = tuple(self._rankings.get(query, ()))[:limit]
        self._milliseconds += 1
        return SearchResult(query, hits, 1, False, {"total": self._milliseconds})

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
        assert engine.asked == ["one", "two"]
        assert (report.queries, report.unit) == (2, "note")
        assert report.retrieval["mrr@10"] == pytest.approx((1 + 1 / 3) / 2)
        assert report.retrieval["ndcg@10"] == pytest.approx((1 + 0.5) / 2)
        assert report.retrieval["recall@10"] == report.retrieval["recall@100"] == 1.0
        assert report.retrieval["precision@5"] == pytest.approx(0.2)
        assert report.retrieval["success@10"] == 1.0
        assert (report.retrieval["p50_ms"], report.retrieval["p95_ms"]) == (11.0, 12.0)

    def test_several_passages_of_a_note_count_once(self, tmp_path: Path) -> None:
        engine = Answers({"one": [hit("x.md", n) for n in range(1, 150)] + [hit("a.md")]})
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
        assert engine.asked == ["one"]


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


class TestSpread:
    def test_takes_evenly(self) -> None:
        queries = [Query(str(n), "", {}) for n in range(10)]
        assert [query.id for query in spread(queries, 4)] == ["0", "2", "5", "7"]
        assert spread(queries, None) == spread(queries, 10) == spread(queries, 99) == queries
        assert spread(queries, 0) == []


class TestReadQueries:
    GOOD = '{"id": 1, "text": "one"}\n'

    def test_keeps_the_order_and_skips_empty_lines(self, tmp_path: Path) -> None:
        folder = judged(
            tmp_path, '\n{"id": "b", "text": "é"}\n\n{"id": "a", "text": "x"}\n', "a\tx\t1\n\nb\ty\t2\n"
        )
        assert read_queries(folder) == [Query("b", "é", {"y": 2.0}), Query("a", "x", {"x": 1.0})]

    def test_windows_line_ends_are_line_ends(self, tmp_path: Path) -> None:
        folder = judged(tmp_path, self.GOOD.replace("\n", "\r\n"), "1\tx.md\t1\r\n")
        assert read_queries(folder) == [Query("1", "one", {"x.md": 1.0})]

    @pytest.mark.parametrize(
        ("queries", "qrels", "complaint"),
        [
            (GOOD, "1\ta.md\n", r"qrels\.tsv, line 1: expected query, document and grade between tabs"),
            (GOOD, "1\ta.md\t1\n1\tb.md\tmuch\n", r"qrels\.tsv, line 2: expected"),
            ("not json\n", "1\ta.md\t1\n", r'queries\.jsonl, line 1: expected \{"id"'),
            ('{"id": 1}\n', "1\ta.md\t1\n", r"queries\.jsonl, line 1: expected"),
            ("[1]\n", "1\ta.md\t1\n", r"queries\.jsonl, line 1: expected"),
            (GOOD, "2\ta.md\t1\n", "holds no query with a relevant judgement"),
            (GOOD, "1\ta.md\t0\n", "holds no query with a relevant judgement"),
            ("", "", "holds no query with a relevant judgement"),
        ],
    )
    def test_what_is_wrong_is_one_line_that_names_the_place(
        self, tmp_path: Path, queries: str, qrels: str, complaint: str
    ) -> None:
        with pytest.raises(ConfigError, match=complaint) as caught:
            read_queries(judged(tmp_path, queries, qrels))
        assert "\n" not in str(caught.value)

    def test_files_that_are_missing_or_no_text_are_named(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"cannot read .*qrels\.tsv"):
            read_queries(tmp_path)
        (tmp_path / "qrels.tsv").write_text("1\ta.md\t1\n")
        (tmp_path / "queries.jsonl").write_bytes(b"\xff\xfe")
        with pytest.raises(ConfigError, match=r"cannot read .*queries\.jsonl"):
            read_queries(tmp_path)
