"""``scripts/bench topics DIR…``: fits topic routing to questions whose topic is known, and says what it does.

A DIR holds ``vault/``, ``queries.jsonl`` and ``qrels.tsv``, or it is a vault: of that, runs of six words are
asked, and the note that they stand in is the relevant one. Whatever is printed of a set comes from constants
that were fitted to the others; the constants at the end are those of all sets together.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import numpy as np

from bench.conditional_logit import Case, Sets, fit, lowest, without
from bench.vaults import note_files
from bench.workshop import Options, open_workshop
from quire_engine import Engine, evaluate, locations
from quire_engine.analysis import reading_trust
from quire_engine.evaluation.judgements import Query, read_queries, spread
from quire_engine.index.keywords import open_keywords
from quire_engine.index.reader import IndexReader
from quire_engine.index.topics import ROOT
from quire_engine.inference.embedder import shared_embedder
from quire_engine.records import Filters, Hit, SearchResult
from quire_engine.retrieval import topics
from quire_engine.retrieval.topics import Calibration
from quire_engine.settings import Settings

_ONE, _SEVERAL, _WIDENED = 0.98, 0.95, 0.95
"""The least recall of one topic and of several, and how often a wrong preference is to be widened."""
_STEPS = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.93, 0.95, 0.96, 0.97, 0.98, 0.99, 0.995, 0.999)
_COSINES = (0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)
_SHARES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_WEIGHTS = (0.005, 0.01, 0.02, 0.03)
"""What a log-probability is multiplied with before it is added to a hit's score."""
_DEPTH = 100
_PASSAGES = 200
_WORD = re.compile(r"[^\W\d_]{3,}")
_RUN = 6


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with what routing sees of it."""

    text: str
    case: Case
    good: Mapping[tuple[float, float], tuple[float, float]]
    """By (least cosine, least share): how many of the right topics, and of the wrong ones, hold enough good
    hits for a preference of theirs to be kept; 0 to 1."""
    hits: SearchResult
    names: tuple[str, ...]
    """The topics of the candidates, as the case has them before its last alternative: a topic without any."""


@dataclass(slots=True)
class Judged:
    """A set of questions, asked."""

    folder: Path
    limit: int | None
    topics: int
    asked: list[Asked] = field(default_factory=list)
    ndcg: dict[str, float] = field(default_factory=dict)


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask all sets, print what each gains or loses, and the constants of all together."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    keep = None if chosen.keep is None else chosen.keep.absolute()
    sets: dict[str, Judged] = {}
    with open_workshop(Options()) as workshop:
        if keep is not None:
            os.environ["QUIRE_DATA_DIR"] = str(keep)
        for number, place in enumerate(chosen.sets):
            vault = place / "vault" if (place / "vault").is_dir() else place
            folder = place
            if vault == place:
                folder = workshop.folder / f"known-{number}"
                write_known_items(vault, folder)
            with Engine.open(vault) as engine:
                engine.sync()
                sets[place.name] = _ask(engine, vault, folder, chosen.limit)
            print(f"{place.name}: {len(sets[place.name].asked)} questions", file=sys.stderr, flush=True)
        if len(sets) > 1:
            for place in chosen.sets:
                vault = place / "vault" if (place / "vault").is_dir() else place
                fitted = calibrate(_cases({name: s for name, s in sets.items() if name != place.name}), sets)
                with Engine.open(vault) as engine:
                    _report(place.name, sets[place.name], fitted, engine)
        _reliability(sets)
        calibration = calibrate(_cases(sets), sets)
        print(f"\nof all sets: {calibration}")
        print(f"in use:      {topics.CALIBRATION}")
    return 0


def write_known_items(vault: Path, folder: Path, count: int = 250, seed: int = 5) -> None:
    """Make judged questions of a vault: six words in a row of one of its notes, which is the relevant one."""
    random = Random(seed)
    files = note_files(vault)
    folder.mkdir(parents=True)
    queries: list[str] = []
    judgements: list[str] = []
    for file in random.choices(files, k=2 * count):
        lines = [_WORD.findall(line) for line in file.read_text("utf-8", "replace").splitlines()]
        if rich := [words for words in lines if len(words) >= _RUN]:
            words = random.choice(rich)
            start = random.randrange(len(words) - _RUN + 1)
            name = f"known-{len(queries)}"
            queries.append(json.dumps({"id": name, "text": " ".join(words[start : start + _RUN])}))
            judgements.append(f"{name}\t{file.relative_to(vault).as_posix()}\t1")
    (folder / "queries.jsonl").write_text("\n".join(queries[:count]) + "\n", encoding="utf-8")
    (folder / "qrels.tsv").write_text("\n".join(judgements[:count]) + "\n", encoding="utf-8")


def _ask(engine: Engine, vault: Path, folder: Path, limit: int | None) -> Judged:
    settings = Settings()
    place = locations.index_dir(vault)
    reader, embedder = IndexReader(place), shared_embedder(settings.embedding)
    keywords = open_keywords(place, settings.retrieval.keywords, writable=False)
    try:
        every = reader.topic_names()
        judged = Judged(folder, limit, len(every))
        for query in spread(read_queries(folder), limit):
            held = _held(query, reader)
            if not held:
                continue
            vector = embedder.embed_query(query.text)
            trust = reading_trust(embedder.readability(query.text))
            words, near = keywords.search(query.text, _DEPTH), reader.nearest(vector, _DEPTH)
            topic_of = reader.topics_of([chunk for chunk, _ in (*words, *near)])
            names, features = topics.signals(near, words, trust, topic_of)
            wanted = np.array([held.get(topic, 0.0) for topic in names])
            wanted = np.append(wanted, max(0.0, 1.0 - wanted.sum()))
            right = [topic in held for topic in every]
            good = _good(dict(near), dict(words), trust, topic_of, every, right)
            hits = engine.search(query.text, limit=_PASSAGES)
            judged.asked.append(Asked(query.text, (features, wanted), good, hits, names))
        return judged
    finally:
        keywords.close()
        reader.close()


def _held(query: Query, reader: IndexReader) -> dict[str, float]:
    """The share of the relevant notes that each topic holds; empty when none is indexed."""
    paths = [document.split("#^")[0] for document in query.relevant]
    topic_of = reader.topics_of_notes(paths)
    found = [topic_of[path] for path in paths if path in topic_of]
    return {topic: found.count(topic) / len(found) for topic in found}


def _good(
    near: Mapping[int, float],
    words: Mapping[int, float],
    trust: float,
    topic_of: Mapping[int, str],
    names: Sequence[str],
    right: Sequence[bool],
) -> dict[tuple[float, float], tuple[float, float]]:
    best = max(words.values(), default=0.0)
    kept: dict[tuple[float, float], tuple[float, float]] = {}
    for cosine in _COSINES:
        for share in _SHARES:
            limits = replace(topics.CALIBRATION, good_cosine=cosine, good_share=share)
            held: dict[str, int] = {}
            for chunk in topics.good_hits(near, words, best, trust, limits):
                topic = topic_of.get(chunk, ROOT)
                held[topic] = held.get(topic, 0) + 1
            enough = np.array([held.get(topic, 0) >= topics.ENOUGH for topic in names])
            inside, outside = enough[np.array(right)], enough[~np.array(right)]
            kept[cosine, share] = float(inside.mean()), float(outside.mean()) if len(outside) else 0.0
    return kept


# ------------------------------------------------------------------------------------------------ fitting


def _cases(sets: Mapping[str, Judged]) -> Sets:
    return {name: [asked.case for asked in found.asked] for name, found in sets.items() if found.asked}


def calibrate(cases: Sets, sets: Mapping[str, Judged]) -> Calibration:
    """The constants that fit these sets; thresholds hold for each by the coefficients of the others."""
    weighted = _weighted(cases)
    likely: dict[str, list[Case]] = {}
    for name, found in cases.items():
        other = _weighted(without(cases, name)) if len(cases) > 1 else weighted
        likely[name] = [(topics.probabilities(features, other)[:-1], wanted) for features, wanted in found]

    def alone(threshold: float, case: Case) -> float | None:
        return float(case[1][case[0].argmax()]) if case[0].max() >= threshold else None

    one = lowest(_STEPS, likely, alone, _ONE)

    def together(threshold: float, case: Case) -> float | None:
        rows = topics.choose(case[0], replace(weighted, one=one, several=threshold))
        return float(case[1][rows].sum()) if rows is not None and len(rows) > 1 else None

    several = lowest(_STEPS, likely, together, _SEVERAL)
    good = _good_limits([sets[name] for name in cases])
    return replace(weighted, one=one, several=several, good_cosine=good[0], good_share=good[1])


def _weighted(cases: Sets) -> Calibration:
    dense, keywords = fit(cases).tolist()
    return replace(topics.CALIBRATION, dense=round(dense, 2), keywords=round(keywords, 2))


def _good_limits(sets: Sequence[Judged]) -> tuple[float, float]:
    """Of the limits at which wrong preferences are widened, those at which most right ones are not."""
    best, kept = (math.inf, math.inf), -1.0
    for limits in sets[0].asked[0].good:
        stays = [np.array([asked.good[limits] for asked in found.asked]) for found in sets]
        if max(float(stay[:, 1].mean()) for stay in stays) <= 1 - _WIDENED:
            right = float(np.mean([stay[:, 0].mean() for stay in stays]))
            if right > kept:
                best, kept = limits, right
    return best


# ----------------------------------------------------------------------------------------------- reporting


class _Fixed:
    """Results that are there already, to be measured."""

    def __init__(self, engine: Engine, results: Mapping[str, SearchResult]) -> None:
        self._engine, self._results = engine, results

    def search(self, query: str, *, limit: int = 10) -> SearchResult:
        return self._results.get(query) or self._engine.search(query, limit=limit)

    def blocks(self, path: str) -> list[tuple[str, int, int]]:
        return self._engine.blocks(path)


def _report(name: str, found: Judged, fitted: Calibration, engine: Engine) -> None:
    counts, held = {"one": 0, "several": 0, "all": 0}, {"one": 0.0, "several": 0.0, "all": 0.0}
    plain: dict[str, SearchResult] = {}
    restricted: dict[str, SearchResult] = {}
    soft: dict[float, dict[str, SearchResult]] = {weight: {} for weight in _WEIGHTS}
    entropy = right = 0.0
    for asked in found.asked:
        features, wanted = asked.case
        chances = topics.probabilities(features, fitted)
        entropy -= float(wanted @ np.log(chances + 1e-12)) / len(found.asked)
        likely = chances[:-1]
        right += float(wanted[likely.argmax()]) / len(found.asked)
        rows = topics.choose(likely, fitted)
        mode = "all" if rows is None else "one" if len(rows) == 1 else "several"
        counts[mode] += 1
        held[mode] += 1.0 if rows is None else float(wanted[rows].sum())
        before = _without_topics(asked.hits)
        plain[asked.text] = restricted[asked.text] = before
        by_topic = dict(zip(asked.names, likely.tolist(), strict=True))
        if rows is not None:
            chosen = [asked.names[row] for row in rows]
            restricted[asked.text] = _within(engine, before, chosen)
        for weight in _WEIGHTS:
            soft[weight][asked.text] = before if rows is None else _weighed(before, by_topic, weight)
    recall = {mode: round(held[mode] / count, 3) for mode, count in counts.items() if count}
    unknown = math.log(found.topics)
    print(f"\n{name}: {len(found.asked)} questions, {found.topics} topics; {fitted}")
    print(f"  cross-entropy {entropy:.3f} (knowing nothing: {unknown:.3f}), likeliest right {right:.3f}")
    print(f"  decisions {counts}, hold of the relevant notes {recall}")
    limits = fitted.good_cosine, fitted.good_share
    if limits in found.asked[0].good:
        stays = np.array([asked.good[limits] for asked in found.asked])
        print(f"  preference kept: right {stays[:, 0].mean():.3f}, wrong {stays[:, 1].mean():.3f}")
    variants = {"nothing": plain, "restricted": restricted}
    variants |= {f"weight {weight}": results for weight, results in soft.items()}
    for variant, results in variants.items():
        report = evaluate(_Fixed(engine, results), found.folder, limit=found.limit)
        found.ndcg[variant] = report.retrieval["ndcg@10"]
    print("  nDCG@10 " + ", ".join(f"{variant} {value:.4f}" for variant, value in found.ndcg.items()))


def _without_topics(result: SearchResult) -> SearchResult:
    """The result as it would be if topics were no signal of ranking."""

    def score(hit: Hit) -> float:
        return hit.score - sum(s.contribution for s in hit.trace.signals if s.name == "topic")

    return _ranked(result, [(score(hit), hit) for hit in result.hits])


def _weighed(result: SearchResult, chances: Mapping[str, float], weight: float) -> SearchResult:
    def score(hit: Hit) -> float:
        return hit.score + weight * math.log(max(chances.get(hit.topic, 0.0), 1e-3))

    return _ranked(result, [(score(hit), hit) for hit in result.hits])


def _ranked(result: SearchResult, scored: Sequence[tuple[float, Hit]]) -> SearchResult:
    hits = [replace(hit, score=score) for score, hit in sorted(scored, key=lambda pair: -pair[0])]
    return replace(result, hits=tuple(hits))


def _within(engine: Engine, result: SearchResult, chosen: Sequence[str]) -> SearchResult:
    if ROOT in chosen:  # the folder above all folders is no restriction
        return replace(result, hits=tuple(hit for hit in result.hits if hit.topic in chosen))
    found = engine.search(result.query, limit=_PASSAGES, filters=Filters(folders=tuple(chosen)))
    return _without_topics(found)


def _reliability(sets: Mapping[str, Judged]) -> None:
    """How often the likeliest topic is right, by its probability; fitted to the other sets each time."""
    bins: dict[int, list[tuple[float, float]]] = {}
    for name, found in sets.items():
        fitted = _weighted(_cases(sets) if len(sets) == 1 else without(_cases(sets), name))
        for asked in found.asked:
            likely = topics.probabilities(asked.case[0], fitted)[:-1]
            best = float(likely.max())
            bins.setdefault(min(9, int(best * 10)), []).append((best, float(asked.case[1][likely.argmax()])))
    print("\nprobability of the likeliest topic   questions   said   right")
    for step, pairs in sorted(bins.items()):
        said, right = np.mean(pairs, axis=0)
        print(f"  {step / 10:.1f} to {(step + 1) / 10:.1f} {len(pairs):>29} {said:>10.3f} {right:>7.3f}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/bench topics", description="Fits topic routing, and measures what it does."
    )
    add = parser.add_argument
    add("sets", nargs="+", type=Path, metavar="DIR", help="a judged set, or a vault with folders of its own")
    add("--limit", type=int, metavar="N", help="ask only so many questions of a set, evenly spread")
    add("--keep", type=Path, metavar="DIR", help="keep the indexes here, and use those that are here already")
    return parser
