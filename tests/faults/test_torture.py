"""Hostile notes: all that can be indexed is found, nothing acts, nothing outside the vault is read.

Two vaults: one of the essentials, made here, and one of 280 entries where ``../shared`` has the script that
writes it. `QUIRE_TEST_FULL=1` adds 20,000 notes to that, makes its longest line 20 MB instead of 1, and puts
every title as a question and every note on the screen instead of some of them.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Sequence
from pathlib import Path

import llama_cpp
import pytest
import tiny_gguf

from quire.tui import background
from quire.tui.app import QuireApp
from quire.tui.messages import OpenPlace
from quire.tui.places import Place
from quire.tui.screens.note import NoteScreen
from quire_engine import Engine
from quire_engine.answering.prompts import SYSTEM, passage, user_prompt
from quire_engine.inference.llama import LlamaModel
from quire_engine.records import AnswerFinished, AnswerStatus, Filters, Message
from quire_engine.settings import AnswerSettings
from quire_engine.vault.scanner import printable

from .hostile_vault import (
    ORDER,
    SCRIPT,
    SECRET,
    HostileVault,
    from_script,
    of_essentials,
    read_no_more_than_others,
)

FULL = bool(os.environ.get("QUIRE_TEST_FULL"))
OPTIONS = ("--dangerous", "--big", "20", "--many", "20000") if FULL else ("--dangerous", "--big", "1")
SYNC = """
import sys
from pathlib import Path
from quire_engine import Engine
with Engine.open(Path(sys.argv[1])) as engine:
    engine.sync(embed=False)
"""
GROWTH = """
import resource, sys
from pathlib import Path
from quire_engine.indexing.reading import ReadTask
from quire_engine.indexing.worker import make_reader
from quire_engine.settings import Settings
from quire_engine.vault.scanner import scan
vault = Path(sys.argv[1])
files = sorted(scan(vault).files, key=lambda file: file.stat.size)
reader = make_reader(vault, Settings(), 256)
reader.read_all([ReadTask(file.path, None) for file in files[:20]])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for file in files:
    reader.read(ReadTask(file.path, None))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
"""Reads every note and prints by how many MiB the most that the process ever held has grown."""


@pytest.fixture(scope="module", params=["essentials", "script"])
def hostile(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HostileVault]:
    """A vault that was indexed by a process which may not read everything."""
    folder = tmp_path_factory.mktemp("hostile")
    if request.param == "essentials":
        made = of_essentials(folder)
    elif SCRIPT.exists():
        made = from_script(folder, *OPTIONS)
    else:
        pytest.skip(f"{SCRIPT.name} is not here")
    as_anybody([sys.executable, "-c", SYNC, str(made.vault)])
    yield made
    made.remove()


@pytest.fixture
def engine(hostile: HostileVault) -> Iterator[Engine]:
    with Engine.open(hostile.vault) as opened:
        yield opened


def as_anybody(arguments: Sequence[str], **options: str) -> str:
    """What a command says that is bound by permissions; it must end, and well."""
    done = subprocess.run(
        arguments,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=600,
        preexec_fn=read_no_more_than_others,
        **options,
    )
    return done.stdout


def some(names: list[str], few: int) -> list[str]:
    """All of them, or not many more than ``few``, of every kind."""
    assert len(names) >= few
    return names if FULL else names[:: len(names) // few]


def quire(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "quire.cli.main", *arguments]


class TestEntries:
    def test_each_is_indexed_or_not_as_it_should_be(self, hostile: HostileVault, engine: Engine) -> None:
        indexed = {path for path, _, _ in engine.notes()}
        assert {e.path for e in hostile.entries if e.expect == "index"} - indexed == set()
        assert {e.path for e in hostile.entries if e.expect == "skip"} & indexed == set()

    def test_the_needle_of_each_is_found_in_it(self, hostile: HostileVault, engine: Engine) -> None:
        missed = []
        for entry in hostile.entries:
            if entry.expect != "index" or entry.needle is None:
                continue
            hits = engine.search(entry.needle, limit=60).hits
            found = {hit.path for hit in hits}
            found |= {copy.rpartition(":")[0] for hit in hits for copy in hit.trace.duplicates}
            if entry.path not in found:
                missed.append(entry.path)
        assert missed == []

    def test_the_command_line_finds_them_too(self, hostile: HostileVault) -> None:
        entries = [e for e in hostile.entries if e.expect == "index" and e.needle and e.needle.isascii()]
        entries = [e for e in entries if re.search(r"name|screen|terminal|syntax|size", e.path)]
        done = subprocess.run(
            quire("search", "--batch", "-", "--no-sync", "--no-daemon", "--vault", str(hostile.vault)),
            input="\n".join(str(e.needle) for e in entries),
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        lines = done.stdout.splitlines()
        assert len(lines) == len(entries) > 10
        assert not re.search(
            "[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", done.stdout
        )
        for entry, line in zip(entries, lines, strict=True):
            assert entry.path in {hit["path"] for hit in json.loads(line)["hits"]}

    def test_what_is_left_out_is_told_with_the_reason(self, hostile: HostileVault, engine: Engine) -> None:
        indexed = {path for path, _, _ in engine.notes()}
        skipped = {note.path: note.reason for note in engine.status().skipped}
        for entry in hostile.entries:
            shown = printable(entry.path)
            # Hidden files, and those that are no notes by their name, are not looked for.
            is_note = entry.path.endswith((".md", ".canvas")) and not any(
                part.startswith(".") for part in entry.path.split("/")
            )
            if is_note and entry.expect != "index" and entry.path not in indexed:
                assert shown in skipped or shown.rpartition("/")[0] in skipped, shown
        refused = {
            path: reason for path, reason in skipped.items() if "unreadable" in path or "locked" in path
        }
        assert len(refused) == 2
        assert all("permission" in reason for reason in refused.values())
        assert any("pipe" in reason for reason in skipped.values())
        assert any("too large" in reason for reason in skipped.values())

    def test_nothing_outside_the_vault_was_read(self, hostile: HostileVault, engine: Engine) -> None:
        needle = SECRET.encode()
        for file in Path(engine.status().index).rglob("*"):
            assert not file.is_file() or needle not in file.read_bytes(), file
        for query in (SECRET, "secret inner canary"):
            assert SECRET not in str(engine.search(query, limit=50).hits)

    def test_reading_them_takes_bounded_memory(self, hostile: HostileVault) -> None:
        assert int(as_anybody([sys.executable, "-c", GROWTH, str(hostile.vault)])) < 300


class TestQuestions:
    def test_a_title_is_no_query_syntax_and_no_filter(self, hostile: HostileVault, engine: Engine) -> None:
        titles = [e.path.rpartition("/")[2].removesuffix(".md") for e in hostile.entries if e.needle]
        titles = [title for title in titles if not re.fullmatch(r"[\w -]*", title)]
        titles = some(titles, 10)
        everything = len(engine.notes())
        for title in titles:
            text = title.encode("utf-8", "replace").decode()
            engine.search(text, limit=3)
            for filter_ in (Filters(folders=(text,)), Filters(tags=(text,)), Filters(where=((text, text),))):
                assert engine.search("the word", filters=filter_).hits == ()
        assert len(engine.notes()) == everything

    @pytest.mark.parametrize(
        "question",
        ["Where is the spare toner?", "Where is the network password?", "When do the bins go out?"],
    )
    def test_no_order_in_a_note_is_an_answer(self, engine: Engine, question: str) -> None:
        *_, last = engine.ask(question)
        assert isinstance(last, AnswerFinished)
        assert last.answer.status is not AnswerStatus.ABSTAINED
        assert ORDER not in last.answer.text
        assert all(citation.verified for citation in last.answer.citations)

    def test_in_a_prompt_notes_stay_between_their_tags(
        self, hostile: HostileVault, engine: Engine, tmp_path: Path
    ) -> None:
        needles = [e.needle for e in hostile.entries if re.search("orders/|injection/", e.path) and e.needle]
        hits = [engine.search(needle, limit=1).hits[0] for needle in needles]
        assert len(hits) >= 3
        passages = [passage(number, hit, hit.text) for number, hit in enumerate(hits, start=1)]
        prompt = user_prompt(passages, "What is there to know?")
        assert len(re.findall(r"<\s*/?\s*passage", prompt)) == 2 * len(hits)
        assert not any("\U000e0000" <= character <= "\U000e007f" for character in prompt)
        model = LlamaModel(tiny_gguf.build(tmp_path / "tiny.gguf"), AnswerSettings())
        try:
            words = model.vocabulary
            full = [Message("system", SYSTEM), Message("user", prompt)]
            empty = [Message(message.role, "") for message in full]
            template = [token for token in words.prompt(empty) if words.is_structural(token)]
            tokens = [token for token in words.prompt(full) if words.is_structural(token)]
            assert tokens == template
            inside = words.tokens(prompt + "".join(tiny_gguf.CONTROL))
            assert not any(llama_cpp.llama_vocab_is_control(words.pointer, token) for token in inside)
        finally:
            model.close()


OURS = re.compile("\x1b\\[[0-9;]*m|\r\x1b\\[2K|\r\n")
OBEYED = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]"
)


@pytest.fixture(scope="module")
def shown_vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    made = of_essentials(tmp_path_factory.mktemp("screen"))
    for bomb in (made.vault / "bombs").iterdir():
        bomb.unlink()
    assert "skipped files/zero.md" in on_a_terminal("index", str(made.vault))
    yield str(made.vault)
    made.remove()


class TestTerminal:
    """Quire on a terminal, which is told nothing but colours, and to begin a line anew."""

    @pytest.mark.parametrize(
        "arguments",
        [
            ("status",),
            ("doctor",),
            ("models",),
            ("search", "--explain", "-n", "60", "safe hidden red owned text"),
            ("search", "--json", "-n", "60", "safe hidden red owned text"),
            ("ask", "--explain", "Which red is safe, hidden or owned?"),
            ("ask", "What is [bold] in \x1b[31mred\x1b[0m?"),
            ("search", "--in", "\x1b]0;x\x07", "\x9b31mred\u202e"),
            ("search", "--since", "\x1b[31m\u202e", "x"),
            ("ask", "--model", "\x1b[2J\u202e.gguf", "x"),
        ],
        ids=lambda arguments: arguments[0],
    )
    def test_no_command_passes_on_what_notes_or_arguments_say(
        self, shown_vault: str, arguments: tuple[str, ...]
    ) -> None:
        assert on_a_terminal(*arguments, "--vault", shown_vault).strip()

    def test_a_wrong_command_neither(self) -> None:
        assert "\\x1b[31m" in on_a_terminal("\x1b[31m")

    def test_watching_neither(self, shown_vault: str) -> None:
        (Path(shown_vault) / "names" / "new\x1b[31mred.md").write_text("# \x9b31mNew\n\nWords.\n")
        assert "1 added" in on_a_terminal("watch", "--vault", shown_vault, until="added")


def on_a_terminal(*arguments: str, until: str = "") -> str:
    """The words of a command on a terminal, nothing else; it is interrupted once it has said ``until``."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "QUIRE_NO_DAEMON": "1"}
    process = subprocess.Popen(quire(*arguments), stdin=its, stdout=its, stderr=its, env=environment)
    os.close(its)
    said = b""
    while piece := _piece(ours):
        said += piece
        if until and until.encode() in said:
            process.send_signal(signal.SIGINT)
            until = ""
    os.close(ours)
    process.wait()
    shown = said.decode()
    assert "Traceback" not in shown
    assert SECRET not in shown
    words = OURS.sub("", shown.replace("\r\n", "\n"))
    assert [words[max(0, m.start() - 40) : m.end() + 20] for m in OBEYED.finditer(words)] == []
    return words


def _piece(terminal: int) -> bytes:
    ready, _, _ = select.select([terminal], [], [], 300)
    assert ready, "the command says nothing any more"
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # the other end is closed
        return b""


class TestInterface:
    async def test_every_note_can_be_opened(
        self, hostile: HostileVault, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Making vectors of everything is no part of this.
        monkeypatch.setattr(background, "watch", lambda *_: None)
        app = QuireApp(engine, hostile.vault)
        paths = [path for path, _, _ in engine.notes() if not path.startswith("12 many/")]
        paths = some(paths, 20)
        async with app.run_test(size=(100, 30)) as pilot:
            for path in paths:
                app.post_message(OpenPlace(Place(path, 1, 1)))
                await pilot.pause()
                if reading := [worker for worker in app.workers if worker.group == "note"]:
                    await app.workers.wait_for_complete(reading)
                    await pilot.pause()
                assert isinstance(app.screen, NoteScreen)
                assert app.screen.loaded, path
                clean(app)
                app.screen.action_back()
            await pilot.pause()
            assert app.is_running


def clean(app: QuireApp) -> None:
    """Nothing that a terminal obeys stands on the screen."""
    picture = app.export_screenshot()
    assert not set(picture) & set("\x1b\x07\x08\x9b\x9d\u202e\u2066")
    assert SECRET not in picture
