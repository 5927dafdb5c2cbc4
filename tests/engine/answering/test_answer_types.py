from __future__ import annotations

import pytest

from quire_engine.answering.answer_types import MEASURES, AnswerType, expected, holds, names, numbers


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Who wrote the letter?", "person"),
        ("Whose key is this?", "person"),
        ("Which president signed it?", "person"),
        ("Wer hat den Brief geschrieben?", "person"),
        ("¿Quién escribió la carta?", "person"),
        ("Qui a écrit la lettre ?", "person"),
        ("Кто написал письмо?", "person"),
        ("Where is the spare key?", "place"),
        ("In which city was she born?", "place"),
        ("Wo steht der Ofen?", "place"),
        ("¿Dónde está la llave?", "place"),
        ("Где ключ?", "place"),
        ("When was the barn built?", "time"),
        ("In what year did it burn down?", "time"),
        ("Wann blüht der Flieder?", "time"),
        ("¿Cuándo florece?", "time"),
        ("Quand fleurit-il ?", "time"),
        ("Когда цветёт сирень?", "time"),
        ("How many eggs are there?", "number"),
        ("What is the population of Ulm?", "number"),
        ("Wie viele Eier liegen im Nest?", "number"),
        ("¿Cuántos huevos hay?", "number"),
        ("Combien d'œufs y a-t-il ?", "number"),
        ("Сколько яиц в гнезде?", "number"),
        ("How much did the barn cost?", "money"),
        ("Was kostet das Brot?", "money"),
        ("What percentage of rye is water?", "share"),
        ("How long does the dough rest?", "duration"),
        ("Wie lange ruht der Teig?", "duration"),
        ("Why does bread rise?", "reason"),
        ("Warum geht das Brot auf?", "reason"),
        ("¿Por qué sube el pan?", "reason"),
        ("Pourquoi le pain lève-t-il ?", "reason"),
        ("Почему растёт тесто?", "reason"),
        ("What company makes the oven?", "name"),
        ("Tell me about bread.", None),
        ("", None),
    ],
)
def test_what_a_question_asks_for(question: str, kind: AnswerType | None) -> None:
    assert expected(question) == kind


@pytest.mark.parametrize(
    ("kind", "sentence", "other"),
    [
        ("person", "The letter was written by Ada Quell.", "the letter was written in haste."),
        ("place", "It hangs in Bremen.", "it hangs on a nail."),
        ("time", "The barn was built in 1912.", "The barn was built of oak."),
        ("time", "It blooms in March.", "It may bloom."),
        ("number", "There are three eggs.", "There are eggs."),
        ("money", "It cost $40.", "It cost a lot."),
        ("money", "Es kostet 3 Euro.", "Es kostet wenig."),
        ("share", "Water is 82 % of it.", "Water is in it."),
        ("duration", "It rests for 40 minutes.", "It rests on the table."),
        ("duration", "Er ruht zwei Stunden.", "Er ruht."),
        ("reason", "It rises because of the yeast.", "It rises."),
        ("reason", "Es geht auf, weil die Hefe gärt.", "Es geht auf."),
    ],
)
def test_what_a_sentence_holds(kind: AnswerType, sentence: str, other: str) -> None:
    assert holds(kind, sentence, "What?")
    assert not holds(kind, other, "What?")


def test_what_the_question_says_itself_is_no_answer_to_it() -> None:
    assert not holds("person", "Ada Quell was there.", "Who met Ada Quell?")
    assert not holds("number", "All 3 boxes were full.", "How many eggs are in the 3 boxes?")
    assert not holds("time", "In 1912 it was full.", "In 1912, when was it full?")
    assert holds("number", "All 3 boxes held 12.", "How many eggs are in the 3 boxes?")


def test_numbers_are_compared_without_their_separators() -> None:
    assert numbers("1,240 or 1.240 or 1240") == {"1240"}
    assert numbers("Zwei Eier, three nests") == {"zwei", "three"}
    assert numbers("no digits") == set()


def test_names_are_capitalised_words_and_no_stop_words() -> None:
    assert names("The kiln of Ida Quell") == ["Ida", "Quell"]
    assert names("Bread rises in Ulm", first=False) == ["Ulm"]


def test_measures_are_what_digits_answer() -> None:
    assert all(holds(kind, "In 1912, 40 % took 3 hours and $5.", "What?") for kind in MEASURES)
