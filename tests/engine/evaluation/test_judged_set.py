"""A judged set's own settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from quire_engine.errors import ConfigError
from quire_engine.evaluation.judged_set import Requirement, read_set


class TestReadSet:
    def test_without_a_file_the_vault_lies_beside_and_nothing_is_required(self, tmp_path: Path) -> None:
        found = read_set(tmp_path)
        assert (found.vault, found.requirements) == (tmp_path / "vault", ())

    def test_names_the_vault_and_what_is_required(self, tmp_path: Path) -> None:
        (tmp_path / "eval.toml").write_text(
            'vault = "../my notes"\nrequire = ["ndcg@10 >= 0.8", "offvault: abstention_recall>=0.99", '
            '"total_p95_ms <= 1000"]\n'
        )
        found = read_set(tmp_path)
        assert found.vault == tmp_path / "../my notes"
        assert found.requirements == (
            Requirement("ndcg@10 >= 0.8", "", "ndcg@10", True, 0.8),
            Requirement("offvault: abstention_recall>=0.99", "offvault", "abstention_recall", True, 0.99),
            Requirement("total_p95_ms <= 1000", "", "total_p95_ms", False, 1000.0),
        )

    def test_an_absolute_path_and_a_home_are_taken_as_they_are(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOME", "/home/me")
        for written, meant in (("/srv/notes", "/srv/notes"), ("~/notes", "/home/me/notes")):
            (tmp_path / "eval.toml").write_text(f'vault = "{written}"\n')
            assert read_set(tmp_path).vault == Path(meant)

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("vault = ", "is not valid TOML"),
            ("vault = 3", "'vault': Input should be a valid string"),
            ("require = 'x'", "'require': Input should be a valid list"),
            ("recall = 1", "'recall': there is no such key"),
            ("require = ['recall > 1']", "write a measure, >= or <=, and a number"),
            ("require = ['answer_recall >= 1.2.3']", "'1.2.3' is no number"),
            ("require = ['recal >= 1']", "there is no measure 'recal'"),
            ("require = ['near: ndcg@10 >= 1']", "there is no measure 'ndcg@10' of answers"),
        ],
    )
    def test_what_is_wrong_is_one_line(self, tmp_path: Path, text: str, complaint: str) -> None:
        (tmp_path / "eval.toml").write_text(text)
        with pytest.raises(ConfigError, match=complaint) as caught:
            read_set(tmp_path)
        assert "\n" not in str(caught.value)
