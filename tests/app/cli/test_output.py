"""What goes to stdout."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

import quire.cli
from quire.cli.output import Output

HOSTILE = "\x1b[31m \x9b2J \x7f \u202eevil \u2028 \ud800"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class TestJson:
    def test_is_one_line_that_means_the_same(self) -> None:
        stream = io.StringIO()
        Output(stream=stream).json({"text": HOSTILE, "word": "Übung 日本"})
        line = stream.getvalue()
        assert line.count("\n") == 1
        assert json.loads(line) == {"text": HOSTILE, "word": "Übung 日本"}
        assert "Übung 日本" in line

    def test_commands_no_terminal(self) -> None:
        stream = Terminal()
        Output(stream=stream).json(HOSTILE)
        assert not set("\x1b\x9b\x7f\u202e\u2028") & set(stream.getvalue())

    def test_is_ascii_where_the_encoding_is_not_utf8(self) -> None:
        raw = io.BytesIO()
        stream = io.TextIOWrapper(raw, encoding="latin-1")
        Output(stream=stream).json({"word": "日本"})
        assert json.loads(raw.getvalue()) == {"word": "日本"}


class TestPieces:
    def test_are_inert(self) -> None:
        stream = Terminal()
        output = Output(colour=False, stream=stream)
        output.piece(HOSTILE)
        output.end()
        assert not set("\x1b\x9b\x7f\u202e") & set(stream.getvalue())

    def test_wrap_on_a_terminal_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLUMNS", "30")
        text = "some words that go on and on " * 4
        for stream, wraps in ((Terminal(), True), (io.StringIO(), False)):
            output = Output(stream=stream)
            output.piece(text)
            output.end()
            assert ("\n" in stream.getvalue().strip()) is wraps

    def test_arrive_when_they_are_written(self) -> None:
        class Counting(io.StringIO):
            flushes = 0

            def flush(self) -> None:
                self.flushes += 1

        stream = Counting()
        output = Output(stream=stream)
        output.piece("one")
        output.piece("two")
        assert stream.flushes == 2


class TestOneWriter:
    @pytest.mark.parametrize(
        ("stream", "owner"), [("sys.stdout", {"output.py", "main.py"}), ("sys.stderr", {"diagnostics.py"})]
    )
    def test_each_stream_has_one(self, stream: str, owner: set[str]) -> None:
        sources = Path(quire.cli.__file__).parent.rglob("*.py")
        users = {source.name for source in sources if stream in source.read_text(encoding="utf-8")}
        assert users <= owner

    def test_nothing_prints_or_echoes(self) -> None:
        for source in Path(quire.cli.__file__).parent.rglob("*.py"):
            text = source.read_text(encoding="utf-8")
            assert "print(" not in text, source
            assert "click.echo" not in text, source
            assert "secho(" not in text, source


class TestNowhereToWrite:
    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
    def test_a_full_disk_is_one_line(self) -> None:
        with Path("/dev/full").open("w") as full:
            finished = subprocess.run(
                [sys.executable, "-m", "quire.cli.main"],
                stdin=subprocess.DEVNULL,
                stdout=full,
                stderr=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                check=False,
            )
        assert finished.returncode == 1
        assert finished.stderr == b"error: cannot write the results: No space left on device\n"

    def test_a_closed_stdout_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdout", None)
        with pytest.raises(click.ClickException, match="stdout is closed"):
            Output()


class TestBrokenPipe:
    def test_a_reader_that_leaves_early_hears_no_complaint(self) -> None:
        code = (
            "import sys\n"
            "from quire.cli import main as entry\n"
            "from quire.cli.output import Output\n"
            "entry.quire.main = lambda **_: [Output().line('x' * 1000) for _ in range(10000)]\n"
            "sys.exit(entry.main([]))\n"
        )
        writer = subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert writer.stdout is not None
        assert writer.stderr is not None
        writer.stdout.readline()
        writer.stdout.close()
        with writer.stderr as complaints:
            assert complaints.read() == b""
        assert writer.wait() == 0
