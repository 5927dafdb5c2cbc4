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
"""Chunks in which names are looked for while the write lock is held once."""
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
            self._index = LinkIndex(self._desk.store.names())
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
        store = self._desk.store
        index = self._index or LinkIndex(store.names())
        if everywhere or len(self._keys) > _MANY_KEYS:
            links = store.links()
        else:
            links = store.links(sorted(self._written))
            if self._keys:
                affected = cache(lambda target: not self._keys.isdisjoint(may_mean(target)))
                links += [
                    link for link in store.links() if link[2] not in self._written and affected(link[3])
                ]
        differing = []
        for note, position, source, target, resolved in links:
            path = index.resolve(target, source)
            leads_to = note_id(path) if path is not None else None
            if leads_to != resolved:
                differing.append((note, position, leads_to))
        with store.transaction():
            store.resolve_links(differing)

    def find_names(self, interrupted: Callable[[], bool]) -> bool:
        """Look for the vault's names in new passages, and for new names in old passages.

        Stops, and returns False, when ``interrupted`` says so; what is left is found by the next call.
        """
        with self._desk.leading("names") as ours:
            return ours and self._find_names(interrupted)

    def _find_names(self, interrupted: Callable[[], bool]) -> bool:
        with self._desk.writing(_WAIT, interrupted):
            store = self._desk.store
            names, matched = store.vault_names(), store.matched_names()
            added, lost = names - matched, matched - names
        holding = self._holding(added, interrupted)
        if holding is None:
            return False
        with self._desk.writing(_WAIT, interrupted):
            store = self._desk.store
            # At once, before anything is matched: whenever that ends, the rest is known.
            with store.transaction():
                store.set_matched_names(added, lost, holding)
            queue = store.entity_queue()
        if not queue:
            return True
        if self._matcher is None:
            from quire_engine.chunking.sentences import NameMatcher

            self._matcher = NameMatcher()
        self._matcher.set_names(names)
        return self._match(queue, interrupted)

    def _holding(self, added: set[Entity], interrupted: Callable[[], bool]) -> list[int] | None:
        """Chunks in which one of the ``added`` names may stand; ``None`` when ``interrupted``."""
        if not added:
            return []
        with self._desk.writing(_WAIT, interrupted):
            chunks = self._desk.store.text_chunks()
        if len(added) > _FEW_NAMES:
            return chunks
        # Which passages hold one of a few names is seen faster than they are matched.
        words = [name.text.casefold() for name in added]
        holding = []
        for start in range(0, len(chunks), _LARGE_PAGE):
            if interrupted():
                return None
            with self._desk.writing(_WAIT, interrupted):
                texts = self._desk.store.texts(chunks[start : start + _LARGE_PAGE])
            folded = ((chunk, text.casefold()) for chunk, text in texts)
            holding += [chunk for chunk, text in folded if any(word in text for word in words)]
        return holding

    def _match(self, chunks: Sequence[int], interrupted: Callable[[], bool]) -> bool:
        assert self._matcher is not None
        tools = self._tools()
        for start in range(0, len(chunks), _PAGE):
            if interrupted():
                return False
            with self._desk.writing(_WAIT, interrupted), self._desk.store.transaction():
                for chunk, text in self._desk.store.texts(chunks[start : start + _PAGE]):
                    found = [*self._matcher.find(text), *tools.names(text, tools.language(text))]
                    self._desk.store.put_entities(chunk, found)
        return True
