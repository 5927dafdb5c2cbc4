"""The user's editor at a line."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from quire.tui.editor import chosen, command, edit
from quire_engine import privacy

FILE = Path("/vault/-a b.md")


class TestCommand:
    @pytest.mark.parametrize(
        ("editor", "arguments"),
        [
            ("vim", ["vim", "+7", "/vault/-a b.md"]),
            ("/usr/bin/nano -w", ["/usr/bin/nano", "-w", "+7", "/vault/-a b.md"]),
            ("emacsclient -t", ["emacsclient", "-t", "+7", "/vault/-a b.md"]),
            ("code --wait", ["code", "--wait", "--goto", "/vault/-a b.md:7"]),
            ("hx", ["hx", "/vault/-a b.md:7"]),
            ("my-editor", ["my-editor", "/vault/-a b.md"]),
            ("'/opt/my apps/vim'", ["/opt/my apps/vim", "+7", "/vault/-a b.md"]),
        ],
    )
    def test_line_is_given_as_the_editor_wants_it(self, editor: str, arguments: list[str]) -> None:
        assert command(editor, FILE, 7) == arguments


class TestChoice:
    def test_visual_goes_first(self) -> None:
        assert chosen({"VISUAL": "code -w", "EDITOR": "vi"}) == "code -w"
        assert chosen({"VISUAL": " ", "EDITOR": "vi"}) == "vi"
        assert chosen({}) is None


class TestEdit:
    def test_editor_runs_with_file_and_line(self, tmp_path: Path) -> None:
        record = tmp_path / "arguments"
        vim = tmp_path / "vim"
        vim.write_text(
            f'#!{sys.executable}\nimport sys\nopen({str(record)!r}, "w").write("|".join(sys.argv[1:]))\n'
        )
        vim.chmod(0o755)
        note = tmp_path / "a note.md"
        assert edit(str(vim), note, 12) is None
        assert record.read_text() == f"+12|{note}"

    def test_what_the_editor_creates_is_as_open_as_the_user_wants_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        editor = tmp_path / "ed"
        editor.write_text('#!/bin/sh\ntouch "$2"\n')
        editor.chmod(0o755)
        monkeypatch.setattr(privacy, "users_umask", -1)
        before = os.umask(0o027)
        try:
            privacy.keep_private()
            privacy.keep_private()
            (tmp_path / "ours").touch()
            assert edit(str(editor), tmp_path / "theirs", 1) is None
        finally:
            os.umask(before)
        modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ours", "theirs")]
        assert modes == [0o600, 0o640]

    @pytest.mark.parametrize("editor", ["/no/such/editor", "vi 'unfinished"])
    def test_what_cannot_start_is_one_line_that_helps(self, editor: str) -> None:
        problem = edit(editor, FILE, 1)
        assert problem is not None
        assert editor.split()[0] in problem
        assert "EDITOR" in problem
        assert "\n" not in problem
