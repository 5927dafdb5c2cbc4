"""``quire eval``."""

from __future__ import annotations

import json
import re
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
        measures = {"ndcg@10", "recall@10", "recall@100", "mrr@10", "precision@5", "success@10"}
        times = {"p50_ms", "p95_ms", "added_p50_ms", "added_p95_ms"}
        assert record["retrieval"].keys() == measures | times
        assert record["intervals"].keys() == measures
        for name, (low, high) in record["intervals"].items():
            assert 0 <= low <= record["retrieval"][name] <= high <= 1
        assert 0 < record["retrieval"]["added_p50_ms"] < record["retrieval"]["p95_ms"]
        assert record.keys() == {"schema", "queries", "unit", "retrieval", "intervals"}

    def test_a_wrong_judgement_lowers_the_measures(self, quire: Quire, judged: Path) -> None:
        assert 0.6 < quire("eval", str(judged), "--json").json["retrieval"]["mrr@10"] < 1.0
        (judged / "qrels.tsv").write_text("q1\tGarden/Roses.md\t1\n")
        assert quire("eval", str(judged), "--json").json["retrieval"]["mrr@10"] == 1.0

    def test_people_get_a_table(self, quire: Quire, judged: Path) -> None:
        out = quire("eval", str(judged), "--limit", "2").out
        assert out.startswith("2 questions, judged by note\n")
        assert re.search(r"^ndcg@10 +1\.0000  1\.0000 to 1\.0000$", out, re.MULTILINE)
        assert re.search(r"^added_p95_ms +\d+\.\d$", out, re.MULTILINE)

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


class TestBy:
    def test_measures_by_the_values_of_a_field(self, quire: Quire, judged: Path) -> None:
        (judged / "queries.jsonl").write_text(
            '{"id": "q1", "text": "when to prune roses", "lang": "en"}\n'
            '{"id": "q2", "text": "how hot is the kiln", "lang": "\\u001b[31m"}\n'
            '{"id": "q3", "text": "turning the compost heap"}\n'
        )
        by = quire("eval", str(judged), "--by", "lang", "--json").json["by"]
        assert by["field"] == "lang"
        assert {value: group["queries"] for value, group in by["groups"].items()} == {
            "": 1,
            "\x1b[31m": 1,
            "en": 1,
        }
        assert by["groups"]["en"]["retrieval"]["mrr@10"] == 1.0
        assert by["groups"][""]["retrieval"]["mrr@10"] < 1.0
        assert by["groups"]["en"]["intervals"]["mrr@10"] == [1.0, 1.0]
        out = quire("eval", str(judged), "--by", "lang").out
        assert re.search(r"^lang +questions +ndcg@10", out, re.MULTILINE)
        assert re.search(r"^en +1 +1\.0000", out, re.MULTILINE)
        assert "\x1b" not in out

    def test_a_field_that_no_question_has_is_wrong_usage(self, quire: Quire, judged: Path) -> None:
        outcome = quire("eval", str(judged), "--by", "lang")
        assert outcome.code == 2
        assert "no question in" in outcome.err


@pytest.fixture
def saved(quire: Quire, judged: Path, tmp_path: Path) -> Path:
    """A run over ``judged``, and after it a note more, which says what one question asks for."""
    file = tmp_path / "run.json"
    assert quire("eval", str(judged), "--save", str(file)).code == 0
    (judged / "vault/Answer.md").write_text(
        "# How hot is the kiln\n\nHow hot is the kiln? How hot the kiln is!\n"
    )
    return file


class TestSave:
    def test_keeps_each_question_with_what_was_found(
        self, quire: Quire, judged: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "run.json").write_text("of before")
        record = quire("eval", str(judged), "--save", str(tmp_path / "run.json"), "--json").json
        run = json.loads((tmp_path / "run.json").read_text())
        assert run["schema"] == "quire.run/1"
        assert {"version", "fingerprint", "generation", "settings", "unit", "results"} <= run.keys()
        assert run["settings"]["retrieval"]["candidates"] == 100
        assert [result["id"] for result in run["results"]] == ["q1", "q2", "q3"]
        first = run["results"][0]
        assert first["text"] == "when to prune roses"
        assert first["ranking"][0][0] == "Garden/Roses.md"
        assert {"embed", "dense", "total"} <= first["timings"].keys()
        mean = sum(result["measures"]["ndcg@10"] for result in run["results"]) / 3
        assert record["retrieval"]["ndcg@10"] == pytest.approx(mean)

    def test_says_at_once_where_nothing_can_be_written(
        self, quire: Quire, judged: Path, tmp_path: Path
    ) -> None:
        outcome = quire("eval", str(judged), "--save", str(tmp_path / "missing/run.json"))
        assert outcome.code == 2
        assert "cannot write" in outcome.err
        assert outcome.err.count("\n") == 1


class TestAgainst:
    def test_tells_what_changed(self, quire: Quire, judged: Path, saved: Path) -> None:
        record = quire("eval", str(judged), "--against", str(saved), "--json").json
        against = record["against"]
        assert (against["queries"], against["only_now"], against["only_then"]) == (3, 0, 0)
        found = against["measures"]["ndcg@10"]
        assert found["now"] == record["retrieval"]["ndcg@10"]
        assert found["difference"] == pytest.approx(found["now"] - found["then"])
        assert found["interval"][0] <= found["difference"] <= found["interval"][1]
        assert (found["wins"], found["ties"] + found["losses"]) == (0, 3)
        assert found["losses"] >= 1
        assert 0 < found["p"] <= 1
        assert against["now"]["generation"] > against["then"]["generation"]
        assert against["settings"] == {}
        assert "diff" not in against

    def test_settings_that_are_others_are_named(
        self, quire: Quire, judged: Path, saved: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("QUIRE_RETRIEVAL__CANDIDATES", "50")
        out = quire("eval", str(judged), "--against", str(saved)).out
        assert "retrieval.candidates was 100 and is 50\n" in out
        assert re.search(r"^ndcg@10 +\d\.\d{4} +\d\.\d{4} +-\d\.\d{4}", out, re.MULTILINE)

    def test_uses_the_questions_that_both_have_and_says_so(
        self, quire: Quire, judged: Path, saved: Path
    ) -> None:
        (judged / "queries.jsonl").write_text(
            '{"id": "q1", "text": "when to prune roses"}\n{"id": "q2", "text": "another question"}\n'
        )
        outcome = quire("eval", str(judged), "--against", str(saved), "--json")
        assert outcome.json["against"]["queries"] == 1
        assert "compared over the 1 question that both have; 1 only here, 2 only in" in outcome.err

    def test_a_run_of_other_questions_is_refused_in_one_line(
        self, quire: Quire, judged: Path, saved: Path
    ) -> None:
        (judged / "queries.jsonl").write_text('{"id": "q1", "text": "another question"}\n')
        outcome = quire("eval", str(judged), "--against", str(saved))
        assert outcome.code == 2
        assert "run is one of other queries" in outcome.err
        assert outcome.err.count("\n") == 1

    def test_a_file_that_is_no_run_is_refused_in_one_line(
        self, quire: Quire, judged: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "run.json").write_text("{}")
        outcome = quire("eval", str(judged), "--against", str(tmp_path / "run.json"))
        assert outcome.code == 2
        assert "is no saved run" in outcome.err
        assert outcome.err.count("\n") == 1


class TestDiff:
    def test_people_see_losses_with_the_ranks_of_what_is_relevant(
        self, quire: Quire, judged: Path, saved: Path
    ) -> None:
        out = quire("eval", str(judged), "--against", str(saved), "--diff").out
        assert re.search(r"^\d questions? worse$", out, re.MULTILINE)
        assert out.endswith("\n0 questions better\n")
        lost = out[out.index(" worse\n") :]
        assert "q2  how hot is the kiln" in lost
        assert re.search(r"relevant +#1 → #2 +Workshop/Kiln\.md", lost)
        assert re.search(r"entered +> 100 → #1 +Answer\.md", lost)

    def test_json_has_every_question(self, quire: Quire, judged: Path, saved: Path) -> None:
        record = quire("eval", str(judged), "--against", str(saved), "--diff=1", "--json").json
        changes = record["against"]["diff"]
        assert {change["id"] for change in changes} == {"q1", "q2", "q3"}
        assert changes[0]["id"] == "q2"
        assert changes[0]["relevant"] == [{"document": "Workshop/Kiln.md", "grade": 1.0, "then": 1, "now": 2}]

    def test_as_many_are_shown_as_asked_for_and_questions_are_harmless(
        self, quire: Quire, judged: Path, tmp_path: Path
    ) -> None:
        lines = [
            json.dumps({"id": f"q{n}", "text": f"when to prune roses {n} \x1b[2J\u202e"}) for n in range(4)
        ]
        (judged / "queries.jsonl").write_text("\n".join(lines))
        (judged / "qrels.tsv").write_text("".join(f"q{n}\tGarden/Roses.md\t1\n" for n in range(4)))
        file = tmp_path / "run.json"
        quire("eval", str(judged), "--save", str(file))
        run = json.loads(file.read_text())
        for n, result in enumerate(run["results"]):
            result["measures"]["ndcg@10"] = n / 4
        file.write_text(json.dumps(run))
        out = quire("eval", str(judged), "--against", str(file), "--diff=3").out
        assert "4 questions better, the 3 largest" in out
        assert re.findall(r"q\d(?=  when)", out) == ["q0", "q1", "q2"]
        assert "\x1b" not in out
        assert "\u202e" not in out

    def test_needs_something_to_compare_with(self, quire: Quire, judged: Path) -> None:
        outcome = quire("eval", str(judged), "--diff")
        assert outcome.code == 2
        assert "--against FILE" in outcome.err
