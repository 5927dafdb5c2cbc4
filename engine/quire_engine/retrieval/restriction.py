"""Which passages a search may find: filters, required phrases and excluded words together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields, replace
from functools import lru_cache

from quire_engine.analysis import fold
from quire_engine.interfaces import ChunkReader, KeywordSearcher
from quire_engine.markup import plain
from quire_engine.records import Filters, Hit
from quire_engine.retrieval.wording import folded_words, stands_in, telling_words, units

_MOST_READ = 1000
"""Passages whose text is looked through for a phrase."""
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
    """Chunks that ``filters`` let pass, or ``None`` when every chunk does.

    A phrase whose words more than 1,000 passages hold is looked for in the best 1,000 of them, by keywords.
    """
    among = chunks.chunk_ids(filters)
    for phrase in filters.phrases:
        if telling_words(phrase):
            among = _with_phrase(phrase, among, chunks, keywords)
    gone: set[int] = set()
    for words in filters.excluded:
        if len(units(folded_words(words))) > 1:
            gone.update(_with_phrase(words, among, chunks, keywords))
        else:
            gone.update(keywords.holding(words))
    if gone:
        if among is None:
            among = chunks.all_ids()
        among = [chunk for chunk in among if chunk not in gone]
    return among


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
    folded = fold(hit.text)
    if all(word in folded for word in units(phrase)):  # else there is no need to remove markup
        words = folded_words(plain(hit.text) if hides else hit.text)
        if stands_in(phrase, words):
            return True
    return any(stands_in(phrase, _name_words(name)) for name in (hit.title, *hit.headings))


@lru_cache(maxsize=4096)
def _name_words(name: str) -> str:
    """The words of a title or heading, which the passages of a note have in common."""
    return folded_words(name)
