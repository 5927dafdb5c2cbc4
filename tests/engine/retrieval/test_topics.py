"""Topic routing: properties of its arithmetic, and real questions to a vault with several topics."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from quire_engine import locations
from quire_engine.analysis import reading_trust
from quire_engine.engine import Engine
from quire_engine.index.keywords import open_keywords
from quire_engine.index.reader import IndexReader
from quire_engine.inference.embedder import SentenceEmbedder
from quire_engine.records import Filters, Routing, TopicScore
from quire_engine.retrieval.topics import (
    CALIBRATION,
    ENOUGH,
    after_preference,
    choose,
    further_topics,
    good_hits,
    is_within,
    preferred,
    prior,
    probabilities,
    route,
    signals,
    without_preference,
)

NOTES = {
    "Garden/Roses.md": "Cut the rose bushes back in early March, before the buds open. See [[Oven]].\n",
    "Garden/Compost.md": "Turn the compost heap every two weeks so that air reaches the middle.\n",
    "Garden/Soil.md": "Loam holds water; sand lets roots breathe. Clay soil needs compost.\n",
    "Kitchen/Bread.md": "Knead the dough for ten minutes and bake the loaf at 230 degrees.\n",
    "Kitchen/Soup.md": "Leeks and potatoes make a thick soup.\n",
    "Tools/Oven.md": "The kiln oven for stoneware reaches 1240 degrees.\n",
    "Space/Orbits.md": "A satellite in low orbit circles the planet.\n",
    "loose.md": "A thought that lies in no folder.\n",
}


@dataclass(frozen=True)
class Means:
    """Statistics of a test's own."""

    names: tuple[str, ...]
    means: NDArray[np.float32]
    owners: NDArray[np.intp]


def means_of(*rows: tuple[str, list[float]]) -> Means:
    names = tuple(dict.fromkeys(name for name, _ in rows))
    owners = np.array([names.index(name) for name, _ in rows], dtype=np.intp)
    return Means(names, np.array([row for _, row in rows], dtype=np.float32), owners)


TWO = means_of(("a", [1.0, 0.0]), ("b", [0.0, 1.0]))
QUESTION = np.array([1.0, 0.0], dtype=np.float32)


class TestSignals:
    def test_the_nearest_mean_of_a_topic_counts(self) -> None:
        found = means_of(("a", [0.0, 1.0]), ("a", [0.5, 0.0]), ("b", [-1.0, 0.0]))
        assert signals(found, QUESTION, 1.0, [], {})[:, 0].tolist() == [1.0, -1.0]

    def test_what_the_model_cannot_read_has_no_direction(self) -> None:
        assert signals(TWO, QUESTION, 0.0, [], {})[:, 0].tolist() == [0.0, 0.0]
        assert signals(TWO, None, 1.0, [], {})[:, 0].tolist() == [0.0, 0.0]

    def test_a_topic_without_means_is_no_nearer_than_the_farthest(self) -> None:
        found = Means(("a", "b", "c"), TWO.means, TWO.owners)
        assert signals(found, QUESTION, 1.0, [], {})[:, 0].tolist() == [1.0, 0.0, 0.0]

    def test_one_good_candidate_says_more_than_several_poor_ones(self) -> None:
        words = [(1, 10.0), (2, 5.0), (3, 5.0), (4, 5.0)]
        share = signals(TWO, None, 1.0, words, {1: "a", 2: "b", 3: "b", 4: "b"})[:, 1]
        assert share[0] > share[1]

    def test_candidates_without_a_topic_count_for_none(self) -> None:
        share = signals(TWO, None, 1.0, [(1, 10.0), (2, 1.0)], {2: "b", 1: "gone"})[:, 1]
        assert share[1] > share[0]


CHANCES = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=12).map(
    lambda numbers: [n / (sum(numbers) or 1.0) for n in numbers]
)


class TestChoose:
    @given(CHANCES)
    def test_chooses_the_likeliest_and_no_more_than_needed(self, likely: list[float]) -> None:
        rows = choose(likely)
        if rows is None:
            assert len(likely) < 2 or max(likely) < CALIBRATION.one
            return
        assert rows == sorted(rows, key=lambda row: -likely[row])
        assert min(likely[row] for row in rows) >= max(
            (p for row, p in enumerate(likely) if row not in rows), default=0.0
        )
        if len(rows) == 1:
            assert likely[rows[0]] >= min(CALIBRATION.one, CALIBRATION.several)
        else:
            assert len(rows) <= len(likely) / 2
            assert sum(likely[row] for row in rows) >= CALIBRATION.several
            assert sum(likely[row] for row in rows[:-1]) < CALIBRATION.several

    def test_among_one_there_is_no_choice(self) -> None:
        assert choose([1.0]) is None

    def test_what_is_spread_is_no_choice(self) -> None:
        assert choose([0.25] * 4) is None


class TestRoute:
    @given(
        st.lists(st.tuples(st.integers(0, 5), st.floats(0.0, 50.0)), max_size=12, unique_by=lambda p: p[0]),
        st.floats(0.0, 1.0),
        st.floats(0.0, 2 * math.pi),
    )
    def test_probabilities_add_up_and_are_in_order(
        self, words: list[tuple[int, float]], trust: float, angle: float
    ) -> None:
        vector = np.array([math.cos(angle), math.sin(angle)], dtype=np.float32)
        found = route(TWO, vector, trust, words, {0: "a", 1: "b", 2: "a", 3: "b", 4: "gone"})
        numbers = [score.probability for score in found.topics]
        assert numbers == sorted(numbers, reverse=True)
        assert math.isclose(sum(numbers), 1.0, rel_tol=1e-9)
        assert {score.topic for score in found.topics} == {"a", "b"}
        assert set(found.chosen) <= {"a", "b"}
        assert (found.mode == "all") == (not found.chosen)

    def test_of_nothing(self) -> None:
        empty = Means((), np.zeros((0, 2), np.float32), np.zeros(0, np.intp))
        assert route(empty, QUESTION, 1.0, [(1, 2.0)], {1: "a"}) == Routing("all")

    def test_a_prior_is_given_only_where_topics_stand_out(self) -> None:
        scores = (TopicScore("a", 0.95), TopicScore("b", 0.05), TopicScore("c", 0.0))
        found = prior(Routing("one", scores, ("a",)))
        assert found["a"] == math.log(0.95)
        assert 0 >= found["a"] > found["b"] > found["c"] == math.log(0.001)
        assert prior(Routing("all", scores)) == {}
        assert prior(Routing("widened", scores, ("a",))) == {}

    def test_more_keywords_make_a_topic_likelier(self) -> None:
        few = probabilities(signals(TWO, None, 0.0, [(1, 1.0), (2, 1.0)], {1: "a", 2: "b"}))
        more = probabilities(
            signals(TWO, None, 0.0, [(1, 1.0), (2, 1.0), (3, 1.0)], {1: "a", 2: "b", 3: "a"})
        )
        assert few[0] == few[1]
        assert more[0] > more[1]


FOLDER = st.sampled_from(["Work", "Work/One", "Work/One/Deep", "Workshop", "Home", "Home/Two"])


class TestPreference:
    @pytest.mark.parametrize(
        ("folders", "prefer", "first"),
        [
            ((), ("Work",), ("Work",)),
            ((), ("Work/", "/Home"), ("Work", "Home")),
            (("Work",), ("Work/One",), ("Work/One",)),
            (("Work/One",), ("Work",), ("Work/One",)),
            (("Work", "Home"), ("Work/One", "Home"), ("Work/One", "Home")),
            ((".",), ("Work",), ("Work",)),
        ],
    )
    def test_filters_hold_as_well(
        self, folders: tuple[str, ...], prefer: tuple[str, ...], first: tuple[str, ...]
    ) -> None:
        filters = Filters(folders=folders, tags=("t",), prefer=prefer)
        assert preferred(filters) == Filters(folders=first, tags=("t",))
        assert without_preference(filters) == Filters(folders=folders, tags=("t",))

    @pytest.mark.parametrize(
        ("folders", "prefer"), [((), ()), (("Work",), ("Home",)), ((), (".",)), (("Work",), ("Workshop",))]
    )
    def test_where_there_is_nothing_to_prefer(
        self, folders: tuple[str, ...], prefer: tuple[str, ...]
    ) -> None:
        assert preferred(Filters(folders=folders, prefer=prefer)) is None

    @given(st.lists(FOLDER, max_size=3), st.lists(FOLDER, min_size=1, max_size=3), FOLDER)
    def test_a_note_passes_when_it_passes_both(
        self, folders: list[str], prefer: list[str], place: str
    ) -> None:
        first = preferred(Filters(folders=tuple(folders), prefer=tuple(prefer)))
        note = f"{place}/note.md"
        passes = first is not None and any(is_within(note, folder) for folder in first.folders)
        allowed = not folders or any(is_within(note, folder) for folder in folders)
        assert passes == (allowed and any(is_within(note, folder) for folder in prefer))

    def test_a_hit_is_good_by_either_list(self) -> None:
        near = {1: CALIBRATION.good_cosine, 2: CALIBRATION.good_cosine - 0.01}
        words = {3: 10.0 * CALIBRATION.good_share, 4: 10.0 * CALIBRATION.good_share - 0.01}
        assert good_hits(near, words, 10.0, 1.0) == {1, 3}
        assert good_hits(near, words, 10.0, 0.5) == {3}
        assert good_hits({}, {5: 0.0}, 0.0, 1.0) == set()

    def test_too_few_good_hits_widen(self) -> None:
        filters, routing = Filters(prefer=("Work",)), Routing("all", (TopicScore("Work", 1.0),))
        assert after_preference(filters, ENOUGH, routing) == Routing("preferred", routing.topics, ("Work",))
        assert after_preference(filters, ENOUGH - 1, routing).mode == "widened"


class TestFurtherTopics:
    def test_those_that_better_hits_link_to_come_first(self) -> None:
        linked = [("B/x.md", "A/y.md"), (), ("C/z.md", "B/x.md")]
        topic_of = {"A/y.md": "A", "B/x.md": "B", "C/z.md": "C"}
        assert further_topics(linked, topic_of, ["A"]) == ("B", "C")
        assert further_topics(linked, topic_of, ["A"], most=1) == ("B",)

    def test_a_folder_holds_what_is_deeper_but_not_what_begins_like_it(self) -> None:
        topic_of = {"A/deep/y.md": "A", "AB/x.md": "AB"}
        assert further_topics([("A/deep/y.md", "AB/x.md")], topic_of, ["A"]) == ("AB",)

    def test_links_to_nowhere_lead_nowhere(self) -> None:
        assert further_topics([("gone.md",)], {}, ["A"]) == ()

    @given(
        st.lists(st.lists(st.sampled_from(["A/1", "B/1", "B/2", "C/1"]), max_size=3), max_size=4),
        st.sets(st.sampled_from("ABC")),
    )
    def test_nothing_that_was_searched_is_named(self, linked: list[list[str]], searched: set[str]) -> None:
        topic_of = {path: path[0] for path in ("A/1", "B/1", "B/2", "C/1")}
        found = further_topics(linked, topic_of, sorted(searched), most=9)
        assert set(found) == {path[0] for paths in linked for path in paths} - searched
        assert len(found) == len(set(found))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    vault = tmp_path_factory.mktemp("vault")
    for path, text in NOTES.items():
        (vault / path).parent.mkdir(exist_ok=True)
        (vault / path).write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUIRE_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        with Engine.open(vault) as engine:
            assert engine.sync().pending == 0
        return locations.index_dir(vault)


class Vault:
    """What a retriever does before it routes."""

    def __init__(self, folder: Path, embedder: SentenceEmbedder) -> None:
        self.reader = IndexReader(folder)
        self.keywords = open_keywords(folder, "whoosh", writable=False)
        self._embedder = embedder

    def close(self) -> None:
        self.keywords.close()
        self.reader.close()

    def route(self, question: str) -> Routing:
        words = self.keywords.search(question, 100)
        return route(
            self.reader.topic_means(),
            self._embedder.embed_query(question),
            reading_trust(self._embedder.readability(question)),
            words,
            self.reader.topics_of([chunk for chunk, _ in words]),
        )

    def good(self, question: str, filters: Filters) -> int:
        among = self.reader.chunk_ids(filters)
        near = self.reader.nearest(self._embedder.embed_query(question), 100, among=among)
        words = self.keywords.search(question, 100, among=among)
        best = self.keywords.search(question, 1)
        return len(good_hits(dict(near), dict(words), best[0][1] if best else 0.0, 1.0))


@pytest.fixture
def vault(folder: Path, embedder: SentenceEmbedder) -> Iterator[Vault]:
    opened = Vault(folder, embedder)
    yield opened
    opened.close()


class TestRealVault:
    @pytest.mark.parametrize(
        ("question", "topic"),
        [
            ("When are rose bushes cut?", "Garden"),
            ("How long is the dough kneaded?", "Kitchen"),
            ("Which satellite circles the planet?", "Space"),
            ("thought in no folder", "."),
        ],
    )
    def test_the_likeliest_topic_is_the_right_one(self, vault: Vault, question: str, topic: str) -> None:
        assert vault.route(question).topics[0].topic == topic

    def test_a_question_about_nothing_here_stays_open(self, vault: Vault) -> None:
        assert vault.route("Who won the chess tournament?").mode == "all"

    def test_a_wrong_preference_is_widened(self, vault: Vault) -> None:
        first = preferred(Filters(prefer=("Kitchen",)))
        assert first is not None
        assert vault.good("When are rose bushes cut?", first) < ENOUGH

    def test_a_link_out_of_a_preference_names_the_topic_it_leads_to(self, vault: Vault) -> None:
        first = preferred(Filters(prefer=("Garden",)))
        assert first is not None
        found = vault.keywords.search("rose bushes", 10, among=vault.reader.chunk_ids(first))
        links = vault.reader.links([chunk for chunk, _ in found])
        linked = [links.get(chunk, ()) for chunk, _ in found]
        topic_of = vault.reader.topics_of_notes([path for paths in linked for path in paths])
        assert further_topics(linked, topic_of, ["Garden"]) == ("Tools",)
