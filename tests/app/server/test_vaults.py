"""Vaults that are kept open, on real indexes."""

from __future__ import annotations

import math
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from quire.contract import Json
from quire.inquiry import Inquiry
from quire.server import answers
from quire.server import vaults as module
from quire.server.vaults import OpenVault, OpenVaults
from quire_engine import Settings
from quire_engine.errors import IndexLockedError, IndexReadOnlyError, StoreError, VaultError
from quire_engine.indexing import keeper
from quire_engine.indexing.indexer import Indexer
from quire_engine.indexing.keyword_feed import KeywordFeed
from quire_engine.progress import Meter
from quire_engine.settings import AnswerSettings, EngineSettings
from quire_engine.vault.watcher import ChangeWatcher

from .conftest import eventually

SETTINGS = Settings(answer=AnswerSettings(model="extractive"))


@pytest.fixture
def vaults(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[OpenVaults]:
    monkeypatch.setenv("QUIRE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(module, "_LEAVING", 60.0)  # nothing may run on when the test is over
    opened = OpenVaults()
    yield opened
    opened.close()
    eventually(lambda: not [t for t in threading.enumerate() if t.name == "closing"], "closing")


def settled(vault: OpenVault, patience: float = 30.0) -> bool:
    """Whether the vault's index is up to date within half a minute, or however long it takes."""
    waiting = vault.freshen(patience, threading.Event())
    while True:
        try:
            next(waiting)
        except StopIteration as end:
            return bool(end.value)


def slow_embedder(vault: OpenVault, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Passages of the vault are embedded from now on only when the event is set."""
    release = threading.Event()
    embedder = vault.engine.embedder()
    embed = embedder.embed_passages
    monkeypatch.setattr(embedder, "embed_passages", lambda texts: (release.wait(60), embed(texts))[1])
    return release


class TestUse:
    def test_the_same_vault_stays_open_however_it_is_named(
        self, vaults: OpenVaults, own_vault: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "link").symlink_to(own_vault)
        with vaults.use(own_vault, SETTINGS) as first:
            assert settled(first)
        named = SETTINGS.model_copy(update={"vault": own_vault, "engine": EngineSettings(idle_minutes=3)})
        with vaults.use(tmp_path / "link", named) as second:
            assert second is first
        assert vaults.idle_minutes == 3

    def test_other_settings_have_an_engine_of_their_own(self, vaults: OpenVaults, own_vault: Path) -> None:
        other = SETTINGS.model_copy(update={"answer": AnswerSettings(model="extractive", sentences=1)})
        with vaults.use(own_vault, SETTINGS) as first, vaults.use(own_vault, other) as second:
            assert first is not second
            assert settled(first)
            assert settled(second)
            assert first.engine.search("roses").hits

    def test_a_vault_is_opened_once_for_many(self, vaults: OpenVaults, own_vault: Path) -> None:
        seen = []

        def ask() -> None:
            with vaults.use(own_vault, SETTINGS) as vault:
                seen.append(vault)

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(map(id, seen))) == 1

    def test_a_vault_that_is_gone_is_an_error_and_is_forgotten(
        self, vaults: OpenVaults, own_vault: Path
    ) -> None:
        with vaults.use(own_vault, SETTINGS) as vault:
            assert settled(vault)
        shutil.rmtree(own_vault)
        eventually(lambda: not vault.usable, "the end of the watch")
        with pytest.raises(VaultError), vaults.use(own_vault, SETTINGS):
            pass

    def test_after_an_error_of_the_index_it_is_opened_anew(self, vaults: OpenVaults, own_vault: Path) -> None:
        with pytest.raises(StoreError), vaults.use(own_vault, SETTINGS) as first:
            raise StoreError("damaged")
        with vaults.use(own_vault, SETTINGS) as second:
            assert second is not first
            assert settled(second)


def answer(vaults: OpenVaults, folder: Path, text: str) -> list[Json]:
    """The events of a search, but for its progress."""
    inquiry = Inquiry(text=text, vault=str(folder), environment={"QUIRE_ANSWER__MODEL": "extractive"})
    events = answers.events(vaults, "search", inquiry, threading.Event())
    return [event for event in events if event["type"] != "progress"]


class TestAnswers:
    def test_a_search_does_not_wait_until_all_of_a_new_vault_is_read(
        self, vaults: OpenVaults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = tmp_path / "big"
        folder.mkdir()
        for number in range(700):
            (folder / f"{number}.md").write_text(f"# Note {number}\n\nSome words.\n")
            os.utime(folder / f"{number}.md", (number, number))
        (folder / "Tide.md").write_text("# Tide\n\nThe ferry sails at high tide.\n")
        release, calls = threading.Event(), []
        catch_up = KeywordFeed.catch_up

        def slow(feed: KeywordFeed, meter: Meter) -> None:
            catch_up(feed, meter)
            calls.append(meter)
            if len(calls) == 2:  # the first at the beginning, the second after some notes
                release.wait(60)

        monkeypatch.setattr(KeywordFeed, "catch_up", slow)
        monkeypatch.setitem(answers._PATIENCE, "search", 0.0)
        note, result = answer(vaults, folder, "ferry")
        release.set()
        assert re.match(r"\d+ of 701 notes are read so far;", note["text"])
        assert result["hits"][0]["path"] == "Tide.md"
        assert result["incomplete"]

    @pytest.mark.parametrize(
        "error",
        [
            IndexLockedError("process 7 (quire index) is updating this vault's index; wait, or stop it"),
            IndexReadOnlyError("the index cannot be written; check its permissions"),
        ],
    )
    def test_an_index_that_cannot_be_written_is_searched_as_it_is(
        self, vaults: OpenVaults, own_vault: Path, monkeypatch: pytest.MonkeyPatch, error: StoreError
    ) -> None:
        answer(vaults, own_vault, "roses")
        monkeypatch.setattr(Indexer, "sync", lambda *_, **__: (_ for _ in ()).throw(error))
        (own_vault / "Tide.md").write_text("# Tide\n\nThe ferry sails at high tide.\n")
        (vault,) = vaults.all()
        eventually(lambda: vault.trouble, "the trouble")
        note, result = answer(vaults, own_vault, "roses")
        assert note["text"] == f"going on with the index as it is: {error}"
        assert result["incomplete"]
        assert "Garden/Roses.md" in {hit["path"] for hit in result["hits"]}

    def test_a_vault_that_is_replaced_meanwhile_is_opened_anew(
        self, vaults: OpenVaults, own_vault: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (result,) = answer(vaults, own_vault, "ferry")
        assert "Tide.md" not in {hit["path"] for hit in result["hits"]}
        (opened,) = vaults.all()
        other = tmp_path / "other"
        other.mkdir()
        (other / "Tide.md").write_text("# Tide\n\nThe ferry sails at high tide.\n")

        def replace(_: float, **__: bool) -> bool:
            own_vault.rename(tmp_path / "old")
            other.rename(own_vault)
            return False

        monkeypatch.setattr(opened.engine, "settle", replace)
        (result,) = answer(vaults, own_vault, "ferry")
        assert [hit["path"] for hit in result["hits"]] == ["Tide.md"]
        assert not result["incomplete"]


class TestFreshen:
    @pytest.mark.parametrize(("seconds", "patience"), [(60.0, 30.0), (0.0, math.inf)])
    def test_the_vectors_of_an_edit_are_waited_for(
        self,
        vaults: OpenVaults,
        own_vault: Path,
        monkeypatch: pytest.MonkeyPatch,
        seconds: float,
        patience: float,
    ) -> None:
        """A little, or with infinite patience to the end."""
        monkeypatch.setattr(module, "_VECTORS", seconds)
        monkeypatch.setattr(keeper, "_PATIENCE", seconds)
        with vaults.use(own_vault, SETTINGS) as vault:
            assert settled(vault)
            eventually(lambda: not vault.working, "the end of the work")
            release = slow_embedder(vault, monkeypatch)
            (own_vault / "Tide.md").write_text("# Tide\n\nThe ferry sails at high tide.\n")
            eventually(
                lambda: vault.engine.pending() and vault.engine.settle(0.0), "structure without vectors"
            )
            if not seconds:
                assert settled(vault)
                assert vault.engine.pending()
            timer = threading.Timer(5 * module._SLICE, release.set)
            timer.start()
            assert settled(vault, patience)
            assert vault.engine.pending() == 0
            timer.join()

    def test_infinite_patience_looks_at_what_no_event_told(
        self, vaults: OpenVaults, own_vault: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ChangeWatcher, "_notice", lambda *_: None)
        with vaults.use(own_vault, SETTINGS) as vault:
            assert settled(vault)
            (own_vault / "Tide.md").write_text("# Tide\n\nThe ferry sails at high tide.\n")
            assert settled(vault, math.inf)
            assert "Tide.md" in {hit.path for hit in vault.engine.search("ferry at high tide").hits}


class TestClosing:
    def test_what_nobody_asks_about_is_closed_when_its_work_is_done(
        self, vaults: OpenVaults, own_vault: Path
    ) -> None:
        with vaults.use(own_vault, SETTINGS) as vault:
            assert settled(vault)
        eventually(lambda: not vault.working, "the end of the work")
        vaults.close_unused()
        assert vaults.all() == [vault]
        vaults.idle_minutes = 0.0
        time.sleep(0.01)
        vaults.close_unused()
        assert vaults.all() == []

    def test_not_while_somebody_uses_it(self, vaults: OpenVaults, own_vault: Path) -> None:
        vaults.idle_minutes = 0.0
        with vaults.use(own_vault, SETTINGS) as vault:
            vaults.idle_minutes = 0.0
            assert settled(vault)
            vaults.close_unused()
            assert vaults.all() == [vault]

    def test_a_vault_with_passages_to_embed_is_at_work(
        self, vaults: OpenVaults, own_vault: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whatever else is wrong: here, the language model is missing."""
        with vaults.use(own_vault, Settings(answer=AnswerSettings(model="/nonexistent.gguf"))) as vault:
            assert settled(vault)
            eventually(lambda: not vault.working, "the end of the work")
            release = slow_embedder(vault, monkeypatch)
            (own_vault / "Tide.md").write_text("# Tide\n\nThe ferry sails at high tide.\n")
            eventually(lambda: vault.working, "something to do")
            release.set()
            eventually(lambda: not vault.working, "the end of the work")

    def test_a_watch_that_does_not_end_soon_is_waited_for(
        self, vaults: OpenVaults, own_vault: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with vaults.use(own_vault, SETTINGS) as vault:
            assert settled(vault)
            eventually(lambda: not vault.working, "the end of the work")
            release = slow_embedder(vault, monkeypatch)
            (own_vault / "Tide.md").write_text("# Tide\n\nThe ferry sails at high tide.\n")
            eventually(lambda: vault.engine.pending(), "something to do")
        join, waited, closed = vault._thread.join, threading.Event(), threading.Event()

        def joined(limit: float | None = None) -> None:
            waited.set()
            if limit is None:  # any limit is over at once
                join()

        monkeypatch.setattr(vault._thread, "join", joined)
        close = vault.engine.close
        monkeypatch.setattr(vault.engine, "close", lambda: (close(), closed.set()))
        vaults._retire(vault)
        eventually(waited.is_set, "the end of the questions")
        assert not closed.is_set()
        release.set()
        eventually(closed.is_set, "the end of the engine")
