"""Resolving links: which note a name means, and which place in it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_engine.records import Block, FileStat, Note
from quire_engine.vault import links as links_module
from quire_engine.vault.links import (
    LinkIndex,
    find_block,
    find_heading,
    find_subpath,
    is_attachment,
    section_span,
)
from quire_engine.vault.parser import parse


def index(*paths: str) -> LinkIndex:
    return LinkIndex((path, path.rpartition("/")[2].removesuffix(".md"), ()) for path in paths)


def note(text: str) -> Note:
    return parse("a.md", text.encode(), FileStat(1, 0, 1))


class TestResolve:
    @pytest.mark.parametrize(
        ("target", "expected"),
        [
            ("Note", "Note.md"),
            ("note.MD", "Note.md"),
            ("sub/Other", "sub/Other.md"),
            ("/sub/Other", "sub/Other.md"),
            ("Other", "sub/Other.md"),
            ("deep/Leaf", "sub/deep/Leaf.md"),
            ("Leaf", "sub/deep/Leaf.md"),
            ("eep/Leaf", None),
            ("/Leaf", None),
            ("./Other", "sub/Other.md"),
            ("../Note", "Note.md"),
            ("../../Note", None),
            ("../../outside/secret.md", None),
            ("deep/../Other", None),
            ("./Note", None),
            ("Two.md", "two.md.md"),
            ("two.md.md", "two.md.md"),
            ("v1.5 notes", "v1.5 notes.md"),
            ("board.canvas", "board.canvas"),
            ("Long", "long.markdown"),
            ("with%20space", "with space.md"),
            ("100%25", "100%25.md"),
            ("missing", None),
            ("image.png", None),
            ("", "sub/Source.md"),
            (".", None),
            ("..", None),
            ("/", None),
            ("a\\b", None),
        ],
    )
    def test_a_name_finds_its_note(self, target: str, expected: str | None) -> None:
        links = index(
            "Note.md", "sub/Other.md", "sub/deep/Leaf.md", "sub/Source.md", "two.md.md", "v1.5 notes.md",
            "board.canvas", "long.markdown", "with space.md", "100%25.md",
        )  # fmt: skip
        assert links.resolve(target, "sub/Source.md") == expected

    def test_of_equal_names_the_same_folder_then_the_shortest_then_the_first(self) -> None:
        links = index("b/Same.md", "a/Same.md", "longer/Same.md", "longer/deep/Same.md")
        assert links.resolve("Same", "longer/x.md") == "longer/Same.md"
        assert links.resolve("Same", "elsewhere/x.md") == "a/Same.md"
        assert links.resolve("deep/Same", "x.md") == "longer/deep/Same.md"
        assert links.resolve("b/Same", "a/x.md") == "b/Same.md"

    def test_the_root_goes_before_the_own_folder_only_for_an_exact_path(self) -> None:
        links = index("Same.md", "a/Same.md", "a/b/c.md", "b/c.md")
        assert links.resolve("Same", "a/x.md") == "Same.md"
        assert links.resolve("./Same", "a/x.md") == "a/Same.md"
        assert links.resolve("b/c", "a/x.md") == "b/c.md"

    def test_case_decides_between_names_that_differ_by_it(self) -> None:
        links = index("n/Case.md", "n/case.md")
        assert links.resolve("Case", "x.md") == "n/Case.md"
        assert links.resolve("case", "x.md") == "n/case.md"
        assert links.resolve("CASE", "x.md") in ("n/Case.md", "n/case.md")

    def test_composed_and_decomposed_names_are_one(self) -> None:
        decomposed = unicodedata.normalize("NFD", "Ångström é.md")
        assert index(decomposed).resolve("Ångström é", "x.md") == decomposed

    def test_aliases_come_after_names_and_titles_last(self) -> None:
        links = LinkIndex(
            [("one.md", "Shared", ["Uno", "two"]), ("two.md", "T", ["Shared"]), ("three.md", "Drei", [])]
        )
        assert links.resolve("uno", "x.md") == "one.md"
        assert links.resolve("two", "x.md") == "two.md"
        assert links.resolve("shared", "x.md") == "two.md"
        assert links.resolve("DREI", "x.md") == "three.md"

    @pytest.mark.parametrize(("target", "attachment"), [("a/x.PNG", True), ("x.pdf", True), ("v1.5", False)])
    def test_attachments_are_told_from_notes(self, target: str, attachment: bool) -> None:
        assert is_attachment(target) is attachment


NAMES = st.sampled_from(["a", "A", "b", "a.b", "é", "e\u0301", "a.md"])
FOLDERS = st.lists(st.sampled_from(["x", "X", "y"]), max_size=3).map("/".join)
PATHS = st.tuples(FOLDERS, NAMES, st.sampled_from([".md", ".md", ".markdown"])).map(
    lambda parts: f"{parts[0]}/{parts[1]}{parts[2]}".lstrip("/")
)
TARGETS = st.tuples(FOLDERS, NAMES, st.sampled_from(["", "", ".md"])).map(
    lambda parts: f"{parts[0]}/{parts[1]}{parts[2]}".lstrip("/")
)


class TestManyOfOneName:
    @given(st.lists(PATHS, min_size=1, max_size=12), st.lists(st.tuples(TARGETS, FOLDERS), max_size=6))
    def test_they_are_told_apart_as_few_are(self, paths: list[str], links: list[tuple[str, str]]) -> None:
        few = index(*paths)
        expected = [few.resolve(target, f"{folder}/source.md".lstrip("/")) for target, folder in links]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(links_module, "_MANY", 0)
            many = index(*paths)
            found = [many.resolve(target, f"{folder}/source.md".lstrip("/")) for target, folder in links]
        assert found == expected

    def test_every_folder_has_one_and_links_to_each(self) -> None:
        # Each looked at for each link, this would not end.
        paths = [f"f{number}/index.md" for number in range(20_000)]
        links = LinkIndex((path, "Index", ("home",)) for path in paths)
        for number in range(20_000):
            assert links.resolve(f"x/f{number}/index", "hub.md") is None
            assert links.resolve(f"F{number}/index", "y/hub.md") == paths[number]
            assert links.resolve("home", f"f{number}/other.md") == paths[number]
            assert links.resolve("index", f"elsewhere{number}/other.md") == "f0/index.md"


class TestChanges:
    def test_a_new_note_is_found_and_a_removed_one_is_not(self) -> None:
        links = index("deep/Same.md")
        assert links.resolve("Same", "x.md") == "deep/Same.md"
        links.add("a/Same.md", "Same")
        assert links.resolve("Same", "x.md") == "a/Same.md"
        links.remove("a/Same.md")
        assert links.resolve("Same", "x.md") == "deep/Same.md"
        links.remove("deep/Same.md")
        links.remove("never there.md")
        assert links.resolve("Same", "x.md") is None

    def test_a_note_added_again_loses_its_old_names(self) -> None:
        links = LinkIndex([("a.md", "Old title", ["old"])])
        links.add("a.md", "New title", ["new", "new"])
        assert links.resolve("old", "x.md") is None
        assert links.resolve("Old title", "x.md") is None
        assert links.resolve("new", "x.md") == "a.md"

    @given(
        st.lists(st.tuples(st.booleans(), st.sampled_from(["a.md", "x/a.md", "y/a.md", "x/b.md", "A.md"])))
    )
    def test_it_is_the_same_as_built_anew(self, changes: list[tuple[bool, str]]) -> None:
        links, present = LinkIndex(), set[str]()
        for is_added, path in changes:
            if is_added:
                links.add(path, "Title", ["alias"])
                present.add(path)
            else:
                links.remove(path)
                present.discard(path)
        anew = LinkIndex((path, "Title", ["alias"]) for path in sorted(present))
        for target in ("a", "A", "x/a", "b", "alias", "title", "./a", "none"):
            for source in ("s.md", "y/s.md"):
                assert links.resolve(target, source) == anew.resolve(target, source)


@given(st.text(max_size=40), st.sampled_from(["s.md", "a/b/s.md"]))
def test_any_target_leads_to_a_known_note_or_nowhere(target: str, source: str) -> None:
    assert index("n.md", "a/m.md").resolve(target, source) in ("n.md", "a/m.md", source, None)


class TestSubpaths:
    TEXT = (
        "# Top\nintro ^intro\n## Part *one*\na\n### Detail\nb\n## Part two\n### Detail\nc\n\n"
        "- item ^i\n  - inner\n- next\n"
    )

    def shown(self, subpath: str) -> str | None:
        parsed = note(self.TEXT)
        block = find_subpath(parsed, subpath)
        if block is None:
            return None
        span = section_span(parsed, block)
        text = parsed.text[span.start : span.end]
        lines = parsed.text.split("\n")[span.start_line - 1 : span.end_line]
        assert "\n".join(lines) == text
        return text

    @pytest.mark.parametrize(
        ("subpath", "shown"),
        [
            ("Part one", "## Part *one*\na\n### Detail\nb"),
            ("part  ONE", "## Part *one*\na\n### Detail\nb"),
            ("Detail", "### Detail\nb"),
            ("Part two#Detail", "### Detail\nc\n\n- item ^i\n  - inner\n- next"),
            ("Top#Detail", "### Detail\nb"),
            ("Detail#Part two", None),
            ("part-two", "## Part two\n### Detail\nc\n\n- item ^i\n  - inner\n- next"),
            ("missing", None),
            ("", None),
            ("#", None),
            ("^intro", "intro ^intro"),
            ("^I", "- item ^i\n  - inner"),
            ("^none", None),
            ("^", None),
        ],
    )
    def test_a_subpath_shows_its_section_or_block(self, subpath: str, shown: str | None) -> None:
        assert self.shown(subpath) == shown

    def test_words_alone_do_not_confuse_headings_that_differ_by_signs(self) -> None:
        parsed = note("# C\n\n# C++\n\n# C#\n")
        block = find_heading(parsed, "C++")
        assert block is not None
        assert block.headings == ("C++",)

    def test_a_block_of_another_note_is_shown_as_it_is(self) -> None:
        other: Block | None = find_block(note("x ^a"), "a")
        assert other is not None
        assert section_span(note("y"), other) == other.span
