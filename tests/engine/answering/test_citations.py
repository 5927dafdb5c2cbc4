from __future__ import annotations

from quire_engine.answering.citations import CitationLedger
from quire_engine.answering.drafts import Evidence
from quire_engine.records import Hit, ScoreTrace


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
        ledger = CitationLedger({"Note.md": "# Note\n\nFirst.\nSecond one.\n"}.get)
        cited = ledger.cite(evidence(hit("First.\nSecond one.", start_line=3), "Second one."))
        assert cited is not None
        citation, new = cited
        assert new
        assert (citation.n, citation.start_line, citation.end_line) == (1, 4, 4)
        assert citation.verified
        assert citation.quote == "Second one."

    def test_a_quote_over_two_lines_spans_both(self) -> None:
        ledger = CitationLedger({"Note.md": "One is\nhere. Two.\n"}.get)
        cited = ledger.cite(evidence(hit("One is\nhere. Two."), "One is\nhere."))
        assert cited is not None
        assert (cited[0].start_line, cited[0].end_line) == (1, 2)

    def test_a_quote_that_is_gone_is_no_citation(self) -> None:
        ledger = CitationLedger({"Note.md": "Something else.\n"}.get)
        assert ledger.cite(evidence(hit("It was here."), "It was here.")) is None
        assert ledger.citations == ()

    def test_a_note_that_is_gone_is_no_citation(self) -> None:
        assert CitationLedger({}.get).cite(evidence(hit("It was here."), "It was here.")) is None

    def test_one_changed_character_is_enough(self) -> None:
        ledger = CitationLedger({"Note.md": "The answer is 43.\n"}.get)
        assert ledger.cite(evidence(hit("The answer is 42."), "The answer is 42.")) is None

    def test_of_several_occurrences_the_nearest_to_the_passage_is_meant(self) -> None:
        text = "Same.\n" + "\n" * 8 + "Same.\n" + "\n" * 8 + "Same.\n"
        ledger = CitationLedger({"Note.md": text}.get)
        cited = ledger.cite(evidence(hit("Same.", start_line=11), "Same."))
        assert cited is not None
        assert cited[0].start_line == 10

    def test_the_same_quote_keeps_its_number(self) -> None:
        ledger = CitationLedger({"Note.md": "A thing. Another.\n"}.get)
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

    def test_each_file_is_read_once(self) -> None:
        reads: list[str] = []

        def read(path: str) -> str:
            reads.append(path)
            return "A thing. Another.\n"

        ledger = CitationLedger(read)
        ledger.cite(evidence(hit("A thing. Another."), "A thing."))
        ledger.cite(evidence(hit("A thing. Another."), "Another."))
        assert reads == ["Note.md"]
