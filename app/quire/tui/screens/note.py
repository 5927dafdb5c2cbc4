"""A note as it is now, with the cited lines standing out and its links beside it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult, SuspendNotSupported
from textual.containers import Container
from textual.content import Content
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import Footer, OptionList, Static

from quire.tui import actions, background, editor
from quire.tui.inert import inert
from quire.tui.messages import NoteFailed, NoteRead, OpenPlace
from quire.tui.places import Passage, Place
from quire.tui.widgets.link_list import LinkList
from quire.tui.widgets.note_text import NoteText
from quire.tui.widgets.sources import heading_words
from quire.tui.widgets.status_bar import StatusBar

if TYPE_CHECKING:
    from quire_engine import Engine


class NoteScreen(Screen[None]):
    """Reads the note in a thread and shows it."""

    OWNER = actions.Owner.NOTE
    BINDINGS = actions.bindings(OWNER)
    CSS_PATH = "note.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]  # noqa: RUF012 - the base class's type
    AUTO_FOCUS = "NoteText"

    loaded: reactive[bool] = reactive(False, bindings=True)
    """Whether there is a note to do something with."""

    def __init__(self, engine: Engine, folder: Path, place: Place, status_bar: StatusBar) -> None:
        """``folder`` is the vault's."""
        super().__init__()
        self._engine = engine
        self._folder = folder
        self._place = place
        self._status_bar = status_bar

    def compose(self) -> ComposeResult:
        yield Static(_title(self._place, None), id="title")
        yield Static("", id="notice", markup=False)
        with Container(id="body"):
            yield NoteText()
            yield LinkList()
        yield self._status_bar
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self._notice("")
        self._links.show(())
        self._read()

    def _read(self) -> None:
        work = partial(background.read_note, self._engine, self._place, self.post_message)
        self.run_worker(work, thread=True, group="note", exclusive=True)

    @on(NoteRead)
    def _show(self, message: NoteRead) -> None:
        self._notice("")
        self._links.show(message.links)
        self.query_one("#title", Static).update(_title(self._place, message.passage))
        if message.passage is None and (self._place.quote or self._place.subpath):
            self._notice("What was cited is no longer in this note; it may have been changed since.")
        # The links take room from the text, which is wrapped to what is left.
        self.call_after_refresh(self._text.show, message.note, message.passage)
        self.loaded = True

    @on(NoteFailed)
    def _failed(self, message: NoteFailed) -> None:
        self._notice(message.reason)
        self.loaded = False

    def _notice(self, words: str) -> None:
        notice = self.query_one("#notice", Static)
        notice.update(inert(words))
        notice.display = bool(words)

    # ------------------------------------------------------------------------------------- actions

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        match action:
            case "cited_lines":
                return self.loaded and self._text.passage is not None
            case "links":
                return self.loaded and self._links.display
            case "edit":
                return self.loaded and editor.chosen() is not None
        return True

    def action_back(self) -> None:
        """Leave the note."""
        self.dismiss()

    def action_cited_lines(self) -> None:
        """Scroll back to what stands out."""
        self._text.scroll_to_passage()
        self._text.focus()

    def action_links(self) -> None:
        """Go to the links, or from there back to the text."""
        (self._text if self.focused is self._links else self._links).focus()

    def action_edit(self) -> None:
        """Open the note in the user's editor, then show what has become of it."""
        chosen = editor.chosen()
        if chosen is None:
            return
        passage = self._text.passage
        line = passage.start_line if passage is not None else self._text.top_line
        try:
            with self.app.suspend():
                problem = editor.edit(chosen, self._folder / self._place.path, line)
        except SuspendNotSupported:
            problem = "an editor cannot be opened from this terminal"
        if problem:
            self._notice(problem)
            return
        self._read()

    @on(OptionList.OptionSelected, "#links")
    def _link_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        place = self._links.place(event.option_index)
        if place is not None:
            self.post_message(OpenPlace(place))

    # --------------------------------------------------------------------------------------- parts

    @property
    def _text(self) -> NoteText:
        return self.query_one(NoteText)

    @property
    def _links(self) -> LinkList:
        return self.query_one(LinkList)


def _title(place: Place, passage: Passage | None) -> Content:
    title = Content.styled(inert(place.path), "bold $primary")
    if passage is not None:
        lines = f":{passage.start_line}"
        if passage.end_line > passage.start_line:
            lines += f"-{passage.end_line}"
        title += Content.styled(lines, "bold $accent")
    if headings := heading_words(place):
        title += Content.styled(f" › {headings}", "$foreground 70%")
    return title
