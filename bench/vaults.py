"""Makes a vault of plausible notes, the same for the same seed, and questions to ask of any vault.

Words follow Zipf's law over the embedding model's own vocabulary, which is ordered by frequency; each folder
has words of its own, so that topics differ in their keywords and in their vectors.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from random import Random

_FIRST_WORD = 1996
"""Where letters and signs end and words begin in the vocabulary."""
_COMMON = 150
"""The words that no topic has for itself: articles, prepositions, pronouns."""
_TOPICS, _TOPIC_WORDS = 24, 400
_NEWEST, _SECONDS = 1_750_000_000, 3 * 365 * 86_400
"""Unix seconds of the newest note, and the time over which the others were written."""
CHUNKS_PER_NOTE = 3.5
"""About how many passages a note is cut into."""
_WORD = re.compile(r"[^\W\d_]{3,}")


class _Author:
    """Writes notes about one topic at a time."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        every = _vocabulary()
        self._common = every, _zipf(len(every))
        self._topics = [self.random.sample(every[_COMMON:], _TOPIC_WORDS) for _ in range(_TOPICS)]
        self._topic_weights = _zipf(_TOPIC_WORDS)
        self._popularity = _zipf(_TOPICS)
        self._topic = self._topics[0]

    def choose_topic(self) -> str:
        """Go over to some topic; returns its name."""
        self._topic = self.random.choices(self._topics, cum_weights=self._popularity)[0]
        return self._topic[0]

    def own(self, count: int) -> list[str]:
        """Words of the topic."""
        return self.random.choices(self._topic, cum_weights=self._topic_weights, k=count)

    def sentence(self, least: int = 6, most: int = 24) -> str:
        """Running text: two words in five are the topic's."""
        count = self.random.randint(least, most)
        words = self.random.choices(self._common[0], cum_weights=self._common[1], k=count)
        own = self.own(count)
        return " ".join(b if self.random.random() < 0.4 else a for a, b in zip(words, own, strict=True))

    def paragraph(self, least: int, most: int) -> str:
        return " ".join(f"{self.sentence().capitalize()}." for _ in range(self.random.randint(least, most)))

    def note(self, title: str, others: Sequence[str]) -> str:
        parts = [f"# {title}", self.paragraph(2, 8)]
        if self.random.random() < 0.5:
            parts.insert(0, f"---\ntags: [{', '.join(self.own(2))}]\nstatus: {self.own(1)[0]}\n---")
        for _ in range(self.random.choice((0, 1, 1, 2, 2, 3, 5))):
            parts += [f"## {' '.join(self.own(2)).capitalize()}", self._block(others)]
        return "\n\n".join(parts) + "\n"

    def _block(self, others: Sequence[str]) -> str:
        kind = self.random.random()
        if kind < 0.08:
            return "```python\n" + "\n".join(f"{a} = {b}({a})" for a, b in [self.own(2)] * 4) + "\n```"
        if kind < 0.16:
            rows = [self.own(3), ["---"] * 3, *(self.own(3) for _ in range(4))]
            return "\n".join(f"| {' | '.join(row)} |" for row in rows)
        if kind < 0.35:
            return "\n".join(f"- {self.sentence(5, 12)}" for _ in range(5))
        return f"{self.paragraph(4, 13)} See [[{self.random.choice(others)}]]. #{self.own(1)[0]}"


def write_vault(folder: Path, notes: int, seed: int = 0) -> None:
    """Write ``notes`` Markdown files, about 2 KB each, in folders by topic, dated over three years."""
    author = _Author(seed)
    titles: list[str] = []
    for number in range(notes):
        place = folder / author.choose_topic()
        place.mkdir(parents=True, exist_ok=True)
        titles.append(f"{' '.join(author.own(3)).capitalize()} {number}")
        path = place / f"{titles[-1]}.md"
        path.write_text(author.note(titles[-1], titles), encoding="utf-8")
        modified = _NEWEST - author.random.randrange(_SECONDS)
        os.utime(path, (modified, modified))


def note_files(vault: Path) -> list[Path]:
    """The vault's Markdown files, newest first; hidden folders are left out."""
    files = [
        path
        for path in vault.rglob("*.md")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(vault).parts)
    ]
    return sorted(files, key=lambda path: (-path.stat().st_mtime_ns, path))


def questions(vault: Path, count: int, seed: int = 0) -> list[str]:
    """``count`` runs of six words that stand in notes, as a user half remembers them."""
    random = Random(seed)
    files = note_files(vault)
    found = []
    for file in random.choices(files, k=count):
        lines = [_WORD.findall(line) for line in file.read_text("utf-8", "replace").splitlines()]
        words = max(lines, key=len, default=[]) or [file.stem]
        start = random.randrange(max(1, len(words) - 5))
        found.append(" ".join(words[start : start + 6]))
    return found


def _vocabulary() -> list[str]:
    from quire_engine.inference.catalogue import checked_embedding_model
    from quire_engine.settings import EmbeddingSettings

    folder, _, _ = checked_embedding_model(EmbeddingSettings().model)
    numbers: dict[str, int] = json.loads((folder / "tokenizer.json").read_text("utf-8"))["model"]["vocab"]
    ordered = sorted(numbers, key=numbers.__getitem__)[_FIRST_WORD:]
    return [word for word in ordered if word.isascii() and word.isalpha() and len(word) > 1]


def _zipf(count: int) -> list[float]:
    """Cumulated weights 1, 1/2, 1/3 …"""
    return list(accumulate(1.0 / rank for rank in range(1, count + 1)))
