"""Notes that try to act: names, headings and text of every kind show as they are written, and do nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it.token import Token
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input

from quire.tui.app import QuireApp
from quire.tui.inert import inert, inert_lines, squeezed
from quire.tui.messages import OpenPlace
from quire.tui.places import Place
from quire.tui.screens.note import NoteScreen
from quire.tui.widgets.answer_markdown import citation_number, parser, with_room_for_marks

Ask = Callable[[Pilot[None], str], Awaitable[None]]
Settle = Callable[[Pilot[None]], Awaitable[None]]
Read = Callable[[App[None]], str]

HOSTILE = (
    "# [bold]Head[/bold] [@click=app.quit]line[/]\n\n"
    "The walnut [red]oil[/red] recipe \x1b[31mstops\x1b[0m at ![dot](http://evil.example/x.png) and "
    "[here](http://evil.example) with <b>bold</b> &#x1b; \u202egnp.exe [9] [1] marks.\n"
)
NAMES = ("[red]x[/red].md", "[@click=app.quit]y.md")


def tokens(text: str, numbers: frozenset[int] = frozenset({1, 2})) -> list[Token]:
    """All tokens of a text, those within paragraphs included."""
    found = []
    for token in parser(lambda: numbers).parse(text):
        found += [token, *(token.children or ())]
    return found


def words(text: str) -> str:
    """The visible text."""
    return "".join(token.content for token in tokens(text) if token.type == "text")


class TestScreens:
    async def test_nothing_of_a_hostile_note_acts(
        self, on_vault: Callable[..., QuireApp], ask: Ask, settle: Settle, screen_text: Read
    ) -> None:
        app = on_vault(*((name, HOSTILE) for name in NAMES))
        async with app.run_test(size=(160, 48)) as pilot:
            await ask(pilot, "Where does the walnut oil recipe stop?")
            shown = screen_text(app)
            assert "[red]x[/red].md:3" in shown or "[@click=app.quit]y.md:3" in shown
            assert "[bold]Head[/bold]" in shown
            assert "[red]oil[/red]" in shown
            assert "![dot](http://evil.example/x.png)" in " ".join(shown.split())
            assert "[here](http://evil.example)" in " ".join(shown.split())
            assert "<b>bold</b> &#x1b;" in " ".join(shown.split())
            clean(app)
            await pilot.press("1", "enter")
            await settle(pilot)
            assert isinstance(app.screen, NoteScreen)
            shown = screen_text(app)
            assert "# [bold]Head[/bold] [@click=app.quit]line[/]" in shown
            clean(app)
            assert app.is_running

    @pytest.mark.parametrize("name", NAMES)
    async def test_hostile_name_is_shown_and_opened_literally(
        self, on_vault: Callable[..., QuireApp], settle: Settle, screen_text: Read, name: str
    ) -> None:
        app = on_vault(*((other, HOSTILE) for other in NAMES), ("Home.md", "See [[" + name + "]].\n"))
        async with app.run_test(size=(100, 30)) as pilot:
            await settle(pilot)
            await pilot.press("ctrl+p")
            await settle(pilot)
            app.screen.query_one(Input).value = name.removesuffix(".md")
            await settle(pilot)
            assert name.removesuffix(".md") in screen_text(app)
            await pilot.press("enter")
            await settle(pilot)
            assert isinstance(app.screen, NoteScreen)
            assert screen_text(app).splitlines()[0].strip() == name

    async def test_hostile_path_in_a_failure_is_shown_literally(
        self, garden: QuireApp, settle: Settle, screen_text: Read
    ) -> None:
        async with garden.run_test(size=(160, 48)) as pilot:
            garden.post_message(OpenPlace(Place("[@click=app.quit]\x1b[2Jgone[/].md", 1, 1)))
            await settle(pilot)
            assert "[@click=app.quit]�[2Jgone[/].md" in screen_text(garden).splitlines()[0]
            clean(garden)


def clean(app: App[None]) -> None:
    """Nothing that a terminal obeys stands on the screen."""
    picture = app.export_screenshot()
    assert not set(picture) & set("\x1b\x07\u202e\u2066\x9b")
    assert "&#27;" not in picture


class TestInert:
    @given(st.text())
    def test_no_control_character_survives_and_length_stays(self, text: str) -> None:
        made = inert(text)
        assert len(made) == len(text)
        assert not any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in made)
        assert not set(made) & set("\u2028\u2029\u202a\u202e\u2066\u2069")

    def test_lines_and_tabs_are_kept_on_request(self) -> None:
        assert inert_lines("a\tb\nc\r\x1b") == "a\tb\nc��"

    def test_letters_that_nobody_sees_are_shown(self) -> None:
        assert inert("bins\U000e0041") == "bins�"

    def test_ordinary_text_is_untouched(self) -> None:
        text = "Ünïcödé – 緑色 👩‍🔧 עברית [1]"
        assert inert(text) == text

    def test_squeezed_text_says_that_it_was_cut(self) -> None:
        assert squeezed("a  b\n c", 10) == "a b c"
        assert squeezed("abcdef", 4) == "abc…"


class TestMarkdown:
    @given(st.text(alphabet=st.sampled_from("[]()!<>/\\`*_~|#-&;:x19 \n\"'ahttps.")))
    def test_no_link_arises_but_to_a_citation(self, text: str) -> None:
        for token in tokens(text):
            assert token.type not in ("image", "html_inline", "html_block")
            if token.type == "link_open":
                assert citation_number(str(token.attrs["href"])) in (1, 2)

    @pytest.mark.parametrize(
        "text",
        [
            "[text](http://evil.example)",
            "![alt](file:///etc/passwd)",
            "<https://evil.example>",
            "<script>alert(1)</script>",
            "&#27;&#x202e;",
            "[[Wiki|link]]",
            "[text][ref]",
        ],
    )
    def test_what_could_act_shows_as_written(self, text: str) -> None:
        assert words(text) == text

    def test_reference_definition_is_text(self) -> None:
        assert words("[1]: http://evil.example") == "[1]: http://evil.example"

    def test_marks_of_known_citations_are_links(self) -> None:
        links = [t.attrs["href"] for t in tokens("One. [1][2] Two. [3]") if t.type == "link_open"]
        assert [citation_number(str(link)) for link in links] == [1, 2]
        assert words("One. [1][2] Two. [3]") == "One. [1][2] Two. [3]"

    @pytest.mark.parametrize("href", ["http://evil.example", "citation:", "citation:x", "citation:-1", "1"])
    def test_other_targets_lead_nowhere(self, href: str) -> None:
        assert citation_number(href) is None

    def test_mark_behind_a_table_row_survives(self) -> None:
        table = "| a | b |\n| --- | --- |\n| 1 | 2 | [1][2]"
        assert "[1]" in words(with_room_for_marks(table))
        assert words(with_room_for_marks(table)).startswith("ab12 [1]")

    def test_mark_behind_a_fence_closes_it(self) -> None:
        made = tokens(with_room_for_marks("```\ncode\n``` [1]\n\nMore. [2]"))
        assert [t.content for t in made if t.type == "fence"] == ["code\n"]
        assert [t.attrs["href"] for t in made if t.type == "link_open"] == ["citation:1", "citation:2"]

    def test_other_text_is_left_alone(self) -> None:
        text = "A | b. [1]\n- item [2]\n\n    ``` code"
        assert with_room_for_marks(text) == text
