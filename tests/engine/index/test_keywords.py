"""The keyword index, the same with each backend."""

from __future__ import annotations

import resource
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire_engine.analysis import terms
from quire_engine.errors import ConfigError, StoreError
from quire_engine.index.keywords import FIELD_WEIGHTS, open_keywords, weighted_terms
from quire_engine.interfaces import KeywordIndex

NOTES = {
    1: "Prune the roses in March, before the buds open.",
    2: "The kiln reaches 1240 degrees. The kiln cools for two days.",
    3: "Roses and the kiln stand side by side.",
    4: "京都の庭には古い桜の木があります。",
    5: "สวนกุหลาบต้องการการดูแลอย่างสม่ำเสมอ",
    6: "أحمد يسقي الورود في الحديقة كل صباح",
    7: "Le café crème d'Émile coûte trois euros.",
    8: "한국에서 장미를 키우는 방법",
    2**63 - 1: "The largest identity has an umbrella.",
}


Open = Callable[..., KeywordIndex]


def fields(text: str, **others: str) -> dict[str, float]:
    """The weighted terms of a chunk of these fields."""
    return weighted_terms({**dict.fromkeys(FIELD_WEIGHTS, ""), "body": text, **others})


def ids(found: list[tuple[int, float]]) -> list[int]:
    return [chunk for chunk, _ in found]


@contextmanager
def no_more_files() -> Iterator[None]:
    """Nothing can be opened inside: the process has as many files open as it may."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture(scope="module", params=["whoosh", "tantivy"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def opening(backend: str) -> Open:
    """Opens a folder with the backend under test."""
    return partial(open_keywords, backend=backend)


@pytest.fixture
def writer(opening: Open, tmp_path: Path) -> Iterator[KeywordIndex]:
    opened = opening(tmp_path, writable=True)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def filled(opening: Open, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeywordIndex]:
    folder = tmp_path_factory.mktemp("keywords")
    writer = opening(folder, writable=True)
    writer.apply([], [(chunk, fields(text)) for chunk, text in NOTES.items()], 9, "db")
    writer.close()
    reader = opening(folder, writable=False)
    yield reader
    reader.close()


class TestSearch:
    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("pruning a rose", [1, 3]),
            ("kilns", [2, 3]),
            ("京都", [4]),
            ("桜の木", [4]),
            ("กุหลาบ", [5]),
            ("احمد", [6]),
            ("الورود", [6]),
            ("CAFE creme", [7]),
            ("Émile", [7]),
            ("장미", [8]),
            ("木", [4]),
            ("ดู", [5]),
            ("umbrella", [2**63 - 1]),
            ("1240", [2]),
            ("nothing of that kind", []),
            ("the of and", []),
        ],
    )
    def test_finds_words_in_any_script(self, filled: KeywordIndex, query: str, expected: list[int]) -> None:
        assert ids(filled.search(query, 10)) == expected

    @given(
        st.lists(
            st.tuples(
                st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
                | st.sampled_from(
                    ["Häuser", "mangées", "книгами", "الكتاب", "کتابها", "किताबें", "running", "Die"]
                ),
                st.sampled_from(["", "en", "de", "fr", "fa", "ne", "ru", "zh", "xx"]),
            ),
            min_size=1,
            max_size=6,
        )
    )
    @settings(max_examples=30)
    def test_every_word_is_found_whatever_its_chunk_was_taken_for(
        self, opening: Open, tmp_path_factory: pytest.TempPathFactory, said: list[tuple[str, str]]
    ) -> None:
        writer = opening(tmp_path_factory.mktemp("agreeing"), writable=True)
        # The title keeps its stop words.
        writer.apply(
            [], [(n, fields("", title=w, language=code)) for n, (w, code) in enumerate(said)], 1, "db"
        )
        for number, (word, language) in enumerate(said):
            if terms(word, language, keep_stop_words=True) and " " not in word:
                assert number in ids(writer.search(word, 10)), (word, language)
                assert number in writer.holding(word)
        writer.close()

    def test_a_word_has_the_forms_of_each_chunks_language(self, writer: KeywordIndex) -> None:
        texts = {
            1: ("The cities", "en"),
            2: ("alte Häuser", "de"),
            3: ("Hauser is a name", "en"),
            4: ("casas", "es"),
        }
        chunks = [(chunk, fields(text, language=code)) for chunk, (text, code) in texts.items()]
        writer.apply([], chunks, 1, "db")
        assert ids(writer.search("city", 5)) == [1]
        assert ids(writer.search("Haus", 5)) == [2]
        assert set(ids(writer.search("Häuser", 5))) == {2, 3}
        assert ids(writer.search("casa", 5)) == [4]
        assert writer.holding("altes Haus") == [2]

    def test_terms_are_joined_by_or_and_more_of_them_are_better(self, filled: KeywordIndex) -> None:
        found = filled.search("roses kiln", 10)
        assert ids(found)[0] == 3
        assert set(ids(found)) == {1, 2, 3}
        scores = [score for _, score in found]
        assert scores == sorted(scores, reverse=True)
        assert scores[-1] > 0

    def test_the_limit_is_kept(self, filled: KeywordIndex) -> None:
        assert len(filled.search("roses kiln", 2)) == 2
        assert filled.search("roses", 0) == []

    def test_can_be_restricted(self, filled: KeywordIndex) -> None:
        assert ids(filled.search("roses kiln", 10, among=[1, 4, 2**63 - 1, 77])) == [1]
        assert filled.search("roses", 10, among=[2, 77]) == []
        assert filled.search("roses", 10, among=[]) == []

    @pytest.mark.parametrize(
        "query",
        [
            "roses AND (bud OR [ \" TO", "body:roses", "ro*", "roses^9999999999", "roses~", "NOT roses", "*",
            "?", "roses' OR 1=1 --", "\x00roses\x1b[31m", "{!roses}", "roses\n\t\r\u2028",
            "roses" + "(" * 5000, "roses " + "x" * 100_000, "roses " * 20_000, "ro\ud800ses",
            "!?…—", "'" * 50_000, "", " ",
            " ".join(f"word{n}" for n in range(50_000)), "é" * 100_000, "京" * 100_000, "́" * 1000,
        ],
        ids=lambda query: repr(query[:12]),
    )  # fmt: skip
    def test_nothing_in_a_query_is_syntax(self, filled: KeywordIndex, query: str) -> None:
        assert set(ids(filled.search(query, 10))) <= {1, 3}

    @given(st.text(max_size=80))
    @settings(max_examples=50)
    def test_any_query_can_be_asked(self, filled: KeywordIndex, query: str) -> None:
        assert len(filled.search(query, 3)) <= 3

    @given(st.text(max_size=80))
    @settings(max_examples=10)
    def test_any_text_can_be_indexed(
        self, opening: Open, tmp_path_factory: pytest.TempPathFactory, text: str
    ) -> None:
        writer = opening(tmp_path_factory.mktemp("any"), writable=True)
        writer.apply([], [(1, fields(text, title=text)), (2, fields("kiln"))], 1, "db")
        assert ids(writer.search("kiln", 5))[-1] == 2
        writer.close()

    def test_several_threads_may_ask(self, filled: KeywordIndex) -> None:
        found: list[list[int]] = []
        threads = [
            threading.Thread(target=lambda: found.append(ids(filled.search("kilns", 5)))) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [[2, 3]] * 8


class TestHolding:
    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            ("roses", {1, 3}),
            ("the ROSE and a kiln", {3}),
            ("kiln 1240 degrees", {2}),
            ("roses umbrella", set()),
            ("京都の庭", {4}),
            ("Café d'Émile", {7}),
            ("umbrella", {2**63 - 1}),
            ("nothing", set()),
            ("roses nothing", set()),
            ("the of and", set()),
            (" -+* ", set()),
        ],
    )
    def test_every_word_must_be_there(self, filled: KeywordIndex, words: str, expected: set[int]) -> None:
        assert set(filled.holding(words)) == expected

    def test_stop_words_count_alone_where_they_name_something(self, writer: KeywordIndex) -> None:
        writer.apply(
            [], [(1, fields("of a body", title="The Who")), (2, fields("the who in a body"))], 1, "db"
        )
        assert writer.holding("the who") == [1]

    def test_what_is_deleted_or_changed_holds_nothing_of_old(self, writer: KeywordIndex) -> None:
        writer.apply([], [(chunk, fields("old words")) for chunk in range(1, 30)], 1, "db")
        writer.apply([3], [(5, fields("new words")), (40, fields("old ones"))], 2, "db")
        assert set(writer.holding("old")) == {*range(1, 30), 40} - {3, 5}
        assert set(writer.holding("words")) == set(range(1, 30)) - {3}
        assert writer.holding("new") == [5]

    def test_an_empty_index_holds_nothing(self, writer: KeywordIndex) -> None:
        assert writer.holding("roses") == []

    @settings(max_examples=25)
    @given(
        texts=st.lists(st.lists(st.sampled_from("ash birch cedar elm fir".split())), max_size=12),
        words=st.lists(st.sampled_from("ash birch cedar elm fir".split()), min_size=1, max_size=3),
    )
    def test_is_what_a_look_through_all_texts_finds(
        self,
        opening: Open,
        tmp_path_factory: pytest.TempPathFactory,
        texts: list[list[str]],
        words: list[str],
    ) -> None:
        index = opening(tmp_path_factory.mktemp("holding"), writable=True)
        index.apply([], [(number, fields(" ".join(text))) for number, text in enumerate(texts)], 1, "db")
        expected = {number for number, text in enumerate(texts) if set(words) <= set(text)}
        assert set(index.holding(" ".join(words))) == expected
        index.close()


class TestFields:
    @pytest.mark.parametrize("field", sorted(FIELD_WEIGHTS))
    def test_each_is_searched(self, writer: KeywordIndex, field: str) -> None:
        writer.apply([], [(1, fields("", **{field: "umbrella"})), (2, fields("kiln"))], 1, "db")
        assert ids(writer.search("umbrellas", 5)) == [1]

    def test_a_title_counts_more_than_a_word_in_passing(self, writer: KeywordIndex) -> None:
        text = "There was an umbrella somewhere among all the other things that stood there."
        writer.apply([], [(1, fields(text)), (2, fields("Short.", title="Umbrella"))], 1, "db")
        assert ids(writer.search("umbrella", 5)) == [2, 1]

    def test_small_words_count_where_they_name_something(self) -> None:
        assert fields("to be", title="To be") == {"to": 3.0, "be": 3.0}
        assert weighted_terms({}) == {}

    def test_rare_words_weigh_more(self, filled: KeywordIndex) -> None:
        weights = filled.rarity(["rose", "umbrella", "nowher"])
        assert 0 < weights["rose"] < weights["umbrella"] < weights["nowher"]


class TestCommit:
    def test_carries_its_sequence(self, opening: Open, writer: KeywordIndex, tmp_path: Path) -> None:
        assert (writer.applied, writer.source, writer.count()) == (0, "", 0)
        writer.apply([], [(1, fields("kiln"))], 17, "db")
        assert writer.source == "db"
        assert (writer.applied, writer.count()) == (17, 1)
        writer.apply([1], [], 18, "db")
        assert (writer.applied, writer.count()) == (18, 0)
        reader = opening(tmp_path, writable=False)
        assert reader.applied == 18
        reader.close()

    def test_can_be_replayed(self, writer: KeywordIndex) -> None:
        for _ in range(3):
            writer.apply([1, 2], [(1, fields("kiln")), (2, fields("rose"))], 5, "db")
        assert (writer.applied, writer.count()) == (5, 2)
        assert ids(writer.search("kiln", 5)) == [1]

    def test_replaces_and_deletes(self, writer: KeywordIndex) -> None:
        writer.apply([], [(1, fields("kiln")), (2, fields("kiln"))], 1, "db")
        writer.apply([1, 2], [(1, fields("rose"))], 2, "db")
        assert writer.search("kiln", 5) == []
        assert ids(writer.search("rose", 5)) == [1]

    def test_is_seen_by_readers_that_are_open(
        self, opening: Open, writer: KeywordIndex, tmp_path: Path
    ) -> None:
        reader = opening(tmp_path, writable=False)
        assert reader.search("kiln", 5) == []
        for number in range(1, 20):  # segments are merged on the way
            writer.apply([], [(number, fields("kiln"))], number, "db")
            assert set(ids(reader.search("kiln", 50))) == set(range(1, number + 1))
            assert ids(reader.search("kiln", 50, among=[number])) == [number]
        reader.close()

    def test_a_failing_one_changes_nothing(self, writer: KeywordIndex) -> None:
        writer.apply([], [(1, fields("kiln"))], 1, "db")
        broken = {"kiln": "heavy"}
        with pytest.raises(StoreError, match="writing the keyword index failed"):
            writer.apply([1], [(3, fields("kiln")), (2, broken)], 2, "db")  # type: ignore[list-item]
        assert (writer.applied, ids(writer.search("kiln", 5))) == (1, [1])
        writer.apply([1], [(2, fields("kiln"))], 2, "db")
        assert ids(writer.search("kiln", 5)) == [2]


class TestOpening:
    def test_for_reading_before_anything_was_written_finds_nothing(
        self, opening: Open, tmp_path: Path
    ) -> None:
        reader = opening(tmp_path, writable=False)
        assert (reader.applied, reader.count(), reader.search("kiln", 5)) == (0, 0, [])
        assert reader.rarity(["kiln"]) == {"kiln": 0.0}
        assert list(tmp_path.iterdir()) == []
        writer = opening(tmp_path, writable=True)
        writer.apply([], [(1, fields("kiln"))], 1, "db")
        assert ids(reader.search("kiln", 5)) == [1]
        writer.close()
        reader.close()

    def test_again_keeps_everything(self, opening: Open, writer: KeywordIndex, tmp_path: Path) -> None:
        writer.apply([], [(1, fields("kiln"))], 3, "db")
        again = opening(tmp_path, writable=True)
        assert (again.applied, ids(again.search("kiln", 5))) == (3, [1])
        again.close()

    def test_clearing_starts_anew(self, writer: KeywordIndex) -> None:
        writer.apply([], [(1, fields("kiln"))], 3, "db")
        writer.clear()
        assert (writer.applied, writer.count(), writer.search("kiln", 5)) == (0, 0, [])

    def test_a_reader_sees_an_index_that_took_the_place_of_its_own(
        self, opening: Open, writer: KeywordIndex, tmp_path: Path
    ) -> None:
        writer.apply([], [(1, fields("kiln"))], 1, "db")
        reader = opening(tmp_path, writable=False)
        assert ids(reader.search("kiln", 5)) == [1]
        writer.clear()
        assert reader.search("kiln", 5) == []
        writer.apply([], [(2, fields("kiln"))], 2, "db")
        assert ids(reader.search("kiln", 5)) == [2]
        reader.close()

    def test_a_reader_finds_nothing_where_the_index_was_removed(
        self, opening: Open, writer: KeywordIndex, tmp_path: Path
    ) -> None:
        writer.apply([], [(1, fields("kiln"))], 1, "db")
        reader = opening(tmp_path, writable=False)
        assert ids(reader.search("kiln", 5)) == [1]
        (folder,) = tmp_path.glob("keywords-*")
        shutil.rmtree(folder)
        assert reader.search("kiln", 5) == []
        again = opening(tmp_path, writable=True)
        again.apply([], [(2, fields("kiln"))], 1, "db")
        assert ids(reader.search("kiln", 5)) == [2]
        again.close()
        reader.close()


class TestDamage:
    @pytest.fixture(params=["what is committed", "the terms"])
    def damaged(
        self, writer: KeywordIndex, tmp_path: Path, backend: str, request: pytest.FixtureRequest
    ) -> Path:
        """A file of a committed index, for the test to damage."""
        writer.apply([], [(1, fields("kiln"))], 3, "db")
        writer.close()
        committed, terms = {"whoosh": ("*.toc", "*.seg"), "tantivy": ("meta.json", "*.term")}[backend]
        pattern = committed if request.param == "what is committed" else terms
        return next(next(iter(tmp_path.glob("keywords-*"))).glob(pattern))

    @pytest.mark.parametrize("content", [b"", b"\x00" * 64, b"rubbish" * 500])
    def test_is_said_when_reading_and_mended_when_writing(
        self, opening: Open, damaged: Path, tmp_path: Path, content: bytes
    ) -> None:
        damaged.write_bytes(content)
        reader = opening(tmp_path, writable=False)
        with pytest.raises(StoreError, match=r"keyword index failed .*; `quire index` makes") as caught:
            reader.search("kiln", 5)
        assert "\n" not in str(caught.value)
        reader.close()
        writer = opening(tmp_path, writable=True)
        assert writer.applied == 0
        writer.apply([], [(2, fields("kiln"))], 4, "db")
        assert ids(writer.search("kiln", 5)) == [2]
        writer.close()

    def test_a_lost_file_is_mended_when_writing(self, opening: Open, damaged: Path, tmp_path: Path) -> None:
        damaged.unlink()
        writer = opening(tmp_path, writable=True)
        assert (writer.applied, writer.count()) == (0, 0)
        writer.close()

    def test_a_sound_index_is_kept_where_no_file_can_be_opened(
        self, opening: Open, writer: KeywordIndex, tmp_path: Path
    ) -> None:
        writer.apply([], [(1, fields("kiln"))], 3, "db")
        writer.close()
        opening(tmp_path, writable=True).close()  # what is imported on the way has been
        with (
            no_more_files(),
            pytest.raises(StoreError, match=r"keyword index failed .*; try again") as caught,
        ):
            opening(tmp_path, writable=True)
        assert isinstance(caught.value.__cause__, OSError)
        again = opening(tmp_path, writable=True)
        assert (again.applied, again.count()) == (3, 1)
        again.close()

    def test_files_that_cannot_be_removed_do_not_keep_it_from_starting_anew(
        self, opening: Open, writer: KeywordIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As on a network drive, while a reader has them open."""
        for sequence in range(1, 4):
            writer.apply([], [(sequence, fields("kiln"))], sequence, "db")
        (folder,) = tmp_path.glob("keywords-*")
        (folder / "stays").mkdir()
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(shutil, "rmtree", lambda *_, **__: None)
            writer.clear()
        assert (writer.applied, writer.count()) == (0, 0)
        writer.apply([], [(7, fields("kiln"))], 1, "db")
        again = opening(tmp_path, writable=True)
        assert ids(again.search("kiln", 5)) == [7]
        again.close()

    def test_a_place_that_cannot_be_written_is_said(self, opening: Open, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(StoreError, match="creating the keyword index failed"):
            opening(tmp_path / "file", writable=True)


class TestChoosingABackend:
    def test_another_one_starts_empty_and_leaves_nothing_of_the_first(self, tmp_path: Path) -> None:
        for sequence, backend in enumerate(["whoosh", "tantivy", "whoosh"], 1):
            index = open_keywords(tmp_path, backend, writable=True)
            assert (index.applied, index.count(), index.search("kiln", 5)) == (0, 0, [])
            index.apply([], [(sequence, fields("kiln"))], sequence, "db")
            assert ids(index.search("kiln", 5)) == [sequence]
            assert len(list(tmp_path.iterdir())) == 1
            index.close()

    def test_one_that_is_not_installed_is_said(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delitem(sys.modules, "quire_engine.index.tantivy_keywords", raising=False)
        monkeypatch.setitem(sys.modules, "tantivy", None)
        with pytest.raises(
            ConfigError, match=r"^retrieval\.keywords .* `pip install 'quire\[tantivy\]'`"
        ) as caught:
            open_keywords(tmp_path, "tantivy", writable=False)
        assert "\n" not in str(caught.value)
