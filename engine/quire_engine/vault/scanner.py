"""Finds the notes of a vault without opening any of them, and opens one safely.

Nothing outside the vault is ever reached: a link is followed only when it ends inside, and only at a file
or folder that the walk does not reach anyway.
"""

from __future__ import annotations

import errno
import os
import stat as stat_mode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pathspec import GitIgnoreSpec

from quire_engine.errors import ConfigError, VaultError
from quire_engine.records import FileStat, FoundFile, SkippedNote

IGNORE_FILE = ".quireignore"
NOTE_EXTENSIONS = (".md", ".markdown", ".canvas")
_MAX_IGNORE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What a vault holds; both lists are sorted by path."""

    files: list[FoundFile] = field(default_factory=list)
    skipped: list[SkippedNote] = field(default_factory=list)
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
    walk.ignored = _patterns(root, ignore, walk.result.skipped)
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
    walk.ignored = _patterns(root, ignore, [])
    for path in paths:
        if not walk.look(path):
            return None
    return walk.result


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
        # The link, if any, is resolved: whatever takes the file's place now must not be followed.
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        descriptor = os.open(real, flags | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat_mode.S_ISREG(status.st_mode):
                raise VaultError(f"{printable(path)}: not a regular file")
            again = os.path.realpath(real, strict=True)
            _require_inside(root, again, path)
            if not os.path.samestat(status, os.lstat(again)):
                raise VaultError(f"{printable(path)}: changed while it was opened; try again")
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


class _Walk:
    def __init__(self, root: str, max_note_bytes: int) -> None:
        self.root = root
        self.max_note_bytes = max_note_bytes
        self.ignored: GitIgnoreSpec | None = None
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
            except (OSError, ValueError) as error:
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
            except OSError:
                return False
        return name in self._listed[folder]

    def _folder(self, prefix: str, place: str) -> None:
        pending = [(prefix, place)]
        while pending:
            prefix, place = pending.pop()
            if place in self._folders:
                self._skip(prefix.rstrip("/"), "leads to a folder that is reached already")
                continue
            self._folders.add(place)
            try:
                with os.scandir(place) as entries:
                    found = (self._entry(prefix, place, entry) for entry in entries)
                    pending.extend(folder for folder in found if folder)
            except OSError as error:
                if place == self.root:
                    raise VaultError(f"cannot read the vault {place}: {_reason(error)}") from error
                self._skip(prefix.rstrip("/"), f"cannot read the folder: {_reason(error)}")

    def _entry(self, prefix: str, place: str, entry: os.DirEntry[str]) -> tuple[str, str] | None:
        name = entry.name
        if name.startswith("."):
            return None
        path = prefix + name
        try:
            if entry.is_dir(follow_symlinks=False):
                if not self._usable(path, folder=True):
                    return None
                return f"{path}/", f"{place.rstrip('/')}/{name}"
            if entry.is_symlink():
                is_folder = entry.is_dir()
                if (is_folder or is_note(name)) and self._usable(path, folder=is_folder):
                    self._links.append((path, entry.path, is_folder))
                    self.result.linked.add(path)
                return None
            if is_note(name) and self._usable(path, folder=False):
                self._file(path, entry.path, entry.stat(follow_symlinks=False))
        except OSError as error:
            if is_note(name):
                self._skip(path, _reason(error))
        return None

    def _usable(self, path: str, *, folder: bool) -> bool:
        if not path.isascii():
            try:
                path.encode()
            except UnicodeEncodeError:
                self._skip(path, "the name is not valid Unicode; rename it")
                return False
        return self.ignored is None or not self.ignored.match_file(f"{path}/" if folder else path)

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


def _require_inside(root: str, real: str, path: str) -> None:
    if real != root and not real.startswith(f"{root.rstrip('/')}/"):
        raise VaultError(f"{printable(path)}: leads outside the vault")


def _patterns(root: str, ignore: Sequence[str], skipped: list[SkippedNote]) -> GitIgnoreSpec | None:
    lines = []
    for pattern in ignore:
        if not _valid(pattern):
            raise ConfigError(f"setting 'scan.ignore': '{printable(pattern)}' is not a pattern; correct it")
        lines.append(pattern)
    for number, pattern in enumerate(_ignore_lines(root, skipped), 1):
        if _valid(pattern):
            lines.append(pattern)
        else:
            skipped.append(SkippedNote(IGNORE_FILE, f"line {number} is not a valid pattern and is not used"))
    spec = GitIgnoreSpec.from_lines(lines)
    return spec if any(pattern.include is not None for pattern in spec.patterns) else None


def _valid(pattern: str) -> bool:
    try:
        GitIgnoreSpec.from_lines([pattern])
    except ValueError:
        return False
    return True


def _ignore_lines(root: str, skipped: list[SkippedNote]) -> Iterator[str]:
    if not os.path.lexists(f"{root}/{IGNORE_FILE}"):
        return
    try:
        data = read_bytes(Path(root), IGNORE_FILE, _MAX_IGNORE_BYTES)
    except VaultError as error:
        skipped.append(SkippedNote(IGNORE_FILE, str(error).removeprefix(f"{IGNORE_FILE}: ")))
        return
    yield from data.decode("utf-8-sig", "replace").splitlines()


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
    }.get(error.errno or 0, error.strerror or type(error).__name__)
