"""``quire eval``."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from quire import contract
from quire.cli.diagnostics import Diagnostics, ExitCode
from quire.cli.measures import (
    answer_changes,
    answer_failures,
    answer_group_table,
    answer_table,
    difference_table,
    group_table,
    query_changes,
    table,
)
from quire.cli.options import Folder, colour_option, json_option, vault_option, wrong_usage
from quire.cli.progress import Progress
from quire.cli.session import Session
from quire.contract import Json
from quire_engine.quantities import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from quire.cli.terminal import Palette
    from quire_engine import Engine
    from quire_engine.records import AnswerReport, EvalReport, EvalRun, Verdict

_JUDGED = ("queries.jsonl", "qrels.tsv")
_SOME = 5
"""Losses and wins that ``--diff`` shows without a number."""
_File = click.Path(dir_okay=False, path_type=Path)


@click.command("eval", short_help="Measure searches and answers against judged questions.")
@click.argument("folder", metavar="DIR", type=Folder())
@click.option(
    "--answers/--no-answers",
    "parts",
    default=None,
    help="Measure answers alone, or searches alone. Default: whatever DIR has questions for.",
)
@click.option(
    "--model",
    metavar="NAME|FILE",
    default="extractive",
    show_default=True,
    help="The language model that writes the answers.",
)
@click.option(
    "--limit", type=click.IntRange(1), help="Ask only so many questions, of each kind alike, evenly spread."
)
@click.option(
    "--by", metavar="FIELD", help="Also measure by the values of a field of the questions, as in --by lang."
)
@click.option("--save", type=_File, metavar="FILE", help="Keep the run, question by question, in FILE.")
@click.option("--against", type=_File, metavar="FILE", help="Compare with a run that was kept by --save.")
@click.option(
    "--diff",
    type=click.IntRange(1),
    is_flag=False,
    flag_value=_SOME,
    metavar="[N]",
    help=f"Show the N ({_SOME}) largest losses and wins since the run of --against; all with --json.",
)
@click.option(
    "--init", "starting", is_flag=True, help="Write a first set into DIR, drafted from the notes of --vault."
)
@vault_option
@json_option
@colour_option
def command(
    folder: Path,
    parts: bool | None,
    model: str,
    limit: int | None,
    by: str | None,
    save: Path | None,
    against: Path | None,
    diff: int | None,
    starting: bool,
    vault: Path | None,
    as_json: bool,
    colour: bool | None,
) -> ExitCode:
    """Measure how well the judged passages of DIR are found, and its questions answered.

    DIR holds vault/ (the notes, or eval.toml says where they are), for searches queries.jsonl ({"id", "text"}
    a line) and qrels.tsv (query, document, grade), for answers questions.jsonl ({"id", "question", "answers",
    "note"} a line). Where eval.toml requires something that is missed, the exit code is 1.
    """
    if starting:
        if limit or by or save or against or diff or parts is not None:
            raise wrong_usage("--init writes questions and measures nothing; leave the other options out")
        return _start(Session(vault, colour), folder, as_json)
    if vault is not None:
        raise wrong_usage("a set has its own notes: vault/ in it, or what its eval.toml names")
    searches, answers = _parts(folder, parts)
    if diff and not against:
        raise wrong_usage("--diff shows what changed since a saved run; name it with --against FILE")
    if save and not os.access(save.absolute().parent, os.W_OK):
        raise wrong_usage(f"cannot write {save}: {save.absolute().parent} is no folder that can be written")
    from quire_engine import load_run, read_set, run_of, save_run, verdicts

    if by:
        _check_field(folder, by, searches=searches, answers=answers)
    judged = read_set(folder)
    if not judged.vault.is_dir():
        raise wrong_usage(f"{folder} holds no vault, and {judged.vault} is no folder")
    then = load_run(against) if against else None
    if then and not (searches and then.results) and not (answers and then.answers):
        raise wrong_usage(
            f"{against} measured {'searches' if then.results else 'answers'}, not what is asked"
        )
    session = Session(colour=colour)
    with session.open(judged.vault) as engine:
        current = session.freshen(engine, follow=True)
        with Progress(session.diagnostics) as progress:
            found = _searched(engine, folder, limit, then, progress) if searches else None
            told = _answered(engine, folder, model, limit, then, progress) if answers else None
        run = run_of(found, told, engine.fingerprint, session.settings)
    if save:
        save_run(run, save)
    record = contract.evaluation(found, told)
    _add_groups(record, found, told, by)
    if then:
        record["against"] = _against(then, run, session.diagnostics, against, diff=diff is not None)
    outcomes = verdicts(judged.requirements, found, told)
    if judged.requirements:
        record["required"] = [contract.verdict(outcome) for outcome in outcomes]
    if as_json:
        session.output.json(record)
    else:
        for line in _shown(record, diff, session.output.palette, session.output.width):
            session.output.line(line)
    if _missed(outcomes, session.diagnostics):
        return ExitCode.FAILED
    return ExitCode.DONE if current else ExitCode.INCOMPLETE


def _start(session: Session, folder: Path, as_json: bool) -> ExitCode:
    from quire_engine import write_starter_set

    with session.open() as engine:
        current = session.freshen(engine)
        with Progress(session.diagnostics) as progress:
            lines = write_starter_set(
                engine,
                session.vault,
                folder,
                lambda done, total: progress.count("reading notes", done, total),
            )
    if as_json:
        session.output.json(contract.starter(lines))
    else:
        session.output.line(
            f"{counted(lines['questions.jsonl'], 'question')} with an answer in the notes, "
            f"{lines['offvault.jsonl']} without, and {lines['queries.jsonl']} to search for"
        )
    session.diagnostics.note(f"read and correct them; {folder / 'README.md'} says how")
    return ExitCode.DONE if current else ExitCode.INCOMPLETE


def _parts(folder: Path, wanted: bool | None) -> tuple[bool, bool]:
    """Whether searches are measured, and whether answers are."""
    from quire_engine import has_questions

    missing = [name for name in _JUDGED if not (folder / name).exists()]
    answerable = has_questions(folder)
    if wanted and not answerable:
        raise wrong_usage(f"{folder} holds no questions.jsonl")
    if missing and not wanted and (wanted is False or not answerable or len(missing) < len(_JUDGED)):
        none = "" if answerable else ", and no questions.jsonl either"
        raise wrong_usage(f"{folder} holds no {' and no '.join(missing)}{none}")
    return not wanted and not missing, wanted is not False and answerable


def _check_field(folder: Path, name: str, *, searches: bool, answers: bool) -> None:
    from quire_engine import read_queries, read_questions

    files = ["queries.jsonl"] * searches + ["questions.jsonl"] * answers
    asked = (read_queries(folder) if searches else []) + (read_questions(folder) if answers else [])
    if not any(name in question.fields for question in asked):
        places = " or ".join(str(folder / file) for file in files)
        raise wrong_usage(f"no question in {places} has a field {name!r}")


def _searched(
    engine: Engine, folder: Path, limit: int | None, then: EvalRun | None, progress: Progress
) -> EvalReport:
    from quire_engine import evaluate

    return evaluate(
        engine,
        folder,
        limit=limit,
        against=then if then and then.results else None,
        progress=lambda done, total: progress.count("searching", done, total),
    )


def _answered(
    engine: Engine, folder: Path, model: str, limit: int | None, then: EvalRun | None, progress: Progress
) -> AnswerReport:
    from quire_engine import AskOptions, evaluate_answers

    return evaluate_answers(
        engine,
        partial(engine.ask, options=AskOptions(model=model)),
        folder,
        limit=limit,
        against=then,
        progress=lambda done, total: progress.count("answering", done, total),
    )


def _add_groups(record: Json, found: EvalReport | None, told: AnswerReport | None, by: str | None) -> None:
    """Measures by the values of ``by``, and those of answers by kind where there are several."""
    from quire_engine import answer_groups, by_field

    if found and any(by in result.fields for result in found.results):
        groups = {value: contract.measured(group) for value, group in by_field(found, str(by)).items()}
        record["by"] = {"field": by, "groups": groups}
    fields = {} if told is None or by in (None, "kind") else {"by": str(by)}
    if told and len({result.kind for result in told.results}) > 1:
        fields["kinds"] = "kind"
    for part, name in fields.items():
        if told and any(name in result.fields for result in told.results):
            answers = {value: contract.answered(group) for value, group in answer_groups(told, name).items()}
            record["answers"][part] = {"field": name, "groups": answers}


def _against(then: EvalRun, now: EvalRun, diagnostics: Diagnostics, file: Path | None, *, diff: bool) -> Json:
    from quire_engine import compare, compare_answers
    from quire_engine.records import Comparison

    searches = compare(then.results, now.results) if then.results and now.results else None
    answers = compare_answers(then.answers, now.answers) if then.answers and now.answers else None
    for what, part in (("searches", searches), ("answers", answers)):
        if part is not None and (part.only_now or part.only_then):
            both = part.queries if isinstance(part, Comparison) else part.questions
            diagnostics.note(
                f"{what} compared over the {counted(both, 'question')} that both have; "
                f"{part.only_now:,} only here, {part.only_then:,} only in {file}"
            )
    return contract.comparison(searches, answers, then, now, diff=diff)


def _shown(record: Json, diff: int | None, palette: Palette, width: int) -> Iterator[str]:
    blocks: list[Sequence[str]] = []
    against, answers = record.get("against", {}), record.get("answers")
    if "retrieval" in record:
        blocks.append([*table(record, palette)])
    if "by" in record:
        blocks.append([*group_table(record["by"], palette)])
    if answers:
        blocks.append([*answer_table(answers, palette)])
        parts = [answers[part] for part in ("kinds", "by") if part in answers]
        blocks += [[*answer_group_table(part, palette)] for part in parts]
        if answers["failed"]:
            blocks.append([*answer_failures(answers["failed"], palette, width)])
    if against:
        blocks.append([*difference_table(against, palette)])
    for number, block in enumerate(blocks):
        yield from ["", *block] if number else block
    if diff and "diff" in against:
        yield from query_changes(against["diff"], diff, palette, width)
    if diff and "answers" in against:
        yield from answer_changes(against["answers"]["diff"], diff, palette, width)


def _missed(outcomes: Sequence[Verdict], diagnostics: Diagnostics) -> bool:
    missed = [outcome for outcome in outcomes if not outcome.met]
    for outcome in missed:
        found = "not measured" if outcome.found is None else f"{outcome.found:.4g}"
        diagnostics.error(f"required: {outcome.requirement}; found: {found}")
    return bool(missed)
