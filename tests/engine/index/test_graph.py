from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from quire_engine.index import graph
from quire_engine.index.reader import IndexReader
from quire_engine.index.store import note_id
from quire_engine.vault.links import LinkIndex

from .conftest import Index, every_chunk

NOTES = {
    "Roof.md": "# Roof\n\nSlate lasts long, see [[Slate]].\nAsk [[People/Ada|her]] about it.\n\n"
    "## Repairs\n\nMore in [[Roof]], [[Nowhere]] and [[Slate]].\n",
    "Slate.md": "A stone.\n\n" + "\n\n".join(f"## Part {n}\n\nWords of part {n}." for n in range(6)),
    "People/Ada.md": "She likes ![[Slate]].\n",
}


@pytest.fixture
def reader(index: Index) -> Iterator[IndexReader]:
    for path, text in NOTES.items():
        index.put(path, text)
    resolve(index, *NOTES)
    with closing(IndexReader(index.folder)) as opened:
        yield opened


def resolve(index: Index, *paths: str) -> None:
    names = LinkIndex((path, path.rpartition("/")[2].removesuffix(".md"), ()) for path in paths)
    tables = index.writer.relations
    with index.writer.transaction():
        tables.resolve_links(
            (note, position, note_id(found))
            for note, position, source, target, _ in tables.links()
            if (found := names.resolve(target, source)) is not None
        )


def chunks(reader: IndexReader) -> dict[int, str]:
    """The first line of each passage's text, by chunk id."""
    return {chunk: hit.text.split("\n")[0] for chunk, hit in reader.hits(every_chunk(reader)).items()}


class TestOutgoing:
    def test_links_of_each_passage_with_their_lines(self, reader: IndexReader) -> None:
        hits = reader.hits(every_chunk(reader))
        found = [
            (hits[chunk].text.split("\n")[line], note)
            for chunk, line, note in reader.outgoing_links(list(hits))
        ]
        assert sorted(found) == sorted(
            [
                ("Slate lasts long, see [[Slate]].", note_id("Slate.md")),
                ("Ask [[People/Ada|her]] about it.", note_id("People/Ada.md")),
                ("More in [[Roof]], [[Nowhere]] and [[Slate]].", note_id("Slate.md")),
                ("She likes ![[Slate]].", note_id("Slate.md")),
            ]
        )

    def test_only_of_the_passages_that_are_asked_for(self, reader: IndexReader) -> None:
        (repairs,) = [chunk for chunk, line in chunks(reader).items() if line.startswith("More in")]
        assert [(chunk, note) for chunk, _, note in reader.outgoing_links([repairs, 12345])] == [
            (repairs, note_id("Slate.md"))
        ]
        assert reader.outgoing_links([]) == []

    def test_a_vault_without_links(self, index: Index) -> None:
        index.put("a.md", "Nothing but words.\n")
        with closing(IndexReader(index.folder)) as reader:
            assert reader.outgoing_links(every_chunk(reader)) == []

    def test_a_note_that_a_line_links_to_twice_counts_once(self, index: Index) -> None:
        index.put("b.md", "b\n")
        index.put("a.md", "One [[b]], again [[b]] and [[b|so]].\nMore of [[b]].\n")
        resolve(index, "a.md", "b.md")
        with closing(IndexReader(index.folder)) as reader:
            found = reader.outgoing_links(every_chunk(reader))
            assert [(line, note) for _, line, note in found] == [(0, note_id("b.md")), (1, note_id("b.md"))]

    def test_one_endless_line_of_links_does_not_multiply_and_leaves_room_for_the_best(
        self, index: Index
    ) -> None:
        others = [f"b{number}.md" for number in range(60)]
        for path in others:
            index.put(path, "b\n")
        index.put("a.md", "".join(f"Words and a [[b{number % 60}]] there. " for number in range(1500)))
        index.put("z.md", "The best one says [[b7]].\n")
        resolve(index, "a.md", "z.md", *others)
        with closing(IndexReader(index.folder)) as reader:
            of = reader.notes_of(every_chunk(reader))
            (best,) = [chunk for chunk, note in of.items() if note == note_id("z.md")]
            hostile = [chunk for chunk, note in of.items() if note == note_id("a.md")]
            assert len(hostile) > 100
            for place in (0, 20):
                asked = [*hostile[:place], best, *hostile[place:]]
                found = reader.outgoing_links(asked)
                assert len(found) == graph._MOST_LINKS
                assert (best, 0, note_id("b7.md")) in found
                chunks = list(dict.fromkeys(chunk for chunk, _, _ in found))
                assert chunks == asked[: len(chunks)]


class TestPassages:
    def test_the_first_of_each_note(self, reader: IndexReader) -> None:
        slate, ada = note_id("Slate.md"), note_id("People/Ada.md")
        found = reader.passages_of([slate, ada, 12345], 3)
        assert sorted(found.values()) == sorted([slate] * 3 + [ada])
        texts = {chunks(reader)[chunk] for chunk in found}
        assert "A stone." in texts
        assert "Words of part 5." not in texts
        assert reader.notes_of(list(found)) == found

    def test_notes_of_passages_that_are_gone(self, reader: IndexReader) -> None:
        assert reader.notes_of([12345]) == {}
