"""What a JSON Canvas (jsoncanvas.org, 1.0) says, as Markdown."""

from __future__ import annotations

import json
from typing import NamedTuple

from quire_engine.errors import VaultError

_MOST_PAIRS = 1_000_000


class _Node(NamedTuple):
    top: float
    left: float
    width: float
    height: float
    markdown: str


def extract(source: str) -> tuple[str, tuple[int, ...]]:
    """The text of a canvas, and the 0-based lines on which its parts begin, each a document of its own.

    Text cards come in reading order, joined by empty lines; a group's label is a heading above the cards
    that lie in it; a file is an embed and a web page its address. Raises `VaultError` for what is no JSON.
    """
    try:
        loaded = json.loads(source) if source.strip() else {}
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise VaultError(f"not a canvas: it is not valid JSON{where}") from error
    nodes = loaded.get("nodes") if isinstance(loaded, dict) else None
    found = [node for node in nodes if isinstance(node, dict)] if isinstance(nodes, list) else []
    groups = sorted(_placed(node) for node in found if node.get("type") == "group")
    cards = sorted(_placed(node) for node in found if node.get("type") != "group")
    parts: list[str] = []
    starts: list[int] = []
    line = 0
    for part in _in_groups(cards, groups):
        if part.strip():
            parts.append(part)
            starts.append(line)
            line += part.count("\n") + 2
    return "\n\n".join(parts), tuple(starts) or (0,)


def _placed(node: dict[str, object]) -> _Node:
    top, left, width, height = (_number(node.get(name)) for name in ("y", "x", "width", "height"))
    return _Node(top, left, width, height, _markdown(node))


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) and abs(value) < 1e12 else 0.0


def _markdown(node: dict[str, object]) -> str:
    kind = node.get("type")
    written = {"text": "text", "file": "file", "link": "url", "group": "label"}.get(str(kind))
    value = node.get(written) if written else None
    if not isinstance(value, str):
        return ""
    value = _clean(value).strip("\n")
    if kind == "text":
        return value
    value = " ".join(value.split())
    if kind == "group":
        return f"# {value}" if value else ""
    subpath = node.get("subpath")
    if kind == "file":
        return f"![[{value}{' '.join(_clean(subpath).split()) if isinstance(subpath, str) else ''}]]"
    return value


def _clean(value: str) -> str:
    value = value.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    return value.encode("utf-8", "replace").decode("utf-8")


def _in_groups(cards: list[_Node], groups: list[_Node]) -> list[str]:
    """The Markdown of all nodes: loose cards, then group by group, in one document per group."""
    loose: list[str] = []
    members: list[list[str]] = [[group.markdown] for group in groups]
    for card in cards:
        inside = [
            index
            for index, group in enumerate(groups if len(cards) * len(groups) <= _MOST_PAIRS else [])
            if _holds(group, card)
        ]
        if inside:
            smallest = min(inside, key=lambda index: groups[index].width * groups[index].height)
            members[smallest].append(card.markdown)
        else:
            loose.append(card.markdown)
    return [*loose, *("\n\n".join(part for part in parts if part.strip()) for parts in members)]


def _holds(group: _Node, card: _Node) -> bool:
    across = card.left + card.width / 2 - group.left
    down = card.top + card.height / 2 - group.top
    return 0 <= across <= group.width and 0 <= down <= group.height
