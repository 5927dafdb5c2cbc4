"""Parsing: every construct of Obsidian, exact places, and hostile notes."""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire_engine.errors import VaultError
from quire_engine.records import BlockKind, FileStat, Note
from quire_engine.vault.parser import parse

STAT = FileStat(size=1, mtime_ns=1_500_000_000, inode=1)


def note(text: str, path: str = "folder/Name of note.md") -> Note:
    parsed = parse(path, text.encode(), STAT)
    assert_places_are_exact(parsed)
    return parsed


def assert_places_are_exact(parsed: Note) -> None:
    starts = [0, *(offset + 1 for offset, character in enumerate(parsed.text) if character == "\n")]
    lines = parsed.text.split("\n")
    after = 0
    for block in parsed.blocks:
        span = block.span
        assert after <= span.start < span.end
        after = span.end
        written = parsed.text[span.start : span.end]
        assert written.strip()
        whole_lines = "\n".join(lines[span.start_line - 1 : span.end_line])
        assert whole_lines.endswith(written)
        assert written.count("\n") == span.end_line - span.start_line
        assert starts[span.end_line - 1] + len(lines[span.end_line - 1]) == span.end
    for span in (*(link.span for link in parsed.links), *parsed.comments):
        assert 0 <= span.start < span.end <= len(parsed.text)
        assert span.start_line == bisect_right(starts, span.start)
        assert span.end_line == bisect_right(starts, span.end - 1)


def blocks(text: str) -> list[tuple[str, str]]:
    parsed = note(text)
    return [(block.kind.value, parsed.text[block.span.start : block.span.end]) for block in parsed.blocks]


def links(text: str) -> list[tuple[str, str, str, str]]:
    return [(link.kind.value, link.target, link.subpath, link.text) for link in note(text).links]


class TestNote:
    def test_the_title_is_the_property_else_the_file_name(self) -> None:
        assert note("---\ntitle: Given\n---\n").title == "Given"
        assert note("# Heading").title == "Name of note"
        assert note("x", "two.md.md").title == "two.md"

    def test_modified_is_a_property_else_the_time_of_the_file(self) -> None:
        assert note("x").modified == 1.5
        assert note("---\nupdated: 1970-01-02\n---\n").modified == 86400.0
        assert note("---\nupdated: 1970-01-01\n---\n").modified == 0.0

    def test_tags_come_from_properties_and_text_once_in_order(self) -> None:
        parsed = note("---\ntags: [B, a]\n---\n#c and #b and #a/d\n")
        assert parsed.tags == ("B", "a", "c", "a/d")

    def test_front_matter_is_a_block_of_its_own(self) -> None:
        text = "---\ntitle: x\n---\n\nBody\n"
        assert blocks(text) == [("properties", "---\ntitle: x\n---"), ("paragraph", "Body")]

    def test_a_byte_order_mark_does_not_hide_front_matter(self) -> None:
        parsed = parse("a.md", b"\xef\xbb\xbf---\ntitle: With mark\n---\nbody\n", STAT)
        assert parsed.title == "With mark"

    def test_links_in_properties_are_links(self) -> None:
        assert links('---\nup: "[[Parent|p]]"\n---\n') == [("wikilink", "Parent", "", "p")]

    def test_broken_front_matter_is_a_warning_and_the_body_is_read(self) -> None:
        parsed = note('---\ntitle: "open\n---\n# Body\n')
        assert parsed.properties == {}
        assert "line" in parsed.warnings[0]
        assert parsed.blocks[-1].kind is BlockKind.HEADING

    def test_a_rule_without_an_end_is_no_front_matter(self) -> None:
        assert blocks("---\ntitle: x\n\ntext\n") == [("paragraph", "title: x"), ("paragraph", "text")]

    def test_the_encoding_is_warned_about(self) -> None:
        parsed = parse("a.md", b"caf\xe9 here", STAT)
        assert parsed.text == "café here"
        assert parsed.warnings

    def test_a_binary_file_is_refused(self) -> None:
        with pytest.raises(VaultError, match="PNG"):
            parse("a.md", b"\x89PNG\r\n\x1a\n123", STAT)

    @pytest.mark.parametrize("text", ["", "\ufeff", " \t\n\n\x0b\x0c \xa0\n"])
    def test_an_empty_note_has_no_blocks(self, text: str) -> None:
        assert blocks(text) == []


class TestBlocks:
    @pytest.mark.parametrize(
        ("text", "kinds"),
        [
            ("one\ntwo\n\nthree", ["paragraph", "paragraph"]),
            ("# A\ntext\nB\n---\n", ["heading", "heading"]),
            ("text\n# A\n", ["paragraph", "heading"]),
            ("#NoSpace\n", ["paragraph"]),
            ("####### seven\n", ["paragraph"]),
            ("- a\n- b\n1. c\n", ["list_item", "list_item", "list_item"]),
            ("> a\nlazy\n\n> b", ["quote", "quote"]),
            ("> [!tip]+ Title\n> text", ["callout"]),
            ("- > [!tip] in an item", ["callout"]),
            ("```py\n# not a heading\n\n- no item\n```\nafter", ["code", "paragraph"]),
            ("~~~\n```\n~~~", ["code"]),
            ("```\nnever closed\n\n# x", ["code"]),
            ("a\n\n    indented\n", ["paragraph", "code"]),
            ("| a | b |\n|---|---|\n| 1 | 2 |\n\nx", ["table", "paragraph"]),
            ("a | b\n-|-\n1 | 2", ["table"]),
            ("a | b\n---", ["heading"]),
            ("a\n$$\nx\n$$\nb", ["paragraph", "math", "paragraph"]),
            ("$$ x $$", ["math"]),
            ("$$\nnever closed\n\n# A", ["paragraph", "heading"]),
            ("[^1]: note\n    more\n\n[^2]: other", ["footnote", "footnote"]),
            ("<div>\nx\n</div>\n\ny", ["html", "paragraph"]),
            ("a\n\n***\n\nb", ["paragraph", "paragraph"]),
            ("key:: value\nother:: [[x]]", ["paragraph"]),
            ("- [ ] task\n- [x] done", ["list_item", "list_item"]),
            ("[name]: note.md\n[other]: x", ["paragraph"]),
        ],
    )
    def test_each_kind_is_recognised(self, text: str, kinds: list[str]) -> None:
        assert [kind for kind, _ in blocks(text)] == kinds

    def test_a_table_may_hold_pipes_in_links_and_lone_backticks(self) -> None:
        text = "| a | b |\n|:-:|---|\n| [[x\\|y]] | ` |\n| [[z]] | ` |"
        assert blocks(text) == [("table", text)]
        assert [target for _, target, _, _ in links(text)] == ["x", "z"]


class TestLists:
    def test_every_item_is_a_block_with_its_depth(self) -> None:
        parsed = note("- a\n  more\n\t- b\n\t\t- c\n- d\n\n1. e")
        items = [(b.level, parsed.text[b.span.start : b.span.end]) for b in parsed.blocks]
        assert items == [(0, "- a\n  more"), (1, "\t- b"), (2, "\t\t- c"), (0, "- d"), (0, "1. e")]

    def test_paragraphs_of_an_item_are_one_block_until_something_else_comes(self) -> None:
        assert blocks("- a\n\n  b\n\n  ```\n  c\n  ```\n\n  d") == [
            ("list_item", "- a\n\n  b"),
            ("code", "  ```\n  c\n  ```"),
            ("paragraph", "  d"),
        ]

    def test_the_marker_belongs_to_the_first_block_of_the_item(self) -> None:
        assert blocks("- ```\n  c\n  ```\n- - inner\n-\n- $$x$$") == [
            ("code", "- ```\n  c\n  ```"),
            ("list_item", "- - inner"),
            ("math", "- $$x$$"),
        ]

    def test_an_outline_with_headings_in_its_items(self) -> None:
        parsed = note("- ## Plans\n  id:: 1\n\t- todo\n\t- ### Deeper\n\t\t- leaf\n- ## Next\n\t- end")
        assert [(b.kind.value, b.headings) for b in parsed.blocks] == [
            ("heading", ("Plans",)),
            ("paragraph", ("Plans",)),
            ("list_item", ("Plans",)),
            ("heading", ("Plans", "Deeper")),
            ("list_item", ("Plans", "Deeper")),
            ("heading", ("Next",)),
            ("list_item", ("Next",)),
        ]

    def test_headings_of_a_list_end_with_it(self) -> None:
        parsed = note("## Top\n\n- # In list\n\n***\n\nafter")
        assert parsed.blocks[-1].headings == ("Top",)


class TestHeadings:
    @pytest.mark.parametrize(
        ("written", "text"),
        [
            ("# Plain", "Plain"),
            ("## Closed ##", "Closed"),
            ("# **bold** *it* ~~no~~ ==yes== `code` _em_", "bold it no yes code em"),
            ("# snake_case 2 * 3 C#", "snake_case 2 * 3 C#"),
            ("# [[Note]] [[x|shown]] [[a#b\\|c]]", "Note shown c"),
            ("# [words](http://x/y) ![alt](i.png)", "words alt"),
            ("# A %%hidden%% B <!-- c --> D[^1]", "A B D"),
            ("# Id ^head-1", "Id"),
            ("# \\#1 \\*", "#1 *"),
            ("# a<br>b", "ab"),
            ("Setext\nof two\n===", "Setext of two"),
        ],
    )
    def test_the_text_is_what_a_reader_sees(self, written: str, text: str) -> None:
        assert note(written).blocks[0].headings == (text,)

    def test_the_path_follows_levels_that_jump(self) -> None:
        parsed = note("# A\n### B\nx\n## C\ny\n# D\nz")
        assert [b.headings for b in parsed.blocks if b.kind is BlockKind.PARAGRAPH] == [
            ("A", "B"),
            ("A", "C"),
            ("D",),
        ]
        assert [b.level for b in parsed.blocks if b.kind is BlockKind.HEADING] == [1, 3, 2, 1]

    def test_an_empty_heading_ends_a_section_without_a_name(self) -> None:
        assert [b.headings for b in note("# A\n## B\n##\nx").blocks] == [("A",), ("A", "B"), ("A",), ("A",)]

    def test_headings_in_quotes_and_code_are_none(self) -> None:
        parsed = note("> # quoted\n\n```\n# code\n```\n\nx")
        assert [b.headings for b in parsed.blocks] == [(), (), ()]


class TestBlockIds:
    @pytest.mark.parametrize(
        ("text", "ids"),
        [
            ("text ^id-1", ["id-1"]),
            ("text\n^id", ["id"]),
            ("text^2 (x)^2", [None]),
            ("(x)^2", [None]),
            ("文字。^id", ["id"]),
            ("a ^b c", [None]),
            ("# Heading ^h", ["h"]),
            ("- a ^one\n- b\n  c ^two", ["one", "two"]),
            ("- a ^one\n\n  b", ["one"]),
            ("> quote\n\n^q", ["q"]),
            ("> quote ^q", ["q"]),
            ("| a |\n|---|\n| b |\n^t", ["t"]),
            ("| a |\n|---|\n| b |\n\n^t", ["t"]),
            ("| a |\n|---|\n| b ^t", [None]),
            ("```\nx ^no\n```\n\n^yes", ["yes"]),
            ("$$\nx\n$$\n^m", ["m"]),
            ("a ^first\n\n^second", ["first", "second"]),
            ("^alone", ["alone"]),
            ("a ^under_score", [None]),
        ],
    )
    def test_ids_are_found_where_obsidian_puts_them(self, text: str, ids: list[str | None]) -> None:
        assert [block.block_id for block in note(text).blocks] == ids


class TestLinks:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("[[Note]]", [("wikilink", "Note", "", "Note")]),
            ("[[Note|shown]]", [("wikilink", "Note", "", "shown")]),
            ("[[a/Note#H1#H2|s]]", [("wikilink", "a/Note", "H1#H2", "s")]),
            ("[[Note#H1]]", [("wikilink", "Note", "H1", "Note > H1")]),
            ("[[Note#^b1]]", [("wikilink", "Note", "^b1", "Note > ^b1")]),
            ("[[#Here]]", [("wikilink", "", "Here", "Here")]),
            ("![[Note]] ![[i.png|100x20]]", [("embed", "Note", "", "Note"), ("embed", "i.png", "", "i.png")]),
            ("[[a|b|c]]", [("wikilink", "a", "", "b|c")]),
            ("[[[x]]]", [("wikilink", "x", "", "x")]),
            ("[[é 漢.v2]]", [("wikilink", "é 漢.v2", "", "é 漢.v2")]),
            ("[m](a.md)", [("markdown", "a.md", "", "m")]),
            ("[m](../b%20c/n.md#Sec%20t 'title')", [("markdown", "../b c/n.md", "Sec t", "m")]),
            ("[m](<with space.md>)", [("markdown", "with space.md", "", "m")]),
            ("[m](a_(b).md)", [("markdown", "a_(b).md", "", "m")]),
            ("![alt|100](i%2Bj.png)", [("embed", "i+j.png", "", "alt")]),
            ("[**bold**\nline](a.md)", [("markdown", "a.md", "", "bold line")]),
            ("[m](#Here)", [("markdown", "", "Here", "m")]),
            ("[name]: other.md", [("markdown", "other.md", "", "name")]),
            (
                "[![alt](i.png)](n.md)",
                [("markdown", "n.md", "", "alt"), ("embed", "i.png", "", "alt")],
            ),
        ],
    )
    def test_every_form_is_found(self, text: str, expected: list[tuple[str, str, str, str]]) -> None:
        assert links(text) == expected

    @pytest.mark.parametrize(
        "text",
        [
            "[a](https://x.y) [b](mailto:x@y) [c](javascript:alert(1)) [d](file:///etc/passwd) [e](//x/y)",
            "![x](data:image/png;base64,AAAA)",
            "[[1]](https://x.y)",
            "[[]] [[ ]] [[|]] [[#]] [a]()",
            "[[two\nlines]]",
            "[[a]b]]",
            "\\[[x]] `[[x]]` ``[[x]] ` [[y]]``",
            "$[[1],[2]] + [[3]]$ and $$[[x]]$$",
            "```\n[[x]]\n```",
            "    [[x]]",
            "$$\n[[x]]\n$$",
            "> ```\n> [[x]]\n> ```",
            "- a\n  ```\n  [[x]]\n  ```",
            "%%[[x]]%% <!-- [[x]] -->",
            "<a href='[[x]]'>",
            "<div>\n[[x]]\n</div>",
            "[ref]: https://x.y/a.md",
            "- [ ] task (see below)",
            "[^1]: only words",
        ],
    )
    def test_what_looks_like_a_link_and_is_none(self, text: str) -> None:
        assert links(text) == []

    @pytest.mark.parametrize(
        "text",
        [
            "> [[x]]",
            "> > nested [[x]]",
            "> [!note] [[x]]",
            "# [[x]]",
            "- a\n\t- [[x]]",
            "[^1]: see [[x]]",
            "| [[x]] |\n|---|",
            "`unclosed [[x]]",
            "costs $5 and [[x]] for $6",
            "key:: [[x]]",
            "*[[x]]*",
            "100%% [[x]]",
        ],
    )
    def test_links_are_found_in_every_block(self, text: str) -> None:
        assert [target for _, target, _, _ in links(text)] == ["x"]

    def test_the_span_is_the_link_as_written(self) -> None:
        parsed = note("é [[a|b]] and\n![[c]] [d](e.md)")
        assert [parsed.text[link.span.start : link.span.end] for link in parsed.links] == [
            "[[a|b]]",
            "![[c]]",
            "[d](e.md)",
        ]
        assert [link.span.start_line for link in parsed.links] == [1, 2, 2]


class TestTags:
    @pytest.mark.parametrize(
        ("text", "tags"),
        [
            ("#tag", ("tag",)),
            ("#a/b-c_d, #x.", ("a/b-c_d", "x")),
            ("(#in) *#em* **#strong**", ("in", "em", "strong")),
            ("#été #标签，后 #🏷️", ("été", "标签", "🏷️")),
            ("#1a #2024/q1", ("1a", "2024/q1")),
            ("| #cell |\n|---|", ("cell",)),
            ("- #item\n> #quote", ("item", "quote")),
            ("#Tag #tag", ("Tag",)),
            ("#a/", ("a",)),
            ("# Heading #tag", ("tag",)),
        ],
    )
    def test_tags_are_found(self, text: str, tags: tuple[str, ...]) -> None:
        assert note(text).tags == tags

    @pytest.mark.parametrize(
        "text",
        [
            "#1 #123/4 # ## ##no #! #",
            "a#no \\#no `#no` &#39;",
            "http://x.y/#no https://x.y/a#no <https://x.y/#no>",
            "[#no](a.md) [[a#no]] [x](a.md#no)",
            "```\n#no\n```",
            "$#no$ $$ #no $$",
            "%% #no %% <!-- #no -->",
            "<a href='#no'>",
            "x [[#no]]",
        ],
    )
    def test_what_looks_like_a_tag_and_is_none(self, text: str) -> None:
        assert note(text).tags == ()


class TestComments:
    def comments(self, text: str) -> list[str]:
        parsed = note(text)
        return [parsed.text[span.start : span.end] for span in parsed.comments]

    @pytest.mark.parametrize(
        ("text", "comments", "kinds"),
        [
            ("a %%b%% c", ["%%b%%"], ["paragraph"]),
            ("%%a%%", ["%%a%%"], []),
            ("%%a%% <!-- b -->", ["%%a%%", "<!-- b -->"], []),
            ("- %%a%%", ["%%a%%"], []),
            ("a\n%%\nb [[x]] #y\n\n# c\n%%\nd", ["%%\nb [[x]] #y\n\n# c\n%%"], ["paragraph", "paragraph"]),
            ("%%\na\n%% rest #t", ["%%\na\n%%"], ["paragraph"]),
            ("<!-- a\n\nb -->\n\nc", ["<!-- a\n\nb -->"], ["paragraph"]),
            ("a <!-- b\nc --> d", ["<!-- b\nc -->"], ["paragraph"]),
            ("<div>\n<!-- a -->\nx\n</div>", ["<!-- a -->"], ["html"]),
            ("> %%\n> hidden\n> %%\n> shown", ["%%\n> hidden\n> %%"], ["quote"]),
            ("%%\n```\n%%\nx", ["%%\n```\n%%"], ["paragraph"]),
            ("```\n%%\n```\n\n`%%` x", [], ["code", "paragraph"]),
            ("100%% sure\n\nand 50%% more", [], ["paragraph", "paragraph"]),
        ],
    )
    def test_comments_are_found_and_never_blocks(
        self, text: str, comments: list[str], kinds: list[str]
    ) -> None:
        assert self.comments(text) == comments
        assert [kind for kind, _ in blocks(text)] == kinds
        assert links(text) == []

    @pytest.mark.parametrize("opening", ["%%", "<!--"])
    def test_an_unclosed_comment_hides_the_rest_and_is_warned_about(self, opening: str) -> None:
        parsed = note(f"before\n\n{opening}\nhidden [[x]] #y\n\n# z\n")
        assert [block.kind.value for block in parsed.blocks] == ["paragraph"]
        assert (parsed.links, parsed.tags) == ((), ())
        assert parsed.warnings[0].startswith("line 3:")

    def test_what_follows_a_comment_on_its_last_line_is_text(self) -> None:
        parsed = note("%%\na\n%%  rest #t")
        block = parsed.blocks[0]
        assert parsed.text[block.span.start : block.span.end] == "rest #t"
        assert (block.span.start_line, parsed.tags) == (3, ("t",))


HOSTILE = {
    "quotes": ">" * 20_000 + " x",
    "quote lines": (">" * 50 + " x\n") * 500,
    "brackets": "[" * 50_000,
    "wikilinks": "[[" * 50_000 + "![[" * 20_000,
    "links": "[a](" * 20_000 + "[b](c " + " " * 20_000,
    "titles": '[a](b "' * 10_000 + "[a](b (" * 10_000,
    "backticks": " ".join("`" * count for count in range(1, 300)),
    "emphasis": "*a **b " * 10_000 + "_" * 50_000,
    "tags": "<a " * 20_000 + "<" * 20_000,
    "dollars": "$a " * 20_000 + "$$ a\n" * 2_000,
    "comments": "x <!-- %% y\n\n" * 2_000,
    "one line": "word " * 300_000,
    "many lines": "a\n\n" * 130_000,
    "deep list": "".join("  " * depth + f"- level {depth}\n" for depth in range(300)),
    "wide table": "|c" * 20_000 + "|\n" + "|-" * 20_000 + "|\n" + "|x\n" * 50,
    "items in one line": "- " * 5_000 + "x",
    "footnotes": "[^1]: " * 2_000 + "x",
    "references": "".join(f"[r{i}]: x\n" for i in range(5_000)),
    "mixed nesting": "> - 1. " * 500 + "x",
    "spaces": "-" + " " * 50_000 + "x\n" + "\t" * 50_000 + "y",
}


class TestHostileNotes:
    @pytest.mark.parametrize("name", HOSTILE)
    def test_it_is_parsed_and_no_text_is_lost(self, name: str) -> None:
        text = "needle-before\n\n" + HOSTILE[name] + "\n\nneedle-after\n"
        parsed = note(text)
        shown = [text[block.span.start : block.span.end] for block in parsed.blocks]
        assert any("needle-before" in block for block in shown)
        assert any("needle-after" in block for block in shown)

    def test_what_is_nested_too_deep_keeps_its_links(self) -> None:
        text = "".join("  " * depth + f"- [[n{depth}]]\n" for depth in range(200)) + "\n# After\n"
        parsed = note(text)
        assert len(parsed.links) == 200
        assert parsed.blocks[-1].headings == ("After",)

    def test_a_file_too_nasty_for_the_parser_still_has_headings_code_and_comments(self) -> None:
        text = (
            "x" * 1_000_001
            + "\n# A *b*\ntext [[x]]\n```\n# c [[no]]\n```\n%%\n[[no]]\n\n%% d\n\n## E ##\nf ^g"
        )
        parsed = note(text)
        assert [(b.kind.value, b.headings) for b in parsed.blocks[1:]] == [
            ("heading", ("A b",)),
            ("paragraph", ("A b",)),
            ("code", ("A b",)),
            ("paragraph", ("A b",)),
            ("heading", ("A b", "E")),
            ("paragraph", ("A b", "E")),
        ]
        assert [link.target for link in parsed.links] == ["x"]
        assert len(parsed.comments) == 1
        assert parsed.blocks[-1].block_id == "g"

    def test_more_links_than_a_note_can_have_are_cut_with_a_warning(self) -> None:
        parsed = note("[[a]] " * 100_001)
        assert len(parsed.links) == 100_000
        assert "left out" in parsed.warnings[0]


# A file of control characters is no text and is refused; see the tests of decoding.
words = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8)
markdown = st.lists(
    st.one_of(
        st.sampled_from(
            (
                "# ¦## ¦- ¦  - ¦\t- ¦1. ¦> ¦> [!note] ¦```¦~~~¦$$¦%%¦<!--¦-->¦---¦===¦[[¦]]¦![[¦[a](b.md)"
                "¦#tag¦ ^id¦^id¦`¦$¦[^1]: ¦<div>¦</div>¦    ¦\n¦\n¦\n\n¦\n\n¦\\¦k:: v¦\ufeff¦\x0b"
                "¦\u2028¦\xa0¦\r\n¦\r¦| a |\n|---|\n¦|¦---\n¦...\n¦title: x\n¦***"
            ).split("¦")
        ),
        words,
    ),
    max_size=40,
).map("".join)


class TestAnyText:
    @settings(max_examples=300, deadline=None)
    @given(markdown)
    def test_it_is_parsed_with_exact_places(self, text: str) -> None:
        parsed = parse("a.md", text.encode(), STAT)
        assert_places_are_exact(parsed)
        assert all(a.end <= b.start for a, b in pairwise(parsed.comments))
        for link in parsed.links:
            assert any(b.span.start <= link.span.start and link.span.end <= b.span.end for b in parsed.blocks)
            assert not any(c.start < link.span.end and link.span.start < c.end for c in parsed.comments)

    @settings(max_examples=200, deadline=None)
    @given(markdown)
    def test_no_word_is_in_neither_a_block_nor_a_comment(self, text: str) -> None:
        parsed = parse("a.md", text.encode(), STAT)
        covered = [*(block.span for block in parsed.blocks), *parsed.comments]
        # A block id on a line of its own belongs to the block above and is none itself.
        ids = [match.span() for match in re.finditer(r"(?m)(?:^|%%)\s*\^[A-Za-z0-9-]+\s*$", parsed.text)]
        for offset, character in enumerate(parsed.text):
            if character.isalpha() and not any(start <= offset < end for start, end in ids):
                assert any(span.start <= offset < span.end for span in covered), parsed.text[offset:]

    @settings(max_examples=100, deadline=None)
    @given(markdown.map(lambda text: text.replace("[", "")))
    def test_text_without_brackets_has_no_links(self, text: str) -> None:
        parsed = parse("a.md", text.encode(), STAT)
        assert parsed.links == ()
