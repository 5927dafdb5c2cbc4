"""The keyword index in Whoosh's format, one weighted field scored by BM25F."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from quire_engine.errors import StoreError
from quire_engine.index import bm25
from quire_engine.index.keywords import empty, is_damage, remove_others, translated, wanted_terms

if TYPE_CHECKING:
    from quire_engine.index.whoosh_commits import Commit
    from quire_engine.index.whoosh_search import LiveSegment, PostingsCache, Snapshot

_T = TypeVar("_T")
_FORMAT = 5
"""Raised when what is indexed for the same chunk changes; an index of another format is built anew."""
_ATTEMPTS = 10


class WhooshKeywords:
    """BM25F in its simple form (Robertson, Zaragoza, Taylor, CIKM 2004): the fields' weighted term counts are
    added before saturation. One posting list a term also keeps long questions fast.

    Readers see the last commit; one writer at a time (the vault's write lock sees to it). Files, schema and
    table of contents are Whoosh's, which can open the index; what it does a posting at a time is done by the
    array here, both ways.
    """

    def __init__(self, folder: Path, *, writable: bool) -> None:
        """Use the index in ``folder``; when ``writable``, an absent or damaged one is made anew, empty.

        A reader opens it at its first question, and raises `StoreError` then if it is damaged: the sync
        before may have mended it. A writer raises it when the system fails and the index may be sound.
        """
        self._folder = folder / f"keywords-whoosh-{_FORMAT}"
        self._lock = threading.Lock()
        self._forget()
        if writable:
            try:
                with translated("opening the keyword index"), self._lock:
                    exists = self._refreshed() is not None
                    self._verify()
            except StoreError as error:
                if not is_damage(error):
                    raise
                exists = False
            if exists:
                remove_others(self._folder)
            else:
                self.clear()

    def clear(self) -> None:
        """Throw everything away and start empty; `applied` becomes 0."""
        from quire_engine.index.whoosh_commits import first_commit, write_commit

        with translated("creating the keyword index"), self._lock:
            self._forget()
            empty(self._folder)
            write_commit(self._folder, first_commit(self._folder))

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return self._folder

    @property
    def applied(self) -> int:
        """The highest outbox sequence whose change is committed; 0 for an empty index."""
        commit = self._committed()
        return commit.sequence if commit else 0

    @property
    def source(self) -> str:
        """The identity of the database that the last commit came from; empty for an empty index."""
        commit = self._committed()
        return commit.source if commit else ""

    def count(self) -> int:
        """Chunks in the index."""
        commit = self._committed()
        return sum(segment.doc_count() for segment in commit.segments) if commit else 0

    def chunks(self) -> list[int]:
        """The chunks in the index, in no order."""
        with translated("reading the keyword index"):
            snapshot = self._current()
            parts = snapshot.segments if snapshot else ()
            return [chunk for part in parts for chunk in part.file.ids[part.mask].tolist()]

    def verify(self) -> None:
        """Raises `StoreError` unless every file is as it was written; reads them to the end."""
        with translated("checking the keyword index"), self._lock:
            self._patiently(self._verify)

    def _verify(self) -> None:
        self._refreshed()
        for part in self._live_segments():
            part.file.verify()

    def apply(
        self,
        deletions: Sequence[int],
        additions: Sequence[tuple[int, Mapping[str, float]]],
        sequence: int,
        source: str = "",
    ) -> None:
        """Delete chunks, add (chunk id, weighted terms), and commit with ``sequence``, all or nothing.

        A chunk that is there already is replaced. ``source`` names the database whose sequence it is.
        """
        from quire_engine.index.whoosh_commits import INDEX, due_for_merging, write_commit
        from quire_engine.index.whoosh_segments import merge, write_chunks

        with translated("writing the keyword index"), self._lock:
            commit = self._refreshed()
            if commit is None:
                raise FileNotFoundError(f"{self._folder} was removed")
            chunks = dict(additions)
            segments = self._without([*deletions, *chunks])
            if chunks:
                segments.append(write_chunks(self._folder, INDEX, chunks))
            commit = commit.next(segments, sequence, source)
            write_commit(self._folder, commit)
            while small := due_for_merging(commit.segments):  # what is new can be found meanwhile
                self._refreshed()
                parts = [(part.file, part.mask) for part in self._live_segments() if part.segment in small]
                merged = merge(self._folder, INDEX, parts)
                commit = commit.next(
                    [*(s for s in commit.segments if s not in small), merged], sequence, source
                )
                write_commit(self._folder, commit)

    def search(
        self, query: str, limit: int, *, among: Sequence[int] | None = None
    ) -> list[tuple[int, float]]:
        """(chunk id, BM25F score), best first; the query's terms are ORed and never parsed as syntax."""
        if limit < 1:
            return []
        with translated("searching the keyword index"):
            snapshot = self._current()
            if snapshot is None:
                return []
            wanted = wanted_terms(query, snapshot.languages)
            return snapshot.search(wanted, limit, among) if wanted else []

    def holding(self, words: str) -> list[int]:
        """Chunks that hold every word of ``words``, by the terms that `search` uses, in no order."""
        with translated("searching the keyword index"):
            snapshot = self._current()
            if snapshot is None:
                return []
            wanted = wanted_terms(words, snapshot.languages)
            return snapshot.holding(wanted) if wanted else []

    def rarity(self, words: Sequence[str]) -> dict[str, float]:
        """Inverse document frequency of each term, as BM25 weighs it."""
        with translated("reading the keyword index"):
            snapshot = self._current()
            if snapshot is None:
                return dict.fromkeys(words, 0.0)
            return {word: bm25.rarity(snapshot.count, snapshot.frequency(word)) for word in words}

    def close(self) -> None:
        """Let go of the files; the next use opens them again."""
        with self._lock:
            self._forget()

    def _forget(self) -> None:
        self._forget_commit()
        self._opened: dict[str, LiveSegment] = {}
        self._cache: PostingsCache | None = None

    def _forget_commit(self) -> None:
        self._seen: list[tuple[str, int, int]] = []
        self._commit: Commit | None = None
        self._snapshot: Snapshot | None = None

    def _committed(self) -> Commit | None:
        with translated("reading the keyword index"), self._lock:
            return self._patiently(self._refreshed)

    def _current(self) -> Snapshot | None:
        """The last commit; it is searched without the lock, so that questions do not wait for each other."""
        with self._lock:
            return self._patiently(self._fresh_snapshot)

    def _patiently(self, read: Callable[[], _T]) -> _T:
        """What ``read`` gives, read again when a writer removed files meanwhile."""
        for _ in range(_ATTEMPTS):
            try:
                return read()
            except FileNotFoundError:
                self._forget_commit()
        return read()

    def _refreshed(self) -> Commit | None:
        """The last commit, read again when there is a new one; ``None`` without an index."""
        from quire_engine.index.whoosh_commits import read_commit, seen_commits

        seen = seen_commits(self._folder)
        if seen != self._seen or not seen:
            self._forget_commit()
            self._commit = read_commit(self._folder) if seen else None
            self._seen = seen
        return self._commit

    def _fresh_snapshot(self) -> Snapshot | None:
        from quire_engine.index.whoosh_search import PostingsCache, Snapshot

        if self._refreshed() is None:
            return None
        if self._snapshot is None:
            self._cache = self._cache or PostingsCache()
            self._snapshot = Snapshot(self._live_segments(), self._cache)
        return self._snapshot

    def _live_segments(self) -> list[LiveSegment]:
        """The segments of the last commit; those that were open before are taken over."""
        from quire_engine.index.whoosh_search import LiveSegment

        segments = self._commit.segments if self._commit else ()
        opened = {}
        for segment in segments:
            known = self._opened.get(segment.segment_id())
            opened[segment.segment_id()] = LiveSegment.of(self._folder, segment, known)
        self._opened = opened
        if self._cache is not None:
            self._cache.keep_only(set(opened))
        return list(opened.values())

    def _without(self, chunks: Sequence[int]) -> list[Any]:
        """The segments of the last commit without some chunks; those that hold nothing else are left out."""
        import numpy as np

        gone = np.asarray(chunks, dtype=np.uint64)
        return [left for part in self._live_segments() if (left := part.without(gone)).doc_count()]
