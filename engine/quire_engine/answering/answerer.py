"""From passages to an answer in which nothing is shown that was not checked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from quire_engine.analysis import reading_trust
from quire_engine.answering.citations import CitationLedger, ReadNote
from quire_engine.answering.drafts import DraftSentence
from quire_engine.answering.extractive import (
    NAME,
    Candidate,
    evidence_strength,
    extract,
    rank_sentences,
)
from quire_engine.answering.generative import generate
from quire_engine.interfaces import Embedder, LanguageModel
from quire_engine.records import (
    Answer,
    AnswerEvent,
    AnswerFinished,
    AnswerStatus,
    AnswerText,
    Hit,
    HitsFound,
    SearchResult,
    Wave,
    WaveLoaded,
)
from quire_engine.settings import AnswerSettings

ABSTENTION = "I found no evidence for this in your notes."
_MODEL_PASSAGES = 5
"""A small model reads some 100 to 250 tokens a second on two cores; more passages are minutes."""
_UNQUOTABLE = ".canvas"
"""A canvas keeps its text as JSON: what is read there does not stand, verbatim, on a line of the file."""
_FIRM = 0.8
"""The share of a generated sentence's words that its quote must hold for full support."""
_BEARING = 0.5
"""The support that an extracted answer's best sentence needs to be more than near the question: nine in ten
right answers have it, and three in four that miss the question."""
_ENOUGH = 0.5
"""Evidence below this strength is no evidence."""


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
        self, question: str, result: SearchResult, model: LanguageModel | None
    ) -> Iterator[AnswerEvent]:
        """`HitsFound`, `WaveLoaded`…, `AnswerText`…, `AnswerFinished`; closing the iterator cancels.

        Without evidence the answer abstains, and the language model is not asked. When nothing that the
        model says can be verified, the answer is extracted instead.
        """
        begun = time.perf_counter()
        yield HitsFound(result)
        asked = result.plan.query.text if result.plan is not None else question  # operators are not asked
        embedder = self._embedder()
        hits = [hit for hit in result.hits if not hit.path.lower().endswith(_UNQUOTABLE)]
        draft = _Draft(CitationLedger(self._read))
        ranked = rank_sentences(asked, hits, embedder, self._rarity)
        strength = evidence_strength(ranked, reading_trust(embedder.readability(asked)))
        name = model.name if model is not None else NAME
        if strength >= _ENOUGH:
            if model is not None:
                yield from self._generated(draft, asked, hits, model)
            if model is None or (draft.dropped and not draft.shown):
                name = NAME
                draft.dropped = 0
                yield from self._extracted(draft, ranked, strength)
        else:
            yield from _wave(draft, Wave("critical", 0, 0, round(strength, 3), "no evidence"))
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
            timings={
                **{f"search.{stage}": value for stage, value in result.timings.items()},
                "total": round(result.timings.get("total", 0.0) + (time.perf_counter() - begun) * 1000, 3),
            },
        )
        yield AnswerFinished(answer)

    def _extracted(
        self, draft: _Draft, ranked: Sequence[Candidate], strength: float
    ) -> Iterator[AnswerEvent]:
        sentences = extract(ranked, self._settings.sentences)
        passages = {e.hit.chunk_id: e.hit.text for s in sentences for e in s.evidence}
        tokens = sum(self._embedder().count_tokens(list(passages.values())))
        yield from _wave(draft, Wave("critical", len(passages), tokens, round(strength, 3), "answered"))
        for sentence in sentences:
            yield from self._show(draft, sentence)
        draft.loose += max((c.support for c in draft.ledger.citations), default=1.0) < _BEARING

    def _generated(
        self, draft: _Draft, question: str, hits: Sequence[Hit], model: LanguageModel
    ) -> Iterator[AnswerEvent]:
        for event in generate(model, question, hits[:_MODEL_PASSAGES], self._settings):
            if isinstance(event, WaveLoaded):
                yield from _wave(draft, event.wave)
            else:
                yield from self._show(draft, event, firm=_FIRM)

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


def _wave(draft: _Draft, wave: Wave) -> Iterator[WaveLoaded]:
    draft.waves.append(wave)
    yield WaveLoaded(wave)


def _status(draft: _Draft) -> AnswerStatus:
    if not draft.shown:
        return AnswerStatus.ABSTAINED
    return AnswerStatus.PARTIAL if draft.dropped or draft.loose else AnswerStatus.SUPPORTED
