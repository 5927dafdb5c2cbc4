"""``quire ask`` on a real vault, answered without a language model."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quire import contract
from quire.cli.ask import outcome as exit_code
from quire.cli.diagnostics import ExitCode
from quire_engine.records import Answer, AnswerStatus

Quire = Callable[..., Any]
QUESTION = "When should I prune the roses?"
CODES = {"supported": 0, "partial": 4, "abstained": 3}


@pytest.fixture(autouse=True)
def chosen_vault(environment: dict[str, str], vault: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIRE_VAULT", str(vault))
    monkeypatch.setenv("QUIRE_ANSWER__MODEL", "extractive")
    environment.update(QUIRE_VAULT=str(vault), QUIRE_ANSWER__MODEL="extractive")


class TestForPeople:
    def test_gives_the_answer_and_then_its_proof(self, quire: Quire) -> None:
        outcome = quire("ask", QUESTION)
        assert outcome.code == 0
        answer, proof = outcome.out.split("\n\n", 1)
        assert "March" in answer
        assert "[1]" in answer
        assert re.match(r"\[1\] Garden/Roses\.md:\d+(-\d+)? › Roses › Pruning  “.*March.*”", proof)

    def test_explain_shows_what_it_was_made_from(self, quire: Quire) -> None:
        out = quire("ask", QUESTION, "--explain").out
        assert "answered by extractive" in out
        assert re.search(r"^wave 1    critical: \d+ passages?, \d+ tokens; why: the question; ", out, re.M)
        assert "stopped: " in " ".join(out.split())
        assert re.search(r"^answer    supported, confidence [01]\.\d\d; ", out, re.M)
        assert re.search(r"^question  factual; ", out, re.MULTILINE)
        assert re.search(r"^    score +\d\.\d{4}$", out, re.MULTILINE)

    @pytest.mark.parametrize("how", [(), ("--json",), ("--jsonl",)])
    def test_says_what_it_could_not_understand(self, quire: Quire, how: tuple[str, ...]) -> None:
        outcome = quire("ask", f"{QUESTION} since:soon", *how)
        assert "'since:soon' is searched as words" in outcome.err

    def test_text_of_notes_commands_no_terminal(self, quire: Quire) -> None:
        out = quire("ask", "What does the zebra note hide in its text?", "--explain").out
        assert "zebra" in out
        assert not set("\x07\x1b\x9b\u202e\u202c") & set(out)


class TestForScripts:
    def test_json_follows_the_contract(self, quire: Quire, vault: Path) -> None:
        outcome = quire("ask", QUESTION, "--json")
        record = outcome.json
        assert record["schema"] == "quire.answer/1"
        assert record["model"] == "extractive"
        assert record["generation"] >= 1
        assert record["waves"]
        assert record["plan"]["query"]["text"] == QUESTION
        assert outcome.code == CODES[record["status"]]

    def test_every_citation_stands_in_the_note_at_its_lines(self, quire: Quire, vault: Path) -> None:
        citations = quire("ask", QUESTION, "--json").json["citations"]
        assert citations
        for citation in citations:
            assert citation["verified"] is True
            lines = (vault / citation["path"]).read_text(encoding="utf-8").split("\n")
            assert citation["quote"] in "\n".join(lines[citation["start_line"] - 1 : citation["end_line"]])

    def test_json_lines_are_the_events_in_their_order(self, quire: Quire) -> None:
        lines = quire("ask", QUESTION, "--jsonl").lines
        types = [line["type"] for line in lines]
        assert types[0] == "hits"
        assert types[-1] == "answer"
        assert set(types) == {"hits", "wave", "text", "answer"}
        pieces = "".join(line["text"] for line in lines if line["type"] == "text")
        assert pieces == lines[-1]["answer"]

    def test_a_batch_answers_every_question(self, quire_process: Quire) -> None:
        given = f'{{"id": "r", "text": "{QUESTION}"}}\nHow hot does the kiln get?\n'
        outcome = quire_process("ask", "--batch", "-", given=given.encode())
        assert [line["id"] for line in outcome.lines] == ["r", 2]
        assert "March" in outcome.lines[0]["answer"]
        assert "1240" in outcome.lines[1]["answer"]
        assert {line["schema"] for line in outcome.lines} == {"quire.answer/1"}


class TestExitCodes:
    def test_no_evidence(self, quire: Quire) -> None:
        outcome = quire("ask", QUESTION, "--in", "Nowhere", "--json")
        assert outcome.code == 3
        assert outcome.json["status"] == "abstained"
        assert outcome.json["citations"] == []

    @pytest.mark.parametrize("status", list(AnswerStatus))
    def test_follow_the_status_unless_the_index_is_behind(self, status: AnswerStatus) -> None:
        def answer(incomplete: bool) -> contract.Json:
            return contract.answer(Answer("q", status, "", (), (), "m", 1, incomplete))

        assert exit_code(answer(False)) == CODES[status.value]
        assert exit_code(answer(True)) is ExitCode.INCOMPLETE

    @pytest.mark.parametrize(
        "budget", [("--max-waves", "1"), ("--budget-tokens", "1"), ("--budget-seconds", "0.000001")]
    )
    def test_a_budget_ends_the_reading(self, quire: Quire, budget: tuple[str, str]) -> None:
        broad = "What is said of roses, the kiln, compost and the zebra?"
        first, *others = quire("ask", broad, "--json").json["waves"]
        (read,) = quire("ask", broad, *budget, "--json").json["waves"]
        assert others
        assert read["stop_reason"] != first["stop_reason"]

    @pytest.mark.parametrize(
        "budget", [("--max-waves", "-1"), ("--budget-tokens", "1.5"), ("--budget-seconds", "nan")]
    )
    def test_a_budget_that_is_none_is_wrong_usage(self, quire: Quire, budget: tuple[str, str]) -> None:
        outcome = quire("ask", QUESTION, *budget)
        assert outcome.code == 2
        assert budget[0] in outcome.err

    def test_a_model_that_is_not_there_is_one_line(self, quire: Quire) -> None:
        outcome = quire("ask", QUESTION, "--model", "no-such-model")
        assert outcome.code == 1
        assert "no-such-model" in outcome.err
        assert outcome.err.count("\n") == 1

    def test_a_very_long_question_ends_in_order(self, quire: Quire) -> None:
        outcome = quire("ask", "roses " * 17_000, "--json")
        assert outcome.code == CODES[outcome.json["status"]]
