"""Decoding: what text comes out of which bytes, and which bytes are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_engine.errors import VaultError
from quire_engine.vault.decoding import content_hash, decode


class TestEncodings:
    def test_utf8_is_read_without_a_warning(self) -> None:
        decoded = decode("naïve 漢字 👩‍🚀".encode())
        assert decoded.text == "naïve 漢字 👩‍🚀"
        assert decoded.warnings == ()

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
    def test_a_byte_order_mark_decides_and_is_not_part_of_the_text(self, encoding: str) -> None:
        assert decode("# Ünï 漢\n".encode(encoding)).text == "# Ünï 漢\n"

    def test_big_endian_utf16_is_read(self) -> None:
        assert decode(b"\xfe\xff" + "漢字".encode("utf-16-be")).text == "漢字"

    def test_a_cut_utf16_file_is_read_with_a_warning(self) -> None:
        decoded = decode(b"\xff\xfe" + "ab".encode("utf-16-le") + b"c")
        assert decoded.text == "ab\ufffd"
        assert decoded.warnings

    def test_latin1_is_recognised_where_nothing_is_multibyte(self) -> None:
        decoded = decode(b"one\ncaf\xe9 \x93quoted\x94")
        assert decoded.text == "one\ncafé “quoted”"
        assert decoded.warnings[0].startswith("line 2:")

    def test_single_bad_bytes_in_utf8_are_replaced(self) -> None:
        decoded = decode("é".encode() + b" \xff end")
        assert decoded.text == "é \ufffd end"
        assert "replaced" in decoded.warnings[0]

    def test_lone_surrogates_do_not_make_the_file_latin1(self) -> None:
        assert "\ufffd" in decode(b"x \xed\xa0\x80 y").text


class TestLineEnds:
    @pytest.mark.parametrize("written", [b"a\r\nb\r\n", b"a\rb\r", b"a\nb\n", b"a\r\nb\r"])
    def test_every_line_end_becomes_a_newline(self, written: bytes) -> None:
        assert decode(written).text == "a\nb\n"

    def test_unicode_separators_are_no_line_ends(self) -> None:
        assert decode("a\u2028b\u0085c\x0b".encode()).text == "a\u2028b\u0085c\x0b"

    def test_nul_keeps_its_place(self) -> None:
        assert decode(b"some text a\0b and more").text == "some text a\ufffdb and more"


class TestBinary:
    @pytest.mark.parametrize(
        "data",
        [
            b"\x89PNG\r\n\x1a\n" + bytes(64),
            b"%PDF-1.4\n" + bytes(range(256)),
            b"PK\x03\x04" + bytes(range(64)),
            bytes(range(256)) * 16,
            bytes(4096),
            "no mark".encode("utf-16-le"),
            b"RIFF\x00\x00\x01\x00WAVEfmt ",
        ],
    )
    def test_a_binary_file_is_refused_with_a_reason(self, data: bytes) -> None:
        with pytest.raises(VaultError, match="not a text file"):
            decode(data)

    @pytest.mark.parametrize("data", [b"", b"\x1b[31mred\x1b[0m", b"RIFF is a format", b"ID3 tags explained"])
    def test_text_is_not_mistaken_for_binary(self, data: bytes) -> None:
        assert decode(data).text == data.decode()

    def test_a_sample_that_ends_within_a_character_is_no_binary(self) -> None:
        text = "\x01" * 500 + "a" * (8191 - 500) + "漢字"
        assert decode(text.encode()).text == text


class TestContentHash:
    def test_it_is_of_the_bytes_not_of_the_text(self) -> None:
        assert len(content_hash(b"")) == 16
        assert content_hash(b"a\r\n") != content_hash(b"a\n")
        assert content_hash(b"a") == content_hash(b"a")


@given(st.binary(max_size=300))
def test_any_bytes_are_decoded_or_refused(data: bytes) -> None:
    try:
        text = decode(data).text
    except VaultError:
        return
    assert "\r" not in text
    assert "\0" not in text
    text.encode()


@given(st.text(alphabet=st.characters(exclude_characters="\r\0\ufeff", exclude_categories=("Cs", "Cc"))))
def test_utf8_text_comes_back_as_written(text: str) -> None:
    assert decode(text.encode()).text == text
