"""``quire eval``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Quire = Callable[..., Any]


@pytest.fixture
def judged(own_vault: Path, tmp_path: Path) -> Path:
    """A folder with a vault, three questions and their judgements."""
    folder = tmp_path / "judged"
    folder.mkdir()
    own_vault.rename(folder / "vault")
    (folder / "queries.jsonl").write_text(
        '{"id": "q1", "text": "when to prune roses"}\n'
        '{"id": "q2", "text": "how hot is the kiln"}\n'
        '{"id": "q3", "text": "turning the compost heap"}\n'
    )
    (folder / "qrels.tsv").write_text("q1\tGarden/Roses.md\t1\nq2\tWorkshop/Kiln.md\t1\nq3\tHostile.md\t1\n")
    return folder


class TestEval:
    def test_json_carries_the_promised_measures(self, quire: Quire, judged: Path) -> None:
        outcome = quire("eval", str(judged), "--json")
        record = outcome.json
        assert outcome.code == 0
        assert record["schema"] == "quire.eval/1"
        assert record["queries"] == 3
        promised = {"ndcg@10", "recall@10", "recall@100", "mrr@10", "precision@5", "p50_ms", "p95_ms"}
        assert promised <= record["retrieval"].keys()

    def test_a_wrong_judgement_lowers_the_measures(self, quire: Quire, judged: Path) -> None:
        assert 0.6 < quire("eval", str(judged), "--json").json["retrieval"]["mrr@10"] < 1.0
        (judged / "qrels.tsv").write_text("q1\tGarden/Roses.md\t1\n")
        assert quire("eval", str(judged), "--json").json["retrieval"]["mrr@10"] == 1.0

    def test_people_get_a_table(self, quire: Quire, judged: Path) -> None:
        out = quire("eval", str(judged), "--limit", "2").out
        assert out.startswith("2 questions, judged by note\n")
        assert "ndcg@10" in out

    def test_says_what_is_missing(self, quire: Quire, judged: Path) -> None:
        (judged / "qrels.tsv").unlink()
        outcome = quire("eval", str(judged))
        assert outcome.code == 2
        assert "holds no qrels.tsv" in outcome.err

    def test_a_bad_file_is_one_line(self, quire: Quire, judged: Path) -> None:
        (judged / "queries.jsonl").write_text("not json\n")
        outcome = quire("eval", str(judged))
        assert outcome.code == 2
        assert "line 1" in outcome.err
        assert outcome.err.count("\n") == 1
