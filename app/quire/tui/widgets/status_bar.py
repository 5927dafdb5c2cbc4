"""One line on the vault, the index and the model."""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from quire.tui.inert import inert
from quire_engine.records import IndexStatus, SyncProgress

_STAGES = {
    "scan": "looking for changes",
    "index": "reading notes",
    "keywords": "updating keywords",
    "model": "loading the model",
    "embed": "embedding",
}
_SEARCHABLE = "all notes searchable"
"""Said of the stages that come after the keywords."""
_BAR_CELLS = 12


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
        vault = Content.styled(self._vault, "bold").truncate(max(12, room // 3), ellipsis=True)
        index = self._index(room - vault.cell_length - 2)
        left = Content.assemble(vault, "  ", index).truncate(room, ellipsis=True)
        gap = max(0, width - left.cell_length - Content(model).cell_length)
        return Content.assemble(left, " " * gap, (model, "$accent"))

    def _model(self) -> str:
        if self.status is None:
            return ""
        return inert(self.status.answer_model or "extractive")

    def _index(self, room: int) -> Content:
        if self.progress is not None:
            return Content(progress_words(self.progress, room))
        if self.problem:
            return Content.styled(inert(self.problem), "$warning")
        if self.status is None:
            return Content("opening the index…")
        if elsewhere := self.status.indexing or self.status.embedding:
            return Content(progress_words(elsewhere, room))
        counts = f"{self.status.notes:,} notes · {self.status.chunks:,} passages"
        if self.status.skipped:
            counts += f" · {len(self.status.skipped):,} skipped"
        return Content(counts)


def progress_words(progress: SyncProgress, room: int) -> str:
    """How far a watch is: stage, count, rate and time left, as far as they are known, in ``room`` cells.

    What matters least is left out first; the stage and the time left stay even when there is no room.
    """
    done, total = progress.done, progress.total
    stage = _STAGES[progress.stage]
    searchable = _SEARCHABLE if progress.stage in ("model", "embed") else ""
    rate = f"{progress.rate:,.0f} passages/s" if progress.stage == "embed" and progress.rate > 0 else ""
    left = f"{_duration(progress.seconds_left)} left" if progress.seconds_left is not None else ""
    drawn = counted = shared = stage
    if total:
        filled = min(_BAR_CELLS, done * _BAR_CELLS // total)
        counted = f"{stage} {done:,}/{total:,}"
        drawn = f"{stage} {'━' * filled}{'╌' * (_BAR_CELLS - filled)} {done:,}/{total:,}"
        shared = f"{stage} {min(100, done * 100 // total)} %"
    forms = (
        (searchable, drawn, rate, left),
        (searchable, counted, rate, left),
        (searchable, counted, left),
        (searchable, shared, left),
        (shared, left),
    )
    lines = [" · ".join(filter(None, form)) for form in forms]
    return next((line for line in lines if len(line) <= room), lines[-1])


def _duration(seconds: float) -> str:
    whole = max(0, round(seconds))
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d}"
    return f"{whole // 60}:{whole % 60:02d}"
