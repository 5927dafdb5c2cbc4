from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import pytest
from small_notes import MakeNotes, SmallNotes

from quire_engine.answering.drafts import DraftSentence
from quire_engine.answering.extractive import extract
from quire_engine.answering.reading import Reading
from quire_engine.inference.embedder import SentenceEmbedder

SWIFT = (
    "# Swift\n\nSwifts sleep in the air. They lay two or three eggs. The nest is a hole in a wall. "
    "Nobody has seen them land.\n"
)
Drafts = Callable[..., list[DraftSentence]]


@pytest.fixture(scope="module")
def drafts(notes: MakeNotes, embedder: SentenceEmbedder) -> Drafts:
    """What is extracted for a question, and for its parts, from notes of which everything is read."""

    def extracted(
        texts: str | dict[str, str], question: str, *parts: str, most: int = 3
    ) -> list[DraftSentence]:
        found: SmallNotes = notes(texts)
        hits = found.hits(question)
        reading = Reading(question, parts, embedder, found.rarity, hits[0].score)
        reading.add(hits)
        return list(extract(reading, most).sentences)

    return extracted


def quotes(draft: DraftSentence) -> list[str]:
    return [evidence.hit.text[evidence.start : evidence.end] for evidence in draft.evidence]


class TestHowMany:
    @pytest.mark.parametrize("most", [1, 2, 3, 10])
    def test_never_more_than_asked_for_and_one_at_least(self, most: int, drafts: Drafts) -> None:
        found = drafts(SWIFT, "What do swifts do in the air and in the nest?", most=most)
        assert 1 <= len(found) <= most

    def test_one_sentence_is_the_best(self, drafts: Drafts) -> None:
        (draft,) = drafts(SWIFT, "How many eggs do swifts lay?", most=1)
        assert draft.text == "They lay two or three eggs."

    def test_a_clear_answer_needs_no_more(self, drafts: Drafts) -> None:
        text = "The kiln reaches 1240 degrees Celsius.\n\nBananas ripen beside apples.\n\nIt rained.\n"
        assert [draft.text for draft in drafts(text, "How hot does the kiln get?")] == [
            "The kiln reaches 1240 degrees Celsius."
        ]

    def test_nothing_read_gives_nothing(self, notes: MakeNotes, embedder: SentenceEmbedder) -> None:
        assert extract(Reading("eggs?", (), embedder, notes(SWIFT).rarity, 1.0), 3).sentences == ()

    def test_sentences_that_say_the_same_collapse(self, drafts: Drafts) -> None:
        texts = {f"{n}.md": "Swifts lay two eggs." for n in range(3)} | {"4.md": "The swifts lay two eggs."}
        assert len(drafts(texts, "How many eggs do swifts lay?")) == 1

    def test_sentences_stand_in_reading_order(self, drafts: Drafts) -> None:
        found = drafts(SWIFT, "Where do swifts sleep, nest and lay eggs?")
        places = [SWIFT.index(draft.text) for draft in found]
        assert len(places) > 1
        assert places == sorted(places)


class TestParts:
    EGGS, HEAT = "How many eggs do swifts lay?", "How hot does the kiln get?"
    VAULT: ClassVar = {
        "Swift.md": SWIFT,
        "Kiln.md": "# Kiln\n\nThe kiln reaches 1240 degrees. It is in the barn.\n",
    }

    def test_each_gets_a_sentence(self, drafts: Drafts) -> None:
        found = drafts(self.VAULT, f"{self.EGGS} {self.HEAT}", self.EGGS, self.HEAT, most=2)
        assert {draft.text for draft in found} == {
            "They lay two or three eggs.",
            "The kiln reaches 1240 degrees.",
        }

    def test_one_that_the_notes_say_nothing_on_gets_none(self, drafts: Drafts) -> None:
        chess = "Who won the chess championship in Reykjavik?"
        (draft,) = drafts(self.VAULT, f"{chess} {self.HEAT}", chess, self.HEAT, most=2)
        assert draft.text == "The kiln reaches 1240 degrees."

    def test_when_there_is_nothing_on_any_the_whole_decides(self, drafts: Drafts) -> None:
        found = drafts(
            self.VAULT, "Who won at chess and who lost at go?", "Who won at chess?", "Who lost at go?"
        )
        assert found

    def test_one_of_a_language_that_cannot_be_read_stands_beside_the_others(self, drafts: Drafts) -> None:
        key = "नीले दरवाज़े के पीछे क्या है?"
        texts = self.VAULT | {"चाबी.md": "नीले दरवाज़े के पीछे चाबी है।\n"}
        found = drafts(texts, f"{self.HEAT} {key}", self.HEAT, key)
        assert {"The kiln reaches 1240 degrees.", "नीले दरवाज़े के पीछे चाबी है।"} <= {
            draft.text for draft in found
        }


class TestLists:
    BOX = (
        "# Box\n\nThe red box stands in the barn.\n\nThe red box holds these tools:\n\n"
        "- hammer of steel\n- chisel of oak\n- mallet of beech\n- awl\n\nThe lid is broken.\n"
    )

    def test_a_question_for_several_gets_the_whole_list(self, drafts: Drafts) -> None:
        found = [draft.text for draft in drafts(self.BOX, "Which tools are in the red box?", most=1)]
        items = [text for text in found if text.startswith("- ")]
        assert items == ["- hammer of steel", "- chisel of oak", "- mallet of beech", "- awl"]
        assert "The lid is broken." not in found

    def test_the_items_stand_on_lines_of_their_own(self, drafts: Drafts) -> None:
        found = drafts(self.BOX, "Which tools are in the red box?", most=1)
        assert {draft.separator for draft in found if draft.text.startswith("- ")} == {"\n"}

    def test_a_question_for_one_thing_does_not(self, drafts: Drafts) -> None:
        found = [draft.text for draft in drafts(self.BOX, "What is the chisel made of?", most=1)]
        assert found == ["- chisel of oak"]

    def test_numbered_steps_are_a_list_too(self, drafts: Drafts) -> None:
        steps = (
            "To start the kiln:\n\n1. Open the gas valve\n2. Light the pilot flame\n10. Close the kiln door\n"
        )
        found = [draft.text for draft in drafts(steps, "What are the steps to start the kiln?", most=1)]
        assert [text for text in found if text[0].isdigit()] == steps.strip().split("\n")[2:]

    def test_a_list_ends_where_its_text_does(self, drafts: Drafts) -> None:
        text = "Red tools:\n\n- red hammer\n- red chisel\n\nBlue tools:\n\n- blue rasp\n"
        found = [draft.text for draft in drafts(text, "Which tools are red?", most=1)]
        assert "- red hammer" in found
        assert "- red chisel" in found
        assert "- blue rasp" not in found

    def test_a_long_list_is_whole(self, drafts: Drafts) -> None:
        text = "The box holds these tools:\n\n" + "".join(f"- tool {n}\n" for n in range(20))
        found = [draft.text for draft in drafts(text, "Which tools are in the box?", most=1)]
        assert [line for line in found if line.startswith("- ")] == text.strip().split("\n")[2:]


class TestReference:
    HERON = "The grey heron lives at the mill pond. It eats frogs and small fish.\n"

    def test_what_begins_with_it_comes_with_the_sentence_before(self, drafts: Drafts) -> None:
        found = [draft.text for draft in drafts(self.HERON, "Which animal eats frogs and fish?", most=2)]
        assert found == ["The grey heron lives at the mill pond.", "It eats frogs and small fish."]

    def test_unless_one_sentence_is_all_there_is_room_for(self, drafts: Drafts) -> None:
        assert len(drafts(self.HERON, "Which animal eats frogs and fish?", most=1)) == 1

    def test_or_the_sentence_before_is_long(self, drafts: Drafts) -> None:
        long = f"The grey heron {'now and then ' * 30}rests. It eats frogs and small fish.\n"
        found = drafts(long, "What eats frogs and small fish?", most=2)
        assert "It eats frogs and small fish." in [draft.text for draft in found]


class TestForm:
    def test_quote_marks_are_not_part_of_the_answer_but_of_the_quote(self, drafts: Drafts) -> None:
        lines = "In the holes under the eaves of the old mill by the river they lay two", "or three eggs."
        text = f"> [!tip] Eggs\n> {lines[0]}\n> {lines[1]}\n"
        draft = drafts(text, "How many eggs do they lay?", most=1)[0]
        assert "they lay two or three eggs." in draft.text
        assert ">" not in draft.text
        assert "> or three eggs." in quotes(draft)[0]

    def test_a_table_row_stands_under_its_header(self, drafts: Drafts) -> None:
        text = "| Flour | Water |\n| --- | --- |\n| Rye | 82 % |\n| Spelt | 65 % |\n"
        (draft,) = drafts(text, "How much water does rye flour need?", most=1)
        assert draft.text == "| Flour | Water |\n| --- | --- |\n| Rye | 82 % |"
        assert draft.frame == ("| Flour | Water |", "| --- | --- |")
        assert quotes(draft)[0].strip() == "| Rye | 82 % |"

    def test_code_keeps_its_lines(self, drafts: Drafts) -> None:
        text = "```python\nlay(eggs=3)\nsleep(air)\n```\n"
        (draft,) = drafts(text, "How to lay eggs in code?", most=1)
        assert draft.text == text.strip()
        assert draft.separator == "\n\n"

    def test_lines_of_prose_are_joined(self, drafts: Drafts) -> None:
        text = (
            "In the holes under the eaves of the old mill by the river the swifts lay two\nor three eggs.\n"
        )
        (draft,) = drafts(text, "How many eggs do swifts lay?", most=1)
        assert draft.text == text.strip().replace("\n", " ")
        assert quotes(draft) == [text.strip()]
