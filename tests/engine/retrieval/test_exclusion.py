"""What a question excludes is never shown, whatever the index knows of it."""

from __future__ import annotations

import shutil

import pytest

from quire_engine.engine import Engine
from quire_engine.records import SearchResult

from .conftest import OpenVault

LONG = "The oven is heated slowly and left to cool for two days before anybody opens it. " * 2
NOTES = {
    "Kiln.md": f"# Kiln\n\n## First\n\n{LONG} The bisque comes first.\n\n## Second\n\n{LONG} Then the glaze "
    f"melts.\n\n## Third\n\n{LONG} See [[Ash]], [[Wood]] and the temperatures.\n",
    "Ash.md": "What is left of the trees makes a green colour.\n",
    "Wood.md": "Logs of birch burn with a long flame.\n",
    "Tagged.md": "---\ntags: [draft]\nstatus: secret\naliases: [Furnace]\n---\nAn oven for stoneware.\n",
    "Attic/Oven.md": "An oven that nobody heats.\n",
}


@pytest.fixture
def engine(open_vault: OpenVault) -> Engine:
    return open_vault(NOTES, 64)


def paths(result: SearchResult) -> set[str]:
    return {hit.path for hit in result.hits}


def shown(result: SearchResult) -> str:
    return "\n".join(
        "\n".join([part.text, *part.headings]) for hit in result.hits for part in (hit, *hit.neighbours)
    ).lower()


@pytest.mark.parametrize(
    ("word", "path"),
    [
        ("drafts", "Tagged.md"),
        ("secret", "Tagged.md"),
        ("furnace", "Tagged.md"),
        ("tagged", "Tagged.md"),
        ("attic", "Attic/Oven.md"),
        ('"nobody heats"', "Attic/Oven.md"),
    ],
)
def test_what_holds_the_word_is_not_found(engine: Engine, word: str, path: str) -> None:
    assert path in paths(engine.search("heated oven"))
    found = paths(engine.search(f"heated oven -{word}"))
    assert path not in found
    assert "Kiln.md" in found


def test_without_a_keyword_index(open_vault: OpenVault) -> None:
    engine = open_vault({**NOTES, "More.md": "The oven is cold.\n"}, 64)
    shutil.rmtree(engine._keywords.folder)
    engine._keywords.close()
    result = engine.search("heated oven -attic")
    assert {"Kiln.md", "More.md"} <= paths(result)
    assert "Attic/Oven.md" not in paths(result)
    assert "keyword" not in {s.name for hit in result.hits for s in hit.trace.signals if s.score}


def test_nor_under_a_heading_that_came_later(open_vault: OpenVault) -> None:
    engine = open_vault({"Kiln.md": NOTES["Kiln.md"], "Ash.md": NOTES["Ash.md"]}, 64)
    kiln = engine._vault / "Kiln.md"
    kiln.write_text(kiln.read_text().replace("## First", "## Biscuit firing"))
    assert "biscuit" in shown(engine.search("bisque comes first"))
    found = engine.search("bisque comes first -biscuit")
    assert found.hits
    assert "biscuit" not in shown(found)


def test_nor_beside_a_hit(engine: Engine) -> None:
    assert "bisque" in shown(engine.search("the glaze melts", neighbours=True))
    found = engine.search("glaze melts -bisque", neighbours=True)
    assert "glaze" in shown(found)
    assert "bisque" not in shown(found)
    assert any(hit.neighbours for hit in found.hits)


def test_nor_by_a_link(engine: Engine) -> None:
    assert {"Ash.md", "Wood.md"} <= paths(engine.search("temperatures"))
    found = paths(engine.search("temperatures -birch"))
    assert "Ash.md" in found
    assert "Wood.md" not in found
