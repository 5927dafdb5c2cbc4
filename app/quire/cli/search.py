"""``quire search``."""

from __future__ import annotations

from pathlib import Path

import click

from quire import contract
from quire.cli import batch as batches
from quire.cli.diagnostics import ExitCode, worst
from quire.cli.options import OPERATORS, colour_option, filters, looking_first, query_options, vault_option
from quire.cli.passages import fact_lines, hit_lines, searched_words
from quire.cli.questions import Questions
from quire.cli.session import Session
from quire.contract import Json
from quire.explanation import facts


@click.command("search", short_help="Find passages.", epilog=OPERATORS)
@click.argument("query", nargs=-1)
@click.option("--context", is_flag=True, help="Show the passages before and after each hit, too.")
@query_options
@vault_option
@colour_option
def command(
    query: tuple[str, ...],
    context: bool,
    as_json: bool,
    as_lines: bool,
    batch: str | None,
    limit: int,
    explain: bool,
    no_sync: bool,
    fresh: bool,
    no_daemon: bool,
    folders: tuple[str, ...],
    prefer: tuple[str, ...],
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
    options = {
        "limit": limit,
        "context": context,
        "filters": filters(folders, tags, since, before, where, prefer),
        **looking_first(no_sync, fresh),
    }
    session = Session(vault, colour)
    with Questions(session, "search", options, daemon=not no_daemon) as questions:
        if question is None:

            def respond(text: str) -> tuple[Json, ExitCode]:
                result = questions.last(text)
                return result, outcome(result)

            assert batch is not None
            return batches.run(session, batch, contract.SEARCH, respond)

        result = questions.last(question)
        questions.tell(result)
        if as_json:
            session.output.json(result)
        elif as_lines:
            for record in contract.search_lines(result):
                session.output.json(record)
        else:
            show(session, result, explain)
            questions.warn_if_behind(result)
        return outcome(result)


def show(session: Session, result: Json, explain: bool) -> None:
    """Print hits for people."""
    output, words = session.output, searched_words(result["plan"])
    if explain:
        for line in fact_lines(facts(result["plan"]), output.palette, output.width):
            output.line(line)
    for hit in result["hits"]:
        if output.terminal and (explain or hit["rank"] > 1):
            output.line()
        for line in hit_lines(hit, words, output.palette, output.width, explain=explain, plain=output.plain):
            output.line(line)
    if not result["hits"]:
        session.diagnostics.note("nothing found")
    elif explain:
        output.line(output.palette.faint(f"from generation {result['generation']} of the index"))


def outcome(result: Json) -> ExitCode:
    """The exit code of a search, ``quire.search/1``."""
    return worst(
        (
            ExitCode.DONE if result["hits"] else ExitCode.NO_EVIDENCE,
            ExitCode.INCOMPLETE if result["incomplete"] else ExitCode.DONE,
        )
    )
