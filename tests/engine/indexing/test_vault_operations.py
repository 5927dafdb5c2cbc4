"""Whatever happens to a vault: after each sync the index is the one that is made of the vault at once.

`QUIRE_TEST_FULL=1` makes 24 times as many steps (about 5 minutes on idle cores).
"""

from __future__ import annotations

import ctypes
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import filterfalse
from pathlib import Path
from typing import Any

import pytest
from counting_embedder import CheapEmbedder
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from index_rows import differences, rows

from quire_engine import Engine
from quire_engine.chunking.sentences import LanguageTools
from quire_engine.errors import VaultError
from quire_engine.inference.embedder import SentenceEmbedder
from quire_engine.locations import index_dir
from quire_engine.progress import Meter

FULL = bool(os.environ.get("QUIRE_TEST_FULL"))
FOLDERS = ("", "Work/", "Work/Deep/", "Home/", "Straße/")
NAMES = (
    "Ada.md", "ada.md", "Bees.md", "Kiln.canvas", "Note.md.md", "100% [x] #y.md", "e\u0301.md", "\u00e9.md",
    "line\nbreak.markdown", "picture.png", ".hidden.md",
)  # fmt: skip
ODD_NAME = b"caf\xe9.md".decode("utf-8", "surrogateescape")
WORDS = ("heron", "kiln", "tapir", "walnut", "Ada", "Bees")
TARGETS = ("Ada", "Bees", "Work/Ada", "../Kiln", "Ada heron", "Note.md", "e\u0301", "Deep/ada", "100% [x] #y")
PATTERNS = ("Work/Deep/", "Bees.md", "/Ada.md", "*.canvas")
STORE = ".store"
PICTURE = b"\x89PNG\r\n\x1a\n\0\0"
"""What no text that is appended makes a note."""
OLD = (1e9, 1e9)


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    word = st.sampled_from(WORDS)
    lines = []
    if draw(st.booleans()):
        lines += ["---", f"aliases: [{draw(word)} {draw(word)}]", f"tags: [{draw(word)}, a/{draw(word)}]"]
        lines += draw(st.sampled_from(([], [f"title: {draw(word)}"], ["owner: Someone"])))
        lines += ["---"]
    for number in range(draw(st.integers(0, 3))):
        lines += [f"# {draw(word)}", "", f"The {draw(word)} and [[{draw(st.sampled_from(TARGETS))}]]."]
        if draw(st.booleans()):
            lines += ["", f"A {draw(word)} follows. ^b{number}"]
        lines += [""]
    return "\n".join(lines).encode()


contents = st.one_of(texts(), texts(), texts(), st.sampled_from((b"", PICTURE, b"{}", b"Gr\xfc\xdfe\r\n")))
places = st.builds(lambda folder, name: f"{folder}{name}", st.sampled_from(FOLDERS), st.sampled_from(NAMES))


@contextmanager
def bound_by_permissions() -> Iterator[None]:
    """For this thread, and those that it starts: as anybody is, and root is not."""
    if os.geteuid() != 0:
        yield
        return
    library = ctypes.CDLL(None, use_errno=True)
    header, held = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert library.capget(header, held) == 0
    fewer = type(held)(*held)
    fewer[0] &= ~(1 << 1 | 1 << 2)  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, of those in effect
    assert library.capset(header, fewer) == 0
    try:
        yield
    finally:
        assert library.capset(header, held) == 0


class VaultOperations(RuleBasedStateMachine):
    """A vault, what it is expected to hold, and its index."""

    embedder: SentenceEmbedder
    tools: LanguageTools

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="quire-operations-"))
        self.vault = self.home / "vault"
        for folder in (*FOLDERS, STORE):
            (self.vault / folder).mkdir(parents=True, exist_ok=True)
        self.patch = pytest.MonkeyPatch()
        self.patch.setenv("QUIRE_DATA_DIR", str(self.home / "data"))
        self.files: dict[str, bytes] = {}
        """Everything that is a file, notes or not, hidden or not."""
        self.patterns: frozenset[str] = frozenset()
        self.link: str | None = None
        """A link to the hidden folder, through which its notes belong to the vault."""
        self.ever: list[bytes] = []
        self.indexed: set[str] = set()
        self.touched: set[str] | None = set()
        """What a watch would name; ``None`` when it would say that anything may have changed."""
        self.counting = CheapEmbedder(self.embedder)
        self.engine = self.opened(self.counting)

    def opened(self, embedder: CheapEmbedder) -> Engine:
        engine = Engine.open(self.vault)
        engine._embedder = embedder  # type: ignore[assignment]
        engine._language_tools = self.tools
        return engine

    def teardown(self) -> None:
        try:
            self.engine.close()
        finally:
            self.patch.undo()
            shutil.rmtree(self.home)

    # --------------------------------------------------------------------------------------- operations

    def touch(self, *paths: str) -> None:
        if self.touched is not None:
            self.touched.update(paths)

    def write(self, path: str, content: bytes) -> None:
        (self.vault / path).parent.mkdir(parents=True, exist_ok=True)
        (self.vault / path).write_bytes(content)
        self.files[path] = content
        self.ever.append(content)
        self.touch(path)

    def some(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.files)), label="file")

    @initialize(first=texts())
    def begin(self, first: bytes) -> None:
        self.write("Home/First.md", first)
        (self.vault / STORE / "Stored.md").write_text("Stored and [[Ada]].")
        self.sync()

    @rule(path=places, content=contents)
    def create_or_edit(self, path: str, content: bytes) -> None:
        self.write(path, content)

    @precondition(lambda self: self.files)
    @rule(data=st.data(), more=texts())
    def append(self, data: st.DataObject, more: bytes) -> None:
        path = self.some(data)
        with (self.vault / path).open("ab") as file:
            file.write(more)
        self.files[path] += more
        self.touch(path)

    @precondition(lambda self: self.files)
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        """Undo: some content that some note once had."""
        self.write(self.some(data), data.draw(st.sampled_from(self.ever), label="content"))

    @precondition(lambda self: self.files)
    @rule(data=st.data(), content=contents)
    def save_by_rename(self, data: st.DataObject, content: bytes) -> None:
        path = self.some(data)
        temporary = self.vault / Path(path).parent / ".tmp"
        temporary.write_bytes(content)
        temporary.replace(self.vault / path)
        self.files[path] = content
        self.touch(path)

    @precondition(lambda self: self.files)
    @rule(data=st.data())
    def touch_only(self, data: st.DataObject) -> None:
        path = self.some(data)
        os.utime(self.vault / path, OLD)
        self.touch(path)

    @precondition(lambda self: self.files)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        path = self.some(data)
        (self.vault / path).unlink()
        del self.files[path]
        self.touch(path)

    @precondition(lambda self: self.files)
    @rule(data=st.data(), to=places)
    def move(self, data: st.DataObject, to: str) -> None:
        path = self.some(data)
        (self.vault / to).parent.mkdir(parents=True, exist_ok=True)
        (self.vault / path).replace(self.vault / to)
        self.files[to] = self.files.pop(path)
        self.touch(path, to)

    @precondition(lambda self: self.files)
    @rule(data=st.data(), to=places)
    def copy(self, data: st.DataObject, to: str) -> None:
        self.write(to, self.files[self.some(data)])

    @rule(data=st.data(), to=st.sampled_from(("Work", "Home", "Archive", "Home/Inner", ".trash")))
    def move_folder(self, data: st.DataObject, to: str) -> None:
        folders = sorted({path.partition("/")[0] for path in self.files if "/" in path})
        source = data.draw(st.sampled_from(folders or ["none"]), label="folder")
        place, old = self.vault / to, self.vault / source
        if not old.is_dir() or place.exists() or place.is_relative_to(old):
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        old.rename(place)
        self.files = {
            f"{to}{path[len(source) :]}" if path.startswith(f"{source}/") else path: content
            for path, content in self.files.items()
        }
        if self.link is not None and self.link.startswith(f"{source}/"):
            self.link = f"{to}{self.link[len(source) :]}"
        self.touched = None

    @rule(folder=st.sampled_from(("Work", "Work/Deep", "Archive", ".trash")))
    def delete_folder(self, folder: str) -> None:
        shutil.rmtree(self.vault / folder, ignore_errors=True)
        self.files = {path: c for path, c in self.files.items() if not path.startswith(f"{folder}/")}
        if self.link is not None and self.link.startswith(f"{folder}/"):
            self.link = None
        self.touched = None

    @rule(patterns=st.frozensets(st.sampled_from(PATTERNS), max_size=2))
    def ignore(self, patterns: frozenset[str]) -> None:
        (self.vault / ".quireignore").write_text("\n".join(sorted(patterns)))
        self.patterns = patterns
        self.touched = None

    @rule(name=st.sampled_from(("Link", "Home/Link", None)))
    def link_or_unlink_the_store(self, name: str | None) -> None:
        if self.link is not None:
            (self.vault / self.link).unlink()
            self.link = None
        if name is not None and (self.vault / name).parent.is_dir():
            (self.vault / name).symlink_to(self.vault / STORE, target_is_directory=True)
            self.link = name
        self.touched = None

    @rule()
    def come_and_go_with_an_odd_name(self) -> None:
        path = self.vault / ODD_NAME
        path.unlink() if path.exists() else path.write_text("Never indexed.")
        self.touch(ODD_NAME)

    @precondition(lambda self: any("/" in path for path in self.indexed))
    @rule(data=st.data(), mode=st.sampled_from((0o000, 0o111, 0o444)), watching=st.booleans())
    def sync_while_a_folder_cannot_be_read(self, data: st.DataObject, mode: int, watching: bool) -> None:
        """What lies in it stays as it was indexed, unless it is known to be gone or changed."""
        folders = {folder for path in self.indexed for folder in map(str, Path(path).parents)} - {"."}
        folder = data.draw(st.sampled_from(sorted(folders)), label="folder")
        place = self.vault / folder
        if not place.is_dir() or place.is_symlink():
            return

        def inside(path: str) -> bool:
            return path.startswith(f"{folder}/")

        present = dict(self.expected())
        readable = {path for path in present if present[path]}
        paths = None
        if watching and self.touched is not None:
            paths = self.touched | {*filter(inside, self.indexed)}
        place.chmod(mode)
        try:
            with bound_by_permissions():
                self.sync_at(paths)
        except VaultError:
            assert all(map(inside, present)), "there were others to be indexed"
            assert self.stored() == self.indexed
            return
        finally:
            place.chmod(0o755)
            self.touched = None
        stored = self.stored()
        assert {*filterfalse(inside, stored)} == {*filterfalse(inside, readable)}
        assert {*filter(inside, self.indexed & readable)} <= stored <= self.indexed | readable
        self.indexed = stored
        self.check(rows(index_dir(self.vault)))

    # -------------------------------------------------------------------------------------------- model

    def is_ignored(self, path: str) -> bool:
        return (
            ("Work/Deep/" in self.patterns and path.startswith("Work/Deep/"))
            or ("Bees.md" in self.patterns and path.rpartition("/")[2] == "Bees.md")
            or ("/Ada.md" in self.patterns and path == "Ada.md")
            or ("*.canvas" in self.patterns and path.endswith(".canvas"))
        )

    def expected(self) -> Iterator[tuple[str, bool]]:
        """Paths of the notes that the vault holds, and whether each can be indexed."""
        files = dict(self.files)
        if self.link is not None:
            files[f"{self.link}/Stored.md"] = b"Stored."
        for path, content in files.items():
            hidden = any(part.startswith(".") for part in path.split("/"))
            if not hidden and path.endswith((".md", ".markdown", ".canvas")) and not self.is_ignored(path):
                is_canvas = path.endswith(".canvas")
                yield path, content in (b"", b"{}") if is_canvas else not content.startswith(PICTURE)

    # -------------------------------------------------------------------------------------------- syncs

    @rule()
    def sync(self) -> None:
        self.compare(None)

    @rule()
    def sync_as_a_watch_does(self) -> None:
        self.compare(self.touched)

    def compare(self, paths: set[str] | None) -> None:
        """Sync, and look whether everything is as it should be."""
        present = dict(self.expected())
        if self.indexed and not present:
            with pytest.raises(VaultError, match="Nothing was deleted"):
                self.sync_at(None if paths is None else paths | self.indexed)
            assert self.stored() == self.indexed
            return
        self.sync_at(paths)
        self.touched = set()
        self.indexed = {path for path, readable in present.items() if readable}
        assert self.stored() == self.indexed
        found = rows(index_dir(self.vault))
        assert differences(found, self.made_at_once()) == ""
        self.check(found)

    def sync_at(self, paths: set[str] | None) -> None:
        indexer, embedding = self.engine._writers()
        indexer.sync(Meter(None), paths=None if paths is None else sorted(paths))
        embedding.run(Meter(None), lambda: False, follow=False)
        assert indexer.find_names()

    def stored(self) -> set[str]:
        return {path for path, *_ in self.engine.notes()}

    def check(self, found: dict[str, list[Any]]) -> None:
        assert found["embedding_queue"] == found["keyword_outbox"] == found["stray"] == []
        chunks = {row[0] for row in found["chunks"]}
        to_embed = {row[0] for row in found["chunks"] if row[-1] is not None}
        assert {row[0] for row in found["vectors"]} == {row[0] for row in found["shard_members"]} == to_embed
        assert {row[0] for row in found["keywords"]} == chunks
        assert len(self.counting.passages) == len(set(self.counting.passages)), "embedded twice"

    def made_at_once(self) -> dict[str, list[Any]]:
        with self.patch.context() as patch:
            patch.setenv("QUIRE_DATA_DIR", str(self.home / "anew"))
            try:
                with self.opened(CheapEmbedder(self.embedder)) as anew:
                    anew.sync()
                return rows(index_dir(self.vault))
            finally:
                shutil.rmtree(self.home / "anew")


def test_any_sequence_of_operations(embedder: SentenceEmbedder, language_tools: LanguageTools) -> None:
    class Machine(VaultOperations):
        pass

    Machine.embedder, Machine.tools = embedder, language_tools
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Machine,
        settings=settings(
            max_examples=600 if FULL else 40,
            stateful_step_count=40 if FULL else 25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=not FULL,
            database=None,
            phases=[Phase.generate],
        ),
    )
