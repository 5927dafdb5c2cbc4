"""Passages for people: where they stand, and the part of them that meets the question.

Hits and citations are taken as scripts read them (`quire.contract`): that is how they come from the
background engine, and making records of them again would take longer than showing them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from quire.cli.terminal import Palette, inert, shorten, wrap
from quire.contract import Json

_EXCERPT_LINES = 3
_MOST_WORDS = 64
_WORD = re.compile(r"\w+")
_PLAIN_WORDS = frozenset(
    "a an and are as at be by can did do does for from had has have how i in is it me my of on or that the "
    "their this to was we were what when where which who why will with you your".split()
)
"""Not worth a highlight; retrieval has its own idea of what matters."""


def question_words(question: str) -> list[str]:
    """The words of a question to look for in a passage, folded.

    Where no spaces part words, pairs of characters.
    """
    words: dict[str, None] = {}
    for word in _WORD.findall(question[:4096].casefold()):
        if _is_wide(word) and len(word) > 2:
            words.update(dict.fromkeys(word[i : i + 2] for i in range(len(word) - 1)))
        elif word not in _PLAIN_WORDS:
            words[word] = None
    return list(words)[:_MOST_WORDS]


def pattern(words: Sequence[str]) -> re.Pattern[str] | None:
    """Matches a word that begins with one of ``words``."""
    if not words:
        return None
    forms = sorted(map(re.escape, words), key=len, reverse=True)
    starts = (form if _is_wide(form) else rf"\b{form}\w*" for form in forms)
    return re.compile("|".join(starts), re.IGNORECASE)


def _is_wide(text: str) -> bool:
    """Whether ``text`` holds Chinese, Japanese or Korean, where no spaces part words."""
    return not text.isascii() and any(
        "\u2e80" <= c <= "\u9fff" or "\uac00" <= c <= "\ud7af" or "\uf900" <= c <= "\ufaff" for c in text
    )


def excerpt(text: str, words: Sequence[str], length: int) -> str:
    """About ``length`` characters of ``text`` on one line, from where most of ``words`` meet."""
    text = " ".join(text.split())
    wanted = pattern(words)
    if len(text) <= length or wanted is None:
        return text
    found = [(match.start(), match[0].casefold()[:4]) for match in wanted.finditer(text)]
    if not found:
        return text

    def worth(start: int) -> int:
        return len({stem for place, stem in found if start <= place < start + length})

    best = max((place for place, _ in found), key=lambda place: (worth(place), -place))
    start = max(0, min(best - length // 6, len(text) - length))
    if start == 0:
        return text
    # Begin at a word where one begins nearby.
    gap = text.find(" ", start, start + 24)
    return "…" + text[gap + 1 if gap >= 0 else start :].lstrip()


def highlighted(line: str, words: Sequence[str], palette: Palette) -> str:
    """``line``, inert already, with ``words`` marked."""
    wanted = pattern(words)
    if wanted is None or not palette.enabled:
        return line
    return wanted.sub(lambda match: palette.match(match[0]), line)


def place(path: str, start_line: int, end_line: int) -> str:
    """``path:start-end``, which editors and terminals can open."""
    lines = f"{start_line}" if start_line == end_line else f"{start_line}-{end_line}"
    return f"{inert(path)}:{lines}"


def heading_path(headings: Sequence[str]) -> str:
    """``heading › heading``."""
    return " › ".join(inert(heading) for heading in headings)


def hit_lines(
    hit: Json, words: Sequence[str], palette: Palette, width: int, *, explain: bool = False
) -> Iterator[str]:
    """A hit: its place and headings, then the passage around the question's words, then perhaps its score."""
    headings = heading_path(hit["headings"])
    yield palette.place(place(hit["path"], hit["start_line"], hit["end_line"])) + (
        f"  {palette.faint(headings)}" if headings else ""
    )
    lines = list(wrap(inert(excerpt(hit["text"], words, (width - 4) * _EXCERPT_LINES)), width - 4))
    if len(lines) > _EXCERPT_LINES:
        lines[_EXCERPT_LINES - 1] = shorten(lines[_EXCERPT_LINES - 1] + " …", width - 4)
    for line in lines[:_EXCERPT_LINES]:
        yield "    " + highlighted(line, words, palette)
    if hit["stale"]:
        yield "    " + palette.doubtful("the note has changed since it was indexed; this still stands in it")
    if explain:
        yield "    " + palette.faint(f"score {hit['score']:.4f} = {explanation(hit['trace'])}")
        for duplicate in hit["trace"]["duplicates"]:
            yield "    " + palette.faint(f"also at {inert(duplicate)}")


def explanation(trace: Json) -> str:
    """The sum that makes a score."""
    return " + ".join(
        f"{signal['contribution']:.4f} "
        f"({inert(signal['name'])} #{signal['rank']}, {signal['score']:.3f}, weight {signal['weight']:g})"
        for signal in trace["signals"]
    )


def citation_lines(citation: Json, palette: Palette, width: int | None) -> Iterator[str]:
    """A citation on one line, or on several when ``width`` columns do not hold it."""
    where = place(citation["path"], citation["start_line"], citation["end_line"])
    headings = heading_path(citation["headings"])
    lead = f"[{citation['n']}]"
    head = f"{palette.strong(lead)} {palette.place(where)}"
    if headings:
        head += palette.faint(f" › {headings}")
    if not citation["verified"]:
        head += " " + palette.doubtful("(not verified)")
    quote = "“" + inert(" ".join(citation["quote"].split())) + "”"
    if width is None or len(f"{lead} {where} › {headings}  {quote}") <= width:
        yield f"{head}  {quote}"
        return
    yield head
    for line in wrap(quote, width - 4):
        yield "    " + line
