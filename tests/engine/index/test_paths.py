"""Paths as a search names them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_engine.index.paths import path_test


@pytest.mark.parametrize(
    ("pattern", "fits", "fits_not"),
    [
        ("project", ["Projects/Quire.md", "Old/projects/x.md", "Project.md"], ["My projects.md"]),
        ("Projects/Al", ["Projects/Alpha.md", "Old/Projects/Alps/x.md"], ["Projects/Beta.md"]),
        ("projects/", ["Projects/Quire.md"], ["projects.md"]),
        ("./Café", ["cafe/x.md"], ["My cafe/x.md"]),
        ("a\\b", ["A/b.md"], ["a.md"]),
        ("*.md", ["a.md", "x/b.md"], ["a.canvas"]),
        ("daily/2024-*", ["daily/2024-05-01.md", "Log/Daily/2024-05-01.md"], ["daily/2023-05-01.md"]),
        ("note?.md", ["note1.md"], ["note12.md"]),
        ("[ab]x.md", ["ax.md", "f/bx.md"], ["cx.md"]),
        ("100%_x", ["100%_x.md"], ["100 ax.md"]),
        ("a.b", ["a.b.md"], ["aXb.md"]),
    ],
)
def test_how_it_begins_from_any_folder_on_or_a_glob(
    pattern: str, fits: list[str], fits_not: list[str]
) -> None:
    test = path_test([pattern])
    assert [path for path in (*fits, *fits_not) if test(path)] == fits


def test_any_of_several_is_enough() -> None:
    test = path_test(["a/", "*.canvas"])
    assert [path for path in ("a/x.md", "b/y.canvas", "b/z.md") if test(path)] == ["a/x.md", "b/y.canvas"]


@given(st.lists(st.text(min_size=1)), st.text())
def test_no_pattern_raises(patterns: list[str], path: str) -> None:
    assert path_test(patterns)(path) in (True, False)


@given(
    st.text(alphabet=st.characters(exclude_characters="*?[\\"), min_size=1).filter(
        lambda name: name.strip("./")
    )
)
def test_a_path_fits_itself(path: str) -> None:
    assert path_test([path])(path.removeprefix("./").lstrip("/"))
