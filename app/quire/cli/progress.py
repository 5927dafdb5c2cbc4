"""How far long work is: one line that redraws itself on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from quire import contract
from quire.cli.diagnostics import Diagnostics
from quire.cli.quantities import duration, size
from quire.contract import Json

if TYPE_CHECKING:
    from quire_engine.records import SyncProgress

_REDRAW_SECONDS = 0.1
_BAR_CELLS = 24
_LABELS = {
    "scan": ("looking for changes", "notes"),
    "index": ("reading notes", "notes"),
    "keywords": ("updating the keyword index", "chunks"),
    "model": ("loading the embedding model", ""),
    "embed": ("embedding", "chunks"),
}


class Progress:
    """Shows progress on a terminal from ``delay`` seconds after its start on.

    Elsewhere a line is written for every tenth of a stage, from ``log_delay`` seconds on: a log needs no
    word about what is quickly done.
    """

    def __init__(self, diagnostics: Diagnostics, *, delay: float = 0.0, log_delay: float = 5.0) -> None:
        self._diagnostics = diagnostics
        self._start = time.monotonic()
        self._delay = delay if diagnostics.terminal else max(delay, log_delay)
        self._drawn = 0.0
        self._logged: dict[str, int] = {}
        self._transfer_start: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._diagnostics.clear()

    def sync(self, event: SyncProgress) -> None:
        """Show a step of a sync."""
        self.step(contract.progress(event))

    def step(self, event: Json) -> None:
        """Show a step of a sync that another process tells of."""
        label, done, total = _LABELS[event["stage"]][0], event["done"], event["total"]
        self._show(label, done, total, step_details(event))

    def count(self, label: str, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` things are done."""
        left = self._seconds_left(done, total)
        details = f"{done:,}/{total:,}" + (f"  {duration(left)} left" if left is not None else "")
        self._show(label, done, total, details)

    def transfer(self, label: str, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` bytes have arrived."""
        if self._transfer_start is None:
            self._transfer_start = time.monotonic()
        seconds = time.monotonic() - self._transfer_start
        details = f"{size(done)} of {size(total)}" if total else size(done)
        if seconds > 1 and done:
            details += f"  {size(int(done / seconds))}/s"
            if total:
                details += f"  {duration((total - done) * seconds / done)} left"
        self._show(label, done, total, details)

    def _seconds_left(self, done: int, total: int) -> float | None:
        elapsed = time.monotonic() - self._start
        return (total - done) * elapsed / done if done and elapsed > 1 else None

    def _show(self, label: str, done: int, total: int, details: str) -> None:
        now = time.monotonic()
        if now - self._start < self._delay:
            return
        if not self._diagnostics.terminal:
            self._log(label, done, total, details)
        elif now - self._drawn >= _REDRAW_SECONDS:
            self._drawn = now
            share = f"  {bar(done, total)} {_percent(done, total):3d} %" if total else ""
            self._diagnostics.transient(f"{label}{share}  {details}".rstrip())

    def _log(self, label: str, done: int, total: int, details: str) -> None:
        tenth = _percent(done, total) // 10
        if total and tenth > self._logged.get(label, 0):
            self._logged[label] = tenth
            self._diagnostics.note(f"{label}: {_percent(done, total)} %  {details}".rstrip())


def step_details(event: Json) -> str:
    """Counts, rate and time left of a step, as far as they are known."""
    unit, done, total = _LABELS[event["stage"]][1], event["done"], event["total"]
    details = []
    if total:
        details.append(f"{done:,}/{total:,}")
    elif done:
        details.append(f"{done:,}")
    if event["rate"] > 0 and unit:
        details.append(f"{event['rate']:,.0f} {unit}/s")
    if event["seconds_left"] is not None:
        details.append(f"{duration(event['seconds_left'])} left")
    return "  ".join(details)


def _percent(done: int, total: int) -> int:
    return min(100, done * 100 // total) if total > 0 else 0


def bar(done: int, total: int) -> str:
    """A bar of fixed width, filled as far as ``done`` of ``total`` reaches."""
    filled = min(_BAR_CELLS, done * _BAR_CELLS // total) if total > 0 else 0
    return "━" * filled + "╌" * (_BAR_CELLS - filled)
