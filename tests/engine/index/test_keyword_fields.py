"""What all passages of a note have in common, and its price."""

from __future__ import annotations

import pytest

from quire_engine.index.keyword_fields import MANY_PASSAGES, note_fields
from quire_engine.index.keywords import weighted_terms

from .conftest import Index

TAGS = "tags: [" + ", ".join(f"tag{n}" for n in range(2_000)) + "]"
KEYS = "\n".join(f"key{n}: value{n}" for n in range(1_000))
FRONT = f"---\n{TAGS}\n{KEYS}\naliases: [" + ", ".join(f"alias{n}" for n in range(800)) + "]\n---\n"


def sections(count: int) -> str:
    return FRONT + "".join(f"# Part {n}\n\nWord{n} of the text.\n\n" for n in range(count))


@pytest.mark.parametrize("parts", [0, 3, MANY_PASSAGES + 5])
def test_it_is_the_same_from_the_note_as_from_the_database(index: Index, parts: int) -> None:
    note, chunks = index.parsed("a/b.md", sections(parts))
    index.put("a/b.md", sections(parts))
    stored = dict(index.writer.outbox.fields([chunk.id for chunk in chunks]))
    read = note_fields(note, chunks)
    for chunk, fields in zip(chunks, read, strict=True):
        assert weighted_terms(stored[chunk.id]) == weighted_terms(fields)


def test_long_names_and_properties_are_not_repeated_whole(index: Index) -> None:
    alone, few, many = (
        note_fields(*index.parsed("a.md", sections(parts)))[0] for parts in (0, 3, MANY_PASSAGES + 5)
    )
    for field in ("title", "tags", "properties"):
        assert len(alone[field]) > 6_000
        assert len(few[field]) == 4_000
        assert len(many[field]) == 200


def test_the_passage_of_the_properties_holds_them_all(index: Index) -> None:
    *_, properties = note_fields(*index.parsed("a.md", sections(3)))
    assert "value999" in properties["body"]


def test_passages_that_become_many_are_indexed_again(index: Index) -> None:
    index.put("a.md", sections(MANY_PASSAGES - 1))
    index.outbox()
    index.put("a.md", sections(MANY_PASSAGES + 1))
    rows = index.writer.outbox.page(0, 3 * MANY_PASSAGES)
    assert sum(operation == "add" for _, operation, _ in rows) >= MANY_PASSAGES - 1


def test_passages_are_in_their_own_language_and_short_ones_in_the_notes(index: Index) -> None:
    german = "Der Ofen in der Werkstatt ist warm und die Katze liegt davor, " * 2
    english = "The kiln in the workshop is warm and the cat lies in front of it, " * 2
    text = f"# Eins\n\n{german}\n\n# Auch\n\n{german}\n\n# Zwei\n\nRosen schneiden.\n\n# Drei\n\n{english}\n"
    note, chunks = index.parsed("ofen.md", text)
    index.put("ofen.md", text)
    assert [fields["language"] for fields in note_fields(note, chunks)] == ["de", "de", "de", "en"]
    stored = dict(index.writer.outbox.fields([chunk.id for chunk in chunks]))
    assert [stored[chunk.id]["language"] for chunk in chunks] == ["de", "de", "de", "en"]
