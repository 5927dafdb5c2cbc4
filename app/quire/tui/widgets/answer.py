"""The answer: the question, how it stands, and the text while it is being made."""

from __future__ import annotations

from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widgets import Markdown, Static

from quire.tui.inert import inert, inert_lines
from quire.tui.messages import AnswerProgressed
from quire.tui.widgets.answer_markdown import AnswerMarkdown, citation_number, with_room_for_marks
from quire_engine.quantities import counted
from quire_engine.records import Answer, AnswerStatus, Citation, Wave

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
        for part in ("asked", "understood", "state", "reading"):
            yield Static("", id=part, markup=False)
        yield AnswerMarkdown()

    async def on_mount(self) -> None:
        await self.greet()

    async def greet(self) -> None:
        """Say what can be done here, instead of an answer."""
        how = "The answer comes with citations; open one to see the passage where it stands."
        await self._empty(f"Ask a question about the notes in {self._vault}.")
        self._state("", how)

    async def begin(self, question: str, stage: str) -> None:
        """Make room for the answer to ``question``."""
        await self._empty(inert(question))
        self._state("-busy", stage)

    async def _empty(self, head: str) -> None:
        self._text = ""
        self.query_one("#asked", Static).update(head)
        self._understood("")
        self._read(())
        markdown = self.query_one(AnswerMarkdown)
        markdown.numbers = frozenset()
        await markdown.update("")
        self.scroll_home(animate=False)

    async def grow(self, progress: AnswerProgressed) -> None:
        """Show the answer so far; its text continues what is shown."""
        self._state("-busy", inert(progress.stage))
        self._understood(progress.standalone)
        self._read(progress.waves)
        await self._append(progress.text, progress.citations)

    async def finish(self, answer: Answer) -> None:
        """Show the whole answer and what it is worth."""
        self._understood(answer.standalone)
        self._read(answer.waves)
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

    def _understood(self, standalone: str) -> None:
        self._line("#understood", f"understood as: {inert(standalone)}" if standalone else "")

    def _read(self, waves: tuple[Wave, ...]) -> None:
        self._line("#reading", reading(waves))

    def _line(self, part: str, words: str) -> None:
        line = self.query_one(part, Static)
        line.update(words)
        line.display = bool(words)

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


def reading(waves: tuple[Wave, ...]) -> str:
    """What was read for an answer, on one line; empty when nothing was."""
    if not waves:
        return ""
    loads = ", ".join(f"{wave.chunks} {wave.tier}" for wave in waves)
    tokens = counted(sum(wave.tokens for wave in waves), "token")
    return f"read {loads}: {tokens}, sufficiency {waves[-1].sufficiency:.2f}"


def verdict(answer: Answer) -> str:
    """What an answer is worth, in words."""
    match answer.status:
        case AnswerStatus.SUPPORTED:
            words = "Supported: every sentence has a verified citation."
        case AnswerStatus.PARTIAL:
            words = "Only partly supported: what the notes do not prove was left out."
            if answer.model == "extractive":
                words = "Only partly supported: these sentences come nearest and may not answer the question."
        case AnswerStatus.ABSTAINED:
            words = "No evidence."
            if answer.hits:
                words += " The nearest passages are listed, in case one of them helps."
    if answer.incomplete:
        words += " The index was incomplete, so something may be missing."
    return words
