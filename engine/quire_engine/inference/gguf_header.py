"""Reads and checks the header of a GGUF file, before llama.cpp sees it.

llama.cpp refuses most damaged files, but some make it abort the process; those are refused here. The format:
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import math
import mmap
import re
import struct
from dataclasses import dataclass
from pathlib import Path

from quire_engine.errors import ModelError

_SCALARS = {0: "B", 1: "b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
_MOST_LAYERS = 512  # LLAMA_MAX_LAYERS; beyond it llama.cpp aborts
_MOST_CONTEXT = 2**31 - 1
_MOST_DIMENSIONS = 4
_KEPT_TEXT = 2**20  # longer values are of no interest here

# (elements, bytes) of a block, by ggml type.
_BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
    16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110),
    22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56),
    30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class GGUFHeader:
    """What Quire needs to know of a model before it is loaded."""

    architecture: str
    context: int
    """Tokens that the model was trained for."""
    layers: int
    kv_bytes: int
    """Of the key-value cache, for each token of context, at 16 bits."""
    vocabulary: int
    chat_template: str | None
    bytes: int
    """Of the file."""


def read_header(path: Path) -> GGUFHeader:
    """The checked header of the GGUF file at ``path``.

    Raises `ModelError`, in one line, for a file that is missing, unreadable, not GGUF, damaged or cut short.
    """
    try:
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise ModelError(f"{path} is not a GGUF file, whatever its name; choose another model file")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _Reader(path, data).header()
    except FileNotFoundError as error:
        raise ModelError(f"the model file {path} does not exist; check answer.model") from error
    except OSError as error:
        raise ModelError(f"cannot read the model file {path}: {error.strerror or error}") from error


class _Reader:
    def __init__(self, path: Path, data: mmap.mmap) -> None:
        self._path = path
        self._data = data
        self._at = 4

    def header(self) -> GGUFHeader:
        try:
            version = self._scalar("<I")
            if version not in (2, 3):
                raise ModelError(
                    f"{self._path} has an unsupported GGUF version; download a current file of the model"
                )
            tensors, entries = self._scalar("<Q"), self._scalar("<Q")
            values: dict[str, object] = {}
            for _ in range(entries):
                key = self._text()
                values[key] = self._value(self._scalar("<I"))
            layers = self._tensors(tensors, values.get("general.alignment", 32))
        except (struct.error, IndexError, OverflowError) as error:
            raise self._damaged() from error
        return self._checked(values, layers)

    def _checked(self, values: dict[str, object], tensor_layers: int) -> GGUFHeader:
        architecture = values.get("general.architecture")
        vocabulary = values.get("tokenizer.ggml.tokens")
        if not isinstance(architecture, str) or not isinstance(vocabulary, int) or vocabulary < 1:
            raise ModelError(f"{self._path} holds no language model; choose a GGUF of a chat model")

        def number(key: str, low: int, high: int, default: int | None = None) -> int:
            found = values.get(f"{architecture}.{key}", default)
            if isinstance(found, bool) or not isinstance(found, int) or not low <= found <= high:
                raise self._damaged()
            return found

        layers = number("block_count", 1, _MOST_LAYERS)
        for key, value in values.items():
            if key.endswith("_epsilon") and not (isinstance(value, float) and 0 <= value < math.inf):
                raise self._damaged()
        width = number("embedding_length", 1, 2**24)
        # Both are arrays in some architectures; the estimate then takes the widest case.
        heads = values.get(f"{architecture}.attention.head_count")
        heads = heads if isinstance(heads, int) and heads > 0 else 1
        kv_heads = values.get(f"{architecture}.attention.head_count_kv")
        kv_heads = kv_heads if isinstance(kv_heads, int) and kv_heads > 0 else heads
        head_width = number("attention.key_length", 1, 2**20, max(1, width // heads))
        if 0 < tensor_layers < layers:
            raise self._damaged()
        template = values.get("tokenizer.chat_template")
        return GGUFHeader(
            architecture=architecture,
            context=number("context_length", 1, _MOST_CONTEXT),
            layers=layers,
            kv_bytes=2 * 2 * layers * kv_heads * head_width,
            vocabulary=vocabulary,
            chat_template=template if isinstance(template, str) and template.strip() else None,
            bytes=len(self._data),
        )

    def _tensors(self, count: int, alignment: object) -> int:
        """Check that every tensor's data lies within the file; returns the number of layers they make up."""
        if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
            raise self._damaged()
        ends, layers = [0], 0
        for _ in range(count):
            name = self._text()
            dimensions = self._scalar("<I")
            if dimensions > _MOST_DIMENSIONS:
                self._fail()
            shape = [self._scalar("<Q") for _ in range(dimensions)]
            kind, offset = self._scalar("<I"), self._scalar("<Q")
            elements, size = _BLOCKS.get(kind, (1, 0))
            ends.append(offset + math.prod(shape) // elements * size)
            if block := re.match(r"blk\.(\d{1,5})\.", name):
                layers = max(layers, int(block[1]) + 1)
        end = -(-self._at // alignment) * alignment + max(ends)
        if end > len(self._data):
            raise ModelError(
                f"{self._path} is cut short: {len(self._data):,} of {end:,} bytes; download the model again"
            )
        return layers

    def _value(self, kind: int) -> object:
        """A scalar or a text; for an array, its length."""
        if kind == _STRING:
            return self._text()
        if kind != _ARRAY:
            return self._scalar(_SCALARS[kind]) if kind in _SCALARS else self._fail()
        element, length = self._scalar("<I"), self._scalar("<Q")
        if element in _SCALARS:
            self._skip(length * struct.calcsize(_SCALARS[element]))
        elif element == _STRING:
            # A vocabulary has 150,000 of these: no call and no copy for each.
            unpack, data, at = struct.Struct("<Q").unpack_from, self._data, self._at
            for _ in range(length):
                at += 8 + unpack(data, at)[0]
            self._at = at
            self._skip(0)
        else:
            self._fail()
        return length

    # struct's formats decide the type; every caller knows which one it asked for.
    def _scalar(self, form: str) -> int:
        (value,) = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        return value  # type: ignore[no-any-return]

    def _text(self) -> str:
        length = self._scalar("<Q")
        start = self._at
        self._skip(length)
        return self._data[start : start + min(length, _KEPT_TEXT)].decode("utf-8", errors="replace")

    def _skip(self, length: int) -> None:
        self._at += length
        if self._at > len(self._data):
            self._fail()

    def _fail(self) -> object:
        raise self._damaged()

    def _damaged(self) -> ModelError:
        return ModelError(f"{self._path} is damaged or cut short; download the model again")
