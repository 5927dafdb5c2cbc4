"""One line for every failure, and its exit code."""

from __future__ import annotations

import io

import click
import pytest

from quire.cli.diagnostics import Diagnostics, ExitCode, explain, worst
from quire_engine import errors


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def quire_errors() -> list[type[errors.QuireError]]:
    found, waiting = [], [errors.QuireError]
    while waiting:
        kind = waiting.pop()
        found.append(kind)
        waiting += kind.__subclasses__()
    return found


class TestExplain:
    @pytest.mark.parametrize("kind", quire_errors())
    def test_every_error_of_quire_is_its_own_line(self, kind: type[errors.QuireError]) -> None:
        line, code = explain(kind("the index is damaged;\nrun this"))
        assert line == "the index is damaged; run this"
        assert code is (ExitCode.USAGE if kind is errors.ConfigError else ExitCode.FAILED)

    def test_wrong_usage(self) -> None:
        assert explain(click.UsageError("no such option: --x")) == ("no such option: --x", ExitCode.USAGE)

    def test_an_interrupt_needs_no_words(self) -> None:
        assert explain(KeyboardInterrupt()) == ("", ExitCode.INTERRUPTED)
        assert explain(click.Abort()) == ("", ExitCode.INTERRUPTED)

    def test_the_unexpected_names_itself_and_the_way_to_more(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("QUIRE_DEBUG", raising=False)
        line, code = explain(ValueError("bad\nthing"))
        assert line == "unexpected ValueError: bad thing; set QUIRE_DEBUG=1 to see where"
        assert code is ExitCode.FAILED


class TestReport:
    def test_is_one_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("QUIRE_DEBUG", raising=False)
        stream = io.StringIO()
        assert Diagnostics(stream=stream).report(RuntimeError("boom")) is ExitCode.FAILED
        assert stream.getvalue().count("\n") == 1

    def test_shows_the_traceback_when_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("QUIRE_DEBUG", "1")
        stream = io.StringIO()
        try:
            raise RuntimeError("boom")
        except RuntimeError as error:
            Diagnostics(stream=stream).report(error)
        assert "test_diagnostics.py" in stream.getvalue()

    def test_a_message_cannot_command_the_terminal(self) -> None:
        stream = io.StringIO()
        Diagnostics(stream=stream).error("cannot read \x1b]0;owned\x07.md")
        assert "\x1b" not in stream.getvalue()
        assert "\x07" not in stream.getvalue()

    def test_a_closed_stderr_ends_nothing(self) -> None:
        stream = io.StringIO()
        diagnostics = Diagnostics(stream=stream)
        stream.close()
        diagnostics.warning("nobody hears this")


class TestTransient:
    def test_is_gone_before_the_next_line(self) -> None:
        stream = Terminal()
        diagnostics = Diagnostics(colour=False, stream=stream)
        diagnostics.transient("embedding 3/9")
        diagnostics.note("done")
        assert stream.getvalue().endswith("\r\x1b[2Kdone\n")

    def test_is_not_written_to_a_file(self) -> None:
        stream = io.StringIO()
        Diagnostics(stream=stream).transient("embedding 3/9")
        assert stream.getvalue() == ""


class TestWorst:
    def test_nothing_is_done(self) -> None:
        assert worst([]) is ExitCode.DONE

    def test_follows_the_documented_order(self) -> None:
        order = [130, 2, 1, 5, 3, 4, 0]
        for position, code in enumerate(order):
            assert worst(map(ExitCode, order[position:])) == code
