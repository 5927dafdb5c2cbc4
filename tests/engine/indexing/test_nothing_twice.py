"""What is embedded when notes are edited and moved: only text that was never embedded before.

Every case is taken in by a sync, and again by a running watch.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from counting_embedder import CheapEmbedder
from index_rows import differences, rows

from quire_engine import Engine
from quire_engine.inference.embedder import SentenceEmbedder
from quire_engine.locations import index_dir
from quire_engine.progress import Meter

LONG = 30.0
SECTIONS = 40
WORDS = "heron kiln tapir walnut copper tide moss lantern ferry orchard basalt cedar".split()


def paragraph(number: int, sentences: int = 5) -> str:
    word = WORDS[number % len(WORDS)]
    return " ".join(f"Sentence {number}.{n} tells of the {word} and its {n} kin." for n in range(sentences))


def section(number: int) -> str:
    return f"## Section {number}\n\n{paragraph(number)}\n"


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QUIRE_DATA_DIR", str(tmp_path / "data"))
    folder = tmp_path / "vault"
    shutil.copytree(Path(__file__).parents[3] / "vaults/demo", folder)
    (folder / "Work/Deep").mkdir(parents=True)
    (folder / "Work/Long.md").write_text("# Long\n\n" + "\n".join(map(section, range(SECTIONS))))
    for number in range(12):
        (folder / f"Work/Deep/n{number}.md").write_text(f"{paragraph(100 + number)}\n")
    (folder / "Links.md").write_text("[[Long]], [[Work/Long]], [[n3]], [text](Work/Deep/n4.md), [[Epic]].\n")
    return folder


@pytest.fixture
def engine(vault: Path, embedder: SentenceEmbedder) -> Iterator[Engine]:
    with Engine.open(vault) as opened:
        opened._embedder = CheapEmbedder(embedder)  # type: ignore[assignment]
        yield opened


class Life:
    """An index that is kept up to date; `after` does something to the vault and says what was embedded."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.embedder: CheapEmbedder = engine._embedder  # type: ignore[assignment]

    def catch_up(self, _: int) -> None:
        self.engine.sync()

    @property
    def sequence(self) -> int:
        return 0

    def after(self, act: Callable[[], object]) -> list[str]:
        self.embedder.passages.clear()
        sequence = self.sequence
        act()
        self.catch_up(sequence)
        return sorted(self.embedder.passages)


class WatchedLife(Life):
    @property
    def sequence(self) -> int:
        keeper = self.engine._keeper
        assert keeper is not None
        return keeper._watcher.sequence

    def catch_up(self, sequence: int) -> None:
        waiting = threading.Event()
        for _ in range(int(LONG / 0.05)):
            quiet, before = self.sequence > sequence, self.sequence
            if quiet and self.engine.settle(LONG) and not self.engine.pending() and self.sequence == before:
                break
            waiting.wait(0.05)
        else:
            raise AssertionError("the watch did not catch up")
        # Nothing that happened is left to be found by a look at everything.
        report = self.engine._writers()[0].sync(Meter(None), wait=LONG)
        assert (report.added, report.changed, report.removed, report.renamed) == (0, 0, 0, 0)


@pytest.fixture(params=["sync", "watch"])
def life(request: pytest.FixtureRequest, engine: Engine) -> Iterator[Life]:
    engine.sync()
    if request.param == "sync":
        yield Life(engine)
        return
    stop, first = threading.Event(), threading.Event()
    thread = threading.Thread(target=engine.watch, args=(stop, lambda _: first.set()))
    thread.start()
    try:
        assert first.wait(LONG)
        yield WatchedLife(engine)
    finally:
        stop.set()
        thread.join(LONG)
        assert not thread.is_alive()


def test_renames_and_moves(life: Life, vault: Path) -> None:
    engine = life.engine
    assert engine.backlinks("Work/Long.md") == ["Links.md"]
    assert life.after(lambda: (vault / "Work/Long.md").rename(vault / "Work/Epic.md")) == []
    assert engine.backlinks("Work/Epic.md") == ["Links.md"]
    assert engine.backlinks("Work/Long.md") == []
    assert life.after(lambda: (vault / "Work/Epic.md").rename(vault / "Long.md")) == []
    assert engine.backlinks("Long.md") == ["Links.md"]
    assert life.after(lambda: (vault / "Work").rename(vault / "Craft")) == []
    assert engine.backlinks("Craft/Deep/n3.md") == ["Links.md"]
    assert engine.backlinks("Craft/Deep/n4.md") == []  # was linked by its path
    assert life.after(lambda: (vault / "Craft/Deep").rename(vault / "Shallow")) == []
    assert life.after(lambda: (vault / "Shallow").rename(vault / "Work")) == []
    (vault / "Work/Deep").mkdir()
    assert life.after(lambda: (vault / "Work/n4.md").rename(vault / "Work/Deep/n4.md")) == []
    assert engine.backlinks("Work/Deep/n4.md") == ["Links.md"]
    assert engine.search("Sentence 3.1 tells of the walnut").hits[0].path == "Long.md"


def test_leaving_the_vault_and_coming_back(life: Life, vault: Path, tmp_path: Path) -> None:
    assert life.after(lambda: (vault / "Work").rename(tmp_path / "away")) == []
    assert life.engine.backlinks("Work/Deep/n3.md") == []
    assert life.after(lambda: (tmp_path / "away").rename(vault / "Work")) == []
    assert life.engine.backlinks("Work/Deep/n3.md") == ["Links.md"]


def test_saving_without_a_change(life: Life, vault: Path) -> None:
    long = vault / "Work/Long.md"
    text = long.read_text()
    generation = life.engine.status().generation

    def touch() -> None:
        for path in vault.rglob("*.md"):
            os.utime(path, (1e9, 1e9))

    def save_by_rename() -> None:
        (vault / "Work/.Long.md.tmp").write_text(text)
        (vault / "Work/.Long.md.tmp").replace(long)

    def save_as_vim_does() -> None:
        long.rename(vault / "Work/Long.md~")
        long.write_text(text)
        (vault / "Work/Long.md~").unlink()

    for act in (touch, lambda: long.write_text(text), save_by_rename, save_as_vim_does):
        assert life.after(act) == []
    assert life.engine.backlinks("Work/Long.md") == ["Links.md"]
    if type(life) is Life:  # a watch may have seen the note away for a moment
        assert life.engine.status().generation == generation
    hit = life.engine.search("Sentence 3.1 tells of the walnut", limit=1).hits[0]
    assert life.engine._reader.hits([hit.chunk_id])[hit.chunk_id].path == "Work/Long.md"


def test_edits_embed_what_is_new_and_undoing_them_nothing(life: Life, vault: Path) -> None:
    long = vault / "Work/Long.md"
    text = long.read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("Sentence 17.0")]

    (made,) = life.after(lambda: long.write_text(text.replace(line, "A new paragraph of its own.")))
    assert made.endswith("A new paragraph of its own.")
    assert life.after(lambda: long.write_text(text)) == []

    # What comes before it moves every other passage of the note.
    (made,) = life.after(lambda: long.write_text(text.replace("# Long\n", f"# Long\n\n{paragraph(999)}\n")))
    assert "Sentence 999.0" in made
    (hit,) = life.engine.search("Section orchard kin", limit=1).hits
    assert hit.text in "\n".join(long.read_text().splitlines()[hit.start_line - 1 : hit.end_line])
    assert life.after(lambda: long.write_text(text)) == []

    (made,) = life.after(lambda: long.write_text(text + f"\n## Last\n\n{paragraph(500)}\n"))
    assert "Sentence 500.0" in made
    reordered = "# Long\n\n" + "\n".join(map(section, reversed(range(SECTIONS))))
    assert life.after(lambda: long.write_text(reordered)) == []


def test_names_and_properties_are_not_embedded(life: Life, vault: Path) -> None:
    long = vault / "Work/Long.md"
    text = long.read_text()
    assert life.after(lambda: long.write_text(f"---\naliases: [Epic]\ntags: [saga]\n---\n{text}")) == []
    assert life.engine.follow(life.engine.note("Links.md").links[-1], "Links.md") == "Work/Long.md"
    assert life.after(lambda: long.write_text(f"---\ntitle: Other\n---\n{text}")) == []
    assert life.engine.follow(life.engine.note("Links.md").links[-1], "Links.md") is None


def test_copies_and_what_comes_back(life: Life, vault: Path) -> None:
    long = vault / "Work/Long.md"
    text = long.read_text()
    assert life.after(lambda: shutil.copy(long, vault / "Copy.md")) == []
    assert life.after(long.unlink) == []
    assert life.engine.backlinks("Work/Long.md") == []
    assert life.after(lambda: long.write_text(text)) == []
    assert life.engine.backlinks("Work/Long.md") == ["Links.md"]
    assert life.after(lambda: shutil.copytree(vault / "Work", vault / "Twin")) == []
    assert life.after(lambda: shutil.rmtree(vault / "Work")) == []
    assert life.engine.backlinks("Twin/Long.md") == ["Links.md"]


def test_a_thousand_files_of_another_branch_and_back(life: Life, vault: Path) -> None:
    """As git does it: each file is removed and written anew."""

    def check_out(branch: int) -> None:
        for number in range(1_000):
            path = vault / f"Branch/{number % 9}/{number}.md"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            path.write_text(f"# Note {number}\n\nOn branch {branch if number % 2 else 0}.\n")

    assert len(life.after(lambda: check_out(1))) == 1_000
    assert len(life.after(lambda: check_out(2))) == 500
    assert life.after(lambda: check_out(1)) == []


def test_the_index_is_the_one_that_is_made_at_once(
    life: Life, vault: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def act() -> None:
        (vault / "Work").rename(vault / "Craft")
        (vault / "Craft/Deep").rename(vault / "Deep")
        (vault / "Craft/Long.md").write_text((vault / "Craft/Long.md").read_text().replace("kin", "kind"))
        for number in range(3):
            (vault / f"Deep/n{number}.md").unlink()
        os.utime(vault / "Links.md", (1e9, 1e9))

    life.after(act)
    indexer, waiting = life.engine._writers()[0], threading.Event()
    while not indexer.find_names():  # the watch is at it
        waiting.wait(0.05)
    kept = rows(index_dir(vault))
    monkeypatch.setenv("QUIRE_DATA_DIR", str(tmp_path / "anew"))
    with Engine.open(vault) as anew:
        anew._embedder = life.engine._embedder
        anew.sync()
    assert differences(kept, rows(index_dir(vault))) == ""
