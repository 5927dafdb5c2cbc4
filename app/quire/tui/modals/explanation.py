"""Why this answer: how the question was understood, what was read, and what each score consists of."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from quire import contract
from quire.explanation import facts, reading, table
from quire.tui import actions
from quire.tui.inert import inert
from quire.tui.places import found
from quire.tui.widgets.sources import place_words
from quire_engine.records import Answer, Hit


class ExplanationModal(ModalScreen[None]):
    """The plan of an answer's search, the waves that were read, and the signals of every passage found."""

    BINDINGS = actions.bindings(actions.Owner.EXPLANATION)
    CSS_PATH = "explanation.tcss"

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self._answer = answer

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="explanation") as panel:
            panel.border_title = "Why this answer"
            panel.border_subtitle = "Esc closes"
            answer = contract.answer(self._answer)
            for label, words in (*facts(answer["plan"]), *reading(answer)):
                with Horizontal(classes="fact"):
                    yield Static(label, classes="label", markup=False)
                    yield Static(inert(words), classes="words", markup=False)
            for hit in self._answer.hits:
                yield Static(f"{hit.rank}. {place_words(found(hit))}", classes="place", markup=False)
                yield Static(_signals(hit), classes="signals", markup=False)

    def action_close(self) -> None:
        """Close the explanation."""
        self.dismiss()


def _signals(hit: Hit) -> str:
    lines = (*table(contract.hit(hit)), *(f"also at {duplicate}" for duplicate in hit.trace.duplicates))
    return "\n".join(map(inert, lines))
