from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_engine.markup import plain, without_block_id

TYPICAL = """\
## Pruning *roses*

Prune in **early March**, see [[Roses|the roses]] and [a guide](https://example.org/a_b "Title").

- [x] sharpen the `secateurs`
1. cut ==above== a ~~bud~~

> [!tip]- Weather
> Not in frost.[^1]

| Tool | Use |
| :--- | --: |
| saw  | thick |

[^1]: Said my neighbour. ^note-1
"""


class TestPlain:
    @pytest.mark.parametrize(
        ("markdown", "words"),
        [
            ("[[Note]]", "Note"),
            ("[[Note|shown]]", "shown"),
            ("[[Note#Part]]", "Note Part"),
            ("[[Note#^block]]", "Note block"),
            ("![[image.png]]", "image.png"),
            ("[text](http://example.org)", "text"),
            ("[text](<a b.md>)", "text"),
            ('![alt](a.png "Title")', "alt"),
            ("**bold** *it* __b__ _i_ ~~gone~~ ==mark== `code`", "bold it b i gone mark code"),
            ("snake_case and 2*3*4", "snake_case and 2*3*4"),
            ("### Heading", "Heading"),
            ("#tag stays", "#tag stays"),
            ("- item\n* item\n+ item\n12. item\n3) item", "item\nitem\nitem\nitem\nitem"),
            ("- [ ] open\n- [x] done", "open\ndone"),
            ("> quote\n>> deeper", "quote\ndeeper"),
            ("> [!note]+ Title\n> body", "Title\nbody"),
            ("before %%hidden%% after", "before after"),
            ("before <!-- hidden\nlines --> after", "before after"),
            ("before %%never closed", "before"),
            ("```mermaid\n%% stays\n```\n%%goes%%x", "mermaid\n%% stays\n\n x"),
            ("~~~ a\n<!-- stays\n~~~~\nx%%goes%%", "~ a\n<!-- stays\n\nx"),
            ("use `%%` and `<!--` %%goes%% here", "use %% and <!-- here"),
            ("```\nnever closed %%goes%% x", "never closed x"),
            ("words ^block-1", "words"),
            ("2 ^ 3", "2 ^ 3"),
            ("claim[^1] and\n[^1]: source", "claim and\n source"),
            ("| a | b |\n|---|:-:|\n| c | d |", "a b \n\n c d"),
            ("a | b\n-- | --\nc | d", "a b\n\nc d"),
            ("\\*not emphasis", "\\*not emphasis"),
        ],
    )
    def test_leaves_what_a_reader_sees(self, markdown: str, words: str) -> None:
        assert plain(markdown) == words

    def test_keeps_lines_apart(self) -> None:
        assert plain("one\ntwo\n\nthree").split("\n") == ["one", "two", "", "three"]

    def test_what_is_plain_stays_as_it_is(self) -> None:
        once = plain(TYPICAL)
        assert plain(once) == once
        assert not set("*`[]|=~>") & set(once)

    @given(
        st.text(alphabet=st.characters(categories=["L", "N", "Zs"]) | st.sampled_from("\n,;?!"), max_size=200)
    )
    def test_text_without_markup_keeps_its_words(self, text: str) -> None:
        assert plain("w " + text).split() == ["w", *text.split()]

    @given(st.text(alphabet="[]()|#^!*_`~=>-+:%<.1 \n\tab\\", max_size=200))
    def test_nothing_is_invented(self, text: str) -> None:
        left = iter(text)
        assert all(character in left for character in plain(text) if not character.isspace())

    @given(st.text())
    def test_any_text_can_be_read(self, text: str) -> None:
        assert len(plain(text)) <= len(text)

    @pytest.mark.parametrize(
        "hostile",
        [
            "|\n" + " " * 200_000 + "x",
            "|\n|" + " \t" * 100_000 + "x",
            "|\n" + "-" * 200_000 + "x",
            "|\n" + "-|" * 100_000 + "x",
            "[" * 200_000 + "x",
            "[[" * 100_000 + "x",
            "![[a|" * 40_000 + "x",
            "[a](" * 50_000 + "x",
            "[a](<" * 40_000 + "x",
            ("[a](b" + " " * 5_000) * 40 + "x",
            "[^" * 100_000 + "x",
            " ^a" * 60_000 + " x",
            "x" + "^a " * 60_000,
            "*" * 100_000 + "x" + "_" * 100_000,
            "> " * 100_000 + "x",
            "x" + "%%" * 100_000 + "%",
            "x" + "<!--" * 50_000,
            "x%%\n%%" + "```a\n" * 50_000,
            "x%%\n%%" + "```\n" * 50_000,
            "x%% %%" + "` " * 100_000,
            "x%%\n%%" + " " * 200_000 + "``",
            " " * 200_000 + "[!x",
        ],
        ids=lambda text: repr(text[:8]),
    )
    def test_work_grows_with_length_alone(self, hostile: str) -> None:
        assert "x" in plain(hostile)


class TestWithoutBlockId:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("words ^abc-1", "words"),
            ("words\n^abc  \n", "words"),
            ("^abc", ""),
            ("words^abc", "words^abc"),
            ("a ^b c", "a ^b c"),
            ("a ^b ^c", "a ^b"),
            ("no id", "no id"),
        ],
    )
    def test_goes_from_the_very_end_only(self, text: str, expected: str) -> None:
        assert without_block_id(text) == expected
