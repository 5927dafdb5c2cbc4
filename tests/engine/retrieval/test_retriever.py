"""Finding passages in a real index with the real embedding model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_engine import locations
from quire_engine.engine import Engine
from quire_engine.errors import ModelError, StoreError
from quire_engine.index.keywords import open_keywords
from quire_engine.index.reader import IndexReader
from quire_engine.inference.embedder import SentenceEmbedder
from quire_engine.interfaces import Embedder
from quire_engine.records import Filters, SearchResult
from quire_engine.retrieval.retriever import Retriever, dense_weight
from quire_engine.settings import EmbeddingSettings, RetrievalSettings, Settings

NOTES = {
    "Garden/Roses.md": "---\ntags: [plants/roses]\nstatus: done\nmodified: 2024-03-10\n---\n# Roses\n\n"
    "## Pruning\n\nCut the rose bushes back in early March, before the buds open. See [[Compost]].\n",
    "Garden/Compost.md": "---\ntags: [plants]\nauthors: ['[[Ada|A. L.]]', Grace]\nmodified: 2022-01-05\n---\n"
    "Turn the heap every two weeks so that air reaches the middle.\n",
    "Workshop/Kiln.md": "---\nstatus: open\nserial: QX-7781\nmodified: 2023-06-01\n---\n# Kiln\n\n"
    "The oven for stoneware reaches 1240 degrees Celsius. It cools for two days.\n",
    "Workshop/Copy of Kiln.md": "---\nmodified: 2020-01-01\n---\n# Kiln\n\n"
    "The oven for stoneware reaches 1240 degrees Celsius. It cools for two days.\n",
    "Space/Orbits.md": "---\nmodified: 2021-01-01\n---\nA satellite in low orbit circles the planet.\n",
    "日本語.md": "---\nmodified: 2021-01-01\n---\n京都の庭には古い桜の木があります。\n",
    "عربي.md": "---\nmodified: 2021-01-01\n---\nأحمد يسقي الورود في الحديقة كل صباح.\n",
    "ไทย.md": "---\nmodified: 2021-01-01\n---\nสวนกุหลาบต้องการการดูแลอย่างสม่ำเสมอ\n",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, embedder: SentenceEmbedder) -> Path:
    """The index of the notes, embedded."""
    vault = tmp_path_factory.mktemp("vault")
    for path, text in NOTES.items():
        (vault / path).parent.mkdir(exist_ok=True)
        (vault / path).write_text(text, encoding="utf-8")
    settings = Settings(embedding=EmbeddingSettings(runtime="openvino"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUIRE_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        with Engine.open(vault, settings) as engine:
            assert engine.sync().pending == 0
        return locations.index_dir(vault)


Open = Callable[..., Retriever]


@pytest.fixture
def open_retriever(folder: Path, embedder: SentenceEmbedder) -> Iterator[Open]:
    reader = IndexReader(folder)
    keywords = open_keywords(folder, "whoosh", writable=False)
    opened: list[Retriever] = []

    def open_one(
        settings: RetrievalSettings | None = None, model: Callable[[], Embedder] | None = None
    ) -> Retriever:
        found = model or (lambda: embedder)
        opened.append(
            Retriever(
                reader,
                reader,
                keywords,
                found,
                lambda _: {},
                lambda: lambda hits: hits,
                settings or RetrievalSettings(),
            )
        )
        return opened[-1]

    yield open_one
    for retriever in opened:
        retriever.close()
    keywords.close()
    reader.close()


def search(
    retriever: Retriever, query: str, *, limit: int = 10, dense: bool = True, filters: Filters | None = None
) -> SearchResult:
    return retriever.search(
        query, limit=limit, filters=filters or Filters(), generation=7, incomplete=False, dense=dense
    )


def paths(result: SearchResult) -> list[str]:
    return [hit.path for hit in result.hits]


class TestFinding:
    @pytest.mark.parametrize(
        ("query", "path"),
        [
            ("When should I prune my roses?", "Garden/Roses.md"),
            ("aerating a pile of rotting leaves", "Garden/Compost.md"),
            ("spacecraft going round the earth", "Space/Orbits.md"),
            ("QX-7781", "Workshop/Kiln.md"),
            ("桜の木", "日本語.md"),
            ("الورود", "عربي.md"),
            ("กุหลาบ", "ไทย.md"),
        ],
    )
    def test_by_meaning_and_by_word(self, open_retriever: Open, query: str, path: str) -> None:
        assert paths(search(open_retriever(), query))[0] == path

    @pytest.mark.parametrize("fusion", ["convex", "rrf"])
    def test_every_hit_says_where_it_stands_and_why(self, open_retriever: Open, fusion: str) -> None:
        settings = RetrievalSettings.model_validate({"fusion": fusion})
        result = search(open_retriever(settings), "when to prune rose bushes")
        assert [hit.rank for hit in result.hits] == list(range(1, len(result.hits) + 1))
        scores = [hit.score for hit in result.hits]
        assert scores == sorted(scores, reverse=True)
        for hit in result.hits:
            assert hit.score == pytest.approx(sum(signal.contribution for signal in hit.trace.signals))
            lines = NOTES[hit.path].split("\n")
            assert hit.text in "\n".join(lines[hit.start_line - 1 : hit.end_line])
        first = result.hits[0]
        assert {signal.name for signal in first.trace.signals} == {"dense", "keyword"}
        assert (first.headings, first.topic) == (("Roses", "Pruning"), "Garden")
        assert first.links == ("Garden/Compost.md",)
        assert any(entity.text == "Compost" for entity in first.entities)

    def test_what_describes_the_index_is_handed_through(self, open_retriever: Open) -> None:
        retriever = open_retriever()
        result = retriever.search("roses", limit=3, filters=Filters(), generation=7, incomplete=True)
        assert (result.query, result.generation, result.incomplete) == ("roses", 7, True)
        assert result.timings["total"] >= result.timings["keyword"]

    def test_the_limit_is_kept(self, open_retriever: Open) -> None:
        assert len(search(open_retriever(), "roses kiln orbit", limit=2).hits) == 2
        assert search(open_retriever(), "roses", limit=0).hits == ()

    def test_near_duplicates_stand_behind_one_hit(self, open_retriever: Open) -> None:
        hits = search(open_retriever(), "how hot is the stoneware oven").hits
        kilns = [hit for hit in hits if "Kiln" in hit.path and hit.kind == "text"]
        assert len(kilns) == 1
        (duplicate,) = kilns[0].trace.duplicates
        assert {kilns[0].path, duplicate.partition(":")[0]} == {
            "Workshop/Kiln.md",
            "Workshop/Copy of Kiln.md",
        }


class TestFilters:
    @pytest.mark.parametrize(
        ("filters", "allowed"),
        [
            (Filters(folders=("Garden",)), {"Garden/Roses.md", "Garden/Compost.md"}),
            (Filters(tags=("plants",)), {"Garden/Roses.md", "Garden/Compost.md"}),
            (Filters(tags=("plants/roses",)), {"Garden/Roses.md"}),
            (Filters(since=1_672_531_200.0), {"Garden/Roses.md", "Workshop/Kiln.md"}),
            (Filters(before=1_600_000_000.0), {"Workshop/Copy of Kiln.md"}),
            (Filters(where=(("status", "OPEN"),)), {"Workshop/Kiln.md"}),
            (Filters(where=(("authors", "grace"),)), {"Garden/Compost.md"}),
            (Filters(where=(("authors", "ada"),)), {"Garden/Compost.md"}),
            (Filters(folders=("Garden",), where=(("status", "done"),)), {"Garden/Roses.md"}),
        ],
    )
    def test_nothing_else_is_found_by_meaning_or_word(
        self, open_retriever: Open, filters: Filters, allowed: set[str]
    ) -> None:
        query = "roses, compost, kiln, satellite: done or open?"
        assert set(paths(search(open_retriever(), query, filters=filters))) == allowed

    def test_a_filter_that_nothing_passes_finds_nothing(self, open_retriever: Open) -> None:
        def never() -> Embedder:
            raise ModelError("the model is not needed")

        result = search(open_retriever(model=never), "roses", filters=Filters(folders=("Nowhere",)))
        assert result.hits == ()


class TestQuestions:
    @pytest.mark.parametrize("query", ["", " \n\t ", "?!…", "\x00"])
    def test_without_words_find_nothing_sure(self, open_retriever: Open, query: str) -> None:
        result = search(open_retriever(), query)
        assert all(signal.name == "dense" for hit in result.hits for signal in hit.trace.signals)
        if not query.strip():
            assert result.hits == ()

    @pytest.mark.parametrize(
        "query",
        [
            "x" * 100_000,
            "rose " * 50_000,
            "\ud800 rose",
            "\x1b[31m rose",
            "'; DROP TABLE chunks; --",
            "(" * 5000,
        ],
        ids=lambda query: repr(query[:8]),
    )
    def test_hostile_ones_are_only_text(self, open_retriever: Open, query: str) -> None:
        result = search(open_retriever(), query)
        assert len(result.hits) <= 10
        assert result.query == query

    def test_keywords_alone_answer_where_vectors_cannot_be_compared(self, open_retriever: Open) -> None:
        result = search(open_retriever(), "satellite", dense=False)
        assert paths(result) == ["Space/Orbits.md"]
        assert [signal.name for signal in result.hits[0].trace.signals] == ["keyword"]

    def test_errors_of_a_model_are_not_swallowed(self, open_retriever: Open) -> None:
        def missing() -> Embedder:
            raise ModelError("no model here")

        with pytest.raises(ModelError, match="no model here"):
            search(open_retriever(model=missing), "roses")

    def test_one_list_is_an_answer_while_the_other_is_damaged_but_an_incomplete_one(
        self, open_retriever: Open
    ) -> None:
        class Broken:
            def search(self, query: str, limit: int, *, among: object = None) -> list[tuple[int, float]]:
                raise StoreError("the keyword index is damaged")

            def nearest(self, query: object, limit: int, *, among: object = None) -> list[tuple[int, float]]:
                raise StoreError("the vectors are damaged")

        retriever = open_retriever()
        keywords, retriever._keywords = retriever._keywords, Broken()
        found = search(retriever, "roses")
        assert found.hits
        assert found.incomplete
        with pytest.raises(StoreError, match="the keyword index is damaged"):
            search(retriever, "roses", dense=False)
        vectors, retriever._vectors = retriever._vectors, Broken()
        with pytest.raises(StoreError, match="damaged"):
            search(retriever, "roses")
        retriever._keywords = keywords
        found = search(retriever, "roses")
        assert found.hits
        assert found.incomplete
        retriever._vectors = vectors
        assert not search(retriever, "roses").incomplete

    def test_chunks_that_vanish_meanwhile_are_left_out(self, open_retriever: Open) -> None:
        retriever = open_retriever()
        reader = retriever._chunks

        class Forgetful:
            def __getattr__(self, name: str) -> object:
                return getattr(reader, name)

            def hits(self, ids: list[int]) -> dict[int, object]:
                return {i: hit for i, hit in reader.hits(ids).items() if hit.path != "Garden/Roses.md"}

        retriever._chunks = Forgetful()
        result = search(retriever, "pruning roses")
        assert "Garden/Roses.md" not in paths(result)
        assert [hit.rank for hit in result.hits] == list(range(1, len(result.hits) + 1))


class TestDenseWeight:
    def test_english_gets_the_whole_share_and_unreadable_scripts_little(
        self, embedder: SentenceEmbedder
    ) -> None:
        english = dense_weight(embedder.readability("When do I prune the roses?"), 0.6)
        assert english == pytest.approx(0.6)
        for question in ("كيف أعتني بالورود في الحديقة", "วิธีดูแลสวนกุหลาบ", "如何修剪玫瑰"):
            assert dense_weight(embedder.readability(question), 0.6) < english / 2

    @given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
    def test_grows_with_readability_up_to_the_share(self, one: float, other: float, share: float) -> None:
        low, high = sorted((one, other))
        assert 0 <= dense_weight(low, share) <= dense_weight(high, share) <= share + 1e-9
