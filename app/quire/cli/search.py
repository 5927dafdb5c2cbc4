"""``quire search``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from quire import contract
from quire.cli import batch as batches
from quire.cli.diagnostics import ExitCode, worst
from quire.cli.options import colour_option, filters, query_options, vault_option
from quire.cli.passages import hit_lines, question_words
from quire.cli.session import Session

if TYPE_CHECKING:
    from quire_engine.records import SearchResult


@click.command("search", short_help="Find passages.")
@click.argument("query", nargs=-1)
@query_options
@vault_option
@colour_option
def command(
    query: tuple[str, ...],
    as_json: bool,
    as_lines: bool,
    batch: str | None,
    limit: int,
    explain: bool,
    no_sync: bool,
    folders: tuple[str, ...],
    tags: tuple[str, ...],
    since: float | None,
    before: float | None,
    where: tuple[tuple[str, str], ...],
    vault: Path | None,
    colour: bool | None,
) -> ExitCode:
    """Find the passages of the vault that fit QUERY best.

    The index is brought up to date first. Exits with 3 when nothing is found, and with 5 when the index is
    incomplete or behind the vault.
    """
    question = batches.one_question(query, batch, as_json, as_lines)
    restriction = filters(folders, tags, since, before, where)
    session = Session(vault, colour)
    with session.open() as engine:
        fresh = no_sync or session.freshen(engine)

        def found(text: str) -> SearchResult:
            return engine.search(text, limit=limit, filters=restriction)

        if question is None:

            def respond(text: str) -> tuple[dict[str, Any], ExitCode]:
                result = found(text)
                return contract.search(result), outcome(result, fresh)

            assert batch is not None
            return batches.run(session, batch, contract.SEARCH, respond)

        result = found(question)
        if as_json:
            session.output.json(contract.search(result))
        elif as_lines:
            for record in contract.search_lines(result):
                session.output.json(record)
        else:
            show(session, result, explain)
        return outcome(result, fresh)


def show(session: Session, result: SearchResult, explain: bool) -> None:
    """Print hits for people."""
    output, words = session.output, question_words(result.query)
    for hit in result.hits:
        if hit.rank > 1 and output.terminal:
            output.line()
        for line in hit_lines(hit, words, output.palette, output.width, explain=explain):
            output.line(line)
    if not result.hits:
        session.diagnostics.note("nothing found")
    if result.incomplete:
        session.diagnostics.warning("the index is incomplete; run 'quire index' to finish it")


def outcome(result: SearchResult, fresh: bool) -> ExitCode:
    """The exit code of a search; ``fresh`` is False when the index could not be brought up to date."""
    return worst(
        (
            ExitCode.DONE if result.hits else ExitCode.NO_EVIDENCE,
            ExitCode.INCOMPLETE if result.incomplete or not fresh else ExitCode.DONE,
        )
    )
