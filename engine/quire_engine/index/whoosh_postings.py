"""Posting lists in the format of Whoosh's codec (W3), read and written by the array.

Whoosh writes a list in pickled blocks of 128 postings, one posting at a time. A block may be of any size, and
a pickle may give all its numbers the same width; so a term has one block here whose every field has a fixed
place, which NumPy can fill and read for all terms at once. To Whoosh it is a block like any other.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Opcodes of pickle: ( mark, t tuple from the mark, J int of 4 bytes, G float of 8, K int of 1, N None, . end.
_HEADER = np.dtype(
    [
        ("magic", "S4"), ("size", ">i4"), ("start", "S3"), ("op1", "S1"), ("count", "<i4"), ("op2", "S1"),
        ("last", "<i4"), ("op3", "S1"), ("heaviest", ">f8"), ("op4", "S1"), ("compression", "u1"),
        ("op5", "S1"), ("shortest", "u1"), ("op6", "S1"), ("longest", "u1"), ("end", "S2"),
    ]
)  # fmt: skip
_HEAD = _HEADER.itemsize
_COMPRESSION_AT = 31
_DOCUMENT = np.dtype([("op", "S1"), ("value", "<i4")])
_WEIGHT = np.dtype([("op", "S1"), ("value", ">f8")])
_WIDE, _WIDER = _DOCUMENT.itemsize, _WEIGHT.itemsize
_START, _BETWEEN, _END = b"\x80\x02((", b"t(", b"tNt."
_FRAME = len(_START) + len(_BETWEEN) + len(_END)
_MOST_PLAIN = 32
"""Postings up to which a block is not compressed: little would be gained, and many are handled at once."""

TERM_INFO = np.dtype(
    [
        ("inlined", "u1"), ("weight", ">f4"), ("count", ">u4"), ("shortest", "u1"), ("longest", "u1"),
        ("heaviest", ">f4"), ("first", ">u4"), ("last", ">u4"), ("offset", ">i8"), ("size", ">i4"),
    ]
)  # fmt: skip
"""What the table of terms says of each: Whoosh's ``W3TermInfo`` and where its block stands."""


@dataclass(frozen=True)
class Postings:
    """The posting lists of some terms, one after another."""

    terms: Sequence[bytes]
    """Distinct, ascending."""
    counts: NDArray[np.int64]
    """How many postings each term has, at least 1."""
    documents: NDArray[np.int64]
    """Document numbers, ascending within a term."""
    weights: NDArray[np.float32]


def encode(postings: Postings, length_codes: NDArray[np.uint8], offset: int) -> tuple[bytes, NDArray[Any]]:
    """The blocks of all terms, the first of which is to stand at ``offset``, and their `TERM_INFO`.

    ``length_codes`` are the lengths of all documents of the segment, each as Whoosh's byte.
    """
    counts, documents, weights = postings.counts, postings.documents, postings.weights
    ends = np.cumsum(counts)
    starts = ends - counts
    lengths = length_codes[documents]
    info = np.zeros(len(counts), TERM_INFO)
    info["weight"] = np.add.reduceat(weights, starts)
    info["count"] = counts
    info["shortest"] = np.minimum.reduceat(lengths, starts)
    info["longest"] = np.maximum.reduceat(lengths, starts)
    info["heaviest"] = np.maximum.reduceat(weights, starts)
    info["first"] = documents[starts]
    info["last"] = documents[ends - 1]

    deltas = np.diff(documents, prepend=0)
    deltas[starts] = documents[starts]
    sizes = _HEAD + _FRAME + (_WIDE + _WIDER) * counts
    large = counts > _MOST_PLAIN
    compressed = [
        zlib.compress(_content(deltas[start:end], weights[start:end]), 1)
        for start, end in zip(starts[large].tolist(), ends[large].tolist(), strict=True)
    ]
    sizes[large] = [_HEAD + len(content) for content in compressed]
    order = np.argsort(large, kind="stable")  # the plain blocks come first
    places = np.empty(len(sizes), np.int64)
    places[order] = np.cumsum(sizes[order]) - sizes[order]
    info["size"], info["offset"] = sizes, places + offset

    buffer = np.empty(int(sizes.sum()), np.uint8)
    scatter(buffer, places, _headers(info, large).view(np.uint8).reshape(-1, _HEAD))
    kept = np.repeat(~large, counts)
    _fill_plain(buffer, places[~large] + _HEAD, counts[~large], deltas[kept], weights[kept])
    for place, content in zip(places[large].tolist(), compressed, strict=True):
        buffer[place + _HEAD : place + _HEAD + len(content)] = np.frombuffer(content, np.uint8)
    return buffer.tobytes(), info


def _headers(info: NDArray[Any], compressed: NDArray[np.bool_]) -> NDArray[Any]:
    header = np.zeros(len(info), _HEADER)
    header["magic"], header["start"], header["end"] = b"W3Bl", b"\x80\x02(", b"t."
    header["op1"] = header["op2"] = b"J"
    header["op3"] = b"G"
    header["op4"] = header["op5"] = header["op6"] = b"K"
    header["size"] = 8 - info["size"].astype(
        np.int64
    )  # negative: the last block; magic and size do not count
    header["count"], header["last"], header["heaviest"] = info["count"], info["last"], info["heaviest"]
    header["compression"] = compressed
    header["shortest"], header["longest"] = info["shortest"], info["longest"]
    return header


def _content(deltas: NDArray[np.int64], weights: NDArray[np.float32]) -> bytes:
    """The data of one block: its documents, each less the one before, and their weights."""
    documents, values = np.empty(len(deltas), _DOCUMENT), np.empty(len(deltas), _WEIGHT)
    documents["op"], documents["value"] = b"J", deltas
    values["op"], values["value"] = b"G", weights
    return b"".join((_START, documents.tobytes(), _BETWEEN, values.tobytes(), _END))


def _fill_plain(
    buffer: NDArray[np.uint8],
    places: NDArray[np.int64],
    counts: NDArray[np.int64],
    deltas: NDArray[np.int64],
    weights: NDArray[np.float32],
) -> None:
    """Write the data of many blocks to their ``places``, as `_content` makes it."""
    documents, values = _fields(places, counts)
    between, end = (
        places + len(_START) + _WIDE * counts,
        places + _FRAME - len(_END) + (_WIDE + _WIDER) * counts,
    )
    for text, where in (_START, places), (_BETWEEN, between), (_END, end):
        scatter(buffer, where, np.frombuffer(text, np.uint8))
    buffer[documents - 1] = ord("J")
    buffer[values - 1] = ord("G")
    anywhere(buffer, "<i4")[documents] = deltas
    anywhere(buffer, ">f8")[values] = weights


def _fields(
    places: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the number and the weight of each posting stand, in blocks whose data begin at ``places``."""
    within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    documents = np.repeat(places + len(_START) + 1, counts) + _WIDE * within
    weights = np.repeat(places + len(_START) + len(_BETWEEN) + 1 + _WIDE * counts, counts) + _WIDER * within
    return documents, weights


def decode(block: memoryview, count: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The ``count`` document numbers and weights of one block. Raises `ValueError` when it holds others."""
    data: bytes | memoryview = block[_HEAD:]
    if block[_COMPRESSION_AT]:
        data = zlib.decompress(data)
    if len(data) != _FRAME + (_WIDE + _WIDER) * count:
        raise ValueError("a posting list is damaged")
    documents = np.frombuffer(data, _DOCUMENT, count, len(_START))["value"]
    weights = np.frombuffer(data, _WEIGHT, count, len(_START) + _WIDE * count + len(_BETWEEN))["value"]
    return np.cumsum(documents, dtype=np.int64), weights.astype(np.float32)


def decode_all(content: memoryview, info: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The document numbers and weights of the terms of ``info``, one after another, out of ``content``."""
    counts, offsets = info["count"].astype(np.int64), info["offset"].astype(np.int64)
    starts = np.cumsum(counts) - counts
    documents, weights = np.empty(int(counts.sum()), np.int64), np.empty(int(counts.sum()), np.float32)
    buffer = np.frombuffer(content, np.uint8)
    plain = buffer[offsets + _COMPRESSION_AT] == 0
    inside = np.repeat(plain, counts)
    numbers, values = _fields(offsets[plain] + _HEAD, counts[plain])
    deltas = np.cumsum(anywhere(buffer, "<i4")[numbers], dtype=np.int64)
    first = np.cumsum(counts[plain]) - counts[plain]
    documents[inside] = deltas - np.repeat(np.where(first > 0, deltas[first - 1], 0), counts[plain])
    weights[inside] = anywhere(buffer, ">f8")[values]
    for number in np.flatnonzero(~plain).tolist():
        here = slice(starts[number], starts[number] + counts[number])
        offset = int(offsets[number])
        block = content[offset : offset + int(info["size"][number])]
        documents[here], weights[here] = decode(block, int(counts[number]))
    return documents, weights


def anywhere(buffer: NDArray[np.uint8], kind: str) -> NDArray[Any]:
    """``buffer`` as numbers of a kind, one beginning at every byte."""
    dtype = np.dtype(kind)
    return np.ndarray((max(0, len(buffer) - dtype.itemsize + 1),), dtype, buffer.data, strides=(1,))


def scatter(buffer: NDArray[np.uint8], places: NDArray[np.int64], rows: NDArray[np.uint8]) -> None:
    """Write ``rows``, or one row again and again, to ``places``."""
    buffer[places[:, None] + np.arange(rows.shape[-1])] = rows
