"""Sentences by rules and by a real spaCy pipeline, and the vault's names in text."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire_engine.chunking.rules import sentence_starts
from quire_engine.chunking.sentences import LanguageTools, NameMatcher
from quire_engine.errors import ConfigError
from quire_engine.records import Entity


def sentences(tools: LanguageTools, text: str, language: str | None = None) -> list[str]:
    return [text[start:end] for start, end in tools.spans(text, language)]


class TestRules:
    @pytest.mark.parametrize(
        "expected",
        [
            ["One ends.", "Two ends!", "Three?"],
            ["Dr. Weber met Mr. J. Smith at 3.5 km.", "They left."],
            ["See example.com/a.b for more.", "Then stop."],
            ["Use e.g. clay, i.e. earth, approx. 3 kg.", "Done."],
            ["Wait... what?", "Yes."],
            ['"Really?" he said.', "Nobody laughed."],
            ["Er kam am 3. Oktober nach Bonn.", "Das war z.B. spät."],
            ["It was 1998.", "Nobody knew."],
            ["He said **yes.**", "She left.[^1]", "They stayed."],
            ["京都は古い。", "庭もある！", "本当？", "はい。"],
            ["यह पहला है।", "यह दूसरा है।"],
            ["هل هذا صحيح؟", "نعم۔"],
            ["U.S. law applies.", "So be it."],
            ["See [Is it good? Yes](https://example.org/a) first.", "Then stop."],
            ["As in [[What Is a Second Brain? A Start. Here]], ![[Why? A map.png]] and so on.", "Yes."],
            ['[![Really? Yes](a.png)](https://en.example.org/x_(y) "Why? So") is a picture.', "Yes."],
            ["The water fell by 4.1 °C.", "This supports it."],
            ["It takes 300 K.", "Ice is colder."],
            ["Oranges have Vitamin C.", "It helps."],
            ['In 1998 J. Smith and Smith, J. The elder met J. A. Ewing and L. "Rusty" Hall.', "It rained."],
        ],
        ids=lambda expected: expected[0],
    )
    def test_sentences_end_where_readers_end_them(
        self, language_tools: LanguageTools, expected: list[str]
    ) -> None:
        gap = "" if "京" in expected[0] else " "
        assert sentences(language_tools, gap.join(expected)) == expected

    def test_numbered_lines_are_no_ends(self, language_tools: LanguageTools) -> None:
        assert sentences(language_tools, "1. Mix the clay.\n2. Fire it.") == [
            "1. Mix the clay.",
            "2. Fire it.",
        ]

    @pytest.mark.parametrize(
        "text",
        [
            "- [知乎？什么意思](https://www.zhihu.com/question/1)",
            "- [[什么是笔记？怎么写。]]",
            "<https://example.org/。？a>",
        ],
    )
    def test_nothing_ends_inside_a_link(self, language_tools: LanguageTools, text: str) -> None:
        assert sentences(language_tools, f"{text}\n- 后来呢？") == [text, "- 后来呢？"]

    def test_lines_of_an_outline_end_whatever_their_length(self, language_tools: LanguageTools) -> None:
        lines = [
            "- The kiln reaches its highest temperature after about nine hours, e.g.",
            "id:: 607454a1-043d-4beb-b86e-c513a68ad47e-43d-4beb-b86e",
            "#+BEGIN_QUOTE",
            "Clay that has been fired once is porous, and takes up the glaze at once",
            "#+END_QUOTE",
        ]
        assert sentences(language_tools, "\n  ".join(lines)) == lines
        quoted = [f"> - {line}" for line in ("clay " * 12, "glaze " * 12)]
        assert sentences(language_tools, "\n".join(quoted)) == [line.strip() for line in quoted]

    def test_lines_too_long_to_be_wrapped_end(self, language_tools: LanguageTools) -> None:
        line = ("clay is fired in the kiln " * 9).strip()
        assert sentences(language_tools, f"{line}\n{line}") == [line, line]
        wrapped = "\n".join([("clay is fired in the kiln " * 4).strip()] * 50)
        assert max(map(len, sentences(language_tools, wrapped))) < 800

    def test_a_wrapped_line_goes_on_and_a_short_one_ends(self, language_tools: LanguageTools) -> None:
        wrapped = "The kiln reaches its highest temperature after about nine\nhours of firing"
        assert sentences(language_tools, wrapped) == [wrapped]
        assert sentences(language_tools, "Red clay\nWhite clay") == ["Red clay", "White clay"]

    def test_an_empty_line_always_ends(self, language_tools: LanguageTools) -> None:
        long = "The kiln reaches its highest temperature after about nine hours"
        assert sentences(language_tools, f"{long}\n\nof firing") == [long, "of firing"]

    def test_thai_ends_at_a_space_after_a_clause(self, language_tools: LanguageTools) -> None:
        clause = "สวนกุหลาบต้องการการดูแลอย่างสม่ำเสมอตลอดทั้งปีเพื่อให้ดอกไม้บานสวยงาม"
        assert sentences(language_tools, f"{clause} {clause}") == [clause, clause]
        assert len(sentences(language_tools, "สวน กุหลาบ")) == 1

    @given(st.text(alphabet="aB1 .!?。\n\t\"')]*ก京'_\x00é", max_size=300))
    @settings(max_examples=60)
    def test_spans_are_trimmed_ordered_and_leave_out_only_space(
        self, language_tools: LanguageTools, text: str
    ) -> None:
        after = 0
        for start, end in language_tools.spans(text):
            assert start < end
            assert not text[after:start].strip()
            assert text[start:end] == text[start:end].strip()
            after = end
        assert not text[after:].strip()

    @pytest.mark.parametrize("line", ["x" * 120_000, "Short one. " * 12_000, "京都" * 40_000])
    def test_long_text_loses_nothing(self, language_tools: LanguageTools, line: str) -> None:
        found = sentences(language_tools, line)
        assert "".join("".join(found).split()) == "".join(line.split())

    @pytest.mark.parametrize(
        "expected",
        [
            ["「どうして？」、と聞いた。", "答えはない。"],
            ["见《[遗忘有多快？](https://example.org/a)》。", "后来呢？"],
            ["**我们有没有想清楚？**", "- 「想清楚」是考验。"],
            ["见 https://example.org/。", "后来呢？"],
            ["注［1］。[^注。]", "完。"],
        ],
        ids=lambda expected: expected[0],
    )
    def test_a_stop_without_a_space_ends_what_does_not_go_on(
        self, language_tools: LanguageTools, expected: list[str]
    ) -> None:
        assert sentences(language_tools, "".join(expected)) == expected

    def test_spacy_is_not_imported_without_a_pipeline(self) -> None:
        script = (
            "import sys\n"
            "from quire_engine.chunking.chunker import Chunker\n"
            "from quire_engine.chunking.sentences import LanguageTools\n"
            "from quire_engine.records import FileStat\n"
            "from quire_engine.vault.parser import parse\n"
            "tools = LanguageTools()\n"
            "class Counter:\n"
            "    def count_tokens(self, texts): return [len(text.split()) for text in texts]\n"
            "note = parse('a.md', b'# Kiln\\n\\nClay is fired. It is hot.', FileStat(1, 1, 1))\n"
            "assert len(Chunker(Counter(), tools, 64).chunk(note)) == 1\n"
            "print(tools.language(note.text), 'spacy' in sys.modules)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.stdout.split() == ["None", "False"], done.stderr

    @pytest.mark.parametrize("symbols", ["'", '"', "(", "$", "%", "_", "😀", "'.", "-", "a.", "「"])
    def test_runs_of_symbols_do_not_stop_the_work(self, language_tools: LanguageTools, symbols: str) -> None:
        text = f"Before! {symbols * 40_000} After. Last."
        found = sentences(language_tools, text)
        assert found[0] == "Before!"
        assert found[-1] == "Last."

    @pytest.mark.parametrize(
        "hostile",
        [
            " " * 200_000, ".\t" * 100_000, "[^" * 100_000, "\n " * 100_000, "." * 200_000, ".*" * 100_000,
            "[a?" * 60_000, "[](" * 60_000, "[![" * 60_000, "[[a? " * 60_000, "<a: " * 60_000,
            "[a? ](b) " * 20_000,
            ".[^" * 100_000, "。" * 200_000, "ก " * 100_000, " \t" * 100_000 + "\n", "?!" * 100_000,
        ],
        ids=lambda hostile: repr(hostile[:4]),
    )  # fmt: skip
    def test_boundaries_are_found_in_linear_time(self, hostile: str) -> None:
        for text in (f"a{hostile}b", f"京{hostile}ก"):
            starts = sentence_starts(text)
            assert starts == sorted(set(starts))


@pytest.fixture(scope="session")
def english(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real pipeline with a vocabulary of its own: it ends sentences at ``;`` and knows three names."""
    import spacy

    pipeline = spacy.blank("en")
    pipeline.add_pipe("sentencizer", config={"punct_chars": [";"]})
    pipeline.add_pipe("entity_ruler").add_patterns(  # type: ignore[attr-defined]
        [
            {"label": "PERSON", "pattern": "Ada Lovelace"},
            {"label": "ORG", "pattern": [{"LOWER": "royal"}, {"LOWER": "society"}]},
        ]
    )
    folder = tmp_path_factory.mktemp("pipelines") / "english"
    pipeline.to_disk(folder)
    return folder


class TestPipelines:
    TEXT = "Ada Lovelace wrote to the Royal Society. This is one; and this is the other"

    def test_the_one_in_the_settings_cuts_the_sentences(self, english: Path) -> None:
        tools = LanguageTools({"en": str(english)})
        assert sentences(tools, self.TEXT, tools.language(self.TEXT)) == [
            "Ada Lovelace wrote to the Royal Society. This is one;",
            "and this is the other",
        ]

    def test_it_parts_no_link(self, english: Path) -> None:
        tools = LanguageTools({"en": str(english)})
        expected = [
            "This is [one; two](https://example.org/a;b) and [[three; four]];",
            "and this is the other;",
        ]
        assert sentences(tools, " ".join(expected), "en") == expected

    def test_other_languages_keep_the_rules(self, english: Path) -> None:
        tools = LanguageTools({"en": str(english)})
        german = "Das ist der erste Satz; er hat zwei Teile. Und das hier ist der zweite."
        assert tools.language(german) is None
        assert len(sentences(tools, german, tools.language(german))) == 2

    def test_finds_names_with_their_labels(self, english: Path) -> None:
        tools = LanguageTools({"en": str(english)})
        found = tools.names("Then  Ada\nLovelace\nand Ada Lovelace met the royal society.", "en")
        assert found == [Entity("Ada Lovelace", "PERSON"), Entity("royal society", "ORG")]
        assert tools.names(self.TEXT, None) == []

    def test_one_without_sentences_takes_them_from_the_rules(self, tmp_path: Path) -> None:
        import spacy

        spacy.blank("en").to_disk(tmp_path / "bare")
        tools = LanguageTools({"en": str(tmp_path / "bare")})
        assert sentences(tools, "One ends. Two ends.", "en") == ["One ends.", "Two ends."]

    @pytest.mark.parametrize(
        ("text", "language"),
        [
            ("This is about the kiln and what it was for", "en"),
            ("Das ist der Ofen und was er für uns war", "de"),
            ("这是我们的花园，他们在这里工作了很多年。", "zh"),
            ("これは私たちの庭であり、それはとても古いものです。", "ja"),
            ("", None),
            ("12 34 56", None),
            ("Kiln clay glaze wheel", None),
        ],
    )
    def test_the_language_is_told_by_its_small_words(
        self, english: Path, text: str, language: str | None
    ) -> None:
        tools = LanguageTools({code: str(english) for code in ("en", "de", "zh", "ja")})
        assert tools.language(text) == language

    def test_one_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        tools = LanguageTools({"en": str(tmp_path / "gone")})
        with pytest.raises(ConfigError, match=r"spaCy pipeline '.*gone' cannot be loaded"):
            tools.spans("This is it.", "en")

    @pytest.mark.parametrize("code", ["af", "az", "fo", "la", "lb", "grc", "xx"])
    def test_one_of_a_language_that_cannot_be_told_is_for_who_names_it(
        self, english: Path, code: str
    ) -> None:
        tools = LanguageTools({code: str(english)})
        assert tools.language("Hierdie is die tuin van ons huis, en dit is baie oud.") != code
        assert [entity.label for entity in tools.names("Die Kiln is warm.", code)] == [
            entity.label for entity in LanguageTools({"en": str(english)}).names("Die Kiln is warm.", "en")
        ]

    @pytest.mark.parametrize("code", ["klingon", "e", "", "EN", "e1", "en-gb", "en\n"])
    def test_what_is_no_language_code_is_named(self, english: Path, code: str) -> None:
        with pytest.raises(ConfigError, match=r"'chunking\.pipelines': .* is no language code") as caught:
            LanguageTools({code: str(english)})
        assert str(caught.value).isprintable()


class TestNameMatcher:
    NAMES = (
        Entity("Project Kiln", "NOTE"),
        Entity("Kiln", "NOTE"),
        Entity("京都", "NOTE"),
        Entity("plants/roses", "TAG"),
        Entity("Zoë", "NOTE"),
        Entity("X", "NOTE"),
        Entity("2024", "NOTE"),
        Entity("C++", "NOTE"),
    )

    @pytest.mark.parametrize(
        ("text", "names"),
        [
            ("The PROJECT KILN is late.", ["Project Kiln"]),
            ("A kiln (not Kilns), kiln.", ["Kiln"]),
            ("古い京都の庭", ["京都"]),
            ("京都A", ["京都"]),
            ("About #plants/roses today", ["plants/roses"]),
            ("with zoë there", ["Zoë"]),
            ("X in 2024", []),
            ("written in C++.", ["C++"]),
            ("Zoë has a kiln and Zoë sells it", ["Zoë", "Kiln"]),
            ("", []),
        ],
    )
    def test_finds_each_name_once_as_the_vault_spells_it(
        self, language_tools: LanguageTools, text: str, names: list[str]
    ) -> None:
        assert [found.text for found in NameMatcher(self.NAMES).find(text)] == names

    def test_names_come_and_go(self) -> None:
        text = "Project Kiln has a kiln, roses and a wheel"
        matcher = NameMatcher(self.NAMES)
        assert [found.text for found in matcher.find(text)] == ["Project Kiln", "Kiln"]
        kept = [name for name in self.NAMES if name.text != "Project Kiln"]
        matcher.set_names([*kept, Entity("Wheel", "NOTE"), Entity("plants/roses", "TAG")])
        assert [found.text for found in matcher.find(text)] == ["Kiln", "Wheel"]
        matcher.set_names(self.NAMES)
        assert matcher.find(text) == NameMatcher(self.NAMES).find(text)
        matcher.set_names([])
        assert matcher.find(text) == []

    def test_a_name_stays_while_one_note_still_spells_it(self) -> None:
        matcher = NameMatcher([Entity("KILN", "NOTE"), Entity("Kiln", "NOTE")])
        assert matcher.find("the kiln") == [Entity("KILN", "NOTE")]
        matcher.set_names([Entity("Kiln", "NOTE")])
        assert matcher.find("the kiln") == [Entity("Kiln", "NOTE")]

    def test_one_spelling_can_be_a_note_and_a_tag(self, language_tools: LanguageTools) -> None:
        names = [Entity("Roses", "NOTE"), Entity("roses", "TAG")]
        found = NameMatcher(names).find("Roses need sun")
        assert set(found) <= set(names)
        assert found

    def test_hostile_names_and_texts_are_only_text(self, language_tools: LanguageTools) -> None:
        names = [Entity("'" * 100_000, "NOTE"), Entity("a " * 50_000, "NOTE"), Entity("\x1b[31m", "NOTE")]
        matcher = NameMatcher([*names, Entity("Kiln", "NOTE")])
        assert Entity("Kiln", "NOTE") in matcher.find("(" * 100_000 + " kiln " + "'" * 100_000)

    @pytest.mark.parametrize("limit", ["_MOST_GONE", "_MOST_WORDS"])
    def test_names_that_come_and_go_without_end(self, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
        """The matcher is made anew now and then, and finds what it found before."""
        monkeypatch.setattr(f"quire_engine.chunking.sentences.{limit}", 3)
        matcher = NameMatcher(self.NAMES)
        for number in range(20):
            matcher.set_names([*self.NAMES, Entity(f"Kiln {number}", "TAG")])
            text = f"The kiln {number - 1} and the kiln {number}."
            expected = NameMatcher([*self.NAMES, Entity(f"Kiln {number}", "TAG")]).find(text)
            assert matcher.find(text) == expected
            assert Entity(f"Kiln {number}", "TAG") in expected
