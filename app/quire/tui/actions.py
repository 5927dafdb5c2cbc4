"""The one list of what the user can do: key bindings, footer, help and palette are made from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from textual.binding import Binding, BindingType


class Owner(Enum):
    """Whose method ``action_<name>`` an action is; the value heads its group in the help."""

    APP = "Everywhere"
    QUESTION = "In the question box"
    ASK = "Questions and answers"
    SOURCES = "In the list of passages"
    NOTE = "In a note"
    LINKS = "In the list of links"
    EXPLANATION = "In an explanation"
    HELP = "In this help"


@dataclass(frozen=True, slots=True)
class Action:
    """Something the user can do."""

    name: str
    owner: Owner
    title: str
    """What the footer and the palette call it."""
    help: str
    keys: tuple[str, ...] = ()
    """As Textual names them."""
    shown: str = ""
    """The keys as people read them."""
    footer: bool = False
    palette: bool = False
    priority: bool = False
    """Whether the keys work whatever has the focus, a dialog included."""

    def bindings(self) -> list[Binding]:
        """A binding for every key; at most the first stands in the footer."""
        return [
            Binding(
                key,
                self.name,
                self.title,
                show=self.footer and key == self.keys[0],
                key_display=self.shown.split(" ")[0],
                priority=self.priority,
            )
            for key in self.keys
        ]


ACTIONS: tuple[Action, ...] = (
    Action(
        "submit",
        Owner.QUESTION,
        "Ask",
        "Ask the question; a passage's number opens that passage.",
        ("enter",),
        "Enter",
        footer=True,
    ),
    Action(
        "older",
        Owner.QUESTION,
        "Earlier",
        "Bring back an earlier question of this session.",
        ("up",),
        "↑",
        footer=True,
    ),
    Action("newer", Owner.QUESTION, "Later", "Go on to a later question, and to your draft.", ("down",), "↓"),
    Action(
        "cancel",
        Owner.ASK,
        "Cancel",
        "Cancel the answer that is being made.",
        ("escape",),
        "Esc",
        footer=True,
    ),
    Action(
        "ask_again",
        Owner.ASK,
        "Ask again",
        "Go to the question box; typing does it too.",
        ("escape", "slash"),
        "Esc /",
        footer=True,
        palette=True,
    ),
    Action(
        "new_conversation",
        Owner.ASK,
        "New",
        "Begin a new conversation; until then, questions go on with the one before.",
        ("ctrl+n",),
        "^n",
        footer=True,
        palette=True,
    ),
    Action(
        "explain",
        Owner.ASK,
        "Why",
        "Show how the question was understood, what was read, and why these passages were found.",
        ("f2",),
        "F2",
        footer=True,
        palette=True,
    ),
    Action(
        "select",
        Owner.SOURCES,
        "Open",
        "Open the passage where it stands in its note.",
        ("enter",),
        "Enter",
        footer=True,
    ),
    Action("back", Owner.NOTE, "Back", "Leave the note.", ("escape",), "Esc", footer=True, palette=True),
    Action(
        "cited_lines",
        Owner.NOTE,
        "Passage",
        "Scroll back to the highlighted lines.",
        ("c",),
        "c",
        footer=True,
        palette=True,
    ),
    Action(
        "links",
        Owner.NOTE,
        "Links",
        "Go to the list of links, and from there back to the text.",
        ("l",),
        "l",
        footer=True,
        palette=True,
    ),
    Action(
        "edit",
        Owner.NOTE,
        "Edit",
        "Open the note in $VISUAL or $EDITOR, at the line in view.",
        ("e",),
        "e",
        footer=True,
        palette=True,
    ),
    Action("select", Owner.LINKS, "Follow", "Open the note that the link leads to.", ("enter",), "Enter"),
    Action("close", Owner.EXPLANATION, "Close", "Close the explanation.", ("escape", "f2"), "Esc F2"),
    Action("close", Owner.HELP, "Close", "Close the help.", ("escape", "f1", "question_mark"), "Esc F1 ?"),
    Action("focus_next", Owner.APP, "Next part", "Go to the next part of the screen.", ("tab",), "Tab"),
    Action("focus_previous", Owner.APP, "Previous part", "Go to the previous part.", ("shift+tab",), "⇧Tab"),
    Action("change_theme", Owner.APP, "Change the theme", "Choose other colours.", palette=True),
    Action(
        "command_palette",
        Owner.APP,
        "Palette",
        "Open a note by name, or do any of this.",
        ("ctrl+p",),
        "^p",
        footer=True,
    ),
    Action(
        "help",
        Owner.APP,
        "Help",
        "Show this list.",
        ("f1", "question_mark"),
        "F1 ?",
        footer=True,
        palette=True,
    ),
    Action(
        "quit", Owner.APP, "Quit", "Leave Quire.", ("ctrl+q",), "^q", footer=True, palette=True, priority=True
    ),
)


def of(owner: Owner) -> list[Action]:
    """The owner's actions, in the order of the list."""
    return [action for action in ACTIONS if action.owner is owner]


def bindings(owner: Owner) -> list[BindingType]:
    """The owner's key bindings, for its ``BINDINGS``."""
    return [binding for action in of(owner) for binding in action.bindings()]
