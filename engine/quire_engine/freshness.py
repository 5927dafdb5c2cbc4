"""Whether what was found still stands in its note: hits are checked against the files as they are now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from quire_engine.errors import VaultError
from quire_engine.index.store import KnownNote
from quire_engine.quotes import headings_at, places
from quire_engine.records import FileStat, Hit, Note
from quire_engine.vault.decoding import content_hash
from quire_engine.vault.parser import parse
from quire_engine.vault.scanner import read_file

_MOST_BYTES = 1 << 20
"""A larger note that has changed is left to the next sync: parsing it would keep a question waiting."""


class FreshnessCheck:
    """Checks the hits of one search; what it has seen of a file it does not look at again."""

    def __init__(
        self, vault: Path, known: Callable[[Sequence[str]], Mapping[str, KnownNote]], max_note_bytes: int
    ) -> None:
        """``known`` reads from the index what it holds of the notes at some paths."""
        self._vault = vault
        self._known = known
        self._max_note_bytes = max_note_bytes
        self._unchanged: set[str] = set()
        self._changed: dict[str, Note | None] = {}
        """Notes as they are now, by path; ``None`` where one is gone or cannot be read."""

    def __call__(self, hits: Mapping[int, Hit]) -> dict[int, Hit]:
        """Those of ``hits`` whose text stands in its note now, at the lines where it stands now.

        A note whose size, time and file are those that were indexed has not changed; on doubt its content is
        compared. A hit of a note that has changed is marked as stale, or left out: when its text is gone, or
        the note is larger than 1 MiB.
        """
        unseen = {hit.path for hit in hits.values()} - self._unchanged - self._changed.keys()
        known = self._known(sorted(unseen))
        for path in unseen:
            self._look(path, known.get(path))
        checked = ((chunk, self._checked(hit)) for chunk, hit in hits.items())
        return {chunk: hit for chunk, hit in checked if hit is not None}

    def _look(self, path: str, known: KnownNote | None) -> None:
        self._changed[path] = None
        if known is None:
            return
        with suppress(OSError, ValueError, VaultError):
            status = (self._vault / path).stat()
            same = not known.may_differ(FileStat(status.st_size, status.st_mtime_ns, status.st_ino))
            if not same:
                data, stat = read_file(self._vault, path, self._max_note_bytes)
                same = content_hash(data) == known.content_hash
                if not same and len(data) <= _MOST_BYTES:
                    self._changed[path] = parse(path, data, stat)
            if same:
                del self._changed[path]
                self._unchanged.add(path)

    def _checked(self, hit: Hit) -> Hit | None:
        if hit.path in self._unchanged:
            return hit
        note = self._changed[hit.path]
        if note is None:
            return None
        if not hit.text.strip():  # found by the note's names alone, which its path still has
            return replace(hit, stale=True)
        standing = [
            (offset, line)
            for offset, line in places(note.text, hit.text, to_line_end=True)
            if not any(c.start <= offset and offset + len(hit.text) <= c.end for c in note.comments)
        ]
        if not standing:
            return None
        offset, line = min(standing, key=lambda place: abs(place[1] - hit.start_line))
        return replace(
            hit,
            headings=headings_at(note, offset, hit.headings),
            start_line=line,
            end_line=line + hit.end_line - hit.start_line,
            stale=True,
        )
