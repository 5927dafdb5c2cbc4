"""Where a link leads: notes by name as Obsidian finds them, and headings and blocks within a note."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import unquote

from quire_engine.records import Block, BlockKind, Note, Span

_NOTE_SUFFIX = re.compile(r"\.(?:md|markdown)$", re.IGNORECASE)
_ATTACHMENT = re.compile(
    r"\.(?:png|jpe?g|gif|bmp|svg|webp|avif|heic|tiff?|pdf|mp3|wav|m4a|ogg|3gp|flac|opus|mp4|webm|ogv|mov|mkv"
    r"|avi|zip|7z|gz|csv|tsv|json|xlsx?|docx?|pptx?|epub|base|txt|html?)$",
    re.IGNORECASE,
)
_BETWEEN_WORDS = re.compile(r"[\W_]+")
_MANY = 64
"""From so many notes of one name on, looking at each of them for each link would take too long."""
_MOST_FOLDERS = 16
"""Folders that a link to one of so many may name besides."""

_Paths = dict[str, None]
"""Paths in the order in which they came."""


class LinkIndex:
    """The names of a vault's notes, kept current by `add` and `remove`.

    Names are compared without case and in Unicode's composed form; ``.md`` may be left out.
    """

    def __init__(self, notes: Iterable[tuple[str, str, Sequence[str]]] = ()) -> None:
        """``notes`` holds (path, title, aliases)."""
        self._names: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._by_path: dict[str, _Paths] = {}
        self._by_file: dict[str, _Paths] = {}
        self._by_alias: dict[str, _Paths] = {}
        self._by_title: dict[str, _Paths] = {}
        self._found: dict[tuple[str, str], str | None] = {}
        """What targets were found to mean, as written in notes of a folder."""
        self._endings: dict[str, dict[str, str]] = {}
        """For names of many files: what of a path may be written to mean it, and the best path for that."""
        self._nearest: dict[tuple[int, str], dict[str, str]] = {}
        """For names that many notes have: the best of each folder, and of all under the empty key."""
        for path, title, aliases in notes:
            self.add(path, title, aliases)

    def add(self, path: str, title: str, aliases: Sequence[str] = ()) -> None:
        """Add a note, or give a known one its new title and aliases."""
        if path in self._names:
            self.remove(path)
        self._names[path] = (title, tuple(dict.fromkeys(aliases)))
        for names, key in self._keys(path):
            names.setdefault(key, {})[path] = None
        self._forget_found()

    def names(self, path: str) -> tuple[str, tuple[str, ...]] | None:
        """Title and aliases of a known note."""
        return self._names.get(path)

    def keys(self, path: str) -> set[str]:
        """What a link may call the known note at ``path``; see `may_mean`."""
        return {key for _, key in self._keys(path)} | {_fold(path).rpartition("/")[2]}

    def remove(self, path: str) -> None:
        """Forget a note; one that is not known is no error."""
        if path not in self._names:
            return
        for names, key in self._keys(path):
            paths = names.get(key, {})
            paths.pop(path, None)
            if not paths:
                names.pop(key, None)
        del self._names[path]
        self._forget_found()

    def _forget_found(self) -> None:
        for found in (self._found, self._endings, self._nearest):
            found.clear()

    def resolve(self, target: str, source: str) -> str | None:
        """The path of the note that ``target``, written in the note ``source``, means; ``None`` for none.

        In this order: the path from the vault's root; for ``./`` and ``../`` only the path from the source's
        folder; a note whose path ends so, of several the one in the source's folder, then the shortest path,
        then the first in the alphabet; an alias; a title. An empty target is the source itself.
        """
        target = target.strip()
        if not target:
            return source
        folder = source.rpartition("/")[0]
        if (target, folder) not in self._found:
            found = self._resolve(target, folder)
            if found is None and "%" in target and (decoded := unquote(target)) != target:
                found = self._resolve(decoded, folder)
            self._found[target, folder] = found
        return self._found[target, folder]

    def _resolve(self, target: str, folder: str) -> str | None:
        if target.startswith(("./", "../")) or target in (".", ".."):
            path = posixpath.normpath(posixpath.join(folder, target))
            return None if path.startswith("..") else self._at(path)
        if found := self._at(target.lstrip("/")):
            return found
        if is_attachment(target) or target.startswith("/"):
            return None
        if folder and (found := self._at(f"{folder}/{target}")):
            return found
        return self._suffix(target) or self._named(target, folder)

    def _at(self, path: str) -> str | None:
        # A name that ends in .md twice is reached by its path, and by its name as shown.
        for key in (_key(path), _fold(path)):
            if paths := self._by_path.get(key):
                if len(paths) <= _MANY:
                    return _best(paths, path)
                exact = (f"{_bare(path)}{suffix}" for suffix in ("", ".md", ".markdown"))
                return next((other for other in exact if other in paths), None) or min(paths, key=_shortest)
        return None

    def _suffix(self, target: str) -> str | None:
        for key in (_key(target), _fold(target)):
            ending = f"/{key}"
            paths = self._by_file.get(key.rpartition("/")[2], {})
            if len(paths) > _MANY:
                if found := self._ending(target, key):
                    return found
            elif matching := [path for path in paths if f"/{_key(path)}".endswith(ending)]:
                return _best(matching, target)
        return None

    def _ending(self, target: str, key: str) -> str | None:
        """The best of many paths that end in ``target``, written so, else of those that do when folded."""
        name = key.rpartition("/")[2]
        endings = self._endings.get(name)
        if endings is None:
            endings = self._endings[name] = {}
            for path in sorted(self._by_file[name], key=_shortest):
                for written in (f"={_bare(path)}", _key(path)):
                    for ending in _ends(written):
                        endings.setdefault(ending, path)
        return endings.get(f"={_bare(target)}") or endings.get(key)

    def _named(self, target: str, folder: str) -> str | None:
        key = _fold(target)
        for number, names in enumerate((self._by_alias, self._by_title)):
            if paths := names.get(key):
                if len(paths) > _MANY:
                    return self._near(number, key, paths, folder)
                near = [path for path in paths if posixpath.dirname(path) == folder]
                return _best(near or paths, target)
        return None

    def _near(self, number: int, key: str, paths: Iterable[str], folder: str) -> str:
        nearest = self._nearest.get((number, key))
        if nearest is None:
            nearest = self._nearest[number, key] = {}
            for path in sorted(paths, key=_shortest):
                nearest.setdefault(posixpath.dirname(path) or "/", path)
                nearest.setdefault("", path)
        return nearest.get(folder or "/") or nearest[""]

    def _keys(self, path: str) -> Iterable[tuple[dict[str, _Paths], str]]:
        title, aliases = self._names[path]
        key = _key(path)
        yield self._by_path, key
        yield self._by_file, key.rpartition("/")[2]
        yield self._by_title, _fold(title)
        for alias in {_fold(alias) for alias in aliases}:
            yield self._by_alias, alias


def may_mean(target: str) -> set[str]:
    """Keys by which ``target`` finds notes: where it leads depends on no note without one of them."""
    written = {target.strip(), unquote(target.strip())}
    names = {name for text in written for name in (_key(text), _fold(text))}
    return names | {name.rpartition("/")[2] for name in names}


def is_attachment(target: str) -> bool:
    """Whether a link's target is an image, a recording or another file that is no note."""
    return _ATTACHMENT.search(target) is not None


def find_heading(note: Note, subpath: str) -> Block | None:
    """The heading that ``Heading`` or ``Outer#Inner`` means: the first whose path holds these in order.

    Compared as written but for case and space, then by words alone: ``my-heading`` finds "My heading!".
    """
    wanted = [part for part in subpath.strip("#").split("#") if part.strip()]
    if not wanted:
        return None
    headings = [block for block in note.blocks if block.kind is BlockKind.HEADING and block.headings]
    for form in (_fold, _words):
        names = [form(part) for part in wanted]
        if not all(names):
            continue
        for block in headings:
            *above, own = map(form, block.headings)
            if own == names[-1] and _in_order(names[:-1], above):
                return block
    return None


def find_block(note: Note, block_id: str) -> Block | None:
    """The first block with this id, given with or without ``^``."""
    wanted = block_id.strip().removeprefix("^").lower()
    found = (block for block in note.blocks if block.block_id and block.block_id.lower() == wanted)
    return next(found, None) if wanted else None


def find_subpath(note: Note, subpath: str) -> Block | None:
    """The heading, or the block for ``^id``, that a link's subpath means."""
    if subpath.startswith("^"):
        return find_block(note, subpath)
    return find_heading(note, subpath)


def section_span(note: Note, block: Block) -> Span:
    """What a link to ``block`` shows: a heading's section, an item with the items in it, else the block."""
    try:
        position = note.blocks.index(block)
    except ValueError:
        return block.span
    last = block
    for following in note.blocks[position + 1 :]:
        if block.kind is BlockKind.HEADING:
            if following.kind is BlockKind.HEADING and following.level <= block.level:
                break
        elif (
            block.kind is not BlockKind.LIST_ITEM
            or following.kind is not BlockKind.LIST_ITEM
            or following.level <= block.level
        ):
            break
        last = following
    return Span(block.span.start, last.span.end, block.span.start_line, last.span.end_line)


def _fold(name: str) -> str:
    if not name.isascii():
        name = unicodedata.normalize("NFC", name)
    return " ".join(name.lower().split())


def _words(name: str) -> str:
    return _BETWEEN_WORDS.sub(" ", _fold(name)).strip()


def _bare(path: str) -> str:
    return _NOTE_SUFFIX.sub("", path)


def _key(path: str) -> str:
    return _fold(_bare(path))


def _ends(path: str) -> Iterator[str]:
    """``path`` from its last name, its last folder, and so on; a mark at its beginning marks them all."""
    mark = path[: path.startswith("=")]
    parts = path.removeprefix("=").split("/")
    for first in range(1, min(len(parts), _MOST_FOLDERS + 1) + 1):
        yield mark + "/".join(parts[-first:])


def _shortest(path: str) -> tuple[int, str]:
    return len(path), path


def _best(paths: Iterable[str], written: str) -> str:
    """Of paths that match equally: the one in the case as written, the shortest, the first."""
    bare = _bare(written)

    def rank(path: str) -> tuple[bool, int, str]:
        return (not _bare(path).endswith(bare), *_shortest(path))

    return min(paths, key=rank)


def _in_order(names: Sequence[str], path: Sequence[str]) -> bool:
    rest = iter(path)
    return all(name in rest for name in names)
