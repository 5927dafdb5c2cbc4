from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_gguf import build

from quire_engine.answering.context import SPARE_TOKENS, fit
from quire_engine.answering.prompts import SYSTEM, user_prompt
from quire_engine.errors import GenerationError
from quire_engine.inference.llama import LlamaModel
from quire_engine.records import Hit, ScoreTrace
from quire_engine.settings import AnswerSettings

QUESTION = "What do cats do?"
MAX_TOKENS = 50


class WordModel:
    """Counts words; nothing else of it is used."""

    name = "words"

    def __init__(self, context: int) -> None:
        self.context = context

    def count_tokens(self, text: str) -> int:
        return len(re.findall(r"\w+|[^\w\s]", text))

    def stream(self, system: str, user: str, *, max_tokens: int, grammar: str | None = None) -> Iterator[str]:
        raise AssertionError("nothing is to be generated")


def hit(rank: int, sentences: int, *, name: str = "cats", spans: bool = True) -> Hit:
    parts = [f"Fact {rank} {number} about {name} is here." for number in range(sentences)]
    text = "\n".join(parts)
    starts = [sum(len(part) + 1 for part in parts[:place]) for place in range(sentences)]
    return Hit(
        rank=rank, chunk_id=rank, path=f"{name}.md", title=name, headings=(), start_line=10,
        end_line=10 + sentences - 1, text=text, score=1 / rank, topic="", trace=ScoreTrace(()),
        sentences=tuple((start, start + len(part)) for start, part in zip(starts, parts, strict=True))
        if spans
        else (),
    )  # fmt: skip


def needed(model: WordModel, hits: list[Hit]) -> int:
    prompt = model.count_tokens(SYSTEM) + model.count_tokens(user_prompt(hits, QUESTION))
    return prompt + MAX_TOKENS + SPARE_TOKENS


class TestFit:
    def test_everything_that_fits_exactly_is_taken_in_order(self) -> None:
        hits = [hit(1, 3), hit(2, 3), hit(3, 3)]
        model = WordModel(needed(WordModel(0), hits))
        fitted = fit(hits, model, QUESTION, MAX_TOKENS)
        assert fitted.hits == tuple(hits)
        assert fitted.dropped == ()
        assert fitted.prompt_tokens + MAX_TOKENS + SPARE_TOKENS == model.context

    def test_one_token_less_drops_the_last_passage(self) -> None:
        hits = [hit(1, 3), hit(2, 3), hit(3, 3)]
        fitted = fit(hits, WordModel(needed(WordModel(0), hits) - 1), QUESTION, MAX_TOKENS)
        assert fitted.hits == tuple(hits[:2])
        assert fitted.dropped == (hits[2],)

    def test_a_smaller_passage_is_taken_after_one_that_was_dropped(self) -> None:
        best, big, small = hit(1, 3), hit(2, 40), hit(3, 1)
        fitted = fit([best, big, small], WordModel(needed(WordModel(0), [best, small])), QUESTION, MAX_TOKENS)
        assert fitted.hits == (best, small)
        assert fitted.dropped == (big,)

    @pytest.mark.parametrize("spans", [True, False])
    def test_the_best_passage_is_cut_between_sentences(self, spans: bool) -> None:
        whole = hit(1, 40, spans=spans)
        model = WordModel(needed(WordModel(0), [hit(1, 7)]) + 3)
        (cut,) = fit([whole], model, QUESTION, MAX_TOKENS).hits
        assert cut.text == "\n".join(whole.text.splitlines()[:7])
        assert (cut.start_line, cut.end_line) == (10, 16)
        assert cut.sentences == whole.sentences[:7]
        assert cut.chunk_id == whole.chunk_id

    def test_no_hits_need_no_room(self) -> None:
        fitted = fit([], WordModel(10), QUESTION, MAX_TOKENS)
        assert (fitted.hits, fitted.dropped) == ((), ())

    def test_a_question_that_leaves_no_room_is_an_error_that_says_what_to_do(self) -> None:
        with pytest.raises(GenerationError, match=r"shorten the question") as caught:
            fit([hit(1, 3)], WordModel(900), "why " * 2000, MAX_TOKENS)
        assert "\n" not in str(caught.value)


class TestRealModel:
    def test_what_was_fitted_is_accepted_by_the_model_and_one_more_passage_is_not(
        self, tmp_path: Path
    ) -> None:
        model = LlamaModel(build(tmp_path / "model.gguf", context=2560), AnswerSettings(threads=1))
        hits = [hit(rank, 12, name=f"note {rank}") for rank in range(1, 7)]
        fitted = fit(hits, model, QUESTION, MAX_TOKENS)
        assert fitted.hits
        assert fitted.dropped
        assert fitted.prompt_tokens + MAX_TOKENS <= model.context

        prompt = user_prompt(fitted.hits, QUESTION)
        assert list(model.stream(SYSTEM, prompt, max_tokens=MAX_TOKENS))
        with pytest.raises(GenerationError):
            list(
                model.stream(
                    SYSTEM, user_prompt([*fitted.hits, fitted.dropped[0]], QUESTION), max_tokens=MAX_TOKENS
                )
            )
        model.close()
