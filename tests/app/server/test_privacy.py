"""What the background engine leaves on the disk: for its user alone, and in its log no word of notes."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .conftest import Background, eventually

CANARY = "xylocanary"
"""In every part of the notes here but their names, and in every question."""
FAULTS = f"""
import sys
if sys.orig_argv[-1:] == ["quire.server"]:
    import logging, os, resource, threading, warnings
    import quire_engine.engine as engine
    import quire_engine.indexing.indexer as indexer

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    class Falling:
        def __init__(self, text):
            self.text = text
        def __del__(self):
            raise ValueError(self.text)

    def fall(text):
        raise LookupError(text)

    def fail(self, text, **options):
        logging.getLogger("library").error("cannot read %s", text)
        warnings.warn(text)
        print(text, flush=True)
        os.write(2, text.encode())
        Falling(text)
        thread = threading.Thread(target=fall, args=(text,), name="fallen")
        thread.start()
        thread.join()
        try:
            fall(text)
        except LookupError as error:
            raise ValueError(f"cannot rank {{text}}") from error

    engine.Engine.ask = fail
    indexer.Indexer.find_names = lambda self, interrupted: fall("{CANARY} is no name")
"""


def files_in(*folders: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for folder in folders:
        yield folder, folder.lstat()
        for path in folder.rglob("*"):
            yield path, path.lstat()


@contextmanager
def umask(mask: int) -> Iterator[None]:
    previous = os.umask(mask)
    try:
        yield
    finally:
        os.umask(previous)


class TestModes:
    @pytest.mark.parametrize("mask", [0o000, 0o022], ids=oct)
    def test_everything_is_the_users_alone(self, background: Background, tmp_path: Path, mask: int) -> None:
        places = {name: tmp_path / name.lower() for name in ("QUIRE_CACHE_DIR", "QUIRE_CONFIG")}
        background.environment |= {name: str(place) for name, place in places.items()}
        with umask(mask):
            assert background.run("index", QUIRE_RETRIEVAL__KEYWORDS="tantivy").returncode == 0
            assert background.run("search", "roses").returncode == 0
            assert background.run("ask", "How hot does the kiln get?").returncode == 0
            assert background.run("index").returncode == 0
            assert background.run("models", "use", "extractive").returncode == 0
        assert background.pid is not None
        data, run = (Path(background.environment[f"QUIRE_{name}"]) for name in ("DATA_DIR", "RUNTIME_DIR"))
        found = dict(files_in(data, run, *places.values()))
        kinds = {stat.S_IFMT(status.st_mode) for status in found.values()}
        assert kinds == {stat.S_IFDIR, stat.S_IFREG, stat.S_IFSOCK}
        names = {path.name for path in found}
        assert {"index.sqlite3", "index.sqlite3-wal", "write.lock", "writer.json", "logs"} <= names
        for path, status in found.items():
            if path.parent.name == "compiled" and path.suffix == ".blob":
                continue  # OpenVINO's own idea, and a network that everybody has
            wanted = 0o700 if stat.S_ISDIR(status.st_mode) else 0o600
            assert stat.S_IMODE(status.st_mode) == wanted, path


class TestLog:
    @pytest.fixture
    def failing(self, background: Background, tmp_path: Path) -> Background:
        """An engine that fails wherever it can, and quotes what it failed at."""
        (tmp_path / "faults").mkdir()
        (tmp_path / "faults" / "sitecustomize.py").write_text(FAULTS)
        background.environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path / "faults"), *sys.path])
        notes = {
            "plain.md": f"---\ntags: [{CANARY}]\n---\n# {CANARY}\n\n{CANARY} [[{CANARY}]] #{CANARY}\n",
            "properties.md": f"---\nkey: [{CANARY}\n: {{*{CANARY}\n---\ntext\n",
            "deep.md": f"---\n{CANARY}: {'[' * 5000}\n---\n{'> ' * 3000}{CANARY}\n",
            "board.canvas": f'{{"nodes": [{CANARY}',
            "latin.md": f"{CANARY} caf\xe9\n",
        }
        for name, text in notes.items():
            (background.vault / name).write_text(text, encoding="latin-1")
        (background.vault / "nul.md").write_bytes(b"\0\xff\xfe" + CANARY.encode() + bytes(range(256)))
        return background

    def told(self, background: Background) -> dict[Path, bytes]:
        """What every file but those of the index says."""
        found = files_in(*(Path(background.environment[f"QUIRE_{n}"]) for n in ("DATA_DIR", "RUNTIME_DIR")))
        return {
            path: path.read_bytes()
            for path, status in found
            if stat.S_ISREG(status.st_mode)
            and not path.name.startswith("index.sqlite3")
            and "keywords" not in path.parts
        }

    def fail(self, background: Background) -> None:
        assert background.run("search", CANARY).returncode == 0
        question = f"What is {CANARY} about?"
        answer = background.run("ask", question)
        assert CANARY in answer.stderr, "who asks is told"
        (background.vault / "plain.md").write_text(f"# {CANARY} again\n")
        assert background.run("search", question, "--topic", CANARY).returncode in (0, 3)
        eventually(lambda: "names were not looked for" in background.log, "a failure of the watch")

    def test_holds_no_word_of_notes_or_questions(self, failing: Background) -> None:
        self.fail(failing)
        pid = failing.pid
        assert pid is not None
        log = failing.log
        assert "ValueError" in log
        assert "LookupError" in log
        assert "thread fallen failed" in log
        assert "an error in passing" in log
        assert "library: a message, from" in log
        os.kill(pid, signal.SIGSEGV)
        eventually(lambda: failing.pid is None, "the engine's end")
        assert "Segmentation fault" in failing.log
        told = self.told(failing)
        assert {"writer.json", failing.client.address.lock.name} <= {path.name for path in told}
        assert [path for path, text in told.items() if CANARY.encode() in text.lower()] == []

    def test_with_debug_it_holds_all(self, failing: Background) -> None:
        """What the test above would find, too."""
        failing.environment["QUIRE_DEBUG"] = "1"
        self.fail(failing)
        for said in (
            f"cannot rank What is {CANARY}",
            f"library: cannot read What is {CANARY}",
            "UserWarning",
        ):
            assert said in failing.log

    def test_does_not_grow_without_end(self, background: Background, tmp_path: Path) -> None:
        code = (
            "import logging; from quire.server import logs\n"
            "logs._BYTES = 2000\n"
            "file = logs.begin('key'); logs.take_stdio()\n"
            "for number in range(1000): logging.getLogger('quire.x').info('line %d', number)\n"
        )
        with umask(0):
            subprocess.run([sys.executable, "-c", code], env=background.environment, check=True)
        files = list(Path(background.environment["QUIRE_DATA_DIR"], "logs").iterdir())
        assert len(files) == 4
        assert all(0 < file.stat().st_size <= 2000 for file in files)
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        assert "line 999" in max(files, key=lambda file: file.stat().st_mtime_ns).read_text()


class TestOffline:
    def test_the_engine_has_no_network(self, running: Background) -> None:
        status = Path("/proc", str(running.pid), "status")
        if not status.exists():
            pytest.skip("needs /proc")
        assert "Seccomp:\t2" in status.read_text()
        assert "off the network\n" in running.log

    def test_whoever_asks_offline_has_the_same_vault(self, background: Background) -> None:
        background.run("search", "roses")
        pid = background.pid
        assert background.run("search", "roses", "--offline").returncode == 0
        assert background.run("--offline", "search", "roses").returncode == 0
        report = background.client.status()
        assert report is not None
        assert (report["pid"], len(report["vaults"])) == (pid, 1)
