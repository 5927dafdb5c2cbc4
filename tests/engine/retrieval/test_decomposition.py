"""Questions that are several, and those that only look so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_engine.retrieval.decomposition import asked, decompose


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        (
            "What is the difference between online and community pharmacies?",
            ("online", "community pharmacies"),
        ),
        ("compare Postgres with MySQL in replication", ("Postgres in replication", "MySQL in replication")),
        ("Please compare roses and tulips", ("roses", "tulips")),
        ("How did France differ from Britain?", ("France", "Britain")),
        ("Rust vs. Go", ("Rust", "Go")),
        ("should I use vim or emacs for prose?", ("vim for prose", "emacs for prose")),
        ("Which is faster, a hash map or a tree?", ("a hash map", "a tree")),
        ("Was ist der Unterschied zwischen Äpfeln und Birnen?", ("Äpfeln", "Birnen")),
        ("différence entre le thé et le café", ("le thé", "le café")),
        ("diferencias entre gatos y perros", ("gatos", "perros")),
        ("чем объясняется разница между розами и тюльпанами?", ("розами", "тюльпанами")),
        ("苹果和梨的区别是什么？", ("苹果", "梨")),
        ("りんごと梨の違いは何ですか", ("りんご", "梨")),
    ],
)
def test_comparisons_fall_into_their_sides(text: str, sides: tuple[str, ...]) -> None:
    assert decompose(text) == (sides, True)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            "Who founded the garden club? When were the roses planted there in spring?",
            (),  # "there" speaks of the club
        ),
        (
            "Who founded the garden club? When were the roses planted?",
            ("Who founded the garden club?", "When were the roses planted?"),
        ),
        (
            "who designed the kiln and when were roses first planted",
            ("who designed the kiln", "when were roses first planted"),
        ),
        (
            "Wer baute den Ofen und wann wurden Rosen gepflanzt?",
            ("Wer baute den Ofen", "wann wurden Rosen gepflanzt?"),
        ),
        (
            "Who leaves in March, and when is the release?",
            ("Who leaves in March", "when is the release?"),
        ),
        ("What is raku and how do I glaze?", ("What is raku", "how do I glaze?")),
        (
            "Who keeps the key and how do you reach her?",  # whom the question does not name
            ("Who keeps the key", "how do you reach her?"),
        ),
    ],
)
def test_several_questions_fall_apart(text: str, parts: tuple[str, ...]) -> None:
    assert decompose(text) == (parts, False)


@pytest.mark.parametrize(
    "text",
    [
        "What is Docker and how does it work?",
        "When and where was Ada Lovelace born?",
        "Where was Ada Lovelace born and where did she die?",
        "How many roses and how many tulips bloom?",
        "Who fires the kiln and who fires a kiln?",
        "What is the difference between raku and what is fired twice?",
        "salt and pepper",
        "the man and what he said",
        "What did Marx and Engels write?",
        "Which teachers and schools were closed when the war began?",
        "What author argues pitching the conscience versus the collective?",
        "The West saw themselves as what compared to the east?",
        "MiraLAX vs. Golytely: is there a significant difference in the detection rate?",
        "What is the difference between them?",
        "difference between red, green and blue",
        "compare it with that",
        "Is it true? Why?",
        "Are rural or urban homes larger?",
        "the (so called ?slip? effect) in boundary layers",
        "",
        "???",
    ],
)
def test_what_is_one_stays_one(text: str) -> None:
    assert decompose(text)[0] == ()


@given(st.text())
def test_parts_consist_of_words_of_the_question(text: str) -> None:
    parts, _ = decompose(text)
    assert len(parts) != 1
    assert asked(text)
    for part in parts:
        assert all(word in text for word in part.split())


@given(
    st.lists(st.sampled_from("compare what and or vs between difference x.y ? : , the".split()), max_size=300)
)
def test_hostile_questions_end(words: list[str]) -> None:
    assert len(decompose(" ".join(words))[0]) <= 4
