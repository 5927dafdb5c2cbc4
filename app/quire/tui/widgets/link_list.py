"""The links of a note, and the notes that link to it."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from quire.tui import actions
from quire.tui.inert import squeezed
from quire.tui.messages import LinkedNote
from quire.tui.places import Place

_LABEL = 120


class LinkList(OptionList):
    """Links first, then backlinks; links that lead nowhere are shown and cannot be chosen."""

    BINDINGS = actions.bindings(actions.Owner.LINKS)

    def __init__(self) -> None:
        super().__init__(id="links", markup=False)
        self._places: list[Place | None] = []

    def show(self, links: Sequence[LinkedNote]) -> None:
        """List ``links``; without any the list takes no room."""
        self.clear_options()
        self._places = []
        for title, members in (
            ("Links", [link for link in links if not link.backlink]),
            ("Linked from", [link for link in links if link.backlink]),
        ):
            if not members:
                continue
            self._places.append(None)
            self.add_option(
                Option(Content.styled(f"{title} ({len(members)})", "bold $primary"), disabled=True)
            )
            for link in members:
                self._places.append(link.place)
                self.add_option(Option(_words(link), disabled=link.place is None))
        self.display = bool(links)
        self.highlighted = next((i for i, place in enumerate(self._places) if place is not None), None)

    def place(self, index: int) -> Place | None:
        """Where the option at ``index`` leads."""
        return self._places[index]


def _words(link: LinkedNote) -> Content:
    label = squeezed(link.text, _LABEL)
    if link.place is None:
        return Content.assemble("  ", label, ("  no such note", "$warning"))
    return Content.assemble("  " if not link.backlink else "← ", label)
