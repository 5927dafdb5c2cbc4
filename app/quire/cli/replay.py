"""``quire replay``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from quire import contract
from quire.cli.diagnostics import ExitCode
from quire.cli.options import colour_option, json_option, vault_option, wrong_usage
from quire.cli.passages import citation_lines, place
from quire.cli.progress import Progress
from quire.cli.session import QUIET_SECONDS, Session
from quire.cli.terminal import Palette, inert
from quire.contract import Json
from quire_engine.quantities import counted

_KINDS = {
    "edited": "edited",
    "gone": "gone",
    "entered": "found anew",
    "moved": "moved",
    "left": "not found any more",
}
"""What became of passages, in words, in the order in which they are counted."""


@click.command("replay", short_help="Make a saved answer again.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--diff",
    "against",
    is_flag=True,
    help="Ask the vault as it is now, and show which notes' edits change the answer.",
)
@click.option("--no-sync", is_flag=True, help="With --diff: use the index as it is.")
@click.option(
    "--model", metavar="NAME", help="The GGUF file that wrote the answer, where it is not installed."
)
@json_option
@vault_option
@colour_option
def command(
    file: Path,
    against: bool,
    no_sync: bool,
    model: str | None,
    as_json: bool,
    vault: Path | None,
    colour: bool | None,
) -> ExitCode:
    """Make the answer that 'quire ask --save-run FILE' saved again, from what was saved with it.

    The vault is not needed. Exits with 0 when text, citations and status are the same, and with 1 when not.

    With --diff the same question is asked of the vault as it is now, and each note whose passages were
    edited, went or came is tried alone. Exits with 0 when the answer still says the same and quotes the same,
    and with 1 when it changes.
    """
    if no_sync and not against:
        raise wrong_usage("--no-sync is for --diff, which looks at the vault")
    from quire_engine import Engine, compare_run, load_answer_run, replay_run, settings_of

    session = Session(vault, colour)
    run = load_answer_run(file)
    if not against:
        replayed = replay_run(run, session.settings, model=model)
        document = contract.replay(replayed)
    else:
        with Engine.open(session.vault, settings_of(run, session.settings)) as engine:
            if not no_sync:
                session.freshen(engine)
            if engine.fingerprint != run.fingerprint:
                session.diagnostics.warning("another embedding model is in use than when this was asked")
            with Progress(session.diagnostics, delay=QUIET_SECONDS) as progress:
                difference = compare_run(
                    run,
                    engine,
                    session.settings,
                    model=model,
                    progress=lambda done, total: progress.count("answering", done, total),
                )
            if run.notes and not any(engine.current_note(note.path) for note in run.notes):
                session.diagnostics.warning(
                    "none of the notes that this answer was made from is here; is it another vault's?"
                )
        document = contract.replay(difference.replay, difference)
    if as_json:
        session.output.json(document)
    elif against:
        _show_question(session, document, f"compared with {session.vault}")
        _show_difference(session, document)
    else:
        _show_question(session, document)
        _show_replay(session, document)
    same = document["identical"] if not against else document["against"]["same"]
    return ExitCode.DONE if same else ExitCode.FAILED


def _show_question(session: Session, document: Json, *more: str) -> None:
    output, asked = session.output, document["asked"][:16].replace("T", " ")
    output.line(output.palette.strong(inert(document["question"])))
    output.line(output.palette.faint(inert("; ".join((f"asked {asked}", *more)))))
    output.line()


def _show_replay(session: Session, document: Json) -> None:
    output = session.output
    _show_answer(session, document["again"])
    output.line()
    if document["identical"]:
        output.line(output.palette.good("Reproduced exactly: text, citations and status."))
        return
    output.line(output.palette.bad("Not reproduced:") + f" {_what_differs(document)}.")
    for line in _diff_lines(document["diff"], output.palette):
        output.line(line)
    session.diagnostics.note(f"saved by Quire {document['version']} with {document['fingerprint']}")


def _what_differs(document: Json) -> str:
    then, again = document["then"], document["again"]
    differ = ["the text differs"] if then["answer"] != again["answer"] else []
    if then["status"] != again["status"]:
        differ.append(f"the status was {then['status']} and is {again['status']}")
    if not differ or len(then["citations"]) != len(again["citations"]):
        differ.append("the citations differ")
    return "; ".join(differ)


def _show_difference(session: Session, document: Json) -> None:
    output, palette, compared = session.output, session.output.palette, document["against"]
    if not document["identical"]:
        session.diagnostics.warning(
            f"the saved answer is not reproduced here: {_what_differs(document)}; "
            "notes are compared with the answer that is made from the saved passages now"
        )
    for note in compared["notes"]:
        for line in _note_lines(note, palette):
            output.line(line)
        output.line()
    if not compared["notes"]:
        output.line("No passage of this answer has changed.")
        output.line()
    if compared["incomplete"]:
        session.diagnostics.warning("the index is incomplete; run 'quire index' to finish it")
    if compared["same"]:
        output.line(palette.good("The answer is the same:"))
        _show_answer(session, compared["now"])
        return
    output.line(
        palette.bad("The answer changes:") + f" {document['again']['status']} then, "
        f"{compared['now']['status']} now."
    )
    if not any(note["changes_answer"] for note in compared["notes"]):
        edited = any(note["alone"] for note in compared["notes"])
        output.line(
            "No note's changes alone do that; together they do."
            if edited
            else "Not by what notes say: by which passages are found, and how rare the question's words are."
        )
    for line in _diff_lines(compared["diff"], palette):
        output.line(line)
    output.line()
    _show_answer(session, compared["now"])


def _show_answer(session: Session, answer: Json) -> None:
    output = session.output
    output.piece(answer["answer"])
    output.end()
    if answer["citations"]:
        output.line()
    for citation in answer["citations"]:
        for line in citation_lines(citation, output.palette, output.width if output.terminal else None):
            output.line(line)


def _note_lines(note: Json, palette: Palette) -> Iterator[str]:
    """What became of a note's passages, and whether that matters; then each passage with its diff."""
    kinds = [change["kind"] for change in note["passages"]]
    counts = ", ".join(
        f"{counted(kinds.count(kind), 'passage')} {words}" for kind, words in _KINDS.items() if kind in kinds
    )
    effect = "changes the answer" if note["changes_answer"] else "does not change the answer"
    shown = palette.bad(effect) if note["changes_answer"] else palette.faint(effect)
    yield f"{palette.place(inert(note['path']))}: {'gone; ' if note['gone'] else ''}{counts} → {shown}"
    for change in note["passages"]:
        then, now = change["then"], change["now"]
        places = [place(each["path"], each["start_line"], each["end_line"]) for each in (then, now) if each]
        yield f"  {palette.faint(' → '.join(dict.fromkeys(places)))}  {_KINDS[change['kind']]}"
        for line in _diff_lines(change["diff"], palette):
            yield "    " + line


def _diff_lines(lines: list[str], palette: Palette) -> Iterator[str]:
    """The lines of a unified diff, inert, coloured."""
    for line in lines:
        text = inert(line)
        match line[:1]:
            case "+":
                yield palette.good(text)
            case "-":
                yield palette.bad(text)
            case "@":
                yield palette.faint(text)
            case _:
                yield text
