"""What is Whoosh's own: the format on disk, its scores, segments and their merging, crashes while writing."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from whoosh import index
from whoosh.query import Or, Term
from whoosh.scoring import BM25F

from quire_engine.index import bm25, whoosh_search, whoosh_segments
from quire_engine.index.whoosh_keywords import WhooshKeywords

WORDS = [f"w{number}" for number in range(60)]
Chunks = dict[int, Mapping[str, float]]


def some_chunks(count: int, seed: int = 1) -> Chunks:
    """Chunks of words that are the rarer the higher their number, most weights whole."""
    chance = random.Random(seed)
    return {
        chunk * 7919: {
            word: chance.choice([1.0, 1.0, 2.0, 3.5, 0.7])
            for number, word in enumerate(WORDS)
            if chance.random() < 1.5 / (number + 1)
        }
        for chunk in range(1, count + 1)
    }


@pytest.fixture
def keywords(tmp_path: Path) -> Iterator[WhooshKeywords]:
    opened = WhooshKeywords(tmp_path, writable=True)
    yield opened
    opened.close()


def folder_of(tmp_path: Path) -> Path:
    (folder,) = tmp_path.glob("keywords-*")
    return folder


def segments(tmp_path: Path) -> int:
    return len(list(folder_of(tmp_path).glob("*.seg")))


def fill(keywords: WhooshKeywords, chunks: Chunks, *, each: int) -> None:
    pairs = list(chunks.items())
    for start in range(0, len(pairs), each):
        keywords.apply([], pairs[start : start + each], start + 1, "db")


class SmoothIdf(BM25F):  # type: ignore[misc]
    def idf(self, searcher: Any, fieldname: str, text: bytes) -> float:
        parent = searcher.get_parent()
        return bm25.inverse_document_frequency(parent.doc_count_all(), parent.doc_frequency(fieldname, text))


def as_whoosh_finds(folder: Path, query: str) -> dict[int, float]:
    """Every chunk that Whoosh itself finds, with its score."""
    with index.open_dir(folder).searcher(weighting=SmoothIdf(B=bm25.B, K1=bm25.K1)) as searcher:
        chunks = list(searcher.reader().column_reader("chunk"))
        found = searcher.search(Or([Term("words", word) for word in query.split()]), limit=None)
        return {chunks[number]: score for score, number in found.top_n}


class TestFormat:
    @pytest.mark.parametrize("each", [500, 40, 1])
    def test_whoosh_reads_it_and_scores_alike(
        self, keywords: WhooshKeywords, tmp_path: Path, each: int
    ) -> None:
        fill(keywords, some_chunks(100 if each == 1 else 500), each=each)
        for query in ("w0", "w3 w17 w55", " ".join(WORDS), "w2 nowhere w1"):
            found = keywords.search(query, 1000)
            expected = as_whoosh_finds(folder_of(tmp_path), query)
            assert dict(found) == pytest.approx(expected, rel=1e-6)
            assert [score for _, score in found] == sorted(
                expected.values(), reverse=True
            ) or found == sorted(found, key=lambda hit: (-hit[1], hit[0]))

    def test_whoosh_lists_the_same_terms_and_postings(self, keywords: WhooshKeywords, tmp_path: Path) -> None:
        chunks = some_chunks(300)
        fill(keywords, chunks, each=100)
        with index.open_dir(folder_of(tmp_path)).reader() as reader:
            ids = list(reader.column_reader("chunk"))
            for word in reader.field_terms("words"):
                matcher = reader.postings("words", word)
                held = {}
                while matcher.is_active():
                    held[ids[matcher.id()]] = matcher.weight()
                    matcher.next()
                expected = {chunk: terms[word] for chunk, terms in chunks.items() if word in terms}
                assert held == pytest.approx(expected)
            assert reader.doc_frequency("words", "w0") == sum("w0" in terms for terms in chunks.values())

    def test_a_chunk_without_a_word_is_kept(self, keywords: WhooshKeywords, tmp_path: Path) -> None:
        keywords.apply([], [(1, {}), (2, {})], 1, "db")
        keywords.apply([], [(3, {"kiln": 1.0})], 2, "db")
        assert (keywords.count(), keywords.search("kiln", 5)[0][0]) == (3, 3)

    def test_half_a_character_is_a_term_like_another(self, keywords: WhooshKeywords) -> None:
        keywords.apply([], [(1, {"ro\ud800": 1.0}), (2, {"ro\udfff": 1.0, "kiln": 1.0})], 1, "db")
        assert [chunk for chunk, _ in keywords.search("kiln", 5)] == [2]


class TestScores:
    def test_do_not_show_how_the_index_came_about(self, tmp_path: Path) -> None:
        wanted, others = some_chunks(200), some_chunks(150, seed=2)
        (tmp_path / "many").mkdir()
        (tmp_path / "one").mkdir()
        many, one = (WhooshKeywords(tmp_path / name, writable=True) for name in ("many", "one"))
        fill(many, others, each=30)
        fill(many, wanted, each=9)  # replaces the others, whose ids are the same
        one.apply([], list(wanted.items()), 1, "db")
        assert many.count() == one.count() == 200
        for query in ("w0 w1", "w5", " ".join(WORDS)):
            assert many.search(query, 30) == one.search(query, 30)
        assert many.rarity(WORDS) == one.rarity(WORDS)
        many.close()
        one.close()

    def test_of_equals_the_lower_id_comes_first(self, keywords: WhooshKeywords) -> None:
        for chunk in (5, 3, 9, 1):
            keywords.apply([], [(chunk, {"kiln": 1.0})], chunk, "db")
        assert [chunk for chunk, _ in keywords.search("kiln", 3)] == [1, 3, 5]

    def test_restricting_changes_no_score(self, keywords: WhooshKeywords) -> None:
        chunks = some_chunks(200)
        fill(keywords, chunks, each=30)
        everything = dict(keywords.search("w1 w2 w3", 1000))
        among = [*list(chunks)[::3], 4]  # 4 is none
        expected = {chunk: score for chunk, score in everything.items() if chunk in among}
        assert dict(keywords.search("w1 w2 w3", 1000, among=among)) == expected


class TestMerging:
    def test_keeps_segments_few(self, keywords: WhooshKeywords, tmp_path: Path) -> None:
        chunks = some_chunks(130)
        fill(keywords, chunks, each=1)
        assert segments(tmp_path) <= 3 * 7
        assert keywords.count() == 130
        assert {chunk for chunk, _ in keywords.search("w0", 1000)} == {
            chunk for chunk, terms in chunks.items() if "w0" in terms
        }

    def test_in_small_slices_gives_the_same(
        self, keywords: WhooshKeywords, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(whoosh_segments, "_SLICE", 25)
        chunks = some_chunks(240)
        fill(keywords, chunks, each=30)
        assert segments(tmp_path) == 1
        assert dict(keywords.search(" ".join(WORDS), 500)) == pytest.approx(
            as_whoosh_finds(folder_of(tmp_path), " ".join(WORDS)), rel=1e-6
        )

    def test_forgets_what_was_deleted(self, keywords: WhooshKeywords, tmp_path: Path) -> None:
        chunks = some_chunks(400)
        fill(keywords, chunks, each=400)
        for deleted, left in (100, 400), (200, 200):  # few are marked, many are worth writing the rest anew
            keywords.apply(list(chunks)[:deleted], [], 500, "db")
            assert keywords.count() == 400 - deleted
            with index.open_dir(folder_of(tmp_path)).reader() as reader:
                assert reader.doc_count_all() == left
        keywords.apply(list(chunks)[200:], [], 501, "db")
        assert (segments(tmp_path), keywords.count(), keywords.applied) == (0, 0, 501)

    def test_disturbs_no_reader(self, keywords: WhooshKeywords, tmp_path: Path) -> None:
        keywords.apply([], [(1, {"kiln": 1.0})], 1, "db")
        troubles: list[object] = []
        done = threading.Event()

        def read() -> None:
            reader = WhooshKeywords(tmp_path, writable=False)
            try:
                last = 0
                while not done.is_set():
                    found = len(reader.search("kiln", 1000))
                    if found < last:
                        troubles.append((last, found))
                    last = found
            except Exception as error:
                troubles.append(error)
            finally:
                reader.close()

        readers = [threading.Thread(target=read) for _ in range(2)]
        for thread in readers:
            thread.start()
        for number in range(2, 80):
            keywords.apply([], [(number, {"kiln": 1.0, f"w{number}": 1.0})], number, "db")
        done.set()
        for thread in readers:
            thread.join()
        assert troubles == []


class TestManyThreads:
    def test_questions_do_not_wait_for_each_other(
        self, keywords: WhooshKeywords, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fill(keywords, some_chunks(20), each=20)
        both = threading.Barrier(2, timeout=20)
        search = whoosh_search.Snapshot.search

        def together(*given: Any) -> list[tuple[int, float]]:
            both.wait()
            return search(*given)

        monkeypatch.setattr(whoosh_search.Snapshot, "search", together)
        with ThreadPoolExecutor(2) as threads:
            first, second = threads.map(lambda _: keywords.search("w0", 5), range(2))
        assert first == second != []

    def test_postings_that_are_thrown_out_meanwhile_are_read_again(
        self, keywords: WhooshKeywords, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fill(keywords, some_chunks(300), each=100)
        queries = [f"{one} {other}" for one in WORDS for other in WORDS[:5]]
        expected = [keywords.search(query, 20) for query in queries]
        keywords.close()
        monkeypatch.setattr(whoosh_search, "_CACHE_BYTES", 3_000)
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        try:
            with ThreadPoolExecutor(4) as threads:
                found = list(threads.map(lambda query: keywords.search(query, 20), queries))
        finally:
            sys.setswitchinterval(interval)
        assert found == expected
        cache = keywords._cache
        assert cache is not None
        assert cache._bytes == sum(map(whoosh_search._size, cache._kept.values())) <= 3_000


class TestCrash:
    @pytest.mark.parametrize("at", [1, 2, 3, 4])
    def test_leaves_the_commit_before_or_the_new_one(
        self, keywords: WhooshKeywords, tmp_path: Path, at: int
    ) -> None:
        """The process dies when it asks for the n-th time that a file be kept: twice a commit."""
        for number in range(7):  # one more, and there is something to merge
            chunks = [(number, {"kiln": 1.0}), (100 + number, {"rose": 1.0})]
            keywords.apply([], chunks, number + 1, "db")
        keywords.close()
        script = (
            "import os, sys; from pathlib import Path\n"
            "from quire_engine.index.whoosh_keywords import WhooshKeywords\n"
            "left, keep = [int(sys.argv[2])], os.fsync\n"
            "def fsync(handle):\n"
            "    left[0] -= 1\n"
            "    if not left[0]: os._exit(9)\n"
            "    keep(handle)\n"
            "os.fsync = fsync\n"
            "index = WhooshKeywords(Path(sys.argv[1]), writable=True)\n"
            "index.apply([], [(3, {'rose': 1.0}), (7, {'kiln': 1.0})], 8, 'db')\n"
        )
        died = subprocess.run([sys.executable, "-c", script, tmp_path, str(at)], check=False)
        assert died.returncode == 9
        again = WhooshKeywords(tmp_path, writable=True)
        expected = (7, {0, 1, 2, 3, 4, 5, 6}) if at <= 2 else (8, {0, 1, 2, 4, 5, 6, 7})
        assert (again.applied, {chunk for chunk, _ in again.search("kiln", 20)}) == expected
        again.apply([], [(3, {"rose": 1.0}), (7, {"kiln": 1.0})], 8, "db")
        assert {chunk for chunk, _ in again.search("kiln", 20)} == {0, 1, 2, 4, 5, 6, 7}
        assert len(list(folder_of(tmp_path).glob("*.toc"))) == 1
        assert not list(folder_of(tmp_path).glob("*.new"))
        again.close()
