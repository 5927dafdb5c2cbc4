"""What speaks for a passage, against values computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from quire_engine.records import Hit, ScoreTrace
from quire_engine.retrieval.features import Scale, Wanted, fresh, vouched

NAN = float("nan")
DAY = 86_400.0


def hit(text: str, *, title: str = "", headings: tuple[str, ...] = (), kind: str = "text") -> Hit:
    return Hit(
        rank=1, chunk_id=1, path="a.md", title=title, headings=headings, start_line=1, end_line=1,
        text=text, score=1.0, topic="", trace=ScoreTrace(()), kind=kind,
    )  # fmt: skip


class TestScale:
    def test_from_the_lowest_to_what_is_near(self) -> None:
        cosines = np.array([0.2, 0.5, 0.35, NAN])
        values = Scale.of(cosines).applied(cosines)
        assert values.tolist() == pytest.approx([0.0, 0.5, 0.25, 0.0])

    def test_to_the_highest_where_that_is_more(self) -> None:
        cosines = np.array([0.5, 0.9, 1.0])
        assert Scale.of(cosines).applied(cosines).tolist() == pytest.approx([0.0, 0.8, 1.0])

    def test_what_comes_later_and_lies_lower_is_nothing(self) -> None:
        scale = Scale.of(np.array([0.4, 0.8]))
        assert scale.applied(np.array([0.1, 0.6])).tolist() == pytest.approx([0.0, 0.5])

    @pytest.mark.parametrize("cosines", [[], [NAN], [NAN, NAN]])
    def test_of_nothing_known(self, cosines: list[float]) -> None:
        given = np.array(cosines)
        assert Scale.of(given).applied(given).tolist() == [0.0] * len(cosines)

    @given(st.lists(st.floats(-1, 1, width=32) | st.just(NAN), max_size=30))
    def test_is_a_share_in_the_order_of_cosines(self, cosines: list[float]) -> None:
        given = np.array(cosines)
        values = Scale.of(given).applied(given)
        assert ((values >= 0) & (values <= 1 + 1e-9)).all()
        known = ~np.isnan(given)
        assert (np.diff(values[known][np.argsort(given[known])]) >= 0).all()
        assert not values[~known].any()


class TestVouched:
    def test_is_the_mean_of_others_by_squared_similarity(self) -> None:
        vectors = np.array([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8]], np.float32)
        found = vouched(vectors, np.array([1.0, 0.5, 0.0]))
        ab, ac, bc = 0.8**2, 0.6**2, 0.96**2
        assert found.tolist() == pytest.approx(
            [0.5 * ab / (ab + ac), 1.0 * ab / (ab + bc), (1.0 * ac + 0.5 * bc) / (ac + bc)], abs=1e-6
        )

    def test_only_the_nearest_five_have_a_say(self) -> None:
        near, far = [1.0, 0.0], [0.6, 0.8]
        vectors = np.array([near] * 6 + [far] * 10, np.float32)
        scores = np.array([0.25] * 6 + [1.0] * 10)
        assert vouched(vectors, scores)[:6].tolist() == pytest.approx([0.25] * 6)

    def test_strangers_have_little_to_say(self) -> None:
        vectors = np.array([[1.0, 0.0], [0.3, 0.9539392]], np.float32)
        scores = np.array([1.0, 0.5])
        found = vouched(vectors, scores)
        assert found.tolist() == pytest.approx([0.5 * 0.09 / 0.5, 1.0 * 0.09 / 0.5], abs=1e-6)
        # Or of two passages that have but each other, the one that is less near would come first.
        assert np.argmax(scores + found) == 0

    def test_without_a_vector_neither_vouches_nor_is_vouched_for(self) -> None:
        vectors = np.array([[1.0, 0.0], [0.0, 0.0], [1.0, 0.0]], np.float32)
        assert vouched(vectors, np.array([0.2, 1.0, 0.6])).tolist() == pytest.approx([0.6, 0.0, 0.2])

    @pytest.mark.parametrize(
        "vectors", [np.zeros((0, 2)), np.zeros((3, 1)), np.array([[0.0, 0.0], [1.0, 0.0]])]
    )
    def test_alone_there_is_nobody_to_vouch(self, vectors: np.ndarray) -> None:
        assert vouched(vectors.astype(np.float32), np.ones(len(vectors))).tolist() == [0.0] * len(vectors)

    def test_what_points_elsewhere_says_nothing(self) -> None:
        vectors = np.array([[1.0, 0.0], [-1.0, 0.0]], np.float32)
        assert vouched(vectors, np.array([1.0, 1.0])).tolist() == [0.0, 0.0]

    rows = st.integers(0, 12).flatmap(
        lambda count: st.tuples(
            arrays.arrays(np.float32, (count, 3), elements=st.floats(-1, 1, width=32)),
            arrays.arrays(np.float64, (count,), elements=st.floats(0, 1)),
        )
    )

    @given(rows)
    def test_lies_between_the_scores(self, rows: tuple[np.ndarray, np.ndarray]) -> None:
        vectors, scores = rows
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors = np.where(lengths > 1e-3, vectors / np.maximum(lengths, 1e-3), 0).astype(np.float32)
        found = vouched(vectors, scores)
        assert ((found >= 0) & (found <= scores.max(initial=0.0) + 1e-6)).all()


RARITY = {"kiln": 4.0, "glaze": 2.0, "clay": 1.0}
PAIRS = 2.0 + 1.0 + 1.0
"""Each pair counts as its commoner word does."""


class TestProximity:
    @pytest.mark.parametrize(
        ("text", "share"),
        [
            ("the kiln and its glaze", 2 / PAIRS),
            ("clay for the kiln", 1 / PAIRS),
            ("kiln glaze clay", 1.0),
            ("kiln glaze kiln glaze kiln glaze", 2 / PAIRS),
            ("kiln" + " x" * 7 + " glaze", 2 / PAIRS),
            ("kiln" + " x" * 8 + " glaze", 0.0),
            ("kiln kiln kiln", 0.0),
            ("nothing of it", 0.0),
            ("", 0.0),
        ],
    )
    def test_pairs_of_terms_within_eight_words(self, text: str, share: float) -> None:
        assert Wanted(RARITY).proximity(text.split()) == pytest.approx(share)

    def test_one_term_stands_by_nothing(self) -> None:
        assert Wanted({"kiln": 4.0}).proximity(["kiln", "kiln"]) == 0.0
        assert Wanted({}).proximity(["kiln"]) == 0.0

    def test_of_many_terms_twice_as_many_pairs_are_enough(self) -> None:
        many = {f"t{number}": 1.0 for number in range(10)}  # 45 pairs, of which 20 count
        assert Wanted(many).proximity(["t0", "t1"]) == pytest.approx(1 / 20)
        assert Wanted(many).proximity(list(many)) == 1.0


class TestRarest:
    def test_against_the_rarest_of_the_question(self) -> None:
        wanted = Wanted(RARITY)
        assert wanted.rarest({"kiln", "clay"}) == 1.0
        assert wanted.rarest({"clay", "glaze", "x"}) == 0.5
        assert wanted.rarest({"x"}) == wanted.rarest(set()) == 0.0
        assert Wanted({}).rarest({"kiln"}) == 0.0

    def test_words_are_terms_in_the_question_language(self) -> None:
        wanted = Wanted({"haus": 1.0}, "de")
        assert wanted.rarest(set(wanted.words(hit("Die Häuser am See")))) == 1.0

    def test_what_a_reader_does_not_see_is_not_looked_at(self) -> None:
        wanted = Wanted(RARITY)
        assert "kiln" not in wanted.words(hit("Clay. %%the kiln%% <!-- kiln --> [shown](kiln.md)"))
        assert "kiln" in wanted.words(hit("about: the kiln", kind="properties"))

    def test_names_are_those_of_the_note_and_its_headings(self) -> None:
        names = Wanted(RARITY).names(hit("x", title="The Kiln", headings=("Kiln", "Glazes")))
        assert {"kiln", "glaze"} <= names


terms = st.sampled_from([*RARITY, "x", "y"])


@given(st.dictionaries(terms, st.floats(0, 20)), st.lists(terms, max_size=40))
def test_signals_of_words_are_shares(rarity: dict[str, float], text: list[str]) -> None:
    wanted = Wanted(rarity)
    assert 0 <= wanted.proximity(text) <= 1
    assert 0 <= wanted.rarest(set(text)) <= 1


class TestFresh:
    def test_halves_every_ninety_days(self) -> None:
        assert fresh(1000.0 * DAY, 1000.0 * DAY, 1.0, None, None) == 1.0
        assert fresh(910.0 * DAY, 1000.0 * DAY, 1.0, None, None) == pytest.approx(0.5)
        assert fresh(820.0 * DAY, 1000.0 * DAY, 0.8, None, None) == pytest.approx(0.2)

    def test_a_date_to_come_is_today(self) -> None:
        assert fresh(2000.0 * DAY, 1000.0 * DAY, 0.5, None, None) == 0.5

    @pytest.mark.parametrize(
        ("since", "before", "value"),
        [(100.0, 200.0, 1.0), (150.0, None, 1.0), (None, 150.0, 0.0), (150.1, None, 0.0), (None, 200.0, 1.0)],
    )
    def test_in_a_time_that_is_named_or_not(
        self, since: float | None, before: float | None, value: float
    ) -> None:
        assert fresh(150.0, 300.0, 0.7, since, before) == value

    moments = st.floats(-1e12, 1e12)

    @given(moments, moments, st.floats(0, 1), st.none() | moments, st.none() | moments)
    def test_is_a_share(
        self, modified: float, now: float, recency: float, since: float | None, before: float | None
    ) -> None:
        assert 0 <= fresh(modified, now, recency, since, before) <= 1
