"""A judged set from a vault's links, and that following links finds what it asks for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import __main__ as bench
from bench.hidden_links import Question, make
from quire_engine import Engine, locations
from quire_engine.analysis import query_terms
from quire_engine.evaluation.runner import read_queries
from quire_engine.index.keywords import open_keywords
from quire_engine.index.reader import IndexReader
from quire_engine.interfaces import KeywordIndex
from quire_engine.retrieval import expansion
from quire_engine.retrieval.ranking import learned

WORDS = (
    (
        "shingle slate gutter ridge chimney flashing rafter batten",
        "quarry mineral layers split hammer grey cleaving Wales",
    ),
    (
        "violin bow rosin bridge soundpost varnish pegbox scroll",
        "spruce maple carved arch plates glue clamps Cremona",
    ),
    (
        "sourdough levain crumb oven proofing crust banneton starter",
        "millstone bran germ wheat rye sifting sacks Kansas",
    ),
    (
        "compass sextant chart tide harbour bearing anchor buoy",
        "longitude clock spring balance pendulum Harrison prize island",
    ),
    (
        "beehive frames swarm smoker nectar queen drone hive",
        "hexagon wax cells glands temperature comb building Langstroth",
    ),
    (
        "kiln glaze stoneware wheel slip bisque shard cone",
        "feldspar silica flux melting cobalt oxide ash Jingdezhen",
    ),
)


def vault_in(folder: Path) -> Path:
    """For each subject two notes in nearly the same words, that both link to a third one in quite others."""
    for number, (subject, other) in enumerate(WORDS):
        words, lore = subject.split(), f"Lore {number}"
        notes = {
            f"Talk {number}": f"# Meeting\n\nEverybody agreed. On {', '.join(words)} and more [[{lore}|"
            f"what we read]] is right. Then we left.\n",
            f"Plan {number}": f"- To do: {' and '.join(words[::-1])}, as in [[{lore}]].\n"
            f"- Buy milk, and ask [[Lunch]] again.\n",
            lore: f"---\naliases: [Secret {other.split()[-1]}]\n---\n{other.capitalize()}.\n",
        }
        for name, text in notes.items():
            (folder / f"{name}.md").write_text(text, encoding="utf-8")
    (folder / "Lunch.md").write_text("Soup and bread, every day of the week, at noon, for all.\n")
    (folder / "Names.md").write_text("They call it [[Secret Wales]], or [[Lore 0|Secret Wales]].\n")
    (folder / "Drawing.canvas").write_text('{"nodes": [{"type": "text", "text": "A [[Lunch]]"}]}')
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, list[Question]]:
    """The vault, the folder of the set, its questions."""
    vault, folder = vault_in(tmp_path_factory.mktemp("vault")), tmp_path_factory.mktemp("set")
    return vault, folder, make(vault, folder)


Made = tuple[Path, Path, list[Question]]


class TestMaking:
    def test_the_words_around_a_link_are_asked_for(self, made: Made) -> None:
        found = [question for question in made[2] if question.kind == "sentence"]
        assert {question.target for question in found} == {f"Lore {n}.md" for n in range(len(WORDS))}
        for question in found:
            subject = WORDS[int(question.target[5])][0].split()
            assert set(query_terms(" ".join(subject))) <= set(query_terms(question.text))
            assert not any(
                word in question.text for word in ("Lore", "what we read", "Everybody", "milk", "[[")
            )

    def test_a_context_names_note_and_headings(self, made: Made) -> None:
        found = {q.source: q.text for q in made[2] if q.kind == "context"}
        sentences = {q.source: q.text for q in made[2] if q.kind == "sentence"}
        assert found.keys() == sentences.keys()
        for source, text in found.items():
            assert source is not None
            headings = ["Meeting"] if source.startswith("Talk") else []
            assert text == " ".join([source.removesuffix(".md"), *headings, sentences[source] or ""])

    def test_the_link_is_gone_from_the_copy_and_nothing_else(self, made: Made) -> None:
        vault, folder, questions = made
        sources = {question.source for question in questions} - {None}
        hidden = {question.target for question in questions if question.kind == "alias"}
        for file in vault.iterdir():
            before, after = file.read_text(), (folder / "vault" / file.name).read_text()
            if file.name in sources:
                assert len(before) - len(after) in (len("[[Lore 0]]"), len("[[Lore 0|what we read]]"))
                assert "Lore" not in after
            elif file.name not in hidden and file.name != "Names.md":
                assert before == after

    def test_a_hidden_alias_stays_in_links_that_still_lead_there(self, made: Made) -> None:
        _, folder, questions = made
        aliases = {question.target: question.text for question in questions if question.kind == "alias"}
        assert aliases["Lore 0.md"] == "Secret Wales"
        assert "Secret" not in (folder / "vault/Lore 0.md").read_text()
        names = (folder / "vault/Names.md").read_text()
        assert names == "They call it [[Lore 0.md|Secret Wales]], or [[Lore 0|Secret Wales]].\n"

    def test_it_is_read_as_a_judged_set(self, made: Made) -> None:
        _, folder, questions = made
        read = read_queries(folder)
        assert [query.text for query in read] == [question.text for question in questions]
        for query, question in zip(read, questions, strict=True):
            others = {question.source: 0.0} if question.source else {}
            assert query.grades == {question.target: 1.0, **others}
        entries = [json.loads(line) for line in (folder / "queries.jsonl").read_text().splitlines()]
        assert {entry["half"] for entry in entries} == {0, 1}
        halves = {(question.target, question.half) for question in questions}
        assert len(halves) == len({target for target, _ in halves})

    def test_the_same_vault_gives_the_same_set(self, made: Made, tmp_path: Path) -> None:
        assert make(made[0], tmp_path) == made[2]

    def test_no_more_than_asked_for(self, made: Made, tmp_path: Path) -> None:
        kinds = [question.kind for question in make(made[0], tmp_path, 2)]
        assert [kinds.count(kind) for kind in ("sentence", "context", "alias")] == [2, 2, 2]

    @pytest.mark.parametrize(
        ("talk", "lore"),
        [
            ("Lore has one, two, three, four, five, six, seven, eight [[Lore]] words.", ""),
            ("It has one, two, three, four, five, six, seven, eight [[Lore]] words. [[Lore]]", ""),
            ("It has one, two, three, four, five, six, seven, eight [[Lore]] words.", "Back to [[Talk]]."),
            ("It has few [[Lore]] words.", ""),
            ("It has one, two, three, four, five, six, seven, eight ![[Lore]] words.", ""),
        ],
        ids=["named", "linked twice", "links back", "too few words", "embed"],
    )
    def test_links_that_would_be_given_away(self, tmp_path: Path, talk: str, lore: str) -> None:
        (tmp_path / "v").mkdir()
        (tmp_path / "v/Talk.md").write_text(talk)
        (tmp_path / "v/Lore.md").write_text(
            f"A note about apples, pears, plums, figs, dates, limes, kiwis. {lore}"
        )
        assert make(tmp_path / "v", tmp_path / "set") == []

    def test_from_the_command_line(
        self, made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert bench.main(["hidden-links", str(made[0]), str(tmp_path / "set")]) == 0
        assert f"sentence: {len(WORDS)} questions" in capsys.readouterr().out
        with pytest.raises(SystemExit):
            bench.main(["hidden-links", str(made[0]), str(tmp_path / "set")])
        assert "is not empty" in capsys.readouterr().err


@pytest.fixture(scope="module")
def index(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUIRE_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        with Engine.open(made[1] / "vault") as engine:
            engine.sync(embed=False)
        yield locations.index_dir(made[1] / "vault")


class TestFollowing:
    """Keywords find the notes that still link to what is asked for; links lead on from there."""

    def test_the_hidden_target_is_found(self, made: Made, index: Path) -> None:
        reader, keywords = IndexReader(index), open_keywords(index, "whoosh", writable=False)
        try:
            for question in made[2]:
                if question.kind == "sentence":
                    self._ask(question, reader, keywords)
        finally:
            keywords.close()
            reader.close()

    def _ask(self, question: Question, reader: IndexReader, keywords: KeywordIndex) -> None:
        found = dict(keywords.search(question.text, 100))
        scores = {chunk: score / max(found.values()) for chunk, score in found.items()}
        hits, notes = reader.hits(list(scores)), dict(reader.notes_of(list(scores)))
        paths = [hits[chunk].path for chunk in scores]
        number = question.target[5]
        assert paths[0] == question.source
        assert question.target not in paths  # it shares no word with the question

        rarity = keywords.rarity(query_terms(question.text))
        links = reader.outgoing_links(list(scores))
        texts = {chunk: hit.text for chunk, hit in hits.items()}
        supported = expansion.supports(scores, texts, links, rarity)
        new = reader.passages_of(expansion.newcomers(supported, notes.values()), expansion.PASSAGES)
        scores |= dict.fromkeys(new, 0.0)
        notes |= new
        lifted = expansion.lifts(scores, notes, supported, learned()["links"].read)
        order = sorted(scores, key=lambda c: -scores[c] - (lifted[c].added if c in lifted else 0.0))
        shown = [hit.path for hit in map(reader.hits(order).__getitem__, order)]
        vouching = ({f"Talk {number}.md", f"Plan {number}.md"} - {question.source}).pop()
        assert shown.index(vouching) < shown.index(question.target) <= 3
