"""The lines of notes that an answer rests on, kept so that they can be read again where they stood."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from quire_engine.records import Block, FileStat, Note, Span

MOST_LINES = 2**25
"""A note of so many lines would be 32 MiB of line feeds."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Whole lines of a note."""

    start_line: int
    text: str
    blocks: tuple[Block, ...] = ()
    """Those that stand on these lines, cut to them; offsets are relative to ``text``."""
    comments: tuple[Span, ...] = ()
    """As ``blocks``."""

    @property
    def end_line(self) -> int:
        return self.start_line + self.text.count("\n")


@dataclass(frozen=True, slots=True)
class SavedNote:
    """What was read of a note."""

    path: str
    content_hash: str
    """BLAKE2b-16 of the file's bytes, in hexadecimal."""
    excerpts: tuple[Excerpt, ...]
    """In reading order; at least one line lies between two of them."""


def save_note(note: Note, places: Iterable[tuple[int, int]]) -> SavedNote:
    """The lines of ``note`` at ``places``, (first line, last line) each, in any order."""
    lines = note.text.split("\n")
    offsets = [0]
    for line in lines:
        offsets.append(offsets[-1] + len(line) + 1)
    windows: list[tuple[int, int]] = []
    for first, last in sorted((max(1, first), min(last, len(lines))) for first, last in places):
        if first > last:
            continue
        if windows and first <= windows[-1][1] + 1:
            windows[-1] = (windows[-1][0], max(last, windows[-1][1]))
        else:
            windows.append((first, last))
    excerpts = []
    for first, last in windows:
        start, end = offsets[first - 1], offsets[last] - 1
        blocks = [
            replace(block, span=_moved(block.span, -start, end - start))
            for block in note.blocks
            if block.span.start < end and start < block.span.end
        ]
        comments = [
            _moved(span, -start, end - start)
            for span in note.comments
            if span.start < end and start < span.end
        ]
        excerpts.append(Excerpt(first, note.text[start:end], tuple(blocks), tuple(comments)))
    return SavedNote(note.path, note.content_hash.hex(), tuple(excerpts))


def restore_note(saved: SavedNote) -> Note:
    """A note in which the saved lines stand where they stood; all others are empty."""
    pieces: list[str] = []
    blocks: list[Block] = []
    comments: list[Span] = []
    offset, line = 0, 1
    for excerpt in saved.excerpts:
        gap = "\n" * (excerpt.start_line - line)
        offset += len(gap)
        pieces += (gap, excerpt.text)
        blocks += (replace(block, span=_moved(block.span, offset)) for block in excerpt.blocks)
        comments += (_moved(span, offset) for span in excerpt.comments)
        offset += len(excerpt.text)
        line = excerpt.end_line
    return Note(
        path=saved.path,
        title="",
        aliases=(),
        tags=(),
        properties={},
        blocks=tuple(blocks),
        links=(),
        text="".join(pieces),
        content_hash=bytes.fromhex(saved.content_hash),
        stat=FileStat(0, 0, 0),
        modified=0.0,
        comments=tuple(comments),
    )


def problem_of(saved: SavedNote) -> str | None:
    """What keeps a note that was read from a file from being restored; ``None`` when nothing does."""
    line = -1
    for excerpt in saved.excerpts:
        if not line + 1 < excerpt.start_line <= MOST_LINES:
            return "its lines are out of order"
        line = excerpt.end_line
        starts = [block.span.start for block in excerpt.blocks]
        if starts != sorted(starts):
            return "its blocks are out of order"
    try:
        bytes.fromhex(saved.content_hash)
    except ValueError:
        return "its hash is none"
    return None


def _moved(span: Span, by: int, end: int | None = None) -> Span:
    """``span`` moved ``by`` characters; with ``end``, what of it lies within ``0..end``."""
    first, last = span.start + by, span.end + by
    if end is not None:
        first, last = max(0, first), min(last, end)
    return replace(span, start=first, end=last)
