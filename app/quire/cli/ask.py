"""``quire ask``."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from quire import contract
from quire.cli import batch as batches
from quire.cli.diagnostics import ExitCode, worst
from quire.cli.options import colour_option, filters, query_options, vault_option
from quire.cli.passages import citation_lines, hit_lines, question_words
from quire.cli.quantities import counted
from quire.cli.session import Session
from quire.cli.terminal import inert
from quire_engine.records import (
    Answer,
    AnswerEvent,
    AnswerFinished,
    AnswerStatus,
    AnswerText,
    HitsFound,
    WaveLoaded,
)

if TYPE_CHECKING:
    from quire_engine import AskOptions, Engine
    from quire_engine.records import Filters

_NEAREST = 3
_OUTCOMES = {
    AnswerStatus.SUPPORTED: ExitCode.DONE,
    AnswerStatus.PARTIAL: ExitCode.PARTIAL,
    AnswerStatus.ABSTAINED: ExitCode.NO_EVIDENCE,
}


@click.command("ask", short_help="Answer a question, with proof.")
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
    folders: tuple[str, ...],
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
    restriction = filters(folders, tags, since, before, where)
    session = Session(vault, colour)
    with session.open() as engine:
        from quire_engine import AskOptions

        options = AskOptions(model=model, limit=limit)
        fresh = no_sync or session.freshen(engine)
        if single is None:

            def respond(text: str) -> tuple[dict[str, Any], ExitCode]:
                with asked(engine, text, restriction, options) as events:
                    answer = last(events)
                return contract.answer(answer), outcome(answer, fresh)

            assert batch is not None
            return batches.run(session, batch, contract.ANSWER, respond)

        with asked(engine, single, restriction, options) as events:
            if as_json:
                answer = last(events)
                session.output.json(contract.answer(answer))
            elif as_lines:
                answer = last(_written(session, events))
            else:
                answer = last(_shown(session, events))
                _show_proof(session, answer, explain)
        return outcome(answer, fresh)


@contextmanager
def asked(
    engine: Engine, question: str, restriction: Filters, options: AskOptions
) -> Iterator[Iterator[AnswerEvent]]:
    """The events of an answer; the answer is cancelled when the block is left early."""
    events = engine.ask(question, filters=restriction, options=options)
    try:
        yield events
    finally:
        if isinstance(events, Generator):
            events.close()


def last(events: Iterator[AnswerEvent]) -> Answer:
    """The finished answer, once every event has passed."""
    answer = None
    for event in events:
        if isinstance(event, AnswerFinished):
            answer = event.answer
    assert answer is not None, "an answer ends with AnswerFinished"
    return answer


def outcome(answer: Answer, fresh: bool) -> ExitCode:
    """The exit code of an answer; ``fresh`` is False when the index could not be brought up to date."""
    behind = answer.incomplete or not fresh
    return worst((_OUTCOMES[answer.status], ExitCode.INCOMPLETE if behind else ExitCode.DONE))


def _written(session: Session, events: Iterator[AnswerEvent]) -> Iterator[AnswerEvent]:
    for event in events:
        session.output.json(contract.answer_event(event))
        yield event


def _shown(session: Session, events: Iterator[AnswerEvent]) -> Iterator[AnswerEvent]:
    for event in events:
        match event:
            case HitsFound(result=result):
                session.diagnostics.transient(f"found {counted(len(result.hits), 'passage')}")
            case WaveLoaded(wave=wave):
                session.diagnostics.transient(f"reading {counted(wave.chunks, wave.tier + ' passage')}")
            case AnswerText(text=text):
                session.diagnostics.clear()
                session.output.piece(text)
            case AnswerFinished():
                session.diagnostics.clear()
                session.output.end()
        yield event


def _show_proof(session: Session, answer: Answer, explain: bool) -> None:
    output, diagnostics = session.output, session.diagnostics
    if answer.citations:
        output.line()
    for citation in answer.citations:
        width = output.width if output.terminal else None
        for line in citation_lines(citation, output.palette, width):
            output.line(line)
    if explain:
        _show_sources(session, answer)
    if answer.status is AnswerStatus.PARTIAL:
        extracted = answer.model == "extractive"
        diagnostics.warning(
            "only partly supported: these sentences come nearest, and may not answer the question"
            if extracted
            else "only partly supported: what the notes do not prove was left out"
        )
    if answer.status is AnswerStatus.ABSTAINED and answer.hits:
        output.line("The nearest passages:")
        for hit in answer.hits[:_NEAREST]:
            output.line(f"  {inert(hit.path)}:{hit.start_line}-{hit.end_line}")
    if answer.incomplete:
        diagnostics.warning("the index is incomplete; run 'quire index' to finish it")


def _show_sources(session: Session, answer: Answer) -> None:
    output, words = session.output, question_words(answer.question)
    output.line()
    for wave in answer.waves:
        stop = f"; {inert(wave.stop_reason)}" if wave.stop_reason else ""
        load = f"{wave.tier}: {counted(wave.chunks, 'passage')}, {counted(wave.tokens, 'token')}"
        output.line(output.palette.faint(f"{load}, sufficiency {wave.sufficiency:.2f}{stop}"))
    output.line(output.palette.faint(f"answered by {inert(answer.model)}"))
    for hit in answer.hits:
        for line in hit_lines(hit, words, output.palette, output.width, explain=True):
            output.line(line)
