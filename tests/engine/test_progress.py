from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from quire_engine.progress import Meter, ProgressBoard, posted
from quire_engine.records import SyncProgress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that a test moves."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr("quire_engine.progress.time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


class TestMeter:
    def test_a_stage_begins_at_nothing_done(self, clock: SimpleNamespace) -> None:
        seen: list[SyncProgress] = []
        Meter(seen.append).stage("index", 8)
        assert seen == [SyncProgress("index", 0, 8)]

    def test_tells_the_rate_and_the_time_left(self, clock: SimpleNamespace) -> None:
        seen: list[SyncProgress] = []
        meter = Meter(seen.append)
        meter.stage("embed", 100)
        clock.now += 5
        meter.advance(20)
        assert seen[-1] == SyncProgress("embed", 20, 100, rate=4.0, seconds_left=20.0)
        clock.now += 15
        meter.advance(100)
        assert seen[-1] == SyncProgress("embed", 100, 100, rate=5.0, seconds_left=0.0)

    def test_every_stage_is_timed_on_its_own(self, clock: SimpleNamespace) -> None:
        seen: list[SyncProgress] = []
        meter = Meter(seen.append)
        meter.stage("index", 10)
        clock.now += 1000
        meter.stage("embed", 10)
        clock.now += 1
        meter.advance(5)
        assert seen[-1].rate == 5.0

    def test_without_a_total_no_time_is_promised(self, clock: SimpleNamespace) -> None:
        seen: list[SyncProgress] = []
        meter = Meter(seen.append)
        meter.stage("scan", 0)
        clock.now += 2
        meter.advance(10)
        assert seen[-1] == SyncProgress("scan", 10, 0, rate=5.0, seconds_left=None)

    def test_a_clock_that_stood_still_divides_nothing_by_zero(self, clock: SimpleNamespace) -> None:
        seen: list[SyncProgress] = []
        meter = Meter(seen.append)
        meter.stage("index", 10)
        meter.advance(10)
        assert seen[-1] == SyncProgress("index", 10, 10)

    def test_nobody_needs_to_listen(self) -> None:
        meter = Meter(None)
        meter.stage("index", 1)
        meter.advance(1)

    def test_a_total_that_grows_counts_from_then_on(self, clock: SimpleNamespace) -> None:
        seen: list[SyncProgress] = []
        meter = Meter(seen.append)
        meter.stage("embed", 10)
        clock.now += 5
        meter.total(20)
        meter.advance(10)
        assert seen[-1] == SyncProgress("embed", 10, 20, rate=2.0, seconds_left=5.0)


class TestProgressBoard:
    def test_others_see_it_until_it_is_cleared(self, tmp_path: Path) -> None:
        board = ProgressBoard(tmp_path)
        assert posted(tmp_path) is None
        shown = SyncProgress("embed", 3, 9, 1.5, 4.0)
        board.post(shown)
        assert posted(tmp_path) == shown
        board.clear()
        assert posted(tmp_path) is None
        assert list(tmp_path.iterdir()) == []

    def test_what_a_dead_process_left_is_not_shown(self, tmp_path: Path) -> None:
        script = (
            "import sys; from pathlib import Path\n"
            "from quire_engine.progress import ProgressBoard\n"
            "from quire_engine.records import SyncProgress\n"
            "ProgressBoard(Path(sys.argv[1])).post(SyncProgress('index', 1, 2))"
        )
        subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)
        assert json.loads((tmp_path / "progress.json").read_text())["done"] == 1
        assert posted(tmp_path) is None

    @pytest.mark.parametrize("content", ["", "{}", "[]", '{"pid": 1}', '{"pid": "x", "stage": "scan"}'])
    def test_what_is_no_progress_is_not_shown(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "progress.json").write_text(content)
        assert posted(tmp_path) is None

    def test_a_folder_that_is_gone_is_no_reason_to_fail(self, tmp_path: Path) -> None:
        board = ProgressBoard(tmp_path / "gone")
        board.post(SyncProgress("scan", 0, 0))
        board.clear()
        assert posted(tmp_path / "gone") is None
