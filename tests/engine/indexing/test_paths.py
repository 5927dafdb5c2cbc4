"""Looking at the files that changed must lead to the index that looking at everything leads to."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from quire_engine import Engine
from quire_engine.index.database import connect
from quire_engine.index.keywords import open_keywords
from quire_engine.locations import index_dir
from quire_engine.progress import Meter
from quire_engine.vault import scanner

FOLDERS = ("", "Work/", "Work/Deep/", "Home/")
NAMES = ("Ada", "Bees", "Kiln", "Tide", "ada", "Note.md", "Straße")
WORDS = "heron kiln tapir walnut copper tide moss lantern".split()
CONTENT = (
    "SELECT path, title, topic, aliases, properties, content_hash FROM notes ORDER BY path",
    "SELECT id, note_id, ordinal, kind, start, end, start_line, end_line, text, headings, sentences, "
    "embed_hash FROM chunks ORDER BY id",
    "SELECT n.path, l.position, l.target, m.path FROM links l JOIN notes n ON n.id = l.note_id "
    "LEFT JOIN notes m ON m.id = l.resolved ORDER BY 1, 2",
    "SELECT note_id, tag FROM tags ORDER BY 1, 2",
    "SELECT path, reason FROM skipped ORDER BY 1",
)


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    folder = tmp_path / "vault"
    for name in FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def engine(vault: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("QUIRE_DATA_DIR", str(tmp_path / "data"))
    with Engine.open(vault) as opened:
        opened.sync(embed=False)
        yield opened


def content(vault: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every row that follows from the notes, and what the keyword index finds."""
    with monkeypatch.context() as patch:
        patch.setenv("QUIRE_DATA_DIR", str(data))
        folder = index_dir(vault)
    database = connect(folder, writable=False)
    rows: list[Any] = [database.execute(sql).fetchall() for sql in CONTENT]
    database.close()
    keywords = open_keywords(folder, "whoosh", writable=False)
    rows += [
        sorted((chunk, round(score, 5)) for chunk, score in keywords.search(word, 999)) for word in WORDS
    ]
    keywords.close()
    return rows


def text(dice: random.Random) -> str:
    lines = []
    if dice.random() < 0.4:
        lines += [
            "---",
            f"aliases: [{dice.choice(NAMES)} {dice.choice(WORDS)}]",
            f"tags: [{dice.choice(WORDS)}]",
        ]
        lines += [f"title: {dice.choice(NAMES)}", "---"] if dice.random() < 0.5 else ["---"]
    for _ in range(dice.randrange(1, 4)):
        target = dice.choice((*NAMES, "Work/Ada", "../Kiln", "Ada heron", "Bees%20x"))
        lines += [
            f"# {dice.choice(WORDS)}",
            "",
            f"The {dice.choice(WORDS)} and [[{target}]]. ^b{len(lines)}",
            "",
        ]
    return "\n".join(lines)


def change(vault: Path, dice: random.Random) -> set[str]:
    """Do something to the vault; returns the files that it touched."""
    notes = sorted(path.relative_to(vault).as_posix() for path in vault.rglob("*.md"))
    target = f"{dice.choice(FOLDERS)}{dice.choice(NAMES)}.md"
    what = dice.random()
    if what < 0.5 or len(notes) < 3:
        (vault / target).write_text(text(dice), encoding="utf-8")
        return {target}
    note = dice.choice(notes)
    if what < 0.65:
        (vault / note).unlink()
        return {note}
    if what < 0.85:
        (vault / note).replace(vault / target)
        return {note, target}
    if what < 0.95:
        (vault / note).write_bytes(b"\0\1\2" * 99)  # no text any more
        return {note}
    (vault / ".hidden.md").write_text("hidden")
    return {".hidden.md", f"{target[:-3]}.txt"}


@pytest.mark.parametrize("seed", range(6))
def test_equal_to_an_index_made_at_once(
    vault: Path, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    dice = random.Random(seed)
    indexer = engine._writers()[0]
    for _ in range(12):
        paths: set[str] = set()
        for _ in range(dice.randrange(1, 4)):
            paths |= change(vault, dice)
        indexer.sync(Meter(None), paths=sorted(paths))
    with monkeypatch.context() as patch:
        patch.setenv("QUIRE_DATA_DIR", str(tmp_path / "anew"))
        with Engine.open(vault) as anew:
            anew.sync(embed=False)
    first = content(vault, tmp_path / "data", monkeypatch)
    second = content(vault, tmp_path / "anew", monkeypatch)
    for one, other in zip(first, second, strict=True):
        assert one == other


def test_links_make_it_look_at_everything(vault: Path, engine: Engine) -> None:
    """What a link shows may change without a change at the link's own path."""
    (vault / "Work/Ada.md").write_text("A heron.")
    (vault / "Shown.md").symlink_to(vault / "Work/Ada.md")
    engine.sync(embed=False)
    (vault / "Work/Ada.md").unlink()
    (vault / "Work/.Ada.md").write_text("A tapir.")
    (vault / "Shown.md").unlink()
    (vault / "Shown.md").symlink_to(vault / "Work/.Ada.md")
    indexer = engine._writers()[0]
    indexer.sync(Meter(None), paths=["Work/Ada.md"])
    assert [path for path, *_ in engine.notes()] == ["Shown.md"]


def test_the_last_note_is_not_taken_for_deleted_when_the_vault_is(vault: Path, engine: Engine) -> None:
    from quire_engine.errors import VaultError

    (vault / "Ada.md").write_text("A heron.")
    engine.sync(embed=False)
    (vault / "Ada.md").unlink()
    with pytest.raises(VaultError, match="Nothing was deleted"):
        engine._writers()[0].sync(Meter(None), paths=["Ada.md"])
    assert engine.status().notes == 1


def test_a_name_that_is_not_unicode_is_skipped_and_forgotten(vault: Path, engine: Engine) -> None:
    name = b"caf\xe9.md".decode("utf-8", "surrogateescape")
    (vault / name).write_text("A heron.")
    indexer = engine._writers()[0]
    indexer.sync(Meter(None), paths=[name])
    [skipped] = engine.status().skipped
    assert "not valid Unicode" in skipped.reason
    (vault / name).unlink()
    indexer.sync(Meter(None), paths=[name])
    assert engine.status().skipped == ()


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.EMFILE])
@pytest.mark.parametrize("call", ["lstat", "scandir", "both"])
def test_what_the_system_does_not_tell_is_kept(
    engine: Engine, vault: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    """As when a folder is closed, a drive fails, or a process has too many files open."""
    for path in ("Ada.md", "Work/Ada.md", "Work/Deep/Bees.md"):
        (vault / path).write_text(f"Copper at {path}.")
    assert engine.sync(embed=False).added == 3
    indexer, _ = engine._writers()

    def fail(real: Any, path: Any, **options: Any) -> Any:
        if isinstance(path, str) and path.startswith(f"{vault}/"):
            raise OSError(code, os.strerror(code), path)
        return real(path, **options)

    for name in ("lstat", "scandir"):
        if call in (name, "both"):
            monkeypatch.setattr(os, name, partial(fail, getattr(os, name)))
    report = indexer.sync(Meter(None), paths=["Ada.md", "Work/Ada.md", "Work/Deep/Bees.md"])
    assert report.removed == 0
    monkeypatch.undo()
    assert engine.status().notes == 3


def test_folders_that_are_listed_and_no_more_keep_their_notes(
    engine: Engine, vault: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in ("Ada.md", "Work/Ada.md", "Work/Deep/Bees.md"):
        (vault / path).write_text(f"Copper at {path}.")
    engine.sync(embed=False)

    class Entry:
        def __init__(self, entry: os.DirEntry[str]) -> None:
            self._entry = entry

        def __getattr__(self, name: str) -> Any:
            return getattr(self._entry, name)

        def stat(self, *, follow_symlinks: bool) -> os.stat_result:
            if self._entry.name in ("Work", "Ada.md"):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return self._entry.stat(follow_symlinks=follow_symlinks)

    listed = scanner._Walk._entry
    monkeypatch.setattr(
        scanner._Walk, "_entry", lambda walk, prefix, place, entry: listed(walk, prefix, place, Entry(entry))
    )
    report = engine.sync(embed=False)
    assert report.removed == 0
    assert {note.path for note in report.skipped} == {"Ada.md", "Work"}
    assert engine.status().notes == 3
