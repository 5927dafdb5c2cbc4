"""Builds llama-architecture GGUF files that the real llama.cpp loads, from a few hundred kilobytes up.

`build` writes random weights, or, with ``says``, weights that make the model say exactly that text after
any prompt. With `HALF_BILLION` or `ONE_AND_A_HALF_BILLION` it writes the shape of a real small model, for
measuring speed: ``build(path, **HALF_BILLION)``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import gguf
import numpy as np

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "<|start|>{{ message['role'] }}\n{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""ChatML in other words; it ends on one token, so that a scripted reply has something to start from."""

CONTROL = ("<|start|>", "<|end|>", "<|assistant|>")
"""Control tokens besides ``<unk>``, ``<s>`` and ``</s>``."""

WORDS = (
    "▁the ▁a ▁of ▁and ▁to ▁in ▁is ▁cat ▁dog ▁note ▁sleep ▁day ▁garden ▁water th he in er an re on at en nd "
    "st or is ▁t ▁a ▁c ▁d ▁n ▁s ▁w ▁g ▁i ▁o ca do no te sl ee ep da ay"
).split()

HALF_BILLION: dict[str, Any] = {
    "layers": 24, "width": 896, "heads": 14, "kv_heads": 2, "feed_forward": 4864, "vocabulary": 151_936,
    "context": 32_768, "quantisation": "Q4_0",
}  # fmt: skip
"""The shape of Qwen2.5-0.5B, about 0.3 GB."""

ONE_AND_A_HALF_BILLION: dict[str, Any] = {
    "layers": 28, "width": 1536, "heads": 12, "kv_heads": 2, "feed_forward": 8960, "vocabulary": 151_936,
    "context": 32_768, "quantisation": "Q4_0",
}  # fmt: skip
"""The shape of Qwen2.5-1.5B, about 0.9 GB."""

Quantisation = Literal["F32", "Q8_0", "Q4_0"]


def build(
    path: Path,
    *,
    layers: int = 2,
    width: int = 64,
    heads: int = 4,
    kv_heads: int | None = None,
    feed_forward: int | None = None,
    vocabulary: int | Sequence[str] = (),
    context: int = 512,
    seed: int = 0,
    chat_template: str | None = CHAT_TEMPLATE,
    quantisation: Quantisation = "F32",
    says: str | Sequence[str | bytes] | None = None,
    name: str = "tiny",
) -> Path:
    """Write a GGUF file to ``path`` and return it.

    ``vocabulary`` adds pieces (``▁`` for a space), or is the number of tokens to fill up to. ``says`` is the
    reply, ended by the end-of-sequence token: a text is cut into pieces that differ from each other, as each
    may occur only once; in a sequence, a ``str`` is a piece and a ``bytes`` of length one a byte token.
    """
    chain = _pieces(says) if isinstance(says, str) else list(says or ())
    extra = () if isinstance(vocabulary, int) else tuple(vocabulary)
    script = [f"<0x{piece[0]:02X}>" if isinstance(piece, bytes) else _escape(piece) for piece in chain]
    if len(set(script)) != len(script):
        raise ValueError("each piece of a scripted reply may occur only once")
    tokens, types = _vocabulary([*extra, *script])
    if isinstance(vocabulary, int):
        fill = range(vocabulary - len(tokens))
        tokens += [f"▁w{number}" for number in fill]
        types += [gguf.TokenType.NORMAL] * len(fill)
    if script:
        width = max(width, 128)

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(name)
    writer.add_context_length(context)
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(feed_forward or 2 * width)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads or heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(width // heads)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    # Longer pieces score higher, so that the tokenizer merges up to them.
    normal = gguf.TokenType.NORMAL
    scores = [float(len(token)) if kind is normal else 0.0 for token, kind in zip(tokens, types, strict=True)]
    writer.add_token_scores(scores)
    writer.add_token_types(types)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_eot_token_id(tokens.index("<|end|>"))
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)
    if chat_template is not None:
        writer.add_chat_template(chat_template)

    weights = _Weights(writer, np.random.default_rng(seed), quantisation)
    if script:
        _script(weights, [tokens.index(piece) for piece in script], tokens, width)
    else:
        weights.random("token_embd.weight", len(tokens), width)
        if not isinstance(vocabulary, int):  # the big shapes tie both ends, as the models they stand for do
            weights.random("output.weight", len(tokens), width)
    weights.ones("output_norm.weight", width)
    kv_width = width // heads * (kv_heads or heads)
    for layer in range(layers):
        block = f"blk.{layer}."
        weights.ones(block + "attn_norm.weight", width)
        weights.ones(block + "ffn_norm.weight", width)
        weights.random(block + "attn_q.weight", width, width)
        weights.random(block + "attn_k.weight", kv_width, width)
        weights.random(block + "attn_v.weight", kv_width, width)
        weights.random(block + "ffn_gate.weight", feed_forward or 2 * width, width)
        weights.random(block + "ffn_up.weight", feed_forward or 2 * width, width)
        # Without these two a block adds nothing to the residual stream, and only the script decides.
        weights.random(block + "attn_output.weight", width, width, scale=0.0 if script else 1.0)
        weights.random(
            block + "ffn_down.weight", width, feed_forward or 2 * width, scale=0.0 if script else 1.0
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


class _Weights:
    """Adds tensors of a shape to a writer; ``shape`` is (outputs, inputs)."""

    def __init__(self, writer: gguf.GGUFWriter, rng: np.random.Generator, quantisation: Quantisation) -> None:
        self.rng = rng
        self._writer = writer
        self._quantisation = quantisation

    def ones(self, name: str, size: int) -> None:
        self._writer.add_tensor(name, np.ones(size, dtype=np.float32))

    def exact(self, name: str, values: np.ndarray) -> None:
        self._writer.add_tensor(name, values.astype(np.float32))

    def random(self, name: str, rows: int, columns: int, *, scale: float = 1.0) -> None:
        if self._quantisation == "F32":
            deviation = scale / np.sqrt(columns)
            self.exact(name, self.rng.normal(0.0, 1.0, (rows, columns)) * deviation)
            return
        # Random quants under one fixed scale: no 32-bit copy of a big model is ever made.
        kind = gguf.GGMLQuantizationType[self._quantisation]
        elements, size = gguf.GGML_QUANT_SIZES[kind]
        blocks = self.rng.integers(0, 256, (rows, columns // elements, size), dtype=np.uint8)
        step = scale / np.sqrt(columns) / (4.0 if kind is gguf.GGMLQuantizationType.Q4_0 else 64.0)
        blocks[:, :, :2] = np.frombuffer(np.float16(step).tobytes(), dtype=np.uint8)
        self._writer.add_tensor(name, blocks.reshape(rows, -1), raw_dtype=kind)


def _script(weights: _Weights, chain: list[int], tokens: list[str], width: int) -> None:
    """Embeddings of unit length, and an output row for each token that equals its predecessor's embedding."""
    embedding = weights.rng.normal(size=(len(tokens), width))
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    output = np.zeros_like(embedding)
    before = tokens.index("<|assistant|>")
    for token in [*chain, tokens.index("</s>")]:
        output[token] = embedding[before]
        before = token
    weights.exact("token_embd.weight", embedding)
    weights.exact("output.weight", output)


def _vocabulary(extra: Sequence[str]) -> tuple[list[str], list[gguf.TokenType]]:
    kinds = {
        "<unk>": gguf.TokenType.UNKNOWN,
        **dict.fromkeys(("<s>", "</s>", *CONTROL), gguf.TokenType.CONTROL),
        **{f"<0x{byte:02X}>": gguf.TokenType.BYTE for byte in range(256)},
    }
    for piece in ("▁", *(chr(code) for code in range(33, 127)), *WORDS, *extra):
        kinds.setdefault(piece, gguf.TokenType.NORMAL)
    return list(kinds), list(kinds.values())


def _escape(piece: str) -> str:
    return piece.replace(" ", "▁")


def _pieces(text: str) -> list[str | bytes]:
    """Cut ``text`` into words, joining a word to the next ones wherever it would repeat an earlier piece."""
    pieces: list[str | bytes] = []
    pending = ""
    for word in re.findall(r"\s*\S+|\s+$", text):
        pending += word
        if pending not in pieces:
            pieces.append(pending)
            pending = ""
    if pending:
        last = pieces.pop()
        assert isinstance(last, str)
        pieces.append(last + pending)
    return pieces
