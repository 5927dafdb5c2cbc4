"""Notes that a question names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_engine.records import NamedNote
from quire_engine.retrieval.names import NoteNames, without_links

NOTES = [
    ("Physics/Schrödinger's Cat.md", "Schrödinger's Cat", ("Die Katze",)),
    ("Physics/Cat.md", "Cat", ()),
    ("Cities/New York.md", "New York City", ("NYC",)),
    ("Cities/York.md", "York", ()),
    ("Cities/東京.md", "東京", ()),
    ("Cities/Сеул.md", "Seoul", ("서울",)),
    ("The.md", "The", ("A", "7", "of the")),
    ("Old/York.md", "York", ()),
    ("Sky/Mercury (planet).md", "Mercury (planet)", ("(", "(x)")),
]


@pytest.fixture(scope="module")
def names() -> NoteNames:
    return NoteNames(NOTES)


def found(names: NoteNames, text: str) -> list[str]:
    return [note.name for note in names.among(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("what is Schrodinger's cat about", ["schrodinger cat"]),
        ("die KATZE und a cat", ["die katze", "cat"]),
        ("from york to new york city", ["york", "new york city"]),
        ("is New York big", ["new york"]),
        ("yorkshire and nyc's parks", ["nyc"]),
        ("東京の人口は?", ["東京"]),
        ("서울은 어디", ["서울"]),
        ("the a of the 7", []),
        ("cat, cat and cat", ["cat"]),
        ("how hot is Mercury", ["mercury"]),
        ("how hot is Mercury (planet)", ["mercury planet"]),
        ("", []),
    ],
)
def test_titles_aliases_and_file_names_longest_first(
    names: NoteNames, text: str, expected: list[str]
) -> None:
    assert found(names, text) == expected


def test_a_name_of_several_notes_names_them_all(names: NoteNames) -> None:
    assert names.among("York") == (NamedNote("york", ("Cities/York.md", "Old/York.md")),)


def test_a_name_of_very_many_notes_names_none() -> None:
    names = NoteNames([(f"{number}/index.md", "index", ()) for number in range(50)])
    assert names.among("the index") == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see [[Cat]]", [("cat", ("Physics/Cat.md",))]),
        (
            "[[physics/cat#Food|the pet]] and ![[NYC]]",
            [("cat", ("Physics/Cat.md",)), ("nyc", ("Cities/New York.md",))],
        ),
        ("[[Old/York]]", [("york", ("Old/York.md",))]),
        ("[[York.md]]", [("york", ("Cities/York.md", "Old/York.md"))]),
        ("[[Nowhere]] [[]] [[#x]] [[", []),
    ],
)
def test_links_name_what_they_lead_to(
    names: NoteNames, text: str, expected: list[tuple[str, tuple[str, ...]]]
) -> None:
    assert names.linked(text) == tuple(NamedNote(name, paths, linked=True) for name, paths in expected)


def test_links_are_words_of_the_question() -> None:
    text = "what of [[People/Ada#Life|her life]], [[Cat]] and [[ a b | a b ]]"
    assert without_links(text) == "what of her life Ada Life, Cat and a b"


@given(st.lists(st.text(min_size=1, max_size=20), max_size=5), st.text())
def test_nothing_raises_and_every_name_stands_in_the_text(titles: list[str], text: str) -> None:
    names = NoteNames([(f"{number}.md", title, ()) for number, title in enumerate(titles)])
    for note in (*names.among(text), *names.linked(text)):
        assert note.paths
    for title in titles:
        for note in names.among(title):
            assert note.paths
    assert without_links(text) is not None
