"""What is Tantivy's own: its scores beside Whoosh's, searching among many chunks, damage and panics."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from quire_engine.errors import StoreError
from quire_engine.index.tantivy_keywords import TantivyKeywords
from quire_engine.index.whoosh_keywords import WhooshKeywords


@pytest.fixture
def keywords(tmp_path: Path) -> Iterator[TantivyKeywords]:
    opened = TantivyKeywords(tmp_path, writable=True)
    yield opened
    opened.close()


def some_chunks(count: int) -> list[tuple[int, dict[str, float]]]:
    """Chunks of equally many words, so that Tantivy's rounding of lengths does not show."""
    chance = random.Random(3)
    return [
        (chunk, dict.fromkeys(chance.sample([f"w{number}" for number in range(80)], 20), 1.0))
        for chunk in range(count)
    ]


def test_scores_as_whoosh_does(keywords: TantivyKeywords, tmp_path: Path) -> None:
    chunks = some_chunks(300)
    (tmp_path / "other").mkdir()
    whoosh = WhooshKeywords(tmp_path / "other", writable=True)
    for index in (keywords, whoosh):
        index.apply([], chunks, 1, "db")
    for query in ("w1", "w2 w3 w79", "w5 w6 w7 w8 w9 w10"):
        expected = dict(whoosh.search(query, 300))
        assert dict(keywords.search(query, 300)) == pytest.approx(expected, rel=0.02)
    assert keywords.rarity(["w1", "none"]) == whoosh.rarity(["w1", "none"])
    whoosh.close()


def test_among_many_chunks_as_among_few(keywords: TantivyKeywords) -> None:
    chunks = some_chunks(3000)
    keywords.apply([], chunks, 1, "db")
    everything = keywords.search("w1 w2 w3", 3000)
    for among in ([*range(0, 3000, 2)], [*range(1000, 1030)], [*range(1900, 3000), 7_000]):
        wanted = set(among)
        expected = [hit for hit in everything if hit[0] in wanted][:20]
        found = keywords.search("w1 w2 w3", 20, among=among)
        assert [score for _, score in found] == pytest.approx([score for _, score in expected])
        assert {chunk for chunk, _ in found} <= wanted


def test_a_panic_is_an_error_like_another(keywords: TantivyKeywords, tmp_path: Path) -> None:
    keywords.apply([], some_chunks(200), 1, "db")
    keywords.close()
    (file,) = tmp_path.rglob("*.idx")
    content = bytearray(file.read_bytes())
    quarter = len(content) // 4
    content[quarter : 3 * quarter] = b"\xff" * (2 * quarter)
    file.write_bytes(content)
    with pytest.raises(StoreError, match="searching the keyword index failed"):
        keywords.search("w1 w2 w3 w4 w5 w6", 5)
