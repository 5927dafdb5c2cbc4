from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_engine.answering.compression import (
    DID_NOT_FIT,
    REPEATS,
    Excerpt,
    Said,
    compress,
    shortened,
    without_repetitions,
)
from quire_engine.records import Hit, Omission, ScoreTrace

FRAME = 5


def tokens(text: str) -> int:
    return len(re.findall(r"\w+|[^\w\s]", text))


def hit(number: int, *sentences: str, path: str = "", joint: str = " ") -> Hit:
    text = joint.join(sentences)
    spans: list[tuple[int, int]] = []
    for sentence in sentences:
        start = text.index(sentence, spans[-1][1] if spans else 0)
        spans.append((start, start + len(sentence)))
    return Hit(
        rank=number, chunk_id=number, path=path or f"{number}.md", title=f"note {number}", headings=(),
        start_line=1, end_line=1 + text.count("\n"), text=text, score=1 / number, topic="",
        trace=ScoreTrace(()), sentences=tuple(spans),
    )  # fmt: skip


def reduced(
    hits: Sequence[Hit], relevance: Sequence[Sequence[float]], room: int, said: Said | None = None
) -> list[Excerpt]:
    return compress(hits, relevance, room=room, tokens=tokens, frame=lambda _: FRAME, said=said or Said())


CATS = hit(1, "Cats sleep all day.", "The weather was fine on Monday.", "A cat has nine lives.")
DOGS = hit(2, "Dogs bark at night.", "Nobody knows the reason.", "The dog is called Rex.")


class TestRepetitions:
    @pytest.mark.parametrize(
        "again",
        [
            "Cats sleep all day on the sill.",
            "**Cats** sleep all day on the [[sill]].",
            "cats sleep, all day, on a sill",
        ],
    )
    def test_the_same_words_are_a_repetition(self, again: str) -> None:
        said = Said()
        said.add(hit(1, "It rained.", "Cats sleep all day on the sill."))
        assert said.repeats(again)

    @pytest.mark.parametrize(
        "new",
        [
            "Cats do not sleep all day on the sill.",
            "Cats sleep 3 days on the sill.",
            "Dogs sleep all day on the sill.",
            "On the sill all day sleep cats.",
            "It is a myth that cats sleep all day on the sill.",
        ],
    )
    def test_a_number_a_name_a_denial_or_another_order_is_none(self, new: str) -> None:
        said = Said()
        said.add(hit(1, "Cats sleep all day on the sill."))
        assert not said.repeats(new)

    def test_a_passage_that_says_nothing_new_goes_and_is_listed(self) -> None:
        copy = replace(hit(3, "A cat has nine lives.", "Cats sleep all day."), start_line=7, end_line=9)
        kept, omitted = without_repetitions([CATS, DOGS, copy], Said())
        assert kept == [CATS, DOGS]
        assert omitted == [Omission("3.md", 7, 9, REPEATS)]

    def test_what_was_shown_before_counts(self) -> None:
        said = Said()
        said.add(CATS)
        assert without_repetitions([hit(3, "Cats sleep all day.")], said)[0] == []
        assert without_repetitions([hit(3, "Cats sleep all day.", "They snore.")], said)[0] != []


class TestCompress:
    def test_the_relevant_sentences_are_kept_in_their_order(self) -> None:
        (cats,) = reduced([CATS], [[0.8, 0.0, 0.9]], room=20)
        assert cats.text == "Cats sleep all day. … A cat has nine lives."
        assert cats.hit.sentences == (CATS.sentences[0], CATS.sentences[2])
        assert cats.hit.text == CATS.text

    def test_passages_keep_their_order_whichever_is_more_relevant(self) -> None:
        found = reduced([CATS, DOGS], [[0.5, 0.0, 0.0], [0.0, 0.0, 1.0]], room=2 * FRAME + 15)
        assert [excerpt.text for excerpt in found] == ["Cats sleep all day. …", "… The dog is called Rex."]

    def test_a_sentence_that_was_shown_already_is_left_out(self) -> None:
        said = Said()
        said.add(CATS)
        mixed = hit(3, "Cats sleep all day.", "They snore.")
        (excerpt,) = reduced([mixed], [[1.0, 0.1]], room=100, said=said)
        assert excerpt.text == "… They snore."

    def test_a_sentence_that_two_passages_share_is_shown_once(self) -> None:
        first, second = (
            hit(1, "It rained.", "Cats sleep all day."),
            hit(2, "Cats sleep all day.", "They snore."),
        )
        found = reduced([first, second], [[0.5, 1.0], [1.0, 0.5]], room=100)
        assert "".join(excerpt.text for excerpt in found).count("Cats sleep all day.") == 1

    def test_new_words_win_over_those_that_were_chosen_already(self) -> None:
        passage = hit(
            1,
            "The boiler was serviced in March.",
            "In March the boiler was serviced.",
            "A new pump came.",
            joint="\n",
        )
        (excerpt,) = reduced([passage], [[1.0, 0.95, 0.9]], room=FRAME + 16)
        assert excerpt.text == "The boiler was serviced in March.\n…\nA new pump came."

    def test_without_relevance_what_a_note_is_about_is_kept(self) -> None:
        note = hit(
            1,
            "My aunt came by.",
            "Roses like water in summer.",
            "The radio was on.",
            "Roses need sun and water.",
        )
        (excerpt,) = reduced([note], [[0.0] * 4], room=FRAME + 8)
        assert excerpt.text == "… Roses like water in summer. …"

    def test_a_row_brings_its_header(self) -> None:
        table = Hit(
            rank=1, chunk_id=1, path="t.md", title="t", headings=(), start_line=1, end_line=4,
            text="| what | cost |\n|---|---|\n| tea | 2 |\n| milk | 3 |", score=1.0, topic="",
            trace=ScoreTrace(()), sentences=((26, 37), (38, 50)),
        )  # fmt: skip
        room = FRAME + tokens(table.text) - 3
        (excerpt,) = reduced([table], [[0.0, 1.0]], room=room)
        assert excerpt.text == "| what | cost |\n|---|---|\n…\n| milk | 3 |"

    def test_a_single_sentence_of_an_item_is_better_than_nothing(self) -> None:
        item = Hit(
            rank=1, chunk_id=1, path="t.md", title="t", headings=(), start_line=1, end_line=1,
            text="- Cats sleep all day. Dogs bark all night long.", score=1.0, topic="",
            trace=ScoreTrace(()), sentences=((2, 21), (22, 47)),
        )  # fmt: skip
        (excerpt,) = reduced([item], [[1.0, 0.0]], room=FRAME + 7)
        assert excerpt.text == "Cats sleep all day. …"

    def test_where_nothing_fits_nothing_is_cut(self) -> None:
        assert reduced([CATS], [[1.0, 0.0, 0.0]], room=FRAME + 3) == []

    @given(
        st.lists(
            st.lists(st.text("abcdefgh ", min_size=3, max_size=40).filter(str.strip), min_size=1, max_size=6),
            min_size=1,
            max_size=4,
        ),
        st.integers(0, 120),
        st.randoms(use_true_random=False),
    )
    def test_only_whole_sentences_within_the_room(
        self, notes: list[list[str]], room: int, random: object
    ) -> None:
        chance = getattr(random, "random")  # noqa: B009 - hypothesis gives a random.Random
        hits = [
            hit(number, *(f"{sentence.strip()} {number}{place}." for place, sentence in enumerate(sentences)))
            for number, sentences in enumerate(notes, start=1)
        ]
        found = reduced(hits, [[chance() for _ in one.sentences] for one in hits], room)
        assert sum(tokens(excerpt.text.replace("…", "")) + FRAME for excerpt in found) <= room
        for excerpt in found:
            original = hits[excerpt.hit.chunk_id - 1]
            assert set(excerpt.hit.sentences) <= set(original.sentences)
            sentences = [original.text[start:end] for start, end in excerpt.hit.sentences]
            assert re.sub(r"\s*…\s*", " ", excerpt.text).strip() == " ".join(sentences)


class TestShortened:
    def test_what_is_left_out_is_listed_with_its_lines(self) -> None:
        whole = hit(1, "Cats sleep.", "Dogs bark.", "Birds sing.", joint="\n")
        part = Excerpt(replace(whole, sentences=whole.sentences[:1]), "Cats sleep.\n…")
        assert shortened(whole, part) == Omission("1.md", 2, 3, "shortened to 1 of 3 sentences")
        assert shortened(whole, None) == Omission("1.md", 1, 3, DID_NOT_FIT)
        assert shortened(whole, Excerpt(whole, whole.text)) is None
