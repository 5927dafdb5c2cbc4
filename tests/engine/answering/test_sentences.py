from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from small_notes import MakeNotes, SmallNotes

from quire_engine.answering.sentences import SIGNALS, Candidate, SentenceRanker
from quire_engine.inference.embedder import SentenceEmbedder
from quire_engine.interfaces import TokenVectors

SWIFT = "# Swift\n\nSwifts sleep in the air. They lay two or three eggs. The nest is a hole in a wall.\n"
Rank = Callable[[SmallNotes, str], SentenceRanker]


@pytest.fixture(scope="session")
def rank(embedder: SentenceEmbedder) -> Rank:
    """The ranker that has read all passages for a question."""

    def ranker(found: SmallNotes, question: str) -> SentenceRanker:
        hits = found.hits(question)
        ranker = SentenceRanker(question, embedder, found.rarity, max(hit.score for hit in hits))
        ranker.add(hits)
        return ranker

    return ranker


class Unread:
    """An embedder that reads no question, and is asked for no vector."""

    def embed_tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        raise AssertionError("asked for vectors of what it cannot read")

    def readability(self, text: str) -> float:
        return 0.0


class TestRanking:
    def test_the_sentence_that_answers_comes_first(self, notes: MakeNotes, rank: Rank) -> None:
        ranked = rank(notes(SWIFT), "How many eggs do swifts lay?").ranked
        assert ranked[0].text == "They lay two or three eggs."
        assert ranked[0].signals["coverage"] > ranked[-1].signals["coverage"]
        assert [c.score for c in ranked] == sorted((c.score for c in ranked), reverse=True)

    def test_other_words_of_the_same_meaning_are_found(self, notes: MakeNotes, rank: Rank) -> None:
        ranked = rank(notes(SWIFT), "Where does the bird slumber?").ranked
        assert ranked[0].text == "Swifts sleep in the air."
        assert ranked[0].signals["coverage"] == 0

    def test_passages_that_come_later_are_ranked_among_the_others(
        self, notes: MakeNotes, embedder: SentenceEmbedder
    ) -> None:
        found = notes({"Heron.md": "Herons fish in shallow water.", "Swift.md": SWIFT})
        question = "How many eggs do swifts lay?"
        best, other = found.hits(question)
        ranker = SentenceRanker(question, embedder, found.rarity, best.score)
        ranker.add([other])
        assert [c.hit.path for c in ranker.ranked] == ["Heron.md"]
        ranker.add([])
        ranker.add([best])
        assert ranker.ranked[0].hit.path == "Swift.md"
        assert len([c for c in ranker.ranked if c.hit.path == "Heron.md"]) == 1

    def test_signals_are_shares_and_finite(self, notes: MakeNotes, rank: Rank) -> None:
        for candidate in rank(notes(SWIFT), "How many eggs did 3 swifts lay in May 1985?").ranked:
            assert set(SIGNALS) <= set(candidate.signals)
            assert all(-1 <= value <= 1.01 for value in candidate.signals.values())
            assert np.isfinite(candidate.score)
            assert 0 <= candidate.evidence.support <= 1

    def test_the_question_s_words_are_known_by_weight_name_and_number(
        self,
        notes: MakeNotes,
        rank: Rank,
    ) -> None:
        words = rank(notes(SWIFT), "Which eggs did Ada find in 1985?").words
        assert {word.text for word in words} >= {"eggs", "Ada", "1985"}
        by_text = {word.text: word for word in words}
        assert by_text["Ada"].is_name
        assert by_text["1985"].is_number
        assert not by_text["eggs"].is_name
        assert by_text["Ada"].weight > by_text["eggs"].weight  # the vault says eggs, and nothing of Ada


class TestWhatSaysNothing:
    def test_a_table_row_is_read_under_its_header(self, notes: MakeNotes, rank: Rank) -> None:
        table = "| Bird | Eggs |\n| --- | --- |\n| Swift | 3 |\n| Heron | 5 |\n"
        ranked = rank(notes(table), "How many eggs does a heron lay?").ranked
        assert ranked[0].text.strip() == "| Heron | 5 |"
        assert "| --- | --- |" not in {c.text.strip() for c in ranked}
        # The header's "Eggs" counts for the row, which does not say it.
        swift = next(c for c in ranked if "Swift" in c.text)
        assert swift.signals["coverage"] > 0

    @pytest.mark.parametrize(
        "line",
        [
            "How many eggs do swifts lay?",
            "## How many eggs swifts lay",
            "- [ ] Count how many eggs swifts lay",
            "[How many eggs swifts lay](https://example.org/eggs)",
            "Eggs that swifts lay:",
        ],
    )
    def test_what_is_no_statement_ranks_behind_one(self, line: str, notes: MakeNotes, rank: Rank) -> None:
        found = notes({"Swift.md": f"It is a hole.\n\n{line}\n\nThe clutch has two or three eggs.\n"})
        ranked = rank(found, "How many eggs do swifts lay?").ranked
        assert ranked[0].text == "The clutch has two or three eggs."

    def test_a_statement_in_a_done_task_counts(self, notes: MakeNotes, rank: Rank) -> None:
        found = notes("- [ ] Count the eggs of the swifts\n- [x] The swifts have three eggs\n")
        assert "three" in rank(found, "How many eggs do the swifts have?").ranked[0].text

    def test_embeds_and_stuffing_are_not_looked_at(self, notes: MakeNotes, rank: Rank) -> None:
        stuffing = "eggs nest swift what how many who lay " * 20
        found = notes(f"![[Eggs]]\n\nSwifts lay three eggs.\n\n{stuffing}\n\n#eggs #swift\n")
        ranked = rank(found, "How many eggs do swifts lay?").ranked
        assert [c.text for c in ranked] == ["Swifts lay three eggs."]


class TestDefinitions:
    NOTE = (
        "# Cone\n\nA pyramid of clay and flux that bends at a known heat. The cone shows what heat the cone "
        "has had, and a cone is cheap. Is the cone a gauge? The cone is.\n"
    )

    @pytest.mark.parametrize(
        "question", ["What is a cone?", "Define cone", "The definition of cone", "What does cone mean?"]
    )
    def test_what_something_is_stands_first_under_its_name(
        self, question: str, notes: MakeNotes, rank: Rank
    ) -> None:
        best = rank(notes({"Cone.md": self.NOTE}), question).ranked[0]
        assert best.text.startswith("A pyramid of clay")
        assert best.signals["defines"] == 1

    @pytest.mark.parametrize("question", ["What is the kiln?", "Why does a cone bend?"])
    def test_it_defines_nothing_else(self, question: str, notes: MakeNotes, rank: Rank) -> None:
        ranked = rank(notes({"Cone.md": self.NOTE}), question).ranked
        assert {c.signals["defines"] for c in ranked} == {0}


class TestWithoutTheModel:
    def test_a_language_that_it_cannot_read_is_ranked_by_words_alone(self, notes: MakeNotes) -> None:
        found = notes("红色的车票是乔凡尼的。\n\n北京的天气很好。\n")
        question = "乔凡尼的车票是什么颜色？"
        hits = found.hits(question)
        ranker = SentenceRanker(question, Unread(), found.rarity, hits[0].score)
        ranker.add(hits)
        assert ranker.trust == 0
        assert "乔凡尼" in ranker.ranked[0].text
        assert all(c.signals["late_words"] == c.signals["cosine"] == 0 for c in ranker.ranked)
        assert ranker.words == ()

    def test_hindi_is_such_a_language_for_the_default_model(
        self,
        notes: MakeNotes,
        rank: Rank,
    ) -> None:
        found = notes("मेरी चाबी नीले दरवाज़े के पीछे है।\n\nकेले सेब के पास जल्दी पकते हैं।\n")
        ranker = rank(found, "मेरी चाबी कहाँ है?")
        assert ranker.trust == 0
        assert "चाबी" in ranker.ranked[0].text


class TestHostileSentences:
    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("", id="empty"),
            pytest.param("   ", id="blank"),
            pytest.param("* * *", id="rule"),
            pytest.param("|||||", id="pipes"),
            pytest.param("#" * 500, id="hashes"),
            pytest.param("a" * 200_000, id="one word"),
            pytest.param("eggs " * 40_000, id="many words"),
            pytest.param("?" * 5000, id="questions"),
            pytest.param("[[" * 5000, id="brackets"),
            pytest.param("\x00\x1b[31m eggs \ud800", id="control"),
        ],
    )
    def test_are_ranked_like_any_other(self, text: str, notes: MakeNotes, embedder: SentenceEmbedder) -> None:
        (hit,) = notes("Swifts lay three eggs.").hits("How many eggs?")
        whole = f"Swifts lay three eggs.\n{text}"
        spans = ((0, 22), (23, len(whole)), (len(whole), len(whole)))
        ranker = SentenceRanker("How many eggs?", embedder, lambda words: dict.fromkeys(words, 1.0), 0.0)
        ranker.add([replace(hit, text=whole, sentences=spans)])
        assert ranker.ranked[0].start == 0 or "eggs" in text
        assert all(np.isfinite(candidate.score) for candidate in ranker.ranked)

    def test_a_passage_without_sentences_has_no_candidates(
        self, notes: MakeNotes, embedder: SentenceEmbedder
    ) -> None:
        (hit,) = notes("Swifts lay three eggs.").hits("eggs")
        ranker = SentenceRanker("eggs", embedder, lambda words: dict.fromkeys(words, 1.0), 1.0)
        ranker.add([replace(hit, sentences=())])
        assert ranker.ranked == []

    @pytest.mark.parametrize("question", ["", "?", "the of and", "\x00", "🦉", "egg" * 3000, "eggs " * 3000])
    def test_any_question_can_be_ranked_for(self, question: str, notes: MakeNotes, rank: Rank) -> None:
        ranked: list[Candidate] = rank(notes(SWIFT), question).ranked
        assert all(np.isfinite(candidate.score) for candidate in ranked)
