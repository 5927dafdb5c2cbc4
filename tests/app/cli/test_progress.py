"""Progress on stderr."""

from __future__ import annotations

import io

import pytest

from quire.cli.diagnostics import Diagnostics
from quire.cli.progress import Progress, bar
from quire_engine.records import SyncProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class TestSync:
    def test_shows_counts_rate_and_time_left_on_a_terminal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLUMNS", "100")
        stream = Terminal()
        with Progress(Diagnostics(stream=stream)) as progress:
            progress.sync(SyncProgress("embed", 50, 200, rate=40.0, seconds_left=3.75))
        shown = stream.getvalue()
        assert "embedding" in shown
        assert "25 %" in shown
        assert "50/200" in shown
        assert "40 chunks/s" in shown
        assert "0:04 left" in shown

    def test_leaves_no_line_behind(self) -> None:
        stream = Terminal()
        with Progress(Diagnostics(stream=stream)) as progress:
            progress.sync(SyncProgress("scan", 5, 0))
        assert stream.getvalue().endswith("\r\x1b[2K")
        assert "\n" not in stream.getvalue()

    def test_writes_a_line_for_every_tenth_elsewhere(self) -> None:
        stream = io.StringIO()
        with Progress(Diagnostics(stream=stream), log_delay=0) as progress:
            for done in range(1001):
                progress.sync(SyncProgress("index", done, 1000))
        lines = stream.getvalue().splitlines()
        assert len(lines) == 10
        assert lines[0] == "reading notes: 10 %  100/1,000"
        assert "\x1b" not in stream.getvalue()

    def test_says_nothing_before_its_delay(self) -> None:
        stream = Terminal()
        with Progress(Diagnostics(stream=stream), delay=3600) as progress:
            progress.sync(SyncProgress("index", 5, 10))
        assert stream.getvalue() == ""

    @pytest.mark.parametrize("stage", ["scan", "index", "keywords", "model", "embed"])
    def test_knows_every_stage_even_without_a_total(self, stage: str) -> None:
        stream = Terminal()
        with Progress(Diagnostics(stream=stream)) as progress:
            progress.sync(SyncProgress(stage, 0, 0))  # type: ignore[arg-type]
        assert stream.getvalue() != ""

    def test_what_is_quickly_done_leaves_no_word_in_a_log(self) -> None:
        stream = io.StringIO()
        with Progress(Diagnostics(stream=stream), log_delay=3600) as progress:
            progress.sync(SyncProgress("index", 10, 10))
        assert stream.getvalue() == ""


class TestTransfer:
    def test_shows_bytes(self) -> None:
        stream = io.StringIO()
        with Progress(Diagnostics(stream=stream), log_delay=0) as progress:
            progress.transfer("model", 500_000_000, 1_000_000_000)
        assert "model: 50 %  500.0 MB of 1.0 GB" in stream.getvalue()


class TestBar:
    def test_never_overflows(self) -> None:
        assert len(bar(0, 0)) == len(bar(5, 10)) == len(bar(20, 10))
