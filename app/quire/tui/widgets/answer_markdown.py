"""Markdown for answers: their words come from notes, so everything in it that could act is inert."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Markdown
from textual.widgets._markdown import MarkdownTable, MarkdownTableContent
from textual.widgets.markdown import MarkdownFence

_MARK = re.compile(r"\[(\d{1,4})\]")
_SCHEME = "citation:"
_MARKS = r"[ \t]*((?:\[\d{1,4}\])+)[ \t]*$"
_ROW_MARKS = re.compile(r"^([ \t]*\|.*\S)[ \t]*\|" + _MARKS, re.MULTILINE)
_FENCE_MARKS = re.compile(r"^([ \t]*(?:`{3,}|~{3,}))" + _MARKS, re.MULTILINE)
_INERT_RULES = [
    "autolink",
    "entity",  # would bring back the characters that `inert_lines` has replaced
    "html_block",
    "html_inline",
    "image",
    "link",
    "reference",
]


def parser(numbers: Callable[[], Collection[int]]) -> MarkdownIt:
    """CommonMark with tables, without links, images, HTML and entities, which show as they are written.

    A mark ``[n]`` becomes a link to citation n when ``numbers()`` holds n. No other link can arise.
    """

    def citation_mark(state: StateInline, silent: bool) -> bool:
        match = _MARK.match(state.src, state.pos, state.posMax)
        if match is None or int(match[1]) not in numbers():
            return False
        if not silent:
            opening = state.push("link_open", "a", 1)
            opening.attrs = {"href": _SCHEME + match[1]}
            state.push("text", "", 0).content = match[0]
            state.push("link_close", "a", -1)
        state.pos = match.end()
        return True

    markdown = MarkdownIt("commonmark").enable(["table", "strikethrough"]).disable(_INERT_RULES)
    markdown.inline.ruler.before("link", "citation_mark", citation_mark)
    return markdown


def with_room_for_marks(text: str) -> str:
    """``text`` with its marks where Markdown shows them.

    What follows a table's row is cut off, so the marks move into its last cell; what follows a closing fence
    keeps it open, so they move below it.
    """
    return _FENCE_MARKS.sub(r"\1\n\n\2", _ROW_MARKS.sub(r"\1 \2 |", text))


def citation_number(href: str) -> int | None:
    """The number of the citation that a link of an answer leads to."""
    number = href.removeprefix(_SCHEME)
    return int(number) if number != href and number.isdecimal() else None


class _PlainFence(MarkdownFence):
    """Code without colours: guessing the language of hostile text is not worth its time."""

    @classmethod
    def highlight(cls, code: str, language: str, ansi: bool = False, dark: bool = False) -> Content:
        return Content(code)


class _TableContent(MarkdownTableContent):
    def compose(self) -> ComposeResult:
        for cell in super().compose():
            cell.tooltip = None  # a cell's tooltip would be parsed as markup
            yield cell


class _Table(MarkdownTable):
    def compose(self) -> ComposeResult:
        self._headers, self._rows = self._get_headers_and_rows()
        yield _TableContent(self._headers, self._rows)


class AnswerMarkdown(Markdown):
    """Shows an answer while it grows."""

    BLOCKS = {  # noqa: RUF012 - the base class's type
        **Markdown.BLOCKS,
        "fence": _PlainFence,
        "code_block": _PlainFence,
        "table_open": _Table,
    }

    def __init__(self) -> None:
        super().__init__(id="text", parser_factory=lambda: parser(lambda: self.numbers), open_links=False)
        self.numbers: frozenset[int] = frozenset()
        """The citations that marks may refer to."""
