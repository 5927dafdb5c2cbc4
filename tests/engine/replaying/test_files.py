"""Saved answers on disk: whole, private, and never believed without a look."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quire_engine.errors import ConfigError
from quire_engine.records import (
    Answer,
    AnswerStatus,
    Citation,
    Entity,
    FileStat,
    Filters,
    Hit,
    Message,
    ScoreTrace,
    SearchResult,
    Signal,
    Turn,
    Wave,
)
from quire_engine.replaying.files import SCHEMA, check_target, load_answer_run, run_document, save_document
from quire_engine.replaying.record import AnswerRun, ModelUsed, Recording
from quire_engine.settings import AnswerSettings, Settings
from quire_engine.vault.parser import parse

TEXT = "# Atlas\n\nAtlas ships in March.\n"
HIT = Hit(
    rank=1,
    chunk_id=0x7FFFFFFFFFFFFFFF,
    path="Projects/Atlas.md",
    title="Atlas",
    headings=("Atlas",),
    start_line=3,
    end_line=3,
    text="Atlas ships in March.",
    score=0.9,
    topic="Projects",
    trace=ScoreTrace((Signal("dense", 1, 0.5, 1.0, 0.5),), ("Copy.md:1-2",)),
    sentences=((0, 21),),
    entities=(Entity("Atlas", "NOTE"),),
)
PROOF = Citation(1, HIT.path, HIT.headings, 3, 3, HIT.text, True, 0.9)
ANSWER = Answer(
    question="When does it ship?",
    status=AnswerStatus.SUPPORTED,
    text="In March. [1]",
    citations=(PROOF,),
    waves=(Wave("critical", 1, 9, 1.0, "answered"),),
    model="tiny",
    generation=4,
    incomplete=False,
    standalone="When does Atlas ship?",
    messages=(Message("system", "Answer."), Message("user", "When?")),
    reply="In March. [1] \x1b[31m",
)
TURN = Turn(1, 5.0, "What is Atlas?", "", "A ship. [1]", AnswerStatus.SUPPORTED, (PROOF,), "tiny", 4)


def made(answer: Answer = ANSWER, hit: Hit = HIT) -> AnswerRun:
    recording = Recording()
    recording.rarity(lambda words: dict.fromkeys(words, 1.5))(["ship", "atla"])
    settings = Settings(answer=AnswerSettings(seed=7, temperature=0.5))
    read = recording.read(lambda path: parse(path, TEXT.encode(), FileStat(1, 1, 1)))
    return recording.finish(
        answer,
        result=SearchResult("When does Atlas ship?", (hit,), 4, False, {"total": 1.5}),
        filters=Filters(folders=("Projects",), where=(("status", "open"),)),
        limit=10,
        settings=settings,
        fingerprint="f",
        model=ModelUsed("tiny", "ab" * 32),
        read=read,
        turns=(TURN,),
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "run.json"
    save_document(run_document(made()), path)
    return path


class TestSaving:
    def test_what_is_saved_is_what_is_loaded(self, tmp_path: Path) -> None:
        run = made()
        save_document(run_document(run), tmp_path / "run.json")
        assert load_answer_run(tmp_path / "run.json") == run

    def test_it_holds_all_that_the_answer_was_made_from(self, file: Path) -> None:
        document = json.loads(file.read_text())
        (hit,) = document["result"]["hits"]
        assert document["schema"] == SCHEMA
        assert hit["chunk_id"] == "7fffffffffffffff"
        assert len(hit["content_hash"]) == 32
        assert document["settings"]["answer"]["seed"] == 7
        assert document["model"] == {"name": "tiny", "sha256": "ab" * 32}
        assert document["rarity"] == {"ship": 1.5, "atla": 1.5}
        assert document["answer"]["messages"][1] == {"role": "user", "content": "When?"}
        assert document["notes"][0]["excerpts"][0]["text"] == HIT.text
        assert [turn["question"] for turn in document["turns"]] == ["What is Atlas?"]

    def test_it_is_the_users_alone(self, file: Path) -> None:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert [each.name for each in file.parent.iterdir()] == [file.name]

    def test_control_characters_stay_out_of_the_file(self, file: Path) -> None:
        text = file.read_bytes()
        assert text.isascii()
        assert b"\x1b" not in text

    def test_what_json_or_utf8_has_no_word_for(self, tmp_path: Path) -> None:
        odd = made(
            replace(ANSWER, text="odd \ud800", confidence=float("nan")), replace(HIT, score=float("inf"))
        )
        save_document(run_document(odd), tmp_path / "odd.json")
        loaded = load_answer_run(tmp_path / "odd.json")
        assert (loaded.answer.text, loaded.result.hits[0].score) == ("odd \ufffd", 0.0)

    def test_a_saved_answer_is_replaced(self, file: Path) -> None:
        save_document(run_document(made(replace(ANSWER, text="In May."))), file)
        assert load_answer_run(file).answer.text == "In May."

    @pytest.mark.parametrize("content", [b"# My only note\n", b'{"schema": "quire.run/1"}', b"", b"\xff\x00"])
    def test_nothing_else_is_replaced_unless_forced(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "note.md"
        path.write_bytes(content)
        with pytest.raises(ConfigError, match="--force"):
            save_document(run_document(made()), path)
        assert path.read_bytes() == content
        save_document(run_document(made()), path, force=True)
        assert load_answer_run(path).answer.text == ANSWER.text
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    @pytest.mark.parametrize("place", ["/dev/null", "missing/run.json"])
    def test_places_that_cannot_be_written(self, tmp_path: Path, place: str) -> None:
        with pytest.raises(ConfigError, match="cannot write"):
            check_target(tmp_path / place, force=True)

    def test_a_pipe_is_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(ConfigError, match="no regular file"):
            check_target(tmp_path / "pipe", force=True)
        with pytest.raises(ConfigError, match="no regular file"):
            load_answer_run(tmp_path / "pipe")

    def test_a_link_stays_a_link(self, file: Path) -> None:
        link = file.with_name("link.json")
        link.symlink_to(file)
        save_document(run_document(made(replace(ANSWER, text="In May."))), link)
        assert link.is_symlink()
        assert load_answer_run(file).answer.text == "In May."


Change = Callable[[dict[str, Any]], object]
HITS = ("result", "hits", 0)


def _set(*path: Any) -> Change:
    *way, name, value = path

    def change(document: dict[str, Any]) -> None:
        place: Any = document
        for step in way:
            place = place[step]
        place[name] = value

    return change


DAMAGES: list[Change] = [
    _set(*HITS, "text", "Atlas ships in May."),
    _set(*HITS, "chunk_id", "no hex"),
    _set(*HITS, "chunk_id", 5),
    _set(*HITS, "chunk_id", "f" * 100_000),
    _set(*HITS, "content_hash", None),
    _set(*HITS, "sentences", [[0, 999]]),
    _set(*HITS, "sentences", [[-4, 2]]),
    _set(*HITS, "start_line", 9),
    _set(*HITS, "path", None),
    _set(*HITS, "headings", "\x1b[31m"),
    _set("result", "hits", {}),
    _set("result", "hits", [5]),
    _set("result", []),
    _set("limit", 0),
    _set("limit", 10**15),
    _set("limit", "10"),
    _set("settings", {}),
    _set("settings", "answer", {"sentences": 10**9}),
    _set("settings", "answer", []),
    _set("settings", "retrieval", "candidates", -1),
    _set("rarity", {"ship": "rare"}),
    _set("notes", 0, "excerpts", 0, "start_line", 10**15),
    _set("notes", 0, "content_hash", "no hex"),
    _set("answer", "status", "certain"),
    _set("answer", "text", "\ud800"),
    _set("filters", "since", "yesterday"),
    lambda document: document.pop("answer"),
    lambda document: document["notes"].append(document["notes"][0]),
    lambda document: document["result"].update(hits=document["result"]["hits"] * 1001),
]


class TestLoading:
    @pytest.mark.parametrize("damage", DAMAGES)
    def test_a_damaged_file_is_one_clear_line(self, file: Path, damage: Change) -> None:
        document = json.loads(file.read_text())
        damage(document)
        file.write_text(json.dumps(document))
        with pytest.raises(ConfigError, match="is a damaged saved answer: ") as error:
            load_answer_run(file)
        assert str(error.value).isprintable()
        assert len(str(error.value)) < 500

    @pytest.mark.parametrize("number", ["1e999", "NaN", "-Infinity", "9" * 5000])
    def test_numbers_that_are_none(self, file: Path, number: str) -> None:
        file.write_text(file.read_text().replace('"score": 0.9', f'"score": {number}'))
        with pytest.raises(ConfigError, match="numbers that are too large"):
            load_answer_run(file)

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"# A note",
            b"\xff\xfe\x00",
            b"[" * 100_000,
            b"5",
            b"[]",
            b"null",
            b"{}",
            b'{"schema": 5}',
            b'{"schema": "quire.run/1", "results": []}',
            b'{"schema": "quire.answer-run/\x1b[31m"}',
        ],
    )
    def test_a_foreign_file_says_how_to_make_one(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "foreign.json"
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=r"is no saved answer.*--save-run FILE"):
            load_answer_run(path)

    def test_a_file_of_a_newer_quire(self, file: Path) -> None:
        file.write_text(file.read_text().replace(SCHEMA, "quire.answer-run/2"))
        with pytest.raises(ConfigError, match="newer Quire"):
            load_answer_run(file)

    def test_half_a_file(self, file: Path) -> None:
        file.write_bytes(file.read_bytes()[:-200])
        with pytest.raises(ConfigError, match="not JSON"):
            load_answer_run(file)

    def test_no_file(self, tmp_path: Path) -> None:
        for path in (tmp_path / "none.json", tmp_path):
            with pytest.raises(ConfigError, match="cannot read"):
                load_answer_run(path)

    def test_fields_of_later_versions_are_left_aside(self, file: Path) -> None:
        document = json.loads(file.read_text())
        document["result"]["hits"][0]["colour"] = document["mood"] = "blue"
        document["settings"]["answer"]["mood"] = document["settings"]["mood"] = {"colour": "blue"}
        file.write_text(json.dumps(document))
        assert load_answer_run(file).answer_settings == AnswerSettings(seed=7, temperature=0.5)
