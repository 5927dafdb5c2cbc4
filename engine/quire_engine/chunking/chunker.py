"""Cuts a note into passages: structure first, then sentences, then where neighbours have least in common."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from itertools import pairwise
from typing import Literal

from quire_engine.chunking.cuts import Unit, overlap, partition
from quire_engine.chunking.sentences import LanguageTools
from quire_engine.chunking.spans import (
    Hidden,
    fixed_spans,
    line_spans,
    merge_markers,
    row_spans,
    sentences_of_long,
    spans_within,
)
from quire_engine.interfaces import TokenCounter
from quire_engine.markup import plain, without_block_id
from quire_engine.records import Block, BlockKind, Chunk, Note, Span

_VERBATIM = frozenset({BlockKind.CODE, BlockKind.MATH, BlockKind.HTML})
_WHOLE = _VERBATIM | {BlockKind.TABLE, BlockKind.LIST_ITEM}
"""Kinds that are cut only when one of them alone exceeds the budget."""
_OUTLINE = re.compile(r"(?:\t| {4})[ \t]*+[-*+][ \t]")
"""What CommonMark takes for indented code, and outliners write for a list under no other."""
_WITHOUT_TEXT = frozenset({BlockKind.PROPERTIES, BlockKind.HEADING})
_SPECIAL_TOKENS = 2
_HEADING_SHARE = 4
"""At most one part in four of the budget goes to the heading path."""
_HEADING_CHARACTERS = 160
"""A longer heading path is cut, or passages under it would all look alike to the model."""
_CHARACTERS_PER_TOKEN = 8
"""No fewer tokens are counted: a script that the model cannot read at all is one unknown token a word."""
_SOURCE_PER_TOKEN = 64
"""The same for what is written, markup and white space included: every passage is of bounded length."""
_MOST_PROPERTIES = 1 << 16
"""Characters of front matter that are shown; longer one is not read either."""
_PAGE = 4096
"""Units that are counted at once."""
_LONG_NOTE = 1 << 20
"""Characters from which sentences that are next to nothing are joined."""
_UNTITLED_PROPERTIES = frozenset(
    "title aliases alias tags tag cssclass cssclasses publish created modified updated date".split()
)


class Chunker:
    """Cuts notes to a budget in the embedding model's own tokens."""

    def __init__(self, counter: TokenCounter, tools: LanguageTools, budget: int) -> None:
        self._counter = counter
        self._tools = tools
        self._budget = budget

    def chunk(self, note: Note) -> list[Chunk]:
        """The passages of ``note`` in reading order; never empty, so that every note can be found.

        Spans are exact (``note.text[start:end]`` is the passage); passages of a section that was cut may
        share one sentence.
        """
        language = self._tools.language(note.text)
        passages = _Passages(note)
        comments = Hidden([(comment.start, comment.end) for comment in note.comments])
        covered = _headings_with_text(note.blocks)
        for headings, blocks in _sections(note.blocks, covered):
            bare = blocks[0].kind is BlockKind.HEADING
            units = _heading_units(blocks) if bare else self._units(note, blocks, language)
            if not units:
                continue
            context = self._counter.count_tokens([heading_context(headings)])[0] if headings else 0
            context = min(context, self._budget // _HEADING_SHARE)
            limit = self._budget - _SPECIAL_TOKENS - context
            units = self._fit(note.text, units, limit)
            for first, last in partition(note.text, units, limit):
                members = units[first:last]
                if repeated := overlap(units, first, members, limit):
                    members = [repeated, *members]
                sentences = comments.leaves([sentence for unit in members for sentence in unit.sentences])
                start, end = members[0].start, members[-1].end
                tokens = context + sum(u.tokens for u in members)
                # A heading over nothing answers nothing; beside text it is found by its words alone.
                sentences = [] if bare else sentences
                passages.add("text", start, end, headings, tokens, sentences, embed=not (bare and covered))
        for block in note.blocks:
            if block.kind is BlockKind.PROPERTIES and (not passages.chunks or has_own_properties(note)):
                end = min(block.span.end, block.span.start + _MOST_PROPERTIES)
                passages.add("properties", block.span.start, end, (), 0, [])
        if not passages.chunks:
            passages.add("properties", 0, 0, (), 0, [])
        return passages.chunks

    def _units(self, note: Note, blocks: Sequence[Block], language: str | None) -> list[Unit]:
        units: list[Unit] = []
        identified = False
        for number, block in enumerate(blocks):
            first = len(units)
            origin, end = block.span.start, block.span.end
            text = note.text[origin:end]
            if block.kind is BlockKind.TABLE:
                spans = row_spans(text)
            elif block.kind in _VERBATIM and not _OUTLINE.match(text):
                spans = [(0, len(text))]
            else:
                text = without_block_id(text)
                spans = self._sentences(text, language, long=len(note.text) > _LONG_NOTE)
            sentences = [(origin + s, origin + e) for s, e in spans]
            if block.kind in _WHOLE:
                units.append(Unit(origin, end, sentences, number, prose=False))
            else:
                units.extend(Unit(s, e, [(s, e)], number) for s, e in sentences)
            # A block with an id is something that somebody refers to: it is never mixed with another.
            if len(units) > first and (identified or block.block_id):
                units[first].hard = True
            identified = block.block_id is not None
        return units

    def _sentences(self, text: str, language: str | None, *, long: bool) -> list[tuple[int, int]]:
        def split(text: str) -> list[tuple[int, int]]:
            return merge_markers(text, self._tools.spans(text, language))

        return sentences_of_long(text, split) if long else split(text)

    def _fit(self, text: str, units: list[Unit], limit: int) -> list[Unit]:
        """Count the units' tokens, and split those that alone exceed ``limit``."""
        counts = (
            count
            for page in range(0, len(units), _PAGE)
            for count in self._count([text[u.start : u.end] for u in units[page : page + _PAGE]])
        )
        fitted: list[Unit] = []
        fragment = False
        for unit, count in zip(units, counts, strict=True):
            unit.tokens = max(1, count)
            # After the end of a code fence that was cut, nobody could tell code from text.
            unit.hard = unit.hard or fragment
            fragment = count > limit and not unit.prose
            if count <= limit:
                fitted.append(unit)
                continue
            parts = None
            if len(unit.sentences) > 1:  # a table's header stands before them and is not to be lost
                parts = [(unit.start, unit.sentences[0][1]), *unit.sentences[1:]]
            pieces = [
                Unit(s, e, spans_within(unit.sentences, s, e) or [(s, e)], unit.block, prose=False, tokens=c)
                for s, e, c in self._split(text, unit.start, unit.end, limit, parts)
            ]
            pieces[0].hard = unit.hard
            fitted.extend(pieces)
        for before, unit in pairwise(fitted):
            unit.tokens = min(unit.tokens + (unit.start - before.end) // _SOURCE_PER_TOKEN, limit)
        return fitted

    def _count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each piece, comments included: what is one shows only in the whole passage."""
        words = [plain(text.replace("%%", "% %").replace("<!--", "< !--")) for text in texts]
        least = [
            max(len(word) // _CHARACTERS_PER_TOKEN, len(text) // _SOURCE_PER_TOKEN)
            for word, text in zip(words, texts, strict=True)
        ]
        # What exceeds the budget by this alone is cut in any case; its tokens may take a gigabyte.
        counts = self._counter.count_tokens(
            [word if few <= self._budget else "" for word, few in zip(words, least, strict=True)]
        )
        return list(map(max, counts, least))

    def _split(
        self, text: str, start: int, end: int, limit: int, parts: list[tuple[int, int]] | None = None
    ) -> Iterator[tuple[int, int, int]]:
        """(start, end, tokens) of pieces, cut at ``parts``, else at lines, at spaces, or anywhere."""
        if not parts:
            parts = [(start + s, start + e) for s, e in line_spans(text[start:end])]
        if len(parts) < 2:
            parts = fixed_spans(text, start, end, max(1, min(limit, (end - start + 1) // 2)))
        counts = self._count([text[s:e] for s, e in parts])
        first = last = start
        total = 0
        for (s, e), count in zip(parts, counts, strict=True):
            if total and (total + count > limit or e - first > limit * _SOURCE_PER_TOKEN):
                yield first, last, total
                total = 0
            if count > limit and e - s > 1:
                yield from self._split(text, s, e, limit)
                continue
            first = first if total else s
            last = e
            total += max(1, count)
        if total:
            yield first, last, total


class _Passages:
    """Collects a note's chunks and gives them their identity."""

    def __init__(self, note: Note) -> None:
        self.chunks: list[Chunk] = []
        self._note = note
        self._path = note.path.encode("utf-8", "surrogatepass")
        self._counted_to, self._lines = 0, 1
        self._seen: Counter[bytes] = Counter()

    def add(
        self,
        kind: Literal["text", "properties"],
        start: int,
        end: int,
        headings: tuple[str, ...],
        tokens: int,
        sentences: Sequence[tuple[int, int]],
        *,
        embed: bool = True,
    ) -> None:
        text = self._note.text[start:end]
        content = embed_text_hash(headings, text)
        identity = hashlib.blake2b(self._path, digest_size=8)
        # Whether a passage is embedded never changes.
        sort = kind.encode() if embed else b"headings"
        identity.update(b"\0" + sort + content + str(self._seen[content]).encode())
        self._seen[content] += 1
        self.chunks.append(
            Chunk(
                id=int.from_bytes(identity.digest(), "big") >> 1,
                path=self._note.path,
                ordinal=len(self.chunks),
                kind=kind,
                span=Span(start, end, self._line(start), self._line(max(start, end - 1))),
                text=text,
                headings=headings,
                tokens=tokens,
                embed_hash=content if embed and kind == "text" else None,
                sentences=tuple((s - start, e - start) for s, e in sentences),
            )
        )

    def _line(self, offset: int) -> int:
        """The line of ``offset``, counted on from the one that was asked for before."""
        if offset >= self._counted_to:
            self._lines += self._note.text.count("\n", self._counted_to, offset)
        else:
            self._lines -= self._note.text.count("\n", offset, self._counted_to)
        self._counted_to = offset
        return self._lines


def heading_context(headings: Sequence[str]) -> str:
    """The heading path as it stands before a passage in what is embedded: of a long one, the end."""
    path = " > ".join(headings)[-_HEADING_CHARACTERS:]
    return f"# {path}\n\n" if path else ""


def embed_text(headings: Sequence[str], text: str) -> str:
    """What the model reads for a passage: its heading path, then its words.

    Neither path nor properties take part, so that a rename or a new tag embeds nothing.
    """
    return heading_context(headings) + plain(text)


def embed_text_hash(headings: Sequence[str], text: str) -> bytes:
    """The key of a passage's vector: BLAKE2b-16 of `embed_text`."""
    return hashlib.blake2b(
        embed_text(headings, text).encode("utf-8", "surrogatepass"), digest_size=16
    ).digest()


def has_own_properties(note: Note) -> bool:
    """Whether the front matter says something that title, aliases, tags and dates do not."""
    return any(
        key.lower() not in _UNTITLED_PROPERTIES and any(c.isalpha() for c in str(value))
        for key, value in note.properties.items()
        if value not in (None, "", [], {})
    )


def _headings_with_text(blocks: Iterable[Block]) -> set[tuple[str, ...]]:
    """The paths of the headings that stand above text, directly or not; `()` where text has none above it."""
    paths = {block.headings for block in blocks if block.kind not in _WITHOUT_TEXT}
    return {path[:depth] for path in paths for depth in range(len(path) + 1)}


def _sections(
    blocks: Iterable[Block], covered: Set[tuple[str, ...]]
) -> Iterator[tuple[tuple[str, ...], list[Block]]]:
    """Runs of blocks under one heading, and of headings that are not ``covered``: those with no text below.

    Properties and other headings are left out; the latter are in the heading path.
    """
    headings: tuple[str, ...] = ()
    run: list[Block] = []
    bare = False
    for block in blocks:
        if block.kind is BlockKind.PROPERTIES:
            continue
        is_heading = block.kind is BlockKind.HEADING
        if run and (is_heading != bare or (not bare and block.headings != headings)):
            yield _shared_path(run) if bare else headings, run
            run = []
        headings, bare = block.headings, is_heading
        if not is_heading or headings not in covered:
            run.append(block)
        elif run:
            yield _shared_path(run), run
            run = []
    if run:
        yield _shared_path(run) if bare else headings, run


def _shared_path(headings: Sequence[Block]) -> tuple[str, ...]:
    """What all of these headings stand under."""
    first, *others = {block.headings[:-1] for block in headings}
    shared = len(first)
    while any(path[:shared] != first[:shared] for path in others):
        shared -= 1
    return first[:shared]


def _heading_units(blocks: Sequence[Block]) -> list[Unit]:
    spans = [(block.span.start, block.span.end) for block in blocks]
    return [Unit(start, end, [(start, end)], prose=False) for start, end in spans]
