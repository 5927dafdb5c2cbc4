"""The interface over a real engine and a small vault; nothing of the user's is read or written."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from textual.app import App
from textual.pilot import Pilot

from quire.tui.app import QuireApp
from quire.tui.screens.ask import AskScreen
from quire.tui.widgets.question import QuestionBox
from quire_engine import Engine, Settings

ORCHARD = """---
tags: [garden]
---

# Orchard

The orchard has five plum trees and two quinces.

## Pruning

Plum trees are pruned in August, because the silver leaf fungus enters through winter cuts.
Quinces need almost no pruning. See [[Tools#Saw]] and [[Nowhere]].
"""
TOOLS = """# Tools

## Knife

The grafting knife is sharpened on the fine stone.

## Saw

The Japanese saw cuts on the pull stroke.
"""
LONG = "# Ledger\n\n" + "".join(
    f"Entry {n}: the miller delivered {n} sacks of barley.\n\n" for n in range(1, 61)
)
"""Entry n stands on line 2n + 1."""
_CELL_WIDTH, _CELL_HEIGHT = 12.2, 24.4
"""Of a character in a screenshot."""

Settle = Callable[[Pilot[None]], Awaitable[None]]


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[Path]:
    """The environment of a user who has set nothing."""
    folder = tmp_path_factory.mktemp("places")
    with pytest.MonkeyPatch.context() as patch:
        for name in [*os.environ]:
            if name.startswith("QUIRE_") or name in ("NO_COLOR", "EDITOR", "VISUAL"):
                patch.delenv(name)
        patch.setenv("QUIRE_CONFIG", str(folder / "config.toml"))
        patch.setenv("QUIRE_DATA_DIR", str(folder / "data"))
        patch.setenv("QUIRE_CACHE_DIR", str(model_cache))
        patch.setenv("QUIRE_NO_DAEMON", "1")
        yield folder


@pytest.fixture(scope="session")
def shared_engine(places: Path) -> Iterator[Engine]:
    """The engine of a vault that no test changes."""
    vault = places / "garden"
    (vault / "Barn").mkdir(parents=True)
    (vault / "Orchard.md").write_text(ORCHARD, encoding="utf-8")
    (vault / "Tools.md").write_text(TOOLS, encoding="utf-8")
    (vault / "Barn" / "Ledger.md").write_text(LONG, encoding="utf-8")
    with Engine.open(vault, Settings()) as engine:
        engine.sync()
        yield engine


@pytest.fixture
def garden(shared_engine: Engine, places: Path) -> QuireApp:
    """The interface on the vault that no test changes."""
    return QuireApp(shared_engine, places / "garden")


@pytest.fixture
def on_vault(places: Path, tmp_path: Path) -> Iterator[Callable[..., QuireApp]]:
    """Makes a vault of its own for a test, of (path, text) pairs, and the interface on it."""
    engines: list[Engine] = []

    def make(*notes: tuple[str, str], settings: Settings | None = None) -> QuireApp:
        vault = tmp_path / "vault"
        for path, text in notes:
            file = vault / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        engine = Engine.open(vault, settings or Settings())
        engines.append(engine)
        return QuireApp(engine, vault)

    yield make
    for engine in engines:
        engine.close()


@pytest.fixture
def settle() -> Settle:
    """Waits until the notes are indexed, no answer is being made and every message is handled."""

    async def settled(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, QuireApp)
        await pilot.pause()
        for _ in range(3000):
            asking = any(isinstance(s, AskScreen) and s.answering for s in app.screen_stack)
            working = any(worker.is_running for worker in app.workers if worker.group != "watch")
            indexed = app.engine.settle(0) or app.problem
            if indexed and app.status is not None and app.progress is None and not asking and not working:
                break
            await pilot.pause(0.01)
        else:
            raise AssertionError("the interface did not come to rest")
        await pilot.pause()
        await pilot.pause()

    return settled


@pytest.fixture
def ask(settle: Settle) -> Callable[[Pilot[None], str], Awaitable[None]]:
    """Puts a question into the box, presses Enter and waits for the answer."""

    async def asked(pilot: Pilot[None], question: str) -> None:
        await settle(pilot)
        box = pilot.app.screen.query_one(QuestionBox)
        box.focus()
        box.value = question
        await pilot.press("enter")
        await settle(pilot)

    return asked


@pytest.fixture
def screen_text() -> Callable[[App[None]], str]:
    """What stands on the screen, line by line, as the user reads it."""

    def read(app: App[None]) -> str:
        cells = re.findall(
            r'<text[^>]* x="([\d.]+)" y="([\d.]+)"[^>]* clip-path="[^>]*>([^<]*)</text>',
            app.export_screenshot(title=""),
        )
        lines = [""] * app.size.height
        for x, y, text in sorted((float(x), float(y), text) for x, y, text in cells):
            row, column = round((y - _CELL_WIDTH) / _CELL_HEIGHT), round(x / _CELL_WIDTH)
            lines[row] = lines[row].ljust(column) + html.unescape(text).replace("\xa0", " ")
        return "\n".join(line.rstrip() for line in lines)

    return read
