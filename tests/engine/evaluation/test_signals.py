"""What one search brought, read off the traces of a real fusion."""

from __future__ import annotations

from pathlib import Path

import pytest

from quire_engine import Engine, Settings
from quire_engine.evaluation.signals import BySignal
from quire_engine.retrieval.ranking import learned
from quire_engine.settings import RetrievalSettings

NOTES = {
    "Roses.md": "# Roses\n\nPrune the bushes in early March.\n",
    "Kiln.md": "# Kiln\n\nThe oven for pottery reaches 1240 degrees.\n",
    "Heap.md": "# Heap\n\nTurn the compost every two weeks.\n",
    "Zebra.md": "# Zebra\n\nAn animal with stripes, seen in March.\n",
}


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QUIRE_DATA_DIR", str(tmp_path / "data"))
    for name, text in NOTES.items():
        (tmp_path / "vault").mkdir(exist_ok=True)
        (tmp_path / "vault" / name).write_text(text)
    with Engine.open(tmp_path / "vault") as engine:
        engine.sync()
    return tmp_path / "vault"


@pytest.mark.usefixtures("model_cache")
class TestBySignal:
    def test_keywords_alone_are_what_a_search_without_meaning_finds(self, vault: Path) -> None:
        alone = dict.fromkeys(learned(), 0.0) | {"keyword": 1.0}
        settings = Settings(retrieval=RetrievalSettings(weights=alone))
        with Engine.open(vault) as engine, Engine.open(vault, settings) as keywords:
            found = BySignal(engine, "keyword").search("march stripes")
            assert [hit.path for hit in found.hits] == ["Zebra.md", "Roses.md"]
            assert [hit.path for hit in found.hits] == [
                hit.path for hit in keywords.search("march stripes").hits if hit.score > 0
            ]
            assert [hit.rank for hit in found.hits] == [1, 2]

    def test_meaning_alone_finds_what_shares_no_word(self, vault: Path) -> None:
        with Engine.open(vault) as engine:
            dense = BySignal(engine, "dense").search("burning clay vessels")
            assert dense.hits[0].path == "Kiln.md"
            assert len(dense.hits) == len(NOTES)
            assert BySignal(engine, "keyword").search("burning clay vessels").hits == ()
