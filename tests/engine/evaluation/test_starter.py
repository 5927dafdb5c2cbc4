"""A first judged set from a vault."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from quire_engine.errors import ConfigError
from quire_engine.evaluation.judged_set import read_set
from quire_engine.evaluation.judgements import read_queries
from quire_engine.evaluation.matching import holds
from quire_engine.evaluation.questions import read_questions
from quire_engine.evaluation.starter import write_starter_set
from quire_engine.records import FileStat, Note
from quire_engine.vault.parser import parse


class Notes:
    """A folder of notes as an engine shows it; ages go by file name."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.texts = texts

    def notes(self) -> list[tuple[str, str, tuple[str, ...]]]:
        return [(path, path.removesuffix(".md"), ()) for path in sorted(self.texts)]

    def current_note(self, path: str) -> Note | None:
        text = self.texts[path]
        return parse(path, text.encode(), FileStat(len(text), 10**9 * len(path), 1))


def thing(name: str) -> str:
    return (
        f"# {name}\n\nThe {name} is a small wooden thing of use. The {name} has 12 legs.\n\n"
        f"To mend the {name}, take glue and wait. If you want to paint the {name}, use a brush.\n"
    )


NAMES = [f"{kind}{letter * 3}" for kind in ("Chair", "Table") for letter in "abcdefghijkl"]
TEXTS = {f"{name[:5]}s/{name}.md": thing(name) for name in NAMES}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "vault").mkdir()
    return tmp_path / "vault"


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


class TestWrite:
    def test_what_is_written_can_be_measured(self, place: Path, tmp_path: Path) -> None:
        folder = tmp_path / "sets/mine"
        counts = write_starter_set(Notes(TEXTS), place, folder)
        questions = read_questions(folder)
        answerable = [question for question in questions if question.answerable]
        assert len(answerable) == counts["questions.jsonl"] == 30
        assert len(questions) - len(answerable) == counts["offvault.jsonl"] == 8
        for question in answerable:
            ((note, line),) = (place.split("#L") for place in question.places)
            assert holds(TEXTS[note], question.answers)
            assert holds(TEXTS[note].split("\n", int(line) - 1)[-1], question.sentences)
        queries = read_queries(folder)
        assert len(queries) == counts["queries.jsonl"]
        assert {path for query in queries for path in query.relevant} <= TEXTS.keys()
        found = read_set(folder)
        assert (found.vault, found.requirements) == (place.resolve(), ())
        assert str(folder) in (folder / "README.md").read_text()

    def test_questions_are_spread_over_topics_and_notes(self, place: Path, tmp_path: Path) -> None:
        write_starter_set(Notes(TEXTS), place, tmp_path / "set")
        notes = [line["note"] for line in lines(tmp_path / "set/questions.jsonl")]
        assert max(map(notes.count, notes)) == 2
        assert 14 <= sum(note.startswith("Chairs/") for note in notes) <= 16

    def test_the_same_notes_give_the_same_set(self, place: Path, tmp_path: Path) -> None:
        for name in ("one", "two"):
            write_starter_set(Notes(TEXTS), place, tmp_path / name)
        for name in ("questions.jsonl", "queries.jsonl", "qrels.tsv", "offvault.jsonl"):
            assert (tmp_path / "one" / name).read_text() == (tmp_path / "two" / name).read_text()

    def test_a_requirement_counts_once_its_mark_is_taken_away(self, place: Path, tmp_path: Path) -> None:
        folder = tmp_path / "set"
        write_starter_set(Notes(TEXTS), place, folder)
        file = folder / "eval.toml"
        file.write_text(file.read_text().replace('# "', '"'))
        assert len(read_set(folder).requirements) == 6

    def test_what_the_notes_tell_of_is_not_asked_in_vain(self, place: Path, tmp_path: Path) -> None:
        told = {
            "Moon.md": "# Neptune\n\nNeptune is a planet of many moons.\n\nThe Burj Khalifa is a tower.\n"
        }
        write_starter_set(Notes({**TEXTS, **told}), place, tmp_path / "set")
        asked = " ".join(line["question"] for line in lines(tmp_path / "set/offvault.jsonl"))
        assert "Neptune" not in asked
        assert "Burj" not in asked
        assert "tungsten" in asked


class TestRefusals:
    def test_a_folder_in_the_vault_even_by_a_link(self, place: Path, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(place)
        for folder in (place, place / "set", tmp_path / "link/set"):
            with pytest.raises(ConfigError, match="lies inside the vault"):
                write_starter_set(Notes(TEXTS), place, folder)
        assert not list(place.iterdir())

    @pytest.mark.parametrize("name", ["questions.jsonl", "eval.toml", "README.md"])
    def test_a_set_that_is_there_is_left_as_it_is(self, place: Path, tmp_path: Path, name: str) -> None:
        folder = tmp_path / "set"
        folder.mkdir()
        (folder / name).symlink_to("elsewhere")  # also one that leads nowhere
        with pytest.raises(ConfigError, match=f"holds {name} already"):
            write_starter_set(Notes(TEXTS), place, folder)
        assert [file.name for file in folder.iterdir()] == [name]

    def test_notes_without_a_sentence(self, place: Path, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="no sentence that a question could be made from"):
            write_starter_set(Notes({"A.md": "- [ ] milk\n"}), place, tmp_path / "set")
        assert not (tmp_path / "set").exists()
