"""What is found in a vault's index, and which remedy it has."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from quire_engine.doctor.findings import Finding, ProgressReport, Remedy, guarded
from quire_engine.errors import DamagedIndexError
from quire_engine.index import meta
from quire_engine.quantities import counted
from quire_engine.settings import Settings

if TYPE_CHECKING:
    import apsw

    from quire_engine.index.integrity import Differences

_INDEX_PROBLEM = re.compile(r"row \d+ missing from index |wrong # of entries in index ")
_MOST_PROBLEMS = 100
_ATTEMPTS = 3
_Examine = Callable[["apsw.Connection"], Finding]


def examine_index(folder: Path, settings: Settings, report: ProgressReport) -> Iterator[Finding]:
    """Look at every part of the index in ``folder``; what follows from a damaged database is left out."""
    report("checking the database", 0, 0)
    database = guarded("index", lambda: _database(folder))
    yield database
    if not database.ok or database.advice:
        return
    yield guarded("rows", lambda: _in_snapshot(folder, _rows))
    yield guarded("passages", lambda: _in_snapshot(folder, lambda db: _passages(db, report)))
    yield from _vectors(folder, settings, report)
    yield guarded("keywords", lambda: _keywords(folder, settings, report))


@contextmanager
def snapshot(folder: Path) -> Iterator[apsw.Connection]:
    """The index in ``folder`` as it is at one moment, whatever is written meanwhile."""
    from quire_engine.index.database import connect, translated

    connection = connect(folder, writable=False)
    try:
        with translated("reading the index"):
            connection.execute("BEGIN")
        yield connection
    finally:
        connection.close()


def _in_snapshot(folder: Path, examine: _Examine) -> Finding:
    with snapshot(folder) as connection:
        return examine(connection)


def _database(folder: Path) -> Finding:
    """Whether SQLite's file is whole and has the tables that it should have."""
    from quire_engine.index.database import FILE_NAME

    if not (folder / FILE_NAME).exists():
        return Finding("index", True, "not made yet", "quire index")
    try:
        return _in_snapshot(folder, lambda db: _pages(folder, db))
    except DamagedIndexError as error:
        return Finding("index", False, str(error), "", Remedy.DATABASE)


def _pages(folder: Path, db: apsw.Connection) -> Finding:
    from quire_engine.index.database import FILE_NAME, has_schema, newest_migration, translated
    from quire_engine.index.migrations import MIGRATIONS

    size = (folder / FILE_NAME).stat().st_size
    if not has_schema(db):
        return Finding("index", True, f"{folder}, empty", "quire index")
    with translated("checking the index"):  # a disk that fails for a moment is no damage
        problems = [str(row[0]) for row in db.execute(f"PRAGMA integrity_check({_MOST_PROBLEMS})")]
    if problems != ["ok"]:
        detail = f"the database is damaged: {problems[0]}"
        if all(map(_INDEX_PROBLEM.match, problems)):
            return Finding("index", False, detail, "", Remedy.INDICES)
        return Finding("index", False, detail, "", Remedy.DATABASE)
    if not db.table_exists("main", "migrations"):
        return Finding("index", False, "the database lacks the table migrations", "", Remedy.DATABASE)
    schema = newest_migration(db)
    if schema < len(MIGRATIONS):
        detail = f"{folder}, schema {schema} of {len(MIGRATIONS)}"
        return Finding("index", True, detail, "quire index brings it up to date")
    if missing := sorted(_expected_tables() - set(_tables(db))):
        detail = f"the database lacks the table {', '.join(missing)}"
        return Finding("index", False, detail, "", Remedy.DATABASE)
    notes, chunks = (int(db.execute(f"SELECT count(*) FROM {name}").get) for name in ("notes", "chunks"))
    held = f"{counted(notes, 'note')}, {counted(chunks, 'passage')}, {size / 1e6:,.1f} MB"
    detail = f"{folder}, {held}, schema {schema}, intact"
    return Finding("index", True, detail)


def _tables(db: apsw.Connection) -> list[str]:
    return [row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]


def _expected_tables() -> set[str]:
    """The tables that all migrations together make."""
    import apsw

    from quire_engine.index.migrations import MIGRATIONS

    scratch = apsw.Connection(":memory:")
    try:
        for _, sql in MIGRATIONS:
            scratch.execute(sql)
        return set(_tables(scratch))
    finally:
        scratch.close()


def _rows(db: apsw.Connection) -> Finding:
    from quire_engine.index.references import dangling_rows

    found = dangling_rows(db)
    if found:
        counts = ", ".join(f"{count:,} of {table}" for table, count in found.items())
        return Finding("rows", False, f"refer to what is not there: {counts}", "", Remedy.ROWS)
    waiting = int(db.execute("SELECT count(*) FROM keyword_outbox").get)
    detail = "every reference leads somewhere"
    if waiting:
        detail += f"; {counted(waiting, 'change')} not yet searchable by keyword"
    return Finding("rows", True, detail, "quire index applies them" if waiting else "")


def _passages(db: apsw.Connection, report: ProgressReport) -> Finding:
    from quire_engine.doctor.stored import altered_notes

    paths = altered_notes(db, report)
    if not paths:
        return Finding("passages", True, "every note has its passages, with the text that was indexed")
    more = f" and {counted(len(paths) - 1, 'more note')}" if len(paths) > 1 else ""
    detail = f"{paths[0]}{more}: parts are missing, or not as they were indexed"
    return Finding("passages", False, detail, "", Remedy.NOTES)


def _vectors(folder: Path, settings: Settings, report: ProgressReport) -> Iterator[Finding]:
    """Two findings: of the embeddings, and of the table that is searched, which is made from them."""
    second: list[Finding] = []

    def examine(db: apsw.Connection) -> Finding:
        from quire_engine.doctor.stored import vector_faults
        from quire_engine.inference.embedder import shared_embedder

        embedder = shared_embedder(settings.embedding)
        made_by = meta.get(db, "fingerprint")
        if made_by != embedder.fingerprint:
            detail = f"made by {made_by or 'no model yet'}, and the settings say {settings.embedding.model}"
            return Finding("embeddings", True, detail, "quire index embeds the passages with that")
        faults = vector_faults(db, embedder, seed_of(db), report)
        waiting = int(db.execute("SELECT count(*) FROM embedding_queue").get)
        if faults.table:
            second.append(Finding("vectors", False, _told(faults.table), "", Remedy.VECTORS))
        else:
            second.append(Finding("vectors", True, "the vector table holds what was embedded"))
        if faults.wrong or faults.missing:
            parts = [f"{len(faults.wrong):,} wrong"] * bool(faults.wrong)
            parts += [f"{len(faults.missing):,} missing"] * bool(faults.missing)
            detail = ", ".join(parts) + f" of {faults.embeddings:,}"
            if faults.by_chance:
                detail += f"; found among {faults.sampled} that were embedded again: there may be more"
            return Finding("embeddings", False, detail, "", Remedy.EMBEDDINGS)
        detail = f"{faults.embeddings:,}; {faults.sampled} embedded again, least cosine {faults.lowest:.4f}"
        advice = f"{counted(waiting, 'passage')} to be embedded: quire index" if waiting else ""
        return Finding("embeddings", True, detail, advice)

    yield guarded("embeddings", lambda: _in_snapshot(folder, examine))
    yield from second


def seed_of(db: apsw.Connection) -> int:
    """What samples follow from: another one after every change of the index."""
    return int(meta.get(db, "generation") or 0)


def _keywords(folder: Path, settings: Settings, report: ProgressReport) -> Finding:
    """What differs is looked at again where somebody has written meanwhile."""
    from quire_engine.doctor.stored import keyword_faults
    from quire_engine.index.database import connect
    from quire_engine.index.keywords import open_keywords

    keywords = open_keywords(folder, settings.retrieval.keywords, writable=False)
    db = connect(folder, writable=False)
    try:
        for _ in range(_ATTEMPTS):
            version = db.pragma("data_version")
            with db:
                found = keyword_faults(db, keywords, seed_of(db), report)
            if not found or db.pragma("data_version") == version:
                break
        if found:
            return Finding("keywords", False, _told(found), "", Remedy.KEYWORDS)
        backend = settings.retrieval.keywords
        return Finding("keywords", True, f"{counted(keywords.count(), 'passage')}, intact ({backend})")
    finally:
        db.close()
        keywords.close()


def _told(differences: Differences) -> str:
    """Counts for people."""
    parts = [
        f"{counted(len(chunks), 'passage')} {what}"
        for chunks, what in (
            (differences.missing, "missing"),
            (differences.extra, "that should not be there"),
            (differences.differing, "not as indexed"),
        )
        if chunks
    ]
    return ", ".join([differences.problem] * bool(differences.problem) + parts)
