"""Where the background engine is found, and what tells builds of Quire apart. Standard library only.

One engine serves a user and a set of places: settings file, data, caches and models. Its socket's name is a
hash of these, so that processes with other places talk to another engine.
"""

from __future__ import annotations

import fcntl
import os
import stat
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.machinery import PathFinder
from pathlib import Path
from zlib import crc32

PLACES = ("QUIRE_CONFIG", "QUIRE_DATA_DIR", "QUIRE_CACHE_DIR", "QUIRE_MODELS_DIR")
"""Variables that say where Quire keeps things; an engine lives with one set of them."""
_BASES = ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME")
"""What those places follow from when they are not set."""
_LONGEST = 100
"""Bytes of a socket's path; systems take 104 to 108."""
_REMEDY = "set QUIRE_RUNTIME_DIR to another folder"


class UnusableFolder(Exception):
    """The folder for sockets cannot be used; the message says why and what to do."""


class Address:
    """The files of one engine: its socket, and two locks."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.folder = _folder(environment)
        """Belongs to the user alone; see `claim`."""
        places = [_place(environment, name) for name in PLACES]
        bases = [environment.get(name) or "" for name in _BASES]
        self.key = _digest("\0".join([*places, *bases]))
        """16 hexadecimal digits that stand for the places."""
        self.socket = self.folder / f"engine-{self.key}.sock"
        self.lock = self.folder / f"engine-{self.key}.lock"
        """Held by the engine as long as it lives; the system frees it when the engine dies. Holds its pid."""
        self.starting = self.folder / f"engine-{self.key}.start"
        """Held by the client that starts an engine, so that others wait for the same one."""

    def claim(self) -> None:
        """Create the folder if it is missing, and make sure that nobody else can reach into it.

        Raises `UnusableFolder`: in a folder of another user, a socket could be anybody's.
        """
        self._check_path()
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise UnusableFolder(f"cannot create {self.folder}: {error.strerror}; {_REMEDY}") from error
        self.is_claimed()

    def is_claimed(self) -> bool:
        """Whether the folder is there, and of this user alone. Raises `UnusableFolder`; creates nothing."""
        self._check_path()
        try:
            status = self.folder.lstat()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise UnusableFolder(f"cannot reach {self.folder}: {error.strerror}; {_REMEDY}") from error
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
            raise UnusableFolder(f"{self.folder} is not a folder of this user; {_REMEDY}")
        if status.st_mode & 0o077:
            raise UnusableFolder(f"others may enter {self.folder}; run: chmod 700 {self.folder}")
        return True

    def _check_path(self) -> None:
        # From another folder, which may be a vault, a relative path would lead to another engine.
        if not self.folder.is_absolute():
            raise UnusableFolder(f"{self.folder} must be an absolute path; {_REMEDY}")
        if len(os.fsencode(self.socket)) > _LONGEST:
            raise UnusableFolder(f"{self.folder} is too long a path for a socket; {_REMEDY}")

    def holder(self) -> int | None:
        """The process id of the living engine; ``None`` when there is none."""
        try:
            descriptor = os.open(self.lock, os.O_RDWR)
        except OSError:
            return None
        try:
            # A shared lock: two processes that ask at once must not take each other for an engine.
            if try_lock(descriptor, fcntl.LOCK_SH):
                return None
            return int(os.pread(descriptor, 32, 0).strip() or b"0") or None
        finally:
            os.close(descriptor)


def try_lock(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    """Lock an open file, without waiting; closing the file frees it."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def engine_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for an engine process: places made absolute, settings left out.

    Settings come with every question, because they are those of the process that asks. QUIRE_DEBUG is none:
    it says what the engine logs.
    """
    kept = {name: value for name, value in environment.items() if not name.startswith("QUIRE_")}
    kept.update({name: place for name in PLACES if (place := _place(environment, name))})
    if environment.get("QUIRE_RUNTIME_DIR"):
        kept["QUIRE_RUNTIME_DIR"] = str(_folder(environment))
    if environment.get("QUIRE_DEBUG"):
        kept["QUIRE_DEBUG"] = environment["QUIRE_DEBUG"]
    return kept


def build() -> str:
    """What changes when Quire, its Python or its dependencies do: 16 hexadecimal digits.

    Names, sizes and times of the files of both packages are looked at, so that an engine of an edited
    checkout is recognised as outdated, too.
    """
    python = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    parts = [sys.version, sys.prefix]
    with suppress(OSError):
        parts.append(str(Path(sys.prefix, "lib", python, "site-packages").stat().st_mtime_ns))
    for name in ("quire", "quire_engine"):
        spec = PathFinder.find_spec(name)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            _list_files(folder, parts)
    return _digest("\0".join(parts))


def _list_files(folder: str, parts: list[str]) -> None:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir():
                if entry.name != "__pycache__":
                    _list_files(entry.path, parts)
            elif not entry.name.startswith("."):
                status = entry.stat()
                parts.append(f"{entry.path}:{status.st_size}:{status.st_mtime_ns}")


def _folder(environment: Mapping[str, str]) -> Path:
    if given := environment.get("QUIRE_RUNTIME_DIR"):
        return Path(given).expanduser()
    if system := environment.get("XDG_RUNTIME_DIR"):
        return Path(system, "quire")
    return Path(environment.get("TMPDIR") or "/tmp", f"quire-{os.getuid()}")  # noqa: S108 (see claim)


def _place(environment: Mapping[str, str], name: str) -> str:
    given = environment.get(name)
    return str(Path(given).expanduser().resolve()) if given else ""


def _digest(text: str) -> str:
    """16 hexadecimal digits. hashlib takes longer to load than the rest of this module."""
    data = text.encode("utf-8", "surrogateescape")
    return f"{crc32(data):08x}{crc32(data[::-1]):08x}"
