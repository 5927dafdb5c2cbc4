"""From a file's bytes to a `Note`: blocks, links, tags, properties and comments with exact places."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from quire_engine.records import Block, BlockKind, FileStat, Link, Note
from quire_engine.vault import canvas, decoding, frontmatter, inline
from quire_engine.vault.blocks import BlockSplitter, Content, LineIndex, Piece, Range

# White space comes before an id, or the punctuation of a script that writes without spaces.
_APART = r"(?<=[\s\u2000-\u206f\u3000-\u303f\uff00-\uff0f\uff1a-\uff20])"
_BLOCK_ID = re.compile(rf"{_APART}\^([A-Za-z0-9-]+)\s*")
_ALONE_ID = re.compile(r"\s*\^([A-Za-z0-9-]+)\s*")
_ID_WITHIN = re.compile(rf"{_APART}\^([A-Za-z0-9-]+)[ \t]*\n[ \t]*\n")
_MAX_ID = 200
_MARKERS = " \t\n>*+-#"
_ID_AT_END = (
    BlockKind.PARAGRAPH, BlockKind.HEADING, BlockKind.LIST_ITEM,
    BlockKind.QUOTE, BlockKind.CALLOUT, BlockKind.FOOTNOTE,
)  # fmt: skip


def parse(path: str, data: bytes, stat: FileStat) -> Note:
    """Parse the bytes of the note (or canvas) at ``path``, relative to the vault.

    Markdown of any shape is parsed, in time linear in its size; what was worked around is in the note's
    warnings. The text of a canvas is what `canvas.extract` makes of it, and all places refer to that. Raises
    `VaultError`, with the reason, for a binary file and for a canvas that is not JSON.
    """
    decoded = decoding.decode(data)
    warnings = list(decoded.warnings)
    text, front = decoded.text, None
    sections: Sequence[int] = (0,)
    if path.lower().endswith(".canvas"):
        text, sections = canvas.extract(text)
    else:
        front = frontmatter.read(text)
    lines = LineIndex(text)
    found = inline.Findings()
    blocks: list[Block] = []
    properties = front.properties if front else {}
    if front:
        warnings.extend(front.warnings)
        blocks.append(Block(BlockKind.PROPERTIES, lines.span(0, front.end), ()))
        inline.scan_wikilinks(text, 0, front.end, found)
        sections = (lines.line_of(front.end) + 1,)
    splitter = BlockSplitter(text, lines)
    for first, end in zip(sections, (*sections[1:], len(lines)), strict=True):
        _collect(text, splitter.split(first, end), blocks, found)
    warnings.extend(_warnings(found, lines))
    file_modified = stat.mtime_ns / 1e9
    written_modified = frontmatter.modified(properties)
    return Note(
        path=path,
        title=frontmatter.title(properties) or PurePosixPath(path).stem,
        aliases=frontmatter.aliases(properties),
        tags=_distinct([*frontmatter.tags(properties), *(tag for _, tag in found.tags)]),
        properties=properties,
        blocks=tuple(blocks),
        links=_links(found, lines),
        text=text,
        content_hash=decoding.content_hash(data),
        stat=stat,
        modified=file_modified if written_modified is None else written_modified,
        comments=tuple(lines.span(start, end) for start, end in sorted(found.comments)),
        warnings=tuple(warnings),
    )


def _collect(text: str, pieces: Iterable[Piece], blocks: list[Block], found: inline.Findings) -> None:
    section = len(blocks)
    for piece in pieces:
        comments = len(found.comments)
        for part in piece.ranges:
            _read(text, part, found)
        block = piece.block
        if block is None or _is_hidden(text, block, found.comments[comments:]):
            continue
        block_id, is_alone = _block_id(text, block)
        if is_alone and len(blocks) > section and blocks[-1].block_id is None:
            blocks[-1] = replace(blocks[-1], block_id=block_id)
        else:
            blocks.append(replace(block, block_id=block_id) if block_id else block)


def _read(text: str, part: Range, found: inline.Findings) -> None:
    match part.content:
        case Content.INLINE:
            inline.scan(text, part.start, part.end, found)
        case Content.HTML:
            inline.scan_html(text, part.start, part.end, found)
        case _:
            found.add_comment(part.start, part.end)
            if part.content is Content.UNCLOSED_COMMENT:
                found.unclosed.append(part.start)


def _is_hidden(text: str, block: Block, comments: list[tuple[int, int]]) -> bool:
    if not comments:
        return False
    position = block.span.start
    for start, end in comments:
        if text[position:start].strip(_MARKERS):
            return False
        position = end
    return not text[position : block.span.end].strip(_MARKERS)


def _block_id(text: str, block: Block) -> tuple[str | None, bool]:
    """The block's id, and whether the id is all there is to the block."""
    start, end = block.span.start, block.span.end
    if block.kind is BlockKind.LIST_ITEM and (within := _ID_WITHIN.search(text, start, end)):
        return within[1], False
    caret = text.rfind("^", max(start, end - _MAX_ID), end)
    if caret < 0 or block.kind not in (*_ID_AT_END, BlockKind.TABLE):
        return None, False
    if block.kind is BlockKind.PARAGRAPH and (alone := _ALONE_ID.fullmatch(text, start, end)):
        return alone[1], True
    line_start = max(text.rfind("\n", start, end) + 1, start)
    if not text[line_start:caret].strip():
        match = _ALONE_ID.fullmatch(text, line_start, end)
    else:
        match = None if block.kind is BlockKind.TABLE else _BLOCK_ID.fullmatch(text, caret, end)
    return (match[1], False) if match else (None, False)


def _links(found: inline.Findings, lines: LineIndex) -> tuple[Link, ...]:
    return tuple(
        Link(link.kind, link.target, link.subpath, link.text, lines.span(link.start, link.end))
        for link in sorted(found.links, key=lambda link: link.start)
    )


def _distinct(tags: Iterable[str]) -> tuple[str, ...]:
    first: dict[str, str] = {}
    for tag in tags:
        first.setdefault(tag.casefold(), tag)
    return tuple(first.values())


def _warnings(found: inline.Findings, lines: LineIndex) -> Iterable[str]:
    if found.unclosed:
        line = lines.line_of(found.unclosed[0]) + 1
        yield f"line {line}: a comment is never closed; what follows is treated as hidden"
    if found.truncated:
        yield f"more than {inline.MAX_FINDINGS:,} links or tags; the rest of them is left out"
