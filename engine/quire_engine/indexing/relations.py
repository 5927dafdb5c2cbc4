"""What notes have to do with each other: where links lead, and whose names stand in which passage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING

from quire_engine.index.store import note_id
from quire_engine.indexing.desk import WriteDesk
from quire_engine.records import Entity, Note
from quire_engine.vault.links import LinkIndex, may_mean

if TYPE_CHECKING:
    from quire_engine.chunking.sentences import LanguageTools, NameMatcher

_MANY_KEYS = 2_000
"""From so many changed names on, every link is looked at."""
_FEW_NAMES = 20
"""Up to this many new names, only the passages that hold one are looked at again."""
_PAGE = 50
"""Chunks whose names are written together."""
_LARGE_PAGE = 1_000
"""Chunks that are read at a time."""
_WAIT = 60.0


class Relations:
    """Resolves links and finds names, at a cost that follows what changed and not the size of the vault."""

    def __init__(self, desk: WriteDesk, tools: Callable[[], LanguageTools]) -> None:
        self._desk = desk
        self._tools = tools
        self._index: LinkIndex | None = None
        self._seen_writes = -1
        self._written: set[str] = set()
        """Notes whose links were written anew."""
        self._keys: set[str] = set()
        """What notes are called, or were, that came, went or changed their names."""
        self._matcher: NameMatcher | None = None

    def begin(self) -> None:
        """To be called before notes are written: their names now are compared with those they will have."""
        if self._index is None or self._seen_writes != self._desk.foreign_writes:
            self._index = LinkIndex(self._desk.store.relations.names())
            self._seen_writes = self._desk.foreign_writes
        self._written.clear()
        self._keys.clear()

    def drop(self) -> None:
        """Forget what is known; it is read again."""
        self._index = None

    def put(self, note: Note) -> None:
        """A note was written."""
        assert self._index is not None
        self._written.add(note.path)
        names = (note.title, tuple(dict.fromkeys(note.aliases)))
        before = self._index.names(note.path)
        if before != names:
            if before is not None:
                self._keys |= self._index.keys(note.path)
            self._index.add(note.path, *names)
            self._keys |= self._index.keys(note.path)

    def removed(self, paths: Iterable[str]) -> None:
        """Notes are removed."""
        assert self._index is not None
        for path in paths:
            if self._index.names(path) is not None:
                self._keys |= self._index.keys(path)
                self._index.remove(path)

    def resolve_links(self, *, everywhere: bool) -> None:
        """Decide where the links lead that may lead elsewhere now; only what differs is written."""
        tables = self._desk.store.relations
        index = self._index or LinkIndex(tables.names())
        if everywhere or len(self._keys) > _MANY_KEYS:
            links = tables.links()
        else:
            links = tables.links(sorted(self._written))
            if self._keys:
                affected = cache(lambda target: not self._keys.isdisjoint(may_mean(target)))
                links += [
                    link for link in tables.links() if link[2] not in self._written and affected(link[3])
                ]
        differing = []
        for note, position, source, target, resolved in links:
            path = index.resolve(target, source)
            leads_to = note_id(path) if path is not None else None
            if leads_to != resolved:
                differing.append((note, position, leads_to))
        with self._desk.store.transaction():
            tables.resolve_links(differing)

    def find_names(self, interrupted: Callable[[], bool]) -> bool:
        """Look for the vault's names in new passages, and for new names in old passages.

        Others may write meanwhile; what they change is looked at, too. Stops, and returns False, when
        ``interrupted`` says so; what is left is found by the next call.
        """
        with self._desk.leading("names") as ours:
            while ours and not interrupted():
                names, queue = self._queue(interrupted)
                if names is not None and not queue:
                    return True
                if names is not None:
                    self._match(names, queue, interrupted)
        return False

    def _queue(self, interrupted: Callable[[], bool]) -> tuple[set[Entity] | None, list[int]]:
        """The names to look for, and the chunks to look in; no names when something came between."""
        with self._desk.writing(_WAIT, interrupted):
            tables = self._desk.store.relations
            names, matched = tables.vault_names(), tables.matched_names()
        added, lost = names - matched, matched - names
        holding = self._holding(added, interrupted)
        if holding is None:
            return None, []
        with self._desk.writing(_WAIT, interrupted):
            tables = self._desk.store.relations
            if tables.matched_names() != matched:  # another has emptied the index
                return None, []
            # At once, before anything is matched: whenever that ends, the rest is known.
            with self._desk.store.transaction():
                tables.set_matched_names(added, lost, holding)
            return names, tables.entity_queue()

    def _holding(self, added: set[Entity], interrupted: Callable[[], bool]) -> list[int] | None:
        """Chunks in which one of the ``added`` names may stand; ``None`` when ``interrupted``."""
        if not added:
            return []
        with self._desk.writing(_WAIT, interrupted):
            chunks = self._desk.store.relations.text_chunks()
        if len(added) > _FEW_NAMES:
            return chunks
        # Which passages hold one of a few names is seen faster than they are matched.
        words = [name.text.casefold() for name in added]
        holding = []
        for start in range(0, len(chunks), _LARGE_PAGE):
            if interrupted():
                return None
            with self._desk.writing(_WAIT, interrupted):
                texts = self._desk.store.relations.texts(chunks[start : start + _LARGE_PAGE])
            folded = ((chunk, text.casefold()) for chunk, text in texts)
            holding += [chunk for chunk, text in folded if any(word in text for word in words)]
        return holding

    def _match(self, names: set[Entity], chunks: Sequence[int], interrupted: Callable[[], bool]) -> None:
        """Look for ``names`` in ``chunks``; stops early where these are not the names to look for any more.

        The write lock is held while texts are read and while names are written, not while they are found.
        """
        if self._matcher is None:
            from quire_engine.chunking.sentences import NameMatcher

            self._matcher = NameMatcher()
        self._matcher.set_names(names)
        tools = self._tools()
        checked = -1
        for start in range(0, len(chunks), _PAGE):
            if interrupted():
                return
            page = chunks[start : start + _PAGE]
            with self._desk.writing(_WAIT, interrupted):
                texts = dict(self._desk.store.relations.texts(page))
            found = {
                chunk: [*self._matcher.find(text), *tools.names(text, tools.language(text))]
                for chunk, text in texts.items()
            }
            with self._desk.writing(_WAIT, interrupted):
                tables = self._desk.store.relations
                if self._desk.foreign_writes != checked:
                    if tables.matched_names() != names:  # as above
                        return
                    checked = self._desk.foreign_writes
                now = dict(tables.texts(page))
                with self._desk.store.transaction():
                    for chunk in page:
                        if texts.get(chunk) == now.get(chunk):
                            tables.put_entities(chunk, found.get(chunk, ()))
