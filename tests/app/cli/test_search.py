"""``quire search`` on a real vault."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from quire.cli.diagnostics import Diagnostics
from quire_engine import locations
from quire_engine.index.database import connect
from quire_engine.index.lock import write_lock

Quire = Callable[..., Any]
QUESTION = "when to prune roses"


@pytest.fixture(autouse=True)
def chosen_vault(environment: dict[str, str], vault: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIRE_VAULT", str(vault))
    environment["QUIRE_VAULT"] = str(vault)


class TestForPeople:
    def test_shows_where_a_passage_stands_and_what_it_says(self, quire: Quire) -> None:
        outcome = quire("search", QUESTION)
        assert outcome.code == 0
        first = outcome.out.splitlines()[0]
        assert first.startswith("Garden/Roses.md:")
        assert "Roses › Pruning" in first
        assert "before the buds open" in outcome.out

    def test_words_need_no_quotes(self, quire: Quire) -> None:
        assert quire("search", "prune", "roses").out.startswith("Garden/Roses.md:")

    def test_explains_on_request(self, quire: Quire) -> None:
        assert "question  " not in quire("search", QUESTION).out
        lines = quire("search", "prune roses path:Garden -compost", "--explain").out.splitlines()
        assert lines[0].startswith("question  factual; ")
        assert "only      path Garden; without compost" in lines
        assert any(re.match(r"    keyword +\d+\.\d{3} BM25F +#1 ", line) for line in lines)
        assert any(re.match(r"    score +\d\.\d{4}$", line) for line in lines)
        assert re.match(r"from generation \d+ of the index", lines[-1])

    def test_explains_why_nothing_was_found(self, quire: Quire) -> None:
        outcome = quire("search", "roses path:Nowhere", "--explain")
        assert outcome.code == 3
        assert "only      path Nowhere" in outcome.out

    @pytest.mark.parametrize("how", [(), ("--json",), ("--jsonl",), ("--explain",)])
    def test_says_what_it_could_not_understand(self, quire: Quire, how: tuple[str, ...]) -> None:
        outcome = quire("search", "roses since:soon", *how)
        assert outcome.err.startswith("'since:soon' is searched as words")
        assert outcome.err.count("\n") == 1

    def test_shows_the_passages_around_a_hit_on_request(self, quire: Quire) -> None:
        question = ("search", "before the buds open", "-n", "1")
        assert "south wall" not in quire(*question).out
        lines = quire(*question, "--context").out.splitlines()
        before = next(number for number, line in enumerate(lines) if "south wall" in line)
        hit = next(number for number, line in enumerate(lines) if "before the buds" in line)
        assert 0 < before < hit

    def test_help_names_the_operators(self, quire: Quire) -> None:
        for command in ("search", "ask"):
            words = quire(command, "--help").out
            for operator in ("tag:", "path:", "since:", "before:", "-word", '"words"', "[[note]]"):
                assert operator in words

    def test_text_of_notes_commands_no_terminal(self, quire: Quire) -> None:
        out = quire("search", "zebra", "--explain").out
        assert "zebra" in out
        assert not set("\x07\x1b\x9b\u202e\u202c") & set(out)

    def test_colours_are_the_only_escapes(self, quire: Quire) -> None:
        out = quire("search", "zebra", "--color").out
        assert "\x1b[36m" in out
        assert "\x1b]" not in out
        assert "\x1b[31mheading" not in out


class TestForScripts:
    def test_json_follows_the_contract(self, quire: Quire, vault: Path) -> None:
        outcome = quire("search", QUESTION, "--json", "-n", "3")
        record = outcome.json
        assert outcome.code == 0
        assert record["schema"] == "quire.search/1"
        assert record["generation"] >= 1
        assert record["timings"]["total"] > 0
        assert 1 <= len(record["hits"]) <= 3
        assert [hit["rank"] for hit in record["hits"]] == list(range(1, len(record["hits"]) + 1))
        assert record["hits"][0]["path"] == "Garden/Roses.md"

    def test_lines_are_where_the_text_stands(self, quire: Quire, vault: Path) -> None:
        for hit in quire("search", QUESTION, "--json").json["hits"]:
            lines = (vault / hit["path"]).read_text(encoding="utf-8").split("\n")
            assert hit["text"] in "\n".join(lines[hit["start_line"] - 1 : hit["end_line"]])

    def test_a_score_is_the_sum_of_its_trace(self, quire: Quire) -> None:
        for hit in quire("search", QUESTION, "--json").json["hits"]:
            total = sum(signal["contribution"] for signal in hit["trace"]["signals"])
            assert hit["score"] == pytest.approx(total)

    def test_json_says_how_the_question_was_understood(self, quire: Quire) -> None:
        plan = quire("search", "roses tag:plants since:soon", "--json").json["plan"]
        assert plan["query"]["text"] == "roses since:soon"
        assert plan["query"]["filters"] == {"tags": ["plants"]}
        assert plan["query"]["notes"][0].startswith("'since:soon'")
        assert plan["strategy"]["name"] == "simple"

    def test_json_has_the_passages_around_a_hit_on_request(self, quire: Quire, vault: Path) -> None:
        question = ("search", "before the buds open", "-n", "1", "--json")
        assert "neighbours" not in quire(*question).json["hits"][0]
        hit = quire(*question, "--context").json["hits"][0]
        assert hit["neighbours"]
        lines = (vault / hit["path"]).read_text(encoding="utf-8").split("\n")
        for passage in hit["neighbours"]:
            assert passage["text"] in "\n".join(lines[passage["start_line"] - 1 : passage["end_line"]])

    def test_json_lines_hold_one_hit_each(self, quire: Quire) -> None:
        lines = quire("search", QUESTION, "--jsonl").lines
        assert lines[0]["path"] == "Garden/Roses.md"
        assert {line["schema"] for line in lines} == {"quire.search/1"}

    def test_json_of_hostile_text_is_inert_and_exact(self, quire: Quire, vault: Path) -> None:
        outcome = quire("search", "zebra commands", "--json")
        assert not set("\x07\x1b\x9b\u202e") & set(outcome.out)
        hostile = next(hit for hit in outcome.json["hits"] if hit["path"] == "Hostile.md")
        assert "\x1b]0;owned\x07" in hostile["text"]

    def test_stdout_holds_nothing_but_results(
        self, quire_process: Quire, environment: dict[str, str]
    ) -> None:
        outcome = quire_process("search", QUESTION, "--json")
        assert outcome.json["hits"]

    def test_a_batch_has_what_could_not_be_understood_in_its_lines(
        self, quire: Quire, tmp_path: Path
    ) -> None:
        questions = tmp_path / "questions.txt"
        questions.write_text("roses since:soon\n")
        outcome = quire("search", "--batch", str(questions))
        assert outcome.lines[0]["plan"]["query"]["notes"][0].startswith("'since:soon'")
        assert outcome.err == ""


class TestFilters:
    def paths(self, quire: Quire, *arguments: str) -> set[str]:
        return {
            hit["path"] for hit in quire("search", "notes about things", "--json", *arguments).json["hits"]
        }

    def test_folder(self, quire: Quire) -> None:
        assert self.paths(quire, "--in", "Workshop/") == {"Workshop/Kiln.md"}
        assert self.paths(quire, "--topic", "Workshop", "--in", "Garden") == {
            "Workshop/Kiln.md",
            "Garden/Roses.md",
            "Garden/Compost.md",
        }

    def test_tag_with_or_without_its_sign(self, quire: Quire) -> None:
        assert (
            self.paths(quire, "--tag", "#plants")
            == self.paths(quire, "--tag", "plants")
            == {"Garden/Roses.md"}
        )

    def test_property(self, quire: Quire) -> None:
        assert self.paths(quire, "--where", "status=open") == {"Workshop/Kiln.md"}

    def test_dates(self, quire: Quire) -> None:
        assert self.paths(quire, "--in", "Garden", "--before", "2023-01-01") == {"Garden/Compost.md"}
        assert self.paths(quire, "--in", "Garden", "--since", "2023-01-01") == {"Garden/Roses.md"}


class TestExitCodes:
    def test_nothing_found(self, quire: Quire) -> None:
        outcome = quire("search", QUESTION, "--in", "Nowhere")
        assert outcome.code == 3
        assert outcome.out == ""
        assert outcome.err == "no note lies in 'Nowhere'\nnothing found\n"

    def test_nothing_found_is_still_json(self, quire: Quire) -> None:
        outcome = quire("search", QUESTION, "--in", "Nowhere", "--json")
        assert outcome.code == 3
        assert outcome.json["hits"] == []

    @pytest.mark.parametrize(
        "query", ["?!…", "---", '"', "(", "AND OR NOT", "*", "path:x", "a:b~2^3", "' OR 1=1 --"]
    )
    def test_odd_queries_are_queries(self, quire: Quire, query: str) -> None:
        outcome = quire("search", "--json", "--", query)
        assert outcome.code in (0, 3)
        assert outcome.json["query"] == query
        assert outcome.err == ("no note's path fits 'x'\n" if query == "path:x" else "")

    def test_a_very_long_question_is_answered_or_refused_in_one_line(self, quire: Quire) -> None:
        outcome = quire("search", "roses " * 17_000, "--json")
        assert outcome.code in (0, 3)
        assert outcome.err.count("\n") <= 1


class TestBatch:
    def test_answers_in_order_with_the_ids_given(self, quire_process: Quire) -> None:
        given = '{"id": "a", "text": "prune roses"}\n\nkiln temperature\n{"id": 7, "text": "compost"}\n'
        outcome = quire_process("search", "--batch", "-", given=given.encode())
        assert outcome.code == 0
        assert [line["id"] for line in outcome.lines] == ["a", 3, 7]
        assert [line["hits"][0]["path"] for line in outcome.lines] == [
            "Garden/Roses.md",
            "Workshop/Kiln.md",
            "Garden/Compost.md",
        ]
        assert {line["schema"] for line in outcome.lines} == {"quire.search/1"}

    def test_a_bad_line_does_not_stop_the_others(self, quire: Quire, tmp_path: Path) -> None:
        questions = tmp_path / "questions.jsonl"
        questions.write_text('{"id": 1, "text": "roses"}\n{"id": 2, "text"\n{"id": 3, "text": "kiln"}\n')
        outcome = quire("search", "--batch", str(questions))
        assert outcome.code == 2
        assert [line["id"] for line in outcome.lines] == [1, 3]
        assert outcome.err.startswith("error: line 2: not JSON")
        assert outcome.err.count("\n") == 1

    def test_exits_with_the_gravest_outcome(self, quire: Quire, tmp_path: Path) -> None:
        questions = tmp_path / "questions.txt"
        questions.write_text("roses\n")
        assert quire("search", "--batch", str(questions), "--in", "Nowhere").code == 3

    def test_an_empty_batch_is_done(self, quire_process: Quire) -> None:
        outcome = quire_process("search", "--batch", "-")
        assert (outcome.code, outcome.out) == (0, "")

    def test_a_missing_file_is_wrong_usage(self, quire: Quire, tmp_path: Path) -> None:
        outcome = quire("search", "--batch", str(tmp_path / "gone.jsonl"))
        assert outcome.code == 2
        assert "gone.jsonl" in outcome.err

    def test_each_answer_comes_before_the_next_question(self, environment: dict[str, str]) -> None:
        talk = subprocess.Popen(
            [sys.executable, "-m", "quire.cli.main", "search", "--batch", "-", "--no-sync"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        assert talk.stdin is not None
        assert talk.stdout is not None
        with talk.stdin, talk.stdout:
            for identity in range(3):
                talk.stdin.write(json.dumps({"id": identity, "text": "roses"}).encode() + b"\n")
                talk.stdin.flush()
                assert json.loads(talk.stdout.readline())["id"] == identity
            talk.stdin.close()
            assert talk.wait() == 0


class TestFreshness:
    def test_a_search_sees_what_was_just_written(self, quire: Quire, own_vault: Path) -> None:
        assert quire("search", "roses", "--vault", str(own_vault)).code == 0
        (own_vault / "Tide.md").write_text("# Tide\n\nThe ferry sails at high tide.\n")
        found = quire("search", "ferry tide", "--vault", str(own_vault), "--json").json["hits"]
        assert found[0]["path"] == "Tide.md"

    def test_no_sync_leaves_the_index_as_it_is(self, quire: Quire, own_vault: Path) -> None:
        quire("index", str(own_vault))
        (own_vault / "Tide.md").write_text("# Tide\n\nThe ferry sails at high tide.\n")
        found = quire("search", "ferry tide", "--vault", str(own_vault), "--json", "--no-sync").json["hits"]
        assert "Tide.md" not in {hit["path"] for hit in found}


class TestAnotherWriter:
    def test_the_search_goes_on_with_what_is_there_and_says_so(self, quire: Quire, own_vault: Path) -> None:
        quire("index", str(own_vault))
        with write_lock(locations.index_dir(own_vault), 0.0):
            outcome = quire("search", "prune roses", "--vault", str(own_vault), "--json")
        assert outcome.code == 5
        assert outcome.json["hits"][0]["path"] == "Garden/Roses.md"
        assert "going on with the index as it is: process" in outcome.err

    def test_an_index_run_gives_up_in_one_line(self, quire: Quire, own_vault: Path) -> None:
        quire("index", str(own_vault))
        with write_lock(locations.index_dir(own_vault), 0.0):
            outcome = quire("index", str(own_vault))
        assert outcome.code == 1
        assert "is updating this vault's index" in outcome.err
        assert outcome.err.count("\n") == 1


class TestNewerIndex:
    def test_is_one_line_that_says_so(self, quire: Quire, own_vault: Path) -> None:
        folder = locations.private_dir(locations.index_dir(own_vault))
        connection = connect(folder, writable=True)
        connection.execute("INSERT INTO migrations VALUES (999, 'from the future', 0)")
        connection.close()
        outcome = quire("search", "roses", "--vault", str(own_vault))
        assert outcome.code == 1
        assert "newer Quire" in outcome.err
        assert outcome.err.count("\n") == 1


class TestBrokenPipe:
    def test_head_hears_no_complaint(self, environment: dict[str, str]) -> None:
        questions = b"roses\n" * 400
        writer = subprocess.Popen(
            [sys.executable, "-m", "quire.cli.main", "search", "--batch", "-", "--no-sync"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**environment, "PYTHONUNBUFFERED": "1"},
        )
        assert writer.stdin is not None
        assert writer.stdout is not None
        assert writer.stderr is not None
        with writer.stdin, writer.stdout, writer.stderr:
            writer.stdin.write(questions[:600])
            writer.stdin.flush()
            writer.stdout.readline()
            writer.stdout.close()
            with suppress(BrokenPipeError):
                writer.stdin.write(questions)
                writer.stdin.close()
            assert writer.stderr.read() == b""
        assert writer.wait() == 0


class TestStaleAndFresh:
    def test_fresh_waits_for_another_process_and_for_vectors(
        self, quire: Quire, own_vault: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert quire("index", str(own_vault)).code == 0
        (own_vault / "Tide.md").write_text("# Tide\n\nThe ferry sails at high tide.\n")
        held, free = threading.Event(), threading.Event()

        def hold() -> None:
            with write_lock(locations.index_dir(own_vault), 0):
                held.set()
                assert free.wait(60)

        holder = threading.Thread(target=hold)
        holder.start()
        assert held.wait(60)
        note = Diagnostics.note

        def noted(diagnostics: Diagnostics, text: str) -> None:
            note(diagnostics, text)
            if text.startswith("waiting"):
                free.set()

        monkeypatch.setattr(Diagnostics, "note", noted)
        outcome = quire("search", "high tide", "--fresh", "--json", "--vault", str(own_vault))
        holder.join()
        result = json.loads(outcome.out)
        assert outcome.code == 0
        assert result["hits"][0]["path"] == "Tide.md"
        assert not result["incomplete"]
        assert "waiting: process" in outcome.err
        assert "is updating this vault's index" in outcome.err

    def test_fresh_and_no_sync_contradict_each_other(self, quire: Quire, vault: Path) -> None:
        outcome = quire("ask", "When?", "--fresh", "--no-sync", "--vault", str(vault))
        assert outcome.code == 2
        assert outcome.err.count("\n") == 1
        assert "--no-sync" in outcome.err

    def test_a_stale_index_is_said_and_has_its_code(self, quire: Quire, own_vault: Path) -> None:
        assert quire("index", str(own_vault)).code == 0
        (own_vault / "Garden/Compost.md").unlink()
        roses = own_vault / "Garden/Roses.md"
        roses.write_text(roses.read_text().replace("# Roses\n", "# Roses\n\nA new line.\n"))
        arguments = ("search", "compost heap of roses", "--no-sync", "--vault", str(own_vault))
        shown = quire(*arguments)
        assert shown.code == 5
        assert "Compost.md" not in shown.out
        assert "changed since it was indexed; this still stands in it" in shown.out
        assert "1 passage left out" in shown.err
        result = json.loads(quire(*arguments, "--json").out)
        assert result["left_out"] == 1
        stale = {hit["path"] for hit in result["hits"] if hit["stale"]}
        assert stale == {"Garden/Roses.md"}
