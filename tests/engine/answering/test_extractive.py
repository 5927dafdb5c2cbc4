from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from quire_engine.analysis import reading_trust
from quire_engine.answering.extractive import evidence_strength, extract, rank_sentences
from quire_engine.records import Hit, ScoreTrace


def hit(text: str, sentences: Sequence[str], *, rank: int = 1, score: float = 1.0, path: str = "A.md") -> Hit:
    spans = tuple((text.index(s), text.index(s) + len(s)) for s in sentences)
    return Hit(
        rank=rank,
        chunk_id=rank,
        path=path,
        title="A",
        headings=("Birds",),
        start_line=1,
        end_line=1 + text.count("\n"),
        text=text,
        score=score,
        topic=".",
        trace=ScoreTrace(()),
        sentences=spans,
    )


def rarity(words: Sequence[str]) -> Mapping[str, float]:
    return dict.fromkeys(words, 1.0)


SWIFT = "Swifts sleep in the air. They lay two or three eggs. The nest is a hole."


class TestRanking:
    def test_the_sentence_that_answers_comes_first(self, embedder: Any) -> None:
        passage = hit(
            SWIFT, ["Swifts sleep in the air.", "They lay two or three eggs.", "The nest is a hole."]
        )
        ranked = rank_sentences("How many eggs do swifts lay?", [passage], embedder, rarity)
        assert ranked[0].text == "They lay two or three eggs."
        assert ranked[0].coverage > ranked[-1].coverage

    def test_embeds_and_rules_say_nothing(self, embedder: Any) -> None:
        passage = hit("![[Eggs]]\n| --- | --- |\nEggs.", ["![[Eggs]]", "| --- | --- |", "Eggs."])
        ranked = rank_sentences("eggs", [passage], embedder, rarity)
        assert [c.text for c in ranked] == ["Eggs."]

    def test_words_that_are_there_to_be_found_say_nothing(self, embedder: Any) -> None:
        stuffing = "eggs nest swift what how many who lay " * 20
        passage = hit(f"Swifts lay three eggs.\n{stuffing}", ["Swifts lay three eggs.", stuffing.strip()])
        ranked = rank_sentences("How many eggs do swifts lay?", [passage], embedder, rarity)
        assert [c.text for c in ranked] == ["Swifts lay three eggs."]

    def test_a_table_row_is_read_under_its_header(self, embedder: Any) -> None:
        text = "| Bird | Eggs |\n| --- | --- |\n| Swift | 3 |\n| Heron | 5 |"
        passage = hit(text, ["| Swift | 3 |", "| Heron | 5 |"])
        ranked = rank_sentences("How many eggs does a heron lay?", [passage], embedder, rarity)
        assert ranked[0].text == "| Heron | 5 |"
        assert ranked[0].coverage == pytest.approx(2 / 3)

    def test_without_sentences_there_is_nothing(self, embedder: Any) -> None:
        assert rank_sentences("eggs", [hit("Eggs.", [])], embedder, rarity) == []
        assert evidence_strength([], 1.0) == 0.0


class TestExtract:
    def test_sentences_stand_in_reading_order(self, embedder: Any) -> None:
        passage = hit(
            SWIFT, ["Swifts sleep in the air.", "They lay two or three eggs.", "The nest is a hole."]
        )
        ranked = rank_sentences("Where do swifts sleep, nest and lay eggs?", [passage], embedder, rarity)
        texts = [draft.text for draft in extract(ranked, 3)]
        assert texts == [s for s in SWIFT.replace(". ", ".\n").split("\n") if s in texts]

    def test_never_more_than_asked_for_and_no_sentence_twice(self, embedder: Any) -> None:
        twins = [
            hit("They lay two eggs.", ["They lay two eggs."], rank=n, path=f"{n}.md") for n in range(1, 5)
        ]
        ranked = rank_sentences("How many eggs do they lay?", twins, embedder, rarity)
        assert len(extract(ranked, 3)) == 1

    def test_quote_marks_are_not_part_of_the_answer_but_of_the_quote(self, embedder: Any) -> None:
        text = "> [!tip] Eggs\n> They lay two\n> or three eggs."
        passage = hit(text, [text])
        draft = extract(rank_sentences("How many eggs?", [passage], embedder, rarity), 1)[0]
        assert draft.text == "Eggs They lay two or three eggs."
        proof = draft.evidence[0]
        assert proof.hit.text[proof.start : proof.end] == text

    def test_code_keeps_its_lines(self, embedder: Any) -> None:
        text = "```\nlay(eggs=3)\n```"
        draft = extract(rank_sentences("lay eggs", [hit(text, [text])], embedder, rarity), 1)[0]
        assert draft.text == text
        assert draft.separator == "\n\n"


class TestEvidence:
    def test_an_answer_is_stronger_than_another_subject(self, embedder: Any) -> None:
        passage = hit(SWIFT, ["They lay two or three eggs."])

        def strength(question: str) -> float:
            ranked = rank_sentences(question, [passage], embedder, rarity)
            return evidence_strength(ranked, reading_trust(embedder.readability(question)))

        assert strength("How many eggs do they lay?") > 0.5 > strength("Who was the king of Spain in 1700?")

    def test_a_question_that_cannot_be_read_is_judged_by_its_words(self, embedder: Any) -> None:
        text = "红色的车票是乔凡尼的。"
        passage = hit(text, [text])

        def strength(question: str) -> float:
            ranked = rank_sentences(question, [passage], embedder, rarity)
            return evidence_strength(ranked, reading_trust(embedder.readability(question)))

        assert strength("乔凡尼的车票") > 0.5 > strength("北京的天气怎么样")


def test_a_question_in_the_notes_is_no_answer(embedder: Any) -> None:
    text = "How many eggs do swifts lay? The clutch is two or three."
    passage = hit(text, ["How many eggs do swifts lay?", "The clutch is two or three."])
    ranked = rank_sentences("How many eggs are in a clutch?", [passage], embedder, rarity)
    assert ranked[0].text == "The clutch is two or three."
