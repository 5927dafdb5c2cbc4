"""Searching a commit of the Whoosh index: BM25 over arrays, one number a document."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from whoosh.codec.whoosh3 import W3Segment

from quire_engine.analysis import Alternatives
from quire_engine.index import bm25
from quire_engine.index.keywords import LANGUAGE_TERMS, held_languages
from quire_engine.index.whoosh_segments import SegmentFile

_Postings = tuple[NDArray[np.int64], NDArray[np.float32]]
_CACHE_BYTES = 96 * 2**20


class PostingsCache:
    """The posting lists that were asked for last, decoded; they never change. For any number of threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, bytes], _Postings | None] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, name: str, file: SegmentFile, term: bytes) -> _Postings | None:
        """The postings of ``term`` in the segment ``name``."""
        key = name, term
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        found = file.postings(term)
        with self._lock:
            if key not in self._kept:  # another thread may have been as quick
                self._kept[key] = found
                self._bytes += _size(found)
            while self._bytes > _CACHE_BYTES and len(self._kept) > 1:
                self._bytes -= _size(self._kept.popitem(last=False)[1])
        return found

    def keep_only(self, names: set[str]) -> None:
        """Forget segments that are gone."""
        with self._lock:
            for key in [key for key in self._kept if key[0] not in names]:
                self._bytes -= _size(self._kept.pop(key))


def _size(postings: _Postings | None) -> int:
    return 200 if postings is None else 300 + postings[0].nbytes + postings[1].nbytes


def _joined(parts: Iterable[_Postings | None], *, apart: bool) -> _Postings | None:
    """The postings of ``parts``; unless they are ``apart``, a document in several has its highest weight."""
    present = [part for part in parts if part is not None]
    if len(present) < 2:
        return present[0] if present else None
    documents = np.concatenate([part[0] for part in present])
    weights = np.concatenate([part[1] for part in present])
    if apart:
        return documents, weights
    once, places = np.unique(documents, return_inverse=True)
    highest = np.zeros(len(once), np.float32)
    np.maximum.at(highest, places, weights)
    return once, highest


@dataclass(frozen=True)
class LiveSegment:
    """An opened segment with the documents of it that are not deleted."""

    segment: W3Segment
    file: SegmentFile
    live: NDArray[np.bool_] | None
    """A mask by document; ``None`` when none is deleted."""
    total_length: int
    """The lengths of the live documents, added."""

    @classmethod
    def of(cls, folder: Path, segment: W3Segment, known: LiveSegment | None) -> LiveSegment:
        """Open ``segment``; what was ``known`` of it at an earlier commit is taken over."""
        if known is not None and known.segment.deleted_count() == segment.deleted_count():
            return known  # documents are only ever deleted
        file = known.file if known is not None else SegmentFile(folder, segment)
        if not segment.has_deletions():
            return cls(segment, file, None, int(file.lengths.sum()))
        live = np.ones(len(file.ids), np.bool_)
        live[np.fromiter(segment.deleted_docs(), np.int64)] = False
        return cls(segment, file, live, int(file.lengths[live].sum()))

    @property
    def name(self) -> str:
        return str(self.segment.segment_id())

    @property
    def mask(self) -> NDArray[np.bool_]:
        return np.ones(len(self.file.ids), np.bool_) if self.live is None else self.live

    def without(self, chunks: NDArray[np.uint64]) -> W3Segment:
        """Whoosh's record of the segment when ``chunks`` are deleted too."""
        documents = self.file.find(chunks)
        if self.live is not None:
            documents = documents[self.live[documents]]
        if not len(documents):
            return self.segment
        changed = copy(self.segment)
        changed._deleted = {*self.segment.deleted_docs(), *documents.tolist()}
        return changed


class Snapshot:
    """One commit, ready to be searched by any number of threads: what it works out later never changes.

    Deleted documents count for nothing, in frequencies and lengths neither: how the index came about, in one
    commit or many, does not show in the scores.
    """

    def __init__(self, segments: Sequence[LiveSegment], cache: PostingsCache) -> None:
        self.segments = segments
        self.count = sum(part.segment.doc_count() for part in segments)
        """Live documents."""
        average = sum(part.total_length for part in segments) / max(1, self.count) or 1.0
        self._saturation = [
            bm25.K1 * ((1 - bm25.B) + bm25.B * part.file.rounded_lengths / average) for part in segments
        ]
        self._ends = np.cumsum([0, *(len(part.file.ids) for part in segments)]).tolist()
        ids = [np.zeros(0, np.uint64), *(part.file.ids for part in segments)]
        self._ids: NDArray[np.uint64] = np.concatenate(ids)
        self._cache = cache

    def search(
        self, terms: Sequence[Alternatives], limit: int, among: Sequence[int] | None
    ) -> list[tuple[int, float]]:
        """(chunk id, BM25 score), best first, of documents that hold any of ``terms``.

        The alternatives of each count as one term, with the weight of the heaviest.
        """
        all_scores = np.zeros(len(self._ids))
        scores = [all_scores[start:end] for start, end in pairwise(self._ends)]
        for alternatives in terms:
            found = self._found(alternatives)
            weight = bm25.inverse_document_frequency(self.count, self._having(found)) * (bm25.K1 + 1)
            for part, score, saturation in zip(found, scores, self._saturation, strict=True):
                if part is not None:
                    documents, weights = part
                    score[documents] += weight * weights / (weights + saturation[documents])
        wanted = None if among is None else np.asarray(among, dtype=np.uint64)
        for segment, score in zip(self.segments, scores, strict=True):
            if segment.live is not None:
                score *= segment.live
            if wanted is not None:
                mask = np.zeros(len(score), np.bool_)
                mask[segment.file.find(wanted)] = True
                score *= mask
        return bm25.best(self._ids, all_scores, limit)

    def holding(self, terms: Sequence[Alternatives]) -> list[int]:
        """The chunks of the documents that hold all of ``terms``, each in one of its alternatives."""
        found = [self._found(alternatives) for alternatives in terms]
        chunks: list[int] = []
        for segment, *parts in zip(self.segments, *found, strict=True):
            present = sorted((part[0] for part in parts if part is not None), key=len)
            if len(present) < len(terms) or not present:
                continue
            mask = segment.mask.copy()
            for documents in present:
                having = np.zeros(len(mask), np.bool_)
                having[documents] = True
                mask &= having
            chunks += segment.file.ids[mask].tolist()
        return chunks

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """The languages whose stems documents hold."""
        return held_languages(self.frequency)

    @cached_property
    def _spoken(self) -> list[NDArray[np.uint8]]:
        """The language of each document of each segment: 1 for the first of `languages`, 0 for none."""
        spoken = [np.zeros(len(part.file.ids), np.uint8) for part in self.segments]
        for number, code in enumerate(self.languages, start=1):
            for of_documents, found in zip(spoken, self._postings(LANGUAGE_TERMS[code]), strict=True):
                if found is not None:
                    of_documents[found[0]] = number
        return spoken

    def frequency(self, term: str) -> int:
        """How many live documents hold ``term``."""
        return self._having(self._postings(term))

    def _found(self, alternatives: Alternatives) -> list[_Postings | None]:
        """In each segment, the postings of the ``alternatives`` in documents of their languages, joined."""
        if len(alternatives) == 1:  # of all languages
            return self._postings(next(iter(alternatives)))
        found = [self._restricted(term, codes) for term, codes in alternatives.items()]
        languages = list(chain.from_iterable(alternatives.values()))
        apart = len(languages) == len(set(languages))  # then no document has two of them
        return [_joined(parts, apart=apart) for parts in zip(*found, strict=True)]

    def _restricted(self, term: str, codes: Sequence[str]) -> list[_Postings | None]:
        wanted = np.array([code in codes for code in ("", *self.languages)])
        restricted: list[_Postings | None] = []
        for spoken, found in zip(self._spoken, self._postings(term), strict=True):
            if found is not None:
                kept = wanted[spoken[found[0]]]
                found = (found[0][kept], found[1][kept]) if kept.any() else None
            restricted.append(found)
        return restricted

    def _postings(self, term: str) -> list[_Postings | None]:
        key = term.encode("utf-8", "surrogatepass")
        return [self._cache.get(part.name, part.file, key) for part in self.segments]

    def _having(self, found: Sequence[_Postings | None]) -> int:
        return sum(
            len(postings[0]) if segment.live is None else int(np.count_nonzero(segment.live[postings[0]]))
            for segment, postings in zip(self.segments, found, strict=True)
            if postings is not None
        )
