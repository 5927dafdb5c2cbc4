"""What is known of topics, from a real index; after edits, moves and deletions, too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from quire_engine import locations
from quire_engine.engine import Engine
from quire_engine.index import topic_statistics
from quire_engine.index.reader import IndexReader
from quire_engine.index.topic_statistics import TopicStatistics, read

from .conftest import Index


def fill(index: Index, notes: dict[str, str]) -> None:
    for path, text in notes.items():
        index.put(path, text, topic=path.partition("/")[0])
    index.embed()


def sentence(n: int) -> str:
    return f"Note {n} tells of the number {n * 7} and nothing else.\n"


MANY = {f"{topic}/{n}.md": sentence(n) for topic in ("a", "b") for n in range(120)}


def same(one: TopicStatistics, other: TopicStatistics) -> bool:
    return (
        one.names == other.names
        and np.array_equal(one.notes, other.notes)
        and np.array_equal(one.means, other.means)
        and np.array_equal(one.owners, other.owners)
    )


class TestRead:
    def test_a_small_topic_has_the_mean_of_all_its_vectors(self, index: Index) -> None:
        fill(index, {"a/1.md": "One.\n", "a/2.md": "Two.\n", "b/3.md": "Three.\n"})
        found = read(index.db)
        assert found.names == ("a", "b")
        assert found.notes.tolist() == [2, 1]
        assert found.owners.tolist() == [0, 1]
        for row, topic in enumerate(found.names):
            blobs = index.rows(
                "SELECT v.embedding FROM vectors v JOIN chunks c ON c.id = v.chunk_id "
                f"JOIN notes n ON n.id = c.note_id WHERE n.topic = '{topic}'"
            )
            vectors = np.stack([np.frombuffer(blob, np.float32) for (blob,) in blobs])  # type: ignore[call-overload]
            assert np.allclose(found.means[row], vectors.mean(axis=0), atol=1e-6)

    def test_a_topic_without_vectors_has_no_mean(self, index: Index) -> None:
        fill(index, {"b/1.md": "One.\n"})
        index.put("a/2.md", "Two.\n", topic="a")
        found = read(index.db)
        assert found.names == ("a", "b")
        assert found.owners.tolist() == [1]

    def test_an_empty_index(self, index: Index) -> None:
        found = read(index.db)
        assert found.names == ()
        assert found.means.shape[0] == len(found.owners) == 0

    def test_a_large_topic_has_a_few_means_around_all_of_it(self, index: Index) -> None:
        fill(index, MANY)
        found = read(index.db)
        assert np.bincount(found.owners).tolist() == [4, 4]
        assert found.means.dtype == np.float32

    def test_the_order_in_which_notes_came_does_not_matter(
        self, tmp_path_factory: pytest.TempPathFactory, index: Index
    ) -> None:
        fill(index, MANY)
        other = Index(tmp_path_factory.mktemp("other"), index._chunker)
        try:
            fill(other, dict(reversed(MANY.items())))
            assert same(read(index.db), read(other.db))
        finally:
            other.db.close()

    def test_a_long_note_does_not_speak_for_its_topic_alone(
        self, index: Index, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(topic_statistics, "_A_NOTES", 2)
        sampled: list[int] = []
        means = topic_statistics._means

        def counted(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
            sampled.append(len(vectors))
            return means(vectors)

        monkeypatch.setattr(topic_statistics, "_means", counted)
        fill(
            index, {"a/long.md": "\n\n".join(f"## {n}\n\n{sentence(n)}" for n in range(30)), "a/1.md": "One."}
        )
        read(index.db)
        assert sampled == [3]


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("QUIRE_DATA_DIR", str(tmp_path / "data"))
    for path, text in {
        "Garden/Roses.md": "Cut the roses in March.\n",
        "Garden/Soil.md": "Loam holds water.\n",
        "Kitchen/Bread.md": "Bake the loaf at 230 degrees.\n",
    }.items():
        (tmp_path / "vault" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "vault" / path).write_text(text)
    with Engine.open(tmp_path / "vault") as opened:
        opened.sync()
        yield opened


class TestCache:
    """The same reader, asked again after the vault has changed, says what one that reads anew says."""

    def look(self, engine: Engine, vault: Path, reader: IndexReader) -> TopicStatistics:
        engine.sync()
        fresh = IndexReader(locations.index_dir(vault))
        try:
            cached, anew = reader.topic_means(), fresh.topic_means()
        finally:
            fresh.close()
        assert same(cached, anew)
        assert cached is reader.topic_means()
        return cached

    def test_is_right_after_every_change(self, engine: Engine, tmp_path: Path) -> None:
        vault = tmp_path / "vault"
        reader = IndexReader(locations.index_dir(vault))
        try:
            first = self.look(engine, vault, reader)
            assert first.names == ("Garden", "Kitchen")

            (vault / "Garden/Roses.md").write_text("A satellite circles the planet in low orbit.\n")
            edited = self.look(engine, vault, reader)
            assert not np.array_equal(edited.means, first.means)

            (vault / "Sky").mkdir()
            (vault / "Garden/Roses.md").rename(vault / "Sky/Orbit.md")
            moved = self.look(engine, vault, reader)
            assert moved.names == ("Garden", "Kitchen", "Sky")
            assert moved.notes.tolist() == [1, 1, 1]

            (vault / "Kitchen/Bread.md").unlink()
            assert self.look(engine, vault, reader).names == ("Garden", "Sky")
        finally:
            reader.close()

    def test_topics_of_chunks_and_notes(self, engine: Engine, tmp_path: Path) -> None:
        reader = IndexReader(locations.index_dir(tmp_path / "vault"))
        try:
            hits = engine.search("roses bread").hits
            topics = reader.topics_of([hit.chunk_id for hit in hits] + [12345])
            assert topics == {hit.chunk_id: hit.topic for hit in hits}
            paths = ["Garden/Soil.md", "Garden/Nowhere.md", "' OR 1=1 --"]
            assert reader.topics_of_notes(paths) == {"Garden/Soil.md": "Garden"}
        finally:
            reader.close()
