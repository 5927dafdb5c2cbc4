"""The entry point: help, laziness, wrong usage."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest

from quire.cli.main import quire as root
from quire_engine import __version__

Quire = Callable[..., Any]
HEAVY = [
    "pydantic", "numpy", "textual", "torch", "spacy", "openvino", "whoosh", "apsw", "huggingface_hub",
    "sentence_transformers", "rich", "transformers", "tokenizers", "llama_cpp",
]  # fmt: skip


def commands(
    group: click.Group = root, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with its path of names, groups included."""
    yield path, group
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


class TestLaziness:
    @pytest.mark.parametrize(
        "arguments", [["--help"], ["--version"], ["search", "--help"], ["ask", "--nonsense"]]
    )
    def test_help_and_wrong_usage_load_nothing_heavy(
        self, environment: dict[str, str], arguments: list[str]
    ) -> None:
        code = (
            "import sys\n"
            "from quire.cli.main import main\n"
            f"main({arguments!r})\n"
            f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
        )
        finished = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
        )
        assert finished.stderr.splitlines()[-1] == "[]"

    def test_help_loads_no_command(self, environment: dict[str, str]) -> None:
        code = (
            "import sys\n"
            "from quire.cli.main import main\n"
            "main(['--help'])\n"
            "print([name for name in sys.modules if name.startswith('quire')], file=sys.stderr)\n"
        )
        finished = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
        )
        assert "quire.cli.search" not in finished.stderr
        assert "quire_engine.engine" not in finished.stderr
        assert "quire.cli.main" in finished.stderr


class TestHelp:
    @pytest.mark.parametrize(("path", "command"), list(commands()))
    def test_every_command_and_option_has_help(self, path: tuple[str, ...], command: click.Command) -> None:
        assert command.help, path
        if path:
            assert command.get_short_help_str(limit=200), path
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, (path, parameter.name)

    def test_the_overview_says_what_the_commands_say(self, quire: Quire) -> None:
        overview = quire("--help").out
        for path, command in commands():
            if len(path) == 1:
                assert f"{path[0]:<15}{command.get_short_help_str(limit=200)}" in overview

    @pytest.mark.parametrize("path", [path for path, _ in commands()])
    def test_every_command_prints_it(self, quire: Quire, path: tuple[str, ...]) -> None:
        outcome = quire(*path, "--help")
        assert outcome.code == 0
        assert outcome.out.startswith("Usage: quire")
        assert outcome.err == ""

    def test_without_a_terminal_quire_alone_prints_it(self, quire_process: Quire) -> None:
        outcome = quire_process()
        assert outcome.code == 0
        assert outcome.out.startswith("Usage: quire")

    def test_on_a_terminal_quire_alone_opens_the_interface(
        self, quire: Quire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        opened = []
        interface = ModuleType("quire.tui.app")
        interface.run = lambda vault, settings: opened.append(vault)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "quire.tui.app", interface)
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
        outcome = quire("--vault", str(tmp_path))
        assert outcome.code == 0
        assert opened == [tmp_path]

    def test_version(self, quire: Quire) -> None:
        assert quire("--version").out == f"quire {__version__}\n"


class TestWrongUsage:
    @pytest.mark.parametrize("path", [path for path, _ in commands()])
    def test_an_unknown_flag_is_an_error(self, quire: Quire, path: tuple[str, ...]) -> None:
        outcome = quire(*path, "--nonsense")
        assert outcome.code == 2
        assert outcome.out == ""
        assert "--nonsense" in outcome.err
        assert outcome.err.count("\n") == 1

    def test_an_unknown_command_is_an_error(self, quire: Quire) -> None:
        outcome = quire("serch")
        assert outcome.code == 2
        assert "serch" in outcome.err

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["search"], "no question"),
            (["search", ""], "the question is empty"),
            (["ask", "  "], "the question is empty"),
            (["search", "x", "--since", "garbage"], "'garbage' is no date"),
            (["search", "x", "--before", "2024-99-99"], "is no date"),
            (["search", "x", "--where", "status"], "property=value"),
            (["search", "x", "-n", "0"], "0"),
            (["search", "x", "--limit", "many"], "many"),
            (["ask", "x", "--batch", "-"], "not both"),
            (["ask", "x", "--json", "--jsonl"], "exclude each other"),
            (["index", "a", "--vault", "b"], "once"),
            (["models", "pull"], "NAME"),
            (["eval"], "DIR"),
        ],
    )
    def test_is_one_line_that_says_what_to_do(self, quire: Quire, arguments: list[str], said: str) -> None:
        outcome = quire(*arguments)
        assert outcome.code == 2
        assert outcome.out == ""
        assert said in outcome.err
        assert outcome.err.count("\n") == 1

    def test_colours_can_be_asked_for_and_refused(self, quire: Quire) -> None:
        assert "\x1b[31m" in quire("search", "--color").err
        assert "\x1b" not in quire("search", "--no-color").err
