"""What the keyword index holds of a passage: its words by field."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, lru_cache
from itertools import islice

from quire_engine.languages import detect_language
from quire_engine.markup import plain
from quire_engine.records import Chunk, Note

_NAMING = frozenset({"title", "alias", "aliases", "tag", "tags"})
"""Properties that have a field of their own."""
MANY_PASSAGES = 1_000
"""A note of more has less in common between its passages, as each of them holds it."""
_MOST_SHARED = 4_000
_MOST_SHARED_BY_MANY = 200
"""Characters of a field that all passages of a note have in common."""
_TELLING = 3
"""Passages at the beginning of a note that tell its language."""
_LEAST_TELLING, _MOST_TELLING = 120, 300
"""Characters of a passage that tell its own: shorter ones are in the note's, more need not be read."""


def note_fields(note: Note, chunks: Sequence[Chunk]) -> list[dict[str, str]]:
    """The fields of each of the note's ``chunks``."""
    alone = not any(chunk.kind == "text" for chunk in chunks)
    properties = property_words(note.properties)
    tags = " ".join(note.tags)
    language = cache(lambda: note_language(chunk.text for chunk in chunks if chunk.kind == "text"))
    return [
        chunk_fields(
            kind=chunk.kind,
            path=note.path,
            title=note.title,
            aliases=note.aliases,
            headings=chunk.headings,
            text=chunk.text,
            properties=properties,
            tags=tags,
            language=language,
            alone=alone,
            many=len(chunks) > MANY_PASSAGES,
        )
        for chunk in chunks
    ]


def chunk_fields(
    *,
    kind: str,
    path: str,
    title: str,
    aliases: Iterable[str],
    headings: Iterable[str],
    text: str,
    properties: str,
    tags: str,
    language: Callable[[], str],
    alone: bool,
    many: bool,
) -> dict[str, str]:
    """The fields of one chunk, with the `property_words` and the `note_language` of its note.

    Field ``language`` is what the chunk's words are analysed as: its own where it is long enough to tell.
    ``alone`` says that the note holds no text, so that the properties stand for its names, ``many`` that it
    has more than `MANY_PASSAGES`.
    """
    if kind == "properties" and not alone:
        # Properties answer for themselves: repeating the note's names here would outrank its passages.
        return {"body": properties, "language": language()}
    most = _MOST_SHARED_BY_MANY if many else _MOST_SHARED
    body = plain(text) if kind == "text" else ""
    return {
        "title": "\n".join([title, *aliases])[: None if alone else most],
        "headings": "\n".join(heading for heading in headings if heading != title),
        "tags": tags.replace("/", " ") if alone else _shortened(tags, most).replace("/", " "),
        "path": path.rpartition("/")[0].replace("/", " "),
        "properties": properties if alone else _shortened(properties, most),
        "body": body,
        "language": _passage_language(body) or language(),
    }


def note_language(texts: Iterable[str]) -> str:
    """The language of a note by its passages' ``texts``, of which the first few are read."""
    return detect_language("\n".join(islice(texts, _TELLING)))


def _passage_language(text: str) -> str:
    return detect_language(text[:_MOST_TELLING]) if len(text) >= _LEAST_TELLING else ""


@lru_cache(maxsize=16)
def _shortened(words: str, most: int) -> str:
    if len(words) <= most:
        return words
    # In an order of its own: from the database they come in another one than from the note.
    return " ".join(sorted(words.split()))[:most]


def property_words(properties: Mapping[str, object]) -> str:
    """What the front matter says, but for what has a field of its own."""
    return _words({key: value for key, value in properties.items() if key.lower() not in _NAMING})


def _words(value: object) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{key} {_words(v)}" for key, v in value.items())
    if isinstance(value, list):
        return " ".join(_words(v) for v in value)
    return "" if value is None else str(value)
