"""One line on the vault, the index and the model."""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from quire.tui.inert import inert
from quire_engine.records import IndexStatus, SyncProgress

_STAGES = {
    "scan": ("looking for changes", "notes"),
    "index": ("reading notes", "notes"),
    "keywords": ("updating keywords", "passages"),
    "model": ("loading the model", ""),
    "embed": ("embedding", "passages"),
}
_BAR_CELLS = 12
_ROOMY = 100
"""Columns from which there is room for a bar."""


class StatusBar(Widget):
    """Shows the vault, what its index holds or how far it is, and what answers."""

    DEFAULT_CSS = """
    StatusBar {
        height: 1;
        padding: 0 1;
        background: $panel;
        color: $foreground 80%;
    }
    """

    status: reactive[IndexStatus | None] = reactive(None)
    progress: reactive[SyncProgress | None] = reactive(None)
    problem: reactive[str] = reactive("")
    """What keeps the index from being brought up to date; empty when nothing does."""

    def __init__(self, vault: str) -> None:
        """``vault`` is the vault's name."""
        super().__init__()
        self._vault = inert(vault)

    def render(self) -> Content:
        width = self.content_size.width
        model = self._model()
        room = max(0, width - len(model) - 2)
        left = Content.assemble((self._vault, "bold"), "  ", self._index(width)).truncate(room, ellipsis=True)
        gap = max(0, width - left.cell_length - Content(model).cell_length)
        return Content.assemble(left, " " * gap, (model, "$accent"))

    def _model(self) -> str:
        if self.status is None:
            return ""
        return inert(self.status.answer_model or "extractive")

    def _index(self, width: int) -> Content:
        if self.progress is not None:
            return Content(progress_words(self.progress, bar=width >= _ROOMY))
        if self.problem:
            return Content.styled(inert(self.problem), "$warning")
        if self.status is None:
            return Content("opening the index…")
        counts = f"{self.status.notes:,} notes · {self.status.chunks:,} passages"
        if self.status.skipped:
            counts += f" · {len(self.status.skipped):,} skipped"
        if self.status.pending:
            counts += f" · {self.status.pending:,} waiting for the model"
        return Content(counts)


def progress_words(progress: SyncProgress, *, bar: bool = False) -> str:
    """How far a sync is: stage, count, rate and time left, as far as they are known."""
    stage, unit = _STAGES[progress.stage]
    words = stage
    if progress.total:
        if bar:
            filled = min(_BAR_CELLS, progress.done * _BAR_CELLS // progress.total)
            words += " " + "━" * filled + "╌" * (_BAR_CELLS - filled)
        words += f" {progress.done:,}/{progress.total:,}"
    elif progress.done:
        words += f" {progress.done:,}"
    if progress.rate > 0 and unit:
        words += f" · {progress.rate:,.0f} {unit}/s"
    if progress.seconds_left is not None:
        words += f" · {_duration(progress.seconds_left)} left"
    return words


def _duration(seconds: float) -> str:
    whole = max(0, round(seconds))
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d}"
    return f"{whole // 60}:{whole % 60:02d}"
