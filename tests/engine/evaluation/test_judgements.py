"""Reading judged queries."""

from __future__ import annotations

from pathlib import Path

import pytest

from quire_engine.errors import ConfigError
from quire_engine.evaluation.judgements import Query, read_queries, spread


def judged(folder: Path, queries: str, qrels: str) -> Path:
    (folder / "queries.jsonl").write_text(queries, encoding="utf-8")
    (folder / "qrels.tsv").write_text(qrels, encoding="utf-8")
    return folder


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

    def test_other_fields_are_kept_as_text(self, tmp_path: Path) -> None:
        line = '{"id": 1, "text": "one", "lang": "ar", "half": 0, "answers": ["x"]}'
        (query,) = read_queries(judged(tmp_path, line, "1\tx.md\t1\n1\ty.md\t0\n"))
        assert query.fields == {"lang": "ar", "half": "0"}
        assert query.relevant == {"x.md": 1.0}

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
            (GOOD + GOOD, "1\ta.md\t1\n", r"queries\.jsonl, line 2: the id '1' is taken already"),
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
