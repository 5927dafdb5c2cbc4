"""Canvases: their cards as Markdown, in an order a reader would follow."""

from __future__ import annotations

import json

import pytest

from quire_engine.errors import VaultError
from quire_engine.records import FileStat, Note
from quire_engine.vault.parser import parse


def canvas(*nodes: dict[str, object]) -> Note:
    return parse("board.canvas", json.dumps({"nodes": nodes, "edges": []}).encode(), FileStat(1, 0, 1))


def text_card(text: str, x: float = 0, y: float = 0) -> dict[str, object]:
    return {"id": text, "type": "text", "text": text, "x": x, "y": y, "width": 10, "height": 10}


class TestCanvas:
    def test_cards_are_read_top_to_bottom_joined_by_empty_lines(self) -> None:
        note = canvas(text_card("second", y=50), text_card("first\r\nline"), text_card("third", x=5, y=50))
        assert note.text == "first\nline\n\nsecond\n\nthird"
        assert note.title == "board"

    def test_places_refer_to_the_extracted_text(self) -> None:
        note = canvas(text_card("one"), text_card("- two [[x]]", y=20))
        block = note.blocks[1]
        assert note.text[block.span.start : block.span.end] == "- two [[x]]"
        assert block.span.start_line == 3
        assert note.links[0].span.start_line == 3

    def test_a_group_is_a_heading_above_the_cards_in_it(self) -> None:
        group: dict[str, object] = {
            "type": "group", "label": "Plans", "x": 100, "y": 0, "width": 100, "height": 100,
        }  # fmt: skip
        note = canvas(group, text_card("inside", 120, 20), text_card("outside", 0, 300))
        assert [block.headings for block in note.blocks] == [(), ("Plans",), ("Plans",)]
        assert note.text == "outside\n\n# Plans\n\ninside"

    def test_a_file_is_an_embed_and_a_page_its_address(self) -> None:
        note = canvas(
            {"type": "file", "file": "a/b.md", "subpath": "#H", "y": 0},
            {"type": "link", "url": "https://x.y", "y": 1},
        )
        assert [(link.kind.value, link.target, link.subpath) for link in note.links] == [
            ("embed", "a/b.md", "H")
        ]
        assert note.text.endswith("https://x.y")

    def test_one_card_does_not_spoil_the_next(self) -> None:
        note = canvas(text_card("```\nnever closed"), text_card("# Head", y=20), text_card("[[x]]", y=40))
        assert [(block.kind.value, block.headings) for block in note.blocks] == [
            ("code", ()),
            ("heading", ("Head",)),
            ("paragraph", ()),
        ]
        assert len(note.links) == 1

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"{}",
            b"[]",
            b"null",
            b'{"nodes": 1}',
            b'{"nodes": [1, {"type": "text"}, {"text": 2, "x": "a"}]}',
        ],
    )
    def test_what_holds_no_cards_is_an_empty_note(self, data: bytes) -> None:
        assert parse("a.canvas", data, FileStat(1, 0, 1)).blocks == ()

    def test_numbers_and_text_of_any_kind_are_survived(self) -> None:
        data = (
            b'{"nodes": [{"type": "text", "text": "a\\ud800\\u0000b", "x": 1e999, "y": NaN, "width": true}]}'
        )
        note = parse("a.canvas", data, FileStat(1, 0, 1))
        note.text.encode()
        assert note.text == "a?\ufffdb"

    @pytest.mark.parametrize("data", [b'{"nodes": [', b"[" * 100_000, b"text"])
    def test_what_is_not_json_is_refused_with_the_reason(self, data: bytes) -> None:
        with pytest.raises(VaultError, match="not valid JSON"):
            parse("a.canvas", data, FileStat(1, 0, 1))
