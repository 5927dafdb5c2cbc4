"""``scripts/bench waves DIR…``: how much context answers need, as a curve.

A DIR holds ``vault/`` and ``questions.jsonl``. Every answerable question with a gold answer is searched once.
Then it is answered from the best k passages, all of them read, for each k from 1 to 10; and from waves that
stop when the evidence is sufficient, with thresholds below and above those in use. Each sentence is embedded
once, whatever the number of rows.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TextIO

import numpy as np

from bench.workshop import Options, open_workshop
from quire_engine import Engine, Settings
from quire_engine.answering import waves
from quire_engine.answering.answerer import Answerer
from quire_engine.answering.reading import Sufficiency
from quire_engine.answering.remembering import Remembering
from quire_engine.evaluation import matching
from quire_engine.evaluation.judgements import spread
from quire_engine.evaluation.questions import Question, read_questions
from quire_engine.evaluation.resampling import intervals, resampled_means
from quire_engine.inference.embedder import shared_embedder
from quire_engine.interfaces import Embedder
from quire_engine.records import Answer, AnswerFinished, AnswerStatus, SearchResult

SCHEMA = "quire.waves/1"
_PASSAGES = 10
_FACTORS = (0.25, 0.5, 0.75, 0.9, 1.0, 1.1, 1.25)
"""What the thresholds in use are multiplied with, as many waves allowed as there are tiers."""
_IN_USE = "as it comes"
"""With as many waves as the question's strategy allows."""


@dataclass(frozen=True, slots=True)
class Row:
    """One way to read, over all questions of a set."""

    name: str
    passages: float
    """Loaded for a question, on average."""
    tokens: float
    """Of these, as the embedding model counts them."""
    share: float
    """Of the tokens of the best ten passages."""
    waves: float
    context_recall: float
    """Share of questions whose gold answer stands in what was loaded."""
    answer_recall: float
    """Share of questions whose gold answer stands in the answer."""
    change: float
    """Of answer recall against the best ten passages."""
    interval: tuple[float, float]
    """95 %, of the change, question by question."""
    abstained: float
    words: float
    """Shown for a question that was answered."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    passages: int
    tokens: int
    waves: int
    in_context: bool
    in_answer: bool
    abstained: bool
    words: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Read every set in all ways and print a table for each."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    for folder in chosen.sets:
        if not (folder / "vault").is_dir() or not (folder / "questions.jsonl").is_file():
            parser.error(f"{folder} holds no vault and questions.jsonl")
    keep = None if chosen.keep is None else chosen.keep.absolute()
    people = sys.stderr if chosen.json == "-" else sys.stdout
    sets: dict[str, list[Row]] = {}
    with open_workshop(Options()):
        if keep is not None:
            os.environ["QUIRE_DATA_DIR"] = str(keep)
        for folder in chosen.sets:
            questions = [question for question in read_questions(folder) if question.answers]
            sets[str(folder)] = _measure(folder, spread(questions, chosen.limit), people)
    if chosen.json:
        rows = {name: [asdict(row) for row in found] for name, found in sets.items()}
        text = json.dumps({"schema": SCHEMA, "sets": rows}, ensure_ascii=False, indent=2) + "\n"
        sys.stdout.write(text) if chosen.json == "-" else Path(chosen.json).write_text(text, encoding="utf-8")
    return 0


def _measure(folder: Path, questions: Sequence[Question], people: TextIO) -> list[Row]:
    settings = Settings()
    embedder = Remembering(shared_embedder(settings.embedding))
    outcomes: dict[str, list[_Outcome]] = {}
    with Engine.open(folder / "vault", settings) as engine:
        engine.sync()

        def answerer(most: int) -> Answerer:
            chosen = settings.answer.model_copy(update={"max_waves": most})
            return Answerer(lambda: embedder, engine.rarity, engine.current_note, chosen)

        as_it_comes, to_the_end = answerer(0), answerer(len(waves.TIERS))
        for question in questions:
            result = engine.search(question.question, limit=_PASSAGES)
            for name, count, factor in _ways():
                few = replace(result, hits=result.hits[:count])
                with _reading(count, factor):
                    reader = as_it_comes if name == _IN_USE else to_the_end
                    outcome = _outcome(reader, embedder, question, few)
                outcomes.setdefault(name, []).append(outcome)
            embedder.forget()
    rows = [_row(name, found, outcomes[_all()]) for name, found in outcomes.items()]
    print(f"{folder.name}: {len(questions):,} questions with an answer", file=people)
    print(_line(*_HEAD), file=people)
    for row in rows:
        print(_shown(row), file=people)
    print(file=people, flush=True)
    return rows


def _ways() -> Iterator[tuple[str, int | None, float]]:
    """(name, passages that are all read, factor of the thresholds); the first ``None`` for waves."""
    for count in range(1, _PASSAGES + 1):
        yield f"best {count}", count, 1.0
    for factor in _FACTORS:
        yield f"waves, thresholds × {factor:g}", None, factor
    yield _IN_USE, None, 1.0


@contextmanager
def _reading(count: int | None, factor: float) -> Iterator[None]:
    """Lay ``count`` passages in one tier, and multiply the thresholds, as far as these can be reached."""
    tiers, enough = waves.TIERS, dict(waves.ENOUGH)
    if count is not None:
        waves.TIERS = (("critical", -math.inf, count),)
    for name, wanted in enough.items():
        waves.ENOUGH[name] = Sufficiency(
            coverage=min(1.0, wanted.coverage * factor),
            confidence=min(1.0, wanted.confidence * factor),
            clarity=min(1.0, wanted.clarity * factor),
            completeness=min(1.0, wanted.completeness * factor),
        )
    try:
        yield
    finally:
        waves.TIERS = tiers
        waves.ENOUGH.update(enough)


def _all() -> str:
    return f"best {_PASSAGES}"


def _outcome(answerer: Answerer, embedder: Embedder, question: Question, result: SearchResult) -> _Outcome:
    answer = _answered(answerer, question.question, result)
    laid = [hit for _, tier in waves.tiers(result.hits) for hit in tier]
    loaded = laid[: sum(wave.chunks for wave in answer.waves)]
    shown = answer.text if answer.status is not AnswerStatus.ABSTAINED else ""
    sentences = "\n".join(matching.sentences(shown, len(answer.citations)))
    return _Outcome(
        len(loaded),
        sum(embedder.count_tokens([hit.text for hit in loaded])),
        len(answer.waves),
        matching.holds("\n\n".join(hit.text for hit in loaded), question.answers),
        matching.holds(sentences, question.answers),
        answer.status is AnswerStatus.ABSTAINED,
        matching.words(sentences),
    )


def _answered(answerer: Answerer, question: str, result: SearchResult) -> Answer:
    for event in answerer.answer(question, result, None):
        if isinstance(event, AnswerFinished):
            return event.answer
    raise AssertionError("an answer ends with AnswerFinished")


def _row(name: str, found: Sequence[_Outcome], ten: Sequence[_Outcome]) -> Row:
    change = np.array(
        [[float(now.in_answer) - float(then.in_answer)] for now, then in zip(found, ten, strict=True)]
    )
    said = [outcome.words for outcome in found if not outcome.abstained]
    tokens = sum(outcome.tokens for outcome in found)
    return Row(
        name,
        sum(outcome.passages for outcome in found) / len(found),
        tokens / len(found),
        tokens / max(1, sum(outcome.tokens for outcome in ten)),
        sum(outcome.waves for outcome in found) / len(found),
        sum(outcome.in_context for outcome in found) / len(found),
        sum(outcome.in_answer for outcome in found) / len(found),
        float(change.mean()),
        intervals(resampled_means(change))[0],
        sum(outcome.abstained for outcome in found) / len(found),
        sum(said) / max(1, len(said)),
    )


_HEAD = (
    "",
    "passages",
    "tokens",
    "share",
    "waves",
    "in context",
    "in answer",
    "change",
    "95 %",
    "abstained",
    "words",
)


def _shown(row: Row) -> str:
    low, high = row.interval
    return _line(
        row.name,
        f"{row.passages:.1f}",
        f"{row.tokens:.0f}",
        f"{row.share:.0%}",
        f"{row.waves:.2f}",
        f"{row.context_recall:.4f}",
        f"{row.answer_recall:.4f}",
        f"{row.change:+.4f}",
        f"{low:+.4f} to {high:+.4f}",
        f"{row.abstained:.4f}",
        f"{row.words:.1f}",
    )


def _line(*cells: str) -> str:
    width = max(len(name) for name, _, _ in _ways())
    sides = (f"<{width}", ">8", ">6", ">5", ">5", ">10", ">9", ">7", ">18", ">9", ">5")
    return "  ".join(f"{cell:{side}}" for cell, side in zip(cells, sides, strict=True)).rstrip()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/bench waves",
        description="Measures how much context answers need: the best k passages against waves.",
    )
    add = parser.add_argument
    add("sets", nargs="+", type=Path, metavar="DIR", help="holds vault/ and questions.jsonl")
    add("--limit", type=int, metavar="N", help="ask only so many questions of a set, evenly spread")
    add("--keep", type=Path, metavar="DIR", help="keep the indexes here, and use those that are here already")
    add("--json", metavar="FILE", help="write the figures as JSON; - for stdout")
    return parser
