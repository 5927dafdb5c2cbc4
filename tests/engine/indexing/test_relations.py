"""Names in passages, as notes come and go and syncs are cut off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from index_rows import differences, rows

from quire_engine import Engine
from quire_engine.indexing import relations
from quire_engine.locations import index_dir
from quire_engine.records import Entity


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
        monkeypatch.setenv("QUIRE_DATA_DIR", str(tmp_path / "fresh"))
        with Engine.open(vault) as fresh:
            fresh.sync()
        assert differences(found, rows(index_dir(vault))) == ""
