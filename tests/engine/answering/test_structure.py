from __future__ import annotations

import pytest

from quire_engine.answering.structure import (
    is_code,
    is_heading,
    is_open_task,
    is_question,
    is_reference,
    is_table_head,
    is_task,
    leads_in,
    says_something,
    table_header,
    without_struck,
)


class TestSaysSomething:
    @pytest.mark.parametrize(
        "sentence",
        [
            "The key is gone.", "- Rye: 82 %", "> Bake it.", "| Rye | 82 % |",
            "红色的车票是乔凡尼的。", "#1 of all",
            "- tea", "1. A",
        ],
    )  # fmt: skip
    def test_what_can_be_an_answer(self, sentence: str) -> None:
        assert says_something(sentence)

    @pytest.mark.parametrize(
        "sentence",
        [
            "", "  ", "| --- | :-: |", "---", "![[Picture.png]]", "![alt](a.png)", "- ![[Picture.png]]",
            "> [!tip] Oven", "#birds #birds/urban", "id:: 6422", "CLOCK: [2024-01-01]", "...", "**",
            "- ", "- [ ]", "12. ", "- ...",
            "one two three " * 20,
        ],
    )  # fmt: skip
    def test_what_cannot(self, sentence: str) -> None:
        assert not says_something(sentence)


class TestKinds:
    @pytest.mark.parametrize("line", ["[[Swift]]", "- [[Swift|the common swift]]", "See [eggs](eggs.md)",
                                      "https://example.org/a/long/address"])  # fmt: skip
    def test_hardly_more_than_links(self, line: str) -> None:
        assert is_reference(line)

    @pytest.mark.parametrize("line", ["The [[swift]] sleeps in the air.", "No link here", ""])
    def test_statements_with_links_are_none(self, line: str) -> None:
        assert not is_reference(line)

    def test_headings(self) -> None:
        assert is_heading("## Nest")
        assert not is_heading("#nest")
        assert not is_heading("## Nest\nIt is a hole.")

    @pytest.mark.parametrize("line", ["How many?", "**How many?**", "什么颜色？", "كم بيضة؟", "(Why?)"])
    def test_questions(self, line: str) -> None:
        assert is_question(line)
        assert not leads_in(line)

    @pytest.mark.parametrize("line", ["Eggs:", "**Eggs:**", "颜色：", "It says: "])
    def test_lines_that_lead_in(self, line: str) -> None:
        assert leads_in(line)
        assert not is_question(line)

    @pytest.mark.parametrize("line", ["Three.", "At 10:30 sharp", "He asked why? Nobody knew.", ""])
    def test_statements_do_neither(self, line: str) -> None:
        assert not is_question(line)
        assert not leads_in(line)

    def test_tasks_and_open_ones(self) -> None:
        for line in ("- [ ] Count the eggs", "  * [/] Count the eggs"):
            assert is_open_task(line)
            assert is_task(line)
        assert is_task("- [x] The eggs are counted")
        assert not is_open_task("- [x] The eggs are counted")
        assert not is_task("- Count the eggs")

    def test_code(self) -> None:
        assert is_code("```python\nlay(3)\n```")
        assert is_code("> ~~~\n> lay(3)\n> ~~~")
        assert not is_code("`lay` is code within a sentence")

    def test_what_is_struck_out_is_taken_back(self) -> None:
        assert without_struck("At ~~five~~ six.").split() == ["At", "six."]
        assert without_struck("About ~5 or ~6 eggs") == "About ~5 or ~6 eggs"
        assert not says_something("- ~~Meet at five~~")
        assert says_something("Meet at ~~five~~ six.")


class TestTableHeader:
    TABLE = "Water:\n\n| Flour | Water |\n| --- | --- |\n| Rye | 82 % |\n| Spelt | 65 % |"

    @pytest.mark.parametrize("row", ["| Rye", "| Spelt"])
    def test_of_a_row_are_the_two_lines_above_all_rows(self, row: str) -> None:
        assert table_header(self.TABLE, self.TABLE.index(row)) == ["| Flour | Water |", "| --- | --- |"]

    @pytest.mark.parametrize("start", [0, TABLE.index("| Flour")])
    def test_of_anything_else_there_is_none(self, start: int) -> None:
        assert table_header(self.TABLE, start) == []

    def test_of_a_cut_table_whose_header_is_elsewhere_there_is_none(self) -> None:
        assert table_header("| Rye | 82 % |\n| Spelt | 65 % |", len("| Rye | 82 % |\n")) == []

    def test_a_block_quote_around_the_table_is_taken_off(self) -> None:
        quoted = "\n".join(f"> {line}" for line in self.TABLE.splitlines()[2:])
        assert table_header(quoted, quoted.index("> | Spelt")) == ["| Flour | Water |", "| --- | --- |"]

    def test_the_row_above_the_rule_is_the_head(self) -> None:
        assert is_table_head(self.TABLE, self.TABLE.index("\n| ---"))
        assert not is_table_head(self.TABLE, self.TABLE.index("\n| Spelt"))
        assert not is_table_head(self.TABLE, len(self.TABLE))
