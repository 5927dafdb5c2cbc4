from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quire_engine.index.topics import ROOT, assign


def many(folder: str, count: int) -> list[str]:
    return [f"{folder}/{n}.md" for n in range(count)]


class TestAssign:
    def test_the_topic_is_the_top_folder(self) -> None:
        assert assign(["a.md", "Work/b.md", "Work/Deep/c.md", "Home/d.md"]) == {
            "a.md": ROOT,
            "Work/b.md": "Work",
            "Work/Deep/c.md": "Work",
            "Home/d.md": "Home",
        }

    def test_a_folder_that_dominates_is_split(self) -> None:
        paths = [*many("Work/One", 300), *many("Work/Two", 300), *many("Home", 100), "Work/loose.md"]
        topics = assign(paths)
        assert set(topics.values()) == {"Work/One", "Work/Two", "Work", "Home"}
        assert topics["Work/loose.md"] == "Work"

    def test_again_where_a_deeper_one_dominates(self) -> None:
        assert set(assign([*many("A/B/C", 400), *many("A/B/D", 400)]).values()) == {"A/B/C", "A/B/D"}

    def test_a_small_folder_is_never_split(self) -> None:
        assert set(assign([*many("A/B", 200), *many("A/C", 200)]).values()) == {"A"}

    def test_a_large_one_among_equals_is_not_split(self) -> None:
        assert set(assign([*many("A/B", 600), *many("Z/C", 600)]).values()) == {"A", "Z"}

    def test_depth_ends(self) -> None:
        assert set(assign(many("a/b/c/d/e/f", 1000)).values()) == {"a/b/c/d"}

    def test_of_nothing_is_nothing(self) -> None:
        assert assign([]) == {}

    @given(st.sets(st.lists(st.sampled_from("abc"), min_size=1, max_size=6).map("/".join)), st.randoms())
    def test_depends_on_the_set_alone(self, paths: set[str], random: object) -> None:
        shuffled = list(paths)
        random.shuffle(shuffled)  # type: ignore[attr-defined]
        topics = assign(shuffled)
        assert topics == assign(sorted(paths))
        for path, topic in topics.items():
            assert path.startswith(f"{topic}/") or (topic == ROOT and "/" not in path)
