"""Names in passages, as notes come and go and syncs are cut off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from index_rows import differences, rows

from quire_engine import Engine
from quire_engine.chunking.sentences import LanguageTools
from quire_engine.indexing import relations
from quire_engine.locations import index_dir
from quire_engine.progress import Meter
from quire_engine.records import Entity, SyncReport


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QUIRE_DATA_DIR", str(tmp_path / "data"))
    folder = tmp_path / "vault"
    folder.mkdir()
    (folder / "Rose.md").write_text("A flower.")
    (folder / "Rose Garden.md").write_text("A place.")
    (folder / "Diary.md").write_text("In the rose garden a rose was cut by Anna.")
    return folder


@pytest.fixture
def engine(vault: Path) -> Iterator[Engine]:
    with Engine.open(vault) as opened:
        opened.sync()
        yield opened


def names(engine: Engine, path: str) -> set[Entity]:
    """The names of notes that stand in the passages of a note."""
    hits = engine.search("rose garden anna", limit=20).hits
    return {entity for hit in hits if hit.path == path for entity in hit.entities if entity.label == "NOTE"}


def made_at_once(vault: Path, data: Path, patch: pytest.MonkeyPatch) -> dict[str, list[Any]]:
    """The rows of a new index of the vault."""
    patch.setenv("QUIRE_DATA_DIR", str(data))
    with Engine.open(vault) as fresh:
        fresh.sync()
    return rows(index_dir(vault))


class SlowTools(LanguageTools):
    """Something happens in another thread, once, while the second passage is looked at for names."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        super().__init__()
        self._meanwhile = meanwhile
        self._looked_at = 0

    def names(self, text: str, language: str | None = None) -> list[Entity]:
        self._looked_at += 1
        if self._looked_at == 2:
            with ThreadPoolExecutor() as others:
                others.submit(self._meanwhile).result()
        return super().names(text, language)


class TestNames:
    def test_a_shorter_one_shows_when_the_longer_one_is_gone(self, engine: Engine, vault: Path) -> None:
        (vault / "Diary.md").write_text("In the rose garden.")
        engine.sync()
        assert names(engine, "Diary.md") == {Entity("Rose Garden", "NOTE")}
        (vault / "Rose Garden.md").unlink()
        engine.sync()
        assert names(engine, "Diary.md") == {Entity("Rose", "NOTE")}

    def test_one_that_came_and_went_while_looking_was_cut_off_leaves_nothing(
        self, engine: Engine, vault: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(4):
            (vault / f"Diary {number}.md").write_text(f"Anna cut a rose on day {number}.")
        engine.sync()
        (vault / "Anna.md").write_text("A gardener.")
        monkeypatch.setattr(relations, "_PAGE", 1)
        looked = 0

        def soon() -> bool:
            nonlocal looked
            looked += 1
            return looked > 3

        engine.sync(embed=False)
        indexer, _ = engine._writers()
        assert not indexer.find_names(soon)
        (vault / "Anna.md").unlink()
        engine.sync()
        found = rows(index_dir(vault))
        assert differences(found, made_at_once(vault, tmp_path / "fresh", monkeypatch)) == ""


class TestOthersWriteWhileNamesAreFound:
    def test_they_do_not_wait(self, vault: Path) -> None:
        with Engine.open(vault) as engine:
            edited: list[SyncReport] = []
            engine._language_tools = SlowTools(lambda: edited.append(engine.sync(embed=False)))
            engine.sync()
            assert edited

    @pytest.mark.parametrize("page", [1, 50])
    @pytest.mark.parametrize("what", ["edit", "delete", "undo", "name", "unname", "rebuild"])
    def test_what_they_write_is_looked_at(
        self, vault: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, page: int
    ) -> None:
        (vault / "Anna.md").write_text("She cut a rose.")
        for number in range(4):
            (vault / f"Letter {number}.md").write_text(f"Dear Anna, this is all: {number}.")
        monkeypatch.setattr(relations, "_PAGE", page)

        def meanwhile() -> None:
            with Engine.open(vault, discard=what == "rebuild") as other:
                match what:
                    case "edit":
                        (vault / "Diary.md").write_text("In the rose garden Anna cut nothing.")
                    case "delete":
                        (vault / "Diary.md").unlink()
                    case "undo":
                        before = (vault / "Diary.md").read_text()
                        (vault / "Diary.md").write_text("Nothing.")
                        other.sync(embed=False)
                        (vault / "Diary.md").write_text(before)
                    case "name":
                        (vault / "Cut.md").write_text("A word.")
                    case _:
                        (vault / "Anna.md").unlink()
                other.sync(embed=False)

        with Engine.open(vault) as engine:
            engine._language_tools = SlowTools(meanwhile)
            engine.sync()
            _, embedding = engine._writers()
            embedding.run(Meter(None), lambda: False, follow=False)
            assert not rows(index_dir(vault))["entity_queue"]
        found = rows(index_dir(vault))
        assert differences(found, made_at_once(vault, tmp_path / "fresh", monkeypatch)) == ""
