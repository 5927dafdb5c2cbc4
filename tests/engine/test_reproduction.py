"""Answers are made again from what was saved, and against the vault as it is now."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_gguf import build

from quire_engine import AskOptions, Engine, Recording
from quire_engine.errors import ModelError
from quire_engine.records import Answer, AnswerFinished, AnswerStatus
from quire_engine.replaying.files import load_answer_run, run_document, save_document
from quire_engine.replaying.record import AnswerRun, ModelUsed
from quire_engine.replaying.replay import settings_of
from quire_engine.reproduction import VaultDifference, compare_run, replay_run
from quire_engine.settings import AnswerSettings, EmbeddingSettings, Settings

QUESTION = "When does the Atlas probe launch?"
NOTES = {
    "Projects/Atlas.md": "# Atlas\n\n## Plan\n\nThe Atlas probe launches in March 2031 from Kourou.\n\n"
    "## Crew\n\nIrena leads the Atlas probe team.\n",
    "Journal.md": "# Journal\n\nWe talked about the Atlas probe over lunch. The soup was cold.\n",
    "Garden.md": "# Garden\n\nTomatoes want a south wall and a lot of water.\n",
}
SETTINGS = Settings(
    embedding=EmbeddingSettings(runtime="openvino"), answer=AnswerSettings(model="extractive")
)


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QUIRE_DATA_DIR", str(tmp_path / "data"))
    folder = tmp_path / "vault"
    for path, text in NOTES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


@pytest.fixture
def ask(vault: Path, tmp_path: Path) -> Callable[..., AnswerRun]:
    """Asks, saves the answer, and loads what was saved."""

    def asked(
        question: str = QUESTION, model: Path | None = None, settings: Settings = SETTINGS
    ) -> AnswerRun:
        with Engine.open(vault, settings) as engine:
            engine.sync()
            recording = Recording()
            options = AskOptions(model=str(model) if model else None)
            *_, last = engine.ask(question, options=options, recording=recording)
        assert isinstance(last, AnswerFinished)
        assert recording.run is not None
        assert replace(last.answer, hits=(), plan=None) == recording.run.answer
        file = tmp_path / "run.json"
        save_document(run_document(recording.run), file)
        return load_answer_run(file)

    return asked


def compared(run: AnswerRun, vault: Path, model: Path | None = None) -> VaultDifference:
    told: list[tuple[int, int]] = []
    with Engine.open(vault, settings_of(run, SETTINGS)) as engine:
        engine.sync()
        difference = compare_run(
            run,
            engine,
            SETTINGS,
            model=str(model) if model else None,
            progress=lambda done, total: told.append((done, total)),
        )
    assert told == [(done, told[0][1]) for done in range(told[0][1])] or not difference.notes
    return difference


def effects(difference: VaultDifference) -> dict[str, bool]:
    return {effect.change.path: effect.changes_answer for effect in difference.notes}


def edit(vault: Path, path: str, old: str, new: str) -> None:
    text = (vault / path).read_text()
    assert old in text
    (vault / path).write_text(text.replace(old, new))


class TestReplay:
    def test_an_answer_is_the_same_without_the_vault(
        self, ask: Callable[..., AnswerRun], vault: Path
    ) -> None:
        run = ask()
        assert "March 2031" in run.answer.text
        shutil.rmtree(vault)
        replayed = replay_run(run, SETTINGS)
        assert replayed.identical
        assert replayed.diff == ()
        assert [c.start_line for c in replayed.now.citations] == [c.start_line for c in run.answer.citations]

    def test_of_the_demo(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("QUIRE_DATA_DIR", str(tmp_path / "data"))
        questions = (
            "How long does the rye loaf bake?",
            "How do I stop aubergines from burning?",
            "Who won the match in Oslo?",
            "plum torte ingredients",
        )
        demo = Path(__file__).parents[2] / "vaults" / "demo"
        shutil.copytree(demo / "Recipes", tmp_path / "demo" / "Recipes")
        with Engine.open(tmp_path / "demo", SETTINGS) as engine:
            engine.sync()
            for question in questions:
                recording = Recording()
                list(engine.ask(question, recording=recording))
                assert recording.run is not None
                save_document(run_document(recording.run), tmp_path / "run.json")
                replayed = replay_run(load_answer_run(tmp_path / "run.json"), SETTINGS)
                assert replayed.identical, (question, replayed.diff)

    def test_an_abstention_is_one_again(self, ask: Callable[..., AnswerRun]) -> None:
        run = ask("Who painted the ceiling of the chapel in Rome?")
        assert run.answer.status is AnswerStatus.ABSTAINED
        assert replay_run(run, SETTINGS).identical

    def test_a_follow_up_is_replayed_as_it_was_understood(self, vault: Path) -> None:
        recording = Recording()
        with Engine.open(vault, SETTINGS) as engine:
            engine.sync()
            list(engine.ask(QUESTION, options=AskOptions(conversation="new")))
            options = AskOptions(conversation="last")
            list(engine.ask("And who leads its team?", options=options, recording=recording))
        run = recording.run
        assert run is not None
        assert run.question == "And who leads its team?"
        assert run.result.query == run.answer.standalone
        assert "Atlas" in run.answer.standalone
        assert [turn.question for turn in run.turns] == [QUESTION]
        assert replay_run(run, SETTINGS).identical

    def test_saved_settings_count_and_not_the_present_ones(self, ask: Callable[..., AnswerRun]) -> None:
        one = Settings(
            embedding=SETTINGS.embedding, answer=AnswerSettings(model="extractive", sentences=1, seed=3)
        )
        run = ask(settings=one)
        assert len(run.answer.citations) == 1
        assert replay_run(run, SETTINGS).identical

    def test_time_decides_nothing(self, ask: Callable[..., AnswerRun]) -> None:
        timed = Settings(
            embedding=SETTINGS.embedding, answer=AnswerSettings(model="extractive", budget_seconds=1e-9)
        )
        run = ask(settings=timed)
        again = settings_of(run, SETTINGS).answer
        assert (again.budget_seconds, again.max_waves) == (0, len(run.answer.waves))
        assert replay_run(run, SETTINGS).identical

    def test_what_differs_is_shown(self, ask: Callable[..., AnswerRun]) -> None:
        run = ask()
        other = replace(run, answer=replace(run.answer, text="It launches in May. [1]"))
        replayed = replay_run(other, SETTINGS)
        assert not replayed.identical
        assert replayed.diff[0].startswith("@@")
        assert "-It launches in May. [1]" in replayed.diff
        for changed in (replace(run.answer, status=AnswerStatus.PARTIAL), replace(run.answer, citations=())):
            assert not replay_run(replace(run, answer=changed), SETTINGS).identical


class TestWithALanguageModel:
    @pytest.fixture
    def model(self, tmp_path: Path) -> Path:
        return build(
            tmp_path / "speaker.gguf", says="The Atlas probe launches in March 2031 [1].", context=4096
        )

    def test_it_is_found_by_its_hash(
        self, ask: Callable[..., AnswerRun], model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = ask(model=model)
        assert run.model is not None
        assert run.model.name == run.answer.model == "speaker"
        assert replay_run(run, SETTINGS, model=str(model)).identical
        monkeypatch.setenv("QUIRE_MODELS_DIR", str(tmp_path / "models"))
        (tmp_path / "models").mkdir()
        model.rename(tmp_path / "models" / "renamed.gguf")
        assert replay_run(run, SETTINGS).identical

    def test_a_model_that_is_missing_or_another_is_an_error(
        self, ask: Callable[..., AnswerRun], model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = ask(model=model)
        monkeypatch.setenv("QUIRE_MODELS_DIR", str(tmp_path / "models"))
        (tmp_path / "models").mkdir()
        with pytest.raises(ModelError, match="speaker, which wrote this answer, is not installed"):
            replay_run(run, SETTINGS)
        other = build(tmp_path / "models" / "speaker.gguf", says="Nothing.", context=4096)
        for given in (None, str(other), "extractive"):
            with pytest.raises(ModelError, match="is not the model that wrote this answer"):
                replay_run(run, SETTINGS, model=given)
        with pytest.raises(ModelError, match="is not the model"):
            replay_run(replace(run, model=ModelUsed("speaker", "0" * 64)), SETTINGS)

    def test_chance_falls_the_same_with_the_same_seed(
        self, ask: Callable[..., AnswerRun], tmp_path: Path
    ) -> None:
        """Whatever the process has generated before."""
        babbler = build(tmp_path / "babbler.gguf", context=4096, seed=5)
        wild = AnswerSettings(temperature=1.5, seed=11, max_tokens=24)
        run = ask(model=babbler, settings=Settings(embedding=SETTINGS.embedding, answer=wild))
        for _ in range(2):
            again = replay_run(run, SETTINGS, model=str(babbler))
            assert again.identical
            assert again.now.reply == run.answer.reply != ""

    def test_an_edit_changes_what_is_supported(
        self, ask: Callable[..., AnswerRun], model: Path, vault: Path
    ) -> None:
        run = ask(model=model)
        assert run.answer.status is AnswerStatus.SUPPORTED
        edit(vault, "Projects/Atlas.md", "March 2031", "June 2044")
        edit(vault, "Journal.md", "cold", "hot")
        difference = compared(run, vault, model)
        assert not difference.same
        assert effects(difference) == {"Projects/Atlas.md": True, "Journal.md": False}


class TestAgainstTheVault:
    def test_nothing_has_changed(self, ask: Callable[..., AnswerRun], vault: Path) -> None:
        difference = compared(ask(), vault)
        assert difference.replay.identical
        assert difference.same
        assert difference.notes == ()

    def test_one_edit_changes_the_answer_and_another_does_not(
        self, ask: Callable[..., AnswerRun], vault: Path
    ) -> None:
        run = ask()
        edit(vault, "Projects/Atlas.md", "March 2031", "May 2032")
        edit(vault, "Journal.md", "soup was cold", "bread was stale")
        difference = compared(run, vault)
        assert not difference.same
        assert effects(difference) == {"Projects/Atlas.md": True, "Journal.md": False}
        assert "May 2032" in difference.now.text
        assert any(line.startswith("+") and "May 2032" in line for line in difference.diff)
        alone = {effect.change.path: effect.answer for effect in difference.notes}
        assert isinstance(alone["Journal.md"], Answer)
        assert alone["Journal.md"].text == run.answer.text
        assert "bread was stale" not in alone["Projects/Atlas.md"].text  # type: ignore[union-attr]

    def test_an_edit_that_does_not_matter_leaves_the_answer(
        self, ask: Callable[..., AnswerRun], vault: Path
    ) -> None:
        run = ask()
        edit(vault, "Garden.md", "Tomatoes", "Peppers")
        difference = compared(run, vault)
        assert difference.same
        assert True not in effects(difference).values()

    def test_a_deleted_note_that_held_the_answer(self, ask: Callable[..., AnswerRun], vault: Path) -> None:
        run = ask()
        (vault / "Projects" / "Atlas.md").unlink()
        difference = compared(run, vault)
        assert not difference.same
        (atlas,) = [effect for effect in difference.notes if effect.change.path == "Projects/Atlas.md"]
        assert atlas.change.gone
        assert atlas.changes_answer

    def test_lines_that_moved_say_the_same(self, ask: Callable[..., AnswerRun], vault: Path) -> None:
        run = ask()
        edit(vault, "Projects/Atlas.md", "# Atlas\n", "# Atlas\n\n\n\n")
        difference = compared(run, vault)
        assert difference.same
        assert {each.kind for effect in difference.notes for each in effect.change.passages} == {"moved"}
        assert effects(difference) == {"Projects/Atlas.md": False}
        moved = difference.now.citations[0].start_line - run.answer.citations[0].start_line
        assert moved == 3

    def test_a_renamed_note_says_the_same(self, ask: Callable[..., AnswerRun], vault: Path) -> None:
        run = ask()
        (vault / "Projects" / "Atlas.md").rename(vault / "Atlas.md")
        difference = compared(run, vault)
        assert difference.same
        assert effects(difference) == {"Projects/Atlas.md": False}

    def test_a_new_note_with_a_better_answer(self, ask: Callable[..., AnswerRun], vault: Path) -> None:
        run = ask()
        (vault / "Launch.md").write_text("# Launch\n\nThe Atlas probe does launch when June 2040 begins.\n")
        difference = compared(run, vault)
        assert effects(difference) == {"Launch.md": not difference.same}
        assert "June 2040" in difference.now.text

    def test_a_quote_that_was_commented_out_is_no_proof_any_more(
        self, ask: Callable[..., AnswerRun], vault: Path
    ) -> None:
        run = ask()
        text = "The Atlas probe launches in March 2031 from Kourou."
        edit(vault, "Projects/Atlas.md", text, f"%%{text}%%")
        difference = compared(run, vault)
        assert not difference.same
        assert effects(difference)["Projects/Atlas.md"]
