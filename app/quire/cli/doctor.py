"""``quire doctor``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from quire import contract
from quire.address import build
from quire.cli.diagnostics import ExitCode
from quire.cli.options import colour_option, json_option, vault_option
from quire.cli.progress import Progress
from quire.cli.session import Session
from quire.cli.terminal import inert, wrap
from quire.client import EngineClient, Unavailable
from quire_engine.errors import IndexLockedError

if TYPE_CHECKING:
    from quire_engine.doctor import Finding, Repair

_INDENT = 6


@click.command("doctor", short_help="Examine this installation, and mend its index.")
@click.option(
    "--fix",
    is_flag=True,
    help="Mend what can be mended by making only that anew, say what was done, and look again. The vault "
    "and the models are left alone.",
)
@json_option
@vault_option
@colour_option
def command(fix: bool, as_json: bool, vault: Path | None, colour: bool | None) -> ExitCode:
    """Examine this installation, its models and the vault's index. Exits with 1 when something is wrong.

    With --fix: when something still is.
    """
    from quire_engine.doctor import diagnose, diagnose_index, guarded, repair

    session = Session(vault, colour)
    chosen, settings = session.choice.vault_if_any, session.settings
    report = _Report(session, silent=as_json)
    found = report.findings(diagnose(chosen, settings, report.progress))
    found += report.findings([guarded("background engine", background_engine)])
    repairs: list[Repair] = []
    left = found
    locked: IndexLockedError | None = None
    if fix and any(finding.remedy for finding in found):
        try:
            for done in repair(chosen, settings, found, report.progress):
                report.repair(done)
                repairs.append(done)
        except IndexLockedError as error:
            locked = error
        after = list(diagnose_index(chosen, settings, report.progress))
        mended = {finding.name for finding in after}
        left = [finding for finding in found if finding.name not in mended] + after
        report.findings(finding for finding in after if finding not in found)
    session.diagnostics.clear()
    if as_json:
        session.output.json(contract.doctor(found, repairs, left))
    if locked is not None:
        raise locked
    return ExitCode.DONE if all(finding.ok for finding in left) else ExitCode.FAILED


def background_engine() -> Finding:
    """Whether the background engine answers, and is of this build. None running is no fault."""
    from quire_engine.doctor import Finding

    name = "background engine"
    try:
        told = EngineClient().status()
    except Unavailable as error:
        advice = "" if "; run: " in str(error) else "quire engine restart"
        return Finding(name, False, str(error), advice)
    if told is None:
        return Finding(name, True, "not running; the next search or question starts it")
    detail = f"process {told['pid']}, version {told['version']}"
    if told["build"] != build():
        return Finding(name, True, f"{detail}, of another build", "the next search or question replaces it")
    return Finding(name, True, f"{detail}, of this build, answers")


class _Report:
    """Prints findings and repairs as they come, and keeps them."""

    def __init__(self, session: Session, *, silent: bool) -> None:
        """``silent`` prints nothing: all of it comes as one document in the end."""
        self._session = session
        self._silent = silent
        self._doing = ""
        self._progress = Progress(session.diagnostics)

    def progress(self, what: str, done: int, total: int) -> None:
        """Show what is going on."""
        if not total:
            self._session.diagnostics.transient(what)
            return
        if what != self._doing:
            self._doing, self._progress = what, Progress(self._session.diagnostics)
        self._progress.count(what, done, total)

    def findings(self, findings: Iterable[Finding]) -> list[Finding]:
        palette = self._session.output.palette
        kept = []
        for finding in findings:
            kept.append(finding)
            mark = palette.good("ok   ") if finding.ok else palette.bad("wrong")
            self._show(mark, finding.name, finding.detail, finding.advice or _fixable(finding))
        return kept

    def repair(self, done: Repair) -> None:
        palette = self._session.output.palette
        mark = palette.good("fixed") if done.ok else palette.bad("fails")
        self._show(mark, done.remedy.value, done.detail, "")

    def _show(self, mark: str, name: str, detail: str, advice: str) -> None:
        """One part: its mark, its name, and what is to say about it, in the measure of the terminal."""
        if self._silent:
            return
        output = self._session.output
        self._session.diagnostics.clear()
        head = f"{inert(name)}: "
        # The name's place is kept by no-break spaces, at which nothing is broken.
        first, *rest = wrap("\u00a0" * len(head) + inert(detail), output.width - _INDENT)
        output.line(f"{mark} {output.palette.strong(head.rstrip())} {first[len(head) :]}")
        for line in rest:
            output.line(" " * _INDENT + line)
        if advice:
            first, *rest = wrap(inert(advice), output.width - _INDENT - 2)
            output.line(" " * _INDENT + output.palette.faint(f"→ {first}"))
            for line in rest:
                output.line(" " * (_INDENT + 2) + output.palette.faint(line))


def _fixable(finding: Finding) -> str:
    return "quire doctor --fix" if finding.remedy is not None else ""
