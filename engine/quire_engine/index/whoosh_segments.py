"""Segments of the Whoosh index: written at once from arrays, mapped for reading, merged by the array."""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from whoosh.codec.whoosh3 import W3Codec, W3Segment
from whoosh.filedb.compound import CompoundStorage
from whoosh.filedb.structfile import StructFile
from whoosh.util.numeric import byte_to_length

from quire_engine.index import bm25
from quire_engine.index.whoosh_postings import Postings, decode, decode_all, encode
from quire_engine.index.whoosh_terms import TermsFile, TermsTable
from quire_engine.privacy import private

FIELD = "words"
IDS = "chunk"
LENGTHS = "length"
_LENGTH_CODES = f"_{FIELD}_len"
_LENGTH_OF_CODE: NDArray[np.int64] = np.array([byte_to_length(code) for code in range(256)], np.int64)
"""Whoosh keeps a document's length as one of 256 codes."""
_DIRECTORY_POINTER = 12
_CHECKSUM = struct.Struct("!I")
"""What stands behind all that Whoosh reads: the CRC-32 of the file before it."""
_SLICE = 1_000_000
"""Postings that a merge holds in memory at a time."""


class SegmentFile:
    """A segment opened for reading, mapped into memory; nothing in it ever changes."""

    def __init__(self, folder: Path, segment: W3Segment) -> None:
        """Raises `FileNotFoundError` when it is gone, and much else when it is damaged."""
        with (folder / segment.make_filename(".seg")).open("rb") as file:
            inner = CompoundStorage(StructFile(file), use_mmap=False)
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        content = memoryview(self._map)

        def part(name: str) -> memoryview:
            offset, length = inner.range(name)
            return content[offset : offset + length]

        self._postings = part(segment.make_filename(W3Codec.POSTS_EXT))
        self._terms = TermsTable(part(segment.make_filename(W3Codec.TERMS_EXT)))
        ids = np.frombuffer(part(W3Codec.column_filename(segment, IDS)), ">u8")
        self.ids: NDArray[np.uint64] = ids.astype(np.uint64)
        """The chunk of each document."""
        lengths = np.frombuffer(part(W3Codec.column_filename(segment, LENGTHS)), ">u4")
        self.lengths: NDArray[np.int64] = lengths.astype(np.int64)
        """The length of each document: the weights of its terms, in whole numbers, added."""
        codes = np.frombuffer(part(W3Codec.column_filename(segment, _LENGTH_CODES)), np.uint8)
        self.rounded_lengths: NDArray[np.int64] = _LENGTH_OF_CODE[codes]
        """The same as Whoosh keeps and scores them."""
        if not len(self.ids) == len(self.lengths) == len(codes) == segment.doc_count_all():
            raise ValueError("a segment is damaged")
        self._sorted: tuple[NDArray[np.uint64], NDArray[np.int64]] | None = None

    def verify(self) -> None:
        """Raises `ValueError` when the file is not as it was written."""
        content = memoryview(self._map)
        (checksum,) = _CHECKSUM.unpack(content[-_CHECKSUM.size :])
        if zlib.crc32(content[: -_CHECKSUM.size]) != checksum:
            raise ValueError("a segment is damaged")

    def find(self, chunks: NDArray[np.uint64]) -> NDArray[np.int64]:
        """The documents of those of ``chunks`` that are here, deleted ones too."""
        if self._sorted is None:
            order = np.argsort(self.ids)
            self._sorted = self.ids[order], order
        ids, order = self._sorted
        places = np.minimum(np.searchsorted(ids, chunks), len(ids) - 1)
        found: NDArray[np.int64] = order[places[ids[places] == chunks]]
        return found

    def postings(self, term: bytes) -> tuple[NDArray[np.int64], NDArray[np.float32]] | None:
        """The documents that hold ``term``, ascending, deleted ones too, and its weight in each."""
        found = self._terms.find(term)
        if found is None:
            return None
        count, offset, size = found
        return decode(self._postings[offset : offset + size], count)

    def all_terms(self) -> tuple[list[bytes], NDArray[Any]]:
        """Every term, ascending, with its `TERM_INFO`."""
        return self._terms.all()

    def all_postings(self, info: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The postings of the terms of ``info``, one after another."""
        return decode_all(self._postings, info)


def write_chunks(folder: Path, index: str, chunks: Mapping[int, Mapping[str, float]]) -> W3Segment:
    """Write a segment of weighted terms by chunk."""
    known: defaultdict[str, int] = defaultdict()
    known.default_factory = known.__len__
    numbers = np.fromiter(
        map(known.__getitem__, chain.from_iterable(chunks.values())),
        np.int64,
        sum(map(len, chunks.values())),
    )
    weights = np.fromiter(
        chain.from_iterable(terms.values() for terms in chunks.values()), np.float32, len(numbers)
    )
    documents = np.repeat(np.arange(len(chunks)), [len(terms) for terms in chunks.values()])
    frequencies = np.maximum(weights >= bm25.FAINT, np.rint(weights))
    lengths = np.bincount(documents, frequencies, len(chunks)).astype(np.int64)

    terms = [term.encode("utf-8", "surrogatepass") for term in known]
    alphabetical = sorted(range(len(terms)), key=terms.__getitem__)
    rank = np.empty(len(terms), np.int64)
    rank[alphabetical] = np.arange(len(terms))
    order = np.argsort(rank[numbers] * len(chunks) + documents)
    postings = Postings(
        [terms[number] for number in alphabetical],
        np.bincount(rank[numbers], minlength=len(terms)),
        documents[order],
        weights[order],
    )
    ids = np.fromiter(chunks, np.uint64, len(chunks))
    return _write(folder, index, ids, lengths, [postings] if terms else [])


def merge(folder: Path, index: str, segments: Sequence[tuple[SegmentFile, NDArray[np.bool_]]]) -> W3Segment:
    """Write one segment of the documents that live (a mask by document) in ``segments``."""
    alive = np.concatenate([live for _, live in segments])
    ids = np.concatenate([file.ids for file, _ in segments])[alive]
    lengths = np.concatenate([file.lengths for file, _ in segments])[alive]
    return _write(folder, index, ids, lengths, _merged([file for file, _ in segments], alive))


def _merged(files: Sequence[SegmentFile], alive: NDArray[np.bool_]) -> Iterator[Postings]:
    """The postings of all ``files`` in slices, documents numbered anew."""
    numbers = np.cumsum(alive) - 1
    first = np.cumsum([0, *(len(file.ids) for file in files)])
    tables = [file.all_terms() for file in files]
    terms = sorted(set(chain.from_iterable(table for table, _ in tables)))
    known = {term: number for number, term in enumerate(terms)}
    ranks = [np.fromiter(map(known.__getitem__, table), np.int64, len(table)) for table, _ in tables]
    counts = sum(
        np.bincount(rank, info["count"], len(terms)) for rank, (_, info) in zip(ranks, tables, strict=True)
    )
    cuts = np.flatnonzero(np.diff(np.cumsum(counts) // _SLICE, prepend=-1, append=-1)).tolist()
    for start, end in pairwise(cuts):
        of_term, documents, weights = [], [], []
        for number, (file, rank, (_, info)) in enumerate(zip(files, ranks, tables, strict=True)):
            here = slice(*np.searchsorted(rank, (start, end)))
            its_documents, its_weights = file.all_postings(info[here])
            of_term.append(np.repeat(rank[here], info["count"][here].astype(np.int64)))
            documents.append(its_documents + first[number])
            weights.append(its_weights)
        joined = np.concatenate(of_term), np.concatenate(documents), np.concatenate(weights)
        yield from _sorted(terms, *joined, alive, numbers)


def _sorted(
    terms: Sequence[bytes],
    of_term: NDArray[np.int64],
    documents: NDArray[np.int64],
    weights: NDArray[np.float32],
    alive: NDArray[np.bool_],
    numbers: NDArray[np.int64],
) -> Iterator[Postings]:
    """Postings by term, without those of dead documents, and with the documents' new numbers."""
    kept = alive[documents]
    of_term, documents, weights = of_term[kept], numbers[documents[kept]], weights[kept]
    order = np.argsort(of_term * len(numbers) + documents)
    counts = np.bincount(of_term)
    present = np.flatnonzero(counts)
    if len(present):
        names = [terms[number] for number in present.tolist()]
        yield Postings(names, counts[present], documents[order], weights[order])


def _write(
    folder: Path,
    index: str,
    ids: NDArray[np.uint64],
    lengths: NDArray[np.int64],
    slices: Iterable[Postings],
) -> W3Segment:
    """Write the one file of a segment: Whoosh's compound of posting lists, table of terms and columns."""
    segment = W3Segment(W3Codec(), index)
    segment.compound = True
    segment.set_doc_count(len(ids))
    segment._fieldlengths = {FIELD: int(lengths.sum())}
    codes = np.minimum(np.searchsorted(_LENGTH_OF_CODE, lengths), 255).astype(np.uint8)
    columns = {
        IDS: ids.astype(">u8").tobytes(),
        LENGTHS: lengths.astype(">u4").tobytes(),
        _LENGTH_CODES: codes.tobytes(),
        "_stored": _nothing_stored(len(ids)),
    }
    path = folder / segment.make_filename(".seg")
    try:
        with open(path, "w+b", opener=private) as raw:
            file = StructFile(raw)
            file.write(bytes(_DIRECTORY_POINTER))
            terms = TermsFile(FIELD)
            for postings in slices:
                blocks, info = encode(postings, codes, file.tell() - _DIRECTORY_POINTER)
                file.write(blocks)
                terms.add(postings.terms, info)
            ends = {segment.make_filename(W3Codec.POSTS_EXT): file.tell()}
            file.write(terms.content())
            ends[segment.make_filename(W3Codec.TERMS_EXT)] = file.tell()
            for name, content in columns.items():
                file.write(content)
                ends[W3Codec.column_filename(segment, name)] = file.tell()
            _write_directory(file, ends)
            file.flush()
            _write_checksum(raw)
            raw.flush()
            os.fsync(raw.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return segment


def _write_directory(file: StructFile, ends: Mapping[str, int]) -> None:
    """Where each part of the compound is: at its end, and at its start where that is."""
    starts = [_DIRECTORY_POINTER, *ends.values()]
    place = file.tell()
    file.write_pickle(
        {
            name: {"offset": start, "length": end - start}
            for (name, end), start in zip(ends.items(), starts, strict=False)
        }
    )
    file.write_pickle({})
    length = file.tell() - place
    file.seek(0)
    file.write_long(place)
    file.write_int(length)


def _write_checksum(file: BinaryIO) -> None:
    file.seek(0)
    checksum = 0
    while piece := file.read(1 << 20):
        checksum = zlib.crc32(piece, checksum)
    file.write(_CHECKSUM.pack(checksum))


def _nothing_stored(count: int) -> bytes:
    """Whoosh's column of stored fields, of which there are none: their lengths and the lengths' type code."""
    return bytes(count) + b"B"
