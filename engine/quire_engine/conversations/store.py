"""The history of a vault: conversations in a SQLite file of their own, for their user alone.

It lies beside the indexes and not in them, since an index can be made again and a history cannot. Several
processes may write; each operation is one transaction. What is deleted is overwritten.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

import apsw

from quire_engine import locations
from quire_engine.analysis import query_terms, terms
from quire_engine.errors import ConfigError, StoreError, one_line
from quire_engine.records import AnswerStatus, Citation, Conversation, ConversationEntry, Turn

_VERSION = 1
_BUSY_MILLISECONDS = 10_000
_SCHEMA = """
CREATE TABLE conversations (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, started REAL NOT NULL, updated REAL NOT NULL
) STRICT;
CREATE INDEX by_time ON conversations (updated);
CREATE TABLE turns (
    row INTEGER PRIMARY KEY, conversation TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    number INTEGER NOT NULL, asked REAL NOT NULL, question TEXT NOT NULL, standalone TEXT NOT NULL,
    text TEXT NOT NULL, status TEXT NOT NULL, citations TEXT NOT NULL, model TEXT NOT NULL,
    generation INTEGER NOT NULL, prompt TEXT NOT NULL, reply TEXT NOT NULL, UNIQUE (conversation, number)
) STRICT;
CREATE VIRTUAL TABLE words USING fts5 (terms, detail = full, tokenize = 'unicode61 remove_diacritics 0');
INSERT INTO words (words, rank) VALUES ('secure-delete', 1);
CREATE TRIGGER forgotten AFTER DELETE ON turns BEGIN DELETE FROM words WHERE rowid = old.row; END;
"""
_COLUMNS = "number, asked, question, standalone, text, status, citations, model, generation, prompt, reply"
_ID = re.compile(r"[0-9a-f]{1,16}")
_MOST_WORDS = 50
"""Words of a search that are looked for."""
_TITLE = 200
_WHOLE_TURNS = 8
"""The last turns, whose prompts and replies are kept: no window of a language model takes many more again."""
Result = TypeVar("Result")


class ConversationStore:
    """A vault's conversations. Safe to use from several threads and processes.

    A file that is damaged is set aside, and a new one begun; `problems` says so. Every operation raises
    `StoreError`, in one line, when the file cannot be read or written.
    """

    def __init__(self, vault: Path) -> None:
        self.path = locations.conversations_file(vault)
        self._lock = threading.Lock()
        self._problems: list[str] = []

    def problems(self) -> tuple[str, ...]:
        """What the user should know, a line each, since the last time that this was asked."""
        with self._lock:
            found, self._problems = tuple(self._problems), []
            return found

    # ----------------------------------------------------------------------------------------- writing

    def append(self, conversation: str | None, turn: Turn) -> Conversation:
        """Keep a turn, in a new conversation or at the end of that with the id ``conversation``.

        The turn's number is given here. Earlier turns than the last few lose what was exchanged with the
        language model: it is long, and of no more use; questions, answers and citations stay. Returns the
        conversation with this turn alone. One that was deleted in the meantime begins anew, under its id.
        """
        title = " ".join((turn.standalone or turn.question).split())[:_TITLE]

        def write(database: apsw.Connection) -> Conversation:
            identity = conversation or _new_id(database)
            database.execute(
                "INSERT INTO conversations VALUES (?1, ?2, ?3, ?3) "
                "ON CONFLICT (id) DO UPDATE SET updated = ?3",
                (identity, whole(title), turn.asked),
            )
            number = database.execute(
                "SELECT coalesce(max(number), 0) + 1 FROM turns WHERE conversation = ?", (identity,)
            ).get
            kept = replace(turn, number=number)
            database.execute(
                f"INSERT INTO turns (conversation, {_COLUMNS}) VALUES (?{', ?' * 11})",  # noqa: S608 - constants
                (identity, *_row(kept)),
            )
            database.execute(
                "UPDATE turns SET prompt = '', reply = '' "
                "WHERE conversation = ? AND number <= ? AND prompt != ''",
                (identity, number - _WHOLE_TURNS),
            )
            said = terms(f"{turn.question} {turn.standalone} {turn.text}", keep_stop_words=True)
            database.execute(
                "INSERT INTO words (rowid, terms) VALUES (?, ?)",
                (database.last_insert_rowid(), whole(" ".join(said))),
            )
            return replace(_conversation(database, identity), turns=(kept,))

        return self._written(write)

    def delete(self, identity: str) -> None:
        """Delete the conversation with exactly this id; one that is gone is no error."""
        self._written(
            lambda database: database.execute("DELETE FROM conversations WHERE id = ?", (identity,))
        )

    def delete_all(self) -> int:
        """Delete every conversation, and what was set aside as damaged; returns how many there were."""

        def write(database: apsw.Connection) -> int:
            count = database.execute("SELECT count(*) FROM conversations").get
            database.execute("DELETE FROM conversations")
            return int(count)

        if not self.path.exists() and not self._aside():
            return 0
        count = self._written(write)
        for file in self._aside():
            with _told(f"deleting {file}"):
                file.unlink(missing_ok=True)
        return count

    # ----------------------------------------------------------------------------------------- reading

    def last(self) -> Conversation | None:
        """The conversation that was continued last; ``None`` when there is none."""

        def read(database: apsw.Connection) -> Conversation | None:
            newest = database.execute(
                "SELECT id FROM conversations ORDER BY updated DESC, rowid DESC LIMIT 1"
            ).get
            return None if newest is None else _conversation(database, str(newest))

        return self._read(read, None)

    def get(self, identity: str) -> Conversation:
        """The conversation whose id is, or alone begins with, ``identity``; `ConfigError` when none does."""
        wanted = identity.strip().lower()

        def read(database: apsw.Connection) -> list[Conversation]:
            found = database.execute(
                "SELECT id FROM conversations WHERE substr(id, 1, ?) = ? LIMIT 2", (len(wanted), wanted)
            ).fetchall()
            return [_conversation(database, str(row[0])) for row in found]

        none: list[Conversation] = []
        found = self._read(read, none) if _ID.fullmatch(wanted) else none
        if not found:
            raise ConfigError(f"there is no conversation {identity[:40]!r}; see `quire conversations`")
        if len(found) > 1:
            raise ConfigError(f"several conversations begin with {identity[:40]!r}; give more of its id")
        return found[0]

    def entries(self, limit: int = 20) -> tuple[ConversationEntry, ...]:
        """The conversations that were continued last, at most ``limit``, the newest first."""

        def read(database: apsw.Connection) -> tuple[ConversationEntry, ...]:
            rows = database.execute(
                "SELECT id, title, started, updated, (SELECT count(*) FROM turns WHERE conversation = id) "
                "FROM conversations ORDER BY updated DESC, rowid DESC LIMIT ?",
                (limit,),
            )
            return tuple(ConversationEntry(*row) for row in rows)

        return self._read(read, ())

    def search(self, words: str, limit: int = 20) -> tuple[Conversation, ...]:
        """Conversations with the turns in which all of ``words`` stand, by their stems; the newest first.

        Questions and answers are searched. ``words`` have no syntax, whatever is in them.
        """
        wanted = " ".join('"' + term.replace('"', '""') + '"' for term in query_terms(words)[:_MOST_WORDS])
        if not wanted:
            return ()

        def read(database: apsw.Connection) -> tuple[Conversation, ...]:
            rows = database.execute(
                f"SELECT conversation, {_COLUMNS} FROM turns WHERE row IN "  # noqa: S608 - constants
                "(SELECT rowid FROM words WHERE words MATCH ?) ORDER BY row DESC",
                (wanted.replace("\0", " "),),
            )
            found: dict[str, list[Turn]] = {}
            for identity, *row in rows:
                if identity in found or len(found) < limit:
                    found.setdefault(identity, []).append(_turn(row))
            return tuple(
                replace(_conversation(database, identity, turns=False), turns=tuple(reversed(turns)))
                for identity, turns in found.items()
            )

        return self._read(read, ())

    # ------------------------------------------------------------------------------------------- files

    def _read(self, read: Callable[[apsw.Connection], Result], nothing: Result) -> Result:
        """What ``read`` finds in the database; ``nothing`` while there is none."""

        def attempt() -> Result:
            if not self.path.exists():
                return nothing
            result = nothing
            with self._opened() as database, database:
                if _version_of(database):
                    result = read(database)
            return result

        return self._attempt(attempt, "reading")

    def _written(self, write: Callable[[apsw.Connection], Result]) -> Result:
        def attempt() -> Result:
            with _told(f"cannot use {self.path.parent}"):
                locations.private_dir(self.path.parent)
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
                self.path.chmod(0o600)
            with self._opened() as database:
                # At once: two processes that read first and then want to write would block each other.
                database.execute("BEGIN IMMEDIATE")
                try:
                    if not _version_of(database):
                        database.execute(_SCHEMA)
                        database.execute(f"PRAGMA user_version = {_VERSION}")
                    result = write(database)
                    database.execute("COMMIT")
                except BaseException:
                    if database.in_transaction:
                        database.execute("ROLLBACK")
                    raise
                return result

        return self._attempt(attempt, "writing")

    def _attempt(self, attempt: Callable[[], Result], what: str) -> Result:
        with self._lock, _told(f"{what} the conversations in {self.path}"):
            before = self._inode()
            try:
                return attempt()
            except (apsw.CorruptError, apsw.NotADBError):
                if before == self._inode():  # no other process was faster
                    self._set_aside()
                return attempt()

    @contextmanager
    def _opened(self) -> Iterator[apsw.Connection]:
        database = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            database.set_busy_timeout(_BUSY_MILLISECONDS)
            database.execute("PRAGMA foreign_keys = ON")
            database.execute("PRAGMA secure_delete = ON")
            database.execute("PRAGMA temp_store = MEMORY")
            # A file of the user's own may have been put in its place: nothing in its schema is to be run.
            database.execute("PRAGMA trusted_schema = OFF")
            yield database
        finally:
            database.close()

    def _inode(self) -> int:
        try:
            return self.path.stat().st_ino
        except OSError:
            return 0

    def _set_aside(self) -> None:
        """Give a damaged file another name: a person may want to look at it."""
        aside = self.path.with_name(f"{self.path.stem}-damaged-{time.time_ns()}{self.path.suffix}")
        for ending in ("", "-journal"):
            with suppress(FileNotFoundError):
                self.path.with_name(self.path.name + ending).rename(aside.with_name(aside.name + ending))
        self._problems.append(
            f"the conversations were damaged; they are set aside as {aside}, and begin anew"
        )

    def _aside(self) -> list[Path]:
        if not self.path.parent.is_dir():
            return []
        return [
            file for file in self.path.parent.iterdir() if file.name.startswith(f"{self.path.stem}-damaged-")
        ]


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Turn errors of SQLite and of the system into a `StoreError` of one line."""
    try:
        yield
    except apsw.ReadOnlyError as error:
        raise StoreError(f"{what}: the file is read-only; check its permissions") from error
    except apsw.FullError as error:
        raise StoreError(f"{what}: the disk is full; free some space") from error
    except (apsw.BusyError, apsw.LockedError) as error:
        raise StoreError(f"{what}: another process keeps them locked") from error
    except apsw.CantOpenError as error:
        raise StoreError(f"{what}: the file cannot be opened; check its permissions") from error
    except apsw.Error as error:
        raise StoreError(f"{what}: {one_line(error)}") from error
    except OSError as error:
        raise StoreError(f"{what}: {error.strerror or one_line(error)}") from error


def _version_of(database: apsw.Connection) -> int:
    """The version of the schema; 0 before there is one. Raises `StoreError` for one of a newer Quire."""
    version = int(database.execute("PRAGMA user_version").get)
    if version > _VERSION:
        raise StoreError("the conversations were written by a newer Quire; upgrade this one to read them")
    if version == 0 and database.execute("SELECT count(*) FROM sqlite_schema").get:
        raise apsw.NotADBError("not a history of Quire")
    return version


def _new_id(database: apsw.Connection) -> str:
    while True:
        identity = secrets.token_hex(4)
        if database.execute("SELECT 1 FROM conversations WHERE id = ?", (identity,)).get is None:
            return identity


def _conversation(database: apsw.Connection, identity: str, *, turns: bool = True) -> Conversation:
    row: Any = database.execute("SELECT * FROM conversations WHERE id = ?", (identity,)).fetchone()
    found = (
        database.execute(
            f"SELECT {_COLUMNS} FROM turns WHERE conversation = ? ORDER BY number",  # noqa: S608 - constants
            (identity,),
        ).fetchall()
        if turns
        else []
    )
    identity, title, started, updated = row
    return Conversation(identity, title, started, updated, tuple(map(_turn, found)))


def _row(turn: Turn) -> tuple[Any, ...]:
    citations = json.dumps([asdict(citation) for citation in turn.citations])
    texts = map(whole, (turn.question, turn.standalone, turn.text))
    last = (whole(turn.model), turn.generation, whole(turn.prompt), whole(turn.reply))
    return turn.number, turn.asked, *texts, turn.status.value, citations, *last


def _turn(row: Sequence[Any]) -> Turn:
    number, asked, question, standalone, text, status, citations, *rest = row
    proofs = tuple(
        Citation(**{**found, "headings": tuple(found["headings"])}) for found in json.loads(citations)
    )
    return Turn(number, asked, question, standalone, text, AnswerStatus(status), proofs, *rest)


def whole(text: str) -> str:
    """``text`` with what cannot be stored (lone surrogates) as U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
