"""The user's editor, opened at a line."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from quire_engine import privacy

_COLON = frozenset(("hx", "helix", "subl", "sublime_text", "zed", "micro"))
"""Editors that take ``file:line``."""
_GOTO = frozenset(("code", "code-insiders", "codium", "vscodium", "cursor", "windsurf"))
"""Editors that take ``--goto file:line``."""
_PLUS = frozenset(
    "vi vim nvim gvim nvi view ex ed elvis vis nano pico joe jed mg ne emacs emacsclient kak kate gedit "
    "mcedit tilde".split()
)
"""Editors that take ``+line file``."""


def chosen(environment: Mapping[str, str] = os.environ) -> str | None:
    """``$VISUAL``, else ``$EDITOR``; ``None`` when neither says anything."""
    return environment.get("VISUAL", "").strip() or environment.get("EDITOR", "").strip() or None


def edit(editor: str, file: Path, line: int) -> str | None:
    """Run ``editor`` on ``file`` at ``line`` until the user leaves it; returns why that failed, if it did."""
    try:
        # The user's own choice, and what it creates is the user's business.
        subprocess.run(command(editor, file, line), check=False, umask=privacy.users_umask)  # noqa: S603
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return f"the editor {editor!r} cannot be started: {reason}; check VISUAL and EDITOR"
    return None


def command(editor: str, file: Path, line: int) -> list[str]:
    """The arguments that open ``file``, an absolute path, at ``line`` (1-based).

    An editor that is not known just gets the file. Raises `ValueError` when ``editor`` is not a command.
    """
    words = shlex.split(editor)
    if not words:
        raise ValueError("it is empty")
    name = Path(words[0]).name.removesuffix(".exe")
    if name in _PLUS:
        return [*words, f"+{line}", str(file)]
    if name in _GOTO:
        return [*words, "--goto", f"{file}:{line}"]
    if name in _COLON:
        return [*words, f"{file}:{line}"]
    return [*words, str(file)]
