from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from quire_engine.errors import StoreError
from quire_engine.index.database import connect
from quire_engine.index.reader import IndexReader
from quire_engine.index.store import note_id
from quire_engine.records import Entity, Filters, Hit, Neighbour, SkippedNote, TopicStatus

from .conftest import Index, every_chunk, vector

NOTES = {
    "Garden/Roses.md": "---\nstatus: Done\ntags: [plants/roses, Garden]\n"
    "authors: [Ada, '[[People/Grace|G]]']\nrating: 5\nopen: true\nempty:\n---\n"
    "# Roses\n\nPrune in March. See [[Compost]] there. ^prune\n",
    "Garden/Compost.md": "---\ntags: [plants]\nstatus: open\n---\nTurn the heap.\n",
    "Garden_2/Tools.md": "---\ntags: [plantsman]\n---\nA saw.\n",
    "Garden%/Odd.md": "Odd words.\n",
    "Émile/Café.md": "---\ntags: [Café/Crème]\nville: Genève\n---\nUn café.\n",
    "root.md": "At the root, see [[Roses]] and [[Nowhere]].\n",
}


@pytest.fixture
def reader(index: Index) -> Iterator[IndexReader]:
    """A reader of an index with notes modified at 100, 200 … seconds, in the order above."""
    for number, (path, text) in enumerate(NOTES.items(), start=1):
        index.put(path, text, topic=path.split("/")[0], modified=100.0 * number)
    index.embed()
    with index.writer.transaction():
        targets = {"Compost": "Garden/Compost.md", "Roses": "Garden/Roses.md"}
        index.writer.relations.resolve_links(
            (note, position, note_id(targets[target]))
            for note, position, _, target, _ in index.writer.relations.links()
            if target in targets
        )
        index.writer.next_generation()
    opened = IndexReader(index.folder)
    yield opened
    opened.close()


def passing(reader: IndexReader, filters: Filters) -> set[str]:
    found = reader.chunk_ids(filters)
    assert found is not None
    return {hit.path for hit in reader.hits(found).values()}


def hit_in(reader: IndexReader, path: str) -> Hit:
    ids = reader.chunk_ids(Filters(folders=(path.rpartition("/")[0],)))
    return next(hit for hit in reader.hits(ids or []).values() if hit.path == path and hit.kind == "text")


class TestFilters:
    @pytest.mark.parametrize(
        "filters",
        [
            Filters(),
            Filters(folders=("",)),
            Filters(folders=(".", "Garden")),
            Filters(phrases=("deep soil",), excluded=("roses",)),  # for the keyword index to tell
        ],
    )
    def test_none_means_everything(self, reader: IndexReader, filters: Filters) -> None:
        assert reader.chunk_ids(filters) is None

    @pytest.mark.parametrize(
        ("folders", "paths"),
        [
            (("Garden",), {"Garden/Roses.md", "Garden/Compost.md"}),
            (("/Garden/",), {"Garden/Roses.md", "Garden/Compost.md"}),
            (("Garden%",), {"Garden%/Odd.md"}),
            (("Garden_2", "Émile"), {"Garden_2/Tools.md", "Émile/Café.md"}),
            (("Gard",), set()),
            (("' OR 1=1 --",), set()),
        ],
    )
    def test_folders(self, reader: IndexReader, folders: tuple[str, ...], paths: set[str]) -> None:
        assert passing(reader, Filters(folders=folders)) == paths

    @pytest.mark.parametrize(
        ("tags", "paths"),
        [
            (("plants",), {"Garden/Roses.md", "Garden/Compost.md"}),
            (("#PLANTS/Roses",), {"Garden/Roses.md"}),
            (("plants", "garden"), {"Garden/Roses.md"}),
            (("cafe/creme",), {"Émile/Café.md"}),
            (("cafe",), {"Émile/Café.md"}),
            (("plant",), set()),
            (("%",), set()),
        ],
    )
    def test_tags_pass_for_their_parents_and_must_all_be_there(
        self, reader: IndexReader, tags: tuple[str, ...], paths: set[str]
    ) -> None:
        assert passing(reader, Filters(tags=tags)) == paths

    def test_dates_are_from_inclusive_to_exclusive(self, reader: IndexReader) -> None:
        assert passing(reader, Filters(since=200.0, before=400.0)) == {
            "Garden/Compost.md",
            "Garden_2/Tools.md",
        }
        assert passing(reader, Filters(since=600.1)) == set()

    def test_the_beginning_of_time_is_a_date(self, reader: IndexReader) -> None:
        assert passing(reader, Filters(before=0.0)) == set()
        assert passing(reader, Filters(since=0.0)) == set(NOTES)

    @pytest.mark.parametrize(
        ("where", "paths"),
        [
            (("status", "done"), {"Garden/Roses.md"}),
            (("STATUS", " Open "), {"Garden/Compost.md"}),
            (("authors", "ada"), {"Garden/Roses.md"}),
            (("authors", "g"), {"Garden/Roses.md"}),
            (("authors", "people/grace"), {"Garden/Roses.md"}),
            (("authors", "[[People/Grace|G]]"), {"Garden/Roses.md"}),
            (("rating", "5"), {"Garden/Roses.md"}),
            (("open", "true"), {"Garden/Roses.md"}),
            (("empty", ""), {"Garden/Roses.md"}),
            (("ville", "geneve"), {"Émile/Café.md"}),
            (("status", "don"), set()),
            (("nothing", "x"), set()),
            (("status", "%"), set()),
        ],
    )
    def test_properties_are_compared_as_text(
        self, reader: IndexReader, where: tuple[str, str], paths: set[str]
    ) -> None:
        assert passing(reader, Filters(where=(where,))) == paths

    @pytest.mark.parametrize(
        ("wanted", "paths"),
        [
            (("garden",), {"Garden/Roses.md", "Garden/Compost.md", "Garden_2/Tools.md", "Garden%/Odd.md"}),
            (("GARDEN/",), {"Garden/Roses.md", "Garden/Compost.md"}),
            (("ros", "cafe"), {"Garden/Roses.md", "Émile/Café.md"}),
            (("*/*o*.md",), {"Garden/Roses.md", "Garden/Compost.md", "Garden_2/Tools.md", "Garden%/Odd.md"}),
            (("oses",), set()),
            (("' OR 1=1 --",), set()),
        ],
    )
    def test_paths_by_beginning_or_glob(
        self, reader: IndexReader, wanted: tuple[str, ...], paths: set[str]
    ) -> None:
        assert passing(reader, Filters(paths=wanted)) == paths

    def test_paths_and_other_conditions_must_hold_together(self, reader: IndexReader) -> None:
        filters = Filters(paths=("garden",), tags=("plants",), where=(("status", "open"),))
        assert passing(reader, filters) == {"Garden/Compost.md"}

    def test_all_conditions_must_hold(self, reader: IndexReader) -> None:
        filters = Filters(folders=("Garden",), tags=("plants",), since=150.0, where=(("status", "open"),))
        assert passing(reader, filters) == {"Garden/Compost.md"}


class TestHits:
    def test_say_where_and_what(self, reader: IndexReader) -> None:
        hit = hit_in(reader, "Garden/Roses.md")
        assert (hit.title, hit.headings, hit.topic, hit.kind) == ("Roses", ("Roses",), "Garden", "text")
        assert hit.text == "Prune in March. See [[Compost]] there."
        assert (hit.start_line, hit.end_line) == (11, 11)
        assert [hit.text[start:end] for start, end in hit.sentences] == [
            "Prune in March.",
            "See [[Compost]] there.",
        ]

    def test_that_are_gone_are_left_out(self, reader: IndexReader) -> None:
        hit = hit_in(reader, "Garden/Roses.md")
        assert set(reader.hits([hit.chunk_id, 42])) == {hit.chunk_id}
        assert reader.hits([]) == {}

    def test_links_and_names_of_a_passage(self, reader: IndexReader, index: Index) -> None:
        hit = hit_in(reader, "Garden/Roses.md")
        with index.writer.transaction():
            index.writer.relations.put_entities(hit.chunk_id, [Entity("Compost", "NOTE")])
        assert reader.links([hit.chunk_id]) == {hit.chunk_id: ("Garden/Compost.md",)}
        assert reader.entities([hit.chunk_id]) == {hit.chunk_id: (Entity("Compost", "NOTE"),)}

    @pytest.mark.parametrize("damage", ["zeroblob(4)", "zeroblob(length(vector))", "'text'"])
    def test_a_damaged_vector_is_none_and_hides_no_other(
        self, reader: IndexReader, index: Index, damage: str
    ) -> None:
        every = list(every_chunk(reader))
        before = reader.vectors(every)
        with index.writer.transaction():
            index.writer._db.execute(
                f"UPDATE embeddings SET vector = {damage} "
                "WHERE hash = (SELECT embed_hash FROM chunks WHERE id = ?)",
                (min(before),),
            )
        after = reader.vectors(every)
        assert min(before) not in after
        assert len(after) >= 3
        assert all((after[chunk] == before[chunk]).all() for chunk in after)

    def test_vectors_are_those_that_were_written(self, reader: IndexReader, index: Index) -> None:
        hit = hit_in(reader, "Garden/Roses.md")
        ((digest,),) = index.db.execute(
            "SELECT embed_hash FROM chunks WHERE id = ?", (hit.chunk_id,)
        ).fetchall()
        (found,) = reader.vectors([hit.chunk_id, 42]).values()
        assert found == pytest.approx(vector(digest), abs=1e-3)
        assert reader.nearest(vector(digest), 1)[0][0] == hit.chunk_id


class TestNavigation:
    def test_links_lead_both_ways(self, reader: IndexReader) -> None:
        assert reader.linked("Garden/Roses.md", "Compost") == "Garden/Compost.md"
        assert reader.linked("root.md", "Nowhere") is None
        assert reader.backlinks("Garden/Roses.md") == ["root.md"]
        assert reader.unresolved_links() == 1 + ("People/Grace" in NOTES["Garden/Roses.md"])

    def test_blocks_have_their_lines(self, reader: IndexReader) -> None:
        assert reader.blocks("Garden/Roses.md") == [("prune", 11, 11)]
        assert reader.blocks("gone.md") == []


LONG = "---\nstatus: done\n---\n" + "\n\n".join(
    f"# {name}\n\n" + "\n".join(f"Sentence {number} about {name} and its old kiln." for number in range(9))
    for name in ("clay", "glaze", "fire")
)


class TestAroundAHit:
    def test_names_of_notes_are_those_of_the_paths_asked_for(self, reader: IndexReader, index: Index) -> None:
        index.put("alias.md", '---\ntitle: The Other\naliases: [One, "T\'wo"]\n---\nWords.\n')
        found = reader.called(["alias.md", "root.md", "alias.md", "gone.md", "' OR 1=1 --"])
        assert sorted(found) == [("alias.md", "The Other", ("One", "T'wo")), ("root.md", "root", ())]
        assert reader.called([]) == []
        assert set(reader.called(list(NOTES))) < set(reader.names())

    def test_what_notes_say_of_themselves(self, reader: IndexReader, index: Index) -> None:
        index.put("said.md", "---\naliases: [One, T'wo]\ntags: [a/b]\nmood: {of: calm}\n---\nWords #c.\n")
        ids = every_chunk(reader)
        said = reader.said_of([*ids, 42])
        assert set(said) == set(ids)
        by_path = {hit.path: said[chunk] for chunk, hit in reader.hits(ids).items()}
        assert by_path["said.md"] == "One\nT'wo\na/b\nc\nmood of calm"
        assert by_path["root.md"] == ""
        assert "plants/roses" in by_path["Garden/Roses.md"]
        assert reader.said_of([]) == {}

    def test_chunks_are_as_old_as_their_notes(self, reader: IndexReader) -> None:
        ids = every_chunk(reader)
        when = {path: 100.0 * number for number, path in enumerate(NOTES, start=1)}
        assert reader.modified([*ids, 42]) == {
            chunk: when[hit.path] for chunk, hit in reader.hits(ids).items()
        }
        assert reader.modified([]) == {}

    def test_neighbours_are_the_passages_before_and_after(self, reader: IndexReader, index: Index) -> None:
        index.put("Long/Note.md", LONG)
        index.put("Long/Other.md", "Beside it.")
        hits = reader.hits(reader.chunk_ids(Filters(folders=("Long",))) or []).values()
        properties = next(hit for hit in hits if hit.kind == "properties")
        passages = sorted(
            (hit for hit in hits if hit.kind == "text" and hit.path == "Long/Note.md"),
            key=lambda hit: hit.start_line,
        )
        assert len(passages) >= 3
        around = reader.neighbours([hit.chunk_id for hit in hits] + [42])
        for number, hit in enumerate(passages):
            beside = [*passages[max(0, number - 1) : number], *passages[number + 1 : number + 2]]
            assert around[hit.chunk_id] == tuple(
                Neighbour(
                    other.start_line < hit.start_line,
                    other.start_line,
                    other.end_line,
                    other.headings,
                    other.text,
                )
                for other in beside
            )
        assert set(around) <= {hit.chunk_id for hit in passages} | {properties.chunk_id}
        assert reader.neighbours([]) == {}


class TestTopics:
    def test_of_chunks_and_notes(self, reader: IndexReader) -> None:
        ids = reader.chunk_ids(Filters(folders=("Garden", "Garden_2"))) or []
        topics = reader.topics_of([*ids, 12345])
        assert topics == {chunk: hit.topic for chunk, hit in reader.hits(ids).items()}
        assert set(topics.values()) == {"Garden", "Garden_2"}
        paths = ["Garden/Compost.md", "root.md", "Garden/Nowhere.md", "' OR 1=1 --"]
        assert reader.topics_of_notes(paths) == {"Garden/Compost.md": "Garden", "root.md": "root.md"}

    def test_names_are_those_that_hold_a_note(self, reader: IndexReader, index: Index) -> None:
        names = {path.split("/")[0] for path in NOTES}
        assert reader.topic_names() == tuple(sorted(names))
        with index.writer.transaction():
            index.writer.remove_notes(["Garden_2/Tools.md"])
        index.put("new.md", "New words.", topic="Attic")
        assert reader.topic_names() == tuple(sorted(names - {"Garden_2"} | {"Attic"}))


class TestStatus:
    def test_counts(self, reader: IndexReader, index: Index) -> None:
        assert reader.generation == 1
        assert reader.count("notes") == len(NOTES)
        assert reader.count("no_such_table") == 0
        assert TopicStatus("Garden", 2, 4) in reader.topics()
        vectors = reader.vector_count()
        index.put("new.md", "New words.")
        assert reader.vector_count() == vectors
        assert reader.count("embedding_queue") == 1

    def test_lists_what_was_wrong(self, reader: IndexReader, index: Index) -> None:
        index.put("bad.md", "---\na: [\n---\nBody.\n")
        with index.writer.transaction():
            index.writer.set_skipped([SkippedNote("z.md", "binary"), SkippedNote("y.md", "large")])
        assert [skipped.path for skipped in reader.skipped()] == ["y.md", "z.md"]
        (warning,) = reader.warnings()
        assert warning.path == "bad.md"
        assert warning.reason


class TestReading:
    def test_sees_what_was_committed_and_nothing_else(self, reader: IndexReader, index: Index) -> None:
        before = reader.count("notes")
        note, chunks = index.parsed("new.md", "New words.")
        with index.writer.transaction():
            index.writer.put_note(note, chunks, "t", 1.0)
            assert reader.count("notes") == before
        assert reader.count("notes") == before + 1

    def test_every_thread_has_a_connection(self, reader: IndexReader) -> None:
        found: list[int] = []
        threads = [threading.Thread(target=lambda: found.append(reader.count("notes"))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [len(NOTES)] * 4

    def test_a_connection_goes_with_its_thread(self, reader: IndexReader) -> None:
        def files() -> int:
            return len(list(Path("/proc/self/fd").iterdir()))

        before = files()
        for _ in range(20):
            thread = threading.Thread(target=reader.count, args=("notes",))
            thread.start()
            thread.join()
        assert files() <= before + 5
        assert reader.count("notes") == len(NOTES)

    def test_a_snapshot_is_of_one_moment(self, reader: IndexReader, index: Index) -> None:
        (roses,) = (
            c
            for c, hit in reader.hits(reader.chunk_ids(Filters(folders=("Garden",))) or []).items()
            if hit.path == "Garden/Roses.md" and hit.kind == "text"
        )
        with reader.snapshot():
            generation = reader.generation
            with index.writer.transaction():
                index.writer.remove_notes(["Garden/Roses.md"])
                index.writer.next_generation()
            with reader.snapshot():
                assert reader.generation == generation
            assert reader.hits([roses])[roses].path == "Garden/Roses.md"
            assert reader.vectors([roses])
            query = reader.vectors([roses])[roses]
            assert reader.nearest(query, 1)[0][0] == roses
        assert reader.generation == generation + 1
        assert not reader.hits([roses])
        assert roses not in dict(reader.nearest(query, 10))

    def test_a_snapshot_ends_with_an_error_in_it(self, reader: IndexReader, index: Index) -> None:
        with pytest.raises(ZeroDivisionError), reader.snapshot():
            reader.count("notes") / 0
        index.put("new.md", "New words.")
        assert reader.count("notes") == len(NOTES) + 1

    def test_a_snapshot_of_a_thread_is_its_own(self, reader: IndexReader, index: Index) -> None:
        found: list[int] = []
        with reader.snapshot():
            assert reader.count("notes") == len(NOTES)
            index.put("new.md", "New words.")
            thread = threading.Thread(target=lambda: found.append(reader.count("notes")))
            thread.start()
            thread.join()
            assert reader.count("notes") == len(NOTES)
        assert found == [len(NOTES) + 1]

    def test_a_database_that_is_replaced_is_read_until_the_other_is_there(
        self, reader: IndexReader, index: Index
    ) -> None:
        files = list(index.folder.glob("index.sqlite3*"))
        for file in files:
            file.unlink()
        assert reader.count("notes") == len(NOTES)
        (index.folder / "index.sqlite3").touch()
        assert reader.count("notes") == len(NOTES)
        connect(index.folder, writable=True).close()
        assert reader.count("notes") == 0

    def test_changes_are_refused(self, reader: IndexReader) -> None:
        with pytest.raises(apsw.ReadOnlyError):
            reader._connection().execute("DELETE FROM notes")

    def test_after_closing_there_is_one_clear_error(self, reader: IndexReader) -> None:
        reader.close()
        with pytest.raises(StoreError, match="reading the index"):
            reader.count("notes")

    def test_what_is_not_there_cannot_be_read(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="cannot be opened"):
            IndexReader(tmp_path / "gone")
