"""``quire doctor``."""

from __future__ import annotations

from pathlib import Path

import click

from quire import contract
from quire.cli.diagnostics import ExitCode
from quire.cli.options import colour_option, json_option, vault_option
from quire.cli.session import Session
from quire.cli.terminal import inert


@click.command("doctor", short_help="Examine this installation.")
@json_option
@vault_option
@colour_option
def command(as_json: bool, vault: Path | None, colour: bool | None) -> ExitCode:
    """Examine this installation, its models and the vault's index. Exits with 1 when something is wrong."""
    from quire_engine.doctor import diagnose

    session = Session(vault, colour)
    output, palette = session.output, session.output.palette
    findings = []
    for finding in diagnose(session.choice.vault_if_any, session.settings):
        findings.append(finding)
        if as_json:
            session.diagnostics.transient(f"looked at {finding.name}")
            continue
        mark = palette.good("ok   ") if finding.ok else palette.bad("wrong")
        output.line(f"{mark} {palette.strong(finding.name)}: {inert(finding.detail)}")
        if finding.advice:
            output.line(f"      {palette.faint('→ ' + inert(finding.advice))}")
    session.diagnostics.clear()
    if as_json:
        output.json(contract.doctor(findings))
    return ExitCode.DONE if all(finding.ok for finding in findings) else ExitCode.FAILED
