"""Fitting what makes an answer, on a small set of questions."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

import numpy as np
import pytest

from bench import __main__ as bench
from bench import answer_weights
from bench.conditional_logit import Case, fit
from quire_engine.answering.reading import fitted
from quire_engine.answering.sentences import SIGNALS

THINGS = "rose kiln heap boat clock bread violin glacier saddle comet bridge harbour".split()
MONTHS = "January February March April May June July August September October November December".split()
COLOURS = "red green blue black white yellow brown grey pink purple orange golden".split()
STARS = "Who discovered the star {0}?"


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """Two answerable questions a note, one that its note does not answer, and some of another field."""
    folder = tmp_path / "set"
    (folder / "vault").mkdir(parents=True)
    lines, off = [], []
    for number, (thing, month, colour) in enumerate(zip(THINGS, MONTHS, COLOURS, strict=True)):
        note = f"{thing.title()}.md"
        (folder / "vault" / note).write_text(
            f"# {thing.title()}\n\nAnna looked after the {thing} for years and liked it. "
            f"The {thing} was repaired in {month}. Its owner had the {thing} painted {colour}.\n"
        )
        for identity, question, answers in (
            ("when", f"In which month was the {thing} repaired?", [month]),
            ("colour", f"What colour was the {thing} painted?", [colour]),
            ("price", f"How much did the {thing} cost at the auction?", []),
            ("seller", f"Which museum sold the {thing} to a collector?", []),
        ):
            entry = {"id": f"{thing}-{identity}", "question": question, "answers": answers, "note": note}
            lines.append(json.dumps(entry | {"answerable": bool(answers)}))
        for other in (0, 1):
            name = f"{other} of catalogue {number}"
            off.append(json.dumps({"id": f"star-{other}-{number}", "question": STARS.format(name)}))
    (folder / "questions.jsonl").write_text("\n".join(lines))
    (folder / "offvault.jsonl").write_text("\n".join(off))
    return folder


@pytest.mark.usefixtures("model_cache")
class TestCommand:
    def test_prints_the_file_and_what_it_promises(
        self, asked: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        before = dict(os.environ)
        in_use = fitted()
        assert bench.main(["answer-weights", str(asked)]) == 0
        captured = capsys.readouterr()
        table = tomllib.loads(captured.out)
        assert {name: set(section) for name, section in table.items()} == {
            name: set(section) for name, section in in_use.items()
        }
        read, unread = ({name: table["sentences"][name][side] for name in SIGNALS} for side in (0, 1))
        assert {name for name, weight in read.items() if weight} <= set(answer_weights.READ)
        assert read != {name: in_use["sentences"][name][0] for name in SIGNALS}
        # No question is one that the embedding model cannot read.
        assert unread == {name: in_use["sentences"][name][1] for name in SIGNALS}
        assert table["bearing"] != in_use["bearing"]
        assert table["confidence"] != in_use["confidence"]
        in_force, held_out = captured.err.split("fitted to other notes:")
        for figures in (in_force, held_out):
            for figure in ("answer in the best sentence, read", "wrong abstentions", "area under ROC"):
                assert f"\n  {figure}" in figures
        assert _figure(held_out, "area under ROC") > 0.8
        assert _figure(held_out, "answer in the best sentence, read") > 0.8
        assert dict(os.environ) == before

    def test_what_there_is_too_little_for_stays_as_it_is(
        self, asked: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert bench.main(["answer-weights", str(asked), "--limit", "9"]) == 0
        assert tomllib.loads(capsys.readouterr().out) == fitted()

    def test_a_folder_without_questions_is_wrong_usage(
        self, asked: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (asked / "questions.jsonl").unlink()
        with pytest.raises(SystemExit, match="2"):
            bench.main(["answer-weights", str(asked)])
        assert "holds no vault and questions.jsonl" in capsys.readouterr().err


class TestConditionalLogit:
    def test_one_right_alternative_of_several_is_enough(self) -> None:
        """The second feature marks alternatives that are right but never needed."""
        random = np.random.default_rng(3)
        cases: list[Case] = []
        for _ in range(400):
            features = np.column_stack([random.permutation([1.0, 0, 0, 0, 0, 0]), random.normal(size=6)])
            right = features[:, 0].copy()
            right[random.choice(6, 2)] = 1.0
            cases.append((features, right))
        either = fit({"set": cases}, any_of=True)
        shared = fit({"set": [(features, right / right.sum()) for features, right in cases]})
        assert either[0] > shared[0] + 1
        assert abs(either[1]) < 0.2

    def test_what_can_be_told_apart_without_error_has_weights(self) -> None:
        """Newton's method alone would run away."""
        cases: list[Case] = [(np.array([[30.0, 1.0], [-30.0, 1.0]]), np.array([1.0, 0.0]))] * 30
        weights = fit({"set": cases}, ridge=1e-9)
        assert np.isfinite(weights).all()
        assert weights[0] > 0


def _figure(text: str, name: str) -> float:
    line = next(line for line in text.splitlines() if name in line)
    return float(line.partition(name)[2].split("(")[0].split()[-1])
