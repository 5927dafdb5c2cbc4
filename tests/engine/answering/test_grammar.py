from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tiny_gguf import build

from quire_engine.answering.grammar import reply_grammar
from quire_engine.answering.prompts import INSUFFICIENT
from quire_engine.answering.reply import ReplySplitter
from quire_engine.inference.llama import LlamaModel
from quire_engine.records import Message
from quire_engine.settings import AnswerSettings

MESSAGES = [Message("user", "the cat")]
MARKS = re.compile(r"\[(\d+)(?:\]|\Z)")


class Reader:
    """llama.cpp's own grammar, which says how much of a text it accepts."""

    def __init__(self, model: Path) -> None:
        import llama_cpp

        self._lib: Any = llama_cpp
        self._llama = llama_cpp.Llama(str(model), vocab_only=True, n_ctx=64, verbose=False)
        self._vocab = llama_cpp.llama_model_get_vocab(self._llama.model)
        self._bytes = {byte: self._token(byte) for byte in range(256)}

    def _token(self, byte: int) -> int:
        """The token of one byte; pieces would be accepted alike, but depend on the vocabulary."""
        for token in range(self._lib.llama_vocab_n_tokens(self._vocab)):
            if bytes(self._lib.llama_vocab_get_text(self._vocab, token)) == f"<0x{byte:02X}>".encode():
                return int(token)
        raise AssertionError("the model has no byte tokens")

    def accepts(self, text: str, first: int = 6, last: int = 9) -> bool:
        lib = self._lib
        sampler = lib.llama_sampler_init_grammar(self._vocab, reply_grammar(first, last).encode(), b"root")
        assert sampler, "llama.cpp refuses the grammar"
        try:
            end = int(lib.llama_vocab_eos(self._vocab))
            for token in [*(self._bytes[byte] for byte in text.encode()), end]:
                choice = lib.llama_token_data_array(
                    data=(lib.llama_token_data * 1)(lib.llama_token_data(token, 1.0, 0.0)), size=1, selected=0
                )
                lib.llama_sampler_apply(sampler, choice)
                if choice.data[0].logit == float("-inf"):
                    return False
                lib.llama_sampler_accept(sampler, token)
            return True
        finally:
            lib.llama_sampler_free(sampler)

    def close(self) -> None:
        self._llama.close()


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    made = Reader(build(tmp_path_factory.mktemp("grammar") / "model.gguf"))
    yield made
    made.close()


class TestAccepted:
    @pytest.mark.parametrize(
        "reply",
        [
            INSUFFICIENT,
            " " + INSUFFICIENT,
            "Cats sleep [6].",
            "Cats sleep. [6]",
            "Cats sleep.[6][7] Dogs bark [9].",
            "Paris [8]",
            "It weighs 3.5 kg, see file.md or v1.2.3 [6].",
            "Dr. Smith met J. R. R. Tolkien and the U.S. Army, e.g. in Rome, on the 14. of May [6].",
            'He said "no." [7]',
            "Two things:\n\n- cats sleep [6]\n- dogs bark [7]\n  - at night [7]\n",
            "1. Cats sleep [6]\n2. Dogs bark [7]",
            "| pet | does |\n|---|---|\n| cat | sleeps | [6]",
            "猫は一日中寝る。[6]犬は吠える[7]。",
            "بيت كبير؟ [6]",
            "घर बड़ा है। [6]",
            "می\u200cخواهم [6]",
            "12\u00a0000 euros [6]",
            "Use <b>bold</b> if a < b (or not) [6].",
        ],
    )
    def test_what_a_good_answer_looks_like(self, reader: Reader, reply: str) -> None:
        assert reader.accepts(reply)


class TestRefused:
    @pytest.mark.parametrize(
        "reply",
        [
            "",
            "Cats sleep.",
            "Cats sleep. Dogs bark [6].",
            "Cats sleep [6]. Dogs bark.",
            "猫は寝る。犬は吠える。[6]",
            "Cats sleep [5].",
            "Cats sleep [10].",
            "Cats sleep [66].",
            "Cats sleep [06].",
            "Cats sleep [x].",
            "Cats sleep [6",
            "[6] Cats sleep",
            "See [[note]] [6].",
            "Cats 【6】 sleep [6].",
            "Cats  sleep [6].",
            "Cats sleep [6].\n\n\n\nDogs bark [7].",
            "Cats\tsleep [6].",
            "Cats \x1b sleep [6].",
            "Cats\u200b sleep [6].",
            "Cats sleep [6][6][6][6][6].",
            INSUFFICIENT + " Really.",
        ],
    )
    def test_what_has_no_mark_or_a_wrong_one_or_runs_on(self, reader: Reader, reply: str) -> None:
        assert not reader.accepts(reply)

    def test_one_passage_has_one_mark(self, reader: Reader) -> None:
        assert reader.accepts("Cats sleep [12].", first=12, last=12)
        assert not reader.accepts("Cats sleep [1].", first=12, last=12)


class TestRandomWeights:
    """Whatever the weights, what comes out is well-formed."""

    @pytest.mark.parametrize("seed", range(6))
    def test_every_reply_is_well_formed(self, tmp_path: Path, seed: int) -> None:
        pieces = [f"{end}▁[{number}]" for number in range(5, 11) for end in ("", ".")] + ["▁▁", "\n\n", "。"]
        settings = AnswerSettings(threads=1, temperature=1.5, seed=seed, max_tokens=200)
        model = LlamaModel(
            build(tmp_path / "model.gguf", seed=seed, vocabulary=pieces, context=512), settings
        )
        try:
            events = list(model.stream(MESSAGES, max_tokens=200, grammar=reply_grammar(6, 9)))
        finally:
            model.close()
        reply = "".join(event for event in events if isinstance(event, str)).replace("\ufffd", "")
        assert reply
        assert {int(number) for number in MARKS.findall(reply)} <= {6, 7, 8, 9}
        assert not re.search(r"  |\n{3}", re.sub(r"\n +", "\n", reply))
        assert not set("[]") & set(MARKS.sub("", reply.removesuffix("[")))
        splitter = ReplySplitter()
        sentences = splitter.feed(reply) + splitter.finish(cut_off=True)
        assert all(set(sentence.marks) <= {6, 7, 8, 9} for sentence in sentences)
