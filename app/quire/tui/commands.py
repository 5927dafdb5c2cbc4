"""What the command palette offers: notes by name, and actions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial
from heapq import nlargest
from typing import TYPE_CHECKING

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.dom import DOMNode
from textual.fuzzy import Matcher
from textual.style import Style

from quire.tui import actions
from quire.tui.inert import inert
from quire.tui.messages import OpenPlace
from quire.tui.places import Place
from quire_engine.errors import QuireError

if TYPE_CHECKING:
    from quire_engine import Engine

_MOST_NOTES = 50


class NoteCommands(Provider):
    """Opens a note; matches its path, its title and its aliases."""

    async def startup(self) -> None:
        engine: Engine = self.app.engine  # type: ignore[attr-defined]
        self._notes: list[tuple[str, str, tuple[str, ...]]] = []
        try:
            self._notes = await asyncio.to_thread(engine.notes)
        except QuireError as error:
            self.app.notify(inert(str(error)), severity="error", markup=False)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        best = await asyncio.to_thread(_best, matcher, self._notes)
        for score, name, path in best:
            shown = _highlighted(matcher, name)
            if name != _without_suffix(path):
                shown += Content.styled(f"  {inert(path)}", "dim")
            yield Hit(score, shown, partial(self._open, path), text=shown.plain)

    def _open(self, path: str) -> None:
        self.app.post_message(OpenPlace(Place(path)))


class ActionCommands(Provider):
    """Does what a key does."""

    async def discover(self) -> Hits:
        for action, node in self._available():
            text = f"{action.title}: {action.help}"
            yield DiscoveryHit(_shown(action, Content(action.title)), partial(_run, node, action), text=text)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for action, node in self._available():
            score = max(matcher.match(action.title), matcher.match(action.help) / 2)
            if score > 0:
                shown = _shown(action, _highlighted(matcher, action.title))
                yield Hit(score, shown, partial(_run, node, action), text=action.title)

    def _available(self) -> Iterable[tuple[actions.Action, DOMNode]]:
        owners: dict[actions.Owner, DOMNode] = {actions.Owner.APP: self.app}
        if isinstance(owner := getattr(self.screen, "OWNER", None), actions.Owner):
            owners[owner] = self.screen
        for action in actions.ACTIONS:
            node = owners.get(action.owner)
            if action.palette and node is not None and node.check_action(action.name, ()):
                yield action, node


def _best(
    matcher: Matcher, notes: Iterable[tuple[str, str, tuple[str, ...]]]
) -> list[tuple[float, str, str]]:
    """(score, matched name, path) of the notes that match best."""

    def scored() -> Iterable[tuple[float, str, str]]:
        for path, title, aliases in notes:
            names = map(inert, dict.fromkeys((_without_suffix(path), title, *aliases)))
            score, name = max((matcher.match(name), name) for name in names)
            if score > 0:
                yield score, name, path

    return nlargest(_MOST_NOTES, scored())


def _highlighted(matcher: Matcher, name: str) -> Content:
    """``name`` with what matched standing out; unlike the matcher's own method this parses no markup."""
    content = Content(name)
    for offset in matcher.fuzzy_search.match(matcher.query, name)[1]:
        content = content.stylize(matcher.match_style, offset, offset + 1)
    return content


def _shown(action: actions.Action, title: Content) -> Content:
    keys = f"  {action.shown}" if action.shown else ""
    return title + Content.styled(f"  {action.help}{keys}", Style(dim=True))


def _without_suffix(path: str) -> str:
    return path.removesuffix(".md")


async def _run(node: DOMNode, action: actions.Action) -> None:
    await node.app.run_action(action.name, node)
