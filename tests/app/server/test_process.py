"""The background engine's process: it comes when it is needed, is one, and goes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import quire
import quire_engine
from quire.client import Unavailable

from ..conftest import Quire
from .conftest import Background, eventually

QUESTION = "when to prune roses"


def hang(background: Background, monkeypatch: pytest.MonkeyPatch) -> int:
    """Start an engine and let it stand still; clients lose patience soon. Returns its process id."""
    background.run("search", QUESTION)
    pid = background.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    monkeypatch.setattr("quire.client._REPLY", 0.5)
    return pid


def without_its_own(document: Any) -> Any:
    """What two answers to one question have in common."""
    return {name: value for name, value in document.items() if name not in ("timings", "conversation")}


class TestStart:
    def test_the_first_question_starts_it_and_the_next_ones_find_it(self, background: Background) -> None:
        assert background.pid is None
        first = background.run("search", QUESTION)
        pid = background.pid
        assert (first.returncode, first.stderr) == (0, "")
        assert pid is not None
        assert background.run("search", QUESTION).stdout == first.stdout
        assert background.run("ask", QUESTION).returncode == 0
        assert background.pid == pid

    def test_clients_that_start_at_once_share_one(self, background: Background) -> None:
        clients = [background.popen("search", QUESTION) for _ in range(4)]
        outcomes = [client.communicate(timeout=120) for client in clients]
        assert [client.returncode for client in clients] == [0] * 4
        assert len(set(outcomes)) == 1
        assert background.log.count("starts as process") == 1

    def test_no_daemon_does_without(self, background: Background) -> None:
        assert background.run("search", QUESTION, "--no-daemon").returncode == 0
        assert background.run("search", QUESTION, QUIRE_NO_DAEMON="1").returncode == 0
        assert background.pid is None

    def test_other_places_have_another_engine(self, background: Background, tmp_path: Path) -> None:
        background.run("search", QUESTION)
        other = Background(
            {**background.environment, "QUIRE_DATA_DIR": str(tmp_path / "b")}, background.vault
        )
        try:
            assert other.run("search", QUESTION).returncode == 0
            assert None not in (background.pid, other.pid)
            assert background.pid != other.pid
        finally:
            other.client.stop()

    def test_it_stands_nowhere_and_holds_no_terminal(self, running: Background) -> None:
        process = Path("/proc", str(running.pid))
        if not process.exists():
            pytest.skip("needs /proc")
        assert (process / "cwd").readlink() == Path("/")
        assert {(process / "fd" / str(n)).readlink() for n in (0, 1, 2)} == {Path("/dev/null")}
        assert os.getsid(running.pid or 0) != os.getsid(0)


class TestRecovery:
    def test_a_killed_engine_is_not_noticed(self, background: Background) -> None:
        background.run("search", QUESTION)
        pid = background.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        again = background.run("search", QUESTION)
        assert (again.returncode, again.stderr) == (0, "")
        assert background.pid not in (None, pid)

    @pytest.mark.parametrize(
        ("command", "said"),
        [(["search"], b""), (["ask", "--json"], b'HTTP/1.1 200 OK\r\n\r\n{"type": "hits", "hits": []}\n')],
    )
    def test_one_that_dies_while_it_answers_is_started_again(
        self, background: Background, command: list[str], said: bytes
    ) -> None:
        """A socket that accepts a question and closes: what a client sees of an engine that crashes."""
        background.client.address.claim()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(background.client.address.socket))
            listener.listen()
            client = background.popen(*command, QUESTION)
            connection, _ = listener.accept()
            connection.recv(2**20)
            connection.sendall(said)
            background.client.address.socket.unlink()
            connection.close()
            out, err = client.communicate(timeout=120)
        assert (client.returncode, err) == (0, "")
        assert "Garden/Roses.md" in out

    def test_one_that_hangs_is_replaced(
        self, background: Background, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pid = hang(background, monkeypatch)
        monkeypatch.setattr("quire.client._SILENCE", 0.5)
        question = {"text": QUESTION, "vault": str(background.vault)}
        events = list(background.client.stream("/v1/search", question))
        assert "does not answer" in events[0]["text"]
        assert events[-1]["hits"][0]["path"] == "Garden/Roses.md"
        assert background.pid not in (None, pid)

    def test_one_that_lost_its_socket_is_replaced_or_leaves(
        self, background: Background, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pid = hang(background, monkeypatch)  # so that it does not notice by itself
        background.client.address.socket.unlink()
        assert f"process {pid}" in background.run("engine", "status").stderr
        again = background.run("search", QUESTION)
        assert (again.returncode, again.stderr) == (0, "")
        assert background.pid not in (None, pid)
        background.client.address.socket.unlink()
        eventually(lambda: background.pid is None, "leaving")
        assert "is gone or another's" in background.log

    def test_a_socket_that_was_left_behind_is_taken_over(self, background: Background) -> None:
        background.client.address.claim()
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(background.client.address.socket))
        assert background.run("search", QUESTION).returncode == 0
        assert background.pid is not None

    def test_another_build_takes_its_place(self, background: Background, tmp_path: Path) -> None:
        background.run("search", QUESTION)
        old = background.json("engine", "status")
        for package in (quire, quire_engine):
            source = Path(package.__file__).parent
            shutil.copytree(source, tmp_path / "newer" / source.name, ignore=lambda *_: {"__pycache__"})
        path = os.pathsep.join([str(tmp_path / "newer"), background.environment["PYTHONPATH"]])
        newer = Background({**background.environment, "PYTHONPATH": path}, background.vault)
        answer = newer.run("search", QUESTION)
        assert (answer.returncode, answer.stderr) == (0, "")
        new = newer.json("engine", "status")
        assert new["pid"] != old["pid"]
        assert new["build"] != old["build"]
        deadline = time.monotonic() + 30
        while Path("/proc", str(old["pid"])).exists():  # it frees its place first, and its memory then
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def test_what_cannot_be_started_is_done_without(self, background: Background, tmp_path: Path) -> None:
        folder = tmp_path / ("long" * 30)
        outcome = background.run("search", QUESTION, QUIRE_RUNTIME_DIR=str(folder))
        assert outcome.returncode == 0
        assert "Garden/Roses.md" in outcome.stdout
        assert outcome.stderr.count("\n") == 1
        assert "without the background engine" in outcome.stderr
        assert "QUIRE_RUNTIME_DIR" in outcome.stderr

    @pytest.mark.parametrize("name", ["starting", "lock", "socket"])
    def test_a_folder_in_the_place_of_a_file_is_one_line(self, background: Background, name: str) -> None:
        background.client.address.claim()
        place = getattr(background.client.address, name)
        place.mkdir()
        outcome = background.run("search", QUESTION)
        assert outcome.returncode == 0
        assert "Garden/Roses.md" in outcome.stdout
        assert outcome.stderr.count("\n") == 1
        assert str(place) in outcome.stderr

    def test_one_with_too_many_connections_is_busy(self, background: Background) -> None:
        background.client.start()
        pid = background.pid
        with ExitStack() as crowd:
            for _ in range(200):
                crowd.enter_context(socket.socket(socket.AF_UNIX)).connect(
                    str(background.client.address.socket)
                )
            outcome = background.run("search", QUESTION)
            assert (outcome.returncode, outcome.stdout) == (1, "")
            assert "too many questions" in outcome.stderr
            assert outcome.stderr.count("\n") == 1
            assert "too many questions" in background.run("engine", "status").stderr
            assert background.pid == pid
            assert background.client.stop() == pid
        assert background.log.rstrip().endswith("left")


class TestEnd:
    def test_it_leaves_when_nothing_is_asked(self, background: Background) -> None:
        background.environment["QUIRE_ENGINE__IDLE_MINUTES"] = "0.01"
        assert background.run("search", QUESTION).returncode == 0
        eventually(lambda: background.pid is None, "leaving")
        assert "nothing was asked" in background.log
        assert not background.client.address.socket.exists()
        assert background.run("search", QUESTION).returncode == 0

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_signal_ends_it_in_order(self, background: Background, number: signal.Signals) -> None:
        background.run("search", QUESTION)
        os.kill(background.pid or 0, number)
        eventually(lambda: background.pid is None, "leaving")
        assert not background.client.address.socket.exists()
        assert background.log.rstrip().endswith("left")
        assert "ERROR" not in background.log
        assert "WARNING" not in background.log

    def test_stop_ends_it_and_restart_brings_another(self, background: Background) -> None:
        background.run("search", QUESTION)
        pid = background.pid
        assert background.run("engine", "stop").stdout == f"stopped process {pid}\n"
        assert background.pid is None
        assert background.run("engine", "stop").stdout == "not running\n"
        assert background.run("engine", "restart").stdout == f"started process {background.pid}\n"
        first = background.pid
        background.run("engine", "restart")
        assert background.pid not in (None, first)

    def test_one_that_hangs_is_ended_by_force(
        self, background: Background, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pid = hang(background, monkeypatch)
        with pytest.raises(Unavailable, match="restart"):
            background.client.status()
        assert background.client.stop() == pid
        assert background.pid is None


class TestAccess:
    def test_nobody_else_can_reach_in(self, running: Background) -> None:
        running.run("search", QUESTION)
        address = running.client.address
        assert stat.S_IMODE(address.folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(address.socket.stat().st_mode) == 0o600
        (log,) = Path(running.environment["QUIRE_DATA_DIR"], "logs").iterdir()
        assert stat.S_IMODE(log.stat().st_mode) == 0o600

    @pytest.mark.parametrize("kind", ["open", "link", "file"])
    def test_a_folder_that_is_not_safe_is_not_used(
        self, background: Background, tmp_path: Path, kind: str
    ) -> None:
        folder = Path(background.environment["QUIRE_RUNTIME_DIR"])
        if kind == "open":
            folder.mkdir()
            folder.chmod(0o755)
        elif kind == "link":
            (tmp_path / "elsewhere").mkdir(mode=0o700)
            folder.symlink_to(tmp_path / "elsewhere")
        else:
            folder.write_text("")
        outcome = background.run("search", QUESTION)
        assert outcome.returncode == 0
        assert outcome.stderr.count("\n") == 1
        assert str(folder) in outcome.stderr
        assert background.pid is None


class TestCommands:
    def test_without_a_command_it_is_explained(self, quire: Quire) -> None:
        outcome = quire("engine")
        assert (outcome.code, outcome.err) == (0, "")
        assert outcome.out == quire("engine", "--help").out

    def test_status_creates_nothing(
        self, quire: Quire, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        before = sorted(tmp_path.rglob("*"))
        monkeypatch.setenv("QUIRE_RUNTIME_DIR", "/tmp/quire-none/run")
        assert quire("engine", "status").code == 0
        assert not Path("/tmp/quire-none").exists()
        monkeypatch.setenv("QUIRE_RUNTIME_DIR", "run")
        outcome = quire("engine", "status")
        assert (outcome.code, outcome.err.count("\n")) == (1, 1)
        assert "absolute" in outcome.err
        assert sorted(tmp_path.rglob("*")) == before

    def test_status_tells_what_it_does(self, background: Background) -> None:
        assert background.json("engine", "status") == {"schema": "quire.engine/1", "running": False}
        assert "not running" in background.run("engine", "status").stdout
        background.run("search", QUESTION)
        report = background.json("engine", "status")
        assert report["schema"] == "quire.engine/1"
        assert report["running"] is True
        assert report["pid"] == background.pid
        assert report["version"] == quire_engine.__version__
        assert report["memory_bytes"] > 10_000_000
        assert report["uptime_seconds"] > 0
        assert report["socket"] == str(background.client.address.socket)
        (vault,) = report["vaults"]
        assert vault["vault"] == str(background.vault)
        assert vault["notes"] == 5
        assert vault["problem"] is None
        shown = background.run("engine", "status").stdout
        assert f"process {background.pid}" in shown
        assert str(background.vault) in shown

    def test_logs_say_what_happened_but_not_what_was_asked(self, background: Background) -> None:
        missing = background.run("engine", "logs")
        assert missing.returncode == 1
        assert missing.stderr.count("\n") == 1
        background.run("search", QUESTION)
        log = background.run("engine", "logs")
        assert log.returncode == 0
        assert "starts as process" in log.stdout
        assert "search in" in log.stdout
        assert "prune" not in log.stdout
        last = background.run("engine", "logs", "-n", "1")
        assert last.stdout == log.stdout.splitlines(keepends=True)[-1]

    def test_logs_can_be_followed(self, background: Background) -> None:
        background.run("engine", "restart")
        follower = background.popen("engine", "logs", "--follow")
        assert follower.stdout is not None
        assert "starts as process" in follower.stdout.readline()
        background.run("search", QUESTION)
        line = ""
        while "search in" not in line:
            line = follower.stdout.readline()
        follower.send_signal(signal.SIGINT)
        follower.communicate(timeout=60)
        assert follower.returncode == 130


class TestClient:
    def test_imports_nothing_but_the_standard_library(self, environment: dict[str, str]) -> None:
        code = (
            "import sys\n"
            "before = set(sys.modules)\n"
            "import quire.client\n"
            "print(*{name.partition('.')[0] for name in set(sys.modules) - before})\n"
        )
        finished = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
        )
        assert set(finished.stdout.split()) - set(sys.stdlib_module_names) == {"quire"}

    def test_a_search_through_the_engine_loads_nothing_heavy(self, running: Background) -> None:
        code = (
            "import sys\n"
            "from quire.cli.main import main\n"
            f"main(['search', {QUESTION!r}])\n"
            "print(*sys.modules, file=sys.stderr)\n"
        )
        finished = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True, text=True, env=running.environment, check=True,
        )  # fmt: skip
        loaded = set(finished.stderr.split())
        heavy = {"pydantic", "numpy", "quire_engine.settings", "quire_engine.records", "quire_engine.engine"}
        assert not loaded & (heavy | {"rich", "starlette", "uvicorn", "openvino", "apsw", "http.client"})
        assert "Garden/Roses.md" in finished.stdout


def test_documents_are_the_same_with_and_without_it(running: Background) -> None:
    running.run("search", QUESTION)
    for kind in ("search", "ask"):
        through = running.json(kind, QUESTION)
        within = running.json(kind, QUESTION, "--no-daemon")
        assert without_its_own(through) == without_its_own(within)
        assert list(through) == list(within)
        lines = [
            [json.loads(line) for line in running.run(kind, QUESTION, "--jsonl", *flags).stdout.splitlines()]
            for flags in ((), ("--no-daemon",))
        ]
        assert list(map(without_its_own, lines[0])) == list(map(without_its_own, lines[1]))
