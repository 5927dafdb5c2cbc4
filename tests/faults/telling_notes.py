"""Notes whose passages say which note and which version of it they belong to, and a quick embedder for them.

A hit that mixes versions, or stands elsewhere than it says, shows.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quire_engine.settings import EmbeddingSettings

WORDS = tuple(
    a + b for a in "ka lo mi nu pe ra si tu ve zo".split() for b in "bar del fin gol hum jat".split()
)

_NOTES = 200
_MANY = 40

State = tuple[int, tuple[int, ...]]
"""A note: its number, and the version of each of its passages."""


def text_of(state: State) -> str:
    """The note's text; where a passage stands follows from the versions of those before it."""
    number, versions = state
    lines = [f"# Note {number}", ""]
    for part, version in enumerate(versions):
        rng = random.Random(f"{number}/{part}/{version}")
        lines += [heading_of(number, part, version), ""]
        lines += [f"Part {part} of note {number} is version {version}."]
        for _ in range(1 + version % 3):
            lines += [" ".join(rng.choices(WORDS, k=8)) + "."]
        lines += [f"See [[Note {rng.randrange(40)}]].", ""]
    return "\n".join(lines) + "\n"


def heading_of(number: int, part: int, version: int) -> str:
    return f"## Part {part} of note {number}, version {version}"


def stands_in(hit: dict[str, Any], state: State) -> bool:
    """Whether text, lines and headings of ``hit`` are those of a passage of the note in that state."""
    number, versions = state
    lines = _lines(number, tuple(versions))
    first, last = hit["lines"]
    if "\n".join(lines[first - 1 : last]) != hit["text"]:
        return False
    own = next(line for line in reversed(lines[:first]) if line.startswith("#"))
    return hit["headings"] == [f"Note {number}", own.lstrip("# ")]


@lru_cache(maxsize=4096)
def _lines(number: int, versions: tuple[int, ...]) -> list[str]:
    return text_of((number, versions)).split("\n")


class Vault:
    """A vault of telling notes, changed at random."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._random = random.Random(0)
        self._next = 0
        self.notes: dict[str, State] = {}
        self.add(_NOTES)

    def add(self, many: int = _MANY) -> None:
        for _ in range(many):
            number, self._next = self._next, self._next + 1
            self._write(self._place(number), (number, (0,) * self._random.randint(2, 6)))

    def edit(self) -> None:
        for path in self._random.sample(sorted(self.notes), self._random.randint(1, 5)):
            number, versions = self.notes[path]
            changed = [v + (self._random.random() < 0.5) for v in versions]
            if self._random.random() < 0.2:
                changed = [*changed[1:], 1000 + self._random.randrange(1000)][: self._random.randint(2, 6)]
            self._write(path, (number, tuple(changed)))

    def delete(self) -> None:
        for path in self._random.sample(sorted(self.notes), _MANY):
            (self._folder / path).unlink()
            del self.notes[path]

    def rename(self) -> None:
        self._move(path := self._random.choice(sorted(self.notes)), self._place(self.notes[path][0]))

    def rename_folder(self) -> None:
        folders = sorted({path.partition("/")[0] for path in self.notes})
        old, new = self._random.choice(folders), f"Folder {self._random.randrange(10**6)}"
        for path in [path for path in self.notes if path.startswith(f"{old}/")]:
            self._move(path, f"{new}/{path.partition('/')[2]}")

    def _place(self, number: int) -> str:
        return f"Folder {self._random.randrange(6)}/Note {number}.md"

    def _write(self, path: str, state: State) -> None:
        file = self._folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text_of(state), encoding="utf-8")
        self.notes[path] = state

    def _move(self, old: str, new: str) -> None:
        (self._folder / new).parent.mkdir(parents=True, exist_ok=True)
        (self._folder / old).rename(self._folder / new)
        self.notes[new] = self.notes.pop(old)


class HashedWords:
    """An embedder whose vectors are sums of one random vector a word: quick, small, the same everywhere."""

    fingerprint = "hashed-words/1"
    dimensions = 64
    max_tokens = 256
    runtime_name = "hashed"

    def load(self) -> None:
        """Nothing is to be loaded."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = np.zeros((len(texts), self.dimensions), np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().split():
                rows[row] += _word(word.strip(".,#"))
        rows += 1e-6
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return rows

    def embed_query(self, text: str) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = self.embed_passages([text])[0]
        return vector

    def readability(self, text: str) -> float:
        return 1.0


@lru_cache(maxsize=4096)
def _word(word: str) -> NDArray[np.float32]:
    seed = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "big")
    return np.random.default_rng(seed).standard_normal(HashedWords.dimensions).astype(np.float32)


def take_over(patch: Callable[[str, Any], None]) -> None:
    """Let engines of this process embed with `HashedWords`, and divide few vectors among many shards.

    ``patch`` sets what stands at a dotted place. Splits, merges and routing happen at every turn then.
    """
    from quire_engine.index.nearest import nearest
    from quire_engine.index.vectors import VectorTable

    embedder = HashedWords()

    def shared(_: EmbeddingSettings) -> HashedWords:
        return embedder

    patch("quire_engine.engine.shared_embedder", shared)
    patch(
        "quire_engine.index.nearest.nearest.__kwdefaults__", {**(nearest.__kwdefaults__ or {}), "whole": 300}
    )
    patch(
        "quire_engine.index.vectors.VectorTable.rebalance.__kwdefaults__",
        {**(VectorTable.rebalance.__kwdefaults__ or {}), "split": 64, "whole": 300},
    )
