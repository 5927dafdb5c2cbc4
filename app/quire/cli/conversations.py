"""``quire conversations``."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from quire import contract
from quire.cli.diagnostics import ExitCode
from quire.cli.options import colour_option, json_option, vault_option, whole, wrong_usage
from quire.cli.passages import citation_lines
from quire.cli.quantities import age
from quire.cli.session import Session
from quire.cli.terminal import Palette, inert, inert_lines, shorten
from quire_engine.quantities import counted
from quire_engine.records import Conversation, ConversationEntry, Turn

if TYPE_CHECKING:
    from quire_engine import ConversationStore

_LAST = "last"
_MORE = "there are more; --limit shows them"

limit_option = click.option(
    "-n",
    "--limit",
    type=click.IntRange(1, 10_000),
    default=20,
    show_default=True,
    help="The most conversations to show.",
)


def _with_store(command: Callable[..., ExitCode]) -> Callable[..., ExitCode]:
    """Give ``command`` the session and the vault's conversations instead of ``vault`` and ``colour``."""

    @wraps(command)
    def run(*, vault: Path | None, colour: bool | None, **options: Any) -> ExitCode:
        from quire_engine import ConversationStore

        session = Session(vault, colour)
        chosen = session.choice.vault_if_any
        # What was asked of a vault that is gone by now can still be read, and deleted.
        gone = chosen is not None and not chosen.exists() and ConversationStore(chosen).path.exists()
        store = ConversationStore(chosen if gone and chosen is not None else session.vault)
        try:
            return command(session, store, **options)
        finally:
            for problem in store.problems():
                session.diagnostics.warning(problem)

    return run


@click.group(
    "conversations",
    short_help="List, show, search, export and delete conversations.",
    invoke_without_command=True,
)
@vault_option
@colour_option
@click.pass_context
def command(ctx: click.Context, vault: Path | None, colour: bool | None) -> ExitCode:
    """List, show, search, export and delete what was asked of a vault and answered. Without a command, list.

    They are kept on this machine alone. ID is the beginning of a conversation's id, or 'last'. 'quire ask
    --continue' goes on with the last one, 'quire ask --resume ID' with another.
    """
    if ctx.invoked_subcommand is not None:
        return ExitCode.DONE
    code = ctx.invoke(list_conversations, as_json=False, limit=20, vault=vault, colour=colour)
    assert isinstance(code, ExitCode)
    return code


@command.command("list", short_help="List conversations, the newest first.")
@limit_option
@json_option
@vault_option
@colour_option
@_with_store
def list_conversations(session: Session, store: ConversationStore, as_json: bool, limit: int) -> ExitCode:
    """List conversations, the newest first."""
    entries = store.entries(limit + 1)
    shown = entries[:limit]
    if as_json:
        session.output.json(contract.conversation_list(shown))
        return ExitCode.DONE
    for entry in shown:
        session.output.line(_entry_line(entry, session.output.palette, session.output.width, time.time()))
    if len(entries) > limit:
        session.diagnostics.note(_MORE)
    if not entries:
        session.diagnostics.note("no conversation is kept; 'quire ask' begins one")
    return ExitCode.DONE


@command.command("show", short_help="Show a conversation.")
@click.argument("identity", metavar="ID")
@json_option
@vault_option
@colour_option
@_with_store
def show(session: Session, store: ConversationStore, identity: str, as_json: bool) -> ExitCode:
    """Show the conversation ID with the answers as they were given, and their proof."""
    conversation = _chosen(store, identity)
    if as_json:
        session.output.json(contract.conversation_document(conversation))
        return ExitCode.DONE
    output = session.output
    for number, turn in enumerate(conversation.turns):
        if number:
            output.line()
        for line in _turn_lines(turn, output.palette, output.width if output.terminal else None):
            output.line(line)
    return ExitCode.DONE


@command.command("search", short_help="Find conversations by words of questions and answers.")
@click.argument("words", nargs=-1, required=True)
@limit_option
@json_option
@vault_option
@colour_option
@_with_store
def search(
    session: Session, store: ConversationStore, words: tuple[str, ...], as_json: bool, limit: int
) -> ExitCode:
    """Find conversations in which all WORDS stand in one question and its answer, the newest first.

    Exits with 3 when there is none.
    """
    sought = whole(" ".join(words))
    reached = store.search(sought, limit + 1)
    found = reached[:limit]
    if as_json:
        session.output.json(contract.conversations_found(sought, found))
    else:
        output = session.output
        for conversation in found:
            about = f"{output.palette.strong(conversation.id)}  "
            output.line(about + shorten(inert(conversation.title), output.width - 10))
            for turn in conversation.turns:
                said = f"{turn.question}  {turn.text}"
                output.line(output.palette.faint(shorten(f"    {turn.number}. {inert(said)}", output.width)))
        if len(reached) > limit:
            session.diagnostics.note(_MORE)
        if not found:
            session.diagnostics.note("no conversation holds all of these words")
    return ExitCode.DONE if found else ExitCode.NO_EVIDENCE


@command.command("export", short_help="Write a conversation as a Markdown note.")
@click.argument("identity", metavar="ID")
@click.option(
    "-o",
    "--output",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to write it. Default: to the terminal, or wherever stdout goes.",
)
@click.option("--force", is_flag=True, help="Let --output replace a file that is there.")
@vault_option
@colour_option
@_with_store
def export(
    session: Session, store: ConversationStore, identity: str, file: Path | None, force: bool
) -> ExitCode:
    """Write the conversation ID as Markdown, its citations as links that Obsidian follows.

    The links lead to the notes when the file lies in the vault, where 'quire index' then finds it as well.
    """
    from quire_engine import export_markdown

    text = export_markdown(_chosen(store, identity))
    if file is None:
        session.output.line(inert_lines(text.rstrip("\n")))
        return ExitCode.DONE
    try:
        flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL)
        with os.fdopen(os.open(file, flags, 0o600), "w", encoding="utf-8", errors="replace") as written:
            written.write(text)
    except FileExistsError:
        raise wrong_usage(f"{file} is there already; give another file, or --force to replace it") from None
    except OSError as error:
        raise click.ClickException(f"cannot write {file}: {error.strerror}") from error
    session.output.line(inert(str(file)))
    return ExitCode.DONE


@command.command("delete", short_help="Delete a conversation, or all.")
@click.argument("identity", metavar="ID", required=False)
@click.option("--all", "everything", is_flag=True, help="Delete all conversations of this vault.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask whether it is meant.")
@vault_option
@colour_option
@_with_store
def delete(
    session: Session, store: ConversationStore, identity: str | None, everything: bool, yes: bool
) -> ExitCode:
    """Delete the conversation ID, or all of this vault's. It cannot be brought back."""
    if everything == (identity is not None):
        raise wrong_usage("give the ID of a conversation, or --all")
    chosen = None if identity is None else _chosen(store, identity)
    what = "all conversations of this vault" if chosen is None else f"{chosen.id} ({inert(chosen.title)})"
    if not yes:
        if not (sys.stdin.isatty() and session.diagnostics.terminal):
            raise wrong_usage("nobody can be asked here whether that is meant; add --yes")
        click.confirm(f"Delete {what}?", abort=True, err=True)
    if chosen is not None:
        store.delete(chosen.id)
    count = store.delete_all() if chosen is None else 1
    session.output.line(f"{counted(count, 'conversation')} deleted")
    return ExitCode.DONE


def _chosen(store: ConversationStore, identity: str) -> Conversation:
    if identity == _LAST and (conversation := store.last()) is not None:
        return conversation
    return store.get(identity)


def _entry_line(entry: ConversationEntry, palette: Palette, width: int, now: float) -> str:
    details = f"{counted(entry.turns, 'question')}, {age(now - entry.updated)}"
    title = shorten(inert(entry.title), max(20, width - len(entry.id) - len(details) - 6))
    return f"{palette.strong(entry.id)}  {title}  {palette.faint(f'({details})')}"


def _turn_lines(turn: Turn, palette: Palette, width: int | None) -> Iterator[str]:
    yield palette.strong(f"{turn.number}. {inert(turn.question)}")
    if turn.standalone:
        yield palette.faint(f"understood as: {inert(turn.standalone)}")
    yield inert_lines(turn.text)
    for citation in turn.citations:
        yield from citation_lines(contract.citation(citation), palette, width)
