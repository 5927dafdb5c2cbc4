"""Finding passages in a real index with the real embedding model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from quire_engine import locations
from quire_engine.engine import Engine
from quire_engine.errors import ModelError, StoreError
from quire_engine.index.keywords import open_keywords
from quire_engine.index.reader import IndexReader
from quire_engine.inference.embedder import SentenceEmbedder
from quire_engine.interfaces import Embedder
from quire_engine.records import Filters, Hit, SearchResult
from quire_engine.retrieval.retriever import Retriever
from quire_engine.settings import EmbeddingSettings, RetrievalSettings, Settings

if TYPE_CHECKING:
    from quire_engine.interfaces import FloatArray

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
        settings: RetrievalSettings | None = None,
        model: Callable[[], Embedder] | None = None,
        **parts: object,
    ) -> Retriever:
        """``parts`` stand in for real ones: ``chunks``, ``vectors``, ``keywords``, ``early``, ``check``."""
        found: dict[str, object] = {
            "chunks": reader,
            "vectors": reader,
            "keywords": keywords,
            "early": lambda _: {},
            "check": lambda: lambda hits: hits,
            "reranker": lambda: None,
        }
        found |= {"embedder": model or (lambda: embedder), "settings": settings or RetrievalSettings()}
        opened.append(Retriever(**(found | parts)))  # type: ignore[arg-type]
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

    @pytest.mark.parametrize("fusion", ["learned", "rrf"])
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
        told = {signal.name for signal in first.trace.signals}
        assert told >= {"dense", "keyword"}
        assert (told == {"dense", "keyword"}) == (fusion == "rrf")
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
        told = {signal.name for hit in result.hits for signal in hit.trace.signals}
        assert not told & {"keyword", "proximity", "rarest", "named", "part"}
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
        told = {signal.name for signal in result.hits[0].trace.signals}
        assert "keyword" in told
        assert not told & {"dense", "vouched"}

    def test_errors_of_a_model_are_not_swallowed(self, open_retriever: Open) -> None:
        def missing() -> Embedder:
            raise ModelError("no model here")

        with pytest.raises(ModelError, match="no model here"):
            search(open_retriever(model=missing), "roses")

    def test_chunks_that_vanish_meanwhile_are_left_out(self, open_retriever: Open, folder: Path) -> None:
        class Forgetful(IndexReader):
            def hits(self, ids: Sequence[int]) -> Mapping[int, Hit]:
                found = super().hits(ids)
                return {chunk: hit for chunk, hit in found.items() if hit.path != "Garden/Roses.md"}

        reader = Forgetful(folder)
        result = search(open_retriever(chunks=reader), "pruning roses, see [[Roses]]")
        reader.close()
        assert result.hits
        assert "Garden/Roses.md" not in paths(result)
        assert [hit.rank for hit in result.hits] == list(range(1, len(result.hits) + 1))

    def test_what_is_gone_from_its_file_is_counted(self, open_retriever: Open) -> None:
        def only_workshop(hits: Mapping[int, Hit]) -> Mapping[int, Hit]:
            return {chunk: hit for chunk, hit in hits.items() if hit.topic == "Workshop"}

        result = search(open_retriever(check=lambda: only_workshop), "how hot is the oven of the workshop")
        assert {hit.topic for hit in result.hits} == {"Workshop"}
        assert result.left_out > 0
        assert result.incomplete

    def test_passages_without_a_vector_yet_are_embedded_early(
        self, open_retriever: Open, folder: Path, embedder: SentenceEmbedder
    ) -> None:
        class Behind(IndexReader):
            def vectors(self, ids: Sequence[int]) -> Mapping[int, FloatArray]:
                return {}

            def nearest(
                self, query: FloatArray, limit: int, *, among: Sequence[int] | None = None
            ) -> list[tuple[int, float]]:
                return []

        reader = Behind(folder)

        def early(ids: Sequence[int]) -> Mapping[int, FloatArray]:
            texts = reader.hits(ids)
            return {chunk: embedder.embed_passages([texts[chunk].text])[0] for chunk in ids}

        result = search(open_retriever(chunks=reader, vectors=reader, early=early), "roses or a kiln?")
        reader.close()
        assert any(
            signal.name == "dense" and signal.contribution > 0 and signal.rank == 0
            for hit in result.hits
            for signal in hit.trace.signals
        )


class Damaged:
    """Either of the two indexes, or both, when they cannot be read."""

    def search(self, query: str, limit: int, *, among: object = None) -> list[tuple[int, float]]:
        raise StoreError("the keyword index is damaged")

    def rarity(self, words: Sequence[str]) -> dict[str, float]:
        raise StoreError("the keyword index is damaged")

    def nearest(self, query: object, limit: int, *, among: object = None) -> list[tuple[int, float]]:
        raise StoreError("the vectors are damaged")


class TestDamage:
    QUESTIONS = (
        "roses",
        "difference between the kiln and the compost",
        "latest note on roses",
        "[[Kiln]] of the workshop",
    )

    @pytest.mark.parametrize("question", QUESTIONS)
    @pytest.mark.parametrize("part", ["keywords", "vectors"])
    def test_one_list_is_an_answer_but_an_incomplete_one(
        self, open_retriever: Open, part: str, question: str
    ) -> None:
        result = search(open_retriever(**{part: Damaged()}), question)
        assert result.hits
        assert result.incomplete
        told = {signal.name for hit in result.hits for signal in hit.trace.signals if signal.rank}
        assert told == {"dense" if part == "keywords" else "keyword"}
        assert not search(open_retriever(), question).incomplete

    @pytest.mark.parametrize("part", ["keywords", "vectors"])
    @pytest.mark.parametrize("place", ["Garden", "Space", "Nowhere"])
    def test_so_it_is_where_folders_are_preferred(self, open_retriever: Open, part: str, place: str) -> None:
        found = search(open_retriever(**{part: Damaged()}), "roses", filters=Filters(prefer=(place,)))
        assert found.hits
        assert found.incomplete

    def test_nothing_found_in_one_list_is_incomplete_as_well(self, open_retriever: Open) -> None:
        result = search(open_retriever(vectors=Damaged()), "zeppelin")
        assert (result.hits, result.incomplete) == ((), True)
        assert not search(open_retriever(), "zeppelin").incomplete

    def test_without_either_list_there_is_an_error(self, open_retriever: Open) -> None:
        with pytest.raises(StoreError, match="the keyword index is damaged"):
            search(open_retriever(keywords=Damaged()), "roses", dense=False)
        with pytest.raises(StoreError, match="damaged"):
            search(open_retriever(keywords=Damaged(), vectors=Damaged()), "roses")


class TestTime:
    def test_each_stage_is_told_and_none_is_longer_than_all(self, open_retriever: Open) -> None:
        timings = search(open_retriever(), "difference between the kiln and the compost").timings
        assert {"filter", "embed", "dense", "keyword", "candidates", "signals", "hits", "total"} <= set(
            timings
        )
        assert all(0 <= spent <= timings["total"] for spent in timings.values())


class TestTrust:
    """Questions in scripts that the model cannot read lean on words."""

    def test_weights_follow_what_the_model_can_read(self, open_retriever: Open) -> None:
        def weights(question: str) -> dict[str, float]:
            hits = search(open_retriever(), question).hits
            return {signal.name: signal.weight for hit in hits for signal in hit.trace.signals}

        english = weights("When do I prune the roses?")
        for question in ("كيف أعتني بالورود في الحديقة", "วิธีดูแลสวนกุหลาบ", "庭の桜の木"):
            found = weights(question)
            assert found["dense"] / found["keyword"] < english["dense"] / english["keyword"] / 2
