"""Topic routing: properties of its arithmetic, and real questions to a vault with several topics."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    PRIOR_FLOOR,
    after_preference,
    choose,
    further_topics,
    good_hits,
    is_within,
    preferred,
    prior,
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


TWO = {1: "a", 2: "b", 3: "b", 4: "b", 5: "gone"}
BOTH = ("a", "b", "gone")


class TestSignals:
    def test_a_row_for_each_topic_of_a_candidate_and_one_for_the_others(self) -> None:
        names, found = signals([(1, 0.5), (2, 0.5)], [(5, 1.0)], 1.0, TWO)
        assert names == BOTH
        assert found.shape == (4, 2)
        assert found[0].tolist() == found[1].tolist()
        assert found[2, 0] == found[3, 0] == found[0, 1] == found[3, 1]
        assert found[2, 1] > found[3, 1] < found[0, 0]

    def test_one_good_candidate_says_more_than_several_poor_ones(self) -> None:
        words = [(1, 10.0), (2, 5.0), (3, 5.0), (4, 5.0)]
        near = [(1, 0.6), (2, 0.4), (3, 0.4), (4, 0.4)]
        _, found = signals(near, words, 1.0, TWO)
        assert (found[0] > found[1]).all()

    def test_what_the_model_cannot_read_has_no_neighbours(self) -> None:
        near = [(1, 0.9), (2, 0.3)]
        assert not signals(near, [], 0.0, TWO)[1].any()
        half, full = signals(near, [], 0.5, TWO)[1], signals(near, [], 1.0, TWO)[1]
        assert (half == 0.5 * full).all()

    def test_what_points_away_is_no_neighbour(self) -> None:
        _, found = signals([(1, 0.5), (2, -0.5)], [], 1.0, TWO)
        assert found[0, 0] > found[1, 0] == found[2, 0]
        assert not signals([(1, -0.1), (2, -0.5)], [], 1.0, TWO)[1].any()

    def test_candidates_without_a_topic_count_for_none(self) -> None:
        names, found = signals([(9, 0.9)], [(8, 10.0), (2, 1.0)], 1.0, TWO)
        assert names == ("b",)
        assert found[0, 1] > found[1, 1]
        assert not found[:, 0].any()


CHANCES = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=12).map(
    lambda numbers: [n / (sum(numbers) or 1.0) for n in numbers]
)


class TestChoose:
    @given(CHANCES)
    def test_chooses_the_likeliest_and_no_more_than_needed(self, likely: list[float]) -> None:
        rows = choose(likely)
        if rows is None:
            assert max(likely) < CALIBRATION.one
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

    def test_the_only_topic_found_is_chosen_when_it_is_likely(self) -> None:
        assert choose([CALIBRATION.one]) == [0]
        assert choose([CALIBRATION.one - 0.01]) is None
        assert choose([]) is None

    def test_what_is_spread_is_no_choice(self) -> None:
        assert choose([0.25] * 4) is None


CANDIDATES = st.lists(
    st.tuples(st.integers(0, 5), st.floats(-1.0, 50.0)), max_size=12, unique_by=lambda pair: pair[0]
)
PLACES = {0: "a", 1: "b", 2: "a", 3: "b", 4: "c"}


class TestRoute:
    @given(CANDIDATES, CANDIDATES, st.floats(0.0, 1.0))
    def test_probabilities_are_in_order_and_leave_something_for_other_topics(
        self, near: list[tuple[int, float]], words: list[tuple[int, float]], trust: float
    ) -> None:
        found = route(near, words, trust, PLACES)
        numbers = [score.probability for score in found.topics]
        assert numbers == sorted(numbers, reverse=True)
        assert sum(numbers) < 1.0
        assert min(numbers, default=1.0) >= 1.0 - sum(numbers) - 1e-9
        assert {score.topic for score in found.topics} == {PLACES[c] for c, _ in near + words if c in PLACES}
        assert found.chosen == tuple(score.topic for score in found.topics[: len(found.chosen)])
        assert (found.mode == "all") == (not found.chosen)

    @given(CANDIDATES, CANDIDATES, st.floats(0.0, 1.0), st.randoms())
    def test_the_order_of_candidates_does_not_matter(
        self, near: list[tuple[int, float]], words: list[tuple[int, float]], trust: float, random: Random
    ) -> None:
        one = {score.topic: score.probability for score in route(near, words, trust, PLACES).topics}
        random.shuffle(near)
        random.shuffle(words)
        other = {score.topic: score.probability for score in route(near, words, trust, PLACES).topics}
        assert other == pytest.approx(one)

    def test_of_nothing(self) -> None:
        assert route([], [], 1.0, {}) == Routing("all")
        assert route([(9, 0.5)], [(8, 2.0)], 1.0, TWO) == Routing("all")

    def test_candidates_that_agree_choose(self) -> None:
        found = route([(2, 0.8), (3, 0.6)], [(3, 9.0), (4, 8.0)], 1.0, TWO)
        assert (found.mode, found.chosen) == ("one", ("b",))

    def test_candidates_that_disagree_leave_it_open(self) -> None:
        found = route([(1, 0.8), (2, 0.8)], [(1, 9.0), (2, 9.0)], 1.0, TWO)
        assert (found.mode, found.chosen) == ("all", ())

    def test_candidates_that_say_nothing_leave_it_open(self) -> None:
        assert route([(2, 0.8)], [], 0.0, TWO).mode == "all"

    def test_a_prior_is_given_only_where_topics_stand_out(self) -> None:
        scores = (TopicScore("a", 0.95), TopicScore("b", 0.05), TopicScore("c", 0.0))
        found = prior(Routing("one", scores, ("a",)))
        assert found["a"] == math.log(0.95)
        assert 0 >= found["a"] > found["b"] > found["c"]
        assert found["c"] == PRIOR_FLOOR
        assert prior(Routing("all", scores)) == {}
        assert prior(Routing("widened", scores, ("a",))) == {}

    @pytest.mark.parametrize("column", [0, 1])
    def test_more_candidates_make_a_topic_likelier(self, column: int) -> None:
        def routed(candidates: list[tuple[int, float]]) -> dict[str, float]:
            lists: list[list[tuple[int, float]]] = [[], []]
            lists[column] = candidates
            return {score.topic: score.probability for score in route(*lists, 1.0, TWO).topics}

        few, more = routed([(1, 0.5), (2, 0.5)]), routed([(1, 0.5), (2, 0.5), (3, 0.5)])
        assert few["a"] == few["b"]
        assert more["b"] > few["b"] > more["a"]


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
        near = self.reader.nearest(self._embedder.embed_query(question), 100)
        trust = reading_trust(self._embedder.readability(question))
        return route(near, words, trust, self.reader.topics_of([chunk for chunk, _ in (*near, *words)]))

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
