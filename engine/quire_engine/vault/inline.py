"""What stands within the lines of a block: links, tags and comments, found in one linear pass.

Every alternative of every pattern here consumes what it has looked at, or is stopped by the character that
starts it, so that no input makes the scan quadratic.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote

from quire_engine.records import LinkKind

MAX_FINDINGS = 100_000
"""Links, and tags, of one note; what is beyond is left out with a warning."""
_MAX_TARGET = 2_000
_MAX_WORDS = 500
_MAX_BRACKETS = 10_000

_TAG_BREAK = r"\s\u2000-\u206f\u2e00-\u2e7f\u3000-\u303f\uff00-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
_TAG_CHARACTERS = rf"[^{_TAG_BREAK}'!\"#$%&()*+,.:;<=>?@^`{{|}}~\[\]\\\x00-\x1f\x7f\ufffd]+"
# Each alternative begins with a character of its own, so that the search leaps from one such to the next.
_MARK = re.compile(
    r"\\."
    r"|``*"
    r"|%%"
    r"|<!--"
    r"|<[A-Za-z/?!][^<>\n]*>"
    r"|!\[\[?"
    r"|\[\[?"
    r"|\]"
    r"|\$\$?"
    r"|://[^\s<>\[\]()`]*"
    rf"|#(?<![^\s(（|*_~>，、。；：]#)(?P<tag>{_TAG_CHARACTERS})"
)
_WIKILINK = re.compile(r"\[\[([^\[\]\n]+)\]\]")
_DESTINATION = re.compile(
    r"\(\s*+(?:<([^<>\n]*+)>|([^\s()<>]*+(?:\([^\s()]*+\)[^\s()<>]*+)*+))"
    r"(?:\s++(?:\"[^\"]*+\"|'[^']*+'|\([^()]*+\)))?+\s*+\)"
)
_DEFINITION = re.compile(r":[ \t]*(?:<([^<>\n]*)>|(\S+))")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//")
_CLOSING_DOLLAR = re.compile(r"(?<![\s\\])\$(?!\d)")
_ALIAS = re.compile(r"\\?\|")
_NOTE_SUFFIXES = (".md", ".markdown", ".canvas")


@dataclass(frozen=True, slots=True)
class FoundLink:
    """A link with its offsets in the note's text."""

    kind: LinkKind
    target: str
    subpath: str
    text: str
    start: int
    end: int


@dataclass(slots=True)
class Findings:
    """What the scans of a note's blocks have found so far, in the order of the text."""

    links: list[FoundLink] = field(default_factory=list)
    tags: list[tuple[int, str]] = field(default_factory=list)
    """(offset, tag without ``#``)"""
    comments: list[tuple[int, int]] = field(default_factory=list)
    unclosed: list[int] = field(default_factory=list)
    """Where comments begin that nothing closes."""
    truncated: bool = False

    def add_link(self, link: FoundLink) -> None:
        if len(self.links) < MAX_FINDINGS:
            self.links.append(link)
        else:
            self.truncated = True

    def add_tag(self, offset: int, tag: str) -> None:
        if len(self.tags) < MAX_FINDINGS:
            self.tags.append((offset, tag))
        else:
            self.truncated = True

    def add_comment(self, start: int, end: int) -> None:
        if len(self.comments) < MAX_FINDINGS:
            self.comments.append((start, end))
        else:
            # Hiding what stands between two of so many comments is better than showing one of them.
            self.comments[-1] = (self.comments[-1][0], end)


def scan(text: str, start: int, end: int, into: Findings) -> None:
    """Collect the links, tags and comments of ``text[start:end]``, a paragraph's worth of Markdown."""
    if _MARK.search(text, start, end):
        _InlineScan(text, start, end, into).run()


def scan_html(text: str, start: int, end: int, into: Findings) -> None:
    """Collect the comments of an HTML block; Markdown is not read there."""
    position = start
    while (position := text.find("<!--", position, end)) >= 0:
        close = text.find("-->", position + 4, end)
        if close < 0:
            into.unclosed.append(position)
        stop = end if close < 0 else close + 3
        into.add_comment(position, stop)
        position = stop


def scan_wikilinks(text: str, start: int, end: int, into: Findings) -> None:
    """Collect the wikilinks of front matter, where a link is a property's value."""
    for match in _WIKILINK.finditer(text, start, end):
        _add_wikilink(match, False, into)


def plain_text(source: str) -> str:
    """The words of a line of Markdown, on one line, as a reader sees them; at most 500 characters."""
    source = source[: 4 * _MAX_WORDS]
    if _MARKUP.search(source):
        for pattern, replacement in _PLAIN:
            source = pattern.sub(replacement, source)
    return " ".join(source.split())[:_MAX_WORDS].rstrip()


def _linked_words(match: re.Match[str]) -> str:
    parts = _ALIAS.split(match[1], maxsplit=1)
    return parts[-1] if match[0][0] != "!" else parts[0]


_MARKUP = re.compile(r"[%<\[`*~=_\\]")
_PLAIN: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"%%.*?%%|<!--.*?-->"), ""),
    (re.compile(r"!?\[\[([^\[\]\n]+)\]\]"), _linked_words),
    (re.compile(r"\[\^[^\[\]]+\]"), ""),
    (re.compile(r"!?\[([^\[\]]*)\]\([^()]*\)"), r"\1"),
    (re.compile(r"</?[A-Za-z][^<>]*>"), ""),
    (re.compile(r"(?<!\\)(?:`+|\*+(?=\S)|(?<=\S)\*+|~~|==|(?<!\w)_+(?=\S)|(?<=\S)_+(?!\w))"), ""),
    (re.compile(r"\\([!-/:-@\[-`{-~])"), r"\1"),
)


class _InlineScan:
    def __init__(self, text: str, start: int, end: int, into: Findings) -> None:
        self.text = text
        self.start = start
        self.end = end
        self.into = into
        self._ticks: dict[int, array[int]] | None = None
        # Bounded, for a file that only opens brackets.
        self._brackets: deque[tuple[int, int]] = deque(maxlen=_MAX_BRACKETS)
        # A closer that was looked for and is not there is not looked for again.
        self._absent: set[str] = set()
        self._line_end = -1
        self._no_dollar_before = -1

    def run(self) -> None:
        position, text, end = self.start, self.text, self.end
        while match := _MARK.search(text, position, end):
            position = self._step(match)

    def _step(self, match: re.Match[str]) -> int:
        mark, begin, stop = match[0], match.start(), match.end()
        match mark[0]:
            case "#":
                self._tag(match["tag"], begin)
            case "`":
                return self._code(begin, len(mark))
            case "%":
                return self._comment(begin, "%%")
            case "<" if mark == "<!--":
                return self._comment(begin, "-->")
            case "[" | "!":
                return self._open(begin, mark)
            case "]":
                return self._close(begin)
            case "$":
                return self._math(begin, mark)
        return stop

    def _find(self, closer: str, start: int) -> int:
        if closer in self._absent:
            return -1
        found = self.text.find(closer, start, self.end)
        if found < 0:
            self._absent.add(closer)
        return found

    def _tag(self, written: str, begin: int) -> None:
        tag = written.strip("/")
        if tag and not all(character.isdigit() or character == "/" for character in tag):
            self.into.add_tag(begin, tag)

    def _code(self, begin: int, length: int) -> int:
        if self._ticks is None:
            self._ticks = {}
            for run in re.finditer("`+", self.text[begin : self.end]):
                self._ticks.setdefault(len(run[0]), array("q")).append(begin + run.start())
        runs = self._ticks.get(length)
        closing = bisect_right(runs, begin) if runs else 0
        return runs[closing] + length if runs and closing < len(runs) else begin + length

    def _comment(self, begin: int, closer: str) -> int:
        opener = 2 if closer == "%%" else 4
        close = self._find(closer, begin + opener)
        if close < 0:
            return begin + opener
        self.into.add_comment(begin, close + len(closer))
        return close + len(closer)

    def _math(self, begin: int, mark: str) -> int:
        after = begin + len(mark)
        if mark == "$$":
            close = self._find("$$", after)
            return after if close < 0 else close + 2
        if begin < self._no_dollar_before or after >= self.end or self.text[after].isspace():
            return after
        if begin >= self._line_end:
            line_end = self.text.find("\n", begin, self.end)
            self._line_end = self.end if line_end < 0 else line_end
        closing = _CLOSING_DOLLAR.search(self.text, after, self._line_end)
        if closing is None:
            self._no_dollar_before = self._line_end
            return after
        return closing.end()

    def _open(self, begin: int, mark: str) -> int:
        is_embed = mark[0] == "!"
        bracket = begin + is_embed
        if mark.endswith("[["):
            match = _WIKILINK.match(self.text, bracket, self.end)
            if match and not self._is_numbered_url(match.end()):
                _add_wikilink(match, is_embed, self.into)
                return match.end()
        self._brackets.append((begin, bracket + 1))
        return bracket + 1

    def _is_numbered_url(self, position: int) -> bool:
        # ``[[1]](https://…)`` is how clipped web pages write their references.
        match = _DESTINATION.match(self.text, position, self.end)
        return bool(match and _SCHEME.match(match[1] or match[2] or ""))

    def _close(self, bracket: int) -> int:
        if not self._brackets:
            return bracket + 1
        begin, words = self._brackets.pop()
        match = _DESTINATION.match(self.text, bracket + 1, self.end)
        if match is None:
            self._definition(begin, bracket)
            return bracket + 1
        while self.into.tags and self.into.tags[-1][0] > begin:
            self.into.tags.pop()
        self._markdown_link(match, begin, self.text[words:bracket])
        return match.end()

    def _definition(self, begin: int, bracket: int) -> None:
        """``[name]: note.md`` at the start of a line."""
        if self.text.startswith(":", bracket + 1) and (begin == 0 or self.text[begin - 1] == "\n"):
            match = _DEFINITION.match(self.text, bracket + 1, self.end)
            path = (match[1] or match[2] or "") if match else ""
            if match and path.partition("#")[0].lower().endswith(_NOTE_SUFFIXES):
                self._markdown_link(match, begin, self.text[begin + 1 : bracket])

    def _markdown_link(self, match: re.Match[str], begin: int, words: str) -> None:
        written = (match[1] or match[2] or "").strip()
        if not written or len(written) > _MAX_TARGET or _SCHEME.match(written):
            return
        path, _, subpath = written.partition("#")
        is_embed = self.text[begin] == "!"
        if is_embed:
            words = words.partition("|")[0]
        target = _sound(unquote(path))
        link = FoundLink(
            LinkKind.EMBED if is_embed else LinkKind.MARKDOWN,
            target,
            _sound(unquote(subpath)),
            plain_text(words) or target,
            begin,
            match.end(),
        )
        if target or link.subpath:
            self.into.add_link(link)


def _add_wikilink(match: re.Match[str], is_embed: bool, into: Findings) -> None:
    content = match[1]
    if len(content) > _MAX_TARGET:
        return
    written, *alias = _ALIAS.split(content, maxsplit=1)
    path, _, subpath = written.partition("#")
    path, subpath = path.strip(), subpath.strip()
    if not path and not subpath:
        return
    text = " > ".join(part.strip() for part in (path, *subpath.split("#")) if part.strip())
    if alias and not is_embed and alias[0].strip():
        text = " ".join(alias[0].split())
    kind = LinkKind.EMBED if is_embed else LinkKind.WIKILINK
    into.add_link(FoundLink(kind, path, subpath, text, match.start() - is_embed, match.end()))


def _sound(decoded: str) -> str:
    return decoded.replace("\0", "\ufffd").replace("\n", " ")
