"""Topic routing: to which folders of the vault a question belongs, and what a preference for some means.

A topic's score is linear in two signals: the logarithms of its part in the dense candidates, as far as the
embedding model can read the question, and in the keyword candidates. Candidates count by a steep power of
their score, so that the best say more about the topic than many poor ones: a classification by nearest
neighbours, which looks only where the question is, and costs nothing once the candidates are there. The words
of a topic's own name are among the keywords of all its passages. A softmax makes probabilities of the scores.

The coefficients are those of a conditional logit (McFadden: Conditional Logit Analysis of Qualitative Choice
Behavior, 1974), fitted with all sets of questions weighing alike; the thresholds are the lowest at which the
chosen topics hold the relevant notes in every set, by coefficients that were fitted to the others.
``scripts/bench topics`` fits them anew and prints how reliable they are; ``docs/topics.md`` has its tables.

Topics do not restrict a search by themselves: that loses what lies elsewhere, and a search among the passages
of some folders takes longer than one among all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from quire_engine.records import Filters, Routing, TopicScore

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Calibration:
    """What routing goes by; see the module for where it comes from."""

    dense: float
    """The coefficient of the logarithm of a topic's share of the dense candidates."""
    keywords: float
    """The same of the keyword candidates."""
    one: float
    """The least probability with which a topic stands alone."""
    several: float
    """The least sum of probabilities of several topics, which are half of all at most."""
    good_cosine: float
    """The least cosine of a good hit, for a question that the model can read."""
    good_share: float
    """Its least BM25 score otherwise, as a share of the best in the vault."""


CALIBRATION = Calibration(dense=0.5, keywords=1.1, one=0.93, several=0.95, good_cosine=0.7, good_share=0.7)
ENOUGH = 3
"""Good hits at which a preference is not widened."""
DENSE_POWER = 8
"""Of cosines, as shares of the highest."""
KEYWORD_POWER = 4
"""Of BM25 scores, as shares of the highest."""
UNSEEN = 0.01
"""Added to every topic's share of the candidates."""
PRIOR_FLOOR = math.log(1e-3)
"""The logarithm of the least probability that a prior tells apart."""


def signals(
    near: Sequence[tuple[int, float]],
    words: Sequence[tuple[int, float]],
    trust: float,
    topic_of: Mapping[int, str],
) -> tuple[tuple[str, ...], Doubles]:
    """The candidates' topics by name, and what their scores are made of, shape (topics + 1, 2).

    In the columns, the logarithm of the share of the dense candidates, times ``trust``, and of the keyword
    candidates; in the last row, that of a topic without candidates. Those without a topic count for none.
    """
    names = tuple(sorted({topic_of[chunk] for chunk, _ in (*near, *words) if chunk in topic_of}))
    dense = _log_shares(names, near, DENSE_POWER, topic_of)
    return names, np.stack([trust * dense, _log_shares(names, words, KEYWORD_POWER, topic_of)], axis=1)


def _log_shares(
    names: Sequence[str], candidates: Sequence[tuple[int, float]], power: int, topic_of: Mapping[int, str]
) -> Doubles:
    row_of = {topic: row for row, topic in enumerate(names)}
    best = max((score for _, score in candidates), default=0.0)
    mass = np.zeros(len(names) + 1)
    for chunk, score in candidates:
        if score > 0 and chunk in topic_of:
            mass[row_of[topic_of[chunk]]] += (score / best) ** power
    total = mass.sum()
    if total == 0:
        return mass
    shares: Doubles = np.log(mass / total + UNSEEN)
    return shares


def probabilities(found: Doubles, calibration: Calibration = CALIBRATION) -> Doubles:
    """The softmax of the weighted `signals`: for each topic, and last for those without candidates."""
    scores = found @ np.array([calibration.dense, calibration.keywords])
    likely: Doubles = np.exp(scores - scores.max())
    likely /= likely.sum()
    return likely


def choose(likely: Sequence[float] | Doubles, calibration: Calibration = CALIBRATION) -> list[int] | None:
    """The rows of the topics that stand out, likeliest first; ``None`` when that is no choice."""
    order = sorted(range(len(likely)), key=lambda row: (-likely[row], row))
    if order and likely[order[0]] >= calibration.one:
        return order[:1]
    total = 0.0
    for number, row in enumerate(order[: len(order) // 2], start=1):
        total += likely[row]
        if total >= calibration.several:
            return order[:number]
    return None


def route(
    near: Sequence[tuple[int, float]],
    words: Sequence[tuple[int, float]],
    trust: float,
    topic_of: Mapping[int, str],
) -> Routing:
    """Where a question belongs, judged by the nearest passages and the best by keywords in the whole vault.

    ``near`` holds (chunk id, cosine), about 100 of them, empty when the question was not embedded; ``words``
    (chunk id, BM25). ``trust`` is how far the cosines can be trusted (`quire_engine.analysis.reading_trust`),
    ``topic_of`` says where the candidates lie. Topics in which there is no candidate are not listed: what is
    missing from the probabilities' sum is theirs.
    """
    names, found = signals(near, words, trust, topic_of)
    if not names:
        return Routing("all")
    likely = probabilities(found)[: len(names)]
    chosen = choose(likely)
    order = sorted(range(len(names)), key=lambda row: (-likely[row], names[row]))
    scores = tuple(TopicScore(names[row], float(likely[row])) for row in order)
    if chosen is None:
        return Routing("all", scores)
    stand_out = tuple(names[row] for row in chosen)
    return Routing("one" if len(stand_out) == 1 else "several", scores, stand_out)


def prior(routing: Routing) -> dict[str, float]:
    """For each topic the logarithm of its probability: a signal of ranking; empty when no topic stands out.

    From ``log(0.001)`` to 0; a topic that is missing has `PRIOR_FLOOR`.
    """
    if routing.mode not in ("one", "several"):
        return {}
    least = math.exp(PRIOR_FLOOR)
    return {score.topic: math.log(min(1.0, max(score.probability, least))) for score in routing.topics}


# ---------------------------------------------------------------------------------- the user's preference


def preferred(filters: Filters) -> Filters | None:
    """What is searched first: ``filters`` restricted to the folders that are preferred.

    ``None`` where no folder is preferred, or the filters leave nothing of those that are.
    """
    # The vault itself as a folder prefers nothing.
    wanted = [folder for name in filters.prefer if (folder := name.strip("/")) not in ("", ".")]
    allowed = [folder.strip("/") for folder in filters.folders]
    if allowed and not any(folder in ("", ".") for folder in allowed):
        pairs = [(inner, outer) for inner in wanted for outer in allowed]
        wanted = [max(pair, key=len) for pair in pairs if is_within(*pair) or is_within(*reversed(pair))]
    if not wanted:
        return None
    return replace(filters, folders=tuple(dict.fromkeys(wanted)), prefer=())


def without_preference(filters: Filters) -> Filters:
    """What is searched when a preference is widened, or there is none."""
    return replace(filters, prefer=())


def is_within(place: str, folder: str) -> bool:
    """Whether the folder or note ``place`` is ``folder`` or lies in it; both relative to the vault."""
    return place == folder or place.startswith(f"{folder}/")


def good_hits(
    cosines: Mapping[int, float],
    words: Mapping[int, float],
    best_word: float,
    trust: float,
    calibration: Calibration = CALIBRATION,
) -> set[int]:
    """The chunks that are good by themselves: near the question, or nearly as good as any by keywords.

    ``cosines`` and ``words`` hold the candidates' cosine and BM25 score, ``best_word`` the highest BM25 score
    in the whole vault. A cosine counts for what the model can read of the question (``trust``).
    """
    near = {chunk for chunk, cosine in cosines.items() if cosine * trust >= calibration.good_cosine}
    least = calibration.good_share * best_word
    return near | {chunk for chunk, score in words.items() if score > 0 and score >= least}


def after_preference(filters: Filters, good: int, routing: Routing) -> Routing:
    """What to tell of a search that began with a preference and found ``good`` good hits there.

    In mode ``widened`` everything is to be searched, and ranked together.
    """
    return replace(
        routing, mode="preferred" if good >= ENOUGH else "widened", chosen=filters.prefer, further=()
    )


def further_topics(
    linked: Sequence[Sequence[str]], topic_of: Mapping[str, str], searched: Sequence[str], most: int = 3
) -> tuple[str, ...]:
    """The topics outside what was ``searched`` to which hits link; those that better hits link to first.

    ``linked`` holds for each hit, best first, the paths of the notes it links to, ``topic_of`` the topics of
    those notes; ``searched`` are folders or topics. A path without a topic leads nowhere.
    """
    found: dict[str, None] = {}
    for paths in linked:
        for path in paths:
            topic = topic_of.get(path)
            if topic is not None and not any(is_within(path, folder) for folder in searched):
                found.setdefault(topic)
    return tuple(found)[:most]
