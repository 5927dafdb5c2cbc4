"""``quire eval``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

Quire = Callable[..., Any]


@pytest.fixture
def judged(vault: Path, tmp_path: Path) -> Path:
    """A folder with three questions and their judgements; the notes are the session's."""
    folder = tmp_path / "judged"
    folder.mkdir()
    (folder / "eval.toml").write_text(f"vault = {json.dumps(str(vault))}\n")
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
        assert 0.6 < record["retrieval"]["mrr@10"] < 1.0  # q3 is judged wrongly
        assert 0 < record["retrieval"]["added_p50_ms"] < record["retrieval"]["p95_ms"]
        assert record.keys() == {"schema", "queries", "unit", "retrieval", "intervals"}

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
def saved(quire: Quire, judged: Path, vault: Path, places: Path) -> Path:
    """A run over ``judged``, and after it a note more, which says what one question asks for.

    Both are made once; no test changes them.
    """
    folder, file = places / "evaluated", places / "evaluated.json"
    (judged / "eval.toml").write_text(f"vault = {json.dumps(str(folder))}\n")
    if not file.exists():
        copytree(vault, folder)
        assert quire("eval", str(judged), "--save", str(file)).code == 0
        said = "How hot is the kiln"
        (folder / "Answer.md").write_text(f"# {said}\n\n{said}? How hot the kiln is!\n")
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


QUESTIONS = [
    {
        "id": "a",
        "question": "When do I prune the roses?",
        "answers": ["early March"],
        "note": "Garden/Roses.md",
    },
    {"id": "b", "question": "How hot is the kiln?", "answers": ["1240 degrees"], "note": "Workshop/Kiln.md"},
    {"id": "c", "question": "Who discovered the element polonium?", "answerable": False},
]


@pytest.fixture
def asked(judged: Path) -> Path:
    """The judged folder with three questions for answers, and nothing to search for."""
    (judged / "queries.jsonl").unlink()
    (judged / "qrels.tsv").unlink()
    (judged / "questions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in QUESTIONS))
    return judged


class TestAnswers:
    def test_are_measured_where_there_are_questions(self, quire: Quire, asked: Path) -> None:
        outcome = quire("eval", str(asked), "--json")
        record = outcome.json
        assert outcome.code == 0
        assert record.keys() == {"schema", "answers"}
        answers = record["answers"]
        assert (answers["questions"], answers["model"]) == (3, "extractive")
        assert answers["measures"]["answer_recall"] == answers["measures"]["right_paragraph"] == 1.0
        assert answers["measures"]["citations_verified"] == 1.0
        assert answers["measures"]["abstention_recall"] == 1.0
        assert answers["status"]["abstained"] == 1
        assert answers["kinds"]["groups"]["answerable"]["questions"] == 2
        assert answers["curve"][-1]["risk"] == 0.0
        out = quire("eval", str(asked)).out
        assert out.startswith("3 questions, answered by extractive: ")
        assert re.search(r"^answer_recall +1\.0000  1\.0000 to 1\.0000$", out, re.MULTILINE)
        assert re.search(r"^unanswerable +1 +- ", out, re.MULTILINE)

    def test_either_part_can_be_measured_alone(self, quire: Quire, judged: Path) -> None:
        (judged / "questions.jsonl").write_text(json.dumps(QUESTIONS[0]) + "\n")
        assert quire("eval", str(judged), "--answers", "--json").json.keys() == {"schema", "answers"}
        assert "answers" not in quire("eval", str(judged), "--no-answers", "--json").json
        assert {"answers", "retrieval"} < quire("eval", str(judged), "--limit", "1", "--json").json.keys()

    def test_says_which_questions_are_missing(self, quire: Quire, asked: Path) -> None:
        for arguments, complaint in (
            (["--no-answers"], "holds no queries.jsonl and no qrels.tsv"),
            (["--by", "nosuch"], "has a field 'nosuch'"),
        ):
            outcome = quire("eval", str(asked), *arguments)
            assert (outcome.code, complaint in outcome.err) == (2, True)
        (asked / "questions.jsonl").unlink()
        outcome = quire("eval", str(asked), "--answers")
        assert (outcome.code, "holds no questions.jsonl" in outcome.err) == (2, True)

    def test_runs_are_kept_and_compared(
        self, quire: Quire, asked: Path, own_vault: Path, tmp_path: Path
    ) -> None:
        file = str(tmp_path / "run.json")
        (asked / "eval.toml").write_text(f"vault = {json.dumps(str(own_vault))}\n")
        quire("eval", str(asked), "--save", file)
        (own_vault / "Garden/Roses.md").write_text("# Roses\n\nWhen to prune the roses is a riddle.\n")
        record = quire("eval", str(asked), "--against", file, "--diff", "--json").json
        against = record["against"]["answers"]
        assert (against["questions"], against["model"]) == (3, ["extractive", "extractive"])
        assert against["measures"]["answer_recall"]["difference"] == -0.5
        assert [change["id"] for change in against["diff"]] == ["a"]
        out = quire("eval", str(asked), "--against", file, "--diff").out
        assert "1 answer worse" in out
        assert re.search(r"^ +then +\w+: .*early March", out, re.MULTILINE)
        assert re.search(r"^answer_recall +1\.0000 +0\.5000 +-0\.5000", out, re.MULTILINE)
        outcome = quire("eval", str(asked), "--no-answers", "--against", file)
        assert outcome.code == 2

    def test_those_that_failed_are_named(self, quire: Quire, asked: Path) -> None:
        failing = [
            {"id": "a", "question": "When do I prune the roses?", "answers": ["in \x1b[31mmay"]},
            {"id": "b", "question": "Who discovered polonium?", "answers": ["Marie Curie"]},
            {"id": "c", "question": "How hot is the kiln?", "answerable": False},
            QUESTIONS[1] | {"id": "d"},
        ]
        (asked / "questions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in failing))
        failed = quire("eval", str(asked), "--json").json["answers"]["failed"]
        assert {result["id"]: result["failure"] for result in failed} == {
            "a": "wrong",
            "b": "abstained",
            "c": "answered",
        }
        assert failed[-1]["id"] == "b"
        assert "1240 degrees" in next(result["text"] for result in failed if result["id"] == "c")
        out = quire("eval", str(asked)).out
        assert re.search(
            r"^1 question answered wrongly\n  a  When .*\n +expected  in .*may\n +shown ", out, re.M
        )
        assert re.search(
            r"^1 question abstained from, .*\n  b  Who .*\n +expected  Marie Curie\n1 ", out, re.M
        )
        assert re.search(r"^1 question answered, .*\n  c  How .*\n +shown +.*1240.*\n +Workshop/", out, re.M)
        assert "\x1b" not in out


class TestRequired:
    def test_what_is_missed_is_a_line_each_and_the_code(self, quire: Quire, asked: Path) -> None:
        with (asked / "eval.toml").open("a") as settings:
            settings.write(
                'require = ["answer_recall >= 0.9", "words <= 1", "unanswerable: abstention_recall >= 1.0", '
                '"ndcg@10 >= 0.9", "offvault: correct >= 0.5"]\n'
            )
        outcome = quire("eval", str(asked), "--json")
        assert outcome.code == 1
        assert [line for line in outcome.err.splitlines() if "required" in line] == [
            f"error: required: words <= 1; found: {outcome.json['answers']['measures']['words']:.4g}",
            "error: required: offvault: correct >= 0.5; found: not measured",
        ]
        assert [verdict["met"] for verdict in outcome.json["required"]] == [True, False, True, False]

    def test_all_met_is_no_word(self, quire: Quire, asked: Path) -> None:
        with (asked / "eval.toml").open("a") as settings:
            settings.write('require = ["answer_recall >= 0.9"]\n')
        outcome = quire("eval", str(asked))
        assert (outcome.code, outcome.err) == (0, "")

    def test_the_vault_lies_in_the_folder_or_elsewhere(
        self, quire: Quire, asked: Path, own_vault: Path, tmp_path: Path
    ) -> None:
        (asked / "eval.toml").unlink()
        outcome = quire("eval", str(asked))
        assert (outcome.code, "holds no vault" in outcome.err) == (2, True)
        own_vault.rename(asked / "vault")
        assert quire("eval", str(asked), "--json").json["answers"]["measures"]["answer_recall"] == 1.0
        (asked / "vault").rename(tmp_path / "my notes")
        (asked / "eval.toml").write_text('vault = "../my notes"\n')
        assert quire("eval", str(asked), "--limit", "1", "--json").code == 0


class TestInit:
    def test_writes_a_set_that_can_be_measured_and_leaves_the_vault_alone(
        self, quire: Quire, own_vault: Path, tmp_path: Path
    ) -> None:
        before = sorted(path.name for path in own_vault.rglob("*"))
        folder = tmp_path / "set"
        outcome = quire("eval", "--init", str(folder), "--vault", str(own_vault), "--json")
        assert (outcome.code, outcome.json["schema"]) == (0, "quire.eval-init/1")
        assert outcome.json["lines"]["questions.jsonl"] > 0
        assert sorted(path.name for path in own_vault.rglob("*")) == before
        record = quire("eval", str(folder), "--json").json
        assert record["retrieval"]["success@10"] == 1.0
        assert record["answers"]["measures"]["answer_recall"] > 0.5
        again = quire("eval", "--init", str(folder), "--vault", str(own_vault))
        assert (again.code, "already" in again.err) == (2, True)

    def test_refuses_what_does_not_go_with_it(self, quire: Quire, asked: Path) -> None:
        assert quire("eval", "--init", str(asked), "--limit", "3").code == 2
        assert quire("eval", str(asked), "--vault", str(asked)).code == 2
