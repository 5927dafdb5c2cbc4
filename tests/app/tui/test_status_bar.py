"""What the interface says about the index, and what it does when the index is not free."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot

from quire.tui.app import QuireApp, run
from quire.tui.messages import AnswerProgressed, SyncProgressed
from quire.tui.widgets.answer_markdown import AnswerMarkdown
from quire.tui.widgets.status_bar import progress_words
from quire_engine import Engine, Settings, locations
from quire_engine.errors import QuireError, VaultError
from quire_engine.index.lock import write_lock
from quire_engine.records import SyncProgress

Ask = Callable[[Pilot[None], str], Awaitable[None]]
Settle = Callable[[Pilot[None]], Awaitable[None]]
Read = Callable[[App[None]], str]


class TestProgressWords:
    @pytest.mark.parametrize(
        ("progress", "words"),
        [
            (SyncProgress("scan", 0, 0), "looking for changes"),
            (SyncProgress("index", 12, 1234), "reading notes 12/1,234"),
            (
                SyncProgress("embed", 120, 310, 61.4, 3.1),
                "embedding 120/310 · 61 passages/s · 0:03 left",
            ),
            (
                SyncProgress("embed", 1, 10**6, 10.0, 99_999.0),
                "embedding 1/1,000,000 · 10 passages/s · 27 h 46 left",
            ),
            (SyncProgress("model", 0, 0), "loading the model"),
        ],
    )
    def test_stage_count_rate_and_time_left(self, progress: SyncProgress, words: str) -> None:
        assert progress_words(progress) == words

    def test_bar_shows_the_share(self) -> None:
        assert "━━━━━━╌╌╌╌╌╌" in progress_words(SyncProgress("embed", 5, 10), bar=True)


class TestMessages:
    def test_later_progress_replaces_earlier(self) -> None:
        one = SyncProgressed(SyncProgress("embed", 1, 10))
        assert one.can_replace(SyncProgressed(SyncProgress("embed", 2, 10)))
        assert not one.can_replace(AnswerProgressed(1, "Searching"))

    def test_answers_to_different_questions_are_kept_apart(self) -> None:
        assert AnswerProgressed(1, "a").can_replace(AnswerProgressed(1, "b"))
        assert not AnswerProgressed(1, "a").can_replace(AnswerProgressed(2, "b"))


class SlowSync:
    """A real engine whose sync waits at its first report until it may go on."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.go_on = threading.Event()
        self.finished = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def sync(self, progress: Callable[[SyncProgress], None]) -> None:
        progress(SyncProgress("embed", 3, 9, 2.0, 3.0))
        self.go_on.wait(30)
        progress(SyncProgress("embed", 4, 9, 2.0, 2.5))
        self._engine.sync(progress)
        self.finished = True


@pytest.fixture
def slow(garden: QuireApp) -> tuple[QuireApp, SlowSync]:
    engine = SlowSync(garden.engine)
    garden.engine = engine  # type: ignore[assignment]
    return garden, engine


class TestSync:
    async def test_counts_stand_after_the_sync(
        self, on_vault: Callable[..., QuireApp], settle: Settle, screen_text: Read
    ) -> None:
        app = on_vault(("A.md", "One note.\n"), ("B.md", "Another note.\n"))
        async with app.run_test() as pilot:
            await settle(pilot)
            status = screen_text(app).splitlines()[-2]
            assert "vault  2 notes · 2 passages" in status

    async def test_progress_stands_while_it_runs_and_questions_are_answered(
        self, slow: tuple[QuireApp, SlowSync], screen_text: Read
    ) -> None:
        app, engine = slow
        async with app.run_test() as pilot:
            app.screen.query_one("#question").value = "When are plum trees pruned?"  # type: ignore[attr-defined]
            await pilot.press("enter")
            for _ in range(3000):
                await pilot.pause(0.01)
                if app.screen.query_one(AnswerMarkdown).source:
                    break
            assert "August" in app.screen.query_one(AnswerMarkdown).source
            assert "embedding 3/9 · 2 passages/s · 0:03 left" in screen_text(app)
            engine.go_on.set()

    async def test_leaving_stops_the_sync(self, slow: tuple[QuireApp, SlowSync]) -> None:
        app, engine = slow
        async with app.run_test() as pilot:
            for _ in range(3000):
                await pilot.pause(0.01)
                if app.progress is not None:
                    break
            await pilot.press("ctrl+q")
            engine.go_on.set()
        for thread in threading.enumerate():
            if thread.name.startswith("asyncio"):
                thread.join(0.5)
        assert not engine.finished

    async def test_busy_index_is_a_note_and_no_hindrance(
        self, garden: QuireApp, ask: Ask, settle: Settle, screen_text: Read, places: Path
    ) -> None:
        with write_lock(locations.index_dir(places / "garden"), 1):
            async with garden.run_test() as pilot:
                await ask(pilot, "When are plum trees pruned?")
                shown = screen_text(garden)
                assert "another process is updating the index" in shown
                assert "August" in shown

    async def test_new_note_is_found_after_an_update(
        self, on_vault: Callable[..., QuireApp], ask: Ask, settle: Settle, screen_text: Read, tmp_path: Path
    ) -> None:
        app = on_vault(("A.md", "The ferry leaves at seven.\n"))
        async with app.run_test() as pilot:
            await settle(pilot)
            (tmp_path / "vault/B.md").write_text("The heron nests in the alder by the weir.\n")
            await pilot.press("f5")
            await settle(pilot)
            await ask(pilot, "Where does the heron nest?")
            assert "B.md:1" in screen_text(app)


class TestRun:
    def test_missing_vault_is_refused_before_the_screen_is_taken(self, places: Path) -> None:
        with pytest.raises(VaultError, match="does not exist"):
            run(places / "nowhere", Settings())

    def test_redirected_stderr_is_refused(
        self, places: Path, shared_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with (tmp_path / "log").open("w") as log:
            monkeypatch.setattr("sys.__stderr__", log)
            with pytest.raises(QuireError, match="do not redirect it"):
                run(places / "garden", Settings())
