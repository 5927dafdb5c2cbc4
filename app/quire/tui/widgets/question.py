"""The question box, which remembers what was asked in this session."""

from __future__ import annotations

from textual.widgets import Input

from quire.tui import actions

_FIRST = "Ask your notes"
_FOLLOW_UP = "Ask a follow-up"


class QuestionBox(Input):
    """An input line with a history: up goes back, down comes forward and ends at the draft."""

    BINDINGS = actions.bindings(actions.Owner.QUESTION)

    def __init__(self) -> None:
        super().__init__(placeholder=_FIRST, id="question", select_on_focus=False)
        self._asked: list[str] = []
        self._position = 0
        """In ``_asked``; one past its end means the draft."""
        self._draft = ""

    def expect(self, *, follow_up: bool) -> None:
        """Say whether the next question goes on with a conversation."""
        self.placeholder = _FOLLOW_UP if follow_up else _FIRST

    def remember(self, question: str) -> None:
        """Add a question to the history and start a new draft."""
        if not self._asked or self._asked[-1] != question:
            self._asked.append(question)
        self._position = len(self._asked)
        self._draft = ""
        self.clear()

    def action_older(self) -> None:
        """Show the question before."""
        self._show(self._position - 1)

    def action_newer(self) -> None:
        """Show the question after, and after the last one the draft."""
        self._show(self._position + 1)

    def _show(self, position: int) -> None:
        if not 0 <= position <= len(self._asked):
            return
        if self._position == len(self._asked):
            self._draft = self.value
        self._position = position
        self.value = self._draft if position == len(self._asked) else self._asked[position]
        self.action_end()
