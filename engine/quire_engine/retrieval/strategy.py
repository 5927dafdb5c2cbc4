"""How much work a question is worth, by its complexity."""

from __future__ import annotations

from dataclasses import replace

from quire_engine.records import Query, Strategy

_SIMPLE = Strategy("simple", 100, 1, 10, 3, 1.0, None)
_MODERATE = Strategy("moderate", 100, 2, 15, 3, 2.0, "simple")
_COMPLEX = Strategy("complex", 200, 3, 20, 4, 3.0, "moderate")
_EXPERT = Strategy("expert", 300, 4, 20, 4, 5.0, "complex")
STRATEGIES = {strategy.name: strategy for strategy in (_SIMPLE, _MODERATE, _COMPLEX, _EXPERT)}
"""Depths for the default of 100 candidates."""


def choose(query: Query, *, candidates: int = 100) -> Strategy:
    """The strategy for ``query``, where ``candidates`` are what a retriever brings for a simple question.

    Moderate is what has one reason to be complex, such as two parts (0.3); complex what asks for a synthesis
    (0.4) or has two reasons; expert what has three, or a synthesis with another.
    """
    if query.complexity >= 0.65:
        chosen = _EXPERT
    elif query.complexity >= 0.4:
        chosen = _COMPLEX
    elif query.complexity > 0:
        chosen = _MODERATE
    else:
        chosen = _SIMPLE
    return replace(chosen, depth=chosen.depth * candidates // 100)


def simpler(strategy: Strategy) -> Strategy:
    """What to go on with when the time of ``strategy`` is over; the simplest stays."""
    if strategy.fallback is None:
        return strategy
    return replace(STRATEGIES[strategy.fallback], depth=strategy.depth)
