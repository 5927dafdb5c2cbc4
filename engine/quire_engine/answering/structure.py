"""What of a note is no sentence: tables, lists, and lines that say nothing by themselves."""

from __future__ import annotations

import re

LIST_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]")
_MANY_WORDS, _TIMES_EACH = 30, 3
"""So many words, each so often on average, are no sentence."""
_LEAST_LETTERS = 4
_NO_SENTENCE = re.compile(
    r"\s*(?:[-*+>]\s*)*(?:"
    r"!\[\[[^\[\]]*\]\]|!\[[^\[\]]*\]\([^()]*\)"  # embeds and pictures
    r"|\[![\w-]+\][+-]?[^\n]*"  # a callout's first line
    r"|(?:#[^\s#]+\s*)+"  # tags
    r"|CLOCK:[^\n]*"  # an outliner's notes to itself
    r"|(?:id|collapsed|title|alias|aliases|icon|template|type|tags|url)::[^\n]*"
    r")\s*"
)
_TABLE_RULE = re.compile(r"^[ \t|:-]+$")
_LINK = re.compile(
    r"!?\[\[[^\[\]\n]{1,500}\]\]|!?\[[^\[\]\n]{0,1000}\]\([^()\n]{0,2000}\)|<?https?://[^\s<>]{1,2000}>?"
)
_HEADING = re.compile(r"\s*#{1,6}[ \t][^\n]*\s*")
_QUESTION = re.compile(r"[?？؟][\s*_)\]\"'”’»]*$")
_LEAD_IN = re.compile(r"[:：][\s*_)\]\"'”’»]*$")
_ANY_TASK = re.compile(r"[ \t]*[-*+][ \t]+\[.\][ \t]")
_TASK = re.compile(r"[ \t]*[-*+][ \t]+\[[ /-]\][ \t]")
_STRUCK = re.compile(r"~~[^~]{1,5000}~~")
_WORD = re.compile(r"[^\W\d_]+")
_POINTERS = frozenset(
    (
        "see also cf related links link source sources from via up next back previous and or at in the more "
        "read on siehe auch vgl quelle quellen und mehr voir aussi et ver también y "
        "fonte vedi 参考 参见 见 相关 链接"
    ).split()
)
"""Words that stand beside links and say nothing of their own."""


def says_something(sentence: str) -> bool:
    """Whether ``sentence`` can be an answer at all: words of its own, and not said over and over."""
    sentence = without_struck(sentence)
    if _TABLE_RULE.match(sentence) or _NO_SENTENCE.fullmatch(sentence):
        return False
    words = sentence.split()
    if len(words) >= _MANY_WORDS and len(words) > _TIMES_EACH * len(set(words)):
        return False  # made to be found, not to be read
    item = LIST_ITEM.match(sentence)
    least = 1 if item else _LEAST_LETTERS  # a list may consist of single words
    return sum(c.isalnum() for c in sentence[item.end() if item else 0 :]) >= least


def is_reference(sentence: str) -> bool:
    """Whether ``sentence`` is hardly more than links: it says where something stands, not what."""
    rest = _LINK.sub(" ", sentence)
    return rest != sentence and set(_WORD.findall(rest.lower())) <= _POINTERS


def is_heading(sentence: str) -> bool:
    """Whether ``sentence`` is the heading of what follows."""
    return bool(_HEADING.fullmatch(sentence))


def is_question(sentence: str) -> bool:
    """Whether ``sentence`` asks: it resembles what is asked, and answers nothing."""
    return bool(_QUESTION.search(sentence))


def leads_in(sentence: str) -> bool:
    """Whether ``sentence`` ends with the colon before a list or an example."""
    return bool(_LEAD_IN.search(sentence))


def is_code(sentence: str) -> bool:
    """Whether ``sentence`` is a block of code."""
    return sentence.lstrip("> \t").startswith(("```", "~~~"))


def is_task(sentence: str) -> bool:
    """Whether ``sentence`` is a task, done or not."""
    return bool(_ANY_TASK.match(sentence))


def is_open_task(sentence: str) -> bool:
    """Whether ``sentence`` is something to be done, which says nothing about how things are."""
    return bool(_TASK.match(sentence))


def without_struck(text: str) -> str:
    """``text`` without what is struck out: its writer takes that back."""
    return _STRUCK.sub(" ", text) if "~~" in text else text


def is_table_head(text: str, end: int) -> bool:
    """Whether what ends at ``end`` is the first row of a table, which names its columns."""
    begin = text.find("\n", end - 1)
    if begin < 0:
        return False
    following = text.find("\n", begin + 1)
    rule = table_row(text[begin + 1 : following if following >= 0 else len(text)])
    return rule.startswith("|") and "-" in rule and bool(_TABLE_RULE.match(rule))


def table_header(text: str, start: int) -> list[str]:
    """The header and the rule of the table whose row holds ``start``; empty when there is none.

    White space at their ends, and the marks of a block quote around the table, are taken off.
    """
    begin = text.rfind("\n", 0, start) + 1
    end = text.find("\n", start)
    if not table_row(text[begin : end if end >= 0 else len(text)]).startswith("|"):
        return []
    lines: list[str] = []
    for line in reversed(text[:begin].splitlines()):
        if not (row := table_row(line)).startswith("|"):
            break
        lines.insert(0, row)
    return lines[:2] if len(lines) >= 2 else []


def table_row(line: str) -> str:
    """``line`` without white space at its ends and the marks of a block quote before it."""
    return line.strip().lstrip("> \t")
