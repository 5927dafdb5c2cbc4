"""What the keyword index holds of a chunk, and which engine keeps it."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from quire_engine.analysis import Alternatives, query_alternatives, single_terms, terms
from quire_engine.errors import ConfigError, StoreError
from quire_engine.index.disk import explained
from quire_engine.interfaces import KeywordIndex
from quire_engine.stemming import OWN_STEMS

FIELD_WEIGHTS: Mapping[str, float] = {
    "title": 3.0,
    "headings": 2.0,
    "tags": 1.0,
    "path": 0.5,
    "properties": 0.7,
    "body": 1.0,
}
"""How much one occurrence in a field counts against one in the body."""
_SINGLE, _MARK = 0.05, 0.01
"""The weights of a character whose pairs are terms, and of the sign of a language: below `bm25.FAINT`."""
LANGUAGE_TERMS: Mapping[str, str] = {code: f"\x01{code}" for code in OWN_STEMS}
"""What tells that a chunk's words have the stems of a language; no word is like it."""
_NOT_WHOLE = (None, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EINVAL, errno.EOVERFLOW)
"""What the system says where files are missing, or name places that there are not."""
_PROSE = frozenset({"body", "properties"})


@lru_cache(maxsize=64)
def _repeated(text: str, language: str, keep_stop_words: bool) -> tuple[str, ...]:
    """The terms of a field that the passages of a note have in common."""
    return tuple(terms(text, language, keep_stop_words=keep_stop_words))


def weighted_terms(fields: Mapping[str, str]) -> dict[str, float]:
    """The terms of a chunk, each with its fields' weights summed over its occurrences.

    Stop words are kept outside the body, where they name things. Field ``language`` says how to analyse it.
    """
    weights: dict[str, float] = {}
    singles: set[str] = set()
    language = fields.get("language", "")
    for field, weight in FIELD_WEIGHTS.items():
        if text := fields.get(field):
            keep = field not in _PROSE
            analysed = terms if field == "body" else _repeated
            for term in analysed(text, language, keep_stop_words=keep):
                weights[term] = weights.get(term, 0.0) + weight
            singles |= single_terms(text)
    for single in singles:
        weights.setdefault(single, _SINGLE)
    if language in LANGUAGE_TERMS:
        weights[LANGUAGE_TERMS[language]] = _MARK
    return weights


def wanted_terms(query: str, held: Sequence[str] = ()) -> list[Alternatives]:
    """The terms that a question is searched by where chunks of the languages ``held`` are indexed.

    Of a very long one, the first. The alternatives count as one term.
    """
    return query_alternatives(query[:20_000], held)[:64]


def held_languages(frequency: Callable[[str], int]) -> tuple[str, ...]:
    """The languages that any chunk has stems of, by the ``frequency`` of terms."""
    return tuple(code for code, term in LANGUAGE_TERMS.items() if frequency(term))


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn what a backend raises, struct errors and panics among it, into `StoreError`."""
    try:
        yield
    except (StoreError, MemoryError):
        raise
    except BaseException as error:
        # Tantivy panics at some damage, and a panic is no Exception.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        reason = " ".join(str(error).split())
        remedy = "`quire index` makes the keyword index anew"
        if isinstance(error, OSError) and error.errno not in _NOT_WHOLE:
            remedy = explained(error)
        raise StoreError(f"{what} failed ({type(error).__name__}: {reason}); {remedy}") from error


def is_damage(error: StoreError) -> bool:
    """Whether an index that could not be opened is to be made anew.

    It may be sound where the system failed, for want of file handles or of permission.
    """
    return not isinstance(error.__cause__, OSError) or error.__cause__.errno in _NOT_WHOLE


def empty(folder: Path) -> None:
    """Make ``folder`` an empty one, as far as its files let themselves be removed, and the only one."""
    shutil.rmtree(folder, ignore_errors=True)
    remove_others(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def remove_others(folder: Path) -> None:
    """Remove what another format or backend left: it would be out of date when it is used again."""
    for other in folder.parent.glob("keywords-*"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)


def open_keywords(folder: Path, backend: str, *, writable: bool) -> KeywordIndex:
    """The keyword index of the vault whose data is in ``folder``, kept by ``backend``.

    When ``writable``, an absent or damaged one is made anew, empty, and one that the other backend left is
    removed. Raises `ConfigError` when the backend is not installed, `StoreError` when it cannot be written.
    """
    if backend == "tantivy":
        try:
            from quire_engine.index.tantivy_keywords import TantivyKeywords
        except ImportError as error:
            raise ConfigError(
                f"retrieval.keywords is 'tantivy', which cannot be imported ({error}); "
                "run `pip install 'quire[tantivy]'`, or set it to 'whoosh'"
            ) from error

        return TantivyKeywords(folder, writable=writable)
    from quire_engine.index.whoosh_keywords import WhooshKeywords

    return WhooshKeywords(folder, writable=writable)
