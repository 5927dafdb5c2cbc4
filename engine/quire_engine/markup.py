"""From Markdown to the words a reader sees; every pattern is linear in the length of its input."""

from __future__ import annotations

import re

_COMMENT = re.compile(r"%%.*?(?:%%|\Z)|<!--.*?(?:-->|\Z)", re.DOTALL)
_WIKILINK = re.compile(r"!?\[\[([^\[\]\n|]{1,500})(?:\|([^\[\]\n]{1,500}))?\]\]")
_LINK = re.compile(
    r"!?\[([^\[\]\n]{0,1000})\]\((?:<[^<>\n]{0,2000}>|[^()\s]{0,2000})(?:\s+\"[^\"\n]{0,500}\")?\)"
)
_BLOCK_ID = re.compile(r"[ \t]\^[A-Za-z0-9-]{1,64}[ \t]*$|^\^[A-Za-z0-9-]{1,64}[ \t]*$", re.MULTILINE)
_LAST_BLOCK_ID = re.compile(r"(?:\s|^)\^[A-Za-z0-9-]{1,64}\s*\Z")
_TABLE_RULE = re.compile(r"^[ \t]*+\|?+[ \t]*+:?+-{2,}+[ \t:|-]*+$", re.MULTILINE)
_LINE_START = re.compile(
    r"^[ \t]{0,64}(?:>[ \t]?)+|^[ \t]{0,64}(?:[-*+]|\d{1,9}[.)])[ \t]+(?:\[.\][ \t]+)?", re.MULTILINE
)
_CALLOUT = re.compile(r"^[ \t]*\[!([A-Za-z-]{1,40})\][+-]?[ \t]*", re.MULTILINE)
_EMPHASIS = re.compile(
    r"(?<![\\\w])(?:\*{1,3}|_{1,3}|~~|==)(?=\S)|(?<=\S)(?:\*{1,3}|_{1,3}|~~|==)(?!\w)|`{1,3}"
)
_HEADING = re.compile(r"^#{1,6}[ \t]+", re.MULTILINE)
_FOOTNOTE = re.compile(r"\[\^[^\]\s]{1,64}\]:?")
_SPACES = re.compile(r"[ \t]+")


def without_block_id(text: str) -> str:
    """``text`` without the block id at its very end, if it has one."""
    match = _LAST_BLOCK_ID.search(text)
    return text[: match.start()] if match else text


def plain(text: str) -> str:
    """``text`` without Markdown and Obsidian syntax: link texts without targets, no comments, no markers.

    Lines are kept apart; for search and display, never for quoting.
    """
    if "%%" in text or "<!--" in text:
        text = _COMMENT.sub(" ", text)
    if "[" in text:
        text = _WIKILINK.sub(lambda m: m.group(2) or m.group(1).replace("#", " ").replace("^", ""), text)
        text = _LINK.sub(r"\1", text)
        text = _FOOTNOTE.sub("", text)
    if "^" in text:
        text = _BLOCK_ID.sub("", text)
    if "|" in text:
        text = _TABLE_RULE.sub("", text).replace("|", " ")
    text = _LINE_START.sub("", text)
    if "[!" in text:
        text = _CALLOUT.sub("", text)
    text = _HEADING.sub("", text)
    text = _EMPHASIS.sub("", text)
    return _SPACES.sub(" ", text).strip()
