"""How much of what was found is read: tiers of passages, loaded one after the other until there is enough."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from quire_engine.answering.reading import Sufficiency
from quire_engine.records import Hit, Strategy, Tier
from quire_engine.settings import AnswerSettings

TIERS: tuple[tuple[Tier, float, int], ...] = (
    ("critical", 0.8, 2),
    ("important", 0.6, 3),
    ("relevant", 0.4, 3),
    ("supplementary", 0.0, 10),
)
"""Each with the share of the best score that its passages have at least, and the most of them. What exceeds a
tier falls into the next; what exceeds the last is not read."""

ENOUGH = {
    "simple": Sufficiency(coverage=0.6, confidence=0.7, clarity=0.9, completeness=1.0),
    "moderate": Sufficiency(coverage=0.6, confidence=0.7, clarity=0.9, completeness=1.0),
    "complex": Sufficiency(coverage=0.7, confidence=0.75, clarity=0.92, completeness=1.0),
    "expert": Sufficiency(coverage=0.75, confidence=0.8, clarity=0.95, completeness=1.0),
}
"""By the name of the question's strategy."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What an answer may read; 0 for no limit."""

    waves: int
    tokens: int
    seconds: float

    @classmethod
    def of(cls, settings: AnswerSettings, strategy: Strategy | None) -> Budget:
        """What the settings say; where they do not, as many waves as the question's strategy allows."""
        steps = strategy.reasoning_steps if strategy is not None else len(TIERS)
        return cls(settings.max_waves or steps, settings.budget_tokens, settings.budget_seconds)


def tiers(hits: Sequence[Hit]) -> list[tuple[Tier, tuple[Hit, ...]]]:
    """``hits``, best first, laid in tiers; empty ones are left out."""
    best = max((hit.score for hit in hits), default=0.0)
    rest = list(hits)
    laid: list[tuple[Tier, tuple[Hit, ...]]] = []
    for tier, share, most in TIERS:
        taken = [hit for hit in rest if hit.score >= share * best][:most]
        if taken:
            laid.append((tier, tuple(taken)))
            rest = [hit for hit in rest if hit not in taken]
    return laid


class Waves:
    """The tiers that are loaded for an answer, within its budget."""

    def __init__(self, hits: Sequence[Hit], budget: Budget) -> None:
        self._tiers = tiers(hits)
        self._all = sum(len(tier) for _, tier in self._tiers) == len(hits)
        self._budget = budget
        self._begun = time.monotonic()
        self._loaded = 0
        self._tokens = 0

    def __iter__(self) -> Iterator[tuple[Tier, tuple[Hit, ...]]]:
        """The tiers to load; ends when there is nothing left, or the budget is spent."""
        while self.over is None:
            tier = self._tiers[self._loaded]
            self._loaded += 1
            yield tier

    def spent(self, tokens: int) -> None:
        """Count what a wave has cost."""
        self._tokens += tokens

    @property
    def tokens_left(self) -> int | None:
        """What the budget still allows; ``None`` without a limit."""
        return max(0, self._budget.tokens - self._tokens) if self._budget.tokens else None

    @property
    def over(self) -> str | None:
        """Why no further wave can follow; ``None`` while one can. The first one always can."""
        if self._loaded == len(self._tiers):
            return "everything that was found is read" if self._all else "what is likeliest is read"
        if not self._loaded:
            return None
        if self._loaded >= self._budget.waves:
            return (
                f"the budget of {self._budget.waves} waves is spent" if self._loaded > 1 else "one wave only"
            )
        if self._budget.tokens and self._tokens >= self._budget.tokens:
            return f"the budget of {self._budget.tokens:,} tokens is spent"
        if self._budget.seconds and time.monotonic() - self._begun >= self._budget.seconds:
            return f"the budget of {self._budget.seconds:g} seconds is spent"
        return None
