"""Which passages a search may find, in a real index."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from quire_engine import locations
from quire_engine.engine import Engine
from quire_engine.errors import StoreError
from quire_engine.index.keywords import open_keywords
from quire_engine.index.reader import IndexReader
from quire_engine.interfaces import KeywordSearcher
from quire_engine.records import Filters
from quire_engine.retrieval import restriction
from quire_engine.retrieval.restriction import Exclusion, both, passing
from quire_engine.settings import EmbeddingSettings, Settings

NOTES = {
    "Garden/Roses.md": "---\ntags: [plants]\n---\nThe **red soil** of the *old* garden suits "
    "[roses](red-kiln.md) well.\n",
    "Garden/Red soil.md": "Clay and sand.\n",
    "Garden/Heap.md": "## About red soil\n\nTurn the heap. <!-- hidden words here -->\n",
    "Clay/Reds.md": "Soil of red clay; reds, soils. The redsoil brand.\n",
    "Clay/Draft.md": "---\ntags: [draft]\nstatus: idea\naliases: [Die Töpferei der Töpfer]\n---\n"
    "Red,\nSOIL at the café bar's end.\n",
    "Haste.md": "Don't rush, it's Ada's way.\n",
    "Film.md": "Die ältesten Filme zeigen, wie der Film begann, und was aus ihm wurde.\n",
    "庭.md": "京都の庭には古い桜の木があります。map桜。\n",
}


class Box:
    """The index of the notes, as retrieval reads it."""

    def __init__(self, folder: Path) -> None:
        self.reader = IndexReader(folder)
        self.keywords: KeywordSearcher = open_keywords(folder, "whoosh", writable=False)

    def paths(self, filters: Filters) -> set[str] | None:
        found = passing(filters, self.reader, self.keywords)
        if found is None:
            return None
        return {hit.path for hit in self.reader.hits(found).values() if hit.kind == "text"}

    def gone(self, *excluded: str, language: str = "", kinds: tuple[str, ...] = ("text",)) -> set[str]:
        """Paths of notes of which no chunk of ``kinds`` may be found."""
        ids = self.reader.chunk_ids(Filters(before=math.inf)) or []
        hits = {chunk: hit for chunk, hit in self.reader.hits(ids).items() if hit.kind in kinds}
        left = Exclusion(excluded, language).remaining(list(hits), self.reader)
        assert left <= set(hits)
        return {hit.path for hit in hits.values()} - {hits[chunk].path for chunk in left}


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    vault = tmp_path_factory.mktemp("vault")
    for path, text in NOTES.items():
        (vault / path).parent.mkdir(exist_ok=True)
        (vault / path).write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUIRE_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        with Engine.open(vault, Settings(embedding=EmbeddingSettings(runtime="openvino"))) as engine:
            engine.sync()
        opened = Box(locations.index_dir(vault))
    yield opened
    opened.reader.close()


def test_nothing_asked_restricts_nothing(box: Box) -> None:
    assert box.paths(Filters()) is None
    assert box.paths(Filters(phrases=("of the", "der die das"), excluded=("roses",))) is None


@pytest.mark.parametrize(
    ("phrase", "paths"),
    [
        ("red soil", {"Garden/Roses.md", "Garden/Red soil.md", "Garden/Heap.md", "Clay/Draft.md"}),
        ("RED   SOIL", {"Garden/Roses.md", "Garden/Red soil.md", "Garden/Heap.md", "Clay/Draft.md"}),
        ("old garden suits roses well", {"Garden/Roses.md"}),
        ("red kiln", set()),
        ("soil red", set()),
        ("hidden words", set()),
        ("don't rush", {"Haste.md"}),
        ("Ada’s way", {"Haste.md"}),
        ("soil at the cafe bar", {"Clay/Draft.md"}),
        ("ed soil", set()),
        ("der Film", {"Film.md"}),  # a stop word where it stands, and none in the phrase's own language
        ("古い桜", {"庭.md"}),
        ("桜古い", set()),
        ("plants", set()),  # a tag is no text of a passage
    ],
)
def test_phrases_stand_in_text_title_or_heading(box: Box, phrase: str, paths: set[str]) -> None:
    assert box.paths(Filters(phrases=(phrase,))) == paths


@pytest.mark.parametrize(
    ("words", "gone"),
    [
        ("roses", {"Garden/Roses.md"}),
        ("heaps", {"Garden/Heap.md"}),
        ("turning", {"Garden/Heap.md"}),
        ("plants", {"Garden/Roses.md"}),  # a tag
        ("plant", {"Garden/Roses.md"}),
        ("draft", {"Clay/Draft.md"}),
        ("idea", {"Clay/Draft.md"}),  # a property
        ("Töpfer", {"Clay/Draft.md"}),  # an alias
        ("CAFE", {"Clay/Draft.md"}),
        ("clay", {"Clay/Reds.md", "Clay/Draft.md", "Garden/Red soil.md"}),
        ("hidden", {"Garden/Heap.md"}),  # in a passage as it stands there
        ("kiln", {"Garden/Roses.md"}),
        ("red soil", {"Garden/Roses.md", "Garden/Red soil.md", "Garden/Heap.md", "Clay/Draft.md"}),
        ("soil red", set()),
        ("ältester", {"Film.md"}),  # by the passage's language, as the word has none
        ("古い", {"庭.md"}),
        ("古", {"庭.md"}),
        ("庭", {"庭.md"}),
        ("maps", {"庭.md"}),
        ("map桜", {"庭.md"}),
        ("md", {"Garden/Roses.md"}),  # in a link, not as the suffix of every note
        ("dont", {"Haste.md"}),
        ("it's", {"Haste.md"}),
        ("ada way", {"Haste.md"}),
        ("nowhere", set()),
        ("-", set()),
    ],
)
def test_excluded_words_stand_nowhere(box: Box, words: str, gone: set[str]) -> None:
    assert box.gone(words) == gone


def test_the_names_of_a_note_count_for_its_properties_too(box: Box) -> None:
    for words in ("draft", "idea", "Töpfer", "clay"):
        assert "Clay/Draft.md" in box.gone(words, kinds=("text", "properties"))
    assert "Clay/Draft.md" not in box.gone("bar", kinds=("text", "properties"))


def test_the_language_of_the_question_counts_too(box: Box) -> None:
    assert box.gone("begonnen", "bar", language="de") == {"Clay/Draft.md"}
    assert box.gone("sandy", language="en") == box.gone("sandy") == set()
    assert box.gone("tonen", language="nl") == set()


def test_all_conditions_hold_together(box: Box) -> None:
    filters = Filters(folders=("Garden",), phrases=("red soil",))
    assert box.paths(filters) == {"Garden/Roses.md", "Garden/Red soil.md", "Garden/Heap.md"}
    assert box.paths(Filters(phrases=("red soil", "the heap"))) == {"Garden/Heap.md"}
    assert box.paths(Filters(tags=("none",), phrases=("red soil",))) == set()


def test_a_phrase_cannot_be_looked_up_in_a_damaged_index(box: Box, tmp_path: Path) -> None:
    keywords = open_keywords(tmp_path, "whoosh", writable=True)
    keywords.apply([], [(1, {"soil": 1.0})], 1)
    for file in keywords.folder.glob("*.seg"):
        file.write_bytes(b"nothing")
    damaged = open_keywords(tmp_path, "whoosh", writable=False)
    with pytest.raises(StoreError, match="`quire index` makes the keyword index anew"):
        passing(Filters(phrases=("red soil",)), box.reader, damaged)
    assert passing(Filters(excluded=("red soil",)), box.reader, damaged) is None


def test_of_very_many_candidates_the_best_are_looked_through(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = box.paths(Filters(phrases=("red soil",)))
    monkeypatch.setattr(restriction, "_MOST_READ", 2)
    few = box.paths(Filters(phrases=("red soil",)))
    assert few is not None
    assert everything is not None
    assert few <= everything
    assert 1 <= len(few) <= 2


def test_two_restrictions_are_one() -> None:
    first = Filters(folders=("a",), tags=("b",), since=1.0, before=9.0, paths=("p",))
    second = Filters(
        tags=("c",), since=2.0, before=8.0, where=(("k", "v"),), phrases=("x y",), excluded=("z",)
    )
    assert both(first, second) == Filters(
        folders=("a",),
        tags=("b", "c"),
        since=2.0,
        before=8.0,
        where=(("k", "v"),),
        paths=("p",),
        phrases=("x y",),
        excluded=("z",),
    )
    assert both(first, Filters()) == first
    assert both(Filters(), second) == second
