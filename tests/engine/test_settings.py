from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from quire_engine.errors import ConfigError
from quire_engine.settings import load, save

COMMENTED = """\
# My notes.
vault = "/notes"  # on the big disk

[answer]
# The small one is enough.
model = "qwen3-1.7b"
sentences = 2
"""


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in os.environ:
        if name.startswith("QUIRE_"):
            monkeypatch.delenv(name)
    file = tmp_path / "settings" / "config.toml"
    file.parent.mkdir()
    monkeypatch.setenv("QUIRE_CONFIG", str(file))
    return file


class TestLoad:
    def test_without_a_file_everything_has_its_default(self) -> None:
        settings = load()
        assert settings.vault is None
        assert settings.embedding.model == "all-MiniLM-L6-v2"

    def test_the_file_is_read(self, config: Path) -> None:
        config.write_text(COMMENTED)
        settings = load()
        assert settings.vault == Path("/notes")
        assert (settings.answer.model, settings.answer.sentences) == ("qwen3-1.7b", 2)

    def test_the_environment_wins_over_the_file_and_flags_over_both(
        self, config: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        config.write_text("[answer]\nmodel = 'file'\nsentences = 2\nseed = 2\nmax_tokens = 20\n")
        monkeypatch.setenv("QUIRE_ANSWER__MODEL", "environment")
        monkeypatch.setenv("QUIRE_ANSWER__SENTENCES", "3")
        answer = load(answer={"model": "flag"}).answer
        assert (answer.model, answer.sentences, answer.seed, answer.max_tokens) == ("flag", 3, 2, 20)

    def test_another_process_is_read_by_its_environment(
        self, config: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        config.write_text("[answer]\nseed = 2\n")
        monkeypatch.setenv("QUIRE_ANSWER__MODEL", "mine")
        answer = load({"QUIRE_ANSWER__SENTENCES": "3", "PATH": "/bin"}).answer
        assert (answer.model, answer.sentences, answer.seed) == ("", 3, 2)

    @pytest.mark.parametrize(
        "variables",
        [
            {"QUIRE_ANSWER": '{"model": "a", "seed": 7}'},
            {"QUIRE_ANSWER__MODEL": "a", "QUIRE_ANSWER__SEED": "7"},
            {"quire_answer__model": "a", "QUIRE_ANSWER": '{"model": "b", "seed": 7}'},
        ],
    )
    def test_a_section_can_be_set_as_a_whole_and_by_its_keys(self, variables: dict[str, str]) -> None:
        answer = load(variables).answer
        assert (answer.model, answer.seed) == ("a", 7)

    def test_lists_and_tables_are_json(self) -> None:
        settings = load(
            {"QUIRE_SCAN__IGNORE": '["a", "b/"]', "QUIRE_CHUNKING__PIPELINES__DE": "de_core_news_sm"}
        )
        assert settings.scan.ignore == ["a", "b/"]
        assert settings.chunking.pipelines == {"de": "de_core_news_sm"}
        with pytest.raises(ConfigError, match=r"'scan\.ignore': Input should be a valid list"):
            load({"QUIRE_SCAN__IGNORE": "[a, b]"})

    def test_a_folder_may_be_called_anything(self) -> None:
        assert load({"QUIRE_VAULT": "[1]"}).vault == Path("[1]")

    def test_an_unknown_key_of_a_section_is_refused_and_places_are_no_settings(self) -> None:
        load({"QUIRE_DATA_DIR": "/data", "QUIRE_DEBUG": "1"})
        with pytest.raises(ConfigError, match=r"'answer\.modle': there is no such setting"):
            load({"QUIRE_ANSWER__MODLE": "x"})

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("[answer]\nmodle = 'x'\n", r"'answer\.modle': there is no such setting"),
            ("volt = 'x'\n", "'volt': there is no such setting"),
            ("[answer]\nsentences = 11\n", r"'answer\.sentences': Input should be less than or equal to 10"),
            (
                "[answer]\nunload_minutes = inf\n",
                r"'answer\.unload_minutes': Input should be a finite number",
            ),
            ("[engine]\nidle_minutes = nan\n", r"'engine\.idle_minutes': Input should be a finite number"),
            ("[retrieval.weights]\ncosine = inf\n", r"'retrieval\.weights\.cosine': Input should be"),
            ("[answer]\nsentences = 0\nseed = 'x'\n", r"\(and 1 more\)"),
            ("answer = 3\n", "'answer': Input should be"),
            ("[answer\n", "is not valid TOML"),
            ('"a\\nb\\u001b[31m" = 1\n', "there is no such setting"),
        ],
    )
    def test_what_is_wrong_is_one_line_that_names_the_place(
        self, config: Path, text: str, complaint: str
    ) -> None:
        config.write_text(text)
        with pytest.raises(ConfigError, match=complaint) as caught:
            load()
        assert str(caught.value).isprintable()
        assert str(config) in str(caught.value)

    def test_text_that_is_not_utf8_is_not_toml(self, config: Path) -> None:
        config.write_bytes(b'vault = "\xff"\n')
        with pytest.raises(ConfigError, match="is not valid TOML"):
            load()

    def test_a_wrong_environment_variable_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("QUIRE_ANSWER__SENTENCES", "many")
        with pytest.raises(
            ConfigError, match=r"'answer\.sentences': Input should be a valid integer.*QUIRE_"
        ):
            load()

    @pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that nobody can read")
    def test_a_file_that_cannot_be_read_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("QUIRE_CONFIG", "/proc/self/mem")
        with pytest.raises(ConfigError, match="cannot read /proc/self/mem: Input/output error"):
            load()


class TestSave:
    def test_creates_the_file_with_its_folder(self, config: Path) -> None:
        config.parent.rmdir()
        assert save("answer.model", "extractive") == config
        assert config.read_text() == '[answer]\nmodel = "extractive"\n'
        assert load().answer.model == "extractive"

    def test_changes_one_value_and_keeps_everything_else(self, config: Path) -> None:
        config.write_text(COMMENTED)
        save("answer.model", "qwen3-4b-instruct")
        assert config.read_text() == COMMENTED.replace("qwen3-1.7b", "qwen3-4b-instruct")

    def test_adds_what_is_missing(self, config: Path) -> None:
        config.write_text(COMMENTED)
        save("embedding.threads", 2)
        save("answer.seed", 7)
        assert config.read_text().startswith(COMMENTED)
        assert (load().embedding.threads, load().answer.seed) == (2, 7)

    @pytest.mark.parametrize("text", ["answer.model = 'a'\n", "answer = {model = 'a', seed = 3}\n"])
    def test_works_on_other_ways_to_write_a_table(self, config: Path, text: str) -> None:
        config.write_text(text)
        save("answer.model", "b")
        assert config.read_text() == text.replace("'a'", '"b"')

    def test_keeps_windows_line_ends(self, config: Path) -> None:
        config.write_bytes(COMMENTED.replace("\n", "\r\n").encode())
        save("answer.sentences", 3)
        assert config.read_bytes() == COMMENTED.replace("= 2", "= 3").replace("\n", "\r\n").encode()

    @pytest.mark.parametrize(
        ("key", "value", "written"),
        [
            ("vault", Path("/my notes"), '"/my notes"'),
            ("answer.max_tokens", "500", "500"),
            ("answer.temperature", 1, "1.0"),
            ("scan.ignore", ["*.tmp", "Archive/"], '["*.tmp", "Archive/"]'),
            ("chunking.pipelines.de", "de_core_news_sm", '"de_core_news_sm"'),
            ("answer.model", 'a "quoted"\nname', '"a \\"quoted\\"\\nname"'),
        ],
    )
    def test_values_are_written_as_they_are_understood(
        self, config: Path, key: str, value: object, written: str
    ) -> None:
        save(key, value)
        assert f"{key.rpartition('.')[2]} = {written}\n" in config.read_text()
        load()

    @pytest.mark.parametrize(
        ("key", "value", "complaint"),
        [
            ("answer.modle", "x", r"'answer\.modle': there is no such setting"),
            ("answr.model", "x", "'answr': there is no such setting"),
            ("answer.model.name", "x", r"'answer\.model\.name': there is no such setting"),
            ("", "x", "there is no such setting"),
            ("_env_file", "x", "there is no such setting"),
            ("answer.sentences", 11, "less than or equal to 10"),
            ("answer.sentences", None, "NoneType is no value"),
            ("answer.sentences", object(), "object is no value"),
            ("answer", {"sentences": 2}, "it is a section"),
            ("chunking.pipelines", "de", "Input should be a valid dictionary"),
        ],
    )
    def test_what_is_wrong_is_not_written(
        self, config: Path, key: str, value: object, complaint: str
    ) -> None:
        config.write_text(COMMENTED)
        with pytest.raises(ConfigError, match=complaint) as caught:
            save(key, value)
        assert str(caught.value).isprintable()
        assert config.read_text() == COMMENTED
        assert list(config.parent.iterdir()) == [config]

    def test_a_broken_file_is_left_alone(self, config: Path) -> None:
        config.write_text("[answer\n# mine\n")
        with pytest.raises(ConfigError, match=r"is not valid TOML.*correct it by hand"):
            save("answer.model", "x")
        assert config.read_text() == "[answer\n# mine\n"

    def test_a_wrong_value_can_be_replaced_by_a_right_one(self, config: Path) -> None:
        config.write_text("[answer]\nsentences = 99\n")
        save("answer.sentences", 3)
        assert load().answer.sentences == 3

    def test_the_environment_does_not_leak_into_the_file(
        self, config: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("QUIRE_ANSWER__MODEL", "environment")
        monkeypatch.setenv("QUIRE_ANSWER__SENTENCES", "wrong")
        save("answer.seed", 3)
        save("answer.model", "mine")
        assert config.read_text() == '[answer]\nseed = 3\nmodel = "mine"\n'

    def test_a_link_stays_a_link_and_permissions_stay(self, config: Path, tmp_path: Path) -> None:
        kept = tmp_path / "dotfiles.toml"
        kept.write_text(COMMENTED)
        kept.chmod(0o640)
        config.symlink_to(kept)
        save("answer.sentences", 3)
        assert config.is_symlink()
        assert "sentences = 3" in kept.read_text()
        assert stat.S_IMODE(kept.stat().st_mode) == 0o640

    def test_a_failed_write_leaves_the_old_file(self, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        config.write_text(COMMENTED)

        def full(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(ConfigError, match=r"config\.toml: No space left on device"):
            save("answer.sentences", 3)
        assert config.read_text() == COMMENTED
        assert list(config.parent.iterdir()) == [config]
