"""Changes found by looking: what is told of two looks at a vault."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from quire_engine.vault.polling import Poll
from quire_engine.vault.scanner import scan

OLD = (1e9, 1e9)


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    folder = tmp_path / "vault"
    (folder / "sub").mkdir(parents=True)
    for path in (folder / "a.md", folder / "sub/b.md"):
        path.write_text("x")
        os.utime(path, OLD)
    return folder


@pytest.fixture
def poll(vault: Path) -> Poll:
    made = Poll(lambda: scan(vault))
    assert made.changed() is None
    return made


def test_nothing_changed(poll: Poll) -> None:
    assert poll.changed() == frozenset()
    assert poll.changed() == frozenset()


def test_notes_that_came_went_and_changed(poll: Poll, vault: Path) -> None:
    (vault / "sub").rename(vault / "moved")
    (vault / "c.md").write_text("x")
    (vault / "a.md").write_text("xy")
    assert poll.changed() == {"a.md", "c.md", "moved/b.md", "sub/b.md"}


def test_a_note_just_written_is_told_again(poll: Poll, vault: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be written again at once, with as many bytes and under the same time stamp."""
    written = time.time()
    os.utime(vault / "a.md", (written, written))
    monkeypatch.setattr(time, "time", lambda: written + 1)
    assert poll.changed() == {"a.md"}
    monkeypatch.setattr(time, "time", lambda: written + 3)
    assert poll.changed() == {"a.md"}
    monkeypatch.setattr(time, "time", lambda: written + 5)
    assert poll.changed() == frozenset()


def test_a_clock_that_runs_ahead_is_not_always_news(poll: Poll, vault: Path) -> None:
    os.utime(vault / "a.md", (time.time() + 1e6,) * 2)
    assert poll.changed() == {"a.md"}
    assert poll.changed() == frozenset()


def test_a_link_or_what_cannot_be_read_may_change_anything(poll: Poll, vault: Path) -> None:
    (vault / "link").symlink_to(vault / "sub")
    assert poll.changed() is None
    assert poll.changed() == frozenset()
    os.mkfifo(vault / "pipe.md")
    assert poll.changed() is None
    assert poll.changed() == frozenset()


def test_a_vault_that_goes_is_told_once_and_when_it_is_back(poll: Poll, vault: Path, tmp_path: Path) -> None:
    shutil.move(vault, tmp_path / "away")
    assert poll.changed() is None
    assert poll.changed() == frozenset()
    shutil.move(tmp_path / "away", vault)
    assert poll.changed() is None
    assert poll.changed() == frozenset()
