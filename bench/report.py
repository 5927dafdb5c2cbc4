"""What a section hands back, and how it is printed for people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value: a row of the table, an object of the JSON."""

    name: str
    value: float | str | None
    """``None`` when it could not be measured here; ``note`` says why."""
    unit: str = ""
    """``×`` for a ratio."""
    at_most: float | None = None
    """The design target, in the same unit."""
    at_least: float | None = None
    note: str = ""
    details: Mapping[str, float] = field(default_factory=dict)
    """Further values that belong to this one, by name."""


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest measured value that ``share`` of ``values`` do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def latency(name: str, seconds: Sequence[float], *, at_most: float | None = None) -> Figure:
    """The p95 of ``seconds`` in milliseconds, and with it the p50."""
    p50, p95 = (quantile(seconds, share) * 1000 for share in (0.5, 0.95))
    details = {"p50": p50, "runs": len(seconds)}
    return Figure(f"{name}, p95", p95, "ms", at_most=at_most, details=details)


def table(title: str, figures: Sequence[Figure]) -> str:
    """``figures`` in columns, under ``title``: name, value with unit, target, note."""
    rows = [(f.name, _value(f), _target(f), _remarks(f)) for f in figures]
    sides = ["<" if isinstance(f.value, str) else ">" for f in figures]
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(3)]
    lines = [
        f"  {name:<{widths[0]}}  {value:{side}{widths[1]}}  {target:<{widths[2]}}  {note}".rstrip()
        for (name, value, target, note), side in zip(rows, sides, strict=True)
    ]
    return "\n".join([title, *lines, ""])


def _value(figure: Figure) -> str:
    if figure.value is None:
        return "-"
    shown = figure.value if isinstance(figure.value, str) else number(figure.value)
    return f"{shown} {figure.unit}".rstrip()


def _target(figure: Figure) -> str:
    for sign, target in (("≤", figure.at_most), ("≥", figure.at_least)):
        if target is not None:
            missed = isinstance(figure.value, int | float) and (
                figure.value > target if sign == "≤" else figure.value < target
            )
            return f"target {sign} {number(target)} {figure.unit}".rstrip() + (" (missed)" if missed else "")
    return ""


def _remarks(figure: Figure) -> str:
    details = [f"{name} {number(value)}" for name, value in figure.details.items()]
    return ", ".join([*details, figure.note] if figure.note else details)


def number(value: float) -> str:
    """``value`` with three significant digits, or all those before the point; more where it nears 1."""
    if isinstance(value, int) or value == 0 or not math.isfinite(value):
        return f"{value:,g}"
    if 0.99 <= value < 1:
        return f"{value:.5f}".rstrip("0")
    return f"{value:,.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"
