"""From passages to an answer in which nothing is shown that was not checked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from quire_engine.answering.attribution import Attribution
from quire_engine.answering.citations import CitationLedger, ReadNote
from quire_engine.answering.context import GroundedPrompt
from quire_engine.answering.drafts import DraftSentence
from quire_engine.answering.excerpts import quotable
from quire_engine.answering.extractive import NAME, extract
from quire_engine.answering.generative import NotEnough, write
from quire_engine.answering.reading import Reading
from quire_engine.answering.support import FIRM_SUPPORT
from quire_engine.answering.waves import ENOUGH, Budget, Waves
from quire_engine.interfaces import Embedder, LanguageModel
from quire_engine.records import (
    Answer,
    AnswerEvent,
    AnswerFinished,
    AnswerStatus,
    AnswerText,
    Hit,
    HitsFound,
    Omission,
    SearchResult,
    Turn,
    Wave,
    WaveLoaded,
)
from quire_engine.settings import AnswerSettings

ABSTENTION = "I found no evidence for this in your notes."
_UNQUOTABLE = ".canvas"
"""A canvas keeps its text as JSON: what is read there does not stand, verbatim, on a line of the file."""
_BEARING = 0.5
"""Where notes have less to say on the question than this, they have nothing to say."""
_LIKELY = 0.5
"""An extracted answer that is less likely right than this is called partly supported."""


@dataclass(slots=True)
class _Draft:
    """An answer in the making."""

    ledger: CitationLedger
    text: str = ""
    shown: int = 0
    dropped: int = 0
    """Sentences that nothing in the notes, as they are now, supports."""
    loose: int = 0
    """Sentences shown although their quotes hold only most of what they say."""
    frame: tuple[str, ...] = ()
    separator: str = ""
    waves: list[Wave] = field(default_factory=list)
    omitted: list[Omission] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Loading:
    """How context is loaded for one question."""

    reading: Reading
    waves: Waves
    strategy: str
    prompt: GroundedPrompt | None
    """Of the language model, if one answers."""


class Answerer:
    """Answers from search results, with a language model or by extraction."""

    def __init__(
        self,
        embedder: Callable[[], Embedder],
        rarity: Callable[[Sequence[str]], Mapping[str, float]],
        read: ReadNote,
        settings: AnswerSettings,
    ) -> None:
        self._embedder = embedder
        self._rarity = rarity
        self._read = read
        self._settings = settings

    def answer(
        self,
        question: str,
        result: SearchResult,
        model: LanguageModel | None,
        *,
        turns: Sequence[Turn] = (),
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Iterator[AnswerEvent]:
        """`HitsFound`, `WaveLoaded`…, `AnswerText`…, `AnswerFinished`; closing the iterator cancels.

        ``turns`` are the conversation so far, for the language model's prompt. Without evidence the answer
        abstains, and the language model is not asked. It may say that what it read is not enough: then the
        next wave is loaded. When nothing that it says can be verified, the answer is extracted instead.
        """
        begun = time.perf_counter()
        yield HitsFound(result)
        plan = result.plan
        asked = plan.query.text if plan is not None else question  # operators are not asked
        embedder = self._embedder()
        hits = [quotable(hit) for hit in result.hits if not hit.path.lower().endswith(_UNQUOTABLE)]
        draft = _Draft(CitationLedger(self._read))
        best = max((hit.score for hit in hits), default=0.0)
        settings = self._settings
        parts = plan.query.parts if plan is not None else ()
        strategy = plan.strategy if plan is not None else None
        prompt = None
        if model is not None:
            prompt = GroundedPrompt(
                model, asked, turns, max_tokens=settings.max_tokens, budget_tokens=settings.budget_tokens
            )
        loading = _Loading(
            Reading(asked, parts, embedder, self._rarity, best),
            Waves(hits, Budget.of(settings, strategy)),
            strategy.name if strategy is not None else "simple",
            prompt,
        )
        name = model.name if model is not None else NAME
        if model is not None and prompt is not None:
            yield from self._generated(draft, loading, model, prompt, cancelled)
            if draft.dropped and not draft.shown and not cancelled():
                name = NAME
                draft.dropped = 0
                yield from self._extracted(draft, loading)
        else:
            yield from self._loaded(draft, loading, "")
            if loading.reading.bearing >= _BEARING:
                yield from self._extracted(draft, loading)
        if cancelled():
            return
        if not draft.shown:
            draft.text = ABSTENTION
            yield AnswerText(ABSTENTION)
        answer = Answer(
            question=question,
            status=_status(draft),
            text=draft.text,
            citations=draft.ledger.citations,
            waves=tuple(draft.waves),
            model=name,
            generation=result.generation,
            incomplete=result.incomplete,
            left_out=result.left_out,
            hits=result.hits,
            plan=result.plan,
            confidence=round(loading.reading.confidence, 3),
            omitted=tuple(draft.omitted),
            messages=prompt.messages if prompt is not None else (),
            reply=prompt.reply if prompt is not None else "",
            timings={
                **{f"search.{stage}": value for stage, value in result.timings.items()},
                "total": round(result.timings.get("total", 0.0) + (time.perf_counter() - begun) * 1000, 3),
            },
        )
        yield AnswerFinished(answer)

    def _loaded(self, draft: _Draft, loading: _Loading, cause: str) -> Iterator[WaveLoaded]:
        """Load waves until there is enough, or nothing more, or the budget is spent."""
        reading, waves = loading.reading, loading.waves
        enough = ENOUGH[loading.strategy]
        for tier, hits in waves:
            taken = self._within_budget(draft, hits, loading)
            reading.add(taken)
            taken, tokens = self._taken_in(draft, taken, loading)
            waves.spent(tokens)
            found = reading.sufficiency
            lacking = found.lacks(enough)
            stop = waves.over if lacking else "there is enough to answer from"
            wave = Wave(
                tier=tier,
                chunks=len(taken),
                tokens=tokens,
                sufficiency=round(found.of(enough), 3),
                stop_reason=stop,
                coverage=round(found.coverage, 3),
                confidence=round(found.confidence, 3),
                clarity=round(found.clarity, 3),
                completeness=round(found.completeness, 3),
                scores=tuple(round(hit.score, 4) for hit in taken),
                cause=cause or "the question",
            )
            draft.waves.append(wave)
            yield WaveLoaded(wave)
            if not lacking:
                return
            cause = lacking

    def _within_budget(self, draft: _Draft, hits: Sequence[Hit], loading: _Loading) -> Sequence[Hit]:
        """The hits of a wave that a budget of tokens allows; one at least, if it is the first."""
        left = loading.waves.tokens_left
        if left is None or loading.prompt is not None:  # a prompt shortens what does not fit
            return hits
        taken: list[Hit] = []
        for hit, tokens in zip(hits, self._count([hit.text for hit in hits]), strict=True):
            if tokens <= left or not (taken or draft.waves):
                taken.append(hit)
                left = max(0, left - tokens)
            else:
                draft.omitted.append(_unread(hit))
        return taken

    def _taken_in(self, draft: _Draft, hits: Sequence[Hit], loading: _Loading) -> tuple[Sequence[Hit], int]:
        """What of a wave is read, and its tokens as its reader counts them; a prompt takes it in."""
        prompt = loading.prompt
        if prompt is None:
            return hits, sum(self._count([hit.text for hit in hits]))
        loaded = prompt.load(hits, loading.reading.relevance)
        draft.omitted += loaded.omitted
        shown = prompt.passages
        loading.reading.keep({hit.chunk_id for hit in shown})
        return shown[len(shown) - loaded.passages :], loaded.tokens

    def _count(self, texts: list[str]) -> list[int]:
        return self._embedder().count_tokens(texts)

    def _extracted(self, draft: _Draft, loading: _Loading) -> Iterator[AnswerText]:
        reading = loading.reading
        found = extract(reading, self._settings.sentences)
        for sentence in found.sentences:
            yield from self._show(draft, sentence)
        draft.loose += reading.confidence < _LIKELY or reading.doubts(found.chosen)

    def _generated(
        self,
        draft: _Draft,
        loading: _Loading,
        model: LanguageModel,
        prompt: GroundedPrompt,
        cancelled: Callable[[], bool],
    ) -> Iterator[AnswerEvent]:
        attribution = Attribution(self._embedder())
        cause = ""
        while not cancelled():
            before = len(prompt.passages)
            yield from self._loaded(draft, loading, cause)
            if len(prompt.passages) == before or loading.reading.bearing < _BEARING:
                return
            enough = True
            for event in write(model, prompt, self._settings, attribution, cancelled):
                if isinstance(event, NotEnough):
                    enough = False
                elif isinstance(event, DraftSentence):
                    yield from self._show(draft, event, firm=FIRM_SUPPORT)
                else:
                    yield event
            if enough:
                draft.dropped += not (draft.shown or draft.dropped)  # it wrote no sentence at all
                return
            cause = f"{model.name} found no answer in what it had read"

    def _show(self, draft: _Draft, sentence: DraftSentence, firm: float = 0.0) -> Iterator[AnswerText]:
        """Show a sentence if at least one of its quotes stands in its file; else count it as dropped.

        One whose best quote supports it less than ``firm`` is shown, but the answer is only partly
        supported then.
        """
        found = [cited for evidence in sentence.evidence if (cited := draft.ledger.cite(evidence))]
        if found and sentence.frame:
            found = found if draft.ledger.holds_lines(found[0][0].path, sentence.frame) else []
        if not found:
            draft.dropped += 1
            return
        draft.loose += max(citation.support for citation, _ in found) < firm
        numbers = sorted({citation.n for citation, _ in found})
        marks = "".join(f"[{n}]" for n in numbers)
        text, separator = f"{sentence.text} {marks}", sentence.separator
        if sentence.frame and sentence.frame == draft.frame:  # one more row of the same table
            text, separator = text.removeprefix("\n".join(sentence.frame) + "\n"), "\n"
        elif separator != draft.separator:
            separator = "\n\n"  # prose after a list or table, or the other way round
        if draft.shown:
            text = separator + text
        draft.frame, draft.separator = sentence.frame, sentence.separator
        draft.text += text
        draft.shown += 1
        yield AnswerText(text, tuple(citation for citation, new in found if new))


def _unread(hit: Hit) -> Omission:
    return Omission(hit.path, hit.start_line, hit.end_line, "did not fit")


def _status(draft: _Draft) -> AnswerStatus:
    if not draft.shown:
        return AnswerStatus.ABSTAINED
    return AnswerStatus.PARTIAL if draft.dropped or draft.loose else AnswerStatus.SUPPORTED
