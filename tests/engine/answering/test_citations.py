from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from quire_engine.answering.citations import CitationLedger
from quire_engine.answering.drafts import Evidence
from quire_engine.records import FileStat, Hit, Note, ScoreTrace
from quire_engine.vault.parser import parse


def reading(files: Mapping[str, str]) -> Callable[[str], Note | None]:
    """Reads notes from ``files``, as the engine reads them from the vault."""

    def read(path: str) -> Note | None:
        return parse(path, files[path].encode(), FileStat(0, 0, 0)) if path in files else None

    return read


def hit(text: str, start_line: int = 1, path: str = "Note.md") -> Hit:
    return Hit(
        rank=1,
        chunk_id=1,
        path=path,
        title="Note",
        headings=("Note",),
        start_line=start_line,
        end_line=start_line + text.count("\n"),
        text=text,
        score=1.0,
        topic=".",
        trace=ScoreTrace(()),
    )


def evidence(found: Hit, quote: str) -> Evidence:
    start = found.text.index(quote)
    return Evidence(found, start, start + len(quote), 0.9)


class TestCite:
    def test_a_quote_in_the_file_is_verified_with_its_lines(self) -> None:
        ledger = CitationLedger(reading({"Note.md": "# Note\n\nFirst.\nSecond one.\n"}))
        cited = ledger.cite(evidence(hit("First.\nSecond one.", start_line=3), "Second one."))
        assert cited is not None
        citation, new = cited
        assert new
        assert (citation.n, citation.start_line, citation.end_line) == (1, 4, 4)
        assert citation.verified
        assert citation.quote == "Second one."

    def test_a_quote_over_two_lines_spans_both(self) -> None:
        ledger = CitationLedger(reading({"Note.md": "One is\nhere. Two.\n"}))
        cited = ledger.cite(evidence(hit("One is\nhere. Two."), "One is\nhere."))
        assert cited is not None
        assert (cited[0].start_line, cited[0].end_line) == (1, 2)

    def test_a_quote_that_is_gone_is_no_citation(self) -> None:
        ledger = CitationLedger(reading({"Note.md": "Something else.\n"}))
        assert ledger.cite(evidence(hit("It was here."), "It was here.")) is None
        assert ledger.citations == ()

    def test_a_note_that_is_gone_is_no_citation(self) -> None:
        assert CitationLedger(reading({})).cite(evidence(hit("It was here."), "It was here.")) is None

    def test_one_changed_character_is_enough(self) -> None:
        ledger = CitationLedger(reading({"Note.md": "The answer is 43.\n"}))
        assert ledger.cite(evidence(hit("The answer is 42."), "The answer is 42.")) is None

    def test_of_several_occurrences_the_nearest_to_the_passage_is_meant(self) -> None:
        text = "Same.\n" + "\n" * 8 + "Same.\n" + "\n" * 8 + "Same.\n"
        ledger = CitationLedger(reading({"Note.md": text}))
        cited = ledger.cite(evidence(hit("Same.", start_line=11), "Same."))
        assert cited is not None
        assert cited[0].start_line == 10

    def test_the_same_quote_keeps_its_number(self) -> None:
        ledger = CitationLedger(reading({"Note.md": "A thing. Another.\n"}))
        passage = hit("A thing. Another.")
        first = ledger.cite(evidence(passage, "A thing."))
        second = ledger.cite(evidence(passage, "Another."))
        again = ledger.cite(evidence(passage, "A thing."))
        assert first is not None
        assert second is not None
        assert again is not None
        assert [first[0].n, second[0].n, again[0].n] == [1, 2, 1]
        assert not again[1]
        assert [c.n for c in ledger.citations] == [1, 2]

    def test_a_citation_has_the_support_of_the_sentence_that_it_is_for(self) -> None:
        ledger = CitationLedger(reading({"Note.md": "A thing. Another.\n"}))
        passage = hit("A thing. Another.")
        strong = evidence(passage, "A thing.")
        first = ledger.cite(strong)
        second = ledger.cite(replace(strong, support=0.6))
        third = ledger.cite(replace(strong, support=0.7))
        assert first is not None
        assert second is not None
        assert third is not None
        assert [first[0].support, second[0].support, third[0].support] == [0.9, 0.6, 0.7]
        assert [citation.support for citation in ledger.citations] == [0.6]

    def test_of_two_in_a_line_the_one_in_its_passage_is_meant(self) -> None:
        text = "Ada won. Bob lost. Ada won. Eve left."
        ledger = CitationLedger(reading({"Note.md": f"{text}\n"}))
        passage = hit(text)
        last = Evidence(passage, 19, 27, 0.9)
        assert ledger.cite(evidence(passage, "Ada won.")) != ledger.cite(last)
        assert [citation.n for citation in ledger.citations] == [1, 2]

    def test_a_passage_that_moved_takes_its_quote_with_it(self) -> None:
        now = "Same. But not here.\n" + "\n" * 30 + "Same. And here.\n"
        ledger = CitationLedger(reading({"Note.md": now}))
        cited = ledger.cite(evidence(hit("Same. And here.", start_line=1), "Same."))
        assert cited is not None
        assert cited[0].start_line == 32

    def test_each_file_is_read_once(self) -> None:
        reads: list[str] = []

        def read(path: str) -> Note | None:
            reads.append(path)
            return reading({"Note.md": "A thing. Another.\n"})(path)

        ledger = CitationLedger(read)
        ledger.cite(evidence(hit("A thing. Another."), "A thing."))
        ledger.cite(evidence(hit("A thing. Another."), "Another."))
        assert reads == ["Note.md"]


class TestWholeness:
    @pytest.mark.parametrize(
        ("quote", "now"),
        [
            ("Garage door code: 12", "Garage door code: 1234"),
            ("Garage door code: 12", "Garage door code: 12.5"),
            ("Garage door code: 12", "Garage door code: 12 or 13"),
            ("- Feed the cat", "- Feed the cat never again"),
            ("| Rye | 82 |", "| Rye | 82 | 17 |"),
            ("art of war.", "heart of war."),
            ("5 % of it.", "1.5 % of it."),
        ],
    )
    def test_a_quote_that_goes_on_now_says_something_else(self, quote: str, now: str) -> None:
        ledger = CitationLedger(reading({"Note.md": f"First line.\n\n{now}\n"}))
        assert ledger.cite(evidence(hit(quote, start_line=3), quote)) is None

    @pytest.mark.parametrize(
        ("quote", "now"),
        [
            ("Garage door code: 12", "Garage door code: 12 ^code"),
            ("- Feed the cat", "Before.\n\n- Feed the cat"),
            ("门的密码是十二。", "昨天说门的密码是十二。今天改了"),
        ],
    )
    def test_what_stands_around_a_whole_quote_does_not_matter(self, quote: str, now: str) -> None:
        assert CitationLedger(reading({"Note.md": now})).cite(evidence(hit(quote), quote)) is not None

    def test_a_quote_inside_a_comment_is_none(self) -> None:
        ledger = CitationLedger(reading({"Note.md": "%% It was here. %%\n\nNow not.\n"}))
        assert ledger.cite(evidence(hit("It was here."), "It was here.")) is None

    def test_a_sentence_that_is_a_property_now_is_none(self) -> None:
        ledger = CitationLedger(reading({"Note.md": "---\nold: It was here.\n---\n\nNow not.\n"}))
        assert ledger.cite(evidence(hit("It was here."), "It was here.")) is None

    def test_a_property_is_quoted_from_the_properties(self) -> None:
        ledger = CitationLedger(reading({"Note.md": "---\npages: 320\n---\n\nText.\n"}))
        properties = replace(hit("---\npages: 320\n---"), kind="properties")
        cited = ledger.cite(evidence(properties, "pages: 320"))
        assert cited is not None
        assert cited[0].start_line == 2

    def test_headings_are_those_of_the_place_now(self) -> None:
        ledger = CitationLedger(reading({"Note.md": "# New place\n\nIt is here.\n"}))
        cited = ledger.cite(evidence(hit("It is here."), "It is here."))
        assert cited is not None
        assert cited[0].headings == ("New place",)
        assert cited[0].start_line == 3
