"""Passages for people: where they stand, and the part of them that meets the question.

Hits and citations are taken as scripts read them (`quire.contract`): that is how they come from the
background engine, and making records of them again would take longer than showing them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from quire.cli.terminal import Palette, inert, shorten, wrap
from quire.contract import Json
from quire.explanation import table

_EXCERPT_LINES = 3
_LABEL = 10
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


def searched_words(plan: Json | None) -> list[str]:
    """`question_words` of a question without its operators; none for one with nothing to search for."""
    return question_words(plan["query"]["text"]) if plan else []


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
    hit: Json,
    words: Sequence[str],
    palette: Palette,
    width: int,
    *,
    explain: bool = False,
    plain: bool = False,
) -> Iterator[str]:
    """A hit: its place and headings, then the passage around the question's words, then perhaps its score.

    The passages before and after it are shown where it has them; ``plain`` keeps to ASCII in drawing.
    """
    headings = heading_path(hit["headings"])
    yield palette.place(place(hit["path"], hit["start_line"], hit["end_line"])) + (
        f"  {palette.faint(headings)}" if headings else ""
    )
    around = hit.get("neighbours", ())
    for passage in (passage for passage in around if passage["before"]):
        lead, lines = _neighbour(passage, width - 4)
        if len(lines) > _EXCERPT_LINES:  # what stands next to the hit
            lines = [f"{lead} …", *lines[1 - _EXCERPT_LINES :]]
        yield from ("    " + palette.faint(line) for line in lines)
    shown = excerpt(hit["text"], words, (width - 4) * _EXCERPT_LINES)
    for line in _first(list(wrap(inert(shown), width - 4)), width - 4):
        yield "    " + highlighted(line, words, palette)
    for passage in (passage for passage in around if not passage["before"]):
        _, lines = _neighbour(passage, width - 4)
        yield from ("    " + palette.faint(line) for line in _first(lines, width - 4))
    if hit["stale"]:
        yield "    " + palette.doubtful("the note has changed since it was indexed; this still stands in it")
    if explain:
        yield from _score_lines(hit, palette, width, plain)


def _neighbour(passage: Json, width: int) -> tuple[str, list[str]]:
    """The lines where a passage beside a hit stands, in brackets, and what it says, led by them."""
    first, last = passage["start_line"], passage["end_line"]
    lead = f"[{first}]" if first == last else f"[{first}-{last}]"
    return lead, list(wrap(inert(f"{lead} {' '.join(passage['text'].split())}"), width))


def _first(lines: list[str], width: int) -> list[str]:
    """As many lines as an excerpt has, with an ellipsis when there are more."""
    if len(lines) > _EXCERPT_LINES:
        lines[_EXCERPT_LINES - 1] = shorten(lines[_EXCERPT_LINES - 1] + " …", width)
    return lines[:_EXCERPT_LINES]


def _score_lines(hit: Json, palette: Palette, width: int, plain: bool) -> Iterator[str]:
    drawn = table(hit, bar="#", minus="-") if plain else table(hit)
    for line in drawn:
        yield "    " + palette.faint(shorten(inert(line), width - 4))
    for duplicate in hit["trace"]["duplicates"]:
        yield "    " + palette.faint(f"also at {inert(duplicate)}")


def fact_lines(facts: Iterable[tuple[str, str]], palette: Palette, width: int) -> Iterator[str]:
    """Facts of `quire.explanation`, each with its label."""
    for label, words in facts:
        for number, line in enumerate(wrap(inert(words), width - _LABEL)):
            yield palette.faint(("" if number else label).ljust(_LABEL) + line)


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
