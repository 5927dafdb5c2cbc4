"""Runs on disk."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quire_engine._version import __version__
from quire_engine.errors import ConfigError
from quire_engine.evaluation.runs import load_run, run_of, save_run
from quire_engine.records import EvalReport, EvalRun, QueryResult
from quire_engine.settings import RetrievalSettings, Settings


@pytest.fixture
def run() -> EvalRun:
    result = QueryResult(
        id="1",
        text="où?\u2028\x1b[31m",
        fields={"lang": "fr"},
        relevant={"a.md": 2.0},
        measures={"ndcg@10": 0.5},
        ranking=(("é.md", 1.5), ("a.md", 0.5)),
        timings={"total": 3.25},
    )
    report = EvalReport(1, "note", {"ndcg@10": 0.5}, generation=4, results=(result,))
    settings = Settings(vault=Path("/private/vault"), retrieval=RetrievalSettings(rrf_k=7))
    return run_of(report, None, "model-x", settings)


class TestRun:
    def test_holds_what_it_was_made_with_and_nothing_private(self, run: EvalRun) -> None:
        assert (run.version, run.fingerprint, run.generation) == (__version__, "model-x", 4)
        assert run.settings["retrieval"]["rrf_k"] == 7
        assert "/private/vault" not in str(run)

    def test_comes_back_as_it_was_written(self, run: EvalRun, tmp_path: Path) -> None:
        save_run(run, tmp_path / "run.json")
        assert load_run(tmp_path / "run.json") == run
        assert json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))["schema"] == "quire.run/1"

    def test_takes_the_place_of_another_and_leaves_nothing_beside(self, run: EvalRun, tmp_path: Path) -> None:
        (tmp_path / "real.json").write_text("old")
        (tmp_path / "run.json").symlink_to("real.json")
        save_run(run, tmp_path / "run.json")
        assert load_run(tmp_path / "real.json") == run
        assert sorted(path.name for path in tmp_path.iterdir()) == ["real.json", "run.json"]

    def test_that_cannot_be_written_leaves_what_was_there(self, run: EvalRun, tmp_path: Path) -> None:
        (tmp_path / "run.json").mkdir()
        (tmp_path / "run.json/kept").touch()
        with pytest.raises(ConfigError, match=r"cannot write .*run\.json"):
            save_run(run, tmp_path / "run.json")
        assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
        with pytest.raises(ConfigError, match="cannot write"):
            save_run(run, tmp_path / "missing/run.json")


class TestLoad:
    @pytest.mark.parametrize(
        ("content", "complaint"),
        [
            ("not json", "is no saved run: it is not JSON"),
            ("[]", r"is no saved run \(quire\.run/1\)"),
            ('{"schema": "quire.eval/1"}', r"is no saved run \(quire\.run/1\)"),
            ('{"schema": "quire.run/1", "version": 1}', "is a damaged saved run: version"),
            ('{"schema": "quire.run/1"}', "is a damaged saved run: version: Field required"),
            pytest.param("[" * 200_000, "is no saved run: it is not JSON", id="deep"),
            pytest.param(
                '{"a":' * 200_000 + "1" + "}" * 200_000, "is no saved run: it is not JSON", id="deep, whole"
            ),
        ],
    )
    def test_what_is_no_run_is_said_in_one_line(self, tmp_path: Path, content: str, complaint: str) -> None:
        (tmp_path / "run.json").write_text(content)
        with pytest.raises(ConfigError, match=complaint) as caught:
            load_run(tmp_path / "run.json")
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("damage", "complaint"),
        [
            (lambda result: result["timings"].pop("total"), r"results\.1\.timings has no total"),
            (lambda result: result["measures"].pop("ndcg@10"), r"results\.1 has other measures"),
            (lambda result: result["measures"].pop("mrr@10"), r"results\.1 has other measures"),
            (lambda result: result["measures"].update(mine=1.0), r"results\.1 has other measures"),
            (lambda result: result["measures"].update({"mrr@10": float("nan")}), "not finite"),
            (lambda result: result["timings"].update(total=float("-inf")), "not finite"),
            (lambda result: result["relevant"].update({"a.md": 10**400}), "not finite"),
            (
                lambda result: result["measures"].update({"mrr@10": "nan"}),
                r"measures\.mrr@10: Input should be",
            ),
            (
                lambda result: result["timings"].update({"\x1b[31m\n": None}),
                r"timings\. \[31m : Input should be",
            ),
        ],
    )
    def test_what_a_comparison_would_stumble_over_is_said_in_one_line(
        self, run: EvalRun, tmp_path: Path, damage: Callable[[dict[str, Any]], object], complaint: str
    ) -> None:
        good = replace(run.results[0], measures={"ndcg@10": 0.5, "mrr@10": 1.0})
        save_run(replace(run, results=(good, replace(good, id="2"))), tmp_path / "run.json")
        load_run(tmp_path / "run.json")
        document = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
        damage(document["results"][1])
        (tmp_path / "run.json").write_text(json.dumps(document))
        with pytest.raises(ConfigError, match=f"is a damaged saved run: .*{complaint}") as caught:
            load_run(tmp_path / "run.json")
        assert str(caught.value).isprintable()

    def test_a_number_that_is_too_large_is_refused_in_settings_too(
        self, run: EvalRun, tmp_path: Path
    ) -> None:
        save_run(run, tmp_path / "run.json")
        text = (tmp_path / "run.json").read_text(encoding="utf-8")
        assert '"rrf_k": 7' in text
        (tmp_path / "run.json").write_text(text.replace('"rrf_k": 7', '"rrf_k": 1e999'), encoding="utf-8")
        with pytest.raises(ConfigError, match="numbers that are too large or not finite"):
            load_run(tmp_path / "run.json")

    def test_a_file_that_is_not_there_or_no_text_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"cannot read .*run\.json: there is no such file"):
            load_run(tmp_path / "run.json")
        (tmp_path / "run.json").write_bytes(b"\xff\xfe")
        with pytest.raises(ConfigError, match="is no saved run"):
            load_run(tmp_path / "run.json")
