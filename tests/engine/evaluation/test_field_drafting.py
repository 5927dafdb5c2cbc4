"""Questions from tables and properties."""

from __future__ import annotations

import pytest

from quire_engine.evaluation.draft import Draft
from quire_engine.evaluation.drafting import draft_questions
from quire_engine.records import FileStat
from quire_engine.vault.parser import parse


def drafts(text: str, path: str = "Moby-Dick.md") -> list[Draft]:
    return draft_questions([parse(path, text.encode(), FileStat(len(text), 0, 1))])


def asked(text: str, path: str = "Moby-Dick.md") -> list[tuple[str, str, int]]:
    return [(draft.question, draft.answer, draft.line) for draft in drafts(text, path)]


class TestTables:
    def test_each_row_is_asked_for_another_column(self) -> None:
        table = (
            "# Sites\n\n| Code | Building | Boxes | Height | Faces |\n| --- | --- | ---: | ---: | --- |\n"
            "| BT | [[Brannoc's Tower]] | 18 | 21 m | north |\n| TM | Tannery Mill | 16 | 14 m | east |\n"
            "| AS | Alder Street School | 16 | 9 m | south |\n| | **All** | **50** | | |\n"
        )
        assert asked(table, "Sites.md") == [
            ("What is the code of Brannoc's Tower?", "BT", 5),
            ("How many boxes does Tannery Mill have?", "16", 6),
            ("What is the height of Alder Street School?", "9 m", 7),
        ]
        assert drafts(table, "Sites.md")[2].sentence == "AS Alder Street School 16 9 m south"

    def test_in_german_by_the_name_of_the_column(self) -> None:
        head = "| Turm | Höhe | Farbe |\n| --- | --- | --- |\n"
        table = f"{head}| Alter Turm | 21 m | rot |\n| Neuer Turm | 30 m | blau |\n"
        assert asked(table) == [
            ("Wie hoch ist Alter Turm?", "21 m", 3),
            ("Was ist die Farbe von Neuer Turm?", "blau", 4),
        ]

    @pytest.mark.parametrize(
        "table",
        [
            "| Item | Spent |\n| --- | --- |\n| Night Train | 186.40 |\n",  # no noun
            "| Thing | Height |\n| --- | --- |\n| all of it | 20 m |\n",  # no name
            "| Site | Height |\n| --- | --- |\n| Old Mill | |\n| New Mill | tbd |\n| Far Mill | 9 |\n",
            "| Site | Height |\n| --- | --- |\n| Old Mill | 20 m |\n| Old Mill | 30 m |\n",  # which of them?
            "| Site | Height |\n| --- | --- |\n| Old Mill |\n",
            "| Site | Height |\n",
        ],
    )
    def test_what_would_read_clumsily_is_left_out(self, table: str) -> None:
        assert not drafts(table)


class TestProperties:
    def test_are_asked_for_by_name_with_their_line(self) -> None:
        text = (
            '---\nauthor: "[[Herman Melville]]"\nyear: 1851\ntags: [book]\nrating: 5\ndone: true\n'
            "language: [en, fr]\n---\n\nA whale.\n"
        )
        assert asked(text) == [
            ("Who is the author of Moby-Dick?", "Herman Melville", 2),
            ("From which year is Moby-Dick?", "1851", 3),
        ]

    @pytest.mark.parametrize("path", ["2025-06-24.md", "notes on the whale.md"])
    def test_only_of_notes_whose_title_is_a_name(self, path: str) -> None:
        assert not drafts("---\nyear: 1851\n---\n\nA whale.\n", path)
