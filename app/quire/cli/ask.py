"""``quire ask``."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import click

from quire import contract
from quire.cli import batch as batches
from quire.cli.diagnostics import ExitCode, worst
from quire.cli.options import (
    OPERATORS,
    budget_options,
    colour_option,
    filters,
    looking_first,
    query_options,
    vault_option,
    wrong_usage,
)
from quire.cli.passages import citation_lines, fact_lines, hit_lines, searched_words
from quire.cli.questions import Questions, finished
from quire.cli.session import Session
from quire.cli.terminal import inert
from quire.contract import Json
from quire.explanation import doing, facts, reading

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
@click.option(
    "-c", "--continue", "go_on", is_flag=True, help="Go on with the last conversation: ask a follow-up."
)
@click.option("--resume", metavar="ID", help="Go on with this one of 'quire conversations'.")
@click.option("--new", is_flag=True, help="Begin a conversation. This is the default.")
@click.option(
    "--no-history", is_flag=True, help="Do not keep question and answer. Also: QUIRE_ANSWER__HISTORY=false."
)
@click.option(
    "--save-run",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Keep the answer with all that it was made from, passages included, for 'quire replay'.",
)
@click.option("--force", is_flag=True, help="Let --save-run replace a file that is no saved answer.")
@budget_options
@query_options
@vault_option
@colour_option
def command(
    question: tuple[str, ...],
    model: str | None,
    go_on: bool,
    resume: str | None,
    new: bool,
    no_history: bool,
    save_run: Path | None,
    force: bool,
    max_waves: int | None,
    budget_tokens: int | None,
    budget_seconds: float | None,
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
    if go_on + new + (resume is not None) > 1:
        raise wrong_usage("--continue, --resume and --new exclude each other")
    options = {
        "limit": limit,
        "filters": filters(folders, tags, since, before, where, prefer),
        "model": model,
        "conversation": _conversation(
            "last" if go_on else resume, single=single is not None, kept=not no_history
        ),
        "record": save_run is not None,
        "max_waves": max_waves,
        "budget_tokens": budget_tokens,
        "budget_seconds": budget_seconds,
        **looking_first(no_sync, fresh),
    }
    if force and save_run is None:
        raise wrong_usage("--force is for --save-run")
    if save_run is not None:
        if single is None:
            raise wrong_usage("--save-run keeps one answer; ask one question, without --batch")
        from quire_engine import check_target

        check_target(save_run, force=force)  # before a minute of work
    session = Session(vault, colour)
    with Questions(session, "ask", options, daemon=not no_daemon) as questions:
        if single is None:

            def respond(text: str) -> tuple[Json, ExitCode]:
                answer = questions.last(text)
                return answer, outcome(answer)

            assert batch is not None
            return batches.run(session, batch, contract.ANSWER, respond)

        with closing(_saved(questions.events(single, whole=as_json), save_run, force)) as events:
            if as_json:
                *_, event = events
                answer = finished(event)
                questions.tell(answer)
                session.output.json(answer)
                return outcome(answer)
            answer = _written(session, events) if as_lines else _shown(session, questions, single, events)
        questions.tell(answer)
        if not as_lines:
            _show_proof(session, answer, explain)
            questions.warn_if_behind(answer)
        return outcome(answer)


def _conversation(resume: str | None, *, single: bool, kept: bool) -> str | None:
    """Which conversation is meant, as part of an inquiry. Raises `click.UsageError`."""
    if resume is not None and not single:
        raise wrong_usage("the questions of a batch are no conversation; leave out --continue and --resume")
    if resume is not None and not kept:
        raise wrong_usage("a conversation that is continued is kept; leave out --no-history, or ask anew")
    if resume is not None and not resume.strip():
        raise wrong_usage("--resume needs the ID of a conversation; see 'quire conversations'")
    return (resume or "new") if single and kept else None


def outcome(answer: Json) -> ExitCode:
    """The exit code of an answer, ``quire.answer/1``."""
    behind = ExitCode.INCOMPLETE if answer["incomplete"] else ExitCode.DONE
    return worst((_OUTCOMES[answer["status"]], behind))


def _saved(
    events: Generator[Json, None, None], file: Path | None, force: bool
) -> Generator[Json, None, None]:
    """``events``; what the answer was made from, which the last one brings, goes to ``file``."""
    with closing(events):
        for event in events:
            if (run := event.pop("run", None)) is not None and file is not None:
                from quire_engine import save_document

                save_document(run, file, force=force)
            yield event


def _written(session: Session, events: Generator[Json, None, None]) -> Json:
    """Print the events as they come; returns the answer."""
    event: Json = {}
    for event in events:
        session.output.json(event)
    return finished(event)


def _shown(
    session: Session, questions: Questions, question: str, events: Generator[Json, None, None]
) -> Json:
    """Show how ``question`` was understood and the text of the answer as it comes; returns the answer."""
    event: Json = {}
    for event in events:
        match event["type"]:
            case "text":
                session.diagnostics.clear()
                session.output.piece(event["text"])
            case "answer":
                session.diagnostics.clear()
                session.output.end()
            case _:
                if event["type"] == "hits" and event["query"] != question:
                    questions.tell_understood(event["query"])
                session.diagnostics.transient(doing(event))
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
            "only partly supported: these sentences come nearest and may not answer the question"
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
    for told in (facts(answer["plan"]), reading(answer)):
        for line in fact_lines(told, output.palette, output.width):
            output.line(line)
    for hit in answer["hits"]:
        for line in hit_lines(hit, words, output.palette, output.width, explain=True, plain=output.plain):
            output.line(line)
