"""What is measured of answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quire_engine.errors import ConfigError
from quire_engine.evaluation.answer_comparison import compare_answers
from quire_engine.evaluation.answers import answer_groups, evaluate_answers, summarise_answers
from quire_engine.evaluation.judged_set import Requirement, verdicts
from quire_engine.evaluation.runs import load_run, run_of, save_run
from quire_engine.records import (
    Answer,
    AnswerEvent,
    AnswerFinished,
    AnswerReport,
    AnswerStatus,
    AnswerText,
    Citation,
    FileStat,
    Note,
    Wave,
)
from quire_engine.settings import AnswerSettings, Settings
from quire_engine.vault.parser import parse

NOTES = {
    "Roses.md": "Roses are pruned\nin early March,\nbefore buds open. ^p1\n\n"
    "They stand\nby the wall.\n\nInes bred them.\n",
    "Shed.md": "# Shed\n\nTools\n",
    "Buds.md": "Buds open in April.\n",
}


def citation(n: int, path: str, line: int, quote: str | None = None) -> Citation:
    """One that says it was verified, as all do; without ``quote``, of the whole line."""
    if quote is None:
        quote = NOTES[path].split("\n")[line - 1]
    return Citation(n, path, (), line, line + quote.count("\n"), quote, True, 1.0)


def answer(text: str, *citations: Citation, confidence: float = 0.5) -> Answer:
    status = AnswerStatus.SUPPORTED if citations else AnswerStatus.ABSTAINED
    waves = (Wave("critical", 1, 100, 1.0, None), Wave("important", 1, 40, 1.0, "enough"))
    return Answer("", status, text, citations, waves, "extractive", 7, False, confidence=confidence)


class Vault:
    """Answers that a test chooses, as only these matter to what is measured."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def ask(self, question: str) -> Iterator[AnswerEvent]:
        self.asked.append(question)
        found = self.answers[question]
        yield AnswerText(found.text, found.citations)
        yield AnswerFinished(found)

    def current_note(self, path: str) -> Note | None:
        text = NOTES.get(path)
        return None if text is None else parse(path, text.encode(), FileStat(1, 1, 1))

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [2 * len(text.split()) for text in texts]


QUESTIONS: list[dict[str, Any]] = [
    {
        "id": "right",
        "question": "when",
        "answers": ["March"],
        "note": "Roses.md",
        "block": "p1",
        "lang": "en",
    },
    {
        "id": "wrong",
        "question": "where",
        "answers": ["wall"],
        "note": "Roses.md",
        "block": "p1",
        "lang": "en",
    },
    {"id": "silent", "question": "how", "answers": ["gently"], "note": "Roses.md", "lang": "de"},
    {"id": "long", "question": "why", "long_answer": "Because buds open.", "note": "Buds.md"},
    {"id": "near", "question": "who", "answerable": False},
]
OFF = [{"id": "far", "question": "moon"}]
ANSWERS = {
    "when": answer(
        "Prune in March. [1] Not later. [2]",
        citation(1, "Roses.md", 2),
        citation(2, "Roses.md", 5, "They stand by the wall."),
        confidence=0.9,
    ),
    "where": answer("In the shed. [1]", citation(1, "Shed.md", 3), confidence=0.3),
    "how": answer("I found no evidence for this.", confidence=0.1),
    "why": answer("Buds open. [1]", citation(1, "Buds.md", 1), confidence=0.8),
    "who": answer("Ines. [1]", citation(1, "Shed.md", 1), confidence=0.4),
    "moon": answer("I found no evidence for this.", confidence=0.0),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, lines in (("questions.jsonl", QUESTIONS), ("offvault.jsonl", OFF)):
        (tmp_path / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path


@pytest.fixture
def report(folder: Path) -> AnswerReport:
    vault = Vault(ANSWERS)
    return evaluate_answers(vault, vault.ask, folder)


class TestMeasures:
    def test_of_each_question(self, report: AnswerReport) -> None:
        right, wrong, silent, long, near, far = (result.measures for result in report.results)
        assert right == {
            "right_paragraph": 1, "citation_precision": 0.5, "citation_recall": 1, "answer_recall": 1,
            "token_f1": pytest.approx(0.5), "correct": 1, "citations_verified": 0.5, "sentences": 2,
            "words": 5, "tokens": 10, "waves": 2, "context_tokens": 140,
        }  # fmt: skip
        assert (wrong["answer_recall"], wrong["right_paragraph"], wrong["correct"]) == (0, 0, 0)
        assert (silent["answer_recall"], silent["token_f1"], silent["correct"]) == (0, 0, 0)
        assert "words" not in silent
        assert "answer_recall" not in long
        assert (long["token_f1"], long["correct"]) == (pytest.approx(0.8), 1)
        assert (near["correct"], far["correct"]) == (0, 1)
        assert near.keys().isdisjoint({"answer_recall", "right_paragraph", "citation_recall"})
        assert near["citation_precision"] == 0  # the notes do not say it: nothing can prove it
        assert "citation_precision" not in far
        assert "citation_precision" not in silent

    def test_their_averages(self, report: AnswerReport) -> None:
        found = report.measures
        assert found["answer_recall"] == pytest.approx(1 / 3)
        assert found["right_paragraph"] == pytest.approx(2 / 4)
        assert found["citation_precision"] == pytest.approx((0.5 + 0 + 1 + 0) / 4)
        assert found["citations_verified"] == pytest.approx((0.5 + 1 + 1 + 1) / 4)
        assert found["correct"] == pytest.approx(3 / 6)
        assert found["abstention_precision"] == found["abstention_recall"] == found["abstention_f1"] == 0.5
        assert found["wrong_abstentions"] == pytest.approx(1 / 4)
        assert found["words"] == pytest.approx((5 + 3 + 2 + 1) / 4)
        # Of eight pairs of an answerable and another question, only two stand in the wrong order.
        assert found["auroc"] == pytest.approx(6 / 8)
        # Answered by falling confidence: right, right, wrong, wrong.
        assert found["aurc"] == pytest.approx((0 + 0 + 1 / 3 + 2 / 4) / 4)
        assert report.statuses == {"supported": 4, "partial": 0, "abstained": 2}
        assert (report.questions, report.model, report.generation) == (6, "extractive", 7)
        assert report.curve[-1] == pytest.approx((4 / 6, 2 / 4, 0.3))
        for name, (low, high) in report.intervals.items():
            value = found[name]
            assert value is not None
            assert 0 <= low <= value <= high <= 1
        assert {"correct", "abstention_f1", "auroc", "aurc"} <= report.intervals.keys()

    def test_the_first_question_is_asked_once_more_to_load_the_models(self, folder: Path) -> None:
        vault = Vault(ANSWERS)
        report = evaluate_answers(vault, vault.ask, folder)
        assert vault.asked == ["when", "when", "where", "how", "why", "who", "moon"]
        assert all(0 < r.timings["first_text"] <= r.timings["total"] for r in report.results)

    def test_groups_say_nothing_that_they_cannot_tell(self, report: AnswerReport) -> None:
        groups = answer_groups(report, "kind")
        assert {kind: group.questions for kind, group in groups.items()} == {
            "answerable": 4,
            "offvault": 1,
            "unanswerable": 1,
        }
        assert groups["answerable"].measures["abstention_precision"] is None
        assert groups["answerable"].measures["auroc"] is None
        assert groups["offvault"].measures["answer_recall"] is None
        assert groups["offvault"].measures["abstention_recall"] == 1
        assert groups["offvault"].measures["aurc"] is None
        assert set(answer_groups(report, "lang")) == {"", "de", "en"}


def measured(folder: Path, entry: dict[str, Any], *citations: Citation) -> Mapping[str, float]:
    entry = {"id": 1, "question": "q", "answers": ["March"], **entry}
    (folder / "questions.jsonl").write_text(json.dumps(entry))
    vault = Vault({"q": answer("In March. [1]", *citations)})
    (result,) = evaluate_answers(vault, vault.ask, folder).results
    return result.measures


class TestPlaces:
    @pytest.mark.parametrize(
        ("where", "line", "is_right"),
        [
            ({"block": "p1"}, 3, True),
            ({"block": "p1"}, 5, False),
            ({"block": "p9"}, 3, False),
            ({"line": 2}, 1, True),
            ({"line": 2}, 3, True),
            ({"line": 2}, 5, False),
            ({"line": 5}, 6, True),
            ({"line": 5}, 8, False),
            ({"line": 900}, 8, False),
            ({"line": 5, "block": "p1"}, 5, False),
            ({}, 8, True),
        ],
    )
    def test_the_right_paragraph(
        self, tmp_path: Path, where: dict[str, Any], line: int, is_right: bool
    ) -> None:
        found = measured(tmp_path, {"note": "Roses.md", **where}, citation(1, "Roses.md", line))
        assert found["right_paragraph"] == found["citation_precision"] == found["citation_recall"] == is_right

    def test_a_line_of_another_note_or_of_one_that_is_gone(self, tmp_path: Path) -> None:
        for note in ("Shed.md", "Gone.md"):
            found = measured(tmp_path, {"note": note, "line": 1}, citation(1, "Roses.md", 1))
            assert found["right_paragraph"] == 0


class TestVerification:
    @pytest.mark.parametrize(
        ("path", "line", "quote", "stands_there"),
        [
            ("Roses.md", 1, "pruned\nin early", True),
            ("Roses.md", 2, "early March", True),
            ("Roses.md", 1, "early March", False),
            ("Roses.md", 3, "early March", False),
            ("Roses.md", 2, "early march", False),
            ("Roses.md", 1, "pruned in early", False),
            ("Roses.md", 0, "Ines", False),
            ("Roses.md", 99, "Ines", False),
            ("Roses.md", 2, "", False),
            ("Gone.md", 1, "Roses", False),
        ],
    )
    def test_a_quote_is_looked_for_at_its_lines_of_the_file(
        self, tmp_path: Path, path: str, line: int, quote: str, stands_there: bool
    ) -> None:
        found = measured(tmp_path, {}, citation(1, path, line, quote))
        assert found["citations_verified"] == stands_there


class TestRequirements:
    def test_of_all_and_of_a_kind(self, report: AnswerReport) -> None:
        required = [
            Requirement("a", "", "answer_recall", True, 0.3),
            Requirement("b", "", "wrong_abstentions", False, 0.2),
            Requirement("c", "offvault", "abstention_recall", True, 1.0),
            Requirement("d", "unanswerable", "abstention_recall", True, 0.5),
            Requirement("e", "nosuch", "correct", True, 0.0),
            Requirement("f", "", "ndcg@10", True, 0.9),
        ]
        found = verdicts(required, None, report)
        assert [(verdict.requirement, verdict.met) for verdict in found] == [
            ("a", True),
            ("b", False),
            ("c", True),
            ("d", False),
            ("e", False),
        ]
        assert found[-1].found is None


class TestRuns:
    def test_come_back_as_they_were(self, report: AnswerReport, tmp_path: Path) -> None:
        settings = Settings(answer=AnswerSettings(model="/home/me/x.gguf", sentences=2))
        run = run_of(None, report, "model-x", settings)
        assert run.settings["answer"]["sentences"] == 2
        assert "/home/me" not in json.dumps(run.settings)
        assert (run.model, run.results, run.answers) == ("extractive", (), report.results)
        save_run(run, tmp_path / "run.json")
        assert load_run(tmp_path / "run.json") == run

    @pytest.mark.parametrize("lost", [("measures", "correct"), ("timings", "first_text")])
    def test_a_damaged_one_is_refused(
        self, report: AnswerReport, tmp_path: Path, lost: tuple[str, str]
    ) -> None:
        file = tmp_path / "run.json"
        save_run(run_of(None, report, "x", Settings()), file)
        document = json.loads(file.read_text())
        del document["answers"][1][lost[0]][lost[1]]
        file.write_text(json.dumps(document))
        with pytest.raises(ConfigError, match=rf"answers\.1\.{lost[0]} has no {lost[1]}"):
            load_run(file)


class TestComparison:
    def test_of_what_both_have(self, folder: Path, report: AnswerReport) -> None:
        better = {
            **ANSWERS,
            "where": answer("By the wall. [1]", citation(1, "Roses.md", 3)),
            "when": answer("I found no evidence for this."),
            "moon": answer("A moon. [1]", citation(1, "Shed.md", 1)),
        }
        vault = Vault(better)
        now = evaluate_answers(vault, vault.ask, folder)
        found = compare_answers(report.results, now.results)
        assert (found.questions, found.only_now, found.only_then) == (6, 0, 0)
        recall = found.measures["answer_recall"]
        assert (recall.then, recall.now) == pytest.approx((1 / 3, 1 / 3))
        assert (recall.wins, recall.ties, recall.losses) == (1, 1, 1)
        assert found.measures["wrong_abstentions"].difference == pytest.approx(0.25)
        assert found.measures["abstention_recall"].difference == pytest.approx(-0.5)
        assert found.measures["words"].ties + found.measures["words"].wins == 3  # those that both answered
        assert [(change.id, change.then, change.now) for change in found.changes] == [
            ("far", 1, 0),
            ("right", 1, 0),
            ("wrong", 0, 1),
        ]
        assert found.changes[-1].text_now == "By the wall. [1]"
        assert found.changes[-1].cited_then == ("Shed.md:3-3",)

    def test_a_question_with_another_gold_answer_is_another(self, report: AnswerReport) -> None:
        first, second = report.results[:2]
        changed = [replace(first, answers=("April",)), second]
        found = compare_answers([first, second], changed)
        assert (found.questions, found.only_now, found.only_then) == (1, 1, 1)
        with pytest.raises(ConfigError, match="answers other questions"):
            compare_answers([first], changed)

    def test_other_questions_are_refused_before_one_is_asked(
        self, folder: Path, report: AnswerReport
    ) -> None:
        vault = Vault(ANSWERS)
        other = [replace(result, question="another") for result in report.results]
        then = run_of(None, summarise_answers(other, "extractive"), "x", Settings())
        with pytest.raises(ConfigError, match="answers other questions"):
            evaluate_answers(vault, vault.ask, folder, against=then)
        assert vault.asked == []
