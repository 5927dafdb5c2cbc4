"""The answer: the question, how it stands, and the text while it is being made."""

from __future__ import annotations

from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widgets import Markdown, Static

from quire.tui.inert import inert, inert_lines
from quire.tui.widgets.answer_markdown import AnswerMarkdown, citation_number, with_room_for_marks
from quire_engine.records import Answer, AnswerStatus, Citation

_STATES = ("-busy", "-supported", "-partial", "-abstained", "-stopped")


class AnswerView(VerticalScroll):
    """Shows one answer; `AnswerView.MarkChosen` tells that one of its marks was clicked."""

    @dataclass
    class MarkChosen(Message):
        """The user clicked a mark ``[n]``."""

        n: int

    def __init__(self, vault: str) -> None:
        """``vault`` is the vault's name, for the greeting."""
        super().__init__(id="answer")
        self._vault = inert(vault)
        self._text = ""

    def compose(self) -> ComposeResult:
        yield Static(f"Ask a question about the notes in {self._vault}.", id="asked", markup=False)
        yield Static(
            "The answer comes with citations; open one to see the passage where it stands.",
            id="state",
            markup=False,
        )
        yield AnswerMarkdown()

    async def begin(self, question: str, stage: str) -> None:
        """Make room for the answer to ``question``."""
        self._text = ""
        self.query_one("#asked", Static).update(inert(question))
        self._state("-busy", stage)
        markdown = self.query_one(AnswerMarkdown)
        markdown.numbers = frozenset()
        await markdown.update("")
        self.scroll_home(animate=False)

    async def grow(self, text: str, citations: tuple[Citation, ...], stage: str) -> None:
        """Show the answer so far; ``text`` continues what is shown."""
        self._state("-busy", stage)
        await self._append(text, citations)

    async def finish(self, answer: Answer) -> None:
        """Show the whole answer and what it is worth."""
        await self._append(answer.text, answer.citations)
        self._state(f"-{answer.status.value}", verdict(answer))

    def stop(self, reason: str) -> None:
        """Say why there will be no more."""
        self._state("-stopped", inert(reason))

    async def _append(self, text: str, citations: tuple[Citation, ...]) -> None:
        new = text[len(self._text) :]
        self._text = text
        if new:
            markdown = self.query_one(AnswerMarkdown)
            markdown.numbers = frozenset(citation.n for citation in citations)
            await markdown.append(with_room_for_marks(inert_lines(new)))

    def _state(self, state: str, words: str) -> None:
        line = self.query_one("#state", Static)
        line.update(words)
        for other in _STATES:
            line.set_class(other == state, other)

    @on(Markdown.LinkClicked)
    def _mark_clicked(self, event: Markdown.LinkClicked) -> None:
        event.stop()
        number = citation_number(event.href)
        if number is not None:
            self.post_message(self.MarkChosen(number))


def verdict(answer: Answer) -> str:
    """What an answer is worth, in words."""
    match answer.status:
        case AnswerStatus.SUPPORTED:
            words = "Supported: every sentence has a verified citation."
        case AnswerStatus.PARTIAL:
            words = "Only partly supported: what the notes do not prove was left out."
            if answer.model == "extractive":
                words = "Only partly supported: the nearest sentences, which may not answer the question."
        case AnswerStatus.ABSTAINED:
            words = "No evidence."
            if answer.hits:
                words += " The nearest passages are listed, in case one of them helps."
    if answer.incomplete:
        words += " The index was incomplete, so something may be missing."
    return words
