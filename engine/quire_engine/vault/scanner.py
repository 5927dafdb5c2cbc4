"""Finds the notes of a vault without opening any of them, and opens one safely.

Nothing outside the vault is ever reached: a link is followed only when it ends inside, and only at a file
or folder that the walk does not reach anyway.
"""

from __future__ import annotations

import errno
import os
import stat as stat_mode
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from quire_engine.errors import ConfigError, VaultError
from quire_engine.records import FileStat, FoundFile, SkippedNote
from quire_engine.vault.ignoring import IgnoreRules, is_pattern, usable_lines
from quire_engine.vault.inside import open_inside

IGNORE_FILE = ".quireignore"
NOTE_EXTENSIONS = (".md", ".markdown", ".canvas")
_MAX_IGNORE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What a vault holds; both lists are sorted by path."""

    files: list[FoundFile] = field(default_factory=list)
    skipped: list[SkippedNote] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)
    """Paths among the skipped ones that may be as they were: the system did not tell."""
    linked: set[str] = field(default_factory=set)
    """Paths of symbolic links: what one of them shows may change without a change at its own path."""


def is_note(name: str) -> bool:
    """Whether a file of this name (or path) is a note or a canvas."""
    return name.lower().endswith(NOTE_EXTENSIONS)


def scan(vault: Path, ignore: Sequence[str] = (), max_note_bytes: int = 32 * 2**20) -> ScanResult:
    """List the notes (``.md``, ``.markdown``) and canvases of ``vault``, in one pass over its folders.

    Hidden files and folders are left out, and so is what matches ``ignore`` or the vault's ``.quireignore``
    (both in the syntax of a ``.gitignore``). What cannot be indexed is listed with its reason. Raises
    `VaultError` when the vault is missing, not a folder or unreadable, `ConfigError` for a bad pattern.
    """
    root = _root(vault)
    walk = _Walk(root, max_note_bytes)
    walk.ignored = _rules(root, ignore, walk.result.skipped)
    walk.run()
    walk.result.files.sort(key=lambda found: found.path)
    walk.result.skipped.sort(key=lambda note: note.path)
    return walk.result


def look(
    vault: Path, paths: Sequence[str], ignore: Sequence[str] = (), max_note_bytes: int = 32 * 2**20
) -> ScanResult | None:
    """What `scan` finds at ``paths`` (of files, relative to the vault), without walking the vault.

    A path that is in neither list is no note, or gone. ``None`` when links play a part, so that only a walk
    over the whole vault can tell. Raises as `scan` does.
    """
    root = _root(vault)
    walk = _Walk(root, max_note_bytes)
    walk.ignored = _rules(root, ignore, [])
    for path in paths:
        if not walk.look(path):
            return None
    return walk.result


def holds_notes(vault: Path) -> bool:
    """Whether any note stands in ``vault``; the first that is found is enough."""
    for _, folders, files in os.walk(vault):
        if any(is_note(name) and not name.startswith(".") for name in files):
            return True
        folders[:] = [name for name in folders if not name.startswith(".")]
    return False


def read_bytes(vault: Path, path: str, max_bytes: int = 32 * 2**20) -> bytes:
    """The bytes of the note at ``path`` (relative to the vault); see `read_file`."""
    return read_file(vault, path, max_bytes)[0]


def read_file(vault: Path, path: str, max_bytes: int = 32 * 2**20) -> tuple[bytes, FileStat]:
    """The bytes of a file of the vault and its state at that moment.

    Never blocks and never leaves the vault: raises `VaultError` when ``path`` is absolute, climbs, leads
    outside through links, or is missing, unreadable, larger than ``max_bytes`` or no regular file.
    """
    root = _root(vault)
    parts = path.split("/")
    if not path or "\0" in path or path.startswith("/") or ".." in parts:
        raise VaultError(f"{printable(path)}: not a path inside the vault")
    try:
        real = os.path.realpath(f"{root}/{path}", strict=True)
        _require_inside(root, real, path)
        # Links are resolved: what takes the place of the file, or of a folder above it, is not followed now.
        descriptor = _opened(root, real, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat_mode.S_ISREG(status.st_mode):
                raise VaultError(f"{printable(path)}: not a regular file")
            if status.st_size > max_bytes:
                raise VaultError(f"{printable(path)}: {_too_large(status.st_size, max_bytes)}")
            data = file.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        raise VaultError(f"{printable(path)}: {_reason(error)}") from error
    if len(data) > max_bytes:
        raise VaultError(f"{printable(path)}: {_too_large(len(data), max_bytes)}")
    return data, FileStat(status.st_size, status.st_mtime_ns, status.st_ino)


def printable(path: str) -> str:
    """``path`` with the bytes that are not Unicode written as escapes, so that it can be stored and shown."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


_Folder = tuple[str, str, os.stat_result | None]
"""What notes in it are called before their names, where it is, and what it is."""


class _Walk:
    def __init__(self, root: str, max_note_bytes: int) -> None:
        self.root = root
        self.max_note_bytes = max_note_bytes
        self.ignored = IgnoreRules(())
        self.result = ScanResult()
        self._links: list[tuple[str, str, bool]] = []
        self._folders: set[str] = set()
        self._listed: dict[str, set[str]] = {}

    def run(self) -> None:
        self._folder("", self.root)
        reached: set[str] | None = None
        # Links wait until everything is known that is reached without them; folders found behind a link
        # may hold further links.
        while self._links:
            links, self._links = sorted(self._links), []
            for path, place, is_folder in links:
                if reached is None:
                    reached = {f"{self.root.rstrip('/')}/{found.path}" for found in self.result.files}
                self._link(path, place, is_folder, reached)

    def look(self, path: str) -> bool:
        """Take in the file at ``path`` if there is one; False when a link stands in the way."""
        parts = path.split("/")
        for depth, name in enumerate(parts, start=1):
            here = "/".join(parts[:depth])
            place = f"{self.root.rstrip('/')}/{here}"
            if name.startswith("."):
                return True
            try:
                status = os.lstat(place)
            except (FileNotFoundError, NotADirectoryError):
                return True
            except OSError as error:
                self._leave_open(here, error)
                return True
            except ValueError as error:
                self._skip(path, _reason(error))
                return True
            if not self._usable(here, folder=depth < len(parts)):
                return True
            if stat_mode.S_ISLNK(status.st_mode):
                return False
        if is_note(path) and not stat_mode.S_ISDIR(status.st_mode) and self._is_spelled_so(path):
            self._file(path, place, status)
        return True

    def _is_spelled_so(self, path: str) -> bool:
        """Whether the folder holds exactly this name; some file systems open a file by other spellings."""
        folder, _, name = path.rpartition("/")
        if folder not in self._listed:
            try:
                with os.scandir(f"{self.root.rstrip('/')}/{folder}") as entries:
                    self._listed[folder] = {entry.name for entry in entries}
            except (FileNotFoundError, NotADirectoryError):
                return False
            except OSError as error:
                self._leave_open(path, error)
                return False
        return name in self._listed[folder]

    def _folder(self, prefix: str, place: str) -> None:
        pending: list[_Folder] = [(prefix, place, None)]
        while pending:
            prefix, place, seen = pending.pop()
            if place in self._folders:
                self._skip(prefix.rstrip("/"), "leads to a folder that is reached already")
                continue
            self._folders.add(place)
            try:
                folder = self._open_folder(place, seen)
                try:
                    with os.scandir(folder) as entries:
                        found = (self._entry(prefix, place, entry) for entry in entries)
                        pending.extend(inner for inner in found if inner)
                finally:
                    os.close(folder)
            except OSError as error:
                if place == self.root:
                    raise VaultError(f"cannot read the vault {place}: {_reason(error)}") from error
                self._skip(prefix.rstrip("/"), f"cannot read the folder: {_reason(error)}")

    def _open_folder(self, place: str, seen: os.stat_result | None) -> int:
        """A descriptor of a folder, which must be the one that was ``seen`` in the folder above it."""
        flags = os.O_RDONLY | os.O_DIRECTORY
        if seen is None:
            return _opened(self.root, place, flags)
        folder = os.open(place, flags | os.O_NOFOLLOW | os.O_CLOEXEC)
        if not os.path.samestat(os.fstat(folder), seen):  # a link took the place of a folder above
            os.close(folder)
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return folder

    def _entry(self, prefix: str, place: str, entry: os.DirEntry[str]) -> _Folder | None:
        name = entry.name
        if name.startswith("."):
            return None
        path, here = prefix + name, f"{place.rstrip('/')}/{name}"
        try:
            if entry.is_dir(follow_symlinks=False):
                if not self._usable(path, folder=True):
                    return None
                return f"{path}/", here, entry.stat(follow_symlinks=False)
            if entry.is_symlink():
                is_folder = entry.is_dir()
                if (is_folder or is_note(name)) and self._usable(path, folder=is_folder):
                    self._links.append((path, here, is_folder))
                    self.result.linked.add(path)
                return None
            if is_note(name) and self._usable(path, folder=False):
                self._file(path, here, entry.stat(follow_symlinks=False))
        except FileNotFoundError:
            return None
        except OSError as error:
            self._leave_open(path, error)
        return None

    def _usable(self, path: str, *, folder: bool) -> bool:
        if not path.isascii():
            try:
                path.encode()
            except UnicodeEncodeError:
                self._skip(path, "the name is not valid Unicode; rename it")
                return False
        return not self.ignored.leaves_out(f"{path}/" if folder else path)

    def _file(self, path: str, place: str, status: os.stat_result) -> None:
        mode = status.st_mode
        if not stat_mode.S_ISREG(mode):
            self._skip(path, f"not a regular file but {_kind(mode)}")
        elif status.st_size > self.max_note_bytes:
            self._skip(path, _too_large(status.st_size, self.max_note_bytes))
        elif mode & 0o444 != 0o444 and not os.access(place, os.R_OK):
            self._skip(path, "no permission to read it")
        else:
            found = FileStat(status.st_size, status.st_mtime_ns, status.st_ino)
            self.result.files.append(FoundFile(path, found))

    def _link(self, path: str, place: str, is_folder: bool, reached: set[str]) -> None:
        try:
            real = os.path.realpath(place, strict=True)
            _require_inside(self.root, real, path)
            status = os.lstat(real)
        except VaultError:
            self._skip(path, "a link that leads outside the vault")
        except OSError as error:
            self._skip(path, f"a link that leads nowhere: {_reason(error)}")
        else:
            if is_folder:
                if real in self._folders or self.root.startswith(f"{real}/"):
                    self._skip(path, "a link to a folder that is reached already")
                else:
                    self._folder(f"{path}/", real)
            elif real in reached:
                self._skip(path, "a link to a note that is indexed already")
            else:
                reached.add(real)
                self._file(path, real, status)

    def _leave_open(self, path: str, error: OSError) -> None:
        """Nobody can tell now what ``path`` is, or whether it is there."""
        self._skip(path, _reason(error))
        self.result.unknown.add(path)

    def _skip(self, path: str, reason: str) -> None:
        self.result.skipped.append(SkippedNote(printable(path), reason))


def _root(vault: Path) -> str:
    try:
        root = os.path.realpath(vault, strict=True)
    except (OSError, ValueError) as error:
        raise VaultError(f"cannot open the vault {vault}: {_reason(error)}") from error
    if not stat_mode.S_ISDIR(os.lstat(root).st_mode):
        raise VaultError(f"the vault {vault} is not a folder; give the folder that holds the notes")
    return root


def _opened(root: str, real: str, flags: int) -> int:
    """A descriptor of ``real``, a path without links inside ``root``; see `open_inside`."""
    return open_inside(root, [name for name in real[len(root) :].split("/") if name], flags)


def _require_inside(root: str, real: str, path: str) -> None:
    if real != root and not real.startswith(f"{root.rstrip('/')}/"):
        raise VaultError(f"{printable(path)}: leads outside the vault")


def _rules(root: str, ignore: Sequence[str], skipped: list[SkippedNote]) -> IgnoreRules:
    rules, wrong = _compiled(tuple(ignore), _ignore_file(root, skipped))
    skipped.extend(SkippedNote(IGNORE_FILE, reason) for reason in wrong)
    return rules


@lru_cache(maxsize=4)
def _compiled(ignore: tuple[str, ...], file: bytes) -> tuple[IgnoreRules, list[str]]:
    """The rules of the settings and the ignore file, and what is wrong with lines of the latter.

    Compiling many takes longer than looking at one edited note.
    """
    for pattern in ignore:
        if not is_pattern(pattern):
            raise ConfigError(f"setting 'scan.ignore': '{printable(pattern)}' is not a pattern; correct it")
    usable, wrong = usable_lines(file.decode("utf-8-sig", "replace").splitlines())
    return IgnoreRules([*ignore, *usable]), wrong


def _ignore_file(root: str, skipped: list[SkippedNote]) -> bytes:
    if not os.path.lexists(f"{root}/{IGNORE_FILE}"):
        return b""
    try:
        return read_bytes(Path(root), IGNORE_FILE, _MAX_IGNORE_BYTES)
    except VaultError as error:
        skipped.append(SkippedNote(IGNORE_FILE, str(error).removeprefix(f"{IGNORE_FILE}: ")))
        return b""


def _too_large(size: int, limit: int) -> str:
    return f"too large: {size:,} bytes, and the limit (scan.max_note_bytes) is {limit:,}"


def _kind(mode: int) -> str:
    if stat_mode.S_ISFIFO(mode):
        return "a pipe"
    if stat_mode.S_ISSOCK(mode):
        return "a socket"
    if stat_mode.S_ISCHR(mode) or stat_mode.S_ISBLK(mode):
        return "a device"
    return "a folder" if stat_mode.S_ISDIR(mode) else "something else"


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, ValueError):
        return "the name holds a character that no file can have"
    return {
        errno.EACCES: "no permission to read it",
        errno.ELOOP: "its links go round in a circle",
        errno.ENOENT: "no such file or folder",
        errno.ENAMETOOLONG: "its path is too long",
        errno.ESTALE: "it changed while it was opened; try again",
    }.get(error.errno or 0, error.strerror or type(error).__name__)
