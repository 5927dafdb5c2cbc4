"""One loaded model for all who ask, in their order; real models, real threads."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from tiny_gguf import build

from quire_engine.errors import GenerationError, ModelError
from quire_engine.inference import model_slot
from quire_engine.inference.llama import LlamaModel
from quire_engine.inference.model_slot import ModelSlot, SharedModel
from quire_engine.inference.vocabulary import Vocabulary
from quire_engine.records import Message, PromptRead, Queued
from quire_engine.settings import AnswerSettings

SETTINGS = AnswerSettings(threads=1)
ASKED = [Message("user", "the cat")]
PATIENCE = 30.0


class Ledger:
    """What was loaded and closed, by file name."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.closed = threading.Event()
        """Set after a model was closed."""


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch) -> Ledger:
    kept = Ledger()

    class Kept(LlamaModel):
        def __init__(self, path: Path, *rest: Any) -> None:
            super().__init__(path, *rest)
            kept.events.append(f"+{path.stem}")

        def close(self) -> None:
            super().close()
            kept.events.append(f"-{self.name}")
            kept.closed.set()

    monkeypatch.setattr(model_slot, "LlamaModel", Kept)
    return kept


@pytest.fixture
def slot(ledger: Ledger) -> Iterator[ModelSlot]:
    slot = ModelSlot()
    yield slot
    for shared in list(slot._shares):
        shared.close()
    assert slot._model is None
    assert slot._timer is None


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return build(tmp_path / "one.gguf"), build(tmp_path / "two.gguf", seed=1)


def begin(shared: SharedModel, tokens: int = 50) -> Iterator[Any]:
    """A reply that holds its turn until it is closed."""
    stream = shared.stream(ASKED, max_tokens=tokens)
    next(stream)
    return stream


def end(stream: Iterator[Any]) -> None:
    stream.close()  # type: ignore[attr-defined]


class Asking(threading.Thread):
    """A reply in another thread, and how often it was told its position."""

    def __init__(self, shared: SharedModel) -> None:
        super().__init__(daemon=True)
        self.unwanted = threading.Event()
        self.told: list[int] = []
        self.news = threading.Semaphore(0)
        self.text = ""
        self.error: Exception | None = None
        self._shared = shared
        self.start()

    def run(self) -> None:
        try:
            for event in self._shared.stream(ASKED, max_tokens=4, cancelled=self.unwanted.is_set):
                if isinstance(event, Queued):
                    self.told.append(event.position)
                    self.news.release()
                elif isinstance(event, str):
                    self.text += event
        except GenerationError as error:
            self.error = error

    def hear(self) -> int:
        assert self.news.acquire(timeout=PATIENCE)
        return self.told[-1]

    def finish(self) -> None:
        self.join(PATIENCE)
        assert not self.is_alive()


class TestSharing:
    def test_nothing_but_the_vocabulary_is_loaded_before_it_writes(
        self, slot: ModelSlot, files: tuple[Path, Path], ledger: Ledger
    ) -> None:
        shared = slot.share(files[0], SETTINGS)
        assert (shared.name, shared.context) == ("one", 512)
        assert len(shared.sha256) == 64
        assert ledger.events == []
        assert shared.prompt_tokens(ASKED) > shared.count_tokens("the cat") > 0
        assert ledger.events == []
        assert list(shared.stream(ASKED, max_tokens=4))
        assert ledger.events == ["+one"]

    def test_one_model_serves_all_who_ask_for_the_same(
        self, slot: ModelSlot, files: tuple[Path, Path], ledger: Ledger
    ) -> None:
        first, second = slot.share(files[0], SETTINGS), slot.share(files[0], SETTINGS)
        replies = [
            "".join(p for p in s.stream(ASKED, max_tokens=4) if isinstance(p, str)) for s in (first, second)
        ]
        assert replies[0] == replies[1] != ""
        first.close()
        assert list(second.stream(ASKED, max_tokens=4))
        assert ledger.events == ["+one"]
        second.close()
        assert ledger.events == ["+one", "-one"]

    def test_another_model_takes_the_place_of_the_loaded_one(
        self, slot: ModelSlot, files: tuple[Path, Path], ledger: Ledger
    ) -> None:
        one, two = (slot.share(file, SETTINGS) for file in files)
        for shared in (one, two, one):
            assert list(shared.stream(ASKED, max_tokens=4))
        assert ledger.events == ["+one", "-one", "+two", "-two", "+one"]

    def test_other_settings_are_another_model(
        self, slot: ModelSlot, files: tuple[Path, Path], ledger: Ledger
    ) -> None:
        end(begin(slot.share(files[0], SETTINGS)))
        end(begin(slot.share(files[0], SETTINGS.model_copy(update={"max_tokens": 20}))))
        assert ledger.events == ["+one"]
        end(begin(slot.share(files[0], SETTINGS.model_copy(update={"seed": 5}))))
        assert ledger.events == ["+one", "-one", "+one"]

    def test_a_file_that_is_no_model_is_refused_at_once(self, slot: ModelSlot, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=r"none\.gguf"):
            slot.share(tmp_path / "none.gguf", SETTINGS)

    def test_a_model_that_cannot_be_loaded_leaves_the_queue(
        self, slot: ModelSlot, files: tuple[Path, Path]
    ) -> None:
        shared = slot.share(files[0], SETTINGS)
        files[0].write_bytes(files[0].read_bytes().replace(b"blk.1.ffn_up", b"blk.1.ffn_xx"))
        for _ in range(2):
            with pytest.raises(ModelError, match=r"one\.gguf"):
                list(shared.stream(ASKED, max_tokens=4))
        assert list(slot.share(files[1], SETTINGS).stream(ASKED, max_tokens=4))


class TestQueue:
    def test_whoever_waits_sees_the_place_in_the_queue_fall(
        self, slot: ModelSlot, files: tuple[Path, Path]
    ) -> None:
        shared = slot.share(files[0], SETTINGS)
        before = begin(shared)
        first = Asking(shared)
        assert first.hear() == 1
        second = Asking(shared)
        assert second.hear() == 2
        end(before)
        first.finish()
        second.finish()
        assert first.told == [1, 0]
        assert second.told[-1] == 0
        assert second.told == sorted(second.told, reverse=True)
        assert first.text == second.text != ""

    def test_whoever_is_next_at_once_hears_nothing_of_a_queue(
        self, slot: ModelSlot, files: tuple[Path, Path]
    ) -> None:
        shared = slot.share(files[0], SETTINGS)
        assert not any(isinstance(event, Queued) for event in shared.stream(ASKED, max_tokens=4))

    def test_whoever_gives_up_leaves_the_queue(self, slot: ModelSlot, files: tuple[Path, Path]) -> None:
        shared = slot.share(files[0], SETTINGS)
        before = begin(shared)
        first = Asking(shared)
        assert first.hear() == 1
        second = Asking(shared)
        assert second.hear() == 2
        first.unwanted.set()
        first.finish()
        assert second.hear() == 1
        assert (first.text, first.error) == ("", None)
        end(before)
        second.finish()
        assert second.text

    def test_another_model_waits_for_the_reply_that_is_being_written(
        self, slot: ModelSlot, files: tuple[Path, Path], ledger: Ledger
    ) -> None:
        one, two = (slot.share(file, SETTINGS) for file in files)
        before = begin(one)
        waiting = Asking(two)
        assert waiting.hear() == 1
        assert ledger.events == ["+one"]
        end(before)
        waiting.finish()
        assert waiting.text
        assert ledger.events == ["+one", "-one", "+two"]

    def test_many_threads_each_get_their_reply(self, slot: ModelSlot, files: tuple[Path, Path]) -> None:
        shares = [slot.share(files[number % 2], SETTINGS) for number in range(6)]
        asking = [Asking(shared) for shared in shares]
        for one in asking:
            one.finish()
        assert len({(one.text, number % 2) for number, one in enumerate(asking)}) == 2
        assert all(one.text for one in asking)


class TestCounting:
    def test_waits_for_no_reply(
        self, slot: ModelSlot, files: tuple[Path, Path], ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one, two = (slot.share(file, SETTINGS) for file in files)
        before = begin(one)
        for shared in (one, two):
            assert shared.prompt_tokens(ASKED) > shared.count_tokens("the cat") > 0
        end(before)
        assert ledger.events == ["+one"]

    def test_of_several_models_by_turns_loads_each_vocabulary_once(
        self, slot: ModelSlot, files: tuple[Path, Path], ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        loaded: list[str] = []

        class Counted(Vocabulary):
            @classmethod
            def load(cls, path: Path) -> Self:
                loaded.append(path.stem)
                return super().load(path)

        monkeypatch.setattr(model_slot, "Vocabulary", Counted)
        shares = [slot.share(file, SETTINGS) for file in files]
        threads = [
            threading.Thread(target=lambda s=shared: [s.count_tokens("the cat") for _ in range(20)])
            for shared in shares * 2
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert sorted(loaded) == ["one", "two"]
        assert ledger.events == []

    def test_finds_what_the_model_reads(self, slot: ModelSlot, files: tuple[Path, Path]) -> None:
        shared = slot.share(files[0], SETTINGS)
        messages = [Message("system", "the"), Message("user", "the cat <|end|></s> ☃")]
        first, *_ = shared.stream(messages, max_tokens=1)
        assert isinstance(first, PromptRead)
        assert first.total == shared.prompt_tokens(messages)

    def test_a_vocabulary_that_cannot_be_loaded_is_named(
        self, slot: ModelSlot, files: tuple[Path, Path]
    ) -> None:
        shared = slot.share(files[0], SETTINGS)
        data = files[0].read_bytes()
        files[0].write_bytes(data.replace(b"tokenizer.ggml.model", b"tokenizer.ggml.xxxxx"))
        with pytest.raises(ModelError, match=r"cannot load .*one\.gguf"):
            shared.count_tokens("x")
        files[0].write_bytes(data)
        assert shared.count_tokens("x") > 0


class TestClosing:
    def test_closing_does_not_take_the_model_from_another(
        self, slot: ModelSlot, files: tuple[Path, Path], ledger: Ledger
    ) -> None:
        one, other = slot.share(files[0], SETTINGS), slot.share(files[0], SETTINGS)
        reply = begin(other)
        one.close()
        one.close()
        assert any(isinstance(piece, str) for piece in reply)
        assert ledger.events == ["+one"]

    def test_ones_own_reply_ends(self, slot: ModelSlot, files: tuple[Path, Path], ledger: Ledger) -> None:
        shared = slot.share(files[0], SETTINGS)
        reply = begin(shared)
        shared.close()
        assert ledger.events == ["+one"]
        with pytest.raises(GenerationError, match="closed"):
            list(reply)
        assert ledger.events == ["+one", "-one"]
        with pytest.raises(GenerationError, match="closed"):
            shared.count_tokens("x")

    def test_whoever_waits_is_told(self, slot: ModelSlot, files: tuple[Path, Path]) -> None:
        one, other = slot.share(files[0], SETTINGS), slot.share(files[0], SETTINGS)
        before = begin(one)
        waiting = Asking(other)
        assert waiting.hear() == 1
        other.close()
        waiting.finish()
        assert "closed" in str(waiting.error)
        end(before)


class TestIdling:
    SOON = AnswerSettings(threads=1, unload_minutes=1e-6)

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what a process has mapped")
    def test_an_idle_model_gives_its_memory_back_and_comes_again(
        self, slot: ModelSlot, files: tuple[Path, Path], ledger: Ledger
    ) -> None:
        shared = slot.share(files[0], self.SOON)
        before = begin(shared)
        assert str(files[0]) in Path("/proc/self/maps").read_text()
        end(before)
        assert ledger.closed.wait(PATIENCE)
        assert str(files[0]) not in Path("/proc/self/maps").read_text()
        assert list(shared.stream(ASKED, max_tokens=4))
        assert ledger.events[:3] == ["+one", "-one", "+one"]

    def test_it_may_stay_for_longer_than_a_timer_can_wait(
        self, slot: ModelSlot, files: tuple[Path, Path]
    ) -> None:
        shared = slot.share(files[0], AnswerSettings(threads=1, unload_minutes=1e300))
        end(begin(shared))
        timer = slot._timer
        assert timer is not None
        shared.close()
        timer.join(PATIENCE)  # pytest tells of a thread that failed

    def test_the_time_does_not_end_while_a_reply_is_written(
        self, slot: ModelSlot, files: tuple[Path, Path], ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A timer that fires too late for its reply finds the model in use, and leaves it."""
        late, fire, fired = threading.Event(), threading.Event(), threading.Event()
        unload = slot._unload

        def held_up() -> None:
            late.set()
            assert fire.wait(PATIENCE)
            unload()
            fired.set()

        monkeypatch.setattr(slot, "_unload", held_up)
        shared = slot.share(files[0], self.SOON)
        end(begin(shared))
        assert late.wait(PATIENCE)
        reply = begin(shared)
        fire.set()
        assert fired.wait(PATIENCE)
        assert any(isinstance(piece, str) for piece in reply)
        assert ledger.events == ["+one"]
