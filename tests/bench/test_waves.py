"""The curve of context, on a small judged set."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from bench import __main__ as bench
from bench import waves
from quire_engine.answering import waves as wave_plan

NOTES = {
    "Roses.md": "# Roses\n\nPrune the bushes in early March, before the buds open.\n",
    "Kiln.md": "# Kiln\n\nThe kiln for pottery reaches 1240 degrees on the second day.\n",
    "Heap.md": "# Heap\n\nTurn the compost heap every two weeks, so that air reaches the middle.\n",
}
QUESTIONS = [
    {
        "id": "a",
        "question": "When should I prune the bushes?",
        "answers": ["early March"],
        "note": "Roses.md",
    },
    {
        "id": "b",
        "question": "How hot is the kiln for pottery?",
        "answers": ["1240 degrees"],
        "note": "Kiln.md",
    },
    {"id": "c", "question": "How often is the compost heap turned?", "answers": ["never at all"]},
    {"id": "d", "question": "Who owns the moon?", "answerable": False},
]


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    (folder / "vault").mkdir(parents=True)
    for name, text in NOTES.items():
        (folder / "vault" / name).write_text(text)
    (folder / "questions.jsonl").write_text("\n".join(json.dumps(line) for line in QUESTIONS))
    return folder


@pytest.mark.usefixtures("model_cache")
class TestWaves:
    def test_reads_the_same_questions_in_all_ways(
        self, asked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        before = dict(os.environ)
        in_force = (wave_plan.TIERS, dict(wave_plan.ENOUGH))
        file = tmp_path / "figures.json"
        assert bench.main(["waves", str(asked), "--json", str(file)]) == 0
        out = capsys.readouterr().out
        assert "set: 3 questions with an answer" in out
        figures = json.loads(file.read_text())
        assert figures["schema"] == waves.SCHEMA
        (rows,) = figures["sets"].values()
        named = {row["name"]: row for row in rows}
        for name, row in named.items():
            assert f"\n{name} " in out
            assert row["answer_recall"] <= row["context_recall"]
        one, ten = named["best 1"], named["best 10"]
        assert (one["passages"], ten["passages"]) == (1, 3)
        assert one["tokens"] < ten["tokens"]
        assert (ten["share"], ten["change"], ten["interval"]) == (1.0, 0.0, [0.0, 0.0])
        assert ten["context_recall"] == pytest.approx(2 / 3)
        in_use = named["as it comes"]
        assert 1 <= in_use["passages"] <= 3
        least = named["waves, thresholds × 0.25"]
        assert least["tokens"] <= in_use["tokens"] <= ten["tokens"]
        assert in_use["answer_recall"] == pytest.approx(2 / 3)
        assert dict(os.environ) == before
        assert in_force == (wave_plan.TIERS, wave_plan.ENOUGH)

    def test_a_folder_without_questions_is_wrong_usage(
        self, asked: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (asked / "questions.jsonl").unlink()
        with pytest.raises(SystemExit, match="2"):
            bench.main(["waves", str(asked)])
        assert "holds no vault and questions.jsonl" in capsys.readouterr().err
