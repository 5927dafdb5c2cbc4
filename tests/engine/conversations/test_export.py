"""Conversations as Markdown notes, read by the vault's own parser."""

from __future__ import annotations

import time

import pytest

from quire_engine.conversations.export import export_markdown
from quire_engine.records import AnswerStatus, Citation, Conversation, FileStat, Note, Turn
from quire_engine.vault.parser import parse


def conversation(
    question: str = "When?",
    text: str = "In March. [1]",
    path: str = "Garden/Roses.md",
    headings: tuple[str, ...] = ("Roses", "Pruning"),
    quote: str = "Prune in March.",
    status: AnswerStatus = AnswerStatus.SUPPORTED,
) -> Conversation:
    proof = Citation(1, path, headings, 9, 10, quote, True, 1.0)
    said = Turn(1, 0.0, question, "When should I prune?", text, status, (proof,), "extractive", 1)
    return Conversation("0123abcd", "Roses", time.time(), time.time(), (said,))


def test_citations_are_links_to_their_heading_and_quotes() -> None:
    text = export_markdown(conversation())
    assert "In March. [[Garden/Roses#Pruning|1]]" in text
    assert (
        "> [[Garden/Roses#Pruning|1]] [Garden/Roses.md](Garden/Roses.md) › Roses › Pruning, lines 9-10"
        in text
    )
    assert "> Prune in March." in text
    assert "## When?" in text
    assert "*Understood as: When should I prune?*" in text


def test_a_mark_without_a_proof_is_no_link() -> None:
    assert "[[" not in export_markdown(conversation(text="In March. [7]")).split(">")[0].replace(
        "[[Garden", ""
    )


@pytest.mark.parametrize(
    ("path", "link"),
    [
        ("A [b].md", "[\\[1\\]](A%20%5Bb%5D.md)"),
        ("C# & F|G.md", "[\\[1\\]](C%23%20%26%20F%7CG.md)"),
        ("Board.canvas", "[[Board.canvas|1]]"),
    ],
)
def test_paths_that_no_wikilink_can_hold(path: str, link: str) -> None:
    assert link in export_markdown(conversation(path=path))


def test_a_heading_loses_what_a_link_cannot_hold() -> None:
    text = export_markdown(conversation(headings=("What [[is]] a|b #tag?",)))
    assert "[[Garden/Roses#What is a b tag?|1]]" in text


@pytest.mark.parametrize(
    "hostile",
    [
        "![[Secret]]",
        "[[Other|click]]",
        "<script>alert(1)</script>",
        "%% hidden %%",
        "# Heading\n\n- item #tag",
        "```dataview\nlist\n```",
        "[x](http://example.com)",
        "![](http://example.com/x.png)",
        "$$x$$ ~~~\n---\n===",
        "\x1b[31m\u202e",
        "    indented code",
    ],
)
def test_hostile_text_links_to_nothing_and_hides_nothing(hostile: str) -> None:
    text = export_markdown(conversation(question=hostile, quote=hostile, text=f"{hostile} [1]"))
    note = read(text)
    own = {"Garden/Roses", "Garden/Roses.md"}
    assert {link.target for link in note.links} <= own | {"Other"}  # what an answer links to, it may
    question_and_quote = read(export_markdown(conversation(question=hostile, quote=hostile)))
    assert {link.target for link in question_and_quote.links} == own
    assert note.tags == ()
    assert note.comments == ()
    assert not {"\x1b", "\u202e"} & set(text)
    assert [line for line in text.split("\n") if line.startswith("# ")] == ["# Roses"]
    assert [link for link in note.links if link.kind == "embed"] == []


@pytest.mark.parametrize("run", [" ", "\n", "\n ", " \t", "[1"])
def test_long_runs_do_not_stop_the_work(run: str) -> None:
    long = f"Prune{run * (100_000 // len(run))}in March."
    text = export_markdown(conversation(question=long, text=long, quote=long))
    assert text.count("in March.") == 3


def read(text: str) -> Note:
    return parse("Export.md", text.encode(), FileStat(size=len(text), mtime_ns=0, inode=1))
