"""The main screen: questions, answers, and the passages that prove them."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Container
from textual.events import Key
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import Footer, Input, OptionList
from textual.worker import Worker

from quire.tui import actions, background
from quire.tui.inert import inert
from quire.tui.messages import AnswerEnded, AnswerFailed, AnswerProgressed, OpenPlace
from quire.tui.modals.explanation import ExplanationModal
from quire.tui.places import Place
from quire.tui.widgets.answer import AnswerView
from quire.tui.widgets.question import QuestionBox
from quire.tui.widgets.sources import SourceList
from quire.tui.widgets.status_bar import StatusBar
from quire_engine.records import Answer, AnswerStatus

if TYPE_CHECKING:
    from quire_engine import Engine


class AskScreen(Screen[None]):
    """Asks in a thread and shows what comes of it; one answer at a time."""

    OWNER = actions.Owner.ASK
    BINDINGS = actions.bindings(OWNER)
    CSS_PATH = "ask.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]  # noqa: RUF012 - the base class's type
    AUTO_FOCUS = "QuestionBox"

    answering: reactive[bool] = reactive(False, bindings=True)
    """Whether an answer is being made."""

    def __init__(self, engine: Engine, vault: str, status_bar: StatusBar) -> None:
        """``vault`` is the vault's name."""
        super().__init__()
        self._engine = engine
        self._vault = vault
        self._status_bar = status_bar
        self._number = 0
        """Of the latest question; reports on others come too late."""
        self._worker: Worker[None] | None = None
        self._shown: Answer | None = None
        """The answer on the screen, once it is complete."""
        self._conversation = background.NEW
        """That the next question belongs to."""

    def compose(self) -> ComposeResult:
        with Container(id="body"):
            yield AnswerView(self._vault)
            yield SourceList()
        yield QuestionBox()
        yield self._status_bar
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self._sources.empty()

    # -------------------------------------------------------------------------------------- asking

    @on(Input.Submitted, "#question")
    async def _asked(self, event: Input.Submitted) -> None:
        event.stop()
        question = event.value.strip()
        if not question:
            return
        if place := self._numbered(question):
            self._question.clear()
            self.post_message(OpenPlace(place))
            return
        self.query_one(QuestionBox).remember(question)
        self._stop_worker()
        self._number += 1
        self._sources.empty()
        self._shown = None
        self.answering = True
        await self._answer.begin(question, background.SEARCHING)
        work = partial(background.answer, self._engine, question, self._conversation, self._number)
        self._worker = self.run_worker(partial(work, self.post_message), thread=True, group="answer")

    @on(AnswerProgressed)
    async def _progressed(self, message: AnswerProgressed) -> None:
        if self._is_current(message.question):
            await self._answer.grow(message)
            if message.citations:
                self._sources.show_citations(message.citations)

    @on(AnswerEnded)
    async def _ended(self, message: AnswerEnded) -> None:
        if not self._is_current(message.question):
            return
        self.answering = False
        self._shown = answer = message.answer
        self._go_on_with(answer.conversation or background.NEW)
        for note in (*(answer.plan.query.notes if answer.plan else ()), *answer.notes):
            self.notify(inert(note), title="Question", severity="warning", markup=False)
        await self._answer.finish(answer)
        if answer.status is AnswerStatus.ABSTAINED:
            self._sources.show_hits(answer.hits)
        else:
            self._sources.show_citations(answer.citations)
        # Who has begun to type the next question goes on typing.
        if self.focused is self._question and not self._question.value and self._sources.places:
            self.set_focus(self._sources)
        self.refresh_bindings()

    @on(AnswerFailed)
    def _failed(self, message: AnswerFailed) -> None:
        if self._is_current(message.question):
            self.answering = False
            self._answer.stop(message.reason)

    def _go_on_with(self, conversation: str) -> None:
        self._conversation = conversation
        self._question.expect(follow_up=conversation != background.NEW)

    def _is_current(self, number: int) -> bool:
        return self.answering and number == self._number

    def _stop_worker(self) -> None:
        if self._worker is not None:
            self._worker.cancel()
            self._worker = None

    # ------------------------------------------------------------------------------------- actions

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        match action:
            case "cancel":
                return self.answering
            case "ask_again":
                return not self.answering and self.focused is not self._question
            case "new_conversation":
                return not self.answering
            case "explain":
                return self._shown is not None and self._shown.plan is not None
        return True

    def action_cancel(self) -> None:
        """Stop the answer that is being made, and keep what there is of it."""
        self._stop_worker()
        self.answering = False
        self._answer.stop("Cancelled.")
        self._question.focus()

    def action_ask_again(self) -> None:
        """Go to the question box."""
        self._question.focus()

    async def action_new_conversation(self) -> None:
        """Have the next question begin a conversation."""
        self._go_on_with(background.NEW)
        self._shown = None
        self._sources.empty()
        await self._answer.greet()
        self._question.focus()
        self.refresh_bindings()

    def action_explain(self) -> None:
        """Show what was read for the answer, and why."""
        if self._shown is not None:
            self.app.push_screen(ExplanationModal(self._shown))

    @on(OptionList.OptionSelected, "#sources")
    def _source_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.post_message(OpenPlace(self._sources.places[event.option_index]))

    @on(AnswerView.MarkChosen)
    def _mark_chosen(self, event: AnswerView.MarkChosen) -> None:
        if place := self._sources.place(event.n):
            self.post_message(OpenPlace(place))

    def foresee(self, event: Key) -> None:
        """Have what is typed outside the question box begin the next question.

        To be told of a key before any widget gets it: then the box gets this one and all that follow, in
        their order, however fast they come.
        """
        if (
            event.is_printable
            and self.focused is not self._question
            and event.key not in self.active_bindings
        ):
            self.set_focus(self._question)

    def _numbered(self, text: str) -> Place | None:
        """The passage whose number ``text`` is."""
        return self._sources.place(int(text)) if re.fullmatch("[1-9][0-9]?", text) else None

    # --------------------------------------------------------------------------------------- parts

    @property
    def _question(self) -> QuestionBox:
        return self.query_one(QuestionBox)

    @property
    def _answer(self) -> AnswerView:
        return self.query_one(AnswerView)

    @property
    def _sources(self) -> SourceList:
        return self.query_one(SourceList)
