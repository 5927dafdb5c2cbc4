"""The prompt of an answer as it grows: passages wave by wave, within the tokens there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from quire_engine.answering.compression import (
    Excerpt,
    Said,
    compress,
    shortened,
    without_repetitions,
)
from quire_engine.answering.excerpts import quotable, whole
from quire_engine.answering.prompts import (
    SYSTEM,
    as_data,
    asked,
    last_number,
    passage,
    user_prompt,
    without_tags,
)
from quire_engine.answering.reply import ReplySentence, ReplySplitter, without_marks
from quire_engine.errors import GenerationError
from quire_engine.interfaces import LanguageModel
from quire_engine.records import Hit, Message, Omission, Turn

NOTHING_TO_QUOTE = "holds no sentence that could be quoted"

_HISTORY_SHARE = 3
"""At most one part in three of the window goes to the conversation so far, and half of what is free in it."""
_LAST_TURNS = 20
_HIGHEST_NUMBER = 900
"""Numbers go on from turn to turn up to here; marks of more than three digits are none."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a wave added to the prompt."""

    passages: int
    tokens: int
    """In the model's own tokens."""
    omitted: tuple[Omission, ...]
    """What of the wave is not shown, or not in full."""


class GroundedPrompt:
    """Instructions, conversation, passages and question for a language model.

    `messages` together with the answer never exceed the model's context, by its own count.
    """

    def __init__(
        self,
        model: LanguageModel,
        question: str,
        turns: Sequence[Turn] = (),
        *,
        max_tokens: int,
        budget_tokens: int = 0,
    ) -> None:
        """A prompt without passages, which may take ``budget_tokens`` later on (0: all that fit).

        ``turns`` are the conversation so far, which stays as it was sent as long as it takes no more than a
        third of the window (and half of what is left beside question and answer): then the oldest turns lose
        their passages, and at last they are left out.
        Raises `GenerationError` when the question leaves no room for an answer of ``max_tokens``.
        """
        self._model = model
        self._question = question
        self._room = model.context - max_tokens
        self._budget = budget_tokens or self._room
        self._shown: list[Excerpt] = []
        self._said = Said()
        self._history: tuple[Message, ...] = ()
        self.first = 1
        """The number of the first passage; those of earlier turns have lower ones."""
        self.reply = ""
        """What the model wrote last, before anything was checked."""
        if (alone := self._count([])) > self._room:
            raise GenerationError(
                f"the question leaves no room in the context of {model.name} ({alone} tokens with the "
                f"instructions, {model.context} in all, {max_tokens} of them for the answer); shorten the "
                "question, raise answer.context_tokens or lower answer.max_tokens"
            )
        most = min(model.context // _HISTORY_SHARE, (self._room - alone) // 2)
        self._history = self._remembered(turns, alone + most)
        highest = last_number([message.content for message in self._history if message.role == "user"])
        self.first = highest + 1 if highest < _HIGHEST_NUMBER else 1
        if self._count([]) > self._room:  # a higher number may be a token longer
            self._history, self.first = (), 1
        self._base = self._count([])

    @property
    def messages(self) -> tuple[Message, ...]:
        """The system's, those of earlier turns, and the user's: passages, rules, question."""
        return self._messages(self._shown)

    @property
    def passages(self) -> tuple[Hit, ...]:
        """What is shown, numbered from `first` on; each passage with its shown sentences only."""
        return tuple(excerpt.hit for excerpt in self._shown)

    @property
    def prompt_tokens(self) -> int:
        """Of all messages, with what the model's chat template adds."""
        return self._count(self._shown)

    def load(self, hits: Sequence[Hit], relevance: Callable[[Hit], Sequence[float]]) -> Loaded:
        """Show a wave of ``hits``, best first, behind the passages that are there.

        Passages that only repeat others are left out, and those without a sentence to quote. Where the rest
        does not fit, it is shortened to the sentences that matter most by ``relevance`` (a number for each of
        a hit's sentences, on one scale for all hits). Raises `GenerationError` when not even one sentence
        fits and nothing is shown yet.
        """
        before = self.prompt_tokens
        readable = [quotable(hit) for hit in hits]
        omitted = [
            Omission(hit.path, hit.start_line, hit.end_line, NOTHING_TO_QUOTE)
            for hit in readable
            if not hit.sentences
        ]
        fresh, repeated = without_repetitions([hit for hit in readable if hit.sentences], self._said)
        omitted += repeated
        wave = [Excerpt(hit, whole(hit)) for hit in fresh]
        if not self._fits(wave):
            # Nothing tells which lines of front matter matter.
            own = {hit.chunk_id: relevance(hit) for hit in hits if hit.sentences}
            numbers = [own.get(hit.chunk_id, [0.0] * len(hit.sentences)) for hit in fresh]
            wave = self._compressed(fresh, numbers)
            found = {excerpt.hit.chunk_id: excerpt for excerpt in wave}
            omitted += [
                missing for hit in fresh if (missing := shortened(hit, found.get(hit.chunk_id))) is not None
            ]
        if fresh and not wave and not self._shown:
            raise GenerationError(
                f"not one sentence of the notes fits into the context of {self._model.name} "
                f"({self._model.context} tokens) beside question and answer; shorten the question, raise "
                "answer.context_tokens or answer.budget_tokens, or lower answer.max_tokens"
            )
        self._shown += wave
        for excerpt in wave:
            self._said.add(excerpt.hit)
        return Loaded(len(wave), self.prompt_tokens - before, tuple(omitted))

    def _compressed(self, hits: Sequence[Hit], relevance: Sequence[Sequence[float]]) -> list[Excerpt]:
        """As much as fits exactly; pieces are chosen by their own counts, which do not add up exactly."""
        room = min(self._room, self._base + self._budget) - self.prompt_tokens
        while room > 0:
            wave = compress(
                hits,
                relevance,
                room=room,
                tokens=self._model.count_tokens,
                frame=lambda hit: self._model.count_tokens(passage(999, hit, "") + "\n\n"),
                said=self._said,
            )
            if not wave or self._fits(wave):
                return wave
            room -= max(self._excess(wave), room // 20, 1)
        return []

    def _fits(self, wave: Sequence[Excerpt]) -> bool:
        return self._excess(wave) <= 0

    def _excess(self, wave: Sequence[Excerpt]) -> int:
        """By how many tokens the prompt would be too long with ``wave``; 0 or less when it fits."""
        return self._count([*self._shown, *wave]) - min(self._room, self._base + self._budget)

    def _count(self, shown: Sequence[Excerpt]) -> int:
        return self._model.prompt_tokens(self._messages(shown))

    def _messages(self, shown: Sequence[Excerpt]) -> tuple[Message, ...]:
        passages = [
            passage(number, excerpt.hit, excerpt.text)
            for number, excerpt in enumerate(shown, start=self.first)
        ]
        user = Message("user", user_prompt(passages, self._question, self.first))
        return (Message("system", SYSTEM), *self._history, user)

    def _remembered(self, turns: Sequence[Turn], most: int) -> tuple[Message, ...]:
        """The latest ``turns``, as far as a prompt without passages has at most ``most`` tokens with them."""

        def fits(history: Sequence[tuple[Message, ...]]) -> bool:
            self._history = tuple(message for messages in history for message in messages)
            return self._count([]) <= most

        latest = turns[-_LAST_TURNS:]
        taken: list[tuple[Message, ...]] = []
        while len(taken) < len(latest) and fits(longer := [_in_short(latest[-1 - len(taken)]), *taken]):
            taken = longer
        for back in range(1, len(taken) + 1):
            if not fits(fuller := [*taken[:-back], _as_sent(latest[-back]), *taken[len(taken) - back + 1 :]]):
                break
            taken = fuller
        return tuple(message for messages in taken for message in messages)


def _as_sent(turn: Turn) -> tuple[Message, ...]:
    """What the model read, which it need not read again, and of what it wrote all that was shown.

    A sentence that was not proved then is no fact for the answers to come.
    """
    written = _sentences(turn.reply) if turn.prompt else []
    shown = {sentence.text for sentence in _sentences(turn.text)} if written else set()
    if not (kept := [sentence for sentence in written if sentence.text in shown]):
        return _in_short(turn)
    reply = turn.reply if len(kept) == len(written) else "".join(map(_marked, kept)).strip()
    return Message("user", turn.prompt), Message("assistant", without_tags(reply))


def _sentences(text: str) -> list[ReplySentence]:
    splitter = ReplySplitter()
    return [*splitter.feed(text), *splitter.finish(cut_off=False)]


def _marked(sentence: ReplySentence) -> str:
    marks = "".join(f"[{number}]" for number in sentence.marks)
    return f"{sentence.separator}{sentence.text} {marks}".rstrip()


def _in_short(turn: Turn) -> tuple[Message, ...]:
    """Question and answer, without passages and so without marks for them."""
    answer = as_data(without_marks(turn.text)[0])
    return (Message("user", asked(turn.question)), Message("assistant", answer)) if answer else ()
