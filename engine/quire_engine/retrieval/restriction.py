"""Which passages a search may find: filters, required phrases, and excluded words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields, replace
from functools import cached_property, lru_cache

from quire_engine.analysis import fold, terms
from quire_engine.interfaces import ChunkReader, KeywordSearcher
from quire_engine.languages import detect_language
from quire_engine.markup import plain
from quire_engine.records import Filters, Hit
from quire_engine.retrieval.wording import folded_words, spaced_words, stands_in, telling_words, units

_MOST_READ = 1000
"""Passages whose text is looked through for a phrase."""
_TELLING = 300
"""Characters of a passage that tell its language."""
_HIDES = re.compile(r"\[|%%|<!--")
"""Markup that holds words which a reader does not see."""


def both(first: Filters, second: Filters) -> Filters:
    """Both restrictions at once; folders and paths widen each other, as any of them is enough."""
    since = [moment for moment in (first.since, second.since) if moment is not None]
    before = [moment for moment in (first.before, second.before) if moment is not None]
    lists = {
        name: (*ours, *theirs)
        for field in fields(Filters)
        if isinstance(ours := getattr(first, name := field.name), tuple)
        if isinstance(theirs := getattr(second, name), tuple)
    }
    return replace(first, since=max(since, default=None), before=min(before, default=None), **lists)


def passing(filters: Filters, chunks: ChunkReader, keywords: KeywordSearcher) -> list[int] | None:
    """Chunks that ``filters`` let pass, or ``None`` when every chunk does; what is excluded is not looked at.

    A phrase whose words more than 1,000 passages hold is looked for in the best 1,000 of them, by keywords.
    Raises `StoreError` when there is a phrase and the keyword index is damaged.
    """
    among = chunks.chunk_ids(filters)
    for phrase in filters.phrases:
        if telling_words(phrase):
            among = _with_phrase(phrase, among, chunks, keywords)
    return among


class Exclusion:
    """Tells which passages hold what a search excludes.

    By the passages themselves: an index may be behind, or not have all that is shown of them.
    """

    def __init__(self, excluded: Sequence[str], language: str) -> None:
        """``excluded`` as in `Filters`; ``language`` is the question's."""
        self._language = language
        self._phrases = {folded: units(folded) for entry in excluded if (folded := folded_words(entry))}
        self._words = " ".join(entry for entry in excluded if len(units(folded_words(entry))) == 1)
        self._stems: dict[str, set[str]] = {}
        """Of the words, by language."""
        self._harmless: dict[str, set[str]] = {}
        """Words met that have none of them, by language."""
        self._judged: dict[tuple[str, str], bool] = {}
        """Whether a name, beside a passage of some language, holds anything excluded."""

    def __bool__(self) -> bool:
        return bool(self._phrases)

    def remaining(self, ids: Sequence[int], chunks: ChunkReader) -> set[int]:
        """Those of the chunks ``ids`` that may be found."""
        if not self:
            return set(ids)
        said = chunks.said_of(ids)
        hits = chunks.hits(ids)
        return {chunk for chunk, hit in hits.items() if not self.holds(hit, said.get(chunk, ""))}

    def holds(self, hit: Hit, said: str = "") -> bool:
        """Whether a passage, its path, title or headings, or what its note's properties ``said``, hold it."""
        names = (hit.title, *hit.headings, hit.path.rpartition(".")[0], said)
        return self.stands_in(hit.text, names)

    def stands_in(self, text: str, names: Sequence[str] = ()) -> bool:
        """Whether anything excluded stands in ``text``, shown or hidden by markup, or in one of its names."""
        if not self:
            return False
        shown = plain(text)
        language = detect_language(shown[:_TELLING])
        if self._in(text, language) or (shown != text and self._in(shown, language)):
            return True
        for name in names:  # which many passages have in common
            key = name, language
            if key not in self._judged:
                self._judged[key] = self._in(name, language)
            if self._judged[key]:
                return True
        return False

    def _in(self, text: str, language: str) -> bool:
        loose = _loose(text)
        likely = [phrase for phrase, parts in self._phrases.items() if all(part in loose for part in parts)]
        if likely:
            words = folded_words(text)
            if any(stands_in(phrase, words) for phrase in likely):
                return True
        # No language is certain: that of a few words is easily mistaken.
        codes = {language or "en", self._language or "en", self._own_language or "en", "en"}
        return bool(self._words) and any(self._has_stem(text, code) for code in codes)

    def _has_stem(self, text: str, language: str) -> bool:
        if language not in self._stems:
            self._stems[language] = set(terms(self._words, language, keep_stop_words=True))
        harmless = self._harmless.setdefault(language, set())
        unseen = set(spaced_words(text)) - harmless  # the phrases tell of others
        if self._stems[language].isdisjoint(terms(" ".join(unseen), language, keep_stop_words=True)):
            harmless |= unseen
            return False
        return True

    @cached_property
    def _own_language(self) -> str:
        """Of the excluded words."""
        return detect_language(self._words)


def _with_phrase(
    phrase: str, among: Sequence[int] | None, chunks: ChunkReader, keywords: KeywordSearcher
) -> list[int]:
    """Those of ``among`` (of all for ``None``) that hold ``phrase``."""
    holding = keywords.holding(telling_words(phrase))
    if among is not None:
        allowed = set(among)
        holding = [chunk for chunk in holding if chunk in allowed]
    if len(holding) > _MOST_READ:
        holding = [chunk for chunk, _ in keywords.search(phrase, _MOST_READ, among=holding)]
    wanted = folded_words(phrase)
    return [chunk for chunk, hit in chunks.hits(holding).items() if _says(hit, wanted)]


def _says(hit: Hit, phrase: str) -> bool:
    """Whether a passage, its title or one of its headings holds ``phrase``, folded."""
    hides = _HIDES.search(hit.text) is not None
    if not hides and stands_in(phrase, hit.text.lower()):
        return True
    loose = _loose(hit.text)
    if all(word in loose for word in units(phrase)):  # else there is no need to remove markup
        words = folded_words(plain(hit.text) if hides else hit.text)
        if stands_in(phrase, words):
            return True
    return any(stands_in(phrase, _name_words(name)) for name in (hit.title, *hit.headings))


def _loose(text: str) -> str:
    """What the words of ``text`` stand in when it is folded, quicker than to divide it into them."""
    return fold(text).replace("'", "").replace("’", "")


@lru_cache(maxsize=4096)
def _name_words(name: str) -> str:
    """The words of a title or heading, which the passages of a note have in common."""
    return folded_words(name)


def why_nothing(filters: Filters, chunks: ChunkReader) -> str:
    """Why no passage passes ``filters``, in words for the user."""
    alone = [
        *((f"no note has the tag {tag!r}", Filters(tags=(tag,))) for tag in filters.tags),
        *((f"no note lies in {folder!r}", Filters(folders=(folder,))) for folder in filters.folders),
        *((f"no note's path fits {path!r}", Filters(paths=(path,))) for path in filters.paths),
        *(
            (f"no note has {name!r} set to {value!r}", Filters(where=((name, value),)))
            for name, value in filters.where
        ),
        ("no note was changed in that time", Filters(since=filters.since, before=filters.before)),
    ]
    reasons = [reason for reason, one in alone if one != Filters() and chunks.chunk_ids(one) == []]
    return "; ".join(reasons) or "no passage passes all of the filters"
