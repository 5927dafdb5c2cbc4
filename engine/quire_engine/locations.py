"""Where Quire keeps things; every place can be overridden by an environment variable."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import platformdirs


def config_file() -> Path:
    """The settings file, ``$QUIRE_CONFIG`` or ``config.toml`` in the user's configuration folder."""
    if given := os.environ.get("QUIRE_CONFIG"):
        return Path(given).expanduser()
    return Path(platformdirs.user_config_dir("quire", appauthor=False)) / "config.toml"


def data_dir() -> Path:
    """Indexes and conversations live here: ``$QUIRE_DATA_DIR`` or the user's data folder."""
    if given := os.environ.get("QUIRE_DATA_DIR"):
        return Path(given).expanduser()
    return Path(platformdirs.user_data_dir("quire", appauthor=False))


def cache_dir() -> Path:
    """What can be made again (converted models): ``$QUIRE_CACHE_DIR`` or the user's cache folder."""
    if given := os.environ.get("QUIRE_CACHE_DIR"):
        return Path(given).expanduser()
    return Path(platformdirs.user_cache_dir("quire", appauthor=False))


def models_dir() -> Path:
    """Downloaded weights: ``$QUIRE_MODELS_DIR`` or ``models`` in the data folder."""
    if given := os.environ.get("QUIRE_MODELS_DIR"):
        return Path(given).expanduser()
    return data_dir() / "models"


def engine_log(key: str) -> Path:
    """The log of the background engine that ``key`` stands for."""
    return data_dir() / "logs" / f"engine-{key}.log"


def index_dir(vault: Path) -> Path:
    """The folder of a vault's index: outside the vault, named after its real path."""
    return data_dir() / "vaults" / _key(vault)


def conversations_file(vault: Path) -> Path:
    """The history of a vault. Not among what its index consists of, which may be thrown away."""
    return data_dir() / "conversations" / f"{_key(vault)}.sqlite3"


def _key(vault: Path) -> str:
    real = vault.resolve()
    slug = re.sub(r"[^A-Za-z0-9]+", "-", real.name).strip("-").lower()[:40] or "vault"
    digest = hashlib.blake2b(os.fsencode(real), digest_size=8).hexdigest()
    return f"{slug}-{digest}"


def private_dir(path: Path) -> Path:
    """Create ``path``, and those of its parents that are missing, for the user alone; return it.

    Folders of Quire's own that exist are closed to others: ``path``, and all between it and the place that it
    lies in. The place itself is left as it is where the user has named it, since it may be shared. What is
    kept there is trusted when it is read again (the keyword index holds a pickle), so a folder of another
    user is refused: `PermissionError`.
    """
    for folder in [*reversed(path.parents), path]:
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)
    if path.stat().st_uid != os.getuid():
        raise PermissionError(errno.EPERM, "it belongs to another user", str(path))
    for folder in _own(path):
        if stat.S_IMODE(folder.stat().st_mode) & 0o077:
            folder.chmod(0o700)
    return path


def bytes_in(path: Path) -> int:
    """Bytes of the file at ``path``, or of all files in that folder; some may vanish meanwhile."""
    total = 0
    for file in [path, *(Path(folder, name) for folder, _, names in os.walk(path) for name in names)]:
        with suppress(OSError):
            status = file.lstat()
            total += 0 if stat.S_ISDIR(status.st_mode) else status.st_size
    return total


def _own(path: Path) -> Iterator[Path]:
    """Of ``path`` and its parents, the folders that are Quire's alone."""
    places = {data_dir(): "QUIRE_DATA_DIR", cache_dir(): "QUIRE_CACHE_DIR", models_dir(): "QUIRE_MODELS_DIR"}
    if not any(place in (path, *path.parents) for place in places):
        yield path
    for folder in (path, *path.parents):
        usual = folder in places and not os.environ.get(places[folder])
        if usual or any(place in folder.parents for place in places):
            yield folder
