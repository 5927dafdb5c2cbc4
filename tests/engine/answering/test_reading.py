from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple

import pytest
from small_notes import MakeNotes, SmallNotes

from quire_engine.answering.reading import Reading, bearing, confidence, features
from quire_engine.inference.embedder import SentenceEmbedder
from quire_engine.interfaces import TokenVectors
from quire_engine.records import Hit

VAULT = {
    "Swift.md": "# Swift\n\nSwifts sleep in the air. They lay two or three eggs.\n",
    "Kiln.md": "# Kiln\n\nThe kiln reaches 1240 degrees Celsius. It stands in the old barn.\n",
    "Bread.md": "# Bread\n\nBake the loaf at 230 degrees for forty minutes. The dough rests overnight.\n",
}
EGGS = "How many eggs do swifts lay?"
HEAT = "How hot does the kiln get?"
CAPITAL = "Who won the chess championship in Reykjavik?"
Read = Callable[..., Reading]


@pytest.fixture(scope="module")
def vault(notes: MakeNotes) -> SmallNotes:
    return notes(VAULT)


@pytest.fixture(scope="module")
def read(vault: SmallNotes, embedder: SentenceEmbedder) -> Read:
    """A question's reading of the notes at some paths, or of all."""

    def reading(question: str, *parts: str, paths: tuple[str, ...] = tuple(VAULT)) -> Reading:
        hits = vault.hits(question)
        made = Reading(question, parts, embedder, vault.rarity, hits[0].score)
        made.add([hit for hit in hits if hit.path in paths])
        return made

    return reading


class CountingTokens:
    """The real embedder, and how many texts it read."""

    def __init__(self, embedder: SentenceEmbedder) -> None:
        self._embedder = embedder
        self.texts: list[str] = []

    def embed_tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        self.texts += texts
        return self._embedder.embed_tokens(texts)

    def readability(self, text: str) -> float:
        return self._embedder.readability(text)


class TestNothingLoaded:
    @pytest.mark.parametrize("parts", [(), (EGGS, HEAT)])
    def test_is_not_enough_for_anything(self, parts: tuple[str, ...], read: Read) -> None:
        reading = read("eggs and kiln", *parts, paths=())
        found = reading.sufficiency
        assert astuple(found) == (0, 0, 0, 0)
        assert reading.bearing == reading.confidence == 0

    def test_a_question_without_words_is_met_by_nothing(self, read: Read) -> None:
        found = read("?").sufficiency
        assert all(0 <= value <= 1 for value in astuple(found))


class TestOneQuestion:
    def test_an_answer_is_covered_likely_and_complete(self, read: Read) -> None:
        reading = read(EGGS)
        found = reading.sufficiency
        assert found.coverage > 0.9
        assert found.confidence > 0.8
        assert found.completeness == 1
        assert reading.confidence == found.confidence

    def test_another_subject_has_no_bearing(self, read: Read) -> None:
        reading = read(CAPITAL)
        assert reading.bearing < 0.5
        assert reading.sufficiency.completeness == 0
        assert reading.sufficiency.coverage < 0.55

    def test_what_stands_out_is_clear_and_what_many_say_is_not(
        self, notes: MakeNotes, embedder: SentenceEmbedder
    ) -> None:
        def clarity(texts: str) -> float:
            found = notes(texts)
            made = Reading(EGGS, (), embedder, found.rarity, 1.0)
            made.add(found.hits(EGGS))
            return made.sufficiency.clarity

        many = "".join(f"Swifts lay {n} eggs.\n\n" for n in ("two", "three", "four", "five", "six", "seven"))
        assert clarity("Swifts lay two eggs.\n\nIt rained.\n\nThe kiln is hot.\n") > 0.99
        assert clarity(many) < 0.9

    def test_confidence_never_exceeds_the_bearing(self, read: Read) -> None:
        for question in (EGGS, HEAT, CAPITAL, "When were swifts painted?", "eggs"):
            ranker = read(question).whole
            assert 0 <= confidence(ranker) <= bearing(ranker) <= 1

    def test_more_passages_never_cover_less(self, read: Read) -> None:
        question = "How many eggs and degrees?"
        one = read(question, paths=("Swift.md",)).sufficiency.coverage
        assert 0 < one < read(question).sufficiency.coverage

    def test_a_word_is_met_by_another_of_the_same_meaning(self, read: Read) -> None:
        assert read("What temperature does the kiln attain?").sufficiency.coverage > 0.9

    def test_a_question_with_a_denial_that_the_answer_lacks_is_told(self, read: Read) -> None:
        assert features(read("Which birds do not sleep in the air?").whole)["denied"] == 1
        assert features(read("Which birds sleep in the air?").whole)["denied"] == 0


class TestParts:
    def test_all_parts_met_are_complete(self, read: Read) -> None:
        found = read(f"{EGGS} {HEAT}", EGGS, HEAT).sufficiency
        assert found.completeness == 1
        assert found.confidence > 0.5

    def test_half_of_the_parts_is_half(self, read: Read) -> None:
        reading = read(f"{EGGS} {CAPITAL}", EGGS, CAPITAL)
        assert reading.sufficiency.completeness == 0.5
        assert reading.sufficiency.confidence < 0.5  # that of the weakest part
        assert reading.sufficiency.confidence < reading.confidence  # the average
        assert reading.bearing > 0.5  # on one of them there is something to say

    def test_a_part_is_met_when_its_passage_comes(self, read: Read, vault: SmallNotes) -> None:
        reading = read(f"{EGGS} {HEAT}", EGGS, HEAT, paths=("Swift.md",))
        assert reading.sufficiency.completeness == 0.5
        reading.add([hit for hit in vault.hits(HEAT) if hit.path == "Kiln.md"])
        assert reading.sufficiency.completeness == 1

    def test_a_sentence_is_embedded_once_for_all_parts(
        self, vault: SmallNotes, embedder: SentenceEmbedder
    ) -> None:
        counting = CountingTokens(embedder)
        question = f"{EGGS} {HEAT}"
        reading = Reading(question, (EGGS, HEAT), counting, vault.rarity, 1.0)  # type: ignore[arg-type]
        reading.add(vault.hits(question))
        assert len(set(counting.texts)) == len(counting.texts)


class TestWithoutTheModel:
    def test_words_alone_decide(self, notes: MakeNotes, embedder: SentenceEmbedder) -> None:
        hindi = notes({"चाबी.md": "मेरी चाबी नीले दरवाज़े के पीछे है।\n", "केले.md": "केले सेब के पास जल्दी पकते हैं।\n"})

        def reading(question: str) -> Reading:
            made = Reading(question, (), embedder, hindi.rarity, 1.0)
            made.add(hindi.hits(question))
            return made

        near, far = reading("नीले दरवाज़े की चाबी"), reading("शतरंज का विजेता कौन था?")
        assert near.whole.trust == 0
        assert near.bearing > 0.5 > far.bearing
        assert near.sufficiency.coverage > far.sufficiency.coverage


class TestRelevance:
    def test_is_a_number_for_every_sentence_and_highest_for_the_answer(
        self, read: Read, vault: SmallNotes
    ) -> None:
        reading = read(EGGS)
        hit: Hit = next(hit for hit in vault.hits(EGGS) if hit.path == "Swift.md")
        values = reading.relevance(hit)
        assert len(values) == len(hit.sentences)
        start, end = hit.sentences[values.index(max(values))]
        assert "eggs" in hit.text[start:end]
        assert all(0 <= value <= 1 for value in values)

    def test_of_what_was_not_read_is_none(self, read: Read, vault: SmallNotes) -> None:
        hit = next(hit for hit in vault.hits(EGGS) if hit.path == "Swift.md")
        assert set(read(EGGS, paths=()).relevance(hit)) == {0.0}

    def test_a_part_counts_as_much_as_the_whole(self, read: Read, vault: SmallNotes) -> None:
        hit = next(hit for hit in vault.hits(HEAT) if hit.path == "Kiln.md")
        alone, beside = read(HEAT).relevance(hit), read(f"{EGGS} {HEAT}", EGGS, HEAT).relevance(hit)
        assert max(beside) == pytest.approx(max(alone), abs=0.05)
