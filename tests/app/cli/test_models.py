"""``quire models``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import quire_engine
from quire_engine.errors import DownloadError
from quire_engine.records import InstalledModel
from quire_engine.settings import Settings

Quire = Callable[..., Any]
GGUF = b"GGUF\x03\x00\x00\x00" + bytes(64)
PACKAGED = "all-MiniLM-L6-v2"
AVAILABLE = "qwen2.5-1.5b-instruct"


@pytest.fixture(autouse=True)
def models_dir(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv("QUIRE_MODELS_DIR", str(folder))
    return folder


def rows(text: str) -> dict[str, list[str]]:
    return {line.split()[0]: line.split() for line in text.splitlines()}


class TestList:
    def test_tells_what_is_in_use_from_what_could_be_had(self, quire: Quire) -> None:
        outcome = quire("models", "list")
        assert outcome.code == 0
        table = rows(outcome.out)
        assert "in use" in " ".join(table[PACKAGED])
        assert "available" in table[AVAILABLE]
        assert "Apache-2.0" in table[AVAILABLE]
        assert "1.1 GB" in " ".join(table[AVAILABLE])
        assert "extractive" in outcome.err

    def test_is_what_models_alone_does(self, quire: Quire) -> None:
        assert quire("models").out == quire("models", "list").out

    def test_json(self, quire: Quire) -> None:
        record = quire("models", "list", "--json").json
        assert record["schema"] == "quire.models/1"
        assert record["answering"] == "extractive"
        by_name = {model["name"]: model for model in record["models"]}
        assert by_name[PACKAGED]["installed"] is True
        assert by_name[AVAILABLE]["installed"] is False

    def test_knows_a_file_of_the_user(self, quire: Quire, models_dir: Path) -> None:
        (models_dir / "mine.gguf").write_bytes(GGUF)
        record = quire("models", "list", "--json").json
        assert record["answering"] == "mine"
        assert "unknown" in rows(quire("models", "list").out)["mine"]


class TestUse:
    def test_keeps_the_choice_in_the_settings(self, quire: Quire, models_dir: Path, tmp_path: Path) -> None:
        (models_dir / "mine.gguf").write_bytes(GGUF)
        assert quire("models", "use", "extractive").code == 0
        assert "extractive" in (tmp_path / "config.toml").read_text()
        assert quire("models", "list", "--json").json["answering"] == "extractive"
        assert quire("models", "use", "mine").code == 0
        assert quire("models", "list", "--json").json["answering"] == "mine"

    def test_takes_a_file_by_its_path(self, quire: Quire, tmp_path: Path) -> None:
        file = tmp_path / "elsewhere.gguf"
        file.write_bytes(GGUF)
        assert quire("models", "use", str(file)).code == 0
        assert quire("models", "list", "--json").json["answering"] == str(file)

    def test_takes_a_reranker(self, quire: Quire, models_dir: Path, tmp_path: Path) -> None:
        for name in ("one", "two"):
            (models_dir / name).mkdir()
            (models_dir / name / "model.safetensors").write_bytes(b"weights")
            config = '{"architectures": ["BertForSequenceClassification"]}'
            (models_dir / name / "config.json").write_text(config)
        assert "reranker" in rows(quire("models", "list").out)["two"]
        assert quire("models", "use", "two").code == 0
        assert 'reranker = "two"' in (tmp_path / "config.toml").read_text()
        listed = quire("models", "list", "--json").json["models"]
        assert [model["name"] for model in listed if model["kind"] == "reranker" and model["in_use"]] == [
            "two"
        ]

    def test_an_unknown_name_is_wrong_usage(self, quire: Quire) -> None:
        outcome = quire("models", "use", "no-such-model")
        assert outcome.code == 2
        assert "no-such-model" in outcome.err
        assert AVAILABLE in outcome.err

    def test_what_is_not_installed_must_be_pulled_first(self, quire: Quire) -> None:
        outcome = quire("models", "use", AVAILABLE)
        assert outcome.code == 1
        assert f"quire models pull {AVAILABLE}" in outcome.err

    def test_says_when_the_environment_wins(self, quire: Quire, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("QUIRE_ANSWER__MODEL", "other.gguf")
        assert "QUIRE_ANSWER__MODEL is set and wins" in quire("models", "use", "extractive").err


class TestVerify:
    def test_checks_everything_that_is_installed(self, quire: Quire) -> None:
        outcome = quire("models", "verify")
        assert outcome.code == 0
        assert outcome.out == f"intact  {PACKAGED}\n"

    def test_a_damaged_file_fails_in_one_line(self, quire: Quire, models_dir: Path) -> None:
        (models_dir / "qwen2.5-1.5b-instruct-q4_k_m.gguf").write_bytes(GGUF)
        outcome = quire("models", "verify")
        assert outcome.code == 1
        assert f"intact  {PACKAGED}" in outcome.out
        assert "damaged" in outcome.err
        assert outcome.err.count("\n") == 1

    def test_what_is_not_installed_cannot_be_checked(self, quire: Quire) -> None:
        assert quire("models", "verify", AVAILABLE).code == 1
        assert quire("models", "verify", "no-such-model").code == 2


class TestPull:
    def test_says_what_it_got_and_where_it_is(self, quire: Quire, monkeypatch: pytest.MonkeyPatch) -> None:
        def pull(name: str, progress: Callable[[int, int], None], settings: Settings) -> InstalledModel:
            progress(500, 1000)
            progress(1000, 1000)
            return InstalledModel(name, "language", "/models/it.gguf", 1000, False)

        monkeypatch.setattr(quire_engine, "pull_model", pull, raising=False)
        outcome = quire("models", "pull", AVAILABLE)
        assert outcome.code == 0
        assert outcome.out == f"{AVAILABLE}  1.0 kB  /models/it.gguf\n"

    def test_a_failure_is_one_line(self, quire: Quire, monkeypatch: pytest.MonkeyPatch) -> None:
        def pull(name: str, progress: Callable[[int, int], None], settings: Settings) -> InstalledModel:
            raise DownloadError("the hub cannot be reached; try again later")

        monkeypatch.setattr(quire_engine, "pull_model", pull, raising=False)
        outcome = quire("models", "pull", AVAILABLE)
        assert (outcome.code, outcome.err) == (1, "error: the hub cannot be reached; try again later\n")

    @pytest.mark.parametrize(
        ("arguments", "variable", "setting"),
        [
            (["--offline", "models", "pull", AVAILABLE], "", ""),
            (["models", "pull", "--offline", AVAILABLE], "", ""),
            (["models", "pull", AVAILABLE], "1", ""),
            (["models", "pull", AVAILABLE], "", "offline = true\n"),
        ],
        ids=["before", "behind", "variable", "setting"],
    )
    def test_offline_it_refuses(
        self,
        quire: Quire,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        arguments: list[str],
        variable: str,
        setting: str,
    ) -> None:
        if variable:
            monkeypatch.setenv("QUIRE_OFFLINE", variable)
        (tmp_path / "config.toml").write_text(setting)
        outcome = quire(*arguments)
        assert outcome.code == 1
        assert f"offline: fetching {AVAILABLE} is not allowed" in outcome.err
        assert outcome.err.count("\n") == 1

    def test_an_unknown_name_fetches_nothing(self, quire: Quire) -> None:
        outcome = quire("models", "pull", "no-such-model")
        assert outcome.code == 2
        assert "no-such-model" in outcome.err
