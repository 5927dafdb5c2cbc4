"""The syntax of a question, as people type it and as they do not mean it."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quire_engine.records import Filters
from quire_engine.retrieval.operators import Parsed, parse
from quire_engine.retrieval.wording import folded_words

NOW = datetime(2024, 6, 15, 12).timestamp()


class TestOperators:
    @pytest.mark.parametrize(
        ("text", "left", "filters"),
        [
            ("tag:work budget", "budget", Filters(tags=("work",))),
            ("budget TAG:#area/work, please", "budget please", Filters(tags=("area/work",))),
            ('path:"My Notes/2024" rent', "rent", Filters(paths=("My Notes/2024",))),
            ("rent Path:journal/*.md path:log", "rent", Filters(paths=("journal/*.md", "log"))),
            ("where is the rent path:log/20[12]*?", "where is the rent", Filters(paths=("log/20[12]*",))),
            ("rent since:7d", "rent", Filters(since=datetime(2024, 6, 8, 12).timestamp())),
            ("since:2024-01-01 a since:2024-05-01", "a", Filters(since=datetime(2024, 5, 1).timestamp())),
            ("a before:2024-05-01 before:1y", "a", Filters(before=datetime(2023, 6, 15, 12).timestamp())),
            ("python -snake", "python", Filters(excluded=("snake",))),
            ("-snake python -état,", "python", Filters(excluded=("snake", "état"))),
            ('python -"monty python"', "python", Filters(excluded=("monty python",))),
            ("роза -война", "роза", Filters(excluded=("война",))),
            ("फूल -हिन्दी", "फूल", Filters(excluded=("हिन्दी",))),
            ("x -well-known", "x", Filters(excluded=("well-known",))),
            ('"red rose" soil', "red rose soil", Filters(phrases=("red rose",))),
            (
                "soil “red rose” «deux mots»",
                "soil red rose deux mots",
                Filters(phrases=("red rose", "deux mots")),
            ),
            ('"tag:work -x" soil', "tag:work -x soil", Filters(phrases=("tag:work -x",))),
            (
                'tag:work "red rose" -thorn',
                "red rose",
                Filters(tags=("work",), phrases=("red rose",), excluded=("thorn",)),
            ),
        ],
    )
    def test_are_taken_out(self, text: str, left: str, filters: Filters) -> None:
        parsed = parse(text, NOW)
        assert (parsed.text, parsed.filters, parsed.notes) == (left, filters, ())

    @pytest.mark.parametrize(
        "text",
        [
            "meet at 10:30",
            "https://example.org/tag:x?a=-b",
            "mail ada@example.org",
            "foo:bar baz:qux",
            "re: tag: path: since: before:",
            "tag:### notes",
            "C++ -O2 -std=c++17 -v flags",
            "a - b -- c",
            "-5 degrees and 3 -4",
            "pre- and post-war well-known",
            "x-tag:work (tag:work)",
            'a 3.5" disk and a 5" one',
            "it's 6'2\" tall",
            'an "open quote',
            'nothing in "" or " "',
            "dash -foo- dash",
            "2021-05-31",
        ],
    )
    def test_words_that_only_look_alike_stay(self, text: str) -> None:
        parsed = parse(text, NOW)
        assert parsed == Parsed(text)

    @pytest.mark.parametrize(
        ("text", "note"),
        [
            (
                "rent since:foo",
                "'since:foo' is searched as words: give a date as 2024-05-31, or an age as 7d",
            ),
            ("rent before:\x1b[31m", r"'before:\x1b[31m' is searched as words"),
            ("rent -tag:work", "'-tag:work' is searched as words: only words and phrases can be excluded"),
        ],
    )
    def test_what_cannot_be_obeyed_is_searched_and_told(self, text: str, note: str) -> None:
        parsed = parse(text, NOW)
        assert parsed.text == " ".join(text.split())
        assert parsed.filters == Filters()
        assert len(parsed.notes) == 1
        assert parsed.notes[0].startswith(note)

    @pytest.mark.parametrize(
        ("text", "same"),
        [
            ("tags:reading whales", "tag:reading whales"),
            ("in:Recipes oven", "path:Recipes oven"),
            ("file:Walden pond", "path:Walden pond"),
            ("Folder:House boiler", "path:House boiler"),
            ("after:2025-01-01 whales", "since:2025-01-01 whales"),
        ],
    )
    def test_names_of_other_applications_are_understood(self, text: str, same: str) -> None:
        assert parse(text, NOW).filters == parse(same, NOW).filters != Filters()

    @pytest.mark.parametrize("text", ["-foo", "-foo -bar", "since:7d", "since:7d -foo", '-"foo bar"'])
    def test_without_words_everything_is_searched(self, text: str) -> None:
        parsed = parse(text, NOW)
        assert parsed.text == text
        assert parsed.filters != Filters()
        assert parsed.notes[0].startswith("nothing is left to search for")

    @pytest.mark.parametrize(
        ("text", "words", "filters"),
        [
            ("tag:area/work", "area work", Filters(tags=("area/work",))),
            ("path:Journal/*.md", "Journal .md", Filters(paths=("Journal/*.md",))),
            ("tag:work -draft", "work", Filters(tags=("work",), excluded=("draft",))),
        ],
    )
    def test_a_tag_or_a_path_alone_is_searched_too(self, text: str, words: str, filters: Filters) -> None:
        assert parse(text, NOW) == Parsed(words, filters=filters)


class TestSentences:
    @pytest.mark.parametrize(
        "text",
        [
            'How many nations contain "Amazonas" in their names?',
            'who wrote "The Good War"',
            "Кто входил в экипаж «Аполлон»?",
            "谁写了“战争与和平”",
            'the paper that says "more is different" about physics of many bodies',
        ],
    )
    def test_quotes_are_emphasis(self, text: str) -> None:
        parsed = parse(text, NOW)
        assert (parsed.text, parsed.filters) == (text, Filters())
        assert len(parsed.phrases) == 1

    def test_quotes_among_few_words_are_a_condition(self) -> None:
        parsed = parse('novel "The Good War" review', NOW)
        assert parsed.filters == Filters(phrases=("The Good War",))
        assert parsed.phrases == ("The Good War",)

    def test_stop_words_in_quotes_are_emphasis(self) -> None:
        parsed = parse('"to be or" hamlet', NOW)
        assert parsed == Parsed('"to be or" hamlet', ("to be or",))

    @pytest.mark.parametrize(
        ("text", "excluded"),
        [
            ("thrust vector control by fluid injection -dash papers .", ()),
            ("what does rm -rf do", ()),
            ("how do I cook rice -risotto", ("risotto",)),
            ("-risotto how do I cook rice?", ("risotto",)),
            ("how do I cook rice tag:food -risotto since:1y", ("risotto",)),
        ],
    )
    def test_exclusions_count_at_the_ends_alone(self, text: str, excluded: tuple[str, ...]) -> None:
        assert parse(text, NOW).filters.excluded == excluded


WORDS = st.text(alphabet="abcdefghäжあ漢", min_size=2, max_size=8)


class TestProperties:
    @given(st.text())
    @example('tag:"')
    @example('-""-"')
    @example("tag:since:before:-path:")
    @example("since:\ud800")
    @example('"' * 500)
    @example("-" * 500)
    def test_never_raises_and_never_loses_all_words(self, text: str) -> None:
        parsed = parse(text, NOW)
        assert bool(folded_words(parsed.text)) == bool(folded_words(text))
        assert all("\n" not in note and "\x1b" not in note for note in parsed.notes)

    @given(
        st.lists(
            st.one_of(
                WORDS,
                st.sampled_from(
                    ["tag:", "path:", "since:", "before:", "-", '"', "“", "”", ":", "7d", " ", "?", "a"]
                ),
            ),
            max_size=20,
        )
    )
    def test_nor_does_what_is_made_of_syntax(self, pieces: list[str]) -> None:
        text = "".join(pieces)
        parsed = parse(text, NOW)
        assert bool(folded_words(parsed.text)) == bool(folded_words(text))
        again = parse(parsed.text, NOW)
        assert bool(folded_words(again.text)) == bool(folded_words(text))

    @pytest.mark.parametrize("part", ["?", "; ", "-", "what? ", "-a ", '"'])
    def test_many_marks_take_no_time(self, part: str) -> None:
        parsed = parse(f"{part * 200_000}x tag:a", NOW)
        assert parsed.text
        assert parsed.filters.tags == ("a",)

    @given(st.lists(WORDS, min_size=1, max_size=10))
    def test_plain_words_stay_as_they_are(self, words: list[str]) -> None:
        assert parse("  ".join(words), NOW) == Parsed(" ".join(words))

    @given(
        words=st.lists(WORDS, min_size=1, max_size=3),
        tags=st.lists(WORDS, max_size=3, unique=True),
        paths=st.lists(st.lists(WORDS, min_size=1, max_size=3).map(" ".join), max_size=3, unique=True),
        excluded=st.lists(st.text(alphabet="klmnoßю", min_size=2, max_size=6), max_size=3, unique=True),
        days=st.none() | st.integers(0, 4000),
        order=st.randoms(use_true_random=False),
    )
    def test_what_is_written_is_read_again(
        self,
        words: list[str],
        tags: list[str],
        paths: list[str],
        excluded: list[str],
        days: int | None,
        order: object,
    ) -> None:
        operators = [f"tag:{tag}" for tag in tags] + [f'path:"{path}"' for path in paths]
        operators += [f"-{word}" for word in excluded] + ([f"since:{days}d"] if days is not None else [])
        order.shuffle(operators)  # type: ignore[attr-defined]
        parsed = parse(" ".join([*words, *operators]), NOW)
        assert parsed.text == " ".join(words)
        assert set(parsed.filters.tags) == set(tags)
        assert set(parsed.filters.paths) == set(paths)
        assert set(parsed.filters.excluded) == set(excluded)
        assert (parsed.filters.since is None) == (days is None)
        assert parsed.notes == ()
