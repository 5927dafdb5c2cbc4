"""Questions from sentences."""

from __future__ import annotations

import pytest

from quire_engine.evaluation.drafting import Draft, draft_questions
from quire_engine.evaluation.matching import holds
from quire_engine.records import FileStat, Note
from quire_engine.vault.parser import parse


def note(text: str, path: str = "Swift Project.md") -> Note:
    return parse(path, text.encode(), FileStat(len(text), 0, 1))


def drafts(text: str, path: str = "Swift Project.md") -> list[Draft]:
    return draft_questions([note(text, path)])


class TestSentences:
    @pytest.mark.parametrize(
        ("sentence", "question", "answer"),
        [
            ("The swift is a small black bird that screams.", "What is the swift?", "a small black bird"),
            ("**Blue Water** is the company of the town.", "What is Blue Water?", "the company of the town"),
            ("Der Swift ist ein Vogel mit Flügeln.", "Was ist der Swift?", "ein Vogel mit Flügeln"),
            ("The Swift trust was founded in May 1998.", "When was the Swift trust founded?", "May 1998"),
            ("The project began on 14 March 2023.", "When did the project begin?", "14 March 2023"),
            ("The project was planned by Ines Valcourt.", "Who was the project planned by?", "Ines Valcourt"),
            ("The swift tower has 62 boxes.", "How many boxes does the swift tower have?", "62"),
            ("There are 62 boxes in the swift town.", "How many boxes are there in the swift town?", "62"),
            ("The project is kept in the blue folder.", "Where is the project kept?", "in the blue folder"),
            ("To see your boxes, open the town map.", "How do I see my boxes?", "open the town map"),
            ("The swift tower is 21 m high.", "How high is the swift tower?", "21 m"),
            ("The project cost about £164 in all.", "How much did the project cost?", "£164"),
            ("Der Swift wurde am 3. Mai 1998 entdeckt.", "Wann wurde der Swift entdeckt?", "3. Mai 1998"),
            ("Das Swift-Haus wurde 1998 neu gebaut.", "Wann wurde das Swift-Haus neu gebaut?", "1998"),
            ("Der Swift-Turm hat rund 62 Kästen am Dach.", "Wie viele Kästen hat der Swift-Turm?", "62"),
            ("Der Swift-Turm ist 21 Meter hoch.", "Wie hoch ist der Swift-Turm?", "21 Meter"),
            ("Das Swift-Haus kostet 12 Euro am Tag.", "Wie viel kostet das Swift-Haus?", "12 Euro"),
            ("The swift is one of the birds of towns.", None, None),
            ("The swift is the usual culprit of noise.", None, None),
            ("The swift is the cheapest way to say that.", None, None),
            ("Swift project --in is a sort of culprit.", None, None),
            ("Outermost are the letters of a captain.", None, None),
            ("To make something of boxes, use some wood.", None, None),
            ("To see your boxes, you should try the map.", None, None),
            ("To see your boxes, add the following lines.", None, None),
            ("Each swift box has about 12 small holes.", None, None),
            ("It is a bird that sleeps in the air.", None, None),
            ("What we did was a test of the boxes.", None, None),
            ("See https://example.org, it is a page of ours.", None, None),
        ],
    )  # fmt: skip
    def test_are_turned_round_where_their_form_is_clear(
        self, sentence: str, question: str | None, answer: str | None
    ) -> None:
        found = drafts(f"# Swift Project\n\n{sentence}\n")
        assert [(d.question, d.answer) for d in found] == ([(question, answer)] if question else [])
        for draft in found:
            assert holds(sentence, [draft.answer])

    def test_what_needs_its_note_is_given_the_title(self) -> None:
        (found,) = drafts("The battery lasts 14 months in the cold.\n", "Sensors.md")
        assert (found.question, found.worth) == ("How many months does the battery last (Sensors)?", 1)

    def test_place_and_block_id_are_told(self) -> None:
        (found,) = drafts("# Swift Project\n\nMore.\n\nThe project is a test of new boxes. ^aim\n")
        assert (found.path, found.line, found.block) == ("Swift Project.md", 5, "aim")
        assert found.sentence == "The project is a test of new boxes."


class TestHeadings:
    def test_one_that_asks_is_a_question_whose_answer_is_a_place(self) -> None:
        found = drafts(
            "# Swift Project\n\n## Do the same birds come back?\n\n"
            "No bird is ringed so far, so nobody knows.\n\n"
            "## Next steps\n\nWe look for somebody with a ladder and time.\n\n"
            "## Is it the heat or the food?\n\nHot days are dry days with fewer insects.\n\n"
            "## Why do the birds scream?\n\nNobody knows for sure.\n\nSome say for pleasure.\n"
        )
        assert [(d.question, d.answer, d.line, d.rule) for d in found] == [
            ("Do the same birds come back?", "", 5, "heading")
        ]


class TestWhatIsLeftOut:
    def test_code_comments_embeds_and_templates(self) -> None:
        said = "The project is a test of new boxes."
        assert not drafts(f"```\n{said}\n```\n\n%% {said} %%\n\n![[Other]] {said}\n")
        assert not drafts(f"{said}\n", "Templates/Swift Project.md")

    def test_what_several_notes_say_alike(self) -> None:
        said = "The project is a test of new boxes.\n"
        assert not draft_questions([note(said), note(said, "Project copy.md")])

    def test_what_two_notes_answer(self) -> None:
        told = "The swift tower has {} boxes.\n"
        first, second = note(told.format(62)), note(told.format(64), "Swift Towers.md")
        assert draft_questions([first])
        assert not draft_questions([first, second])

    def test_the_title_of_a_callout_is_no_part_of_its_sentence(self) -> None:
        (found,) = drafts("> [!info] Town and birds\n> Swift Town has 11,400 inhabitants.\n")
        assert found.question == "How many inhabitants does Swift Town have?"
