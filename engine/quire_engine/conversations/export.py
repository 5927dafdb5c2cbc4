"""A conversation as a Markdown note, whose citations are links that Obsidian follows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import PurePosixPath
from urllib.parse import quote

from quire_engine.records import AnswerStatus, Citation, Conversation, Turn

_MARK = re.compile(r"\[(\d+)\]")
_ACTIVE = re.compile(r"([\\`*_\[\]<>#|~^$%=!&{}])")
_LINE_START = re.compile(r"^([^\S\n]*+)([-+]|\d+[.)])(?=\s)", re.MULTILINE)
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_NO_HEADING = re.compile(r"[#|^:%\[\]\\]")
_NO_TARGET = re.compile(r"[\[\]|#^]|%%")


def export_markdown(conversation: Conversation) -> str:
    """``conversation`` as Markdown: questions as headings, answers as text, proofs as links and quotes.

    Citations are wikilinks to the heading that the quote stands under (``[[path#heading|1]]``), for which the
    exported note must lie in the vault; where a path cannot be written so, an ordinary Markdown link. Text of
    questions and quotes is escaped: it renders as it was, and links to and embeds nothing. In answers what
    looks like HTML or an embed is.
    """
    return "\n".join(_lines(conversation)).rstrip("\n") + "\n"


def _lines(conversation: Conversation) -> Iterator[str]:
    yield f"# {_escaped(conversation.title)}"
    yield ""
    yield f"Quire, {_day(conversation.started)}, conversation {conversation.id}"
    for turn in conversation.turns:
        yield ""
        yield f"## {_escaped(turn.question)}"
        yield ""
        if turn.standalone:
            yield f"*Understood as: {_escaped(turn.standalone)}*"
            yield ""
        yield _answer(turn)
        if turn.status is AnswerStatus.PARTIAL:
            yield ""
            yield "*Only partly supported.*"
        for citation in turn.citations:
            yield ""
            yield from _proof(citation)


def _answer(turn: Turn) -> str:
    """The answer's text with its marks as links; its own Markdown is kept, but for what would be active."""
    proofs = {citation.n: citation for citation in turn.citations}
    text = _UNSEEN.sub(" ", turn.text)
    pieces: list[str] = []
    position = 0
    for mark in _MARK.finditer(text):
        citation = proofs.get(int(mark[1])) if len(mark[1]) < 6 else None
        pieces.append(_inactive(text[position : mark.start()]))
        pieces.append(_link(citation, mark[1]) if citation else _inactive(mark[0]))
        position = mark.end()
    pieces.append(_inactive(text[position:]))
    return "".join(pieces)


def _inactive(text: str) -> str:
    """Markdown that fetches, runs and hides nothing: embeds, HTML, comments and templates become text."""
    text = text.replace("<", "\\<").replace("![", "\\!\\[").replace("%%", "\\%\\%")
    text = text.replace("```", "\\`\\`\\`").replace("{{", "\\{\\{")
    text = re.sub(r"(?:(?<=\s)|^)#(?=\w)", r"\#", text)  # a tag would be the exported note's
    return re.sub(r"(?m)^([^\S\n]*+)(---|===|#{1,6}\s)", r"\1\\\2", text)


def _proof(citation: Citation) -> Iterator[str]:
    lines = (
        f"line {citation.start_line}"
        if citation.start_line == citation.end_line
        else f"lines {citation.start_line}-{citation.end_line}"
    )
    file = f"[{_escaped(citation.path)}]({_address(citation.path)})"  # for readers who know no wikilinks
    where = " › ".join((file, *map(_escaped, citation.headings)))
    yield f"> {_link(citation, str(citation.n))} {where}, {lines}"
    yield ">"
    for line in _escaped(citation.quote, lines=True).split("\n"):
        yield f"> {line}".rstrip()


def _link(citation: Citation, shown: str) -> str:
    path = citation.path
    if _NO_TARGET.search(path) or not path.isprintable():
        return f"[\\[{shown}\\]]({_address(path)})"
    heading = " ".join(_NO_HEADING.sub(" ", citation.headings[-1]).split()) if citation.headings else ""
    heading = _UNSEEN.sub(" ", heading)
    suffix = PurePosixPath(path).suffix.lower()
    target = path[: -len(suffix)] if suffix == ".md" else path
    # Obsidian finds a heading by its words; one whose words are all marks cannot be linked to.
    place = f"#{heading}" if heading and suffix == ".md" else ""
    return f"[[{target}{place}|{shown}]]"


def _address(path: str) -> str:
    return quote(path.encode("utf-8", "surrogateescape"))


def _escaped(text: str, *, lines: bool = False) -> str:
    """``text`` as it reads, on one line unless it may have ``lines``: nothing in it is markup."""
    text = _UNSEEN.sub(" ", text)
    # What is indented is code, in which nothing can be escaped.
    text = re.sub(r"(?m)^[ \t]+", "", text) if lines else " ".join(text.split())
    text = _ACTIVE.sub(r"\\\1", text)
    return _LINE_START.sub(lambda m: f"{m[1]}{m[2][:-1]}\\{m[2][-1]}", text)


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().date().isoformat()
