"""Notes that a question names: titles, aliases and file names among its words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from quire_engine.analysis import STOP_WORDS
from quire_engine.records import NamedNote
from quire_engine.retrieval.wording import folded_words, is_unspaced, units

_LINK = re.compile(r"!?\[\[([^\[\]\n|]{1,300})(?:\|([^\[\]\n]{0,300}))?\]\]")
_APART = re.compile(r"(?<=\S)\s*\([^()]*\)$")
"""What tells things of one name apart, as in "Mercury (planet)"."""
_LONGEST = 12
"""Words (or characters of a script without spaces) of a name that is looked for."""
_MOST_PATHS = 20
"""A name that more notes have says nothing of which is meant."""
_SUFFIX = re.compile(r"\.(?:md|markdown|canvas)$", re.IGNORECASE)

_Name = tuple[str, ...]


class NoteNames:
    """The names of some notes: those of one question's candidates, not all of a vault's."""

    def __init__(self, notes: Iterable[tuple[str, str, Sequence[str]]] = ()) -> None:
        """``notes`` holds (path, title, aliases); "Mercury (planet)" is also called Mercury."""
        self._paths: dict[_Name, dict[str, None]] = {}
        self._lengths: dict[str, set[int]] = {}
        """How long names are that begin with a word."""
        for path, title, aliases in notes:
            file = _SUFFIX.sub("", path.rpartition("/")[2])
            written = {title, file, *aliases}
            for name in written | {_APART.sub("", name) for name in written}:
                key = tuple(units(folded_words(name)))
                if 0 < len(key) <= _LONGEST:
                    self._paths.setdefault(key, {})[path] = None
                    self._lengths.setdefault(key[0], set()).add(len(key))

    def among(self, text: str) -> tuple[NamedNote, ...]:
        """Those that stand in ``text``, in its order; of overlapping ones the longest.

        Left out are names that say nothing: of stop words, of one letter or of two digits, and those of more
        than 20 notes.
        """
        words = units(folded_words(text))
        found = [
            (start, length)
            for start, word in enumerate(words)
            for length in self._lengths.get(word, ())
            if self._is_name(tuple(words[start : start + length]))
        ]
        taken: list[tuple[int, int]] = []
        for start, length in sorted(found, key=lambda place: (-place[1], place[0])):
            if all(start + length <= other or other + size <= start for other, size in taken):
                taken.append((start, length))
        names = dict.fromkeys(tuple(words[start : start + length]) for start, length in sorted(taken))
        return tuple(NamedNote(_joined(name), tuple(self._paths[name])) for name in names)

    def linked(self, text: str) -> tuple[NamedNote, ...]:
        """The notes that ``text`` links to: ``[[name]]``, ``[[folder/name#heading]]`` or ``[[name|words]]``.

        Of notes of one name those whose path ends as written, if there are such.
        """
        found: dict[_Name, NamedNote] = {}
        for link in _LINK.finditer(text):
            target = _SUFFIX.sub("", link[1].partition("#")[0].strip())
            name = tuple(units(folded_words(target.rpartition("/")[2])))
            if not (paths := tuple(self._paths.get(name, ()))):
                continue
            written = folded_words(target)
            exact = tuple(path for path in paths if folded_words(_SUFFIX.sub("", path)).endswith(written))
            found[name] = NamedNote(_joined(name), (exact or paths)[:_MOST_PATHS], linked=True)
        return tuple(found.values())

    def _is_name(self, name: _Name) -> bool:
        paths = self._paths.get(name)
        if not paths or len(paths) > _MOST_PATHS or STOP_WORDS.issuperset(name):
            return False
        if len(name) > 1:
            return True
        return len(name[0]) > (2 if name[0].isdigit() else 1)


def without_links(text: str) -> str:
    """``text`` with its wikilinks as words: what they show, and the name that they mean."""

    def words(link: re.Match[str]) -> str:
        name = link[1].rpartition("/")[2].replace("#", " ").replace("^", "").strip()
        shown = (link[2] or "").strip()
        return name if not shown or shown == name else f"{shown} {name}"

    return _LINK.sub(words, text) if "[[" in text else text


def _joined(name: _Name) -> str:
    """The words of a name with spaces between them, but for scripts without."""
    joined = ""
    for unit in name:
        joined += unit if not joined or (is_unspaced(joined[-1]) and is_unspaced(unit)) else f" {unit}"
    return joined
