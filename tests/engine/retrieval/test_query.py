"""What a question asks for, and how much work it is worth."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_engine.records import Filters, Query
from quire_engine.retrieval.names import NoteNames
from quire_engine.retrieval.query import LONGEST, analyse, named_notes
from quire_engine.retrieval.strategy import STRATEGIES, choose
from quire_engine.retrieval.wording import folded_words

NOW = datetime(2024, 6, 15, 12).timestamp()
NAMES = NoteNames([("Garden/Roses.md", "Roses", ()), ("Kiln.md", "The Kiln", ())])
TOPICS = ("Garden", "Projects/Pottery", ".")


def asked(text: str) -> Query:
    return analyse(text, topics=TOPICS, now=NOW)


class TestAnalysis:
    def test_a_plain_question(self) -> None:
        assert asked("When do roses bloom?") == Query(
            text="When do roses bloom?",
            language="en",
            intent="factual",
            complexity=0.0,
            reasons=(),
            recency=0.0,
            since=None,
            before=None,
            domains=(),
            phrases=(),
            named=(),
            parts=(),
            filters=Filters(),
        )

    def test_operators_are_no_words_of_it(self) -> None:
        found = asked('tag:work "red soil" [[Kiln|oven]] -garden')
        assert found.text == "red soil oven Kiln"
        assert found.filters == Filters(tags=("work",), phrases=("red soil",), excluded=("garden",))
        assert found.phrases == ("red soil",)
        assert found.domains == ()

    @pytest.mark.parametrize(
        ("text", "intent"),
        [
            ("who is Ada", "factual"),
            ("kiln temperature", "factual"),
            ("how many roses", "factual"),
            ("who came up with the name of the layer", "factual"),
            ("why do roses need sun", "analytical"),
            ("how does the kiln work", "analytical"),
            ("summarize my notes on clay", "analytical"),
            ("Warum brennt Ton?", "analytical"),
            ("为什么天空是蓝色的", "analytical"),
            ("write a short poem about clay", "creative"),
            ("brainstorm names for a dog", "creative"),
            ("hello there", "conversational"),
            ("and what about that one?", "conversational"),
            ("thanks!", "conversational"),
            ("thanks to whom was the kiln built", "factual"),
        ],
    )
    def test_intent(self, text: str, intent: str) -> None:
        assert asked(text).intent == intent

    @pytest.mark.parametrize(
        ("text", "reasons", "complexity", "strategy"),
        [
            ("who is Ada", (), 0.0, "simple"),
            ("what happened in 2023", (), 0.0, "simple"),
            ("who built the kiln and when were roses planted", ("multi-part",), 0.3, "moderate"),
            ("difference between clay and loam", ("comparative",), 0.25, "moderate"),
            ("what did I write last week", ("temporal",), 0.2, "moderate"),
            ("summarize all my notes on clay", ("synthesis",), 0.4, "complex"),
            ("garden pottery", ("cross-domain",), 0.35, "moderate"),
            ("compare garden and pottery", ("comparative", "cross-domain"), 0.6, "complex"),
            (
                "summarize how my garden has changed over time compared with pottery",
                ("comparative", "temporal", "synthesis", "cross-domain"),
                1.0,
                "expert",
            ),
        ],
    )
    def test_complexity_chooses_the_strategy(
        self, text: str, reasons: tuple[str, ...], complexity: float, strategy: str
    ) -> None:
        found = asked(text)
        assert (found.reasons, found.complexity) == (reasons, complexity)
        assert choose(found).name == strategy

    def test_time_and_domains(self) -> None:
        found = asked("latest pottery in the garden since March")
        assert (found.recency, found.since, found.before) == (1.0, datetime(2024, 3, 1).timestamp(), None)
        assert found.domains == ("Garden", "Projects/Pottery")

    @given(st.text())
    def test_never_raises_and_keeps_words(self, text: str) -> None:
        found = asked(text)
        assert bool(folded_words(found.text)) == bool(folded_words(text))
        assert 0 <= found.complexity <= 1
        assert choose(found).rerank_depth <= 20

    @pytest.mark.parametrize(
        "piece", ["compare ", "what and ", '"', "[[", "-a ", "1 ", "a?", "vs ", "in ", "é\u0301", "漢と"]
    )
    def test_long_ones_are_cut_and_end(self, piece: str) -> None:
        found = asked(piece * LONGEST)
        assert len(found.text) <= LONGEST

    def test_needs_no_language_pipeline(self) -> None:
        code = (
            "import sys; from quire_engine.retrieval.query import analyse; "
            "analyse('compare a with b', topics=(), now=0.0); "
            "print(*{'spacy', 'numpy', 'torch'} & set(sys.modules))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == ""


class TestNamedNotes:
    @pytest.mark.parametrize(
        ("text", "named"),
        [
            ("When do roses bloom?", [("roses", False)]),
            ('tag:work "red soil" [[Kiln|oven]] -garden', [("kiln", True)]),
            ("does [[Kiln]] dust harm the roses?", [("kiln", True), ("roses", False)]),
            ("the kiln, as in [[Kiln]]", [("kiln", True), ("the kiln", False)]),
            ("how is bread baked", []),
            ("", []),
        ],
    )
    def test_linked_ones_come_first_and_each_once(self, text: str, named: list[tuple[str, bool]]) -> None:
        assert [(note.name, note.linked) for note in named_notes(text, NAMES)] == named

    def test_nothing_is_read_beyond_what_a_question_may_have(self) -> None:
        assert named_notes("x" * LONGEST + " roses", NAMES) == ()

    @given(st.text())
    def test_never_raises(self, text: str) -> None:
        assert all(note.paths for note in named_notes(text, NAMES))


class TestStrategies:
    def test_each_falls_back_to_the_next_simpler(self) -> None:
        order = ["simple", "moderate", "complex", "expert"]
        assert list(STRATEGIES) == order
        assert [strategy.fallback for strategy in STRATEGIES.values()] == [None, *order[:-1]]
        for simpler, other in zip(STRATEGIES.values(), list(STRATEGIES.values())[1:], strict=False):
            assert simpler.depth <= other.depth
            assert simpler.seconds < other.seconds
            assert simpler.reasoning_steps <= other.reasoning_steps

    def test_depth_follows_the_setting(self) -> None:
        assert choose(asked("who is Ada"), candidates=40).depth == 40
        assert choose(asked("summarize all my notes"), candidates=40).depth == 80
