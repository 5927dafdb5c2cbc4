"""Answers from search results: waves, the language model's choices, and what is shown in the end."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_notes import MakeNotes, SmallNotes

from quire_engine.answering.answerer import ABSTENTION, Answerer
from quire_engine.answering.prompts import INSUFFICIENT
from quire_engine.inference.embedder import SentenceEmbedder
from quire_engine.records import (
    Answer,
    AnswerEvent,
    AnswerFinished,
    AnswerStatus,
    AnswerText,
    Hit,
    HitsFound,
    Message,
    PromptRead,
    Queued,
    WaveLoaded,
)
from quire_engine.settings import AnswerSettings

VAULT = {
    "Swift.md": "# Swift\n\nSwifts sleep in the air.\n\nThey lay two or three eggs.\n",
    "Heron.md": "# Heron\n\nThe grey heron fishes in shallow water. Herons lay four or five eggs.\n",
    "Duck.md": "# Duck\n\nThe duck swims on the pond. Ducks lay nine eggs.\n",
    "Kiln.md": "# Kiln\n\nThe kiln reaches 1240 degrees Celsius. It stands in the old barn.\n",
    "Bread.md": "# Bread\n\nBake the loaf at 230 degrees for forty minutes.\n",
}
EGGS = "How many eggs do swifts lay?"
CHESS = "Who won the chess championship in Reykjavik?"


class ScriptedModel:
    """Says what a model might choose to say, reply by reply; remembers its prompts."""

    name = "scripted"
    context = 4096

    def __init__(self, *replies: str) -> None:
        self.replies = list(replies)
        self.prompts: list[tuple[Message, ...]] = []
        self.said = 0

    def count_tokens(self, text: str) -> int:
        return len(re.findall(r"\w+|[^\w\s]", text))

    def prompt_tokens(self, messages: Sequence[Message]) -> int:
        return sum(self.count_tokens(message.content) + 4 for message in messages)

    def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        grammar: str | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Iterator[Queued | PromptRead | str]:
        self.prompts.append(tuple(messages))
        yield Queued(0)
        for piece in self.replies[len(self.prompts) - 1]:
            if cancelled():
                return
            self.said += 1
            yield piece


@dataclass
class Asked:
    """The events of an answer."""

    events: list[AnswerEvent] = field(default_factory=list)

    @property
    def answer(self) -> Answer:
        last = self.events[-1]
        assert isinstance(last, AnswerFinished)
        return last.answer

    @property
    def pieces(self) -> list[AnswerText]:
        return [event for event in self.events if isinstance(event, AnswerText)]


@pytest.fixture(scope="module")
def vault(notes: MakeNotes) -> SmallNotes:
    return notes(VAULT)


@pytest.fixture(scope="module")
def ask(vault: SmallNotes, embedder: SentenceEmbedder) -> Callable[..., Asked]:
    def asked(
        question: str = EGGS,
        model: ScriptedModel | None = None,
        *,
        notes: SmallNotes = vault,
        hits: Sequence[Hit] | None = None,
        strategy: str = "expert",
        cancelled: Callable[[], bool] = lambda: False,
        **options: float,
    ) -> Asked:
        answerer = Answerer(lambda: embedder, notes.rarity, notes.read, AnswerSettings(**options))  # type: ignore[arg-type]
        result = notes.result(question, strategy, hits)  # type: ignore[arg-type]
        return Asked(list(answerer.answer(question, result, model, cancelled=cancelled)))

    return asked


Ask = Callable[..., Asked]


@pytest.fixture
def spread(vault: SmallNotes) -> list[Hit]:
    """The passages for the eggs question, each in a tier of its own."""
    shares = (1.0, 0.7, 0.5, 0.2, 0.1)
    return [replace(hit, score=share) for hit, share in zip(vault.hits(EGGS), shares, strict=False)]


def verified(answer: Answer, files: dict[str, str]) -> None:
    """Every quote stands in its note, at its lines; the marks are those of the citations, from 1 on."""
    assert [citation.n for citation in answer.citations] == list(range(1, len(answer.citations) + 1))
    for citation in answer.citations:
        lines = files[citation.path].split("\n")[citation.start_line - 1 : citation.end_line]
        assert citation.verified
        assert citation.quote in "\n".join(lines)
        assert 0 <= citation.support <= 1


class TestEvents:
    def test_come_in_order_and_add_up(self, ask: Ask, spread: list[Hit]) -> None:
        asked = ask(hits=spread)
        kinds = [type(event) for event in asked.events]
        assert kinds[:2] == [HitsFound, WaveLoaded]
        assert kinds.index(AnswerText) > max(n for n, kind in enumerate(kinds) if kind is WaveLoaded)
        assert kinds[-1] is AnswerFinished
        assert "".join(piece.text for piece in asked.pieces) == asked.answer.text
        assert [e.wave for e in asked.events if isinstance(e, WaveLoaded)] == list(asked.answer.waves)
        assert [c for piece in asked.pieces for c in piece.citations] == list(asked.answer.citations)

    def test_of_a_model_are_passed_on_before_its_words(self, ask: Ask) -> None:
        asked = ask(EGGS, ScriptedModel("They lay two or three eggs [1]."))
        kinds = [type(event) for event in asked.events]
        assert kinds.index(WaveLoaded) < kinds.index(Queued) < kinds.index(AnswerText)

    def test_an_extracted_answer_is_cited(self, ask: Ask) -> None:
        answer = ask().answer
        assert (answer.status, answer.model) == (AnswerStatus.SUPPORTED, "extractive")
        (quote,) = [c for c in answer.citations if c.quote == "They lay two or three eggs."]
        assert (quote.path, quote.start_line, quote.end_line) == ("Swift.md", 5, 5)
        assert f"{quote.quote} [{quote.n}]" in answer.text
        assert answer.confidence > 0.5
        assert answer.messages == ()


class TestWaves:
    def test_the_first_answers_an_easy_question(self, ask: Ask, spread: list[Hit]) -> None:
        (wave,) = ask(hits=spread, strategy="simple").answer.waves
        assert (wave.tier, wave.chunks, wave.scores) == ("critical", 1, (1.0,))
        assert wave.stop_reason == "there is enough to answer from"
        assert wave.sufficiency == 1
        assert wave.tokens > 0
        assert wave.cause == "the question"

    def test_each_says_what_lacked_before_it(self, ask: Ask, spread: list[Hit]) -> None:
        waves = ask(CHESS, hits=spread).answer.waves
        assert [wave.tier for wave in waves] == ["critical", "important", "relevant", "supplementary"]
        assert all("confidence" in wave.cause for wave in waves[1:])
        assert [wave.stop_reason for wave in waves[:-1]] == [None, None, None]
        assert waves[-1].stop_reason == "everything that was found is read"
        assert all(wave.sufficiency < 1 for wave in waves)

    @pytest.mark.parametrize(
        ("budget", "waves", "reason"),
        [
            ({"max_waves": 1}, 1, "one wave only"),
            ({"max_waves": 2}, 2, "the budget of 2 waves is spent"),
            ({"budget_tokens": 1}, 1, "the budget of 1 tokens is spent"),
            ({"budget_seconds": 1e-9}, 1, "the budget of 1e-09 seconds is spent"),
        ],
    )
    def test_a_budget_ends_them(
        self, budget: dict[str, float], waves: int, reason: str, ask: Ask, spread: list[Hit]
    ) -> None:
        answer = ask(CHESS, hits=spread, **budget).answer
        assert len(answer.waves) == waves
        assert answer.waves[-1].stop_reason == reason

    def test_a_simple_question_has_fewer(self, ask: Ask, spread: list[Hit]) -> None:
        assert len(ask(CHESS, hits=spread, strategy="simple").answer.waves) == 3

    def test_the_first_passage_is_read_whatever_it_costs(self, ask: Ask) -> None:
        answer = ask(budget_tokens=1).answer
        assert "two or three eggs" in answer.text

    def test_what_a_budget_of_tokens_leaves_out_is_listed(self, ask: Ask, vault: SmallNotes) -> None:
        hits = [replace(hit, score=1.0) for hit in vault.hits(CHESS)]
        answer = ask(CHESS, hits=hits, budget_tokens=40).answer
        read = sum(wave.chunks for wave in answer.waves)
        assert 0 < sum(wave.tokens for wave in answer.waves) <= 40
        assert {omission.reason for omission in answer.omitted} == {"did not fit"}
        assert 0 < read < len(hits)
        skipped = {omission.path for omission in answer.omitted}
        assert skipped <= {hit.path for hit in hits}

    def test_a_canvas_is_never_read(self, ask: Ask, vault: SmallNotes) -> None:
        hits = [replace(hit, path="Board.canvas") for hit in vault.hits(EGGS)]
        answer = ask(hits=hits).answer
        assert (answer.waves, answer.status) == ((), AnswerStatus.ABSTAINED)


class TestAbstention:
    @pytest.mark.parametrize("hits", [None, []], ids=["of another subject", "nothing found"])
    def test_without_evidence_it_is_said_and_no_model_is_asked(
        self, hits: list[Hit] | None, ask: Ask
    ) -> None:
        model = ScriptedModel()
        for chosen in (None, model):
            answer = ask(CHESS, chosen, hits=hits).answer
            assert (answer.status, answer.text, answer.citations) == (AnswerStatus.ABSTAINED, ABSTENTION, ())
            assert answer.confidence < 0.5
        assert model.prompts == []

    def test_a_quote_that_is_not_in_the_file_any_more_is_not_shown(self, ask: Ask, notes: MakeNotes) -> None:
        changing = notes(VAULT)
        changing.files["Swift.md"] = "# Swift\n\nSwifts sleep in the air. They lay one egg.\n"
        answer = ask(notes=changing, hits=changing.hits(EGGS)[:1]).answer
        assert "two or three" not in answer.text
        assert answer.status is not AnswerStatus.SUPPORTED
        del changing.files["Swift.md"]
        gone = ask(notes=changing, hits=changing.hits(EGGS)[:1]).answer
        assert (gone.text, gone.status) == (ABSTENTION, AnswerStatus.ABSTAINED)

    def test_a_row_under_another_header_is_not_shown(self, ask: Ask, notes: MakeNotes) -> None:
        table = "| Item | Wholesale | Retail |\n| --- | --- | --- |\n| Quince jam | 3 | 7 |\n"
        prices = notes({"Prices.md": table})
        question = "What is the retail price of quince jam?"
        assert "| Quince jam | 3 | 7 | [1]" in ask(question, notes=prices).answer.text
        prices.files["Prices.md"] = table.replace("Wholesale | Retail", "Retail | Wholesale")
        assert "Wholesale" not in ask(question, notes=prices).answer.text


class TestLanguageModel:
    def test_what_it_says_is_shown_with_its_quote(self, ask: Ask) -> None:
        model = ScriptedModel("They lay two or three eggs [1].")
        answer = ask(EGGS, model).answer
        assert (answer.status, answer.model) == (AnswerStatus.SUPPORTED, "scripted")
        assert answer.text == "They lay two or three eggs. [1]"
        assert answer.citations[0].quote == "They lay two or three eggs."
        assert answer.messages == model.prompts[-1]
        assert answer.reply == "They lay two or three eggs [1]."
        verified(answer, VAULT)

    def test_one_that_has_not_enough_gets_the_next_wave_in_a_prompt_that_only_grows(
        self, ask: Ask, spread: list[Hit]
    ) -> None:
        model = ScriptedModel(INSUFFICIENT, INSUFFICIENT, "They lay two or three eggs [1].")
        asked = ask(EGGS, model, hits=spread, strategy="simple")
        assert [wave.tier for wave in asked.answer.waves] == ["critical", "important", "relevant"]
        assert asked.answer.waves[1].cause == "scripted found no answer in what it had read"
        users = [prompt[-1].content for prompt in model.prompts]
        for before, after in pairwise(users):
            read = before[: before.rindex("</passage>") + len("</passage>")]
            assert after.startswith(read)
            assert after.count("<passage ") > before.count("<passage ")
        assert [prompt[:-1] for prompt in model.prompts] == [model.prompts[0][:-1]] * 3
        assert all(user.endswith(f"Question: {EGGS}") for user in users)
        assert asked.answer.text == "They lay two or three eggs. [1]"

    def test_one_that_never_has_enough_abstains_when_all_is_read(self, ask: Ask, spread: list[Hit]) -> None:
        model = ScriptedModel(*[INSUFFICIENT] * 9)
        answer = ask(EGGS, model, hits=spread).answer
        assert (answer.status, answer.text) == (AnswerStatus.ABSTAINED, ABSTENTION)
        assert sum(wave.chunks for wave in answer.waves) == len(spread)
        assert len(model.prompts) <= len(answer.waves)

    def test_an_unsupported_sentence_is_dropped(self, ask: Ask) -> None:
        model = ScriptedModel("They lay two or three eggs [1]. Vermeer painted swifts in 1666 [1].")
        answer = ask(EGGS, model).answer
        assert (answer.status, answer.model) == (AnswerStatus.PARTIAL, "scripted")
        assert "Vermeer" not in answer.text
        assert "eggs. [1]" in answer.text

    @pytest.mark.parametrize(
        "reply", ["Vermeer painted swifts in 1666 [1].", "", "<think> Hmm.", "PWNED by Vermeer." * 60]
    )
    def test_when_nothing_that_it_says_can_be_shown_the_answer_is_extracted(
        self, reply: str, ask: Ask
    ) -> None:
        answer = ask(EGGS, ScriptedModel(reply)).answer
        assert (answer.status, answer.model) == (AnswerStatus.SUPPORTED, "extractive")
        assert "They lay two or three eggs." in answer.text
        assert "Vermeer" not in answer.text
        assert answer.reply == reply

    def test_a_question_that_is_cancelled_stops_it_and_is_not_finished(self, ask: Ask) -> None:
        model = ScriptedModel("They lay two or three eggs [1]. Swifts sleep in the air [1]. " * 50)
        asked = ask(EGGS, model, cancelled=lambda: model.said >= 40)
        assert model.said == 40
        assert [piece.text for piece in asked.pieces] == ["They lay two or three eggs. [1]"]
        assert not any(isinstance(event, AnswerFinished) for event in asked.events)

    def test_one_that_is_cancelled_before_it_begins_is_not_asked(self, ask: Ask) -> None:
        model = ScriptedModel("They lay two or three eggs [1].")
        asked = ask(EGGS, model, cancelled=lambda: True)
        assert model.prompts == []
        assert [type(event) for event in asked.events] == [HitsFound]

    def test_closing_the_events_stops_it(self, vault: SmallNotes, embedder: SentenceEmbedder) -> None:
        model = ScriptedModel("They lay two or three eggs [1]. " * 50)
        answerer = Answerer(lambda: embedder, vault.rarity, vault.read, AnswerSettings())
        events = answerer.answer(EGGS, vault.result(EGGS), model)
        for event in events:
            if isinstance(event, AnswerText):
                break
        events.close()  # type: ignore[attr-defined]
        assert model.said < 100

    def test_what_does_not_fit_its_budget_is_listed(self, ask: Ask, notes: MakeNotes) -> None:
        seen = " ".join(f"Swifts were seen {n} times over the roof of the old barn." for n in range(12))
        long = notes({"Long.md": f"# Swift\n\n{seen} Swifts lay two or three eggs.\n"})
        model = ScriptedModel("Swifts lay two or three eggs [1].")
        answer = ask(EGGS, model, notes=long, budget_tokens=120).answer
        assert answer.omitted
        assert sum(wave.tokens for wave in answer.waves) <= 120
        assert "Swifts lay two or three eggs." in model.prompts[0][-1].content
        assert answer.status is AnswerStatus.SUPPORTED


SENTENCES = (
    "The kiln reaches 1240 degrees Celsius.",
    "It stands in the old barn.",
    "Swifts lay two or three eggs.",
    "Is the barn old?",
    "- [ ] Count the eggs",
    "- clay\n- glaze\n- cones",
    "| Clay | Cone |\n| --- | --- |\n| Red | 04 |\n| White | 10 |",
    "> [!tip] Kiln\n> Open the kiln below 100 degrees.",
    "See [[Swift]] and [eggs](eggs.md).",
    "%%secret eggs of the kiln%%",
    "```\nkiln.heat(1240)\n```",
    "京都の庭には卵があります。",
    "# Kiln and eggs",
    "\u202e[1] <passage> \x1b[31m eggs & kiln",
)
NOTE = st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=5).map("\n\n".join)
WORDS = {word for text in SENTENCES for word in text.split()} | {"what", "which", "how many", "and"}
QUESTION = st.lists(st.sampled_from(sorted(WORDS)), min_size=1, max_size=8).map(
    lambda words: " ".join(words) + "?"
)


class TestWhatIsShown:
    """Whatever the notes, the question and the model's words."""

    @given(
        texts=st.lists(NOTE, min_size=1, max_size=3),
        question=QUESTION,
        reply=st.none() | NOTE,
        gone=st.booleans(),
    )
    @settings(max_examples=25)
    def test_is_verified(
        self, texts: list[str], question: str, reply: str | None, gone: bool, notes: MakeNotes, ask: Ask
    ) -> None:
        found = notes({f"{n}.md": text for n, text in enumerate(texts)})
        if gone:
            found.files["0.md"] = "Something else.\n"
        model = None if reply is None else ScriptedModel(*[reply] * 9)
        asked = ask(question, model, notes=found)
        answer = asked.answer
        verified(answer, found.files)
        assert "".join(piece.text for piece in asked.pieces) == answer.text
        if answer.status is AnswerStatus.ABSTAINED:
            assert (answer.text, answer.citations) == (ABSTENTION, ())
        else:
            marks = {
                int(n)
                for piece in asked.pieces
                for n in re.findall(r"\[(\d+)\]", piece.text.rpartition(" ")[2])
            }
            assert marks == {citation.n for citation in answer.citations}
        assert "secret" not in answer.text
