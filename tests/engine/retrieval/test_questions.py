"""Questions as users ask them, of engines over small vaults."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quire_engine.engine import Engine
from quire_engine.errors import ConfigError
from quire_engine.records import Filters, Hit, Plan, Query, SearchResult, Strategy
from quire_engine.retrieval import retriever, strategy
from quire_engine.retrieval.ranking import learned

from .conftest import OpenVault

THINGS = "rose kiln boat clock bread violin glacier saddle comet bridge harbour lantern".split()
ASPECTS = (
    "was bought at the market by {} and cleaned",
    "stands in the shed since the flood of {}",
    "breaks when it is left in the frost, as {} found out",
    "needs oil twice a year, which {} forgets",
    "was lent to {} for the whole summer",
    "is painted blue and was a present of {}",
    "costs more than {} wanted to pay",
    "made a strange noise while {} slept",
    "appears in the song that {} wrote",
    "is older than the house of {}",
)
PEOPLE = "Ada Grace Emmy Lise Maria Sofia Chien Rosa Hedy Mary".split()
MANY = {
    f"{thing.title()}s/{person}.md": f"# {thing}\n\nThe {thing} {aspect.format(person)}.\n"
    for thing in THINGS
    for aspect, person in zip(ASPECTS, PEOPLE, strict=True)
}

GARDEN = {
    "Garden/Roses.md": "---\ntags: [plants/roses]\nmodified: 2024-03-10\n---\n# Roses\n\n"
    "Roses want a deep, loose soil. Cut the bushes back in early March, before the buds open.\n",
    "Garden/Lavender.md": "---\ntags: [plants]\nmodified: 2021-06-01\n---\n# Lavender\n\n"
    "Soil for lavender is poor and loose. Cut it back after it has flowered.\n",
    "Garden/Tools.md": "---\nmodified: 2022-02-02\n---\n# Tools\n\nA sharp saw and a pair of gloves.\n",
    "Workshop/Kiln.md": "---\nmodified: 2023-06-01\n---\n# Kiln\n\n"
    "The oven for stoneware reaches 1240 degrees Celsius. It cools for two days.\n",
    "Workshop/Porcelain.md": "---\nmodified: 2020-01-01\n---\n# Porcelain\n\n"
    "White and thin ware is burnt at 1400 degrees in the oven and is hard as glass.\n",
    "Space/Orbits.md": "---\nmodified: 2021-01-01\n---\nA satellite in low orbit circles the planet.\n",
}


def paths(result: SearchResult) -> list[str]:
    return [hit.path for hit in result.hits]


def plan_of(result: SearchResult) -> Plan:
    assert result.plan is not None
    return result.plan


def signals(hit: Hit) -> dict[str, float]:
    return {signal.name: signal.contribution for signal in hit.trace.signals}


@pytest.fixture(scope="module")
def garden(open_vault: OpenVault) -> Engine:
    return open_vault(GARDEN)


@pytest.fixture(scope="module")
def many(open_vault: OpenVault) -> Engine:
    return open_vault(MANY, duplicate_cosine=1.0)


QUESTIONS = (
    "the violin in the frost",
    "who forgot the oil?",
    "difference between the kiln and the boat",
    "which lantern is older than the house, and when was the bridge painted?",
    "latest news of the harbour",
    "[[rose]] of Ada",
)


class TestScores:
    @pytest.mark.parametrize("fusion", ["learned", "rrf"])
    @pytest.mark.parametrize("question", QUESTIONS)
    def test_are_the_sum_of_what_is_told(self, open_vault: OpenVault, question: str, fusion: str) -> None:
        result = open_vault(MANY, fusion=fusion).search(question, limit=30)
        assert len(result.hits) == 30
        for hit in result.hits:
            assert hit.score == pytest.approx(sum(signal.contribution for signal in hit.trace.signals))
            assert len({signal.name for signal in hit.trace.signals}) == len(hit.trace.signals)
            assert all(signal.contribution >= 0 for signal in hit.trace.signals)

    @pytest.mark.parametrize("question", QUESTIONS)
    def test_and_order_do_not_depend_on_how_many_are_shown(self, many: Engine, question: str) -> None:
        few, more = (many.search(question, limit=limit).hits for limit in (5, 50))
        assert (len(few), len(more)) == (5, 50)
        assert [hit.chunk_id for hit in few] == [hit.chunk_id for hit in more[:5]]
        for one, other in zip(few, more, strict=False):
            assert signals(one) == pytest.approx(signals(other))  # the moment is another

    @pytest.mark.parametrize("question", QUESTIONS)
    def test_are_best_first_or_parts_take_turns(self, many: Engine, question: str) -> None:
        result = many.search(question, limit=50)
        scores = [hit.score for hit in result.hits]
        if plan_of(result).query.parts:
            assert scores[0] == max(scores)
        else:
            assert scores == sorted(scores, reverse=True)

    def test_are_the_same_when_asked_again(self, many: Engine) -> None:
        one, other = (many.search("the violin in the frost", limit=40) for _ in range(2))
        assert one.hits == other.hits


class TestWeights:
    def test_without_weight_a_signal_is_in_no_trace(self, open_vault: OpenVault) -> None:
        question = "latest difference between the kiln and the boat"
        told = {name for hit in open_vault(MANY).search(question).hits for name in signals(hit)}
        assert {"dense", "keyword", "vouched", "part", "freshness"} <= told
        for name in sorted(told):
            engine = open_vault(MANY, weights={name: 0.0})
            hits = engine.search(question).hits
            assert hits
            assert all(name not in signals(hit) for hit in hits), name

    def test_those_that_are_set_are_used(self, open_vault: OpenVault) -> None:
        engine = open_vault(MANY, weights={"dense": 0.25, "keyword": 7})
        for hit in engine.search("the violin in the frost").hits:
            weights = {signal.name: signal.weight for signal in hit.trace.signals}
            assert weights["dense"] == 0.25
            assert weights.get("keyword", 7) == 7

    def test_a_signal_that_there_is_not_is_one_clear_line(self, open_vault: OpenVault) -> None:
        with pytest.raises(ConfigError, match=r"^setting 'retrieval\.weights': there is no signal 'magic'; "):
            open_vault(MANY, weights={"dense": 1, "magic": 1})

    @pytest.mark.parametrize("weight", [-0.1, 101, float("nan"), "much"])
    def test_one_that_makes_no_sense_is_refused(self, open_vault: OpenVault, weight: object) -> None:
        with pytest.raises(ValueError, match=r"retrieval\.weights\.dense"):
            open_vault(MANY, weights={"dense": weight})

    def test_of_rank_fusion_there_are_the_two_lists_alone(self, open_vault: OpenVault) -> None:
        engine = open_vault(MANY, fusion="rrf", rrf_k=10)
        result = engine.search("the violin in the frost", limit=20)
        for hit in result.hits:
            for signal in hit.trace.signals:
                assert signal.name in {"dense", "keyword"}
                assert signal.contribution == pytest.approx(1 / (10 + signal.rank))


class TestOperators:
    @pytest.mark.parametrize(
        ("question", "allowed"),
        [
            ("tag:plants cut back", {"Garden/Roses.md", "Garden/Lavender.md"}),
            ("cut back tag:#plants/roses", {"Garden/Roses.md"}),
            ("path:workshop oven", {"Workshop/Kiln.md", "Workshop/Porcelain.md"}),
            ("path:*/o*.md anything", {"Space/Orbits.md"}),
            ("since:2023-01-01 oven or soil", {"Garden/Roses.md", "Workshop/Kiln.md"}),
            ("before:2021-01-01 oven", {"Workshop/Porcelain.md"}),
            ("since:2021-01-01 before:2022-01-01 soil", {"Garden/Lavender.md", "Space/Orbits.md"}),
            ("tag:plants before:2022-01-01 soil", {"Garden/Lavender.md"}),
            ("loose soil -lavender", set(GARDEN) - {"Garden/Lavender.md"}),
            ('soil "loose soil"', {"Garden/Roses.md"}),
            ('tag:plants -"early march"', {"Garden/Lavender.md"}),
            ("tag:nothing soil", set()),
        ],
    )
    def test_restrict_what_is_found_by_meaning_or_word(
        self, garden: Engine, question: str, allowed: set[str]
    ) -> None:
        hits = [hit for hit in garden.search(question).hits if hit.kind == "text"]
        assert {hit.path for hit in hits} == allowed

    def test_words_of_the_question_decide_the_order_of_the_rest(self, garden: Engine) -> None:
        assert paths(garden.search("path:workshop white and thin"))[0] == "Workshop/Porcelain.md"

    def test_a_phrase_is_emphasis_in_a_question(self, garden: Engine) -> None:
        result = garden.search('Which plants of my garden want a "loose soil" to grow in?')
        query = plan_of(result).query
        assert (query.phrases, query.filters.phrases) == (("loose soil",), ())
        assert "Garden/Lavender.md" in paths(result)
        assert paths(result)[0] == "Garden/Roses.md"

    def test_and_given_filters_must_both_hold(self, garden: Engine) -> None:
        result = garden.search("tag:plants soil", filters=Filters(since=1_700_000_000.0))
        assert set(paths(result)) == {"Garden/Roses.md"}

    def test_what_was_understood_is_in_the_plan(self, garden: Engine) -> None:
        plan = plan_of(garden.search("tag:nothing -kiln oven"))
        assert plan.query.text == "oven"
        assert plan.query.filters == Filters(tags=("nothing",), excluded=("kiln",))


POTTERY = {
    **{f"Pottery/Firing {n}.md": f"Firing stoneware in the kiln, {text}." for n, text in enumerate((
        "log of the first time", "how hot it was", "the second log, with more gas", "what to do better"
    ))},
    "Pottery/Shelves.md": "The kiln shelves are coated as it says in [[Kiln wash]].",
    "Recipes/Kiln wash.md": "Alumina and kaolin in equal parts, with water.",
    "Recipes/Soup.md": "Leek and potatoes.",
    "Diary/May.md": "Sunny. We saw an old kiln for firing stoneware in the museum.",
    "Diary/June.md": "Rain, and soup.",
}  # fmt: skip


@pytest.fixture(scope="module")
def pottery(open_vault: OpenVault) -> Engine:
    return open_vault(POTTERY)


class TestPreference:
    def test_what_is_preferred_is_enough_when_it_holds_good_hits(self, pottery: Engine) -> None:
        question = "firing stoneware in the kiln"
        anywhere = pottery.search(question)
        assert plan_of(anywhere).routing.mode not in ("preferred", "widened")
        assert "Diary/May.md" in paths(anywhere)
        result = pottery.search(question, filters=Filters(prefer=("Pottery",)))
        routing = plan_of(result).routing
        assert (routing.mode, routing.chosen) == ("preferred", ("Pottery",))
        assert "Diary/May.md" not in paths(result)
        assert paths(result)[0].startswith("Pottery/Firing")

    def test_it_is_widened_when_it_does_not(self, pottery: Engine) -> None:
        question = "firing stoneware in the kiln"
        result = pottery.search(question, filters=Filters(prefer=("Diary",)))
        routing = plan_of(result).routing
        assert (routing.mode, routing.chosen) == ("widened", ("Diary",))
        assert paths(result) == paths(pottery.search(question))

    def test_topics_that_its_hits_link_to_are_searched_as_well(self, pottery: Engine) -> None:
        result = pottery.search("firing stoneware in the kiln", filters=Filters(prefer=("Pottery",)))
        plan = plan_of(result)
        assert plan.routing.further == ("Recipes",)
        assert any("link there: Recipes" in step for step in plan.steps)
        assert "Recipes/Kiln wash.md" in paths(result)
        assert {hit.topic for hit in result.hits} == {"Pottery", "Recipes"}

    def test_topics_that_hits_link_to_are_searched_only_within_the_filters(self, pottery: Engine) -> None:
        filters = Filters(folders=("Pottery", "Diary"), prefer=("Pottery",))
        result = pottery.search("firing stoneware in the kiln", filters=filters)
        plan = plan_of(result)
        assert plan.routing.mode == "preferred"
        assert plan.routing.further == ()
        assert plan.steps == ()
        assert all(path.startswith("Pottery/") for path in paths(result))

    @pytest.mark.parametrize("prefer", ["Nowhere", "' OR 1=1 --"])
    def test_a_folder_that_there_is_not_is_widened(self, pottery: Engine, prefer: str) -> None:
        result = pottery.search("soup", filters=Filters(prefer=(prefer,)))
        assert plan_of(result).routing.mode == "widened"
        assert "Recipes/Soup.md" in paths(result)

    def test_filters_hold_when_it_is_widened(self, pottery: Engine) -> None:
        filters = Filters(folders=("Diary", "Recipes"), prefer=("Diary",))
        result = pottery.search("firing stoneware in the kiln", filters=filters)
        assert plan_of(result).routing.mode == "widened"
        assert {hit.topic for hit in result.hits} == {"Diary", "Recipes"}


class TestParts:
    QUESTION = "What is the difference between the glacier and the saddle?"

    def test_a_comparison_brings_both_sides_and_says_so(self, many: Engine) -> None:
        result = many.search(self.QUESTION)
        plan = plan_of(result)
        assert plan.query.parts
        assert "comparative" in plan.query.reasons
        assert f"searched {len(plan.query.parts)} parts of the question beside the whole" in plan.steps
        topics = Counter(hit.topic for hit in result.hits)
        assert min(topics["Glaciers"], topics["Saddles"]) >= 3
        assert all("part" in signals(hit) for hit in result.hits)

    def test_a_part_that_nothing_answers_takes_no_turns(self, open_vault: OpenVault) -> None:
        bread = {f"Bread/Loaf {n}.md": f"Rye bread number {n} rises for {n} hours.\n" for n in range(1, 7)}
        others = {f"Other/{n}.md": f"The bus leaves stop {n} at noon.\n" for n in range(1, 7)}
        engine = open_vault({**bread, **others})
        result = engine.search("Compare rye bread with quantum chromodynamics", limit=6)
        assert plan_of(result).query.parts
        assert [path.partition("/")[0] for path in paths(result)[:5]] == ["Bread"] * 5

    def test_candidates_of_a_part_alone_compete(self, open_vault: OpenVault) -> None:
        engine = open_vault(MANY, candidates=10)
        question = "which violin did Hedy hear, and when was the bridge painted?"
        hits = engine.search(question, limit=10).hits
        assert {"Violins", "Bridges"} <= {hit.topic for hit in hits}

    def test_without_time_they_are_left_out_and_it_says_so(
        self, many: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(retriever, "choose", hurried)
        result = many.search(self.QUESTION)
        plan = plan_of(result)
        assert len(result.hits) == 10
        assert f"out of time: left out {len(plan.query.parts)} parts of the question" in plan.steps
        assert not any("part" in signals(hit) for hit in result.hits)


def hurried(query: Query, *, candidates: int) -> Strategy:
    return replace(strategy.choose(query, candidates=candidates), seconds=0.0)


def dated(text: str, days_ago: float) -> str:
    return f"---\nmodified: {(datetime.now() - timedelta(days=days_ago)).isoformat()}\n---\n{text}\n"


class TestTime:
    TEXT = "The watering of the greenhouse was changed to drip lines."

    @pytest.mark.parametrize(
        ("question", "days_ago"),
        [
            ("what did I change recently about watering the greenhouse", 2.0),
            ("latest change of the greenhouse watering", 2.0),
            ("what did I change last week about watering the greenhouse", None),
        ],
    )
    @pytest.mark.parametrize("newer", ["A", "B"])
    def test_of_two_equal_notes_the_one_of_that_time_stands_first(
        self, open_vault: OpenVault, question: str, days_ago: float | None, newer: str
    ) -> None:
        now = datetime.now()
        days = now.weekday() + 4.0 if days_ago is None else days_ago  # a day of last week
        older = "B" if newer == "A" else "A"
        notes = {f"{newer}.md": dated(self.TEXT, days), f"{older}.md": dated(self.TEXT, 800)}
        hits = [hit for hit in open_vault(notes).search(question).hits if hit.kind == "text"]
        assert [hit.path for hit in hits] == [f"{newer}.md"]
        assert [place.partition(":")[0] for place in hits[0].trace.duplicates] == [f"{older}.md"]
        assert signals(hits[0])["freshness"] > 0
        apart = open_vault(notes, duplicate_cosine=1.0, weights={"freshness": 0.2}).search(question).hits
        assert next(hit.path for hit in apart if hit.kind == "text") == f"{newer}.md"

    def test_a_question_without_a_time_does_not_ask_for_it(self, open_vault: OpenVault) -> None:
        notes = {"A.md": dated(self.TEXT, 1), "B.md": dated("Greenhouse glass.", 900)}
        for hit in open_vault(notes).search("how is the greenhouse watered").hits:
            assert "freshness" not in signals(hit)


CAKES = {
    "Torte.md": "Bake it for an hour.",
    "Pancakes.md": "Less sweet than a plum torte. A plum torte keeps longer, says its own note, Plum Torte.",
    "List.md": "Plum torte, coat, torch; see [[Plum Torte]].",
    "Plum Torte.md": "---\naliases: [Zwetschgenkuchen]\nservings: 8\n---\n",
    "Kuchen.md": "Ein Zwetschgenkuchen ist saftig. Zwetschgenkuchen mit Zimt.",
}


class TestTitles:
    @pytest.mark.parametrize("question", ["Plum Torte", "plum torte", "zwetschgenkuchen", "[[Plum Torte]]"])
    def test_who_asks_for_nothing_but_a_name_gets_that_note(
        self, open_vault: OpenVault, question: str
    ) -> None:
        hit = open_vault(CAKES).search(question).hits[0]
        assert hit.path == "Plum Torte.md"
        assert "title" in {signal.name for signal in hit.trace.signals}

    def test_more_words_ask_for_more(self, open_vault: OpenVault) -> None:
        for hit in open_vault(CAKES).search("Is pancake less sweet than plum torte?").hits:
            assert "title" not in {signal.name for signal in hit.trace.signals}


class TestNothing:
    @pytest.mark.parametrize(
        ("filters", "reason"),
        [
            (Filters(tags=("nosuch",)), "no note has the tag 'nosuch'"),
            (Filters(folders=("Nowhere",)), "no note lies in 'Nowhere'"),
            (Filters(paths=("Nowhere",)), "no note's path fits 'Nowhere'"),
            (Filters(where=(("status", "x"),)), "no note has 'status' set to 'x'"),
            (Filters(since=2e9, before=1e9), "no note was changed in that time"),
            (Filters(prefer=("Nowhere",)), "no note lies in 'Nowhere'"),
        ],
    )
    def test_it_is_said_why(self, garden: Engine, filters: Filters, reason: str) -> None:
        result = garden.search("oven", filters=filters)
        assert (result.hits == ()) != bool(filters.prefer)
        assert plan_of(result).query.notes == (reason,)


class TestNames:
    def test_a_note_that_stands_in_the_question_is_told(self, garden: Engine) -> None:
        named = plan_of(garden.search("how hot does the kiln get")).query.named
        assert [(note.name, note.paths, note.linked) for note in named] == [
            ("kiln", ("Workshop/Kiln.md",), False)
        ]

    def test_links_are_told_first(self, garden: Engine) -> None:
        named = plan_of(
            garden.search("does porcelain need the oven of [[Workshop/Kiln|that note]]?")
        ).query.named
        assert [(note.name, note.linked) for note in named] == [("kiln", True), ("porcelain", False)]

    def test_what_is_no_note_is_not(self, garden: Engine) -> None:
        assert plan_of(garden.search("how is bread baked in [[Nowhere]]")).query.named == ()


class TestLinks:
    NOTES: Mapping[str, str] = {
        **{
            f"Roofs/{number}.md": f"Seen from the church, roof {number} is as red as a {thing}.\n"
            for number, thing in enumerate(THINGS * 3)
        },
        "Roofs/Who helps.md": "When there is a leak in the roof, the repairs are for [[Nadia]].\n",
        "People/Nadia.md": "Likes black tea. Rings back before noon: 555 0134.\n",
    }
    QUESTION = "repairs of a leak in the roof"

    def test_a_note_that_only_a_link_leads_to_is_found_behind_its_voucher(
        self, open_vault: OpenVault
    ) -> None:
        engine = open_vault(self.NOTES, candidates=10, duplicate_cosine=1.0)
        result = engine.search(self.QUESTION, limit=10)
        (found,) = (hit for hit in result.hits if hit.path == "People/Nadia.md")
        (voucher,) = (hit for hit in result.hits if hit.path == "Roofs/Who helps.md")
        assert found.rank > voucher.rank
        assert found.score < voucher.score
        assert signals(found)["links"] > 0
        assert all(signal.rank == 0 for signal in found.trace.signals)
        assert "followed links to 1 note" in plan_of(result).steps

    def test_however_much_links_weigh(self, open_vault: OpenVault) -> None:
        engine = open_vault(self.NOTES, candidates=10, duplicate_cosine=1.0, weights={"links": 100.0})
        result = engine.search(self.QUESTION, limit=10)
        places = {hit.path: hit.rank for hit in result.hits}
        assert places["Roofs/Who helps.md"] < places["People/Nadia.md"]

    def test_without_their_weight_links_are_not_followed(self, open_vault: OpenVault) -> None:
        engine = open_vault(self.NOTES, candidates=10, duplicate_cosine=1.0, weights={"links": 0.0})
        result = engine.search(self.QUESTION, limit=10)
        assert "People/Nadia.md" not in paths(result)
        assert not any("link" in step for step in plan_of(result).steps)

    def test_filters_hold_for_them(self, open_vault: OpenVault) -> None:
        engine = open_vault(self.NOTES, candidates=10, duplicate_cosine=1.0)
        filters = Filters(folders=("Roofs",))
        assert {hit.topic for hit in engine.search(self.QUESTION, filters=filters).hits} == {"Roofs"}


LONG = "\n\n".join(
    f"## {thing} and {person}\n\nKiln and glaze: {person} fired a {thing} in the kiln with a new glaze, "
    f"and the glaze of the {thing} {aspect.format(person)}, says the book of the kiln."
    for thing, aspect, person in zip(THINGS * 4, ASPECTS * 5, PEOPLE * 5, strict=False)
)
FLOOD = {
    "Kiln book.md": LONG,
    **{
        f"{person}.md": f"{person}: glaze of the {thing} was fired in the kiln with {aspect.format('me')}."
        for thing, aspect, person in zip(THINGS, ASPECTS, PEOPLE, strict=False)
    },
    "Bread.md": "Flour, water and salt.",
}


class TestDiversity:
    @pytest.mark.parametrize("limit", [4, 10, 16])
    def test_no_note_floods_the_list_while_others_have_something(
        self, open_vault: OpenVault, limit: int
    ) -> None:
        engine = open_vault(FLOOD, chunk_budget=64, duplicate_cosine=1.0)
        hits = engine.search("who fired the glaze in the kiln?", limit=limit).hits
        assert len(hits) == limit
        counts = Counter(hit.path for hit in hits)
        everything = engine.search("who fired the glaze in the kiln?", limit=60).hits
        best = Counter(hit.path for hit in sorted(everything, key=lambda hit: -hit.score)[:limit])
        assert counts["Kiln book.md"] == min(max(3, limit // 2), best["Kiln book.md"])
        assert limit == 4 or best["Kiln book.md"] > limit // 2  # or there was nothing to see
        assert "Bread.md" not in counts

    def test_it_fills_what_others_leave(self, open_vault: OpenVault) -> None:
        engine = open_vault(FLOOD, chunk_budget=64, duplicate_cosine=1.0)
        hits = engine.search("glaze of the kiln", limit=10, filters=Filters(paths=("Kiln book",))).hits
        assert [hit.path for hit in hits] == ["Kiln book.md"] * 10
        scores = [hit.score for hit in hits]
        assert scores == sorted(scores, reverse=True)

    def test_near_duplicates_stand_behind_one_hit_that_lists_them(self, open_vault: OpenVault) -> None:
        text = "The oven for stoneware reaches 1240 degrees Celsius. It cools for two days.\n"
        notes = {
            "A.md": text,
            "Copy.md": text,
            "Backup/A.md": text,
            "Other.md": "Bread is baked at 250 degrees.",
        }
        hits = open_vault(notes).search("how hot is the oven").hits
        assert len(hits) == 2
        (oven,) = (hit for hit in hits if "stoneware" in hit.text)
        others = {place.partition(":")[0] for place in oven.trace.duplicates}
        assert {oven.path, *others} == {"A.md", "Copy.md", "Backup/A.md"}
        assert all(re.fullmatch(r".+:1-1", place) for place in oven.trace.duplicates)
        apart = open_vault(notes, duplicate_cosine=1.0).search("how hot is the oven").hits
        assert len(apart) >= len(hits)


class TestNeighbours:
    def test_are_told_when_asked_for(self, open_vault: OpenVault) -> None:
        engine = open_vault(FLOOD, chunk_budget=64, duplicate_cosine=1.0)
        filters = Filters(paths=("Kiln book",))
        assert all(hit.neighbours == () for hit in engine.search("glaze", filters=filters).hits)
        for hit in engine.search("glaze", filters=filters, neighbours=True).hits:
            assert 1 <= len(hit.neighbours) <= 2
            for neighbour in hit.neighbours:
                assert neighbour.text in LONG
                assert neighbour.text != hit.text


OPERATORS = 'tag: path: since: before: - " [[ ]] | # ( ) * ~2 AND OR NOT ? vs compare and'.split()
OTHERS = "kiln Soil [bold] {} %s ';-- 2024-13-99 1e400 桜 ก็ 🌹".split()
UNSEEN = [" ", "\n", "\x00", "\x1b[31m", "\ud800", "\u202e"]
PIECES = st.sampled_from([*OPERATORS, *OTHERS, *UNSEEN])


class TestHostileQuestions:
    @given(st.text(max_size=200) | st.lists(PIECES, max_size=30).map("".join))
    @settings(max_examples=80)
    @example("\x00")
    @example("k" * 100_000)
    @example("kiln " * 20_000)
    @example("?!…，。")
    @example("tag: path: since: before: - \"\" ''")
    @example('tag:"" path:*** -kiln -"" since:1 before:0')
    @example("'; DROP TABLE chunks; --")
    @example(".*(a+)+$[")
    @example("[/bold][link=file:///etc/passwd]kiln[/link]")
    @example("compare " * 5_000)
    def test_are_only_text(self, garden: Engine, question: str) -> None:
        result = garden.search(question, neighbours=True)
        assert result.query == question
        assert len(result.hits) <= 10
        assert (result.plan is None) == (not question.strip())
        for hit in result.hits:
            assert hit.text in GARDEN[hit.path]
            assert hit.score == pytest.approx(sum(signals(hit).values()))

    @given(st.lists(PIECES, max_size=4).map("".join))
    @settings(max_examples=40)
    def test_so_are_filters(self, garden: Engine, value: str) -> None:
        for filters in (
            Filters(folders=(value,)),
            Filters(tags=(value,)),
            Filters(paths=(value,)),
            Filters(phrases=(value,)),
            Filters(excluded=(value,)),
            Filters(prefer=(value,)),
            Filters(where=((value, value),)),
        ):
            assert set(paths(garden.search("kiln soil", filters=filters))) <= set(GARDEN)


class TestConsidered:
    def test_holds_every_candidate_with_its_signals(self, many: Engine) -> None:
        found = many.considered("the violin in the frost")
        assert found is not None
        assert set(found.hits) == set(found.ranking.ids)
        assert 0.9 < found.trust <= 1.0
        assert {column.name for column in found.ranking.columns} <= set(learned())
        totals = dict(zip(found.ranking.ids, found.ranking.totals.tolist(), strict=True))
        for hit in many.search("the violin in the frost").hits:
            assert totals[hit.chunk_id] == pytest.approx(hit.score)

    def test_of_nothing_there_is_none(self, many: Engine) -> None:
        assert many.considered("") is None
