"""Evaluations (``quire.eval/1``) as tables for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from quire.cli.terminal import Palette, cells, inert, shorten
from quire.contract import Json
from quire_engine.quantities import counted

_GROUP_MEASURES = ("ndcg@10", "recall@10", "recall@100", "mrr@10", "success@10")
_MOVES = 5
"""Documents of a query that are listed as entered, or as left."""
_BEYOND = "> 100"
_FAR = 101


def table(record: Json, palette: Palette) -> Iterator[str]:
    """Measures, one a line, with their confidence intervals."""
    yield palette.faint(f"{counted(record['queries'], 'question')}, judged by {record['unit']}")
    measures, intervals = record["retrieval"], record["intervals"]
    width = max(map(len, measures), default=0)
    for name, value in measures.items():
        trust = f"  {palette.faint(_interval(intervals[name]))}" if name in intervals else ""
        yield f"{name:<{width}}  {palette.strong(_number(name, value).rjust(8))}{trust}"


def group_table(by: Json, palette: Palette) -> Iterator[str]:
    """Measures by the values of a field, one value a line."""
    head = [inert(by["field"]), "questions", *_GROUP_MEASURES, "ndcg@10, 95 %"]
    rows = [
        [
            shorten(inert(value), 24) or "-",
            f"{group['queries']:,}",
            *(_number(name, group["retrieval"][name]) for name in _GROUP_MEASURES),
            _interval(group["intervals"]["ndcg@10"]),
        ]
        for value, group in by["groups"].items()
    ]
    yield from _columns(head, rows, palette)


def difference_table(against: Json, palette: Palette) -> Iterator[str]:
    """What changed since a saved run: measures, milliseconds, and what the two were made with."""
    then, now = against["then"], against["now"]
    made = f"Quire {inert(then['version'])}, generation {then['generation']} of the index"
    yield palette.faint(f"against a run of {made}: {counted(against['queries'], 'question')}")
    if then["fingerprint"] != now["fingerprint"]:
        yield palette.doubtful("the embedding model is another one")
    for name, (old, new) in against["settings"].items():
        yield palette.doubtful(inert(f"{name} was {_setting(old)} and is {_setting(new)}"))
    head = ["", "then", "now", "change", "95 %", "p", "better", "same", "worse"]
    rows = []
    for name, found in against["measures"].items():
        low, high = found["interval"]
        rows.append(
            [
                name,
                f"{found['then']:.4f}",
                f"{found['now']:.4f}",
                f"{found['difference']:+.4f}",
                f"{low:+.4f} to {high:+.4f}",
                f"{found['p']:.4f}",
                f"{found['wins']:,}",
                f"{found['ties']:,}",
                f"{found['losses']:,}",
            ]
        )
    for name, (old, new) in against["latencies"].items():
        rows.append([name, f"{old:.1f}", f"{new:.1f}", f"{new - old:+.1f}", "", "", "", "", ""])
    yield from _columns(head, rows, palette)


def query_changes(changes: Sequence[Json], count: int, palette: Palette, width: int) -> Iterator[str]:
    """The ``count`` largest losses, then the ``count`` largest wins, query by query."""
    losses = [change for change in changes if change["now"] < change["then"]]
    wins = [change for change in reversed(changes) if change["now"] > change["then"]]
    for kind, found in (("worse", losses), ("better", wins)):
        yield ""
        shown = found[:count]
        rest = f", the {len(shown)} largest" if len(shown) < len(found) else ""
        yield palette.strong(f"{counted(len(found), 'question')} {kind}{rest}")
        for change in shown:
            yield from _change(change, palette, width)


def _change(change: Json, palette: Palette, width: int) -> Iterator[str]:
    moved = change["now"] - change["then"]
    mark = palette.good if moved > 0 else palette.bad
    head = f"ndcg@10 {change['then']:.3f} → {change['now']:.3f}  {inert(change['id'])}  "
    yield f"  {mark(f'{moved:+.3f}')}  {palette.faint(head)}{shorten(inert(change['text']), width)}"
    moves = [move for move in change["relevant"] if move["then"] != move["now"]]
    moves.sort(key=lambda move: min(move["then"] or _FAR, move["now"] or _FAR))
    for move in moves[:_MOVES]:
        grade = "" if move["grade"] == 1 else f" (grade {move['grade']:g})"
        yield f"      relevant  {_places(move)}  {palette.place(inert(move['document']))}{grade}"
    if more := len(change["relevant"]) - len(moves[:_MOVES]):
        yield palette.faint(f"      and {counted(more, 'other relevant document')}")
    for kind in ("entered", "left"):
        for move in [move for move in change[kind] if not move["grade"]][:_MOVES]:
            yield palette.faint(f"      {kind:<8}  {_places(move)}  {inert(move['document'])}")


def _places(move: Json) -> str:
    then, now = (f"#{rank}" if rank else _BEYOND for rank in (move["then"], move["now"]))
    return f"{then} → {now}".ljust(len(f"{_BEYOND} → #100"))


def _setting(value: Any) -> str:
    return "not there" if value is None else str(value)


def _number(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if name.endswith("_ms") else f"{value:.4f}"


def _interval(interval: Sequence[float | None]) -> str:
    low, high = (_number("", end) for end in interval)
    return f"{low} to {high}"


def _columns(head: Sequence[str], rows: Sequence[Sequence[str]], palette: Palette) -> Iterator[str]:
    """Lines with the first column to the left and the others to the right."""
    widths = [max(cells(row[i]) for row in (head, *rows)) for i in range(len(head))]
    for number, row in enumerate((head, *rows)):
        padded = [" " * (width - cells(text)) for width, text in zip(widths, row, strict=True)]
        line = "  ".join(
            [row[0] + padded[0], *(pad + text for pad, text in zip(padded[1:], row[1:], strict=True))]
        )
        yield palette.faint(line.rstrip()) if number == 0 else line.rstrip()
