"""The keyword index in Tantivy: a drop-in for large vaults, chosen by ``retrieval.keywords``."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import chain, repeat
from pathlib import Path

import tantivy

from quire_engine.errors import StoreError
from quire_engine.index import bm25
from quire_engine.index.keywords import (
    LANGUAGE_TERMS,
    empty,
    held_languages,
    is_damage,
    remove_others,
    translated,
    wanted_terms,
)

_FORMAT = 2
"""Raised when what is indexed for the same chunk changes; an index of another format is built anew."""
_MEMORY = 64 * 2**20
_STATE = "state"
_SYSTEM_ERROR = re.compile(r"Os \{ code: (\d+)|os error (\d+)")
_FEW = 1000
_MORE = 10


class TantivyKeywords:
    """BM25 over the terms of a chunk, each repeated as often as it weighs.

    Readers see the last commit; one writer at a time (the vault's write lock sees to it).
    """

    def __init__(self, folder: Path, *, writable: bool) -> None:
        """Use the index in ``folder``; when ``writable``, an absent or damaged one is made anew, empty.

        A reader opens it at its first question, and raises `StoreError` then if it is damaged. A writer
        raises it when the system fails and the index may be sound.
        """
        self._folder = folder / f"keywords-tantivy-{_FORMAT}"
        self._lock = threading.Lock()
        self._seen: tuple[int, int] | None = None
        self._searcher: tantivy.Searcher | None = None
        if writable:
            try:
                exists = self._state() is not None
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
        with translated("creating the keyword index"), self._lock:
            self._seen = self._searcher = None
            empty(self._folder)
            (self._folder / "meta.json").unlink(missing_ok=True)
            tantivy.Index(_schema(), path=str(self._folder))

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return self._folder

    @property
    def applied(self) -> int:
        """The highest outbox sequence whose change is committed; 0 for an empty index."""
        state = self._state()
        return state[0] if state else 0

    @property
    def source(self) -> str:
        """The identity of the database that the last commit came from; empty for an empty index."""
        state = self._state()
        return state[1] if state else ""

    def count(self) -> int:
        """Chunks in the index."""
        with translated("reading the keyword index"), self._lock:
            searcher = self._fresh_searcher()
            return _chunks(searcher) if searcher else 0

    def chunks(self) -> list[int]:
        """The chunks in the index, in no order."""
        with translated("reading the keyword index"), self._lock:
            searcher = self._fresh_searcher()
            if searcher is None:
                return []
            everything = searcher.search(tantivy.Query.all_query(), searcher.num_docs or 1).hits
            values = searcher.fast_field_values("chunk", [address for _, address in everything])
            return [int(chunk) for chunk in values if chunk is not None]

    def verify(self) -> None:
        """Raises `StoreError` when the index cannot be opened and listed: what Tantivy itself looks at."""
        with self._lock:
            self._seen = self._searcher = None
        self.chunks()

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
        with translated("writing the keyword index"), self._lock:
            # Opened and closed every time: it holds a lock, and another process may write next.
            writer = self._opened().writer(_MEMORY, 1)
            try:
                chunks = dict(additions)
                if gone := [*{*deletions, *chunks}]:
                    writer.delete_documents_by_query(_any_of(gone))
                for chunk, weights in chunks.items():
                    writer.add_document(_document(chunk, weights))
                writer.delete_documents_by_term("key", _STATE)
                state = json.dumps([sequence, source])
                writer.add_document(tantivy.Document.from_dict({"key": _STATE, "state": state}, _schema()))
                writer.commit()
            except BaseException:
                writer.rollback()
                raise
            finally:
                writer.wait_merging_threads()

    def search(
        self, query: str, limit: int, *, among: Sequence[int] | None = None
    ) -> list[tuple[int, float]]:
        """(chunk id, BM25 score), best first; the query's terms are ORed and never parsed as syntax."""
        if limit < 1 or (among is not None and not len(among)):
            return []
        with translated("searching the keyword index"):
            with self._lock:
                searcher = self._fresh_searcher()
            terms = _wanted(searcher, query) if searcher else []
            if not searcher or not terms:
                return []
            query_tree = tantivy.Query.boolean_query([(tantivy.Occur.Should, term) for term in terms])
            if among is None:
                return _hits(searcher, query_tree, limit)
            if len(among) > _FEW:  # looking through the best is faster than a query that names so many
                allowed = set(among)
                found = [hit for hit in _hits(searcher, query_tree, limit * _MORE) if hit[0] in allowed]
                if len(found) >= limit:
                    return found[:limit]
            restricted = [query_tree, _any_of(among)]
            query_tree = tantivy.Query.boolean_query([(tantivy.Occur.Must, query) for query in restricted])
            return _hits(searcher, query_tree, limit)

    def holding(self, words: str) -> list[int]:
        """Chunks that hold every word of ``words``, by the terms that `search` uses, in no order."""
        with translated("searching the keyword index"):
            with self._lock:
                searcher = self._fresh_searcher()
            terms = _wanted(searcher, words) if searcher else []
            if not searcher or not terms:
                return []
            query = tantivy.Query.boolean_query([(tantivy.Occur.Must, term) for term in terms])
            # Without scores the hits come in the order of documents, whose values are read twice as fast.
            query = tantivy.Query.const_score_query(query, 1.0)
            hits = searcher.search(query, searcher.num_docs or 1, count=False).hits
            values = searcher.fast_field_values("chunk", [address for _, address in hits])
            return [int(chunk) for chunk in values if chunk is not None]

    def rarity(self, words: Sequence[str]) -> dict[str, float]:
        """Inverse document frequency of each term, as BM25 weighs it."""
        with translated("reading the keyword index"), self._lock:
            searcher = self._fresh_searcher()
            if searcher is None:
                return dict.fromkeys(words, 0.0)
            total = _chunks(searcher)
            return {
                word: bm25.rarity(total, min(total, searcher.doc_freq("words", _text(word))))
                for word in words
            }

    def close(self) -> None:
        """Let go of the files; the next use opens them again."""
        with self._lock:
            self._seen = self._searcher = None

    def _state(self) -> tuple[int, str] | None:
        """(sequence, source) of the last commit; ``None`` without an index."""
        with translated("reading the keyword index"), self._lock:
            searcher = self._fresh_searcher()
            if searcher is None:
                return None
            hits = searcher.search(tantivy.Query.term_query(_schema(), "key", _STATE), 1).hits
            if not hits:
                return 0, ""
            sequence, source = json.loads(str(searcher.doc(hits[0][1]).get_first("state")))
            return int(sequence), str(source)

    def _opened(self) -> tantivy.Index:
        try:
            return tantivy.Index.open(str(self._folder))
        except ValueError as error:  # whatever the reason; the system's has its number in the text
            if found := _SYSTEM_ERROR.search(str(error)):
                number = int(found[1] or found[2])
                raise OSError(number, os.strerror(number)) from error
            raise

    def _fresh_searcher(self) -> tantivy.Searcher | None:
        """A searcher of the last commit; ``None`` without an index."""
        try:
            status = (self._folder / "meta.json").stat()
        except FileNotFoundError:
            if self._folder.exists() and any(self._folder.iterdir()):
                raise
            self._seen = self._searcher = None
            return None
        seen = status.st_mtime_ns, status.st_ino
        if seen != self._seen or self._searcher is None:
            self._searcher = self._opened().searcher()
            self._seen = seen
        return self._searcher


@cache
def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("chunk", indexed=True, fast=True)
    builder.add_text_field("words", tokenizer_name="raw", index_option="freq")
    builder.add_text_field("key", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("state", stored=True, tokenizer_name="raw", index_option="basic")
    return builder.build()


def _document(chunk: int, weights: Mapping[str, float]) -> tantivy.Document:
    words = chain.from_iterable(
        repeat(_text(term), max(1, round(weight))) for term, weight in weights.items()
    )
    return tantivy.Document.from_dict({"chunk": chunk, "words": list(words)}, _schema())


def _wanted(searcher: tantivy.Searcher, words: str) -> list[tantivy.Query]:
    """A query for each term of ``words``, which the best of its alternatives answers."""
    held = held_languages(lambda term: int(searcher.doc_freq("words", term)))
    signs = {code: _holding(LANGUAGE_TERMS[code]) for code in held}
    return [
        _holding(next(iter(terms)))
        if len(terms) == 1  # in all languages
        else tantivy.Query.disjunction_max_query(
            [_in_languages(_holding(term), codes, signs) for term, codes in terms.items()]
        )
        for terms in wanted_terms(words, held)
    ]


def _holding(term: str) -> tantivy.Query:
    return tantivy.Query.term_query(_schema(), "words", _text(term), "freq")


def _in_languages(
    query: tantivy.Query, codes: Sequence[str], signs: Mapping[str, tantivy.Query]
) -> tantivy.Query:
    """``query`` in chunks that have the sign of one of ``codes``; those without have that of ""."""
    parts = [(tantivy.Occur.Must, query)]
    if "" in codes:
        parts += [(tantivy.Occur.MustNot, sign) for code, sign in signs.items() if code not in codes]
    else:
        some = tantivy.Query.boolean_query([(tantivy.Occur.Should, signs[code]) for code in codes])
        parts.append((tantivy.Occur.Must, tantivy.Query.const_score_query(some, 0.0)))
    return tantivy.Query.boolean_query(parts)


def _any_of(chunks: Sequence[int]) -> tantivy.Query:
    """A query for ``chunks`` that adds nothing to the score."""
    return tantivy.Query.const_score_query(
        tantivy.Query.term_set_query(_schema(), "chunk", list(chunks)), 0.0
    )


def _hits(searcher: tantivy.Searcher, query: tantivy.Query, limit: int) -> list[tuple[int, float]]:
    hits = searcher.search(query, limit, count=False).hits
    chunks = searcher.fast_field_values("chunk", [address for _, address in hits])
    found = ((int(chunk or 0), float(score)) for chunk, (score, _) in zip(chunks, hits, strict=True))
    return sorted(found, key=lambda hit: (-hit[1], hit[0]))


def _text(term: str) -> str:
    """``term`` as UTF-8 can hold it."""
    return term if term.isascii() else term.encode("utf-8", "replace").decode()


def _chunks(searcher: tantivy.Searcher) -> int:
    return max(0, int(searcher.num_docs) - 1)
