"""What a search costs beyond the two searches that it is made of, and what an answer costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from quire_engine.evaluation.metrics import percentile

BEFORE_FUSION = ("filter", "embed", "dense", "wait")
"""Stages of `SearchResult.timings` that end with both lists of candidates there. ``keyword`` is none: it runs
beside the others, and what is left of it then is ``wait``. Whatever has another name counts as added."""

ANSWER_STAGES = ("first_text", "total")
"""What `AnswerResult.timings` has."""


def added_ms(timings: Mapping[str, float]) -> float:
    """Milliseconds of everything after the dense and the keyword search."""
    return max(0.0, timings["total"] - sum(timings.get(stage, 0.0) for stage in BEFORE_FUSION))


def latencies(timings: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """``p50_ms``, ``p95_ms``, ``added_p50_ms`` and ``added_p95_ms`` of some searches."""
    total = [stages["total"] for stages in timings]
    added = [added_ms(stages) for stages in timings]
    return {
        f"{prefix}p{share}_ms": percentile(values, share / 100)
        for prefix, values in (("", total), ("added_", added))
        for share in (50, 95)
    }


def answer_latencies(timings: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """``first_text_p50_ms``, ``first_text_p95_ms``, ``total_p50_ms`` and ``total_p95_ms``."""
    return {
        f"{stage}_p{share}_ms": percentile([stages[stage] for stages in timings], share / 100)
        for stage in ANSWER_STAGES
        for share in (50, 95)
    }
