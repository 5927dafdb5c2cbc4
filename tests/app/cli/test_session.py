"""Which vault a command reads, and what is said when there is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import filelock
import pytest

from quire.choice import enclosing_vault
from quire.cli.session import Session
from quire_engine import locations
from quire_engine.indexing.embedding import Embedding

Quire = Callable[..., Any]


@pytest.fixture
def choose(environment: dict[str, str]) -> Callable[..., Path]:
    """The vault that a command would read."""

    def chosen(vault: Path | None = None, group: Path | None = None) -> Path:
        root = click.Context(click.Group("quire"))
        root.params = {"vault": group, "colour": None}
        with root, click.Context(click.Command("search"), parent=root):
            return Session(vault).vault

    return chosen


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    made = {name: tmp_path / name for name in ("flag", "variable", "file", "around", "fallback")}
    for folder in made.values():
        folder.mkdir()
    (made["around"] / ".obsidian").mkdir()
    (made["around"] / "deep" / "er").mkdir(parents=True)
    return made


class TestChoice:
    def test_goes_from_flag_to_fallback(
        self,
        choose: Callable[..., Path],
        folders: dict[str, Path],
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        monkeypatch.setenv("QUIRE_FALLBACK_VAULT", str(folders["fallback"]))
        assert choose() == folders["fallback"]
        monkeypatch.chdir(folders["around"] / "deep" / "er")
        assert choose() == folders["around"]
        (tmp_path / "config.toml").write_text(f'vault = "{folders["file"]}"\n')
        assert choose() == folders["file"]
        monkeypatch.setenv("QUIRE_VAULT", str(folders["variable"]))
        assert choose() == folders["variable"]
        assert choose(group=folders["flag"]) == folders["flag"]
        assert choose(vault=folders["flag"], group=folders["file"]) == folders["flag"]

    def test_the_fallback_is_said(
        self,
        choose: Callable[..., Path],
        folders: dict[str, Path],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setenv("QUIRE_FALLBACK_VAULT", str(folders["fallback"]))
        choose()
        said = capsys.readouterr()
        assert str(folders["fallback"]) in said.err
        assert "--vault" in said.err
        assert said.out == ""

    def test_the_innermost_vault_encloses(self, tmp_path: Path) -> None:
        (tmp_path / "outer" / ".obsidian").mkdir(parents=True)
        (tmp_path / "outer" / "inner" / ".obsidian").mkdir(parents=True)
        assert enclosing_vault(tmp_path / "outer" / "inner") == tmp_path / "outer" / "inner"
        assert enclosing_vault(tmp_path / "outer") == tmp_path / "outer"


class TestFreshen:
    def test_a_question_does_not_wait_for_another_process_that_embeds(
        self, quire: Quire, own_vault: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Embedding, "_look_on", lambda *_: pytest.fail("it is waited for"))
        folder = locations.index_dir(own_vault)
        locations.private_dir(folder)
        with filelock.FileLock(folder / "embedding.lock"):
            outcome = quire("search", "prune roses", "--vault", str(own_vault))
        assert outcome.code == 5
        assert "Garden/Roses.md" in outcome.out
        assert "incomplete" in outcome.err


class TestNoVault:
    @pytest.mark.parametrize("arguments", [["search", "x"], ["ask", "x"], ["index"], ["status"], ["watch"]])
    def test_says_what_to_do(self, quire: Quire, arguments: list[str]) -> None:
        outcome = quire(*arguments)
        assert outcome.code == 2
        assert outcome.err.count("\n") == 1
        assert "--vault" in outcome.err
        assert "QUIRE_VAULT" in outcome.err

    def test_a_missing_folder_is_named(self, quire: Quire, tmp_path: Path) -> None:
        outcome = quire("search", "x", "--vault", str(tmp_path / "gone"))
        assert outcome.code == 2
        assert "gone does not exist" in outcome.err

    def test_a_file_is_no_vault(self, quire: Quire, tmp_path: Path) -> None:
        (tmp_path / "note.md").write_text("x")
        outcome = quire("status", "--vault", str(tmp_path / "note.md"))
        assert outcome.code == 2
        assert "is not a folder" in outcome.err

    @pytest.mark.parametrize(
        "arguments", [["search", "--vault", ""], ["index", ""], ["--vault", "", "status"]]
    )
    def test_an_empty_name_does_not_mean_this_folder(self, quire: Quire, arguments: list[str]) -> None:
        outcome = quire(*arguments)
        assert outcome.code == 2
        assert "empty" in outcome.err

    def test_an_empty_variable_does_not_mean_this_folder(
        self, quire: Quire, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("QUIRE_VAULT", "")
        outcome = quire("status")
        assert outcome.code == 2
        assert "QUIRE_VAULT is empty" in outcome.err


class TestSettings:
    @pytest.mark.parametrize("text", ["vault = ", "colour = true", "[retrieval]\ncandidates = 1"])
    def test_a_file_that_cannot_be_used_is_one_line(self, quire: Quire, tmp_path: Path, text: str) -> None:
        (tmp_path / "config.toml").write_text(text)
        outcome = quire("search", "x", "--vault", str(tmp_path))
        assert outcome.code == 2
        assert "config.toml" in outcome.err
        assert outcome.err.count("\n") == 1

    def test_a_file_that_is_no_text_is_one_line(self, quire: Quire, tmp_path: Path) -> None:
        (tmp_path / "config.toml").write_bytes(b"\xff\xfe\x00")
        outcome = quire("search", "x", "--vault", str(tmp_path))
        assert outcome.code == 2
        assert "config.toml" in outcome.err
        assert outcome.err.count("\n") == 1
