"""Passages of real notes, counted with the embedding model's own tokenizer."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire_engine.chunking.chunker import (
    Chunker,
    embed_text,
    embed_text_hash,
    has_own_properties,
    heading_context,
)
from quire_engine.chunking.cuts import Unit, partition
from quire_engine.chunking.sentences import LanguageTools
from quire_engine.inference.embedder import SentenceEmbedder
from quire_engine.markup import without_block_id
from quire_engine.records import Block, BlockKind, Chunk, FileStat, Note
from quire_engine.vault.parser import parse

STAT = FileStat(size=1, mtime_ns=1, inode=1)
SLACK = 8
"""Tokens beyond the budget that cannot be foreseen: units are counted one by one, and a mark that is cut in
two (emphasis over two sentences, a link in an endless line) is syntax in one reading, text in the other."""

GARDEN = (
    "Roses want sun and a deep, loose soil. Prune the roses in March before the buds open. "
    "Cut every rose stem above a bud that faces outwards. Old rose wood is removed at the base. "
    "Feed the roses with compost after pruning. Mulch keeps the soil around the roses moist. "
)
ORBITS = (
    "A satellite in low orbit circles the planet in ninety minutes. The orbit decays because of thin air. "
    "Engines raise the orbit of the satellite again. Fuel limits how long a satellite keeps its orbit. "
    "Ground stations track every satellite by radar. Dead satellites burn when their orbit has decayed. "
)


def note(text: str, path: str = "folder/note.md") -> Note:
    return parse(path, text.encode("utf-8"), STAT)


@pytest.fixture(scope="session")
def chunker(embedder: SentenceEmbedder, language_tools: LanguageTools) -> Chunker:
    return Chunker(embedder, language_tools, 256)


@pytest.fixture(scope="session")
def small(embedder: SentenceEmbedder, language_tools: LanguageTools) -> Chunker:
    """A budget that short notes exceed."""
    return Chunker(embedder, language_tools, 64)


WORDS = st.sampled_from(
    "kiln glaze fire clay roses compost 3.5 dr. e.g. x=1 café 京都の庭 สวนกุหลาบ **bold** *it* `code` ==m== "
    "[[Note|shown]] [t](u.md) %%c%% #tag $x^2$ [^1] <b> | \\* example.org/a_b".split()
)
WORD_RUNS = st.lists(WORDS, min_size=1, max_size=30).map(" ".join)
PROSE = st.lists(
    st.tuples(WORD_RUNS, st.sampled_from([". ", "! ", "。", "\n", " "])).map("".join), min_size=1, max_size=14
).map("".join)
LINES = st.integers(1, 60)
BLOCKS = st.one_of(
    PROSE,
    PROSE.map(lambda text: text.strip() + " ^block-1"),
    st.tuples(st.integers(1, 6), st.sampled_from(["Kiln", "Roses in *March*", "京都"])).map(
        lambda level: f"{'#' * level[0]} {level[1]}"
    ),
    LINES.map(lambda n: "```py\n" + "".join(f"y = {i} * f(x)\n" for i in range(n)) + "```"),
    LINES.map(lambda n: "| a | b |\n|---|---|\n" + "".join(f"| {i} | row {i} |\n" for i in range(n))),
    st.lists(st.tuples(st.integers(0, 2), WORD_RUNS), min_size=1, max_size=8).map(
        lambda items: "\n".join("  " * depth + "- " + text for depth, text in items)
    ),
    PROSE.map(lambda text: "> " + text.replace("\n", "\n> ")),
    PROSE.map(lambda text: "> [!note] Title\n> " + text.replace("\n", "\n> ")),
    st.integers(1, 120).map(lambda n: "$$\n" + "x^2 " * n + "\n$$"),
    st.just("%%\na hidden remark\n%%"),
    st.text(max_size=40),
)
NOTES = st.tuples(st.sampled_from(["", "---\nstatus: done\n---\n"]), st.lists(BLOCKS, max_size=10)).map(
    lambda parts: parts[0] + "\n\n".join(parts[1])
)


def assert_exact(note: Note, chunks: list[Chunk]) -> None:
    assert chunks
    assert [chunk.ordinal for chunk in chunks] == list(range(len(chunks)))
    for chunk in chunks:
        span = chunk.span
        assert note.text[span.start : span.end] == chunk.text
        assert span.start_line == note.text.count("\n", 0, span.start) + 1
        assert span.end_line == note.text.count("\n", 0, max(span.start, span.end - 1)) + 1
        after = 0
        for start, end in chunk.sentences:
            assert after <= start < end <= len(chunk.text)
            after = end


def body(note: Note, block: Block) -> str:
    return without_block_id(note.text[block.span.start : block.span.end])


class TestAnyNote:
    @given(NOTES)
    @settings(max_examples=120)
    def test_every_promise_holds(self, chunker: Chunker, embedder: SentenceEmbedder, text: str) -> None:
        parsed = note(text)
        chunks = chunker.chunk(parsed)
        assert_exact(parsed, chunks)
        texts = [chunk for chunk in chunks if chunk.kind == "text"]

        # nothing is lost
        covered = bytearray(len(parsed.text))
        for chunk in chunks:
            covered[chunk.span.start : chunk.span.end] = b"\1" * (chunk.span.end - chunk.span.start)
        prose = [block for block in parsed.blocks if block.kind is not BlockKind.HEADING]
        within_paths = {name for chunk in texts for name in chunk.headings}
        for block in parsed.blocks:
            if block.kind is BlockKind.PROPERTIES:
                continue
            if block.kind is BlockKind.HEADING and block.headings[-1:] and block.headings[-1] in within_paths:
                continue
            for offset, character in enumerate(body(parsed, block), start=block.span.start):
                hidden = any(comment.start <= offset < comment.end for comment in parsed.comments)
                assert covered[offset] or hidden or not character.isalnum()

        # nothing is longer than what the model reads
        counts = embedder.count_tokens([embed_text(chunk.headings, chunk.text) for chunk in texts])
        assert all(count + 2 <= 256 + SLACK for count in counts)

        # structure is not cut unless it must be
        whole = (BlockKind.CODE, BlockKind.TABLE, BlockKind.LIST_ITEM, BlockKind.MATH)
        for block in [block for block in prose if block.kind in whole]:
            if embedder.count_tokens([parsed.text[block.span.start : block.span.end]])[0] > 180:
                continue
            around = [c for c in texts if c.span.start < block.span.end and block.span.start < c.span.end]
            assert len(around) == 1

        # a section's passages share no more than a sentence, and sections nothing
        for before, after in pairwise(texts):
            shared = before.span.end - after.span.start
            if shared > 0:
                assert before.headings == after.headings
                hidden = any(c.start < before.span.end and after.span.start < c.end for c in parsed.comments)
                assert hidden or after.sentences[0] == (0, shared)

        # identity
        assert len({chunk.id for chunk in chunks}) == len(chunks)
        assert all(0 <= chunk.id < 2**63 for chunk in chunks)
        assert chunker.chunk(parsed) == chunks

    @pytest.mark.parametrize(
        "text",
        [
            "", " \n\t\n", "# Only a heading", "---\na: b\n---\n", "%%\nonly a comment\n%%", "^id", "```",
            "- ",
            "a\x00\x1b[31m", "\ufeff", "|" * 5000, "x" * 20_000, "京" * 5000, "ก" * 5000, "👍" * 3000,
            "- " * 3000,
            "> " * 3000, "a\n" * 5000, "#" * 5000, "[[" * 5000, "%%" * 5001,
            "```\n" + "x" * 20_000, "\u2028" * 500,
        ],
        ids=lambda text: repr(text[:6]),
    )  # fmt: skip
    def test_hostile_and_empty_notes_have_exact_passages(self, chunker: Chunker, text: str) -> None:
        parsed = note(text)
        assert_exact(parsed, chunker.chunk(parsed))


class TestStructure:
    def test_a_short_section_is_one_passage(self, chunker: Chunker) -> None:
        parsed = note("# Kiln\n\nClay is fired.\n\n- one\n- two\n\n> quote\n\n```\ncode\n```\n")
        (chunk,) = chunker.chunk(parsed)
        assert chunk.headings == ("Kiln",)
        assert chunk.text == parsed.text[8:-1]
        assert (chunk.span.start_line, chunk.span.end_line) == (3, 12)

    def test_sections_are_never_mixed(self, chunker: Chunker) -> None:
        chunks = chunker.chunk(note("before\n\n# A\n\none\n\n## B\n\ntwo\n\n# C\n\nthree\n"))
        assert [(chunk.headings, chunk.text) for chunk in chunks] == [
            ((), "before"),
            (("A",), "one"),
            (("A", "B"), "two"),
            (("C",), "three"),
        ]

    def test_a_long_list_is_cut_between_items(self, small: Chunker) -> None:
        items = [f"- the item number {n} speaks of clay and of fire in the kiln" for n in range(12)]
        chunks = small.chunk(note("\n".join(items)))
        assert len(chunks) > 2
        assert "\n".join(chunk.text for chunk in chunks) == "\n".join(items)

    def test_a_code_block_that_fits_stays_whole(self, small: Chunker) -> None:
        code = "```py\n" + "x = 1\n" * 10 + "```"
        chunks = small.chunk(note(f"{GARDEN}\n\n{code}\n\n{ORBITS}"))
        assert sum(code in chunk.text for chunk in chunks) == 1

    def test_a_code_block_beyond_the_budget_is_cut_at_lines(self, small: Chunker) -> None:
        lines = ["```py", *(f"value_{n} = compute(number={n})" for n in range(60)), "```"]
        chunks = small.chunk(note("\n".join(lines) + "\n\nText after the code.\n"))
        assert "\n".join(chunk.text for chunk in chunks[:-1]) == "\n".join(lines)
        assert chunks[-1].text == "Text after the code."

    def test_a_table_beyond_the_budget_is_cut_at_rows_and_keeps_its_header(self, small: Chunker) -> None:
        rows = [
            "| Tool | Use |", "|---|---|",
            *(f"| the saw number {n} | thick stems of roses |" for n in range(40)),
        ]  # fmt: skip
        chunks = small.chunk(note("\n".join(rows)))
        assert len(chunks) > 2
        assert "\n".join(chunk.text for chunk in chunks) == "\n".join(rows)

    def test_blocks_with_an_id_are_never_mixed(self, chunker: Chunker) -> None:
        chunks = chunker.chunk(note("One.\n\nTwo. ^second\n\nThree.\n\nFour.\n\n- Five ^fifth\n- Six\n"))
        assert [chunk.text for chunk in chunks] == [
            "One.",
            "Two.",
            "Three.\n\nFour.",
            "- Five ^fifth",
            "- Six",
        ]

    def test_sentences_are_those_of_the_prose(self, chunker: Chunker) -> None:
        (chunk,) = chunker.chunk(note("One ends. Two %%hidden. Still hidden.%% ends.\n\n```\ncode\n```"))
        found = [chunk.text[start:end] for start, end in chunk.sentences]
        assert found[0] == "One ends."
        assert not any("hidden" in sentence for sentence in found)

    def test_a_list_item_beyond_the_budget_keeps_its_sentences(self, small: Chunker) -> None:
        said = GARDEN.strip().split(". ")
        chunks = small.chunk(note(f"- {GARDEN}{ORBITS}"))
        found = [chunk.text[start:end] for chunk in chunks for start, end in chunk.sentences]
        assert len(chunks) > 1
        assert found[:2] == [f"- {said[0]}.", f"{said[1]}."]
        assert max(map(len, found)) < 120

    def test_an_outline_that_is_code_to_markdown_has_sentences(self, chunker: Chunker) -> None:
        (chunk,) = chunker.chunk(note("## Usage\n\t- Type it.\n\t  id:: 12\n\t\t- Press a key. Then wait.\n"))
        assert [chunk.text[start:end] for start, end in chunk.sentences] == [
            "- Type it.",
            "id:: 12",
            "- Press a key.",
            "Then wait.",
        ]

    def test_an_endless_word_is_cut_anywhere(self, small: Chunker, embedder: SentenceEmbedder) -> None:
        parsed = note("abc" * 3000)
        chunks = small.chunk(parsed)
        assert "".join(chunk.text for chunk in chunks) == parsed.text
        assert max(embedder.count_tokens([chunk.text for chunk in chunks])) <= 64

    def test_a_note_without_passages_can_still_be_found(self, chunker: Chunker) -> None:
        (heading,) = chunker.chunk(note("# Kiln\n\n## Glaze\n"))
        assert (heading.kind, heading.text) == ("text", "# Kiln\n\n## Glaze")
        (empty,) = chunker.chunk(note(""))
        assert (empty.kind, empty.text, empty.embed_hash) == ("properties", "", None)
        (front,) = chunker.chunk(note("---\ntags: [x]\n---\n"))
        assert (front.kind, front.text) == ("properties", "---\ntags: [x]\n---")


class TestHeadings:
    TEXT = "# Trip\n\nWe left at noon.\n\n## Packing\n\n### Boots\n\n## Return\n\nAt six.\n\n# Someday\n"

    def test_those_over_nothing_are_found_by_their_words(self, chunker: Chunker) -> None:
        chunks = chunker.chunk(note(self.TEXT))
        assert [(chunk.text, chunk.headings) for chunk in chunks] == [
            ("We left at noon.", ("Trip",)),
            ("## Packing\n\n### Boots", ("Trip",)),
            ("At six.", ("Trip", "Return")),
            ("# Someday", ()),
        ]
        bare = [chunks[1], chunks[3]]
        assert all(chunk.kind == "text" and not chunk.embed_hash and not chunk.sentences for chunk in bare)

    def test_text_below_one_gives_its_passage_another_identity(self, chunker: Chunker) -> None:
        alone, *_ = chunker.chunk(note("# Someday\n"))
        beside = chunker.chunk(note("Now.\n\n# Someday\n"))[1]
        assert alone.text == beside.text
        assert alone.embed_hash
        assert alone.id != beside.id

    def test_a_note_of_nothing_else_is_cut_to_the_budget(self, small: Chunker) -> None:
        chunks = small.chunk(note("".join(f"## Plan number {n} of the garden\n\n" for n in range(99))))
        assert len(chunks) > 9
        assert all(chunk.tokens <= 64 and chunk.embed_hash and not chunk.sentences for chunk in chunks)


class TestHostile:
    """What these cost is bounded; where it grew with the square of the length, they would not end."""

    @pytest.mark.parametrize(
        "text",
        [
            "a? " * 300_000, "a\n" * 90_000, "- a\n" * 60_000, "a\n\n" * 60_000, "\U00011f04\n" * 60_000,
            "a\n\n%% b %%\n\n" * 20_000, "# a\n" * 40_000, "A" * 2_000_000, "a\u2019" * 300_000,
        ],
        ids=str.__len__,
    )  # fmt: skip
    def test_of_many_small_pieces_exact_passages_are_made(self, chunker: Chunker, text: str) -> None:
        parsed = note(text)
        assert_exact(parsed, chunker.chunk(parsed))

    @pytest.mark.parametrize(
        "text",
        [
            "|" * 500_000, "a" + " " * 500_000 + "b", "```\na" + "\n" * 500_000 + "b\n```", "# a\n" * 90_000,
            "".join("  " * depth + "- a\n" for depth in range(600)), "> " * 200_000 + "a", "` " * 200_000,
            "---\nx: " + "y" * 500_000 + "\n---\n",
        ],
        ids=str.__len__,
    )  # fmt: skip
    def test_no_passage_is_long_because_its_text_is_hardly_any(self, chunker: Chunker, text: str) -> None:
        parsed = note(text)
        chunks = chunker.chunk(parsed)
        assert_exact(parsed, chunks)
        assert max(len(chunk.text) for chunk in chunks) <= 1 << 16

    def test_sentences_of_a_long_note_are_joined_where_they_are_next_to_nothing(
        self, chunker: Chunker
    ) -> None:
        chunks = chunker.chunk(note("A? " * 400_000))
        assert sum(len(chunk.sentences) for chunk in chunks) < 20_000
        prose = "The kiln was fired at dawn, and it cooled until noon. "
        chunks = chunker.chunk(note(prose * 24_000))
        inner = [s for chunk in chunks for s in chunk.sentences if chunk.text[slice(*s)] == prose.strip()]
        assert len(inner) >= 24_000

    def test_hidden_text_gives_no_sentence(self, chunker: Chunker) -> None:
        [chunk] = chunker.chunk(note("One is seen. %% Two is not. %%\n\n<!-- Four not. -->\n\nFive is."))
        seen = " ".join(chunk.text[start:end] for start, end in chunk.sentences)
        assert "One" in seen
        assert "Five" in seen
        assert "Two" not in seen
        assert "Four" not in seen


class TestProperties:
    @pytest.mark.parametrize(
        ("front", "own"),
        [
            ("status: done", True),
            ("authors: [Ada, Grace]", True),
            ("Title: x\ntags: [a]\naliases: [b]\ndate: 2024-01-01", False),
            ("rating: 5", False),
            ("status:\nlist: []", False),
        ],
    )
    def test_only_those_that_say_something_are_a_passage(
        self, chunker: Chunker, front: str, own: bool
    ) -> None:
        parsed = note(f"---\n{front}\n---\nBody.\n")
        assert has_own_properties(parsed) is own
        chunks = chunker.chunk(parsed)
        assert [chunk.kind for chunk in chunks] == ["text"] + ["properties"] * own
        assert all(chunk.embed_hash is None for chunk in chunks if chunk.kind == "properties")


class TestCuts:
    def test_a_section_is_cut_where_its_subject_changes(
        self, embedder: SentenceEmbedder, language_tools: LanguageTools
    ) -> None:
        first, second = Chunker(embedder, language_tools, 96).chunk(note(GARDEN + ORBITS))
        assert first.text == GARDEN.strip()
        repeated = second.sentences[0]
        assert second.text[slice(*repeated)] == "Mulch keeps the soil around the roses moist."
        assert second.text[repeated[1] :].strip() == ORBITS.strip()

    def test_the_subject_counts_more_than_even_passages(
        self, embedder: SentenceEmbedder, language_tools: LanguageTools
    ) -> None:
        start = ". ".join(GARDEN.split(". ")[:3]) + "."
        chunks = Chunker(embedder, language_tools, 144).chunk(note(f"{start}\n\n{ORBITS}\n\n{ORBITS}"))
        assert chunks[0].text == start

    def test_the_overlap_is_one_sentence_of_the_same_section(self, small: Chunker) -> None:
        parsed = note(f"# One\n\n{GARDEN}\n\n# Two\n\n{ORBITS}")
        chunks = small.chunk(parsed)
        overlaps = 0
        for before, after in pairwise(chunks):
            shared = parsed.text[after.span.start : before.span.end]
            if before.headings != after.headings:
                assert not shared
            elif shared:
                overlaps += 1
                start, end = after.sentences[0]
                assert after.text[start:end] == shared
                assert before.text.endswith(shared)
        assert overlaps > 0

    def test_text_without_spaces_is_cut_at_its_sentences(self, small: Chunker) -> None:
        sentence = "京都の古い庭には桜の木があります。"
        parsed = note(sentence * 12)
        chunks = small.chunk(parsed)
        assert len(chunks) > 2
        assert all(chunk.text.startswith("京都") and chunk.text.endswith("。") for chunk in chunks)

    def test_thai_is_cut_at_its_spaces(self, small: Chunker) -> None:
        clause = "สวนกุหลาบต้องการการดูแลอย่างสม่ำเสมอตลอดทั้งปีเพื่อให้ดอกไม้บานสวยงาม"
        chunks = small.chunk(note(" ".join([clause] * 30)))
        assert max(len(chunk.text) for chunk in chunks) < 600
        assert all(chunk.text.startswith("สวน") for chunk in chunks)

    def test_a_statistical_pipeline_decides_where_it_is_configured(
        self, embedder: SentenceEmbedder, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        import spacy

        pipeline = spacy.blank("en")
        pipeline.add_pipe("sentencizer", config={"punct_chars": [";"]})
        folder = tmp_path_factory.mktemp("pipeline")
        pipeline.to_disk(folder)
        chunker = Chunker(embedder, LanguageTools({"en": str(folder)}), 256)
        (chunk,) = chunker.chunk(note("This is the first. It goes on; and this is the second"))
        assert [chunk.text[start:end] for start, end in chunk.sentences] == [
            "This is the first. It goes on;",
            "and this is the second",
        ]


class TestManyUnits:
    def test_none_exceeds_the_limit_and_hardly_any_is_small(self) -> None:
        text = "".join(f"word {n}\n" for n in range(9_000))
        spans = [(match.start(), match.end()) for match in re.finditer(r"[^\n]+", text)]
        units = [
            Unit(s, e, [(s, e)], tokens=1 + n % 7 * (n % 300 == 0) * 9) for n, (s, e) in enumerate(spans)
        ]
        ranges = list(partition(text, units, 64))
        assert [first for first, _ in ranges[1:]] == [last for _, last in ranges[:-1]]
        assert (ranges[0][0], ranges[-1][1]) == (0, len(units))
        sizes = [sum(unit.tokens for unit in units[first:last]) for first, last in ranges]
        assert max(sizes) <= 64
        assert sum(sizes) / len(sizes) > 32


class TestIdentity:
    TEXT = (
        f"---\nstatus: open\n---\n# Garden\n\n{GARDEN}\n\nSame words.\n\n"
        "# Sky\n\nSame words.\n\nSame words.\n"
    )

    def test_equal_passages_of_a_note_have_ids_of_their_own(self, small: Chunker) -> None:
        chunks = small.chunk(note("Same. ^a\n\nSame. ^b\n\nSame. ^c\n"))
        assert len({chunk.id for chunk in chunks}) == 3
        assert len({chunk.embed_hash for chunk in chunks}) == 1

    def test_a_rename_keeps_what_is_embedded_and_changes_ids(self, small: Chunker) -> None:
        here = small.chunk(note(self.TEXT, "a.md"))
        there = small.chunk(note(self.TEXT, "deep/b.md"))
        assert [chunk.embed_hash for chunk in here] == [chunk.embed_hash for chunk in there]
        assert not {chunk.id for chunk in here} & {chunk.id for chunk in there}

    def test_new_properties_change_no_text_passage(self, small: Chunker) -> None:
        before = small.chunk(note(self.TEXT))
        after = small.chunk(note(self.TEXT.replace("status: open", "status: done\ntags: [x]")))
        assert [c.id for c in before if c.kind == "text"] == [c.id for c in after if c.kind == "text"]
        assert [c.id for c in before if c.kind != "text"] != [c.id for c in after if c.kind != "text"]

    def test_a_passage_keeps_its_id_when_it_moves(self, small: Chunker) -> None:
        moved = small.chunk(note("One. ^a\n\nTwo. ^b\n"))
        assert {c.id for c in moved} == {c.id for c in small.chunk(note("Two. ^b\n\nOne. ^a\n"))}

    def test_another_heading_is_another_vector(self, small: Chunker) -> None:
        (kiln,) = small.chunk(note("# Kiln\n\nHot.\n"))
        (oven,) = small.chunk(note("# Oven\n\nHot.\n"))
        assert kiln.embed_hash != oven.embed_hash
        assert kiln.embed_hash == embed_text_hash(("Kiln",), "Hot.")


class TestEmbedText:
    def test_is_the_heading_path_and_the_plain_words(self) -> None:
        text = embed_text(("Garden", "Roses"), "Prune **hard**, see [[Tools|saw]].")
        assert text == heading_context(("Garden", "Roses")) + "Prune hard, see saw."
        assert "Garden > Roses" in text
        assert embed_text((), "Prune.") == "Prune."

    def test_an_endless_heading_leaves_the_passage_its_room(
        self, chunker: Chunker, embedder: SentenceEmbedder
    ) -> None:
        headings = ("An outer heading", "words of a heading that never ends " * 40)
        first, second = embed_text(headings, GARDEN), embed_text(headings, ORBITS)
        assert max(embedder.count_tokens([first, second])) + 2 <= embedder.max_tokens
        chunks = chunker.chunk(note(f"# {headings[1]}\n\n{GARDEN * 3}\n\n{ORBITS * 3}"))
        counts = embedder.count_tokens([embed_text(chunk.headings, chunk.text) for chunk in chunks])
        assert max(counts) + 2 <= embedder.max_tokens + SLACK

    def test_tokens_are_those_of_what_is_embedded(self, chunker: Chunker, embedder: SentenceEmbedder) -> None:
        (chunk,) = chunker.chunk(note(f"# Garden\n\n{GARDEN}"))
        (counted,) = embedder.count_tokens([embed_text(chunk.headings, chunk.text)])
        assert chunk.tokens == counted
