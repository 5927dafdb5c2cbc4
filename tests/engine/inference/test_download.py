from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pytest
from hub_server import Hub

from quire_engine import locations
from quire_engine.errors import DownloadError, ModelError, OfflineError
from quire_engine.inference import download
from quire_engine.inference.catalogue import catalogue
from quire_engine.inference.download import pull_model
from quire_engine.inference.installed import installed_models, verify_model
from quire_engine.records import InstalledModel, ModelDescription, ModelFile
from quire_engine.settings import load

pytestmark = pytest.mark.loopback

CONTENT = b"GGUF" + random.Random(7).randbytes(3_000_123)
PAUSES = (0.0, 0.0)


def describe(content: bytes = CONTENT, **changes: object) -> ModelDescription:
    fields: dict[str, object] = {
        "name": "tiny",
        "kind": "language",
        "repository": "maker/Tiny-GGUF",
        "revision": "0123456789abcdef0123456789abcdef01234567",
        "file": "tiny-q4.gguf",
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "licence": "Apache-2.0",
        "context": 512,
        "memory_bytes": 10_000_000,
    }
    return ModelDescription(**(fields | changes))  # type: ignore[arg-type]


TINY = describe()
ADDRESS = f"/{TINY.repository}/resolve/{TINY.revision}/{TINY.file}"


def pull(progress: download.Progress | None = None, description: ModelDescription = TINY) -> InstalledModel:
    return pull_model("tiny", progress, known=[description], pauses=PAUSES)


def installed() -> Path:
    return locations.models_dir() / TINY.file


def parts() -> list[Path]:
    folder = locations.models_dir() / ".incomplete"
    return sorted(path for path in folder.glob("*") if path.suffix != ".lock")


def interrupted(error: BaseException, after: int) -> download.Progress:
    def progress(done: int, total: int) -> None:
        if done >= after:
            raise error

    return progress


SCRIPT = """
import json, resource, sys
from quire_engine.errors import DownloadError
from quire_engine.inference.download import pull_model
from quire_engine.records import ModelDescription

largest = int(sys.argv[2])
if largest:
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
try:
    pull_model("tiny", known=[ModelDescription(**json.loads(sys.argv[1]))], pauses=[0.0])
except DownloadError as error:
    print(error)
"""


def pull_elsewhere(largest_file: int = 0) -> subprocess.CompletedProcess[str]:
    """Pull in a process of its own, which prints its error, with a limit to the bytes of a file."""
    command = [sys.executable, "-c", SCRIPT, json.dumps(asdict(TINY)), str(largest_file)]
    return subprocess.run(command, capture_output=True, text=True, check=True)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIG", "DATA_DIR", "CACHE_DIR", "MODELS_DIR"):
        monkeypatch.setenv(f"QUIRE_{name}", str(tmp_path / name.lower()))
    for name in ("HF_TOKEN", "HF_ENDPOINT", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "no-token"))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    from huggingface_hub import close_session

    with Hub({ADDRESS: CONTENT}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        yield hub
        close_session()


class TestPulling:
    @pytest.mark.parametrize("hands_over", [False, True], ids=["from the hub", "from its storage"])
    def test_puts_exactly_the_published_bytes_into_the_models_folder(
        self, hub: Hub, hands_over: bool
    ) -> None:
        hub.hands_over = hands_over
        model = pull()
        assert installed().read_bytes() == CONTENT
        assert (model.name, model.path, model.bytes) == ("tiny", str(installed()), len(CONTENT))
        assert model.in_use
        assert parts() == []

    def test_offline_the_hub_is_not_asked_and_what_is_there_is_found(
        self, hub: Hub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("QUIRE_OFFLINE", "1")
        with pytest.raises(OfflineError, match="fetching tiny is not allowed; run it without --offline"):
            pull()
        assert hub.requests == []
        monkeypatch.delenv("QUIRE_OFFLINE")
        pull()
        hub.requests.clear()
        monkeypatch.setenv("QUIRE_OFFLINE", "1")
        assert pull().path == str(installed())
        assert hub.requests == []

    def test_reports_progress_from_the_first_bytes_to_the_last(self, hub: Hub) -> None:
        reports: list[tuple[int, int]] = []
        pull(lambda done, total: reports.append((done, total)))
        assert reports == sorted(reports)
        assert reports[0][0] < len(CONTENT)
        assert reports[-1] == (len(CONTENT), len(CONTENT))
        assert {total for _, total in reports} == {len(CONTENT)}

    def test_asks_for_the_pinned_revision_and_tells_only_its_own_name(self, hub: Hub) -> None:
        pull()
        assert {request.path for request in hub.requests} == {ADDRESS}
        assert all(request.headers["user-agent"].startswith("quire/") for request in hub.requests)
        assert all("torch" not in request.headers["user-agent"] for request in hub.requests)

    def test_keeps_a_token_from_the_storage_host(self, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HF_TOKEN", "hf_secret")
        hub.hands_over = True
        pull()
        asked = [request for request in hub.requests if not request.path.startswith("/storage/")]
        stored = [request for request in hub.requests if request.path.startswith("/storage/")]
        assert {request.headers.get("authorization") for request in asked} == {"Bearer hf_secret"}
        assert {request.headers.get("authorization") for request in stored} == {None}

    def test_asks_nothing_when_the_model_is_installed_and_intact(self, hub: Hub) -> None:
        first = pull()
        hub.requests.clear()
        reports: list[tuple[int, int]] = []
        assert pull(lambda done, total: reports.append((done, total))) == first
        assert hub.requests == []
        assert reports == [(len(CONTENT), len(CONTENT))]

    def test_replaces_an_installed_file_that_is_damaged(self, hub: Hub) -> None:
        pull()
        damaged = bytearray(CONTENT)
        damaged[1000] ^= 1
        installed().write_bytes(damaged)
        with pytest.raises(ModelError, match="is damaged: its SHA-256"):
            verify_model("tiny", load(), known=[TINY])
        pull()
        assert installed().read_bytes() == CONTENT

    def test_writes_nothing_to_the_terminal(self, hub: Hub) -> None:
        hub.breaks = [1_000_000]
        done = pull_elsewhere()
        assert (done.stdout, done.stderr) == ("", "")
        assert installed().read_bytes() == CONTENT

    def test_keeps_unfinished_downloads_to_the_user(self, hub: Hub) -> None:
        pull()
        assert (locations.models_dir() / ".incomplete").stat().st_mode & 0o077 == 0

    def test_says_which_models_there_are(self, hub: Hub) -> None:
        with pytest.raises(ModelError, match="no model is called 'tinny'; did you mean 'tiny'"):
            pull_model("tinny", known=[TINY])
        assert hub.requests == []

    def test_needs_no_hub_for_a_model_that_comes_as_a_package(self, hub: Hub) -> None:
        model = pull_model("all-MiniLM-L6-v2")
        assert model.path is not None
        assert model.description in catalogue()
        assert hub.requests == []


class TestResuming:
    def test_goes_on_after_a_broken_connection_without_fetching_a_byte_twice(self, hub: Hub) -> None:
        hub.breaks = [1_000_000, 500_000]
        pull()
        assert installed().read_bytes() == CONTENT
        assert [request.headers.get("range") for request in hub.transfers] == [
            None,
            "bytes=1000000-",
            "bytes=1500000-",
        ]
        assert sum(request.sent for request in hub.transfers) == len(CONTENT)

    def test_a_later_call_goes_on_where_a_hopeless_one_stopped(self, hub: Hub) -> None:
        hub.breaks = [700_000, 0, 0]
        with pytest.raises(DownloadError, match=r"broke off at 0\.7 of 3\.0 MB .*run it again to continue"):
            pull()
        assert not installed().exists()
        assert [part.stat().st_size for part in parts()] == [700_000]
        pull()
        assert installed().read_bytes() == CONTENT
        assert hub.transfers[-1].headers["range"] == "bytes=700000-"
        assert sum(request.sent for request in hub.transfers) == len(CONTENT)

    def test_a_connection_that_keeps_giving_bytes_is_not_given_up(self, hub: Hub) -> None:
        hub.breaks = [200_000] * 12
        pull()
        assert installed().read_bytes() == CONTENT
        assert len(hub.transfers) == 13

    @pytest.mark.parametrize(
        "error", [KeyboardInterrupt(), RuntimeError("cancelled")], ids=["ctrl-c", "cancelled"]
    )
    def test_an_interruption_leaves_a_part_that_is_continued(self, hub: Hub, error: BaseException) -> None:
        with pytest.raises(type(error)):
            pull(interrupted(error, after=1_000_000))
        (part,) = parts()
        kept = part.stat().st_size
        assert kept >= 1_000_000
        pull()
        assert installed().read_bytes() == CONTENT
        assert hub.transfers[-1].headers["range"] == f"bytes={kept}-"

    def test_a_killed_process_leaves_a_part_and_no_lock(self, hub: Hub) -> None:
        hub.gate = threading.Event()
        command = [sys.executable, "-c", SCRIPT, json.dumps(asdict(TINY)), "0"]
        with subprocess.Popen(command) as process:
            while process.poll() is None and not any(part.stat().st_size for part in parts()):
                time.sleep(0.01)
            process.kill()
        assert process.returncode == -signal.SIGKILL
        hub.gate.set()
        (part,) = parts()
        kept = part.stat().st_size
        pull()
        assert installed().read_bytes() == CONTENT
        assert hub.transfers[-1].headers["range"] == f"bytes={kept}-"

    def test_a_server_that_ignores_ranges_is_read_from_the_start(self, hub: Hub) -> None:
        hub.breaks = [1_000_000]
        hub.ignores_ranges = True
        pull()
        assert installed().read_bytes() == CONTENT
        assert hub.transfers[-1].sent == len(CONTENT)

    def test_the_storage_host_gets_the_range_as_well(self, hub: Hub) -> None:
        hub.hands_over = True
        hub.breaks = [1_000_000]
        pull()
        assert installed().read_bytes() == CONTENT
        assert [request.headers.get("range") for request in hub.transfers] == [None, "bytes=1000000-"]

    def test_a_part_that_was_complete_already_is_only_checked(self, hub: Hub) -> None:
        with pytest.raises(KeyboardInterrupt):
            pull(interrupted(KeyboardInterrupt(), after=len(CONTENT)))
        (part,) = parts()
        assert part.stat().st_size == len(CONTENT)
        hub.requests.clear()
        pull()
        assert installed().read_bytes() == CONTENT
        assert hub.requests == []

    def test_a_busy_hub_is_asked_again(self, hub: Hub) -> None:
        hub.statuses = [503, 429]
        pull()
        assert installed().read_bytes() == CONTENT

    def test_a_part_of_another_version_is_not_continued(self, hub: Hub) -> None:
        with pytest.raises(KeyboardInterrupt):
            pull(interrupted(KeyboardInterrupt(), after=1_000_000))
        other = b"GGUF" + random.Random(8).randbytes(2_000_000)
        hub.files[ADDRESS] = other
        pull(description=describe(other))
        assert installed().read_bytes() == other
        assert hub.transfers[-1].headers.get("range") is None


class TestWrongBytes:
    def test_a_file_with_another_checksum_is_deleted(self, hub: Hub) -> None:
        # The hub announces the right file and sends another of the same length.
        hub.announces = {"ETag": f'"{TINY.sha256}"'}
        hub.files[ADDRESS] = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
        with pytest.raises(DownloadError, match="does not have the catalogue's checksum and was deleted"):
            pull()
        assert not installed().exists()
        assert parts() == []

    def test_a_damaged_part_does_not_survive_either(self, hub: Hub) -> None:
        with pytest.raises(KeyboardInterrupt):
            pull(interrupted(KeyboardInterrupt(), after=1_000_000))
        (part,) = parts()
        damaged = bytearray(part.read_bytes())
        damaged[5] ^= 1
        part.write_bytes(damaged)
        with pytest.raises(DownloadError, match="was deleted; try again"):
            pull()
        pull()
        assert installed().read_bytes() == CONTENT

    @pytest.mark.parametrize("content", [CONTENT[:-5], CONTENT[:-1] + b"\0"], ids=["length", "checksum"])
    def test_a_file_that_differs_by_its_announcement_is_not_fetched(self, hub: Hub, content: bytes) -> None:
        hub.files[ADDRESS] = content
        with pytest.raises(DownloadError, match=r"other bytes under tiny-q4\.gguf than the catalogue says"):
            pull()
        assert hub.transfers == []

    def test_no_more_is_written_than_the_catalogue_says(self, hub: Hub) -> None:
        hub.announces = {"ETag": f'"{TINY.sha256}"', "Content-Length": str(len(CONTENT))}
        hub.files[ADDRESS] = CONTENT + bytes(5_000_000)
        largest = 0

        def progress(done: int, total: int) -> None:
            nonlocal largest
            largest = max(largest, done)

        with pytest.raises(DownloadError, match="nothing was kept"):
            pull(progress)
        assert largest <= len(CONTENT)
        assert parts() == []


class TestRefusals:
    def test_a_missing_file_is_named(self, hub: Hub) -> None:
        hub.files.clear()
        with pytest.raises(DownloadError, match=r"no tiny-q4.gguf in maker/Tiny-GGUF at 0123456789 \(404\)"):
            pull()

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_refusal_points_at_the_token(self, hub: Hub, status: int) -> None:
        hub.head_status = status
        with pytest.raises(DownloadError, match=rf"refuses maker/Tiny-GGUF \({status}\).*HF_TOKEN"):
            pull()

    def test_a_hub_that_stays_busy_is_given_up(self, hub: Hub) -> None:
        hub.head_status = 503
        with pytest.raises(DownloadError, match=r"broke off at 0\.0 of 3\.0 MB .*answered 503"):
            pull()
        assert len(hub.requests) == 1 + len(PAUSES)

    def test_a_hub_that_is_gone_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with Hub() as hub:
            endpoint = hub.endpoint
        monkeypatch.setenv("HF_ENDPOINT", endpoint.replace("//", "//user:secret@"))
        with pytest.raises(
            DownloadError, match=r"cannot reach 127\.0\.0\.1:.*refused.*check the network"
        ) as caught:
            pull()
        assert "secret" not in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_a_name_that_does_not_resolve_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HF_ENDPOINT", "http://hub.invalid")
        with pytest.raises(DownloadError, match=r"cannot reach hub\.invalid"):
            pull()

    def test_a_hub_that_goes_away_half_way_can_be_continued(self, hub: Hub) -> None:
        def progress(done: int, total: int) -> None:
            if done == 64 * 1024:
                hub.statuses = [500, 500]
                hub.breaks = []

        hub.breaks = [500_000]
        hub.statuses = [0, 500, 500]
        with pytest.raises(DownloadError, match=r"answered 500.*run it again"):
            pull(progress)
        assert [part.stat().st_size for part in parts()] == [500_000]

    @pytest.mark.parametrize("endpoint", ["hub.example.org", "file:///etc", "https://"])
    def test_an_endpoint_must_be_an_address(self, monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
        monkeypatch.setenv("HF_ENDPOINT", endpoint)
        with pytest.raises(DownloadError, match="HF_ENDPOINT is not an address"):
            pull()

    def test_offline_mode_is_respected(self, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
        import huggingface_hub

        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        with pytest.raises(DownloadError, match="HF_HUB_OFFLINE forbids downloads"):
            pull()
        assert hub.requests == []


class TestDisk:
    def test_too_little_space_is_told_before_anything_is_fetched(
        self, hub: Hub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        free = SimpleNamespace(free=int(len(CONTENT) * 1.02))
        monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
        with pytest.raises(
            DownloadError, match=r"needs 0\.00 GB in .*free some space or set QUIRE_MODELS_DIR"
        ):
            pull()
        assert hub.requests == []

    def test_what_is_there_already_needs_no_space(self, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(KeyboardInterrupt):
            pull(interrupted(KeyboardInterrupt(), after=1_500_000))
        monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1_700_000))
        pull()
        assert installed().read_bytes() == CONTENT

    def test_a_disk_that_fills_up_keeps_what_fits(self, hub: Hub) -> None:
        done = pull_elsewhere(largest_file=1_000_000)
        assert done.stdout.startswith("the disk is full: 1.0 of 3.0 MB of tiny are in ")
        assert done.stdout.count("\n") == 1
        assert [part.stat().st_size for part in parts()] == [1_000_000]
        pull()
        assert installed().read_bytes() == CONTENT
        assert hub.transfers[-1].headers["range"] == "bytes=1000000-"

    def test_a_folder_that_cannot_be_written_is_named(self, hub: Hub) -> None:
        locations.models_dir().write_text("not a folder")
        with pytest.raises(DownloadError, match=f"cannot write to .*: {os.strerror(errno.ENOTDIR)}"):
            pull()


class TestSeveralFiles:
    """A model that is a folder: its weights and what must lie beside them."""

    WEIGHTS = random.Random(8).randbytes(300_000)
    FILES = {"config.json": b"{}", "tokenizer.json": b"[]" * 5000, "model.safetensors": WEIGHTS}  # noqa: RUF012
    FOLDER = describe(
        WEIGHTS,
        kind="reranker",
        file="model.safetensors",
        companions=tuple(
            ModelFile(name, len(content), hashlib.sha256(content).hexdigest())
            for name, content in FILES.items()
            if name != "model.safetensors"
        ),
    )
    TOTAL = sum(map(len, FILES.values()))

    @pytest.fixture
    def hub(self, hub: Hub) -> Hub:
        at = f"/{self.FOLDER.repository}/resolve/{self.FOLDER.revision}/"
        hub.files.clear()
        hub.files.update({at + name: content for name, content in self.FILES.items()})
        return hub

    def pull(self, progress: download.Progress | None = None) -> InstalledModel:
        return pull(progress, self.FOLDER)

    def there(self) -> dict[str, bytes]:
        folder = locations.models_dir() / "tiny"
        return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}

    def test_are_all_fetched_and_the_model_is_their_folder(self, hub: Hub) -> None:
        model = self.pull()
        assert self.there() == self.FILES
        assert parts() == []
        assert (model.path, model.kind) == (str(locations.models_dir() / "tiny"), "reranker")
        assert model.in_use
        assert verify_model("tiny", load(), known=[self.FOLDER]) == model

    def test_count_as_one_in_the_progress(self, hub: Hub) -> None:
        reports: list[tuple[int, int]] = []
        self.pull(lambda done, total: reports.append((done, total)))
        assert reports == sorted(reports)
        assert reports[-1] == (self.TOTAL, self.TOTAL)
        assert {total for _, total in reports} == {self.TOTAL}

    def test_of_an_interrupted_download_those_that_are_there_stay(self, hub: Hub) -> None:
        with pytest.raises(KeyboardInterrupt):
            self.pull(interrupted(KeyboardInterrupt(), 70_000))
        assert set(self.there()) == {"config.json", "tokenizer.json"}
        assert not any(model.path for model in installed_models(load(), known=[self.FOLDER]))
        hub.requests.clear()
        self.pull()
        assert self.there() == self.FILES
        (transfer,) = hub.transfers
        assert transfer.path.endswith("/model.safetensors")
        assert "range" in transfer.headers

    @pytest.mark.parametrize("damaged", FILES)
    def test_of_an_installed_model_only_what_is_damaged_is_fetched_again(
        self, hub: Hub, damaged: str
    ) -> None:
        self.pull()
        hub.requests.clear()
        content = self.FILES[damaged]
        (locations.models_dir() / "tiny" / damaged).write_bytes(b"x" + content[1:])
        self.pull()
        assert [transfer.path.rpartition("/")[2] for transfer in hub.transfers] == [damaged]
        assert self.there() == self.FILES

    @pytest.mark.parametrize("other", FILES)
    def test_with_other_bytes_are_not_installed(self, hub: Hub, other: str) -> None:
        path = next(path for path in hub.files if path.endswith(other))
        hub.files[path] = b"y" * len(hub.files[path])
        with pytest.raises(DownloadError, match=r"was deleted|other bytes"):
            self.pull()
        assert other not in self.there()
        assert "model.safetensors" not in self.there()
        assert parts() == []


class TestTwoAtOnce:
    def test_the_second_waits_and_both_get_the_one_download(self, hub: Hub) -> None:
        hub.gate = threading.Event()
        started, waiting = threading.Event(), threading.Event()
        results: list[InstalledModel] = []

        def first() -> None:
            results.append(pull(lambda done, total: started.set()))

        def second() -> None:
            results.append(pull(lambda done, total: waiting.set()))

        threads = [threading.Thread(target=first), threading.Thread(target=second)]
        threads[0].start()
        assert started.wait(30)
        threads[1].start()
        assert waiting.wait(30)  # it reports how far the first one is
        hub.gate.set()
        for thread in threads:
            thread.join(30)
        assert len(results) == 2
        assert results[0] == results[1]
        assert len(hub.transfers) == 1
        assert installed().read_bytes() == CONTENT
