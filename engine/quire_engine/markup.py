"""From Markdown to the words a reader sees; every pattern is linear in the length of its input."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from operator import itemgetter

_COMMENT_OR_CODE = re.compile(
    r"^[ \t>]*+(?P<fence>```|~~~)[^\n]*$|`[^`\n]+`|(?P<comment>%%|<!--)", re.MULTILINE
)
_FENCE_END = {
    mark[0]: re.compile(rf"^[ \t>]*+{mark}{mark[0]}*+[ \t]*$", re.MULTILINE) for mark in ("```", "~~~")
}
_WIKILINK = re.compile(r"!?\[\[([^\[\]\n|]{1,500})(?:\|([^\[\]\n]{1,500}))?\]\]")
_LINK = re.compile(
    r"!?\[([^\[\]\n]{0,1000})\]\((?:<[^<>\n]{0,2000}>|[^()\s]{0,2000})(?:\s+\"[^\"\n]{0,500}\")?\)"
)
_LINK_WORDS: Callable[[re.Match[str]], str] = itemgetter(1)
_BLOCK_ID = re.compile(r"[ \t]\^[A-Za-z0-9-]{1,64}[ \t]*$|^\^[A-Za-z0-9-]{1,64}[ \t]*$", re.MULTILINE)
_LAST_BLOCK_ID = re.compile(r"\^[A-Za-z0-9-]{1,64}\s*")
_TABLE_RULE = re.compile(r"^[ \t]*+\|?+[ \t]*+:?+-{2,}+[ \t:|-]*+$", re.MULTILINE)
# These two begin with a character, not with a look around: the search then leaps from one to the next.
_LINE_START = re.compile(r"\n[ \t]{0,64}(?:(?:>[ \t]?)+|(?:[-*+]|\d{1,9}[.)])[ \t]+(?:\[.\][ \t]+)?)")
_CALLOUT = re.compile(r"^[ \t]*\[!([A-Za-z-]{1,40})\][+-]?[ \t]*", re.MULTILINE)
_EMPHASIS = re.compile(
    "|".join(
        rf"{mark}(?:(?<![\\\w]{mark}){more}(?=\S)|(?<=\S{mark}){more}(?!\w))"
        for mark, more in ((r"\*", r"\*{0,2}"), ("_", "_{0,2}"), ("~", "~"), ("=", "="))
    )
)
_HEADING = re.compile(r"^#{1,6}[ \t]+", re.MULTILINE)
_FOOTNOTE = re.compile(r"\[\^[^\]\s]{1,64}\]:?")
_SPACES = re.compile(r"[ \t]+")


def without_block_id(text: str) -> str:
    """``text`` without the block id at its very end, if it has one."""
    caret = text.rfind("^")
    if caret < 0 or not _LAST_BLOCK_ID.fullmatch(text, caret):
        return text
    if caret == 0:
        return ""
    return text[: caret - 1] if text[caret - 1].isspace() else text


def plain(text: str) -> str:
    """``text`` without Markdown and Obsidian syntax: link texts without targets, no comments, no markers.

    Lines are kept apart; for search and display, never for quoting.
    """
    if "%%" in text or "<!--" in text:
        text = _without_comments(text)
    if "[[" in text:
        text = _WIKILINK.sub(lambda m: m.group(2) or m.group(1).replace("#", " ").replace("^", ""), text)
    if "](" in text:
        text = _LINK.sub(_LINK_WORDS, text)
    if "[^" in text:
        text = _FOOTNOTE.sub("", text)
    if "^" in text:
        text = _BLOCK_ID.sub("", text)
    if "|" in text:
        if "--" in text:
            text = _TABLE_RULE.sub("", text)
        text = text.replace("|", " ")
    text = _LINE_START.sub("\n", "\n" + text)[1:]
    if "[!" in text:
        text = _CALLOUT.sub("", text)
    if "#" in text:
        text = _HEADING.sub("", text)
    text = _EMPHASIS.sub("", text).replace("`", "")
    if "  " in text or "\t" in text:
        text = _SPACES.sub(" ", text)
    return text.strip()


def _without_comments(text: str) -> str:
    """Code comes first: what looks like a comment in it (mermaid, LaTeX) is none."""
    fence_ends = {mark: [m.end() for m in pattern.finditer(text)] for mark, pattern in _FENCE_END.items()}
    kept: list[str] = []
    start = position = 0
    while mark := _COMMENT_OR_CODE.search(text, position):
        position = mark.end()
        if mark["fence"]:
            ends = fence_ends[mark["fence"][0]]
            closing = bisect_right(ends, position)
            position = ends[closing] if closing < len(ends) else position
        elif mark["comment"]:
            closer = "%%" if mark["comment"] == "%%" else "-->"
            kept += [text[start : mark.start()], " "]
            end = text.find(closer, position)
            start = position = end + len(closer) if end >= 0 else len(text)
    return "".join([*kept, text[start:]])
