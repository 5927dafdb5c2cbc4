"""Answers from a language model: sentence by sentence, each with its evidence in the notes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from quire_engine.answering.context import FittedContext, fit
from quire_engine.answering.drafts import DraftSentence, Evidence
from quire_engine.answering.prompts import INSUFFICIENT, SYSTEM, user_prompt
from quire_engine.answering.reply import ReplySentence, ReplySplitter
from quire_engine.answering.support import MIN_SUPPORT, support
from quire_engine.interfaces import LanguageModel
from quire_engine.records import Hit, Wave, WaveLoaded
from quire_engine.settings import AnswerSettings

_MOST_EVIDENCE = 3
"""Passages for a sentence that names none of its own."""
_MOST_REPEATS = 2
_MOST_SENTENCES = 3
_LONGER_GAIN = 0.15
"""By how much a further neighbouring sentence must raise the support to be quoted too."""
_RETOKENISED = 8
"""Tokens by which a reply may count shorter than it was generated."""


def generate(
    model: LanguageModel, question: str, hits: Sequence[Hit], settings: AnswerSettings
) -> Iterator[WaveLoaded | DraftSentence]:
    """One wave with everything that fits, then the reply's sentences as they are completed.

    Nothing follows the wave when there are no hits or when the model finds no answer in them. A sentence that
    nothing in the notes supports comes with empty evidence. Closing the iterator stops the model. Raises
    `GenerationError`.
    """
    context = fit(hits, model, question, settings.max_tokens)
    yield WaveLoaded(_wave(question, context))
    if not context.hits:
        return
    seen: dict[str, int] = {}
    for sentence in _sentences(model, question, context, settings):
        key = _bare(sentence.text)
        if key == _bare(INSUFFICIENT):
            if not seen:
                return
            continue
        # Small models fall into loops; what was said need not be said again.
        seen[key] = seen.get(key, 0) + 1
        if seen[key] > _MOST_REPEATS:
            return
        if seen[key] == 1:
            yield DraftSentence(sentence.text, _evidence(sentence, context.hits), sentence.separator)


def _wave(question: str, context: FittedContext) -> Wave:
    dropped = len(context.dropped)
    return Wave(
        tier="critical",
        chunks=len(context.hits),
        tokens=context.prompt_tokens,
        sufficiency=support(
            question.lower(), "\n".join(_known(hit) + "\n" + hit.text for hit in context.hits)
        ),
        stop_reason="single wave" + (f"; passages that did not fit: {dropped}" if dropped else ""),
    )


def _sentences(
    model: LanguageModel, question: str, context: FittedContext, settings: AnswerSettings
) -> Iterator[ReplySentence]:
    splitter = ReplySplitter()
    reply: list[str] = []
    pieces = model.stream(SYSTEM, user_prompt(context.hits, question), max_tokens=settings.max_tokens)
    try:
        for piece in pieces:
            reply.append(piece)
            yield from splitter.feed(piece)
    finally:
        if close := getattr(pieces, "close", None):
            close()
    # Models do not say why they stopped; a reply of about the most tokens was stopped.
    cut_off = model.count_tokens("".join(reply)) + _RETOKENISED >= settings.max_tokens
    yield from splitter.finish(cut_off=cut_off)


def _evidence(sentence: ReplySentence, hits: Sequence[Hit]) -> tuple[Evidence, ...]:
    """The cited passages that hold what the sentence says; where none does, the best others that do."""
    cited = [hits[mark - 1] for mark in sentence.marks if 1 <= mark <= len(hits)]
    found = _supporting(sentence.text, cited)
    if not found:
        # Small models often count wrong, or cite nothing; the words of the notes decide, not the number.
        found = _supporting(sentence.text, [hit for hit in hits if hit not in cited])[:_MOST_EVIDENCE]
    return tuple(found)


def _supporting(text: str, hits: Sequence[Hit]) -> list[Evidence]:
    found = [best_evidence(text, hit) for hit in hits]
    return sorted(
        (evidence for evidence in found if evidence.support >= MIN_SUPPORT),
        key=lambda evidence: -evidence.support,
    )


def best_evidence(text: str, hit: Hit) -> Evidence:
    """The sentence of ``hit`` that supports ``text`` best, or a few neighbours, or else all of its text."""
    known = _known(hit)
    best: Evidence | None = None
    for reach in range(1, _MOST_SENTENCES + 1):
        floor = best.support + _LONGER_GAIN if best else -1.0
        for (start, _), (_, end) in zip(hit.sentences, hit.sentences[reach - 1 :], strict=False):
            score = support(text, hit.text[start:end], known)
            if score > floor:
                best, floor = Evidence(hit, start, end, score), score
    if best is None:
        return Evidence(hit, 0, len(hit.text), support(text, hit.text, known))
    return best


def _known(hit: Hit) -> str:
    return " ".join((hit.title, *hit.headings))


def _bare(text: str) -> str:
    return re.sub(r"[\W_]+", " ", text).strip().casefold()
