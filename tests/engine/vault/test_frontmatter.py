"""Front matter: what becomes a property, and that bad or hostile YAML costs little."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_engine.vault import frontmatter


def properties(yaml: str) -> dict[str, object]:
    front = frontmatter.read(f"---\n{yaml}\n---\nbody\n")
    assert front is not None
    assert front.warnings == ()
    return dict(front.properties)


def warning(yaml: str) -> str:
    front = frontmatter.read(f"---\n{yaml}\n---\nbody\n")
    assert front is not None
    assert front.properties == {}
    (message,) = front.warnings
    return message


class TestExtent:
    @pytest.mark.parametrize("closing", ["---", "...", "--- "])
    def test_it_ends_with_its_closing_line(self, closing: str) -> None:
        text = f"---\na: 1\n{closing}\nbody"
        front = frontmatter.read(text)
        assert front is not None
        assert text[: front.end] == f"---\na: 1\n{closing}"

    @pytest.mark.parametrize(
        "text", ["", "text", "----\na: 1\n----\n", "\n---\na: 1\n---\n", "---\na: 1\n", " ---\na: 1\n---\n"]
    )
    def test_what_does_not_open_on_the_first_line_or_close_is_none(self, text: str) -> None:
        assert frontmatter.read(text) is None

    def test_it_may_be_empty(self) -> None:
        assert properties("") == {}


class TestValues:
    @pytest.mark.parametrize(
        ("written", "value"),
        [
            ("1", 1),
            ("-7", -7),
            ("1.10", 1.1),
            ("1e3", 1000.0),
            ("true", True),
            ("False", False),
            ("null", None),
            ("", None),
            ("no", "no"),
            ("yes", "yes"),
            ("12:30:45", "12:30:45"),
            ("01234", "01234"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            (".inf", ".inf"),
            (".nan", ".nan"),
            ("1e999", "1e999"),
            ('"1"', "1"),
            ("!!str 1", "1"),
            ("2024-02-29", "2024-02-29"),
            ("2024-02-30", "2024-02-30"),
            ("2001-12-14t21:59:43.10-05:00", "2001-12-14T21:59:43.100000-05:00"),
            ("2024-01-02 03:04", "2024-01-02T03:04:00"),
            ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05+00:00"),
            ("[a, {b: 1}]", ["a", {"b": 1}]),
            ('"a\\0b"', "a\ufffdb"),
        ],
    )
    def test_scalars_are_json_safe_and_lose_nothing(self, written: str, value: object) -> None:
        found = properties(f"x: {written}")["x"]
        assert found == value
        assert type(found) is type(value)

    def test_keys_are_text(self) -> None:
        assert properties("1: a\nno: b\nnull: c\n2024-01-01: d\n? [x, y]\n: e") == {
            "1": "a",
            "no": "b",
            "null": "c",
            "2024-01-01": "d",
            '["x", "y"]': "e",
        }

    def test_of_duplicate_keys_the_last_counts(self) -> None:
        assert properties("title: one\ntitle: two") == {"title": "two"}

    def test_anchors_and_merge_keys_work(self) -> None:
        assert properties("base: &b {x: 1, y: 0}\nuse: {<<: *b, y: 2}\nagain: *b") == {
            "base": {"x": 1, "y": 0},
            "use": {"x": 1, "y": 2},
            "again": {"x": 1, "y": 0},
        }

    def test_json_is_yaml(self) -> None:
        assert properties('{"title": "json", "tags": ["a"]}') == {"title": "json", "tags": ["a"]}

    def test_tags_of_the_language_python_are_only_text(self) -> None:
        found = properties('x: !!python/object/apply:os.system ["touch /tmp/x"]\ny: !custom {a: b}')
        assert found == {"x": ["touch /tmp/x"], "y": {"a": "b"}}

    def test_control_characters_do_not_cost_the_other_properties(self) -> None:
        assert properties("raw: a\x1b[2Jb\ntitle: kept") == {"raw": "a\ufffd[2Jb", "title": "kept"}


class TestBadYaml:
    def test_the_warning_names_the_line_of_the_file(self) -> None:
        assert warning("title: x\ntags: [a\nother: }").startswith("line 4:")

    @pytest.mark.parametrize("yaml", ["just words", "- a\n- b", "tags:\n\t- a"])
    def test_what_holds_no_names_gives_no_properties(self, yaml: str) -> None:
        assert "the properties cannot be read" in warning(yaml)

    @pytest.mark.parametrize("opening", ["[", "{", "- ", "? ", "&a [", "!x ["])
    def test_deep_nesting_is_refused(self, opening: str) -> None:
        assert "cannot be read" in warning("x:\n  " + opening * 5_000)

    def test_an_alias_bomb_is_refused(self) -> None:
        bomb = "a: &a [" + ",".join(["lol"] * 9) + "]\n"
        for name, before in zip("bcdefghij", "abcdefghi", strict=True):
            bomb += f"{name}: &{name} [" + ",".join([f"*{before}"] * 9) + "]\n"
        assert "values" in warning(bomb)

    def test_an_alias_to_itself_is_refused(self) -> None:
        assert "alias" in warning("a: &a [*a]")

    def test_huge_front_matter_is_not_read(self) -> None:
        assert "64 KiB" in warning("\n".join(f"key{i}: value" for i in range(6_000)))


class TestTitleTagsAliases:
    @pytest.mark.parametrize(
        ("yaml", "title"),
        [
            ("title: Plain", "Plain"),
            ('Title: "two\\n  lines"', "two lines"),
            ("title: [not, text]", None),
            ("title: 42", None),
            ('title: "  "', None),
            ("other: x", None),
        ],
    )
    def test_title(self, yaml: str, title: str | None) -> None:
        assert frontmatter.title(properties(yaml)) == title

    @pytest.mark.parametrize(
        ("yaml", "tags"),
        [
            ("tags: [a, b/c]", ["a", "b/c"]),
            ('tags: "#one, two three #four"', ["one", "two", "three", "four"]),
            ("tags:\n  - '#x'\n  - 2024\n  - null", ["x", "2024"]),
            ("tag: five\nTags: six", ["six", "five"]),
            ("tags: {a: 1}", []),
            ("tags:", []),
            ("tags: true", []),
        ],
    )
    def test_tags(self, yaml: str, tags: list[str]) -> None:
        assert frontmatter.tags(properties(yaml)) == tags

    @pytest.mark.parametrize(
        ("yaml", "aliases"),
        [
            ("aliases: [One, Two words]", ("One", "Two words")),
            ("aliases: a, b", ("a", "b")),
            ("alias: x\naliases: [y, x]", ("y", "x")),
            ("aliases: 42", ("42",)),
            ("aliases: null", ()),
            ("aliases: [a, [b], {c: d}]", ("a",)),
        ],
    )
    def test_aliases(self, yaml: str, aliases: tuple[str, ...]) -> None:
        assert frontmatter.aliases(properties(yaml)) == aliases


class TestModified:
    @pytest.mark.parametrize(
        ("yaml", "seconds"),
        [
            ("updated: 1970-01-02", 86400.0),
            ("created: 1970-01-03\nmodified: 1970-01-02", 86400.0),
            ("date modified: 1970-01-01T01:00:00+01:00", 0.0),
            ("updated: '1970-01-01 00:01'", 60.0),
            ("lastmod: 1970-01-01T00:00:01.5Z", 1.5),
            ("modified: soon\nupdated: 1970-01-02", 86400.0),
            ('updated: "[[1970-01-02]]"', 86400.0),
            ("modified: 2024-02-30", None),
            ("modified: 12", None),
            ("other: 2024-01-01", None),
            ("created: 2024-01-01\ndate: 2024-01-01", None),
        ],
    )
    def test_the_first_date_in_order_of_meaning(self, yaml: str, seconds: float | None) -> None:
        assert frontmatter.modified(properties(yaml)) == seconds

    def test_the_ends_of_the_calendar_are_no_error(self) -> None:
        for date in ("0001-01-01", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"):
            frontmatter.modified({"date": date})


@given(st.text(max_size=200))
def test_any_front_matter_gives_json(yaml: str) -> None:
    front = frontmatter.read(f"---\n{yaml}\n---\n")
    assert front is not None
    json.dumps(front.properties, allow_nan=False).encode()
    frontmatter.title(front.properties)
    frontmatter.tags(front.properties)
    frontmatter.aliases(front.properties)
    frontmatter.modified(front.properties)
