"""That the benchmarks run and report; what they measure is nobody's assertion."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from bench import __main__ as bench
from bench import fts5
from bench.report import Figure, quantile, table
from bench.vaults import note_files, questions, write_vault


class TestRun:
    @pytest.mark.usefixtures("model_cache")
    def test_writes_what_it_prints_and_leaves_nothing_behind(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "places"))
        (tmp_path / "places").mkdir()
        before = dict(os.environ)
        target = tmp_path / "figures.json"
        sections = ["environment", "stages", "searchable", "answers"]
        assert bench.main([*sections, "--quick", "--notes", "12", "--json", str(target)]) == 0
        written = json.loads(target.read_text())
        assert written["schema"] == bench.SCHEMA
        assert list(written["sections"]) == sections
        printed = capsys.readouterr().out
        for section in written["sections"].values():
            assert section["title"] in printed
            assert set(section) == {"title", "seconds", "figures"}
            for figure in section["figures"]:
                assert set(figure) == {"name", "value", "unit", "at_most", "at_least", "note", "details"}
                assert figure["name"] in printed
        assert list((tmp_path / "places").iterdir()) == []
        assert dict(os.environ) == before

    def test_a_section_that_fails_says_so_and_the_others_go_on(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(workshop: object) -> list[Figure]:
            raise RuntimeError("no such luck")

        monkeypatch.setattr("bench.memory.measure", fail)
        assert bench.main(["memory", "environment", "--json", "-"]) == 1
        captured = capsys.readouterr()
        sections = json.loads(captured.out)["sections"]
        assert sections["memory"]["error"] == "RuntimeError: no such luck"
        assert sections["environment"]["figures"]
        assert "no such luck" in captured.err

    def test_an_unknown_section_is_wrong_usage(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit, match="2"):
            bench.main(["speed"])
        assert "there is no section 'speed'" in capsys.readouterr().err

    @pytest.mark.parametrize("tool", bench.TOOLS)
    def test_help_names_every_tool_and_each_has_its_own(
        self, tool: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COLUMNS", "1000")
        with pytest.raises(SystemExit, match="0"):
            bench.main(["--help"])
        assert f"scripts/bench {tool} --help" in " ".join(capsys.readouterr().out.split())
        with pytest.raises(SystemExit, match="0"):
            bench.main([tool, "--help"])
        assert f"usage: scripts/bench {tool} " in capsys.readouterr().out


class TestReport:
    def test_a_missed_target_is_marked(self) -> None:
        slow, fast = Figure("slow", 130.0, "ms", at_most=120), Figure("fast", 4000, "/s", at_least=3000)
        lines = table("Times", [slow, fast]).splitlines()
        assert lines[1].split() == ["slow", "130", "ms", "target", "≤", "120", "ms", "(missed)"]
        assert lines[2].split() == ["fast", "4,000", "/s", "target", "≥", "3,000", "/s"]

    def test_quantiles_are_measured_values(self) -> None:
        assert [quantile([3, 1, 2, 4], share) for share in (0.5, 0.95)] == [2, 4]


class TestVaults:
    def test_the_same_seed_writes_the_same_vault(self, tmp_path: Path) -> None:
        for name in ("one", "two"):
            write_vault(tmp_path / name, 8)
        one, two = ([file.read_text() for file in note_files(tmp_path / name)] for name in ("one", "two"))
        assert one == two
        assert len(one) == 8

    def test_the_reference_finds_the_note_of_a_question(self, tmp_path: Path) -> None:
        write_vault(tmp_path / "vault", 8)
        fts5.index(str(tmp_path / "index.sqlite3"), str(tmp_path / "vault"))
        (question,) = questions(tmp_path / "vault", 1)
        path, _ = fts5.search(str(tmp_path / "index.sqlite3"), question)[0]
        assert question.split()[0].casefold() in Path(path).read_text().casefold()
