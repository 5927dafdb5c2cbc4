"""``quire ask``."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import click

from quire import contract
from quire.cli import batch as batches
from quire.cli.diagnostics import ExitCode, worst
from quire.cli.options import OPERATORS, colour_option, filters, looking_first, query_options, vault_option
from quire.cli.passages import citation_lines, hit_lines, plan_lines, searched_words
from quire.cli.questions import Questions, finished
from quire.cli.session import Session
from quire.cli.terminal import inert
from quire.contract import Json
from quire_engine.quantities import counted

_NEAREST = 3
_OUTCOMES = {
    "supported": ExitCode.DONE,
    "partial": ExitCode.PARTIAL,
    "abstained": ExitCode.NO_EVIDENCE,
}


@click.command("ask", short_help="Answer a question, with proof.", epilog=OPERATORS)
@click.argument("question", nargs=-1)
@click.option(
    "--model",
    metavar="NAME",
    help="What writes the answer: a name of 'quire models', a GGUF file, or 'extractive' for no model.",
)
@query_options
@vault_option
@colour_option
def command(
    question: tuple[str, ...],
    model: str | None,
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
    """Answer QUESTION from the notes, and list the passages that prove the answer.

    The index is brought up to date first. Exits with 3 when the notes hold no evidence, with 4 when the
    answer is only partly supported, and with 5 when the index is incomplete or behind the vault.
    """
    single = batches.one_question(question, batch, as_json, as_lines)
    options = {
        "limit": limit,
        "filters": filters(folders, tags, since, before, where, prefer),
        "model": model,
        **looking_first(no_sync, fresh),
    }
    session = Session(vault, colour)
    with Questions(session, "ask", options, daemon=not no_daemon) as questions:
        if single is None:

            def respond(text: str) -> tuple[Json, ExitCode]:
                answer = questions.last(text)
                return answer, outcome(answer)

            assert batch is not None
            return batches.run(session, batch, contract.ANSWER, respond)

        if as_json:
            answer = questions.last(single)
            questions.tell(answer)
            session.output.json(answer)
            return outcome(answer)
        with closing(questions.events(single)) as events:
            answer = _written(session, events) if as_lines else _shown(session, events)
        questions.tell(answer)
        if not as_lines:
            _show_proof(session, answer, explain)
            questions.warn_if_behind(answer)
        return outcome(answer)


def outcome(answer: Json) -> ExitCode:
    """The exit code of an answer, ``quire.answer/1``."""
    behind = ExitCode.INCOMPLETE if answer["incomplete"] else ExitCode.DONE
    return worst((_OUTCOMES[answer["status"]], behind))


def _written(session: Session, events: Generator[Json, None, None]) -> Json:
    """Print the events as they come; returns the answer."""
    event: Json = {}
    for event in events:
        session.output.json(event)
    return finished(event)


def _shown(session: Session, events: Generator[Json, None, None]) -> Json:
    """Show the text of the answer as it comes; returns the answer."""
    event: Json = {}
    for event in events:
        match event["type"]:
            case "hits":
                session.diagnostics.transient(f"found {counted(len(event['hits']), 'passage')}")
            case "wave":
                load = counted(event["chunks"], event["tier"] + " passage")
                session.diagnostics.transient(f"reading {load}")
            case "text":
                session.diagnostics.clear()
                session.output.piece(event["text"])
            case "answer":
                session.diagnostics.clear()
                session.output.end()
    return finished(event)


def _show_proof(session: Session, answer: Json, explain: bool) -> None:
    output, diagnostics = session.output, session.diagnostics
    if answer["citations"]:
        output.line()
    for citation in answer["citations"]:
        width = output.width if output.terminal else None
        for line in citation_lines(citation, output.palette, width):
            output.line(line)
    if explain:
        _show_sources(session, answer)
    if answer["status"] == "partial":
        extracted = answer["model"] == "extractive"
        diagnostics.warning(
            "only partly supported: these sentences come nearest, and may not answer the question"
            if extracted
            else "only partly supported: what the notes do not prove was left out"
        )
    if answer["status"] == "abstained" and answer["hits"]:
        output.line("The nearest passages:")
        for hit in answer["hits"][:_NEAREST]:
            output.line(f"  {inert(hit['path'])}:{hit['start_line']}-{hit['end_line']}")


def _show_sources(session: Session, answer: Json) -> None:
    output, words = session.output, searched_words(answer["plan"])
    output.line()
    for line in plan_lines(answer["plan"], output.palette, output.width):
        output.line(line)
    for wave in answer["waves"]:
        stop = f"; {inert(wave['stop_reason'])}" if wave["stop_reason"] else ""
        load = f"{wave['tier']}: {counted(wave['chunks'], 'passage')}, {counted(wave['tokens'], 'token')}"
        output.line(output.palette.faint(f"{load}, sufficiency {wave['sufficiency']:.2f}{stop}"))
    source = f"answered by {inert(answer['model'])}, from generation {answer['generation']} of the index"
    output.line(output.palette.faint(source))
    for hit in answer["hits"]:
        for line in hit_lines(hit, words, output.palette, output.width, explain=True, plain=output.plain):
            output.line(line)
