"""Reading questions with their answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from quire_engine.errors import ConfigError
from quire_engine.evaluation.questions import Question, has_questions, read_questions


def write(folder: Path, *entries: dict[str, Any], name: str = "questions.jsonl") -> Path:
    (folder / name).write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")
    return folder


class TestRead:
    def test_what_is_said_and_cited(self, tmp_path: Path) -> None:
        entry = {"id": 1, "question": "q", "answers": ["a", " "], "note": "N.md", "block": "^b", "lang": "en"}
        (found,) = read_questions(write(tmp_path, entry | {"sentences": ["A b."], "line": 3}))
        assert found == Question(
            "1", "q", "answerable", True, ("a",), ("A b.",), ("N.md#^b",),
            {"lang": "en", "line": "3", "kind": "answerable", "note": "N.md", "block": "^b"},
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("where", "places"),
        [
            ({"note": "N.md", "line": 12}, ("N.md#L12",)),
            ({"note": ["N.md"], "line": 12, "block": []}, ("N.md#L12",)),
            ({"note": "N.md", "line": 12, "block": "b"}, ("N.md#^b",)),
            ({"note": "N.md", "line": None}, ("N.md",)),
            ({"line": 12}, ()),
        ],
    )
    def test_a_line_stands_for_the_block_that_holds_it(
        self, tmp_path: Path, where: dict[str, Any], places: tuple[str, ...]
    ) -> None:
        (found,) = read_questions(write(tmp_path, {"id": 1, "question": "q", "answers": ["a"], **where}))
        assert found.places == places

    def test_a_long_answer_is_a_sentence_and_a_note_a_place(self, tmp_path: Path) -> None:
        (found,) = read_questions(
            write(tmp_path, {"id": "x", "question": "q", "long_answer": "Long.", "note": ["A.md", "B.md"]})
        )
        assert (found.answers, found.sentences, found.places) == ((), ("Long.",), ("A.md", "B.md"))

    def test_unanswerable_ones_have_a_kind_by_file(self, tmp_path: Path) -> None:
        write(tmp_path, {"id": 1, "question": "q", "answerable": False, "note": "N.md"})
        write(tmp_path, {"id": 2, "question": "r"}, name="offvault.jsonl")
        near, far = read_questions(tmp_path)
        assert (near.kind, near.answerable, near.places) == ("unanswerable", False, ())
        assert (far.kind, far.answerable) == ("offvault", False)

    def test_a_limit_takes_every_kind_alike_and_keeps_the_order(self, tmp_path: Path) -> None:
        write(
            tmp_path,
            *({"id": f"a{n}", "question": "q", "answers": ["x"]} for n in range(20)),
            *({"id": f"u{n}", "question": "q", "answerable": False} for n in range(20)),
        )
        write(tmp_path, {"id": "off", "question": "q"}, name="offvault.jsonl")
        assert [q.id for q in read_questions(tmp_path, 7)] == ["a0", "a6", "a13", "u0", "u6", "u13", "off"]
        assert len(read_questions(tmp_path, 100)) == 41

    @pytest.mark.parametrize(
        ("entry", "complaint"),
        [
            ({"id": 1}, "line 1: expected"),
            ({"id": 1, "question": "q"}, "give the 'answers', or the 'note'"),
            ({"id": 1, "question": "q", "answers": [3]}, "'answers' is to be a text, or a list of texts"),
            ({"id": 1, "question": "q", "answerable": "no"}, "'answerable' is to be true or false"),
            ({"id": 1, "question": "q", "answers": ["a"], "block": "b"}, "'block' needs the one 'note'"),
            ({"id": 1, "question": "q", "note": ["A.md", "B.md"], "line": 1}, "'line' needs the one 'note'"),
            ({"id": 1, "question": "q", "note": "A.md", "line": 0}, "'line' is to be the number of a line"),
            ({"id": 1, "question": "q", "note": "A.md", "line": "3"}, "'line' is to be the number of a line"),
            (
                {"id": 1, "question": "q", "note": "A.md", "line": True},
                "'line' is to be the number of a line",
            ),
        ],
    )
    def test_what_is_wrong_is_one_line(self, tmp_path: Path, entry: dict[str, Any], complaint: str) -> None:
        with pytest.raises(ConfigError, match=complaint) as caught:
            read_questions(write(tmp_path, entry))
        assert "\n" not in str(caught.value)

    def test_ids_are_taken_across_both_files(self, tmp_path: Path) -> None:
        write(tmp_path, {"id": 1, "question": "q", "answers": ["a"]})
        write(tmp_path, {"id": "1", "question": "r"}, name="offvault.jsonl")
        with pytest.raises(ConfigError, match=r"offvault\.jsonl, line 1: the id '1' is taken already"):
            read_questions(tmp_path)

    def test_no_question_at_all(self, tmp_path: Path) -> None:
        assert not has_questions(tmp_path)
        with pytest.raises(ConfigError, match="holds no question"):
            read_questions(write(tmp_path))
