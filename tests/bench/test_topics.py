"""Fitting topic routing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench import topics
from bench.conditional_logit import Case, fit, lowest, softmax
from bench.vaults import write_vault


def cases(weights: list[float], count: int = 3000, seed: int = 1) -> list[Case]:
    """Choices that people with these weights make."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        features = random.normal(size=(4, len(weights)))
        chosen = random.choice(4, p=softmax(features @ np.array(weights)))
        found.append((features, np.eye(4)[chosen]))
    return found


def test_the_weights_behind_choices_are_found() -> None:
    assert fit({"one": cases([2.0, -1.0])}) == pytest.approx([2.0, -1.0], abs=0.2)


def test_sets_weigh_alike_whatever_their_size() -> None:
    small, large = cases([1.0], 400, 2), cases([3.0], 4000, 3)
    assert fit({"a": small, "b": large}) == pytest.approx(fit({"a": small, "b": large[:400]}), abs=0.3)


class TestLowest:
    CASE: Case = (np.zeros((2, 1)), np.array([1.0, 0.0]))

    def held(self, threshold: float, case: Case) -> float | None:
        return threshold

    def test_every_set_must_reach_it(self) -> None:
        def held(threshold: float, case: Case) -> float | None:
            return threshold - float(case[0][0, 0])

        hard: Case = (np.full((2, 1), 0.2), self.CASE[1])
        sets = {"easy": [self.CASE] * 30, "hard": [hard] * 30}
        assert lowest((0.5, 0.7, 0.9), sets, held, 0.6) == 0.9

    def test_a_few_cases_prove_nothing(self) -> None:
        assert lowest((0.9,), {"few": [self.CASE] * 3}, self.held, 0.5) == float("inf")

    def test_none_is_high_enough(self) -> None:
        assert lowest((0.5, 0.7), {"set": [self.CASE] * 30}, self.held, 0.9) == float("inf")


def test_vaults_of_topics_are_measured_from_end_to_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vaults = [tmp_path / "one", tmp_path / "two"]
    for seed, vault in enumerate(vaults):
        write_vault(vault, 8, seed)
    assert topics.main([*map(str, vaults), "--limit", "12"]) == 0
    out = capsys.readouterr().out
    for name in ("one", "two"):
        assert f"\n{name}: 12 questions" in out
    assert "restricted" in out
    assert "of all sets: Calibration(" in out
