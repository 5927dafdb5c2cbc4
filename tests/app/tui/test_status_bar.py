"""What the interface says about the index, and what it does when the index is not free."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot

from quire.tui import background
from quire.tui.app import QuireApp, run
from quire.tui.messages import AnswerProgressed, SyncProgressed
from quire.tui.widgets.answer_markdown import AnswerMarkdown
from quire.tui.widgets.question import QuestionBox
from quire.tui.widgets.status_bar import progress_words
from quire_engine import Engine, Settings, locations
from quire_engine.errors import QuireError, VaultError
from quire_engine.index.lock import write_lock
from quire_engine.records import SyncProgress, SyncReport

Ask = Callable[[Pilot[None], str], Awaitable[None]]
Settle = Callable[[Pilot[None]], Awaitable[None]]
Read = Callable[[App[None]], str]


EMBEDDING = SyncProgress("embed", 1_200, 20_000, 80.4, 245.0)


class TestProgressWords:
    @pytest.mark.parametrize(
        ("progress", "words"),
        [
            (SyncProgress("scan", 0, 0), "looking for changes"),
            (SyncProgress("index", 12, 1234), "reading notes 12/1,234"),
            (SyncProgress("index", 1_200, 6_500, 1300.0, 4.1), "reading notes 1,200/6,500 · 0:04 left"),
            (
                EMBEDDING,
                "all notes searchable · embedding 1,200/20,000 · 80 passages/s · 4:05 left",
            ),
            (
                SyncProgress("embed", 1, 10**6, 10.0, 99_999.0),
                "all notes searchable · embedding 1/1,000,000 · 10 passages/s · 27 h 46 left",
            ),
            (SyncProgress("model", 0, 0), "all notes searchable · loading the model"),
        ],
    )
    def test_stage_count_rate_and_time_left(self, progress: SyncProgress, words: str) -> None:
        assert progress_words(progress, len(words)) == words

    @pytest.mark.parametrize(
        ("room", "words"),
        [
            (72, "all notes searchable · embedding 1,200/20,000 · 4:05 left"),
            (56, "all notes searchable · embedding 6 % · 4:05 left"),
            (47, "embedding 6 % · 4:05 left"),
            (0, "embedding 6 % · 4:05 left"),
        ],
    )
    def test_what_matters_most_stays_when_there_is_little_room(self, room: int, words: str) -> None:
        assert progress_words(EMBEDDING, room) == words

    def test_bar_shows_the_share_when_there_is_room(self) -> None:
        assert "━━━━━━╌╌╌╌╌╌ 5/10" in progress_words(SyncProgress("index", 5, 10), 100)


class TestMessages:
    def test_later_progress_replaces_earlier(self) -> None:
        one = SyncProgressed(SyncProgress("embed", 1, 10))
        assert one.can_replace(SyncProgressed(SyncProgress("embed", 2, 10)))
        assert not one.can_replace(AnswerProgressed(1, "Searching"))

    def test_answers_to_different_questions_are_kept_apart(self) -> None:
        assert AnswerProgressed(1, "a").can_replace(AnswerProgressed(1, "b"))
        assert not AnswerProgressed(1, "a").can_replace(AnswerProgressed(2, "b"))


class PausedEngine:
    """A real engine whose watch pauses at its first report of a stage until it may go on."""

    def __init__(self, engine: Engine, stage: str) -> None:
        self._engine = engine
        self._stage = stage
        self.paused = threading.Event()
        self.go_on = threading.Event()
        self.ended = threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def watch(
        self,
        stop: threading.Event,
        on_sync: Callable[[SyncReport], None],
        progress: Callable[[SyncProgress], None],
        on_trouble: Callable[[QuireError], None],
    ) -> None:
        def report(event: SyncProgress) -> None:
            progress(event)
            if event.stage == self._stage and not self.paused.is_set():
                self.paused.set()
                self.go_on.wait(30)
                progress(event)

        try:
            self._engine.watch(stop, on_sync, report, on_trouble)
        finally:
            self.ended.set()


def paused(app: QuireApp, stage: str) -> PausedEngine:
    """Puts a `PausedEngine` under ``app``."""
    engine = PausedEngine(app.engine, stage)
    app.engine = engine  # type: ignore[assignment]
    return engine


async def until(pilot: Pilot[None], reached: Callable[[], object]) -> None:
    for _ in range(3000):
        if reached():
            return
        await pilot.pause(0.01)
    raise AssertionError("it did not come to that")


class TestWatch:
    async def test_counts_stand_when_all_is_done(
        self, on_vault: Callable[..., QuireApp], screen_text: Read
    ) -> None:
        app = on_vault(("A.md", "One note.\n"), ("B.md", "Another note.\n"))
        async with app.run_test() as pilot:
            await until(pilot, lambda: "vault  2 notes · 2 passages" in screen_text(app).splitlines()[-2])

    async def test_questions_are_answered_while_vectors_are_made(
        self, on_vault: Callable[..., QuireApp], screen_text: Read
    ) -> None:
        app = on_vault(("Ferry.md", "The ferry leaves at seven.\n"))
        engine = paused(app, "embed")
        async with app.run_test() as pilot:
            await until(pilot, engine.paused.is_set)
            app.screen.query_one(QuestionBox).value = "When does the ferry leave?"
            await pilot.press("enter")
            await until(pilot, lambda: "seven" in app.screen.query_one(AnswerMarkdown).source)
            assert "vault  all notes searchable · embedding" in screen_text(app)
            engine.go_on.set()
            await until(pilot, lambda: "1 notes · 1 passages" in screen_text(app))

    async def test_leaving_does_not_wait_for_the_work(self, on_vault: Callable[..., QuireApp]) -> None:
        app = on_vault(("Ferry.md", "The ferry leaves at seven.\n"))
        engine = paused(app, "index")
        async with app.run_test() as pilot:
            await until(pilot, engine.paused.is_set)
            await pilot.press("ctrl+q")
            engine.go_on.set()
        assert engine.ended.wait(30)
        assert engine.status().notes == 0

    async def test_leaving_ends_the_watch(self, on_vault: Callable[..., QuireApp], settle: Settle) -> None:
        app = on_vault(("Ferry.md", "The ferry leaves at seven.\n"))
        engine = paused(app, "no stage")
        async with app.run_test() as pilot:
            await settle(pilot)
            assert not engine.ended.is_set()
        assert engine.ended.wait(30)

    async def test_note_saved_meanwhile_is_found_by_the_next_question(
        self, on_vault: Callable[..., QuireApp], ask: Ask, screen_text: Read, tmp_path: Path
    ) -> None:
        app = on_vault(("A.md", "The ferry leaves at seven.\n"))
        async with app.run_test() as pilot:
            await ask(pilot, "Where does the heron nest?")
            assert "No evidence" in screen_text(app)
            (tmp_path / "vault/B.md").write_text("The heron nests in the alder by the weir.\n")
            await ask(pilot, "Where does the heron nest?")
            assert "B.md:1" in screen_text(app)

    async def test_busy_index_is_a_note_and_no_hindrance(
        self,
        garden: QuireApp,
        ask: Ask,
        screen_text: Read,
        places: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("quire_engine.indexing.keeper._WAIT", 0.1)
        with ExitStack() as lock:
            lock.enter_context(write_lock(locations.index_dir(places / "garden"), 30))
            async with garden.run_test() as pilot:
                await until(pilot, lambda: garden.problem)
                await ask(pilot, "When are plum trees pruned?")
                shown = screen_text(garden)
                assert "another process is updating the index" in shown
                assert "August" in shown
                lock.close()
                await until(pilot, lambda: "3 notes" in screen_text(garden))

    async def test_vault_that_was_away_is_watched_again(
        self,
        on_vault: Callable[..., QuireApp],
        ask: Ask,
        settle: Settle,
        screen_text: Read,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(background, "_RETRY_SECONDS", 0.1)
        app = on_vault(("A.md", "The ferry leaves at seven.\n"))
        async with app.run_test() as pilot:
            await settle(pilot)
            (tmp_path / "vault").rename(tmp_path / "away")
            await until(pilot, lambda: app.problem)
            (tmp_path / "away/B.md").write_text("The heron nests in the alder by the weir.\n")
            (tmp_path / "away").rename(tmp_path / "vault")
            await until(pilot, lambda: not app.problem)
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
