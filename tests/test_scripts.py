"""The scripts, run for real in a copy of the checkout; only Python and pip are stand-ins, with a record."""

from __future__ import annotations

import ast
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = [*sorted(path for path in (ROOT / "scripts").iterdir() if path.is_file()), ROOT / ".ci" / "run"]

PYTHON = f"""#!{shutil.which("bash")}
# Stands in for a Python and, in the environment that it makes, for pip and the tools that pip installs.
record() {{ printf '%s\\n' "$*" >>"$RECORD"; }}
case "$*" in
    "-m venv --clear "*)
        record "venv"
        rm -rf "$4" && mkdir -p "$4/bin" && cp "$0" "$4/bin/python" && chmod +x "$4/bin/python" ;;
    "-m pip config list"*) ;;
    "-m pip install "*)
        asked="$*"
        record "${{asked#-m pip install --constraint constraints.txt }}"
        trap 'echo "ERROR: Operation cancelled by user" >&2; exit 1' INT
        while [[ -n "${{HANGS:-}}" && "$*" == *"$HANGS" && ! -e "$RECORD.release" ]]; do sleep 0.02; done
        if [[ -n "${{FAILS:-}}" && "$*" == *"$FAILS" ]]; then
            printf 'Looking in indexes\\nERROR: no matching distribution\\n' >&2
            exit 1
        fi
        if [[ "$*" == *--editable* ]]; then
            cat >"${{0%/*}}/quire" <<'END'
#!/bin/sh
printf 'cwd %s\\nmodels %s\\nfallback %s\\n' "$PWD" "$QUIRE_MODELS_DIR" "$QUIRE_FALLBACK_VAULT"
for argument in "$@"; do printf 'argument %s\\n' "$argument"; done
[ "$1" != read ] || cat
exit 4
END
            chmod +x "${{0%/*}}/quire"
        fi ;;
    "-m pytest"*) record "$*" && pwd ;;
    "-P -m bench"*) record "$*" && printf 'cwd %s\npath %s\n' "$PWD" "$PYTHONPATH" ;;
    "-c import venv, ensurepip") [[ -z "${{NO_VENV:-}}" ]] ;;
    "-c import sys; sys.exit(sys.version_info < (3, 11))") [[ -z "${{OLD:-}}" ]] ;;
    "-c "*) ;;
    -V) echo "Python ${{OLD:-3.11.0}}" ;;
    *) echo "unexpected: $*" >&2; exit 9 ;;
esac
"""
BASE = ["venv", "pip", "torch", "--editable .", "llama-cpp-python"]


class Checkout:
    """A copy of what set-up reads, in a folder of its own, and a way to run its scripts."""

    def __init__(self, root: Path, python: Path) -> None:
        self.root = root
        self.record = python.parent / "record"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(python.parent),
            "QUIRE_PYTHON": str(python),
            "RECORD": str(self.record),
        }

    def start(self, command: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.root / command, *arguments],
            env={**self.environment, **environment},
            cwd=self.record.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def run(
        self, command: str, *arguments: str, stdin: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        process = self.start(command, *arguments, **environment)
        output, errors = process.communicate(stdin, timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    def interrupt(self, command: str, *, during: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run ``command`` and press Ctrl-C while pip is at the step ``during``."""
        process = self.start(command, HANGS=during, **environment)
        wait_until(lambda: during in self.installed)
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    @property
    def installed(self) -> list[str]:
        """What the stand-ins were asked for since the last `forget`."""
        return self.record.read_text().splitlines() if self.record.exists() else []

    def forget(self) -> None:
        self.record.unlink(missing_ok=True)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    root = tmp_path / "a check out"
    shutil.copytree(ROOT / "scripts", root / "scripts")
    shutil.copytree(ROOT / ".ci", root / ".ci")
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, root / name)
    python = tmp_path / "bin" / "python-stand-in"
    python.parent.mkdir()
    python.write_text(PYTHON)
    python.chmod(0o755)
    copy = Checkout(root, python)
    yield copy
    Path(f"{copy.record}.release").touch()


class TestFirstSetup:
    def test_installs_torch_before_the_project_and_llama_last(self, checkout: Checkout) -> None:
        result = checkout.run("scripts/setup")
        assert (result.returncode, result.stderr) == (0, "")
        assert checkout.installed == BASE

    def test_numbers_its_steps_and_keeps_pip_to_itself(self, checkout: Checkout) -> None:
        lines = checkout.run("scripts/setup").stdout.splitlines()
        assert [line[:5] for line in lines if line.startswith("[")] == ["[1/4]", "[2/4]", "[3/4]", "[4/4]"]
        assert lines[-1] == "Quire is set up."

    def test_dev_adds_the_tools_between(self, checkout: Checkout) -> None:
        assert checkout.run("scripts/setup", "--dev").returncode == 0
        assert checkout.installed == [*BASE[:-1], "--group dev", BASE[-1]]

    def test_torch_may_come_from_another_index(self, checkout: Checkout) -> None:
        checkout.run("scripts/setup", QUIRE_TORCH_INDEX="https://torch.example/cpu")
        assert "--extra-index-url https://torch.example/cpu torch" in checkout.installed
        assert "--editable ." in checkout.installed

    def test_user_settings_of_python_and_pip_do_not_reach_it(self, checkout: Checkout) -> None:
        python = Path(checkout.environment["QUIRE_PYTHON"])
        python.write_text(PYTHON.replace('record "venv"', 'record "venv $PIP_USER ${PYTHONPATH-unset}"'))
        checkout.run("scripts/setup", PYTHONPATH="/elsewhere", PIP_USER="1")
        assert checkout.installed[0] == "venv 0 unset"


class TestSecondSetup:
    def test_does_nothing_and_says_so(self, checkout: Checkout) -> None:
        checkout.run("scripts/setup")
        checkout.forget()
        result = checkout.run("scripts/setup")
        assert result.stdout == "Quire is set up; see scripts/quire --help\n"
        assert checkout.installed == []

    def test_is_silent_if_it_was_not_needed(self, checkout: Checkout) -> None:
        checkout.run("scripts/setup")
        checkout.forget()
        result = checkout.run("scripts/setup", "--if-needed")
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
        assert checkout.installed == []

    def test_adds_only_the_tools_when_dev_is_new(self, checkout: Checkout) -> None:
        checkout.run("scripts/setup")
        checkout.forget()
        checkout.run("scripts/setup", "--dev", "--if-needed")
        assert checkout.installed == ["--group dev"]

    @pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
    def test_new_requirements_are_installed_into_the_same_environment(
        self, checkout: Checkout, name: str
    ) -> None:
        checkout.run("scripts/setup")
        checkout.forget()
        with (checkout.root / name).open("a") as file:
            file.write("# changed\n")
        checkout.run("scripts/setup", "--if-needed")
        assert checkout.installed == BASE[1:]

    def test_a_moved_checkout_gets_a_new_environment(self, checkout: Checkout) -> None:
        checkout.run("scripts/setup")
        checkout.forget()
        checkout.root = checkout.root.rename(checkout.root.with_name("moved"))
        checkout.run("scripts/setup", "--if-needed")
        assert checkout.installed == BASE

    def test_an_environment_whose_python_is_gone_is_made_anew(self, checkout: Checkout) -> None:
        checkout.run("scripts/setup")
        checkout.forget()
        python = checkout.root / ".venv" / "bin" / "python"
        python.unlink()
        python.symlink_to("/nowhere/python3")
        assert checkout.run("scripts/setup", "--if-needed").returncode == 0
        assert checkout.installed == BASE

    def test_two_at_once_install_once(self, checkout: Checkout) -> None:
        first = checkout.start("scripts/setup", HANGS="torch")
        wait_until(lambda: "torch" in checkout.installed)
        second = checkout.start("scripts/setup", "--if-needed")
        assert second.stdout is not None
        assert second.stdout.readline() == "another set-up is at work here; waiting for it\n"
        Path(f"{checkout.record}.release").touch()
        first.communicate(timeout=60)
        second.communicate(timeout=60)
        assert (first.returncode, second.returncode) == (0, 0)
        assert checkout.installed == BASE


class TestTrouble:
    def test_a_failed_step_shows_what_pip_said_and_stops(self, checkout: Checkout) -> None:
        result = checkout.run("scripts/setup", FAILS="--editable .")
        assert result.returncode == 1
        assert result.stderr.splitlines() == [
            "Looking in indexes",
            "ERROR: no matching distribution",
            "setup: this step failed, for the reason above; put that right and run scripts/setup again",
        ]
        assert "llama-cpp-python" not in checkout.installed

    def test_after_a_failure_the_next_run_goes_on_from_there(self, checkout: Checkout) -> None:
        checkout.run("scripts/setup", FAILS="--editable .")
        checkout.forget()
        assert checkout.run("scripts/setup").returncode == 0
        assert checkout.installed == ["--editable .", "llama-cpp-python"]

    def test_ctrl_c_stops_it_and_the_next_run_goes_on_from_there(self, checkout: Checkout) -> None:
        result = checkout.interrupt("scripts/setup", during="torch")
        assert result.returncode == 130
        assert result.stderr == "setup: interrupted; run it again to go on from here\n"
        checkout.forget()
        assert checkout.run("scripts/setup").returncode == 0
        assert checkout.installed == BASE[2:]

    def test_half_an_environment_is_made_anew(self, checkout: Checkout) -> None:
        (checkout.root / ".venv" / "bin").mkdir(parents=True)
        assert checkout.run("scripts/setup").returncode == 0
        assert checkout.installed == BASE

    def test_without_python_it_says_what_to_install(self, checkout: Checkout) -> None:
        tools = checkout.record.parent / "tools"
        tools.mkdir()
        for tool in ("bash", "env", "readlink", "sleep", "mkdir", "mv", "flock"):
            if found := shutil.which(tool):
                (tools / tool).symlink_to(found)
        result = checkout.run("scripts/setup", PATH=str(tools), QUIRE_PYTHON="")
        assert result.returncode == 1
        assert result.stdout == ""
        assert result.stderr == (
            "setup: Python 3.11 or newer is needed and none was found; install it (Debian, Ubuntu: "
            "apt install python3 python3-venv), or name one in QUIRE_PYTHON\n"
        )

    def test_a_python_that_does_not_run_is_named(self, checkout: Checkout) -> None:
        result = checkout.run("scripts/setup", QUIRE_PYTHON="/nowhere/python3")
        assert result.returncode == 1
        assert result.stderr == "setup: QUIRE_PYTHON is /nowhere/python3, and that does not run\n"

    def test_an_old_python_is_refused_with_its_version(self, checkout: Checkout) -> None:
        result = checkout.run("scripts/setup", OLD="3.9.18")
        assert result.returncode == 1
        assert "3.11 or newer is needed" in result.stderr
        assert "is Python 3.9.18" in result.stderr
        assert result.stderr.count("\n") == 1

    def test_a_python_without_venv_names_the_package(self, checkout: Checkout) -> None:
        result = checkout.run("scripts/setup", NO_VENV="1")
        assert result.returncode == 1
        assert "apt install python3-venv" in result.stderr
        assert result.stderr.count("\n") == 1

    def test_an_unknown_option_is_an_error(self, checkout: Checkout) -> None:
        result = checkout.run("scripts/setup", "--devel")
        assert result.returncode == 1
        assert result.stderr == "setup: there is no option --devel; see scripts/setup --help\n"
        assert checkout.installed == []

    def test_help_lists_every_option_and_variable(self, checkout: Checkout) -> None:
        text = checkout.run("scripts/setup", "--help").stdout
        for word in ("--dev", "--if-needed", "QUIRE_PYTHON", "QUIRE_TORCH_INDEX", "QUIRE_LLAMA"):
            assert word in text
        assert "pipefail" not in text


class TestLlama:
    def test_a_failed_compilation_is_one_line_and_no_failure(self, checkout: Checkout) -> None:
        result = checkout.run("scripts/setup", FAILS="llama-cpp-python")
        assert (result.returncode, result.stderr) == (0, "")
        about = [line for line in result.stdout.splitlines() if "could not be compiled" in line]
        assert len(about) == 1
        assert "extractive" in about[0]
        log = checkout.root / ".venv" / "setup" / "llama.log"
        assert str(log) in about[0]
        assert "no matching distribution" in log.read_text()

    def test_a_failed_compilation_is_not_repeated_at_each_start(self, checkout: Checkout) -> None:
        checkout.run("scripts/setup", FAILS="llama-cpp-python")
        checkout.forget()
        checkout.run("scripts/setup", "--if-needed")
        assert checkout.installed == []

    def test_setup_by_hand_tries_again(self, checkout: Checkout) -> None:
        checkout.run("scripts/setup", FAILS="llama-cpp-python")
        checkout.forget()
        checkout.run("scripts/setup")
        assert checkout.installed == ["llama-cpp-python"]
        checkout.forget()
        checkout.run("scripts/setup")
        assert checkout.installed == []

    def test_it_can_be_left_out_until_setup_is_run_by_hand(self, checkout: Checkout) -> None:
        result = checkout.run("scripts/setup", QUIRE_LLAMA="skip")
        assert "answers are extractive" in result.stdout
        assert checkout.installed == BASE[:-1]
        checkout.run("scripts/setup", "--if-needed")
        assert checkout.installed == BASE[:-1]
        checkout.run("scripts/setup")
        assert checkout.installed == BASE

    @pytest.mark.parametrize("reason", [{"QUIRE_LLAMA": "skip"}, {"FAILS": "llama-cpp-python"}], ids=str)
    def test_the_tests_want_it_although_it_was_left_out(
        self, checkout: Checkout, reason: dict[str, str]
    ) -> None:
        checkout.run("scripts/setup", **reason)
        checkout.forget()
        checkout.run("scripts/setup", "--dev", "--if-needed")
        assert checkout.installed == ["--group dev", "llama-cpp-python"]

    def test_ctrl_c_leaves_out_this_step_alone(self, checkout: Checkout) -> None:
        result = checkout.interrupt("scripts/setup", during="llama-cpp-python")
        assert result.returncode == 0
        assert "answers are extractive" in result.stdout
        checkout.forget()
        checkout.run("scripts/setup", "--if-needed")
        assert checkout.installed == []


class TestQuire:
    def test_sets_up_on_stderr_and_leaves_stdout_to_the_results(self, checkout: Checkout) -> None:
        result = checkout.run("scripts/quire", "ask", "What is a vault?")
        assert "[1/4]" in result.stderr
        assert result.stdout.splitlines() == [
            f"cwd {checkout.record.parent}",
            f"models {checkout.root}/models",
            f"fallback {checkout.root}/vaults/demo",
            "argument ask",
            "argument What is a vault?",
        ]

    def test_adds_nothing_to_stderr_once_it_is_set_up(self, checkout: Checkout) -> None:
        checkout.run("scripts/quire")
        assert checkout.run("scripts/quire").stderr == ""

    def test_exit_code_is_that_of_the_command(self, checkout: Checkout) -> None:
        assert checkout.run("scripts/quire").returncode == 4

    def test_stdin_is_left_to_the_command(self, checkout: Checkout) -> None:
        assert checkout.run("scripts/quire", "read", stdin="one\ntwo\n").stdout.endswith("one\ntwo\n")

    def test_given_places_win(self, checkout: Checkout) -> None:
        result = checkout.run("scripts/quire", QUIRE_MODELS_DIR="/m", QUIRE_FALLBACK_VAULT="/v")
        assert "models /m\nfallback /v\n" in result.stdout

    def test_works_through_a_link(self, checkout: Checkout) -> None:
        link = checkout.record.parent / "quire"
        link.symlink_to(checkout.root / "scripts" / "quire")
        result = checkout.run(str(link))
        assert f"models {checkout.root}/models" in result.stdout

    def test_ctrl_c_while_compiling_goes_on_to_the_answer(self, checkout: Checkout) -> None:
        result = checkout.interrupt("scripts/quire", during="llama-cpp-python")
        assert f"cwd {checkout.record.parent}" in result.stdout

    def test_ctrl_c_before_ends_it(self, checkout: Checkout) -> None:
        result = checkout.interrupt("scripts/quire", during="--editable .")
        assert (result.returncode, result.stdout) == (130, "")


class TestTest:
    def test_sets_up_then_runs_pytest_in_the_checkout(self, checkout: Checkout) -> None:
        result = checkout.run("scripts/test", "-k", "two words")
        assert result.returncode == 0
        assert checkout.installed[-1] == "-m pytest -k two words"
        assert "--group dev" in checkout.installed
        assert result.stdout.endswith(f"{checkout.root}\n")

    def test_ci_does_the_same_without_a_home(self, checkout: Checkout) -> None:
        tools = Path(checkout.environment["QUIRE_PYTHON"]).parent
        for name in (
            "python3",
            "c++",
            "make",
            "cmake",
        ):  # nothing is missing, so no system package is installed
            (tools / name).symlink_to(checkout.environment["QUIRE_PYTHON"])
        result = checkout.run(".ci/run", HOME="/nowhere", PATH=f"{tools}:{os.environ['PATH']}")
        assert result.returncode == 0, result.stderr
        assert checkout.installed[-1] == "-m pytest"


class TestBench:
    def test_sets_up_then_measures_from_where_it_was_called(self, checkout: Checkout) -> None:
        result = checkout.run("scripts/bench", "--json", "two words")
        assert result.returncode == 0
        assert checkout.installed[-1] == "-P -m bench --json two words"
        assert result.stdout == f"cwd {checkout.record.parent}\npath {checkout.root}\n"


class TestCheck:
    @pytest.fixture
    def tools(self, checkout: Checkout) -> Path:
        checkout.run("scripts/setup", "--dev")
        checkout.forget()
        folder = checkout.root / ".venv" / "bin"
        for name in ("ruff", "mypy", "lint-imports"):
            tool = folder / name
            tool.write_text(f'#!/bin/sh\necho "{name} $*" >>"$RECORD"\n[ "$BROKEN" != "{name} $*" ]\n')
            tool.chmod(0o755)
        return folder

    @pytest.mark.usefixtures("tools")
    def test_runs_every_tool_then_the_tests(self, checkout: Checkout) -> None:
        assert checkout.run("scripts/check", "-x").returncode == 0
        checks = [line.strip() for line in checkout.installed]
        assert checks == ["ruff check", "ruff format --check", "mypy", "lint-imports", "-m pytest -x"]

    @pytest.mark.usefixtures("tools")
    @pytest.mark.parametrize("broken", ["ruff check", "ruff format --check", "mypy ", "lint-imports "])
    def test_stops_at_the_first_that_fails(self, checkout: Checkout, broken: str) -> None:
        assert checkout.run("scripts/check", BROKEN=broken).returncode == 1
        assert checkout.installed[-1] == broken


class TestScripts:
    @pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
    def test_can_be_executed(self, script: Path) -> None:
        assert os.access(script, os.X_OK)
        assert script.read_text().startswith("#!/usr/bin/env ")

    @pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
    def test_is_sound(self, script: Path) -> None:
        text = script.read_text()
        if "python" in text.splitlines()[0]:
            ast.parse(text, script.name)
            return
        shellcheck = shutil.which("shellcheck")
        command = [shellcheck] if shellcheck else ["bash", "-n"]
        result = subprocess.run([*command, script], capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
