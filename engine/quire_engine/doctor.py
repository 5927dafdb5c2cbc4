"""Examines an installation: each part that Quire needs, whether it works, and what to do when it does not."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from quire_engine import __version__, locations
from quire_engine.errors import QuireError
from quire_engine.settings import Settings

_OLDEST_PYTHON = (3, 11)
_PACKAGES = (
    "apsw",
    "sqlite-vec",
    "Whoosh-Reloaded",
    "openvino",
    "torch",
    "sentence-transformers",
    "spacy",
    "tokenizers",
    "markdown-it-py",
    "watchdog",
)
_ENOUGH_DISK = 500_000_000
"""Bytes: room for the index of a large vault and for converting the embedding model."""
_WATCHES = Path("/proc/sys/fs/inotify/max_user_watches")


@dataclass(frozen=True, slots=True)
class Finding:
    """What the examination of one part came to."""

    name: str
    ok: bool
    detail: str
    advice: str = ""
    """What to do; may come with a part that is sound but could be better."""


def diagnose(vault: Path | None, settings: Settings) -> Iterator[Finding]:
    """Examine part after part; nothing is raised and nothing is changed.

    ``vault`` is ``None`` when none is chosen: what belongs to a vault is left out then.
    """
    yield _python()
    yield _packages()
    yield _guarded("sqlite", _sqlite)
    yield _guarded("embedding model", lambda: _embedding_model(settings))
    yield _language_model()
    yield _guarded("disk space", lambda: _disk(locations.data_dir()))
    if vault is None:
        yield Finding("vault", True, "none chosen", "give --vault FOLDER to have a vault examined too")
        return
    found = _guarded("vault", lambda: _vault(vault))
    yield found
    if not found.ok:
        return
    yield _guarded("index", lambda: _index(vault, settings))
    if _WATCHES.exists():
        yield _guarded("file watching", lambda: _watching(vault, _WATCHES))


def _guarded(name: str, examine: Callable[[], Finding]) -> Finding:
    """What ``examine`` finds; whatever it raises is a finding too, since any library may be broken here."""
    try:
        return examine()
    except QuireError as error:
        return Finding(name, False, str(error))
    except Exception as error:
        detail = " ".join(f"{type(error).__name__}: {error}".split())
        return Finding(name, False, detail, "reinstall Quire: pip install --force-reinstall quire")


def _python() -> Finding:
    ok = sys.version_info >= _OLDEST_PYTHON
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}, Quire {__version__}"
    return Finding("python", ok, detail, "" if ok else "use Python 3.11 or newer")


def _packages() -> Finding:
    versions, missing = [], []
    for name in _PACKAGES:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return Finding(
            "packages", False, f"missing: {', '.join(missing)}", f"pip install {' '.join(missing)}"
        )
    return Finding("packages", True, ", ".join(versions))


def _sqlite() -> Finding:
    import apsw
    import sqlite_vec

    connection = apsw.Connection(":memory:")
    try:
        connection.enable_load_extension(True)
        connection.load_extension(sqlite_vec.loadable_path())
        version = connection.execute("SELECT vec_version()").get
    finally:
        connection.close()
    return Finding("sqlite", True, f"{apsw.sqlite_lib_version()} with sqlite-vec {version}")


def _embedding_model(settings: Settings) -> Finding:
    from quire_engine.inference.catalogue import checked_embedding_model

    folder, digest, name = checked_embedding_model(settings.embedding.model)
    return Finding("embedding model", True, f"{name} in {folder}, weights intact (sha256 {digest[:16]}…)")


def _language_model() -> Finding:
    if find_spec("llama_cpp") is None:
        detail = "llama-cpp-python is not installed; answers are extractive"
        return Finding("language model", True, detail, "for written answers: pip install 'quire[llama]'")
    try:
        version = metadata.version("llama-cpp-python")
    except metadata.PackageNotFoundError:
        version = "of unknown version"
    return Finding("language model", True, f"llama-cpp-python {version}")


def _disk(folder: Path) -> Finding:
    place = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(place).free
    detail = f"{free / 1e9:.1f} GB free for {folder}"
    if not os.access(place, os.W_OK):
        return Finding(
            "disk space", False, f"{place} is not writable", "set QUIRE_DATA_DIR to a folder that is"
        )
    if free < _ENOUGH_DISK:
        return Finding("disk space", False, detail, "free some space, or set QUIRE_DATA_DIR to another disk")
    return Finding("disk space", True, detail)


def _vault(vault: Path) -> Finding:
    if not vault.is_dir():
        problem = "is not a folder" if vault.exists() else "does not exist"
        return Finding("vault", False, f"{vault} {problem}", "check --vault, QUIRE_VAULT and the settings")
    try:
        entries = sum(1 for _ in vault.iterdir())
    except OSError as error:
        return Finding("vault", False, f"{vault}: {error.strerror}", "check the folder's permissions")
    return Finding("vault", True, f"{vault}, {entries} entries at its top")


def _index(vault: Path, settings: Settings) -> Finding:
    from quire_engine.index.database import FILE_NAME, connect, has_schema, translated
    from quire_engine.index.keywords import open_keywords

    folder = locations.index_dir(vault)
    if not (folder / FILE_NAME).exists():
        return Finding("index", True, "not made yet", "run 'quire index'")
    connection = connect(folder, writable=False)
    try:
        with translated("checking the index"):
            problems = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(3)")]
            empty = not has_schema(connection)
            owed = empty or bool(connection.execute("SELECT count(*) FROM keyword_outbox").get)
            chunks = 0 if empty else int(connection.execute("SELECT count(*) FROM chunks").get)
    finally:
        connection.close()
    if problems != ["ok"]:
        return Finding("index", False, f"damaged: {problems[0]}", "run 'quire index --rebuild'")
    keywords = open_keywords(folder, settings.retrieval.keywords, writable=False)
    if not owed and (found := keywords.count()) != chunks:
        detail = f"the keyword index holds {found:,} passages of {chunks:,}"
        return Finding("index", False, detail, "run 'quire index --rebuild'")
    return Finding("index", True, f"{folder}, {'empty' if empty else 'intact'}")


def _watching(vault: Path, limits: Path) -> Finding:
    allowed = int(limits.read_text())
    folders = sum(1 for _ in os.walk(vault))
    detail = f"{folders:,} folders to watch, {allowed:,} watches allowed"
    if folders > allowed:
        return Finding(
            "file watching", False, detail, f"raise it: sudo sysctl fs.inotify.max_user_watches={folders * 2}"
        )
    return Finding("file watching", True, detail)
