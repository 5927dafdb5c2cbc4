from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_engine.answering.support import FIRM_SUPPORT, MIN_SUPPORT, Judgement, claimed, judge, score
from quire_engine.answering.wording import wording, wording_of_note
from quire_engine.languages import detect_language

QUOTE = "The tabby cat sleeps all day on the warm windowsill."


def support(sentence: str, quote: str, context: str = "") -> float:
    """What the words alone say."""
    language = detect_language(f"{quote}\n{sentence}")
    said, quoted = wording(claimed(sentence), language), wording_of_note(quote, language)
    return score(judge(said, quoted, wording(context, language), language))


class TestSupport:
    def test_a_verbatim_sentence_is_fully_supported(self) -> None:
        assert support(QUOTE, QUOTE) == 1.0

    def test_a_shorter_wording_is_supported(self) -> None:
        assert support("The cat sleeps on the windowsill all day.", QUOTE) == 1.0

    def test_inflections_count_as_the_same_word(self) -> None:
        assert support("Tabby cats are sleeping.", QUOTE) == 1.0
        assert support("Die Katzen schlafen im Garten.", "Eine Katze darf im Garten schlafen.") >= MIN_SUPPORT

    def test_other_words_are_not_supported(self) -> None:
        assert support("Whales sing in the deep ocean.", QUOTE) == 0.0

    def test_of_two_claims_one_is_half_of_the_support(self) -> None:
        both = "The tabby cat sleeps all day on the windowsill, and Rex ate seven biscuits."
        assert MIN_SUPPORT <= support(both, QUOTE) < FIRM_SUPPORT

    def test_other_words_in_a_place_are_another_claim(self) -> None:
        assert support("The tabby cat sleeps all night on the warm windowsill.", QUOTE) < MIN_SUPPORT
        assert support("The tabby cat sleeps all day on the cold windowsill.", QUOTE) < MIN_SUPPORT

    def test_words_of_the_same_meaning_may_stand_in_a_place(self) -> None:
        said, quoted = "He bought a big house in town.", "He bought a large house in town."
        judgement = judge(wording(said, "en"), wording(quoted, "en"), wording(""), "en")
        assert judgement.replaced == (("big", "large"),)
        assert MIN_SUPPORT <= score(judgement, 0.95, same_meaning=True) < FIRM_SUPPORT
        assert score(judgement, 0.95) < MIN_SUPPORT

    def test_likeness_of_meaning_alone_is_partial_support(self) -> None:
        assert score(Judgement(0.4, refuted=False), 0.9) >= MIN_SUPPORT
        assert score(Judgement(0.4, refuted=False), 0.5) < MIN_SUPPORT
        assert score(Judgement(0.7, refuted=False), 1.0) < FIRM_SUPPORT
        assert score(Judgement(0.9, refuted=True), 1.0, same_meaning=True) < MIN_SUPPORT

    def test_what_is_struck_out_is_not_said(self) -> None:
        assert support(QUOTE, f"~~{QUOTE}~~ The dog does.") < MIN_SUPPORT

    def test_the_target_of_a_link_is_not_said(self) -> None:
        assert support("Mallory owns everything.", "See [this](mallory-owns-everything).") == 0.0

    def test_a_denied_sentence_inside_the_quote_is_no_support(self) -> None:
        assert support("Cats sleep.", "It is not true that cats sleep.") < MIN_SUPPORT

    @pytest.mark.parametrize("sentence", ["", "It is so.", "Yes.", "…", "1. "])
    def test_a_sentence_without_content_has_no_support_in_other_words(self, sentence: str) -> None:
        assert support(sentence, "Tabby cats sleep.") == 0.0


class TestNumbers:
    def test_an_invented_number_is_not_supported(self) -> None:
        quote = "The bridge was built of granite by the town."
        assert support("The bridge was built of granite by the town in 1932.", quote) < MIN_SUPPORT

    @pytest.mark.parametrize("sentence", ["The tank holds 7 litres.", "The tank holds seven litres."])
    def test_a_changed_number_is_not_supported(self, sentence: str) -> None:
        assert support(sentence, "The tank holds 5 litres.") < MIN_SUPPORT

    @pytest.mark.parametrize(
        ("said", "quoted"),
        [("3", "three"), ("three", "3"), ("1,000", "1000"), ("1 000", "1 000"), ("3.50", "3.5"), ("７", "7")],
    )
    def test_the_way_a_number_is_written_does_not_matter(self, said: str, quoted: str) -> None:
        assert support(f"The tank holds {said} litres.", f"The tank holds {quoted} litres.") >= MIN_SUPPORT

    @pytest.mark.parametrize(
        ("said", "quoted"),
        [
            ("It is 5 miles long.", "It is 5 km long."),
            ("It costs 5 €.", "It costs 5 $."),
            ("5 million people came.", "5 billion people came."),
            ("He left on 5 May 1911.", "He left on 5 June 1911."),
            ("Он родился 5 мая 1911 года.", "Он родился 5 июня 1911 года."),
        ],
    )
    def test_another_unit_or_month_is_not_supported(self, said: str, quoted: str) -> None:
        assert support(said, quoted) < MIN_SUPPORT

    @pytest.mark.parametrize(("said", "quoted"), [("5 km", "5 kilometres"), ("5 %", "5 percent")])
    def test_the_spelling_of_a_unit_does_not_matter(self, said: str, quoted: str) -> None:
        assert support(f"The share is {said} now.", f"The share is {quoted} now.") == 1.0

    def test_a_list_number_is_no_claim(self) -> None:
        assert support("2. The cat sleeps.", QUOTE) == 1.0

    def test_the_pronoun_one_is_no_number(self) -> None:
        assert support("The tabby is the one that sleeps.", QUOTE) >= MIN_SUPPORT

    @pytest.mark.parametrize(
        ("sentence", "quote"),
        [
            ("Profits rose from 5 million to 3 million.", "Profits rose from 3 million to 5 million."),
            ("It has 5 cats and 3 dogs.", "It has 3 cats and 5 dogs."),
            ("Ada has five points and Bob three.", "Bob has 5 points and Ada 3."),
            ("Die Zahl stieg von 9 auf 4.", "Die Zahl stieg von 4 auf 9."),
            ("利润从500万增加到300万。", "利润从300万增加到500万。"),
        ],
    )
    def test_exchanged_numbers_are_not_supported(self, sentence: str, quote: str) -> None:
        assert support(sentence, quote) < MIN_SUPPORT

    @pytest.mark.parametrize(
        ("sentence", "quote"),
        [
            ("Profits rose from 3 million to 5 million.", "Profits rose to 5 million from 3 million."),
            ("It has 5 cats and 3 dogs.", "It has 3 dogs and 5 cats."),
            ("In 1990 it sold 5 units.", "It sold 5 units in 1990."),
            ("It opened on 5 May 1911.", "It opened on May 5, 1911."),
        ],
    )
    def test_the_same_numbers_in_another_order_are(self, sentence: str, quote: str) -> None:
        assert support(sentence, quote) >= FIRM_SUPPORT


class TestNames:
    def test_an_invented_name_is_not_supported(self) -> None:
        assert support("The tabby cat Felix sleeps all day on the windowsill.", QUOTE) < MIN_SUPPORT

    def test_a_name_may_stand_in_the_note_title(self) -> None:
        quote = "She wrote the first program for the machine."
        assert support("Ada Lovelace wrote the first program.", quote, "Ada Lovelace") >= MIN_SUPPORT
        assert support("Then Ada Lovelace wrote the first program.", quote) < MIN_SUPPORT

    def test_a_title_alone_supports_nothing(self) -> None:
        assert support("Ada Lovelace was a mathematician.", "It rained all week.", "Ada Lovelace") == 0.0

    def test_another_name_as_the_subject_is_not_supported(self) -> None:
        assert support("Sue wrote the first program.", "Ada wrote the first program.") < MIN_SUPPORT

    def test_the_subject_of_the_note_is_not_the_subject_of_every_sentence(self) -> None:
        quote = "Later Charles Babbage wrote another program."
        assert support("Later Ada Lovelace wrote another program.", quote, "Ada Lovelace") < MIN_SUPPORT

    def test_an_acronym_stands_for_its_name(self) -> None:
        quote = "The World Health Organization was founded in 1948."
        assert support("The WHO was founded in 1948.", quote) >= MIN_SUPPORT

    def test_german_nouns_are_no_names(self) -> None:
        sentence = "Der Kater schläft auf der Fensterbank und dem Sofa."
        assert support(sentence, "Der Kater schläft auf der Fensterbank.") >= MIN_SUPPORT


class TestNegation:
    @pytest.mark.parametrize(
        ("sentence", "quote"),
        [
            ("The cache is safe to delete.", "The cache is not safe to delete."),
            ("The cache is not safe to delete.", "The cache is safe to delete."),
            ("The cache isn't safe to delete.", "The cache is safe to delete."),
            ("The cache is safe to delete.", "The cache isn’t safe to delete."),
        ],
    )
    def test_the_opposite_is_not_supported(self, sentence: str, quote: str) -> None:
        assert support(sentence, quote) < MIN_SUPPORT

    @pytest.mark.parametrize(
        ("sentence", "quote"),
        [
            ("Die Katze schläft nicht.", "Die Katze schläft auf dem Sofa."),
            ("La casa no es la más grande.", "La casa es la más grande."),
            ("Кошка не спит дома.", "Кошка спит дома."),
            ("这不是猫。", "这是猫。"),
            ("แมวไม่นอนทั้งวัน", "แมวนอนทั้งวัน"),
        ],
    )
    def test_other_languages_deny_by_their_own_words(self, sentence: str, quote: str) -> None:
        assert support(sentence, quote) < MIN_SUPPORT
        assert support(quote, sentence) < MIN_SUPPORT

    def test_not_only_denies_nothing(self) -> None:
        assert support("Cats sleep and eat.", "Cats not only sleep, they also eat.") >= FIRM_SUPPORT

    def test_the_same_denial_is_supported(self) -> None:
        assert support("The cache isn't safe to delete.", "The cache is not safe to delete.") == 1.0

    def test_a_denial_of_something_else_does_not_matter(self) -> None:
        assert support("Cats sleep all day.", "Cats sleep all day, but not at night.") == 1.0


class TestQuestions:
    @pytest.mark.parametrize(
        ("sentence", "quote"),
        [
            ("The reactor is safe to open at night.", "Is the reactor safe to open at night?"),
            ("The reactor is safe to open at night.", "**Is the reactor safe to open at night?**"),
            ("The reactor is safe to open at night.", "“Is the reactor safe to open at night?”"),
            ("Der Reaktor ist nachts sicher.", "Ist der Reaktor nachts sicher?"),
            ("猫は一日中寝る。", "猫は一日中寝ますか。"),
        ],
    )
    def test_what_is_only_asked_is_not_said(self, sentence: str, quote: str) -> None:
        assert support(sentence, quote) < MIN_SUPPORT

    @pytest.mark.parametrize("quote", ["Cats sleep all day (really?)", 'Cats sleep all day and ask "Why?"'])
    def test_a_question_within_a_statement_does_not_matter(self, quote: str) -> None:
        assert support("Cats sleep all day.", quote) >= FIRM_SUPPORT

    def test_a_question_supports_itself(self) -> None:
        assert support("Is the reactor safe to open?", "Is the reactor safe to open?") == 1.0


class TestHedges:
    @pytest.mark.parametrize(
        ("sentence", "quote"),
        [
            ("The contract was signed.", "The contract was almost signed."),
            ("The launch is postponed.", "The launch may be postponed."),
            ("The launch is postponed.", "The launch is postponed, perhaps."),
            ("Members may enter.", "Only members may enter."),
            ("The lamp turns red.", "If the fuse blows, the lamp turns red."),
            ("The lamp turns red.", "The lamp turns red unless the fuse blows."),
            ("The moon is made of cheese.", "Bob claims that the moon is made of cheese."),
            ("Der Start ist verschoben.", "Der Start ist vielleicht verschoben."),
            ("La lámpara se pone roja.", "Si salta el fusible, la lámpara se pone roja."),
            ("La lampe devient rouge.", "Si le fusible saute, la lampe devient rouge."),
            ("Лампа становится красной.", "Если предохранитель сгорит, лампа становится красной."),
            ("会议推迟到周五。", "会议可能推迟到周五。"),
        ],
    )
    def test_what_the_quote_takes_back_is_no_firm_support(self, sentence: str, quote: str) -> None:
        assert support(sentence, quote) < FIRM_SUPPORT
        assert support(quote, quote) == 1.0

    @pytest.mark.parametrize(
        ("sentence", "quote"),
        [
            ("The launch can be postponed.", "The launch may be postponed."),
            ("When the fuse blows, the lamp turns red.", "If the fuse blows, the lamp turns red."),
            ("Bob says the moon is made of cheese.", "Bob says he claims the moon is made of cheese."),
            ("The bridge was built in 1932.", "The bridge was built in 1932, although it may be rebuilt."),
            ("The tank is cleaned in May.", "The tank is cleaned every year in May."),
            ("Cats sleep all day.", "Cats not only sleep all day, they also eat."),
        ],
    )
    def test_what_the_sentence_says_too_or_does_not_say_takes_nothing_back(
        self, sentence: str, quote: str
    ) -> None:
        assert support(sentence, quote) >= FIRM_SUPPORT

    def test_meaning_does_not_make_it_firm(self) -> None:
        assert score(Judgement(1.0, refuted=False, hedged=True), 1.0) < FIRM_SUPPORT


class TestOpposites:
    @pytest.mark.parametrize(
        ("sentence", "quote"),
        [
            ("He left after the war.", "He left before the war."),
            ("Profits rose in the spring.", "Profits fell in the spring."),
            ("Sales increased and costs decreased.", "Sales decreased and costs increased."),
            ("More cats than dogs slept.", "Fewer cats than dogs slept."),
            ("Die Kosten sind höher als im Mai.", "Die Kosten sind niedriger als im Mai."),
        ],
    )
    def test_the_opposite_is_not_supported(self, sentence: str, quote: str) -> None:
        assert support(sentence, quote) < MIN_SUPPORT

    def test_an_opposite_that_is_said_of_something_else_does_not_matter(self) -> None:
        assert support("Sales increased.", "Costs decreased while sales increased.") == 1.0


class TestRoles:
    @pytest.mark.parametrize(
        ("sentence", "quote"),
        [
            ("Bob beat Ada in 1990.", "Ada beat Bob in 1990."),
            ("Ada was beaten by Bob in 1990.", "Ada beat Bob in 1990."),
            ("Ada beat Bob in 1990.", "In 1990 Ada was beaten by Bob."),
        ],
    )
    def test_exchanged_roles_are_not_supported(self, sentence: str, quote: str) -> None:
        assert support(sentence, quote) < MIN_SUPPORT

    @pytest.mark.parametrize(
        ("sentence", "quote"),
        [
            ("Bob was beaten by Ada in 1990.", "Ada beat Bob in 1990."),
            ("Bob met Ada in 1990.", "Ada met Bob in 1990."),
            ("Ada beat Bob in 1990.", "In 1990 Ada beat Bob."),
        ],
    )
    def test_the_same_roles_in_another_order_are(self, sentence: str, quote: str) -> None:
        assert support(sentence, quote) >= FIRM_SUPPORT


class TestScripts:
    @pytest.mark.parametrize(
        ("sentence", "quote", "other"),
        [
            ("猫は一日中寝る。", "うちの猫は一日中寝る生き物だ。", "犬は庭を走り回る。"),
            ("แมวนอนทั้งวัน", "แมวของเรานอนทั้งวันบนเก้าอี้", "สุนัขวิ่งในสวน"),
            ("고양이는 하루종일 잔다.", "우리 고양이는 하루종일 잔다고 한다.", "개가 정원에서 뛴다."),
            ("Кошка спит весь день.", "Моя кошка спит весь день дома.", "Собака бегает в саду."),
        ],
    )
    def test_scripts_with_and_without_spaces_are_compared(
        self, sentence: str, quote: str, other: str
    ) -> None:
        assert support(sentence, quote) >= MIN_SUPPORT
        assert support(sentence, other) < MIN_SUPPORT

    @given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=20))
    def test_any_text_gives_a_value_between_0_and_1(self, sentence: str, quote: str, context: str) -> None:
        assert 0.0 <= support(sentence, quote, context) <= 1.0
