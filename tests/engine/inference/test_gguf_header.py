from __future__ import annotations

import struct
from pathlib import Path

import pytest
from tiny_gguf import CHAT_TEMPLATE, build

from quire_engine.errors import ModelError
from quire_engine.inference.gguf_header import read_header


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    return build(tmp_path / "model.gguf")


def refused(path: Path, *words: str) -> None:
    with pytest.raises(ModelError) as caught:
        read_header(path)
    message = str(caught.value)
    assert "\n" not in message
    assert all(word in message for word in words), message


def set_value(path: Path, key: bytes, value: bytes) -> None:
    """Overwrite the scalar that stands behind ``key`` and its four bytes of type."""
    data = bytearray(path.read_bytes())
    at = data.index(key) + len(key) + 4
    data[at : at + len(value)] = value
    path.write_bytes(data)


class TestReading:
    def test_the_header_says_what_the_builder_wrote(self, gguf: Path) -> None:
        header = read_header(gguf)
        assert (header.architecture, header.context, header.layers) == ("llama", 512, 2)
        assert header.kv_bytes == 2 * 2 * 2 * 64  # keys and values, two bytes, two layers, width
        assert header.vocabulary > 256
        assert header.chat_template == CHAT_TEMPLATE
        assert header.bytes == gguf.stat().st_size

    def test_grouped_heads_need_less_cache(self, tmp_path: Path) -> None:
        header = read_header(build(tmp_path / "grouped.gguf", kv_heads=1))
        assert header.kv_bytes == 2 * 2 * 2 * 16

    def test_a_model_may_have_no_chat_template(self, tmp_path: Path) -> None:
        assert read_header(build(tmp_path / "plain.gguf", chat_template=None)).chat_template is None

    @pytest.mark.parametrize("quantisation", ["Q8_0", "Q4_0"])
    def test_quantised_tensors_are_measured(self, tmp_path: Path, quantisation: str) -> None:
        path = build(tmp_path / "small.gguf", quantisation=quantisation)  # type: ignore[arg-type]
        assert read_header(path).layers == 2
        path.write_bytes(path.read_bytes()[:-1])
        refused(path, "cut short")


class TestRefusing:
    def test_a_missing_file(self, tmp_path: Path) -> None:
        refused(tmp_path / "none.gguf", "does not exist", "answer.model")

    def test_a_folder(self, tmp_path: Path) -> None:
        refused(tmp_path, "cannot read")

    @pytest.mark.parametrize(
        "content", [b"", b"GGU", b"PK\x03\x04" + bytes(100), b"\x00" * 4096, b"version https"]
    )
    def test_another_kind_of_file(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "other.gguf"
        path.write_bytes(content)
        refused(path, "not a GGUF file")

    @pytest.mark.parametrize("version", [0, 1, 4, 0x03000000])
    def test_an_unknown_version(self, gguf: Path, version: int) -> None:
        data = bytearray(gguf.read_bytes())
        data[4:8] = struct.pack("<I", version)
        gguf.write_bytes(data)
        refused(gguf, "version", "download")

    @pytest.mark.parametrize("share", [0.0001, 0.001, 0.01, 0.03, 0.5, 0.999])
    def test_a_file_that_is_cut_short(self, gguf: Path, share: float) -> None:
        data = gguf.read_bytes()
        gguf.write_bytes(data[: max(4, int(len(data) * share))])
        refused(gguf, "cut short", "download")

    def test_garbage_behind_the_magic(self, gguf: Path) -> None:
        gguf.write_bytes(b"GGUF" + struct.pack("<I", 3) + bytes(range(256)) * 20)
        refused(gguf, "damaged")

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            (b"llama.block_count", struct.pack("<I", 0)),
            (b"llama.block_count", struct.pack("<I", 1000)),
            (b"llama.block_count", struct.pack("<I", 2**32 - 1)),
            (b"llama.context_length", struct.pack("<I", 0)),
            (b"llama.context_length", struct.pack("<I", 2**32 - 1)),
            (b"llama.attention.layer_norm_rms_epsilon", struct.pack("<f", float("nan"))),
            (b"llama.attention.layer_norm_rms_epsilon", struct.pack("<f", -1.0)),
            (b"llama.embedding_length", struct.pack("<I", 0)),
        ],
    )
    def test_values_that_would_abort_llama_cpp(self, gguf: Path, key: bytes, value: bytes) -> None:
        set_value(gguf, key, value)
        refused(gguf, "damaged")

    def test_a_file_without_a_vocabulary(self, gguf: Path) -> None:
        gguf.write_bytes(gguf.read_bytes().replace(b"tokenizer.ggml.tokens", b"tokenizer.ggml.nokens"))
        refused(gguf, "no language model")
