"""``scripts/bench answer-weights DIR…``: fits what makes an answer of the signals of sentences.

A DIR holds ``vault/``, ``questions.jsonl`` and perhaps ``offvault.jsonl``. Three things are fitted: which
sentence answers (a conditional logit over the sentences of the best passages, where any that holds an answer
is right), for questions that the embedding model reads and for others; whether the notes bear on a question
at all; and whether they answer it. The last two see the sentences in an order that was fitted to other notes.
The file goes to stdout; what the same fits promise for notes that they have not seen, to stderr.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench.conditional_logit import Case, Doubles, fit
from bench.workshop import Options, open_workshop
from quire_engine import Engine, Settings
from quire_engine.answering.reading import READABLE, bearing, confidence, features, fitted
from quire_engine.answering.remembering import Remembering
from quire_engine.answering.sentences import SIGNALS, SentenceRanker, sentence_weights
from quire_engine.evaluation import matching
from quire_engine.evaluation.questions import Question, read_questions
from quire_engine.evaluation.selective import roc_area
from quire_engine.inference.embedder import shared_embedder

READ = tuple(name for name in SIGNALS if name != "around")
"""What is fitted for questions that the embedding model reads. A title says nothing there that late
interaction does not see, since each sentence is embedded behind it."""
UNREAD = ("coverage", "around", "before", "prior", "numbers_missing", "first")
"""What is fitted for others: words alone."""
_OFF_VAULT = "offvault"
_PASSAGES = 10
_FOLDS = 5
_RIDGE = 0.02
"""Of the weights of sentences; their signals say much the same."""
_TOLD_APART = 0.9925
"""The share of off-vault questions with a bearing below 0.5: a little more than the 99 % promised."""
_ODDS = 3.0
"""How many questions with an answer are asked, for one about the same notes without."""
_FEWEST = 20
"""Questions of either kind that anything is fitted to."""
_NEVER = 1e-9
"""The least probability, so that each has its log-odds."""
_REMEMBERED = 200
"""Questions after which vectors are forgotten; those of one note are asked together."""

Weights = Mapping[str, float]
Line = Mapping[str, float]
"""The coefficients of a logistic function, with its ``bias``."""
Probability = Callable[["Asked"], float]


@dataclass(slots=True)
class Asked:
    """A question with the sentences that were read for it."""

    folder: str
    question: Question
    ranker: SentenceRanker
    right: set[tuple[int, int]]
    """Chunk id and start of each sentence that holds an answer."""
    fold: int
    values: Mapping[str, float] = field(default_factory=dict)
    """The features of its best sentence, in an order that was fitted to other notes."""

    @property
    def is_read(self) -> bool:
        return self.ranker.trust >= READABLE

    @property
    def is_answered(self) -> bool:
        """Whether the best sentence holds an answer."""
        return any((c.hit.chunk_id, c.start) in self.right for c in self.ranker.ranked[:1])

    def case(self, names: Sequence[str]) -> Case:
        """What the conditional logit chooses from."""
        ranked = self.ranker.ranked
        signals = np.array([[candidate.signals[name] for name in names] for candidate in ranked])
        return signals, np.array([float((c.hit.chunk_id, c.start) in self.right) for c in ranked])


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask, fit, and print the file."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    for folder in chosen.sets:
        if not (folder / "vault").is_dir() or not (folder / "questions.jsonl").is_file():
            parser.error(f"{folder} holds no vault and questions.jsonl")
    keep = None if chosen.keep is None else chosen.keep.absolute()
    with open_workshop(Options()):
        if keep is not None:
            os.environ["QUIRE_DATA_DIR"] = str(keep)
        asked = [each for folder in chosen.sets for each in collected(folder, chosen.limit)]
    counts = Counter((each.folder, each.question.kind, each.is_read) for each in asked)
    for (name, kind, is_read), count in counts.items():
        _say(
            f"{name}: {count:,} {kind} questions{'' if is_read else ' that the embedding model cannot read'}"
        )
    report(asked)
    return 0


def collected(folder: Path, limit: int | None) -> list[Asked]:
    """The questions of ``folder``, searched for and read."""
    found = []
    settings = Settings()
    embedder = Remembering(shared_embedder(settings.embedding))
    with Engine.open(folder / "vault", settings) as engine:
        engine.sync()
        for number, question in enumerate(sorted(read_questions(folder, limit), key=_note)):
            if number % _REMEMBERED == 0:
                embedder.forget()  # the rankers keep their embedder
            result = engine.search(question.question, limit=_PASSAGES)
            text = result.plan.query.text if result.plan is not None else question.question
            best = max((hit.score for hit in result.hits), default=0.0)
            ranker = SentenceRanker(text, embedder, engine.rarity, best)
            ranker.add(result.hits)
            right = {
                (candidate.hit.chunk_id, candidate.start)
                for candidate in ranker.ranked
                if question.answers and matching.holds(candidate.text, question.answers)
            }
            fold = zlib.crc32(_note(question).encode()) % _FOLDS
            found.append(Asked(str(folder), question, ranker, right, fold))
    return found


def report(asked: Sequence[Asked]) -> None:
    """Print what was fitted, and beside it what it promises; what there is too little for stays as it is."""
    read, unread = sentence_weights()
    answerable = [each for each in asked if each.question.answerable]
    reading = [each for each in asked if each.is_read]
    with_answer = [each for each in answerable if each.is_read]
    others = [each for each in answerable if not each.is_read]
    off = [each for each in reading if each.question.kind == _OFF_VAULT]
    near = [each for each in reading if not each.question.answerable and each.question.kind != _OFF_VAULT]
    in_use = fitted()
    lines: dict[str, Line] = {
        name: {key: float(value) for key, value in in_use[name].items()} for name in _HEADS
    }

    _say("with the weights in use, on the questions that they may have been fitted to:")
    _figures(
        with_answer, others, off, near, lambda one: bearing(one.ranker), lambda one: confidence(one.ranker)
    )
    for fold in range(_FOLDS):
        rest = [each for each in answerable if each.fold != fold]
        fold_read: Weights = _sentence_weights([each for each in rest if each.is_read], READ) or read
        fold_unread: Weights = (
            _sentence_weights([each for each in rest if not each.is_read], UNREAD) or unread
        )
        for each in asked:
            if each.fold == fold:
                each.ranker.weigh(fold_read, fold_unread)
                each.values = features(each.ranker) if each.ranker.ranked else {}
    names = {head: [name for name in lines[head] if name != "bias"] for head in _HEADS}
    negatives = {"bearing": off, "confidence": near}
    odds = {"bearing": 1.0, "confidence": _ODDS}
    held: dict[str, dict[int, float]] = {}
    for head in _HEADS:
        by_fold = {
            fold: _line(
                [each for each in with_answer if each.fold != fold],
                [each for each in negatives[head] if each.fold != fold],
                names[head],
                odds[head],
            )
            or lines[head]
            for fold in range(_FOLDS)
        }
        held[head] = {id(each): _probability(by_fold[each.fold], each) for each in reading}
        if fit_to_all := _line(with_answer, negatives[head], names[head], odds[head]):
            shift = 0.0
            if head == "bearing":
                apart = np.quantile([held[head][id(each)] for each in off], _TOLD_APART)
                shift = math.log(apart / (1 - apart))
                held[head] = {one: _shifted(p, shift) for one, p in held[head].items()}
            lines[head] = {**fit_to_all, "bias": fit_to_all["bias"] - shift}
    _say("fitted to other notes:")
    _figures(
        with_answer,
        others,
        off,
        near,
        lambda one: held["bearing"][id(one)],
        lambda one: min(held["bearing"][id(one)], held["confidence"][id(one)]),
    )
    print(
        _file(
            _sentence_weights(with_answer, READ) or read, _sentence_weights(others, UNREAD) or unread, lines
        )
    )


def _sentence_weights(asked: Sequence[Asked], names: Sequence[str]) -> Weights | None:
    """The weight of each of `SIGNALS`; ``None`` where there are too few questions.

    Each set counts alike. Signals are brought to one scale, so that the ridge is the same for all.
    """
    sets: dict[str, list[Case]] = {}
    for each in asked:
        if each.right:
            sets.setdefault(each.folder, []).append(each.case(names))
    if sum(map(len, sets.values())) < _FEWEST:
        return None
    scale = _scale(np.concatenate([signals for cases in sets.values() for signals, _ in cases]))
    scaled = {name: [(signals / scale, right) for signals, right in cases] for name, cases in sets.items()}
    weights = fit(scaled, ridge=_RIDGE, any_of=True) / scale
    return dict.fromkeys(SIGNALS, 0.0) | dict(zip(names, map(float, weights), strict=True))


def _line(
    positives: Sequence[Asked], negatives: Sequence[Asked], names: Sequence[str], odds: float
) -> Line | None:
    """A logistic function of ``names`` that tells them apart; ``None`` where there are too few.

    Logistic regression is the choice between a thing and nothing. It is fitted as if there were as many of
    either kind; then its bias is moved by the ``odds`` of the first (King, Zeng: Logistic Regression in Rare
    Events Data, 2001).
    """
    sides = [[each.values for each in side if each.values] for side in (positives, negatives)]
    if min(map(len, sides)) < _FEWEST:
        return None
    rows = [np.array([[values[name] for name in names] for values in side]) for side in sides]
    every = np.concatenate(rows)
    middle, scale = every.mean(axis=0), _scale(every)
    sets: dict[str, list[Case]] = {}
    for kind, wanted, side in zip(("with", "without"), ((1.0, 0.0), (0.0, 1.0)), rows, strict=True):
        ones = np.column_stack([(side - middle) / scale, np.ones(len(side))])
        sets[kind] = [(np.stack([row, np.zeros_like(row)]), np.array(wanted)) for row in ones]
    *weights, bias = fit(sets)
    slopes = np.array(weights) / scale
    return {
        "bias": float(bias - slopes @ middle) + math.log(odds),
        **dict(zip(names, map(float, slopes), strict=True)),
    }


def _scale(rows: Doubles) -> Doubles:
    spread: Doubles = rows.std(axis=0)
    spread[spread < 1e-9] = 1.0
    return spread


def _probability(line: Line, asked: Asked) -> float:
    if not asked.values:
        return _NEVER
    value = line["bias"] + sum(weight * asked.values.get(name, 0.0) for name, weight in line.items())
    return min(1 - _NEVER, max(_NEVER, 1.0 / (1.0 + math.exp(-min(60.0, max(-60.0, value))))))


def _shifted(probability: float, shift: float) -> float:
    """With ``shift`` taken off its log-odds."""
    return 1.0 / (1.0 + (1.0 / probability - 1.0) * math.exp(shift))


def _figures(
    with_answer: Sequence[Asked],
    others: Sequence[Asked],
    off: Sequence[Asked],
    near: Sequence[Asked],
    bears: Probability,
    answers: Probability,
) -> None:
    for kind, asked in (("read", with_answer), ("not read", others)):
        if asked:
            recall = sum(each.is_answered for each in asked) / len(asked)
            words = [matching.words(c.text) for each in asked for c in each.ranker.ranked[:1]]
            _say(
                f"  answer in the best sentence, {kind:<8}  {recall:.4f}  "
                f"({len(asked):,} questions, {sum(words) / max(1, len(words)):.1f} words)"
            )
    of_answer = np.array([bears(each) for each in with_answer])
    if off and len(of_answer):
        far = np.array([bears(each) for each in off])
        wrong = float((of_answer <= np.quantile(far, 0.99)).mean())
        _say(f"  wrong abstentions where 99 % off-vault are  {wrong:.4f}  ({len(off):,} off-vault questions)")
        wrong, apart = float((of_answer < 0.5).mean()), float((far < 0.5).mean())
        _say(f"  wrong abstentions below a bearing of 0.5    {wrong:.4f}  ({apart:.4f} of off-vault ones)")
    if near and with_answer:
        scores = np.array([answers(each) for each in [*with_answer, *near]])
        area = roc_area(
            scores, np.arange(len(scores)) < len(with_answer), np.ones((1, len(scores)), dtype=np.int64)
        )
        _say(f"  area under ROC, with an answer or without   {area[0]:.4f}  ({len(near):,} without)")


_TOP = """\
# What makes an answer of the signals of sentences; fitted by `scripts/bench answer-weights`, which prints
# this file.

# For each signal what it counts for questions that the embedding model reads, and for those that it cannot.
[sentences]"""
_HEADS = {
    "bearing": """
# Whether the notes are about what is asked at all: a logistic function, 0.5 where 99 % of the questions
# of another field are told apart.
[bearing]""",
    "confidence": """
# Whether they answer it: the same, against questions that are written about the same notes and have no
# answer there.
[confidence]""",
}


def _file(read: Weights, unread: Weights, lines: Mapping[str, Line]) -> str:
    parts = [_TOP, *(f"{name} = [{read[name]:.3f}, {unread[name]:.3f}]" for name in SIGNALS)]
    for head, title in _HEADS.items():
        parts += [title, *(f"{name} = {value:.4f}" for name, value in lines[head].items())]
    return "\n".join(parts)


def _note(question: Question) -> str:
    """The note that a question was written about, by which it falls into a fold; else its own id."""
    return question.fields.get("note") or question.id


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/bench answer-weights",
        description="Fits answering.toml to questions, prints it, and on stderr what it promises elsewhere.",
    )
    add = parser.add_argument
    add("sets", nargs="+", type=Path, metavar="DIR", help="holds vault/ and questions.jsonl")
    add("--limit", type=int, metavar="N", help="ask only so many questions of a set, of each kind as many")
    add("--keep", type=Path, metavar="DIR", help="keep the indexes here, and use those that are here already")
    return parser
