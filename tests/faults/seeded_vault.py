"""A vault whose notes and changes follow from a seed: links, names within names, tags, moves, comebacks."""

from __future__ import annotations

import os
import random
from pathlib import Path

_SYLLABLES = "ba du ke li mo na pi ro su te vo wa xi yo zu".split()
_YEARS_AGO = 1_600_000_000
"""When the files were written, as they say: none is taken for one that may change again at once."""


class SeededVault:
    """Notes in ``folder``; every change leaves files whose state is the same wherever the vault is made."""

    def __init__(self, folder: Path, notes: int, seed: int) -> None:
        self.folder = folder
        self._random = random.Random(seed)
        self._words = [
            "".join(self._random.choices(_SYLLABLES, k=self._random.randint(1, 4))) for _ in range(400)
        ]
        self._gone: list[tuple[str, bytes]] = []
        self._ticks = 0
        for _ in range(notes):
            self._add()

    @property
    def notes(self) -> list[Path]:
        return sorted(self.folder.rglob("*.md"))

    def change(self, share: float = 0.25) -> None:
        """Edit, add, rename, move and delete about ``share`` of the notes."""
        ways = [self._edit] * 8 + [self._rename] * 3 + [self._add] * 3 + [self._delete] * 3
        ways += [self._return, self._double, self._touch, self._empty]
        self._move_folder()
        for _ in range(int(share * len(self.notes))):
            self._random.choice(ways)()

    # ------------------------------------------------------------------------------------------ what happens

    def _add(self) -> None:
        self._write(self._place(), self._text())

    def _edit(self) -> None:
        note = self._any()
        paragraphs = note.read_text(encoding="utf-8").split("\n\n")
        paragraphs[self._random.randrange(len(paragraphs))] = self._paragraph()
        self._write(note, "\n\n".join(paragraphs))

    def _rename(self) -> None:
        note, place = self._any(), self._place()
        place.parent.mkdir(parents=True, exist_ok=True)
        note.rename(place)

    def _move_folder(self) -> None:
        folders = sorted(path for path in self.folder.iterdir() if path.is_dir())
        target = self.folder / self._name()
        if folders and not target.exists():
            self._random.choice(folders).rename(target)

    def _delete(self) -> None:
        note = self._any()
        self._gone.append((note.relative_to(self.folder).as_posix(), note.read_bytes()))
        note.unlink()

    def _return(self) -> None:
        if self._gone:
            place, data = self._gone.pop()
            self._write(self.folder / place, data.decode())

    def _double(self) -> None:
        self._write(self._place(), self._any().read_text(encoding="utf-8"))

    def _touch(self) -> None:
        self._write(note := self._any(), note.read_text(encoding="utf-8"))

    def _empty(self) -> None:
        self._write(self._any(), "---\nstatus: done\n---\n" if self._random.random() < 0.5 else "")

    # ---------------------------------------------------------------------------------------- what is written

    def _any(self) -> Path:
        return self._random.choice(self.notes)

    def _name(self) -> str:
        """One or two words: the name of one note often stands within another's."""
        return " ".join(self._random.choices(self._words[:60], k=self._random.choice([1, 1, 2]))).title()

    def _place(self) -> Path:
        folders = [*(path.name for path in self.folder.glob("*/")), "Inbox", "Plants", ""]
        while (place := self.folder / self._random.choice(folders) / f"{self._name()}.md").exists():
            pass
        return place

    def _text(self) -> str:
        chance = self._random
        front = ""
        if chance.random() < 0.5:
            front = f"---\ntags: [{self._word()}, {self._word()}/{self._word()}]\n"
            front += f"aliases: [{self._name()}]\nstatus: {self._word()} {self._word()}\n---\n\n"
        parts = []
        for section in range(chance.randint(1, 3)):
            parts += [
                f"{'#' * (section + 1)} {self._name()}",
                *(self._paragraph() for _ in range(chance.randint(1, 3))),
            ]
        return front + "\n\n".join(parts)

    def _paragraph(self) -> str:
        chance = self._random
        words = [self._word() for _ in range(chance.randint(12, 60))]
        for _ in range(chance.randint(0, 3)):
            names = (f"[[{self._name()}]]", self._name(), f"#{self._word()}", f"[[{self._any_name()}]]")
            words.insert(chance.randrange(len(words)), chance.choice(names))
        return " ".join(words) + "." + (f" ^b{chance.randrange(10**6)}" if chance.random() < 0.1 else "")

    def _any_name(self) -> str:
        return self._any().stem if self._random.random() < 0.5 and self.notes else self._name()

    def _word(self) -> str:
        return self._random.choice(self._words)

    def _write(self, note: Path, text: str) -> None:
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(text, encoding="utf-8")
        self._ticks += 60
        os.utime(note, (_YEARS_AGO + self._ticks,) * 2)
