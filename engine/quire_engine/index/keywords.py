"""The keyword index: Whoosh, scored by BM25F over one weighted field."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quire_engine.analysis import query_terms, terms
from quire_engine.errors import StoreError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FIELD_WEIGHTS: Mapping[str, float] = {
    "title": 3.0,
    "headings": 2.0,
    "tags": 1.0,
    "path": 0.5,
    "properties": 0.7,
    "body": 1.0,
}
"""How much one occurrence in a field counts against one in the body."""
_PROSE = frozenset({"body", "properties"})
_LEAST_PASSAGES = 1000
_SEQUENCE_KEY = "sequence"
_FORMAT = 2
"""Raised when what is indexed for the same chunk changes; an index of another format is built anew."""
_MEMORY_MEGABYTES = 128


class WhooshKeywords:
    """BM25F in its simple form (Robertson, Zaragoza, Taylor, CIKM 2004): the fields' weighted term counts are
    added before saturation. One posting list a term also keeps long questions fast.

    Readers see the last commit; one writer at a time (the vault's write lock sees to it).
    """

    def __init__(self, folder: Path, *, writable: bool) -> None:
        """Use the index in ``folder``; when ``writable``, an absent or damaged one is made anew, empty.

        A reader opens it at its first question, and raises `StoreError` then if it is damaged: the sync
        before may have mended it.
        """
        self._folder = folder / f"keywords-{_FORMAT}"
        self._lock = threading.Lock()
        self._searcher: Any = None
        self._seen: list[tuple[str, int]] = []
        self._ids: NDArray[np.uint64] | None = None
        self._index: Any = None
        if writable:
            self._open(writable=True)

    def _open(self, writable: bool) -> None:
        from whoosh import index

        try:
            with _translated("opening the keyword index"):
                if index.exists_in(self._folder):
                    self._index = index.open_dir(self._folder)
                    if writable:
                        _ = self.applied  # a lost segment shows only when it is read
                    return
        except StoreError:
            if not writable:
                raise
        if writable:
            self.clear()

    def clear(self) -> None:
        """Throw everything away and start empty; `applied` becomes 0."""
        from whoosh import index

        with _translated("creating the keyword index"):
            self._close_searcher()
            for folder in self._folder.parent.glob("keywords-*"):  # those of other formats too
                shutil.rmtree(folder, ignore_errors=True)
            self._folder.mkdir(mode=0o700, parents=True)
            self._index = index.create_in(self._folder, _schema())

    @property
    def applied(self) -> int:
        """The highest outbox sequence whose change is committed; 0 for an empty index."""
        return int(self._committed().get("sequence", 0))

    @property
    def source(self) -> str:
        """The identity of the database that the last commit came from; empty for an empty index."""
        return str(self._committed().get("source", ""))

    def _committed(self) -> Mapping[str, Any]:
        if not self._ready():
            return {}
        with _translated("reading the keyword index"), self._index.searcher() as searcher:
            return searcher.document(key=_SEQUENCE_KEY) or {}

    def apply(
        self,
        deletions: Sequence[int],
        additions: Sequence[tuple[int, Mapping[str, str]]],
        sequence: int,
        source: str = "",
    ) -> None:
        """Delete chunks, add (chunk id, field texts), and commit with ``sequence``, all or nothing.

        ``source`` names the database whose sequence it is.
        """
        with _translated("writing the keyword index"):
            writer = self._index.writer(limitmb=_MEMORY_MEGABYTES)
            try:
                for chunk in deletions:
                    writer.delete_by_term("key", f"{chunk:x}")
                for chunk, fields in additions:
                    writer.add_document(key=f"{chunk:x}", chunk=chunk, words=weighted_terms(fields))
                writer.delete_by_term("key", _SEQUENCE_KEY)
                writer.add_document(key=_SEQUENCE_KEY, sequence=sequence, source=source)
                writer.commit()
            except BaseException:
                writer.cancel()
                raise

    def search(
        self, query: str, limit: int, *, among: Sequence[int] | None = None
    ) -> list[tuple[int, float]]:
        """(chunk id, BM25F score), best first; the query's terms are ORed and never parsed as syntax."""
        import numpy as np
        from whoosh.query import Or, Term

        wanted = query_terms(query[:20_000])[:64]
        if not wanted or limit < 1:
            return []
        with _translated("searching the keyword index"), self._lock:
            if not self._ready():
                return []
            searcher = self._fresh_searcher()
            ids = self._document_ids(searcher)
            documents = None
            if among is not None:
                mask = np.isin(ids, np.asarray(among, dtype=np.uint64))
                documents = set(np.flatnonzero(mask).tolist())
                if not documents:
                    return []
            query_tree = Or([Term("words", term) for term in wanted])
            results = searcher.search(query_tree, limit=limit, filter=documents)
            return [(int(ids[number]), float(score)) for score, number in results.top_n]

    def rarity(self, words: Sequence[str]) -> dict[str, float]:
        """Inverse document frequency of each term, as BM25 weighs it.

        A small vault is taken for one of a thousand passages: in a handful, one occurrence more or less
        would halve a word's weight.
        """
        with _translated("reading the keyword index"), self._lock:
            if not self._ready():
                return dict.fromkeys(words, 0.0)
            from quire_engine.index.whoosh_bm25 import inverse_document_frequency

            reader = self._fresh_searcher().reader()
            total = max(_LEAST_PASSAGES, reader.doc_count_all())
            return {w: inverse_document_frequency(total, reader.doc_frequency("words", w)) for w in words}

    def count(self) -> int:
        """Chunks in the index."""
        if not self._ready():
            return 0
        with _translated("reading the keyword index"):
            return max(0, int(self._index.doc_count()) - (1 if self.applied else 0))

    def close(self) -> None:
        with self._lock:
            self._close_searcher()
            if self._index is not None:
                self._index.close()
                self._index = None

    def _ready(self) -> bool:
        """Whether there is an index; one that a writer made since is opened."""
        if self._index is None:
            self._open(writable=False)
        return self._index is not None and bool(self._commits())

    def _commits(self) -> list[tuple[str, int]]:
        """What changes with every commit, also when another index, counting anew, took this one's place."""
        found = []
        for file in self._folder.glob("_MAIN_*.toc"):
            with suppress(FileNotFoundError):  # a writer removes the one before
                found.append((file.name, file.stat().st_mtime_ns))
        return sorted(found)

    def _fresh_searcher(self) -> Any:
        commits = self._commits()
        if self._searcher is None or commits != self._seen:
            from quire_engine.index.whoosh_bm25 import BM25

            self._close_searcher()
            self._searcher = self._index.searcher(weighting=BM25(B=0.75, K1=1.2))
            self._seen = commits
        return self._searcher

    def _document_ids(self, searcher: Any) -> NDArray[np.uint64]:
        if self._ids is None:
            import numpy as np

            reader = searcher.reader()
            if reader.has_column("chunk"):
                self._ids = np.fromiter(reader.column_reader("chunk"), dtype=np.uint64)
            else:
                self._ids = np.zeros(reader.doc_count_all(), dtype=np.uint64)
        return self._ids

    def _close_searcher(self) -> None:
        if self._searcher is not None:
            self._searcher.close()
        self._searcher = None
        self._ids = None


def weighted_terms(fields: Mapping[str, str]) -> list[tuple[str, float]]:
    """(term, weight) of every occurrence; stop words are kept outside the body, where they name things."""
    return [
        (term, weight)
        for field, weight in FIELD_WEIGHTS.items()
        if fields.get(field)
        for term in terms(fields[field], keep_stop_words=field not in _PROSE)
    ]


def _schema() -> Any:
    from whoosh.columns import NumericColumn
    from whoosh.fields import COLUMN, ID, STORED, Schema

    from quire_engine.index.whoosh_bm25 import WeightedTerms

    number = COLUMN(NumericColumn("Q"))
    return Schema(key=ID(unique=True), chunk=number, sequence=STORED, source=STORED, words=WeightedTerms())


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Turn what Whoosh raises, bare exceptions and struct errors among them, into `StoreError`."""
    try:
        yield
    except StoreError:
        raise
    except MemoryError:
        raise
    except Exception as error:
        raise StoreError(
            f"{what} failed ({type(error).__name__}: {error}); run `quire index --rebuild`"
        ) from error
