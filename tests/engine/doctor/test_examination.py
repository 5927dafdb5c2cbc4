"""What the examination of an installation finds outside the index."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import tiny_cross_encoder

from quire_engine import locations
from quire_engine.doctor import Finding, Remedy, diagnose, repair
from quire_engine.doctor.machine import examine_machine
from quire_engine.doctor.watching import examine_watching, in_use
from quire_engine.inference import catalogue
from quire_engine.records import SkippedNote
from quire_engine.settings import AnswerSettings, EmbeddingSettings, RetrievalSettings, Settings
from quire_engine.vault import scanner
from quire_engine.vault.scanner import ScanResult, scan

from .conftest import Patient, wrong

NOBODY = 65534
_AS_NOBODY = f"""
import json, os, sys
from dataclasses import asdict
from pathlib import Path
from quire_engine.doctor import diagnose
from quire_engine.settings import Settings

vault = Path(sys.argv[1])
list(diagnose(vault, Settings()))  # loads what that user need not be allowed to read
os.setgroups([])
os.setgid({NOBODY})
os.setuid({NOBODY})
for finding in diagnose(vault, Settings()):
    print(json.dumps(asdict(finding)))
"""


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("QUIRE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("QUIRE_MODELS_DIR", str(tmp_path / "models"))
    return tmp_path


def examined(vault: Path | None, settings: Settings | None = None) -> dict[str, Finding]:
    return {finding.name: finding for finding in diagnose(vault, settings or Settings())}


class TestMachine:
    def test_a_working_installation_is_sound(self, places: Path) -> None:
        found = examined(None)
        assert wrong(found) == set()
        assert "sqlite-vec" in found["sqlite"].detail
        assert "torch" in found["packages"].detail
        assert "intact" in found["embedding model"].detail

    def test_changes_nothing(self, places: Path) -> None:
        (places / "vault").mkdir()
        examined(places / "vault")
        assert not locations.data_dir().exists()

    def test_packages_are_compared_with_what_quire_requires(self, monkeypatch: pytest.MonkeyPatch) -> None:
        required = ["apsw>=9999", "no-such-package>=1", "click>=8", "neither>=1; extra == 'more'"]
        monkeypatch.setattr("importlib.metadata.requires", lambda name: required)
        found = {finding.name: finding for finding in examine_machine(Settings(), None)}["packages"]
        assert not found.ok
        assert "no-such-package is missing" in found.detail
        assert "click" not in found.detail
        assert "neither" not in found.detail
        assert found.advice == "pip install 'apsw>=9999' 'no-such-package>=1'"

    def test_an_index_must_fit_twice_on_its_disk(self, patient: Patient) -> None:
        with (patient.folder / "index.sqlite3-large").open("wb") as file:
            file.truncate(1 << 43)  # takes no space
        found = patient.examined()["disk space"]
        assert not found.ok
        assert "QUIRE_DATA_DIR" in found.advice

    def test_tells_what_may_use_the_network(self, places: Path) -> None:
        assert "models pull" in examined(None)["network"].detail
        assert "offline" in examined(None, Settings(offline=True))["network"].detail

    @pytest.mark.parametrize(
        ("begin", "told"),
        [
            ("", "this process is not kept off it"),
            ("offline.enforce(children=False)", "this process keeps its Python code off it"),
            ("sys.exit() if not offline.enforce() else None", "the system keeps this process off it"),
        ],
    )
    def test_tells_who_keeps_this_process_off_it(self, begin: str, told: str) -> None:
        script = (
            "import sys; from quire_engine import offline; from quire_engine.settings import Settings\n"
            f"from quire_engine.doctor.machine import _network\n{begin}\nprint(_network(Settings()).detail)"
        )
        said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        if not said.stdout:
            pytest.skip("this system has no such fence")
        assert told in said.stdout


class TestModels:
    def test_an_unknown_embedding_model_is_wrong(self, places: Path) -> None:
        found = examined(None, Settings(embedding=EmbeddingSettings(model="no-such-model")))
        assert "no-such-model" in found["embedding model"].detail
        assert not found["embedding model"].ok

    def test_altered_weights_are_named_with_what_gets_them_again(
        self, places: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = catalogue.embedding_model_folder("all-MiniLM-L6-v2")
        copy = places / "weights"
        copy.mkdir()
        for file in real.iterdir():
            if file.is_file():
                (copy / file.name).write_bytes(file.read_bytes())
        monkeypatch.setattr(catalogue, "_packaged_folder", lambda description: copy)
        assert examined(None)["embedding model"].ok
        status = (copy / "model.safetensors").stat()
        with (copy / "model.safetensors").open("r+b") as weights:
            weights.seek(-1000, os.SEEK_END)
            weights.write(b"\x55" * 8)
        os.utime(copy / "model.safetensors", ns=(status.st_atime_ns, status.st_mtime_ns))
        found = examined(None)["embedding model"]
        assert not found.ok
        assert "SHA-256" in found.detail
        assert "pip install --force-reinstall" in found.detail
        assert found.remedy is None

    def test_a_language_model_that_is_not_the_catalogues_is_named_and_kept(self, places: Path) -> None:
        entry = next(entry for entry in catalogue.catalogue() if entry.kind == "language")
        file = locations.models_dir() / entry.file
        file.parent.mkdir()
        file.write_bytes(b"GGUF\x03\0\0\0 and no more")
        found = examined(None)[f"model {entry.name}"]
        assert not found.ok
        assert f"quire models pull {entry.name}" in found.detail
        assert file.exists()

    def test_a_chosen_language_model_must_be_there(self, places: Path) -> None:
        entry = next(entry for entry in catalogue.catalogue() if entry.kind == "language")
        found = examined(None, Settings(answer=AnswerSettings(model=entry.name)))["language model"]
        assert not found.ok
        assert f"quire models pull {entry.name}" in found.detail

    def test_a_chosen_reranker_must_be_there(self, places: Path) -> None:
        entry = next(entry for entry in catalogue.catalogue() if entry.kind == "reranker")
        found = examined(None, Settings(retrieval=RetrievalSettings(reranker=entry.name)))["reranker"]
        assert not found.ok
        assert f"quire models pull {entry.name}" in found.detail

    def test_an_installed_reranker_is_examined(self, places: Path) -> None:
        assert examined(None)["reranker"].detail == "none"
        folder = tiny_cross_encoder.bert(locations.models_dir() / "mine")
        found = examined(None)
        assert found["reranker"].detail == "mine orders what was found"
        assert "of your own" in found["model mine"].detail
        assert wrong(found) == set()
        with (folder / "model.safetensors").open("r+b") as weights:
            weights.truncate(1000)
        assert wrong(examined(None)) == {"model mine"}

    def test_a_reranker_that_cannot_be_run_is_named(self, places: Path) -> None:
        tiny_cross_encoder.bert(locations.models_dir() / "mine", num_labels=3)
        found = examined(None)["reranker"]
        assert not found.ok
        assert "has 3 outputs" in found.detail


class TestVault:
    def test_none_is_no_fault(self, places: Path) -> None:
        found = examined(None)
        assert found["vault"].ok
        assert "--vault" in found["vault"].advice
        assert "index" not in found

    def test_a_missing_one_is(self, places: Path) -> None:
        found = examined(places / "gone")
        assert wrong(found) == {"vault"}
        assert "does not exist" in found["vault"].detail

    def test_one_that_went_leaves_its_index_to_be_examined(self, patient: Patient, tmp_path: Path) -> None:
        found = examined(tmp_path / "gone")
        assert "notes" not in found
        assert "index" in found


class TestNotes:
    def test_what_a_sync_would_keep_is_not_called_gone(
        self, patient: Patient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = scan(patient.vault)
        here = [file for file in whole.files if not file.path.startswith("Garden 1/")]
        unreadable = SkippedNote("Garden 1", "Permission denied")
        monkeypatch.setattr(scanner, "scan", lambda *arguments: ScanResult(here, [unreadable]))
        found = patient.examined()["notes"]
        assert "gone" not in found.detail
        assert "1 cannot be indexed" in found.detail


class TestWatching:
    @staticmethod
    def limits(folder: Path, watches: int = 1000, instances: int = 10, events: int = 16384) -> Path:
        folder.mkdir()
        for name, value in (("watches", watches), ("instances", instances)):
            (folder / f"max_user_{name}").write_text(f"{value}\n")
        (folder / "max_queued_events").write_text(f"{events}\n")
        return folder

    @staticmethod
    def vault(folder: Path) -> Path:
        (folder / "a" / "b").mkdir(parents=True)
        (folder / ".git" / "objects").mkdir(parents=True)
        return folder

    def test_enough_is_enough(self, tmp_path: Path) -> None:
        vault, limits = self.vault(tmp_path / "vault"), self.limits(tmp_path / "limits", watches=3)
        found = examine_watching(vault, limits, tmp_path)
        assert found.ok
        assert found.advice == ""
        assert "3 folders" in found.detail  # hidden ones are not watched

    def test_too_few_watches_come_with_the_setting(self, tmp_path: Path) -> None:
        vault, limits = self.vault(tmp_path / "vault"), self.limits(tmp_path / "limits", watches=2)
        found = examine_watching(vault, limits, tmp_path)
        assert not found.ok
        assert "max_user_watches=6" in found.advice

    def test_short_queues_are_mentioned(self, tmp_path: Path) -> None:
        vault, limits = self.vault(tmp_path / "vault"), self.limits(tmp_path / "limits", events=100)
        found = examine_watching(vault, limits, tmp_path)
        assert found.ok
        assert "max_queued_events" in found.advice

    @pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")
    def test_counts_the_watchers_of_this_user(self, tmp_path: Path) -> None:
        from quire_engine.vault.watcher import ChangeWatcher

        vault = self.vault(tmp_path / "vault")
        limits = self.limits(tmp_path / "limits", instances=1)
        with ChangeWatcher(vault):
            watchers, watched = in_use()
            assert watchers >= 1
            assert watched >= 3
            found = examine_watching(vault, limits)
        assert not found.ok
        assert "max_user_instances" in found.advice


class TestPlaces:
    def test_what_others_can_read_is_named_and_closed(self, patient: Patient) -> None:
        for folder in (locations.data_dir(), patient.folder.parent, patient.folder):
            folder.chmod(0o755)
        database = patient.folder / "index.sqlite3"
        database.chmod(0o644)
        found = patient.examined()
        assert wrong(found) == {"permissions"}
        assert found["permissions"].remedy is Remedy.PERMISSIONS
        (done,) = patient.mended(found)
        assert done.ok
        assert patient.folder.stat().st_mode & 0o777 == 0o700
        assert database.stat().st_mode & 0o777 == 0o600
        assert wrong(patient.examined()) == set()

    def test_what_is_behind_a_closed_folder_is_no_fault_and_closed_all_the_same(
        self, patient: Patient
    ) -> None:
        database = patient.folder / "index.sqlite3"
        database.chmod(0o644)
        found = patient.examined()
        assert wrong(found) == set()
        assert [one.remedy for one in patient.mended(found)] == [Remedy.PERMISSIONS]
        assert database.stat().st_mode & 0o777 == 0o600

    def test_other_vaults_conversations_and_logs_count_too(self, patient: Patient) -> None:
        locations.data_dir().chmod(0o755)
        other = locations.index_dir(patient.vault / "another")
        other.mkdir()
        log = locations.engine_log("key")
        log.parent.mkdir()
        log.write_text("")
        history = locations.conversations_file(patient.vault)
        history.parent.mkdir()
        history.write_text("")
        patient.folder.parent.chmod(0o755)
        loose = (other, log.parent, log, history.parent, history)
        for path in loose:
            path.chmod(0o755)
        found = examined(None)
        assert wrong(found) == {"permissions"}
        assert [one.ok for one in repair(None, Settings(), list(found.values()))] == [True]
        assert [path.stat().st_mode & 0o077 for path in loose] == [0] * len(loose)
        assert wrong(examined(None)) == set()

    @pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
    def test_a_file_of_another_user_is_found_though_it_is_closed(self, patient: Patient) -> None:
        database = patient.folder / "index.sqlite3"
        os.chown(database, NOBODY, NOBODY)
        found = patient.examined()
        assert wrong(found) == {"permissions"}
        assert f"{database} belongs to" in found["permissions"].detail
        assert "without sudo" in found["permissions"].advice

    @pytest.mark.skipif(os.getuid() != 0, reason="only root has files that others cannot read")
    @pytest.mark.parametrize("closed", ["", "vaults", "vaults/{index}", "vaults/{index}/index.sqlite3"])
    def test_an_index_that_root_made_comes_with_the_command_that_gives_it_back(
        self, patient: Patient, closed: str
    ) -> None:
        """As after ``sudo quire index``: root's folders are open down to the one that is ``closed``."""
        with TemporaryDirectory() as made:
            place = Path(made)
            shutil.copytree(patient.folder.parents[1], place / "data")
            index = place / "data" / "vaults" / patient.folder.name
            barrier = place / "data" / closed.format(index=patient.folder.name)
            for folder in (place, place / "data", place / "data" / "vaults", index):
                if folder != barrier:
                    folder.chmod(0o755)
            said = subprocess.run(
                [sys.executable, "-c", _AS_NOBODY, str(patient.vault)],
                env={**os.environ, "QUIRE_DATA_DIR": str(place / "data")},
                capture_output=True,
                text=True,
                check=True,
            )
        first, *others = map(json.loads, said.stdout.splitlines())
        assert first["name"] == "permissions"
        assert not first["ok"]
        top = barrier if closed == "" else place / "data" / "vaults"
        assert first["detail"] == f"{top} belongs to root"
        assert first["advice"] == f'take it over: sudo chown -R "$USER" {top}'
        told = {one["name"]: one for one in others}
        assert not told["index"]["ok"]
        assert "ermission" in told["index"]["detail"] or "chown" in told["index"]["advice"]
        assert [one for one in others if "reinstall" in one["advice"]] == []

    def test_what_nothing_uses_is_no_fault_and_removed(self, patient: Patient) -> None:
        (patient.folder / "keywords-whoosh-1").mkdir()
        for kept in ("keywords-tantivy-1", "keywords-whoosh-99"):
            (patient.folder / kept).mkdir()
        (patient.folder / "keywords-whoosh-1" / "MAIN.seg").write_bytes(bytes(2_000_000))
        finished = subprocess.Popen([sys.executable, "-c", ""])
        finished.wait()
        left = patient.folder / f".progress.json-{finished.pid}"
        left.write_text("{}")
        own = patient.folder / "progress.json"
        own.write_text(json.dumps({"pid": os.getpid()}))
        found = patient.examined()
        assert wrong(found) == set()
        assert "2.0 MB" in found["leftovers"].detail
        done = {one.remedy: one for one in patient.mended(found)}
        assert done[Remedy.LEFTOVERS].ok
        assert not left.exists()
        assert own.exists()
        kept = sorted(folder.name for folder in patient.folder.glob("keywords-*"))
        assert kept == ["keywords-tantivy-1", "keywords-whoosh-5", "keywords-whoosh-99"]
        assert patient.examined()["leftovers"].detail == "none"
