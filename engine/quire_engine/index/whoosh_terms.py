"""The table of a segment's terms: the file of Whoosh's ordered hash, written and read by the array.

Whoosh looks keys up through many small reads of a copy of the file; here it stays on disk, mapped.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Sequence
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from quire_engine.index.whoosh_postings import TERM_INFO, anywhere, scatter

_HEAD = b"HSH3\x01" + bytes(8)
"""The magic, the hash function (1 is CRC-32), and eight bytes for the future."""
_FIELD = b"\x00\x00"
"""The number of the one field, which stands before every term."""
_SLOT = np.dtype([("hash", ">u4"), ("position", ">i8")])
_BUCKET = np.dtype([("position", ">i8"), ("slots", ">i4")])
_BUCKETS = 256
_SIZES = np.dtype([("key", ">i4"), ("value", ">i4")])


class TermsFile:
    """Collects terms in ascending order and makes the file of them."""

    def __init__(self, field: str) -> None:
        self._field = field
        self._parts: list[bytes] = [_HEAD]
        self._position = len(_HEAD)
        self._positions: list[NDArray[np.int64]] = []
        self._hashes: list[int] = []

    def add(self, terms: Sequence[bytes], info: NDArray[Any]) -> None:
        """Add terms, each with its `TERM_INFO`."""
        width = TERM_INFO.itemsize
        keys = [_FIELD + term for term in terms]
        lengths = np.fromiter(map(len, keys), np.int64, len(keys))
        sizes = _SIZES.itemsize + lengths + width
        places = np.cumsum(sizes) - sizes
        heads = np.empty(len(keys), _SIZES)
        heads["key"], heads["value"] = lengths, width
        buffer = np.empty(int(sizes.sum()), np.uint8)
        scatter(buffer, places, heads.view(np.uint8).reshape(-1, _SIZES.itemsize))
        inside = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        buffer[np.repeat(places + _SIZES.itemsize, lengths) + inside] = np.frombuffer(
            b"".join(keys), np.uint8
        )
        scatter(buffer, places + _SIZES.itemsize + lengths, info.view(np.uint8).reshape(-1, width))
        self._parts.append(buffer.tobytes())
        self._positions.append(places + self._position)
        self._position += len(buffer)
        self._hashes += map(crc32, keys)

    def content(self) -> bytes:
        positions = np.concatenate(self._positions) if self._positions else np.zeros(0, np.int64)
        table, buckets = _hash_table(np.array(self._hashes, np.int64), positions)
        buckets["position"] += self._position
        code, kind = ("I", ">u4") if self._position < 2**32 else ("q", ">i8")
        extras = {"fieldmap": {self._field: 0}, "indextype": code, "indexlen": len(positions)}
        tail = pickle.dumps(extras, 2) + positions.astype(kind).tobytes()
        end = struct.pack("!i", len(tail))
        return b"".join([*self._parts, table.tobytes(), buckets.tobytes(), tail, end])


def _hash_table(hashes: NDArray[np.int64], positions: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """256 tables, half full, with linear probing, and where each begins."""
    bucket = hashes & (_BUCKETS - 1)
    buckets = np.zeros(_BUCKETS, _BUCKET)
    slots = 2 * np.bincount(bucket, minlength=_BUCKETS)
    begins = np.cumsum(slots) - slots
    buckets["slots"], buckets["position"] = slots, begins * _SLOT.itemsize
    begin, size = begins[bucket], slots[bucket]
    wanted = (hashes >> 8) % np.maximum(size, 1)
    taken = bytearray(int(slots.sum()))
    places = []
    for start, count, slot in zip(begin.tolist(), size.tolist(), wanted.tolist(), strict=True):
        place = start + slot
        while taken[place]:
            place = start + (place + 1 - start) % count
        taken[place] = 1
        places.append(place)
    table = np.zeros(len(taken), _SLOT)
    table["hash"][places] = hashes
    table["position"][places] = positions
    return table, buckets


class TermsTable:
    """Reads such a file."""

    def __init__(self, content: memoryview) -> None:
        """Raises `ValueError`, `struct.error` or what unpickling raises for a file of another kind."""
        self._content = content
        if content[: len(_HEAD)] != _HEAD:
            raise ValueError("the table of terms is damaged")
        (size,) = struct.unpack("!i", content[-4:])
        tail = len(content) - 4 - size
        extras = pickle.loads(content[tail:-4])  # noqa: S301 # the index's own file
        self._count: int = extras["indexlen"]
        self._kind = ">u4" if extras["indextype"] == "I" else ">i8"
        self._buckets: list[tuple[int, int]] = np.frombuffer(
            content, _BUCKET, _BUCKETS, tail - _BUCKETS * _BUCKET.itemsize
        ).tolist()

    def find(self, term: bytes) -> tuple[int, int, int] | None:
        """(postings, offset, size of its block) of a term, or ``None``."""
        key = _FIELD + term
        wanted = crc32(key)
        begin, slots = self._buckets[wanted % _BUCKETS]
        if not slots:
            return None
        table = np.frombuffer(self._content, _SLOT, slots, begin)
        for probe in range(slots):
            found, position = table[((wanted >> 8) + probe) % slots].tolist()
            if not position:
                return None
            if found == wanted:
                start = position + _SIZES.itemsize
                length = int.from_bytes(self._content[position : position + 4], "big")
                if self._content[start : start + length] == key:
                    row = np.frombuffer(self._content, TERM_INFO, 1, start + length)[0]
                    return int(row["count"]), int(row["offset"]), int(row["size"])
        return None

    def all(self) -> tuple[list[bytes], NDArray[Any]]:
        """Every term, ascending, with its `TERM_INFO`."""
        width = np.dtype(self._kind).itemsize
        at = len(self._content) - 4 - width * self._count
        positions = np.frombuffer(self._content, self._kind, self._count, at).astype(np.int64)
        starts = positions + _SIZES.itemsize
        content = np.frombuffer(self._content, np.uint8)
        ends = starts + anywhere(content, ">i4")[positions]
        info = content[ends[:, None] + np.arange(TERM_INFO.itemsize)].view(TERM_INFO)[:, 0]
        starts += len(_FIELD)
        terms = [
            bytes(self._content[start:end]) for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
        ]
        return terms, info
